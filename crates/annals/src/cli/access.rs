//! Questions about access, and making what answers them.

use clap::{Args, Subcommand, ValueEnum};

use super::ExportArgs;

/// Arguments of `access`.
#[derive(Debug, Args)]
pub struct AccessArgs {
    /// Name of the identity, or its id
    #[arg(value_name = "IDENTITY")]
    pub identity: String,
    /// The instant: 2026-03-01 (its end), 2026-03-01 14:30, RFC 3339, now, or a span before now such as 3d
    #[arg(long, default_value = "now", value_name = "INSTANT")]
    pub at: String,
    /// Only what history knew at this instant
    #[arg(long, value_name = "INSTANT")]
    pub known_as_of: Option<String>,
    /// Only what is not granted through roles
    #[arg(long)]
    pub additional_only: bool,
    /// At most so many
    #[arg(long, conflicts_with = "export", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub limit: u32,
    /// As a file.
    #[command(flatten)]
    pub file: ExportArgs,
}

/// What an item may be called.
const ITEM: &str = "role:NAME, capability:NAME, workgroup:NAME, entitlement:APPLICATION/ATTRIBUTE=VALUE, \
    permission:APPLICATION/TARGET=RIGHTS, account:APPLICATION; or a name, id or value that only one thing has";

/// Arguments of `who-had`.
#[derive(Debug, Args)]
pub struct WhoHadArgs {
    #[arg(value_name = "ITEM", help = ITEM)]
    #[expect(missing_docs, reason = "the help says it")]
    pub item: String,
    /// At this instant: 2026-03-01 (its end), 2026-03-01 14:30, RFC 3339, now, or a span before now such as 3d
    #[arg(long, value_name = "INSTANT", conflicts_with_all = ["from", "to"])]
    pub at: Option<String>,
    /// From this instant on [default: the beginning of history]
    #[arg(long, value_name = "INSTANT")]
    pub from: Option<String>,
    /// Up to this instant [default: as long as it lasts]
    #[arg(long, value_name = "INSTANT")]
    pub to: Option<String>,
    /// Who held it at some time of that, throughout, or at its end
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub mode: ModeArg,
    /// Not through other roles or groups
    #[arg(long)]
    pub direct_only: bool,
    /// Only what history knew at this instant
    #[arg(long, value_name = "INSTANT")]
    pub known_as_of: Option<String>,
    /// At most so many rows [default: all]
    #[arg(long, conflicts_with = "export", value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub limit: Option<u32>,
    /// As a file.
    #[command(flatten)]
    pub file: ExportArgs,
}

/// Which holders are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ModeArg {
    /// At some time
    #[default]
    Any,
    /// Throughout
    All,
    /// At the end
    AtEnd,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Name of the identity, or its id
    #[arg(value_name = "IDENTITY")]
    pub identity: String,
    #[arg(value_name = "ITEM", help = ITEM)]
    #[expect(missing_docs, reason = "the help says it")]
    pub item: String,
    /// The instant: 2026-03-01 (its end), 2026-03-01 14:30, RFC 3339, now, or a span before now such as 3d
    #[arg(long, default_value = "now", value_name = "INSTANT")]
    pub as_of: String,
    /// Only what history knew at this instant
    #[arg(long, value_name = "INSTANT")]
    pub known_as_of: Option<String>,
    /// As a file.
    #[command(flatten)]
    pub file: ExportArgs,
}

/// What can be made again from captures.
#[derive(Debug, Subcommand)]
pub enum RebuildCommand {
    /// Make access intervals again from captures alone; what is right already stays untouched
    ///
    /// One that was interrupted is gone on with. Runs may go on meanwhile.
    Intervals(RebuildArgs),
}

/// Arguments of `rebuild intervals`.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// Identities, roles or groups in one transaction, at most
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub batch: u32,
    /// Begin with the first identity, though another one was interrupted
    #[arg(long)]
    pub anew: bool,
}
