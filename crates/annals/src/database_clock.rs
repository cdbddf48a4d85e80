//! The clock of the history database, as far as a process knows it: what hosts record is ordered by it, however far
//! their own clocks are off.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use annals_model::Clock;
use annals_sql::Db;

/// What the database said last, and what has passed since, by a clock that nobody sets.
#[derive(Debug)]
pub struct DatabaseClock {
    said: Mutex<(Instant, i64)>,
}

impl DatabaseClock {
    /// Asks the database what time it is.
    ///
    /// # Errors
    /// From the history database.
    pub async fn ask(history: &Db) -> annals_sql::Result<Self> {
        Ok(Self { said: Mutex::new(answer(history).await?) })
    }

    /// Asks once more: clocks drift, and processes stand still.
    ///
    /// # Errors
    /// From the history database.
    pub(crate) async fn ask_again(&self, history: &Db) -> annals_sql::Result<()> {
        let said = answer(history).await?;
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
        Ok(())
    }
}

impl Clock for DatabaseClock {
    fn now_ms(&self) -> i64 {
        let (at, said_ms) = *self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said_ms.saturating_add(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// What time it was in the middle of asking.
async fn answer(history: &Db) -> annals_sql::Result<(Instant, i64)> {
    let asked = Instant::now();
    let said_ms = history.now_ms().await?;
    Ok((asked + asked.elapsed() / 2, said_ms))
}
