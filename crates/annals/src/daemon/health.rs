//! How a daemon is: when it last got an answer from the history database.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use annals_model::{Clock, error_chain};

use super::{Context, Stopping};

/// A look at the ledger that takes longer is stuck: its time-out has not ended it either.
const STUCK: Duration = Duration::from_secs(90);

/// How often a daemon without the role `scheduler`, which looks all the time, asks the history database.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Asks the history database until the daemon is told to stop.
pub(super) async fn serve(context: Arc<Context>, stopping: Stopping) -> anyhow::Result<()> {
    let database = context.history.beside();
    loop {
        match database.now_ms().await {
            Ok(_) => context.health.reached(context.clock.now_ms()),
            Err(error) => context.health.troubled(error_chain(&error)),
        }
        tokio::select! {
            () = stopping.asked() => return Ok(()),
            () = tokio::time::sleep(ASK_EVERY) => {}
        }
    }
}

/// How a daemon is.
#[derive(Debug, Default)]
pub(super) struct Health {
    started_ms: OnceLock<i64>,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    /// When the history database last answered, by the host's clock.
    reached_ms: Option<i64>,
    /// Why it does not.
    trouble: Option<String>,
    /// When it was last asked, well or not.
    round: Option<Instant>,
}

impl Health {
    /// When the daemon began, epoch milliseconds of the host's clock.
    pub(super) fn started_ms(&self, clock: &dyn Clock) -> i64 {
        *self.started_ms.get_or_init(|| clock.now_ms())
    }

    /// The history database answered.
    pub(super) fn reached(&self, now_ms: i64) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.trouble.take().is_some() {
            tracing::info!("the history database answers again");
        }
        said.reached_ms = Some(now_ms);
        said.round = Some(Instant::now());
    }

    /// It did not; said once in the log for each reason.
    pub(super) fn troubled(&self, trouble: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.trouble.as_ref() != Some(&trouble) {
            tracing::error!("the history database: {trouble}");
        }
        said.trouble = Some(trouble);
        said.round = Some(Instant::now());
    }

    /// When the history database last answered, and why it does not.
    pub(super) fn told(&self) -> (Option<i64>, Option<String>) {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        (said.reached_ms, said.trouble.clone())
    }

    /// Whether the daemon still asks.
    pub(super) fn moves(&self) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.round.is_none_or(|round| round.elapsed() < STUCK)
    }
}
