//! The commands about the daemon and its schedules.

use std::path::PathBuf;

use annals_model::schedule::Outcome;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand, ValueEnum};

/// A part of the work that a daemon does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// Begins runs when they are due.
    Scheduler,
    /// Reads the identity system.
    Extract,
    /// Writes history.
    Writer,
    /// Answers over REST.
    Api,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scheduler, Self::Extract, Self::Writer, Self::Api];

    /// As written and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Extract => "extract",
            Self::Writer => "writer",
            Self::Api => "api",
        }
    }
}

/// Arguments of `daemon`.
#[derive(Debug, Args)]
pub struct DaemonArgs {
    /// Roles of this host; extract and writer go together unless queue.transport is nats [default: all, api where
    /// api.listen is set]
    #[arg(long = "role", value_enum, value_delimiter = ',', value_name = "ROLE")]
    pub roles: Vec<Role>,
    /// Name of this host, which no other host has [default: the system's name]
    #[arg(long, env = "ANNALS_HOST", value_name = "NAME")]
    pub host: Option<String>,
    /// File that tells how the daemon is and keeps a second one of this name out; beside a history database that is a
    /// file, always [default: daemon-HOST.lock beside annals.yaml]
    #[arg(long, env = "ANNALS_LOCK_FILE", value_name = "FILE")]
    pub lock_file: Option<PathBuf>,
    /// Do not serve: say in a line how this host's daemon is; exit code 0 if it is well
    #[arg(long)]
    pub check: bool,
}

/// Commands on schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// List the tasks with their schedules, the next fire and what became of the last one
    List,
    /// Show when tasks are planned next
    Next {
        /// Only this task
        #[arg(value_name = "TASK")]
        task: Option<String>,
        /// So many fires of each task
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000), value_name = "N")]
        count: u32,
    },
    /// Skip what is planned of a task from now on
    Pause {
        /// Task name
        #[arg(value_name = "TASK")]
        task: String,
        /// Why, for whoever looks at the ledger
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
    },
    /// Let a paused task go on; what was planned meanwhile stays skipped
    Resume {
        /// Task name
        #[arg(value_name = "TASK")]
        task: String,
    },
    /// Let the daemon execute a task now, or when the run under way has ended
    Trigger {
        /// Task name
        #[arg(value_name = "TASK")]
        task: String,
    },
    /// Show what became of planned fires, newest first
    Ledger(LedgerArgs),
}

/// Arguments of `schedule ledger`.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// Only this task
    #[arg(value_name = "TASK")]
    pub task: Option<String>,
    /// Only fires with this outcome: waiting, fired, caught-up, triggered, skipped, missed
    #[arg(long, value_parser = outcome(), value_name = "OUTCOME")]
    pub outcome: Option<Outcome>,
    /// Only fires planned before this instant
    #[arg(long, value_name = "INSTANT")]
    pub before: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub limit: u32,
}

/// The words for what became of fires.
fn outcome() -> impl clap::builder::TypedValueParser<Value = Outcome> {
    PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str))
        .map(|word| Outcome::parse(&word).unwrap_or(Outcome::Waiting))
}
