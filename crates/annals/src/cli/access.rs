//! Questions about access, and making what answers them.

use clap::{Args, Subcommand};

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
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub limit: u32,
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
    /// Identities in one transaction, at most
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub batch: u32,
    /// Begin with the first identity, though another one was interrupted
    #[arg(long)]
    pub anew: bool,
}
