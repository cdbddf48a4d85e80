//! The commands about what went wrong: failed objects, parked messages and dead letters.

use annals_model::{ObjectType, Stage};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};

use super::TaskArg;

/// Commands on failed objects.
#[derive(Debug, Subcommand)]
pub enum FailuresCommand {
    /// List the failed objects of a task: those that the next run tries again, and those in quarantine
    List {
        /// The task.
        #[command(flatten)]
        task: TaskArg,
        /// Which.
        #[command(flatten)]
        filter: FailuresFilter,
    },
    /// Give objects all their attempts again, and let them out of quarantine
    Retry(FailuresChoice),
    /// Give objects up: they are read again only once they change
    Drop(FailuresChoice),
}

/// Which failed objects.
#[derive(Debug, Args)]
pub struct FailuresFilter {
    /// Only of this object type
    #[arg(long = "type", value_name = "TYPE")]
    pub object_type: Option<ObjectType>,
    /// Only those that failed there: load, transform, publish, write or quarantine
    #[arg(long, value_parser = stage(), value_name = "STAGE")]
    pub stage: Option<Stage>,
    /// Only this object; may be given several times
    #[arg(long = "id", value_name = "ID")]
    pub ids: Vec<String>,
}

/// Arguments of `failures retry` and `failures drop`.
#[derive(Debug, Args)]
pub struct FailuresChoice {
    /// The task.
    #[command(flatten)]
    pub task: TaskArg,
    /// Which.
    #[command(flatten)]
    pub filter: FailuresFilter,
    /// All of them
    #[arg(long, conflicts_with_all = ["object_type", "stage", "ids"])]
    pub all: bool,
}

/// The words for where objects fail.
fn stage() -> impl clap::builder::TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(Stage::ALL.map(Stage::as_str))
        .map(|word| Stage::ALL.into_iter().find(|stage| stage.as_str() == word).unwrap_or(Stage::Load))
}

/// Commands on dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// List dead letters, those of one object in the order in which they were read
    List {
        /// Which.
        #[command(flatten)]
        filter: LetterArgs,
        /// Those that still wait to be delivered again
        #[arg(long)]
        parked: bool,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
        limit: u32,
    },
    /// Show one letter: the message, why it was given up, and what was done with it
    Show {
        /// Its id
        #[arg(value_name = "LETTER")]
        letter: String,
    },
    /// Deliver letters once more, in their order; those that are written are gone
    Redrive {
        /// Which.
        #[command(flatten)]
        letters: LettersArgs,
        /// Why, for the audit
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Discard letters for good
    Discard {
        /// Which.
        #[command(flatten)]
        letters: LettersArgs,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Letters by what they are about.
#[derive(Debug, Clone, Args)]
pub struct LetterArgs {
    /// Only letters about objects of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub object_type: Option<ObjectType>,
    /// Only letters about the object with this name or id
    #[arg(long, value_name = "NAME")]
    pub object: Option<String>,
    /// Only letters from this run
    #[arg(long, value_name = "RUN")]
    pub run: Option<i64>,
}

/// Letters that something is done with.
#[derive(Debug, Clone, Args)]
pub struct LettersArgs {
    /// Their ids
    #[arg(value_name = "LETTER", conflicts_with_all = ["object_type", "object", "run", "all"])]
    pub ids: Vec<String>,
    /// Which.
    #[command(flatten)]
    pub filter: LetterArgs,
    /// All there are
    #[arg(long, conflicts_with_all = ["object_type", "object", "run"])]
    pub all: bool,
}
