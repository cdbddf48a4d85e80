//! Looking for objects.

use super::ExportArgs;
use annals_model::ObjectType;
use clap::{Args, ValueEnum};

/// Arguments of `find`.
#[derive(Debug, Args)]
pub struct FindArgs {
    /// Object type, e.g. identity, account, role
    #[arg(value_name = "TYPE")]
    pub object_type: ObjectType,
    /// Words that all occur in the name, without regard to case
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    /// Only those whose name or display name starts with this
    #[arg(long, value_name = "TEXT")]
    pub starts_with: Option<String>,
    /// Only those of whose newest state this holds: "email eq null and deleted eq false" (docs/rest.md)
    #[arg(long, value_name = "CONDITION")]
    pub filter: Option<String>,
    /// Only identities with this role, assigned or detected: its name or id
    #[arg(long, value_name = "NAME")]
    pub role: Vec<String>,
    /// Only identities with this entitlement or permission: its value or display name
    #[arg(long, value_name = "VALUE")]
    pub entitlement: Vec<String>,
    /// When they had these roles and entitlements
    #[arg(long, value_enum, default_value_t = Held::Current)]
    pub held: Held,
    /// At most so many
    #[arg(long, conflicts_with = "export", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub limit: u32,
    /// As a file.
    #[command(flatten)]
    pub file: ExportArgs,
}

/// When something was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Held {
    /// Now or at any time before
    All,
    /// Now
    Current,
    /// At some time before, and not now
    Previous,
}
