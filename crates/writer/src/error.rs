//! What can go wrong while writing, and what to do about it.

use annals_sql::ErrorKind;

/// A delivery that was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// History could not be read or written.
    #[error("writing to history")]
    History(#[from] annals_history::Error),
    /// The control tables could not be read or written, or the lease was taken over.
    #[error("writing to the control tables")]
    Runs(#[from] annals_runs::Error),
    /// The transaction could not be begun or ended.
    #[error("transaction on the history database")]
    Transaction(#[from] annals_sql::Error),
    /// The captures of an object do not end with what is remembered as its newest: a late message finds no place among
    /// them.
    #[error("the captures of {0} do not end with its newest one, so that a late message finds no place")]
    Sequence(annals_model::ObjectKey),
    /// A message that was given up could not be kept.
    #[error("the dead letter of {0} cannot be composed")]
    Letter(annals_model::ObjectKey, #[source] serde_json::Error),
    /// Writers took the delivery up again and again, and none lived to answer for it.
    #[error("{0} writers took its delivery up, and none answered for it")]
    Abandoned(u64),
    /// A letter does not hold a message.
    #[error("the letter {0} cannot be read: {1}")]
    Unreadable(String, String),
}

/// What to do about a failed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The same delivery may be written when tried again.
    Again,
    /// One of the messages cannot be written; the others can.
    PartMessages,
    /// Possibly one of the messages, possibly something else: the messages tell, tried one by one.
    TryApart,
    /// Nothing that the writer could do.
    GiveUp,
}

impl Error {
    /// Whether the message itself is at fault: no later attempt will write it (IIQ-59).
    #[must_use]
    pub fn is_of_message(&self) -> bool {
        match self {
            Self::Transaction(error)
            | Self::History(annals_history::Error::Sql(error))
            | Self::Runs(annals_runs::Error::Sql(error)) => error.kind() == ErrorKind::Data,
            Self::Unreadable(..) => true,
            _ => self.treatment() == Treatment::PartMessages,
        }
    }

    /// Whether any message would fare the same now: it counts as no attempt to deliver this one.
    #[must_use]
    pub fn is_of_surroundings(&self) -> bool {
        !self.is_of_message() && matches!(self.treatment(), Treatment::Again | Treatment::GiveUp)
    }

    /// What to do about it.
    #[must_use]
    pub fn treatment(&self) -> Treatment {
        let sql = match self {
            Self::Transaction(error)
            | Self::History(annals_history::Error::Sql(error))
            | Self::Runs(annals_runs::Error::Sql(error)) => error,
            // Only a late message needs a capture that cannot be read back: others follow it with a full one.
            Self::History(
                annals_history::Error::TooLarge { .. }
                | annals_history::Error::NotJson { .. }
                | annals_history::Error::NotCompressed { .. }
                | annals_history::Error::Rebuild(_),
            )
            | Self::Sequence(_)
            | Self::Abandoned(_) => return Treatment::PartMessages,
            // What is there now is seen when it is tried again.
            Self::History(annals_history::Error::Overtaken(_)) => return Treatment::Again,
            _ => return Treatment::GiveUp,
        };
        match sql.kind() {
            ErrorKind::Conflict | ErrorKind::Unreachable => Treatment::Again,
            ErrorKind::Data | ErrorKind::Constraint => Treatment::PartMessages,
            ErrorKind::Other | ErrorKind::Timeout => Treatment::TryApart,
            ErrorKind::Denied | ErrorKind::Missing | ErrorKind::Migration | ErrorKind::Configuration => {
                Treatment::GiveUp
            }
        }
    }
}
