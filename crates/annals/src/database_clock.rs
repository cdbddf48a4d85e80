//! The clock of the history database, as far as a process knows it: what hosts record is dated by it, however far
//! their own clocks are off.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use annals_model::Clock;
use annals_sql::Db;

/// Clocks that nobody sets drift apart by less than one part in this.
const DRIFT_PARTS: u32 = 1_000;

/// What the database said, and what has passed since, by a clock that nobody sets.
#[derive(Debug)]
pub struct DatabaseClock {
    reading: Mutex<Reading>,
}

/// What time it was at least, and how much later it may have been.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    said_ms: i64,
    doubt: Duration,
}

impl DatabaseClock {
    /// Asks the database what time it is.
    ///
    /// # Errors
    /// From the history database.
    pub async fn ask(history: &Db) -> annals_sql::Result<Self> {
        // The first question may have to open a connection, which makes its answer vague.
        let first = Reading::take(history).await?;
        let reading = Mutex::new(first.or_rather(Reading::take(history).await?));
        Ok(Self { reading })
    }

    /// Asks once more: clocks drift, and are set.
    ///
    /// # Errors
    /// From the history database.
    pub(crate) async fn ask_again(&self, history: &Db) -> annals_sql::Result<()> {
        let news = Reading::take(history).await?;
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        *reading = reading.or_rather(news);
        Ok(())
    }
}

impl Clock for DatabaseClock {
    fn now_ms(&self) -> i64 {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).at(Instant::now())
    }
}

impl Reading {
    /// What time it was at the latest when the answer came: the database may have said it any moment before, back to the
    /// question. So this clock is never ahead of the database's, and nothing is recorded in its future.
    async fn take(history: &Db) -> annals_sql::Result<Self> {
        let asked = Instant::now();
        let said_ms = history.now_ms().await?;
        let at = Instant::now();
        Ok(Self { at, said_ms, doubt: at - asked })
    }

    /// What the database would say now.
    fn at(&self, now: Instant) -> i64 {
        let passed_ms = now.saturating_duration_since(self.at).as_millis();
        self.said_ms.saturating_add(i64::try_from(passed_ms).unwrap_or(i64::MAX))
    }

    /// The one to go by: the newer one, unless it is the vaguer one and agrees with the older one.
    fn or_rather(self, news: Self) -> Self {
        let doubt = self.doubt + news.at.saturating_duration_since(self.at) / DRIFT_PARTS;
        let apart_ms = u128::from(self.at(news.at).abs_diff(news.said_ms));
        let agrees = apart_ms <= (doubt + news.doubt).as_millis() + 1;
        if agrees && news.doubt > doubt { self } else { news }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer that took long says little, and counts only where it says that the clock was set.
    #[test]
    fn a_vague_answer_does_not_replace_a_sharp_one_that_it_agrees_with() {
        let ms = Duration::from_millis;
        let begun = Instant::now();
        let sharp = Reading { at: begun, said_ms: 1_000_000, doubt: ms(1) };
        let later = |said_ms, doubt| Reading { at: begun + ms(10_000), said_ms, doubt };
        let goes_by = |news: Reading| sharp.or_rather(news).at(begun + ms(10_000));
        // Sharp as it is, or vaguer by no more than what clocks drift in ten seconds: the news count.
        assert_eq!(goes_by(later(1_010_003, ms(1))), 1_010_003);
        assert_eq!(goes_by(later(1_010_003, ms(11))), 1_010_003);
        assert_eq!(goes_by(later(1_010_400, ms(500))), 1_010_000);
        // Not even half a second of doubt explains that: somebody has set the database's clock.
        assert_eq!(goes_by(later(1_070_000, ms(500))), 1_070_000);
        assert_eq!(goes_by(later(950_000, ms(500))), 950_000);
    }
}
