//! Which instants a schedule plans.

use std::fmt;

use croner::Cron;
pub use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Which instants a schedule plans.
///
/// Where clocks change, a line of one minute and one hour plans each of its days exactly once (TRAP-10): a time that
/// the clocks jump over is planned for the first instant after the jump, a time that comes twice for the first of the
/// two. Any other line is meant by the clock on the wall: what is jumped over is not planned, what comes twice is
/// planned twice.
#[derive(Debug, Clone, PartialEq)]
pub enum Cadence {
    /// A cron line of five fields in a time zone.
    Cron {
        /// As it was written.
        line: String,
        /// Its meaning.
        cron: Box<Cron>,
        /// The zone whose clocks it is meant by.
        zone: TimeZone,
    },
    /// All the instants that are a multiple of so many milliseconds after the epoch: no zone has a part in them.
    Every {
        /// Milliseconds, more than 0.
        every_ms: i64,
    },
}

impl Cadence {
    /// The cadence of a cron line of five fields.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn cron(line: &str, zone: TimeZone) -> Result<Self, CronError> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = Box::new(parser.parse(line)?);
        Ok(Self::Cron { line: line.to_owned(), cron, zone })
    }

    /// The first instant that is planned after this one, epoch milliseconds; `None` where there is none.
    #[must_use]
    pub fn next(&self, after_ms: i64) -> Option<i64> {
        match self {
            Self::Every { every_ms } => after_ms.div_euclid(*every_ms).checked_add(1)?.checked_mul(*every_ms),
            Self::Cron { cron, zone, .. } => {
                // Croner walks by seconds of the clock on the wall and keeps a fraction of the start.
                let second = Timestamp::from_second(after_ms.div_euclid(1_000)).ok()?;
                let next = cron.find_next_occurrence(&second.to_zoned(zone.clone()), false).ok()?;
                Some(next.timestamp().as_millisecond())
            }
        }
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { line, zone, .. } => {
                write!(f, "{line} in {}", zone.iana_name().unwrap_or("its zone"))
            }
            Self::Every { every_ms } => write!(f, "every {} s", every_ms / 1_000),
        }
    }
}
