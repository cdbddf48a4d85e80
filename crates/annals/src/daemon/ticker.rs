//! What makes the scheduler look at the ledger: every second, and whatever happens every few seconds.
//!
//! It only ticks. What a cron line means in a zone whose clocks change, what was missed and what overlaps is the ledger's:
//! a tick that is late or lost changes nothing but by how much the next one is later.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Every second, in UTC.
const EVERY_SECOND: &str = "* * * * * *";

/// If no tick comes for so long, the host's clock was put back or the ticker has died: look all the same.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Ticks.
pub(super) struct Ticker {
    jobs: JobScheduler,
    ticked: Arc<Notify>,
}

impl Ticker {
    /// Begins to tick.
    pub(super) async fn start() -> Result<Self, JobSchedulerError> {
        let ticked = Arc::new(Notify::new());
        let jobs = JobScheduler::new().await?;
        let tick = Arc::clone(&ticked);
        jobs.add(Job::new(EVERY_SECOND, move |_, _| tick.notify_one())?).await?;
        jobs.start().await?;
        Ok(Self { jobs, ticked })
    }

    /// Returns at the next tick; at once if one came since the last.
    pub(super) async fn next(&self) {
        drop(tokio::time::timeout(SILENCE_MAX, self.ticked.notified()).await);
    }

    /// Ticks no more.
    pub(super) async fn stop(mut self) {
        if let Err(error) = self.jobs.shutdown().await {
            tracing::warn!("stopping the ticker: {error}");
        }
    }
}
