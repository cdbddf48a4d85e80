//! When a task runs: the instants that its schedule plans, and what becomes of each.
//!
//! A planned fire has one outcome. [`plan`] decides it for fires that time has reached, [`due`] for those that wait to
//! be started. Both know nothing but what they are given, so that hosts agree and a replay decides the same again.

mod cadence;
mod due;
mod plan;

pub use cadence::{Cadence, CronError};
pub use due::{Due, due};
pub use plan::{FIRES_MAX, Pause, Plan, Reached, plan};

/// When a task runs (IIQ-02, IIQ-36).
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Which instants it plans.
    pub cadence: Cadence,
    /// What becomes of fires that no host was there for.
    pub catch_up: CatchUp,
    /// A fire that is older than this is never caught up; milliseconds.
    pub catch_up_window_ms: i64,
    /// What becomes of a fire while the task is being executed.
    pub overlap: Overlap,
    /// A fire is put off by up to this, by each task and instant in its own way; milliseconds.
    pub jitter_ms: i64,
}

impl Schedule {
    /// A schedule with the defaults: one fire is caught up within a day, none overlaps, none is put off.
    #[must_use]
    pub const fn new(cadence: Cadence) -> Self {
        Self {
            cadence,
            catch_up: CatchUp::One,
            catch_up_window_ms: 86_400_000,
            overlap: Overlap::Skip,
            jitter_ms: 0,
        }
    }
}

/// `catchUp`: what becomes of fires that no host was there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They are missed.
    Skip,
    /// The newest is caught up.
    One,
    /// Each is caught up, one after another.
    All,
}

impl CatchUp {
    /// As written and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::One => "one",
            Self::All => "all",
        }
    }
}

/// `overlap`: what becomes of a fire while the task is being executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// It is skipped.
    Skip,
    /// One waits until the run has ended, further ones are skipped.
    BufferOne,
}

impl Overlap {
    /// As written and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::BufferOne => "buffer-one",
        }
    }
}

/// Why a fire is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The schedule planned it, and a host was there.
    OnTime,
    /// The schedule planned it when no host was there.
    Late,
    /// Somebody asked for it.
    Asked,
}

impl Kind {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnTime => "on-time",
            Self::Late => "late",
            Self::Asked => "asked",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::OnTime, Self::Late, Self::Asked].into_iter().find(|kind| kind.as_str() == word)
    }

    /// The outcome of a fire of this kind that was started.
    #[must_use]
    pub const fn started(self) -> Outcome {
        match self {
            Self::OnTime => Outcome::Fired,
            Self::Late => Outcome::CaughtUp,
            Self::Asked => Outcome::Triggered,
        }
    }
}

/// What became of a fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing yet: it is to be started.
    Waiting,
    /// A run was started in time, or as soon as an overlap allowed.
    Fired,
    /// A run was started for it later, when a host was there again.
    CaughtUp,
    /// A run was started because somebody asked for it.
    Triggered,
    /// A host was there and started none: the task was paused or being executed.
    Skipped,
    /// No host was there, and the schedule does not want it caught up.
    Missed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Fired, Self::CaughtUp, Self::Triggered, Self::Skipped, Self::Missed];

    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Fired => "fired",
            Self::CaughtUp => "caught-up",
            Self::Triggered => "triggered",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// A fire that waits to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The instant that was planned, epoch milliseconds.
    pub planned_ms: i64,
    /// When it is to be started: later than planned by the jitter, epoch milliseconds.
    pub due_ms: i64,
    /// Why it is to be started.
    pub kind: Kind,
}

#[cfg(test)]
mod tests;
