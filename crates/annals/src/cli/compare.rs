//! Questions that compare one instant with another.

use annals_questions::GroupBy;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{ExportArgs, ObjectArgs};

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The object.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Name or id of another object of the type, to compare the first one with
    #[arg(value_name = "OTHER")]
    pub other: Option<String>,
    /// The first instant: 2026-03-01 (its end), 2026-03-01 14:30, RFC 3339, now, or a span before now such as 3d
    #[arg(long, default_value = "now", value_name = "INSTANT")]
    pub at: String,
    /// The second instant [default: now; with OTHER the first one]
    #[arg(long, value_name = "INSTANT")]
    pub and: Option<String>,
    /// Only what history knew at this instant
    #[arg(long, value_name = "INSTANT")]
    pub known_as_of: Option<String>,
    /// What is unchanged, too
    #[arg(long)]
    pub all: bool,
    /// As a JSON patch (RFC 6902) that makes the fields of the second image from those of the first
    #[arg(long, conflicts_with_all = ["all", "export"])]
    pub patch: bool,
    /// As a file.
    #[command(flatten)]
    pub file: ExportArgs,
}

/// Arguments of `changes`.
#[derive(Debug, Args)]
pub struct ChangesArgs {
    /// Changes after this instant: 2026-03-01 (its end), 2026-03-01 14:30, RFC 3339, or a span before now such as 30d
    #[arg(long, value_name = "INSTANT")]
    pub from: String,
    /// Changes up to this instant
    #[arg(long, default_value = "now", value_name = "INSTANT")]
    pub to: String,
    /// Only of identities of whose newest state this holds: "startswith(lastname, 'B') and deleted eq false" (docs/rest.md)
    #[arg(long, value_name = "CONDITION")]
    pub filter: Option<String>,
    /// Count them by cause, application, identity or day (in UTC) instead of listing them
    #[arg(long, value_parser = group_by(), value_name = "WHAT")]
    pub group: Option<GroupBy>,
    /// Only what was added and no request, role, certification or rule explains
    #[arg(long)]
    pub unexplained: bool,
    /// Only what history knew at this instant
    #[arg(long, value_name = "INSTANT")]
    pub known_as_of: Option<String>,
    /// At most so many
    #[arg(long, conflicts_with = "export", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub limit: u32,
    /// As a file.
    #[command(flatten)]
    pub file: ExportArgs,
}

/// Arguments of `orphans`.
#[derive(Debug, Args)]
pub struct OrphansArgs {
    /// The instant: 2026-03-01 (its end), 2026-03-01 14:30, RFC 3339, now, or a span before now such as 3d
    #[arg(long, default_value = "now", value_name = "INSTANT")]
    pub at: String,
    /// Only what history knew at this instant
    #[arg(long, value_name = "INSTANT")]
    pub known_as_of: Option<String>,
    /// At most so many
    #[arg(long, conflicts_with = "export", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub limit: u32,
    /// As a file.
    #[command(flatten)]
    pub file: ExportArgs,
}

/// The words for groups.
fn group_by() -> impl TypedValueParser<Value = GroupBy> {
    PossibleValuesParser::new(GroupBy::ALL.map(GroupBy::as_str))
        .map(|word| GroupBy::ALL.into_iter().find(|by| by.as_str() == word).unwrap_or(GroupBy::Cause))
}
