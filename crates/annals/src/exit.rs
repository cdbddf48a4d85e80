//! Exit codes, and what the operator is told.

use std::fmt;

/// What the process tells its caller; supervisors and scripts rely on these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it; the numbers are documented in docs/command-line.md")]
pub enum Exit {
    Ok = 0,
    Unexpected = 1,
    Usage = 2,
    ObjectFailures = 3,
    RunFailed = 4,
    NotFound = 5,
    LockHeld = 7,
    SourceUnreachable = 8,
    HistoryUnreachable = 9,
    VerificationFailed = 10,
    BrokerUnusable = 11,
    Interrupted = 130,
}

/// A failure on its way out: the exit code, the error, what to do next.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What went wrong, with its causes.
    pub error: anyhow::Error,
    /// The way out, as a sentence.
    pub help: Option<String>,
}

impl Failure {
    /// A failure with a way out.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>, help: impl Into<String>) -> Self {
        Self { exit, error: error.into(), help: Some(help.into()) }
    }

    /// Nothing of this name.
    pub fn not_found(what: impl fmt::Display, help: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, anyhow::anyhow!("{what} was not found"), help)
    }

    /// Who read stdout has had enough (`annals ... | head`): nothing went wrong.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }

    /// A question that could not be answered: it names what there is not, cannot be asked so, or history cannot be read.
    #[must_use]
    pub fn of_question(error: annals_questions::Error) -> Self {
        use annals_questions::Error;
        let help = match &error {
            Error::History(_) | Error::Export(_) => "",
            Error::NoItem(_) => {
                "Write role:NAME, capability:NAME, workgroup:NAME, entitlement:APPLICATION/ATTRIBUTE=VALUE, \
                 permission:APPLICATION/TARGET=RIGHTS or account:APPLICATION."
            }
            Error::AmbiguousItem { .. } => "Write one of them.",
            Error::EmptySpan => "Let --from be before --to.",
            Error::NoBeginning => "Give --from.",
            Error::TooManyPaths => "Leave other roles and groups away: --direct-only.",
        };
        match error {
            Error::History(error) => error.into(),
            Error::Export(_) => anyhow::Error::new(error).into(),
            Error::NoItem(_) => Self::new(Exit::NotFound, error, help),
            wrong => Self::new(Exit::Usage, wrong, help),
        }
    }

    /// A wrong argument.
    pub fn usage(what: impl fmt::Display, help: impl Into<String>) -> Self {
        Self::new(Exit::Usage, anyhow::anyhow!("{what}"), help)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let (exit, help) = classify(&error);
        Self { exit, error, help }
    }
}

/// What helps where the source is a replica that is not to be read.
pub(crate) const NOT_PRIMARY: &str =
    "Name the primary in `source.url`, or have the replica read: `source.replica: warn`.";

/// What helps where the configuration or the command asks for what there is not (TRAP-18).
fn wrong_request(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(annals_history::Error::NoTimeline(_)) = cause.downcast_ref() {
        return Some("Its past is told by `annals as-of`, state by state.".to_owned());
    }
    match cause.downcast_ref()? {
        annals_source::Error::Profile { profile, .. } => {
            Some(format!("Let sources/{profile}.yaml name what the database has."))
        }
        annals_source::Error::Filter { object_type, .. } => {
            Some(format!("Mend the filter of {object_type} in the extract configuration."))
        }
        _ => None,
    }
}

/// What history says, itself or through a question.
fn of_history(error: &anyhow::Error) -> Option<&annals_history::Error> {
    let of_question = || match error.downcast_ref()? {
        annals_questions::Error::History(error) => Some(error),
        _ => None,
    };
    error.downcast_ref().or_else(of_question)
}

/// Finds out from the causes what happened and what helps.
fn classify(error: &anyhow::Error) -> (Exit, Option<String>) {
    if let Some(help) = error.chain().find_map(wrong_request) {
        return (Exit::Usage, Some(help));
    }
    if let Some(annals_history::Error::NoIntervals) = of_history(error) {
        let help = "Make them: `annals rebuild intervals`. Runs may go on meanwhile.";
        return (Exit::HistoryUnreachable, Some(help.to_owned()));
    }
    if let Some(annals_dispatcher::Error::NotPrimary(_)) = error.downcast_ref() {
        return (Exit::SourceUnreachable, Some(NOT_PRIMARY.to_owned()));
    }
    let Some(sql) = error.chain().find_map(|cause| cause.downcast_ref::<annals_sql::Error>()) else {
        return (Exit::Unexpected, None);
    };
    let of_source = error.chain().any(|cause| cause.is::<annals_source::Error>());
    let (exit, name) =
        if of_source { (Exit::SourceUnreachable, "source") } else { (Exit::HistoryUnreachable, "history") };
    match sql.kind() {
        annals_sql::ErrorKind::Unreachable => (
            exit,
            Some(format!("See that the {name} database runs and that `{name}.url` in annals.yaml names it.")),
        ),
        annals_sql::ErrorKind::Denied => (
            exit,
            Some(format!("See that the user in `{name}.url` has the rights that docs/databases.md lists.")),
        ),
        annals_sql::ErrorKind::Missing if !of_source => (
            Exit::HistoryUnreachable,
            Some("Bring the history database up to date: `annals migrate`.".to_owned()),
        ),
        annals_sql::ErrorKind::Missing => (
            Exit::SourceUnreachable,
            Some("See that `source.url` in annals.yaml names the identity system's database, and that no table went away meanwhile.".to_owned()),
        ),
        _ => (Exit::Unexpected, None),
    }
}
