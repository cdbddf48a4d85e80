//! The command tree.

mod access;
mod audit;
mod compare;
mod daemon;
mod export;
mod find;
mod tasks;
mod troubles;

use std::path::PathBuf;

use annals_model::{JsonFormat, ObjectType};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};

pub use access::{AccessArgs, ModeArg, RebuildArgs, RebuildCommand, WhoHadArgs, WhyArgs};
pub use audit::{AccessLogArgs, ApiCommand, AuditCommand, NewTokenArgs, ScopeWord, TokenCommand};
pub use compare::{ChangesArgs, DiffArgs, OrphansArgs};
pub use daemon::{DaemonArgs, LedgerArgs, Role, ScheduleCommand};
pub use export::ExportArgs;
pub use find::{FindArgs, Held};
pub use tasks::{NewTaskArgs, TaskCommand};
pub use troubles::{DeadCommand, FailuresChoice, FailuresCommand, FailuresFilter, LetterArgs, LettersArgs};

use crate::output::Format;

/// Access history of identity systems: who had access to what, when, why, and as known when.
#[derive(Debug, Parser)]
#[command(name = "annals", version, max_term_width = 120, propagate_version = true)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What applies to every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration directory, holding annals.yaml
    #[arg(long, short = 'c', global = true, env = "ANNALS_CONFIG", default_value = ".", value_name = "DIR")]
    pub config: PathBuf,
    /// Form of the data on stdout
    #[arg(long, short = 'o', global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// IANA time zone in which instants are shown and read [default: timeZone of annals.yaml]
    #[arg(long = "tz", global = true, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// No progress on stderr
    #[arg(long, short = 'q', global = true)]
    pub quiet: bool,
    /// Log filter, e.g. info or annals_writer=trace [default: warn]
    #[arg(long, global = true, env = "ANNALS_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

impl Command {
    /// Whether it executes runs: then its configuration says what is to be traced.
    #[must_use]
    pub fn executes_runs(&self) -> bool {
        match self {
            Self::Run(_) | Self::Daemon(_) | Self::Reconcile(_) | Self::Capture(_) => true,
            Self::Task { command: TaskCommand::New(new) } => new.execute,
            Self::Runs { command } => {
                matches!(command, RunsCommand::Resume(_) | RunsCommand::Rerun(_))
            }
            _ => false,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try Annals on a generated identity system: make it, run, let days pass, ask
    Demo(DemoArgs),
    /// Write a ready-made configuration into a directory
    Init(InitArgs),
    /// Check the configuration and find every error at once
    Check,
    /// See whether everything that a run needs is there
    Doctor,
    /// Bring the history database up to date
    Migrate(MigrateArgs),
    /// See the tasks there are, or make a new one
    Task {
        /// What.
        #[command(subcommand)]
        command: TaskCommand,
    },
    /// Execute a task now
    Run(RunArgs),
    /// Serve until told to stop: execute what is due by the schedules
    Daemon(DaemonArgs),
    /// See, pause and trigger the schedules of tasks
    Schedule {
        /// How.
        #[command(subcommand)]
        command: ScheduleCommand,
    },
    /// Look at runs
    Runs {
        /// Which.
        #[command(subcommand)]
        command: RunsCommand,
    },
    /// Show the processes that work on runs: whether they are alive, and how far their clocks are off
    Hosts,
    /// Show the partitions of a run, and who works on them
    Partitions {
        /// Number of the run [default: the newest]
        #[arg(value_name = "RUN")]
        run: Option<i64>,
    },
    /// Look at what partitions have saved
    State {
        /// How.
        #[command(subcommand)]
        command: StateCommand,
    },
    /// Compare source and history; report and capture what slipped by the runs and what is gone
    Reconcile(ReconcileArgs),
    /// Look at the objects that failed, and decide about them
    Failures {
        /// How.
        #[command(subcommand)]
        command: FailuresCommand,
    },
    /// Show what a run would select, without reading or writing anything else
    Plan(TaskArg),
    /// Show the image that would be made of one object now
    Transform(ObjectArgs),
    /// Capture one object now
    Capture(ObjectArgs),
    /// Show an object as it was at an instant
    AsOf(AsOfArgs),
    /// Show the events of an object
    Timeline(TimelineArgs),
    /// Show all that an identity held at an instant, since when and how it came by it
    Access(AccessArgs),
    /// Show who had access to something, through roles and nested groups too
    WhoHad(WhoHadArgs),
    /// Show every path by which an identity held something at an instant, and what is behind it
    Why(WhyArgs),
    /// Find objects by what they are called, what they are, and what they hold or held
    Find(FindArgs),
    /// Show what tells an object at one instant from itself at another, or from another object
    Diff(DiffArgs),
    /// Show what changed between two instants in what identities hold: each change, or counted
    Changes(ChangesArgs),
    /// Show the accounts whose owner was gone or inactive at an instant, or that had none
    Orphans(OrphansArgs),
    /// Look at messages that were given up, deliver them once more, or discard them
    Dead {
        /// Which.
        #[command(subcommand)]
        command: DeadCommand,
    },
    /// Say who may use the REST interface, by tokens
    Token {
        /// How.
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// See who asked through the REST interface
    Audit {
        /// Which.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// What concerns the REST interface itself
    Api {
        /// What.
        #[command(subcommand)]
        command: ApiCommand,
    },
    /// What concerns the identity system itself
    Source {
        /// What.
        #[command(subcommand)]
        command: SourceCommand,
    },
    /// Look after the history database
    History {
        /// How.
        #[command(subcommand)]
        command: HistoryCommand,
    },
    /// Make again what follows from captures
    Rebuild {
        /// What.
        #[command(subcommand)]
        command: RebuildCommand,
    },
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// A part of the demo alone.
    #[command(subcommand)]
    pub part: Option<DemoPart>,
    /// How it is made.
    #[command(flatten)]
    pub world: WorldArgs,
    /// Directory for the demo's configuration and databases
    #[arg(long, default_value = "annals-demo", value_name = "DIR")]
    pub dir: PathBuf,
    /// Days that pass, with a run after each
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub days: u32,
}

/// How a generated identity system is made.
#[derive(Debug, Clone, Args)]
pub struct WorldArgs {
    /// Number of identities
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    pub identities: u32,
    /// The same seed makes the same identity system
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
}

/// Parts of the demo.
#[derive(Debug, Subcommand)]
pub enum DemoPart {
    /// Make an identity system of the shape of IdentityIQ's database, for trials and benchmarks
    Source {
        /// How it is made.
        #[command(flatten)]
        world: WorldArgs,
        /// Empty database: sqlite:, postgres:, mysql:
        #[arg(long, value_name = "URL")]
        url: String,
        /// When its first day begins: 2026-03-01 00:00 or 2026-03-01T00:00:00Z [default: today's midnight, UTC]
        #[arg(long, value_name = "INSTANT")]
        start: Option<String>,
    },
    /// Let days pass in a generated identity system
    Days {
        /// Its database
        #[arg(long, value_name = "URL")]
        url: String,
        /// How many days
        #[arg(long, default_value_t = 1, value_name = "N")]
        days: u32,
        /// Append what was done, one JSON document a line
        #[arg(long, value_name = "FILE")]
        deeds: Option<PathBuf>,
    },
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Directory; files that are there stay as they are unless --force is given
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Ready-made source profile: identityiq, request-tracker
    #[arg(long, default_value = "identityiq", value_name = "PROFILE")]
    pub profile: String,
    /// Write over files that are there
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The task of a command.
#[derive(Debug, Clone, Args)]
pub struct TaskArg {
    /// Task name [default: the only task there is, or "Dispatch Access History"]
    #[arg(value_name = "TASK")]
    pub task: Option<String>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The task.
    #[command(flatten)]
    pub task: TaskArg,
    /// Do not finish a run first that a dead process left: give it up, and read its objects in the new one
    #[arg(long)]
    pub now: bool,
}

/// Commands on what partitions have saved.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Show what a partition saved last: the next owner goes on from there
    Show(PartitionArg),
    /// Show what a partition saved, newest first
    Log {
        /// Which.
        #[command(flatten)]
        partition: PartitionArg,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
        limit: u32,
    },
}

/// One partition.
#[derive(Debug, Clone, Copy, Args)]
pub struct PartitionArg {
    /// Number of the run
    #[arg(value_name = "RUN")]
    pub run: i64,
    /// Number of the partition
    #[arg(value_name = "PARTITION")]
    pub partition: i32,
}

/// A run.
#[derive(Debug, Clone, Copy, Args)]
pub struct RunArg {
    /// Number of the run
    #[arg(value_name = "RUN")]
    pub run: i64,
}

/// Commands on runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, newest first
    List {
        /// Only runs of this task
        #[arg(long, value_name = "TASK")]
        task: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
        limit: u32,
        /// Only runs before this one
        #[arg(long, value_name = "RUN")]
        before: Option<i64>,
    },
    /// Show one run: results, totals by object type, attribute statistics, messages, failures
    Show {
        /// Number of the run [default: the newest]
        #[arg(value_name = "RUN")]
        run: Option<i64>,
    },
    /// Go on with a run that failed or was left, from what its partitions saved last, or help one that is under way
    Resume(RunArg),
    /// Execute the task of a run again, for everything that it was to read
    Rerun(RunArg),
    /// End a run that is under way; what it has written stays
    Cancel(RunArg),
    /// Remove the partitions of runs that ended long ago, now; the runs, their results and messages stay
    ///
    /// The end of a run does this too, once a day.
    CleanUp {
        /// Of runs that ended so many days ago, or earlier [default: retention.runDetailsDays]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: Option<u32>,
    },
}

/// Commands on the identity system.
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Print DDL of triggers that note deletions, for a system that does not note them itself
    DeleteTriggers,
    /// Print DDL of indexes that find what changed, for nights that should not read whole tables
    Indexes,
}

/// Arguments of `reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// The task.
    #[command(flatten)]
    pub task: TaskArg,
    /// Only objects of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub object_type: Option<ObjectType>,
    /// Only report
    #[arg(long)]
    pub dry_run: bool,
}

/// One object.
#[derive(Debug, Clone, Args)]
pub struct ObjectArgs {
    /// Object type, e.g. identity, account, role
    #[arg(value_name = "TYPE")]
    pub object_type: ObjectType,
    /// Its name, or its id
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Arguments of `as-of`.
#[derive(Debug, Args)]
pub struct AsOfArgs {
    /// The object.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// The instant: 2026-03-01 (its end), 2026-03-01 14:30, RFC 3339, now, or a span before now such as 3d
    #[arg(long, default_value = "now", value_name = "INSTANT")]
    pub at: String,
    /// Only what history knew at this instant
    #[arg(long, value_name = "INSTANT")]
    pub known_as_of: Option<String>,
}

/// Arguments of `timeline`.
#[derive(Debug, Args)]
pub struct TimelineArgs {
    /// The object.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Events from this instant on
    #[arg(long, value_name = "INSTANT")]
    pub from: Option<String>,
    /// Events up to this instant
    #[arg(long, value_name = "INSTANT")]
    pub to: Option<String>,
    /// At most so many
    #[arg(long, conflicts_with = "export", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub limit: u32,
    /// As a file.
    #[command(flatten)]
    pub file: ExportArgs,
}

/// Commands on the history database.
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Rewrite the documents of old captures in another form; what is done already is passed over
    Repack(RepackArgs),
}

/// Arguments of `history repack`.
#[derive(Debug, Args)]
pub struct RepackArgs {
    /// ZIPPED, MINIFIED, PRETTY or COMPACT
    #[arg(long, default_value = "COMPACT", value_parser = json_format(), ignore_case = true, value_name = "FORMAT")]
    pub to: JsonFormat,
    /// Only captures of this object type
    #[arg(long = "type", value_name = "TYPE")]
    pub object_type: Option<ObjectType>,
    /// Captures in one transaction, at most
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub batch: u32,
    /// Train new dictionaries from the captures that are there, and use them for all (COMPACT only)
    #[arg(long)]
    pub train: bool,
    /// Say what would come of it, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The words for the forms of documents.
fn json_format() -> impl clap::builder::TypedValueParser<Value = JsonFormat> {
    PossibleValuesParser::new(JsonFormat::ALL.map(JsonFormat::as_str))
        .map(|word| JsonFormat::parse(&word.to_uppercase()).unwrap_or_default())
}
