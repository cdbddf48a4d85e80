//! The role `extract`: works on the partitions of any run of the history database, and takes up runs whose driver died.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use annals_model::error_chain;
use annals_runs::driver::{self, OpenRun};
use anyhow::Context as _;
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinSet;

use crate::own_name;
use crate::pipeline::{Done, POLL, Part, Pipeline, task_of};
use crate::slots::Worked;

/// How long a host that cannot take part in a run leaves it to others before it tries again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Works on whatever there is until the pipeline is asked to stop: then partitions and runs are handed over, after the
/// batches in hand (IIQ-08). What goes wrong with one run is logged, and the others go on.
///
/// # Errors
/// Where a part of it was lost.
pub async fn serve(pipeline: &Pipeline) -> anyhow::Result<()> {
    own_name::warn_of_problem(&pipeline.host);
    let host = Arc::new(Host { pipeline: pipeline.clone(), configured: Mutex::default() });
    let mut parts = JoinSet::new();
    for slot in 0..pipeline.config.service.worker_slots.max(1) {
        let host = Arc::clone(&host);
        parts.spawn(async move { host.fill_slot(slot).await });
    }
    parts.spawn(async move { host.adopt().await });
    while let Some(joined) = parts.join_next().await {
        joined.context("a part of the extract role was lost")?;
    }
    Ok(())
}

/// What the parts of the role share.
struct Host {
    pipeline: Pipeline,
    /// Pipelines by the version of the configuration that runs began with.
    configured: Mutex<HashMap<i64, Arc<OnceCell<Pipeline>>>>,
}

impl Host {
    /// Works on partitions in one slot, those of the oldest run first.
    async fn fill_slot(&self, slot: u32) {
        while !self.pipeline.stop.asked() {
            let mut worked = false;
            for run in self.open_runs().await.iter().filter(|run| run.claimable > 0) {
                match self.work_on(run.run_id, slot).await {
                    Ok(partitions) => worked |= partitions > 0,
                    Err(error) => self.complain(run.run_id, &error).await,
                }
                if worked {
                    break;
                }
            }
            if !worked {
                tokio::time::sleep(POLL).await;
            }
        }
    }

    async fn work_on(&self, run_id: i64, slot: u32) -> anyhow::Result<u32> {
        let run = self.pipeline.run(run_id).await?;
        let pipeline = self.configured(&run).await?;
        let task = task_of(&pipeline.config, &run)?;
        let writer = Arc::new(pipeline.writer(run_id).await?);
        match pipeline.work_slot(task, run_id, slot, writer, Arc::new(Done::default())).await {
            Ok(partitions) => Ok(partitions),
            Err(Worked::Failed(failure) | Worked::Stopped(failure)) => Err(anyhow::anyhow!(failure)),
        }
    }

    /// Takes up runs that nobody drives, each in a task of its own.
    async fn adopt(&self) {
        let mut driving = JoinSet::new();
        while !self.pipeline.stop.asked() {
            for run in self.open_runs().await.into_iter().filter(|run| run.orphaned) {
                match self.adopted(run.run_id).await {
                    Ok(pipeline) => {
                        driving.spawn(async move {
                            let taken = pipeline.take_up(run.run_id, Part::EndsOnly, Arc::default()).await;
                            (run.run_id, taken)
                        });
                    }
                    Err(error) => self.complain(run.run_id, &error).await,
                }
            }
            tokio::time::sleep(POLL).await;
            while let Some(ended) = driving.try_join_next() {
                self.driven(ended).await;
            }
        }
        while let Some(ended) = driving.join_next().await {
            self.driven(ended).await;
        }
    }

    async fn adopted(&self, run_id: i64) -> anyhow::Result<Pipeline> {
        let run = self.pipeline.run(run_id).await?;
        self.configured(&run).await
    }

    async fn driven(&self, ended: Result<(i64, anyhow::Result<Taken>), tokio::task::JoinError>) {
        match ended {
            Ok((run_id, Ok(Some(finished)))) => {
                tracing::info!(run = run_id, "run {run_id} ended: {}", finished.status.as_str());
            }
            Ok((_, Ok(None))) => {}
            Ok((run_id, Err(error))) => self.complain(run_id, &error).await,
            Err(error) => tracing::error!("the driver of a run was lost: {error}"),
        }
    }

    /// The runs there are to work on; none where that cannot be told now.
    async fn open_runs(&self) -> Vec<OpenRun> {
        let open = async {
            let mut tx = self.pipeline.history.begin_read().await?;
            driver::open(&mut tx).await
        };
        match open.await {
            Ok(open) => open,
            Err(error) => {
                tracing::warn!("the runs under way cannot be read: {}", error_chain(&error));
                Vec::new()
            }
        }
    }

    /// The pipeline with the configuration that a run began with; sources stay open for the runs to come.
    async fn configured(&self, run: &annals_runs::Run) -> anyhow::Result<Pipeline> {
        // One slot opens its source; those with other configurations need not wait for that.
        let configured = Arc::clone(self.configured.lock().await.entry(run.config_version).or_default());
        let pipeline = configured.get_or_try_init(|| self.pipeline.with_configuration_of(run)).await?;
        Ok(pipeline.clone())
    }

    /// Says what is wrong, and leaves the run to others for a while.
    async fn complain(&self, run_id: i64, error: &anyhow::Error) {
        tracing::error!(run = run_id, "run {run_id}: {error:#}");
        let began = tokio::time::Instant::now();
        while began.elapsed() < TRY_AGAIN && !self.pipeline.stop.asked() {
            tokio::time::sleep(POLL).await;
        }
    }
}

type Taken = Option<annals_dispatcher::Finished>;
