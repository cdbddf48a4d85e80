//! The role `writer` over a broker: writes what the workers of any host have read, of any run.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals_config::Config;
use annals_model::{Clock, error_chain};
use annals_queue::{Broker, Lane};
use annals_runs::{Leases, run as runs};
use annals_sql::Db;
use annals_writer::Writer;
use anyhow::Context as _;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::pipeline::configuration_of;
use crate::slots::writer;

/// Runs whose writers are kept: those under way, and a few that have just ended.
const RUNS_MAX: usize = 16;

/// What a writer works with.
pub(crate) struct Writing {
    pub(crate) config: Arc<Config>,
    pub(crate) history: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) leases: Leases,
    pub(crate) broker: Broker,
}

/// Writes until the broker is told that this process ends, then finishes the deliveries in hand.
///
/// # Errors
/// Where a lane was lost.
pub(crate) async fn serve(writing: Writing) -> anyhow::Result<()> {
    let slots = usize::try_from(writing.config.service.worker_slots).unwrap_or(1);
    let lanes = writing.broker.lanes(slots);
    let host = Arc::new(Host { writing, writers: Mutex::default() });
    let mut parts = JoinSet::new();
    for lane in lanes {
        let host = Arc::clone(&host);
        parts.spawn(async move { host.write_lane(lane).await });
    }
    while let Some(joined) = parts.join_next().await {
        joined.context("a lane of the writer role was lost")?;
    }
    host.writing.broker.flush().await;
    Ok(())
}

struct Host {
    writing: Writing,
    /// By run, for each has the configuration that it began with.
    writers: Mutex<BTreeMap<i64, Arc<Writer>>>,
}

impl Host {
    async fn write_lane(&self, mut lane: Lane) {
        while let Some(received) = lane.next().await {
            let run_id = received.delivery.lease.run_id;
            match self.writer(run_id).await {
                Ok(writer) => {
                    // Whoever sent it is told why it was not written, and says so.
                    drop(writer.take(&self.writing.history, received, &self.writing.leases).await);
                }
                Err(error) => {
                    tracing::error!(
                        run = run_id,
                        "a delivery of run {run_id} is not written here: {error:#}"
                    );
                    let why = annals_queue::Error::Deferred(format!("the writer: {error:#}"));
                    received.into_parts().1.refuse(why).await;
                }
            }
        }
    }

    /// The writer of a run.
    async fn writer(&self, run_id: i64) -> anyhow::Result<Arc<Writer>> {
        let mut writers = self.writers.lock().await;
        if let Some(writer) = writers.get(&run_id) {
            return Ok(Arc::clone(writer));
        }
        let Writing { config, history, clock, .. } = &self.writing;
        let mut tx = history.begin_read().await?;
        let run = runs::get(&mut tx, run_id).await?;
        tx.rollback().await?;
        let of_run = configuration_of(history, config, &run).await?;
        let expects_new = annals_history::is_first_load(history, run_id)
            .await
            .map_err(|error| anyhow::anyhow!(error_chain(&error)))?;
        let made =
            Arc::new(writer(of_run.as_ref().unwrap_or(config.as_ref()), Arc::clone(clock), expects_new));
        writers.insert(run_id, Arc::clone(&made));
        while writers.len() > RUNS_MAX {
            writers.pop_first();
        }
        Ok(made)
    }
}
