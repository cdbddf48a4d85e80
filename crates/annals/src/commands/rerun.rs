//! `annals runs resume`, `rerun` and `cancel`.

use std::sync::Arc;

use annals_config::Config;
use annals_dispatcher::Reopened;
use annals_runs::{Run, RunState};

use crate::cli::Global;
use crate::commands::run::{Executing, host_name};
use crate::commands::runs::known_run;
use crate::context::{find_task, open_history, open_source};
use crate::exit::{Exit, Failure};

/// Goes on with a run, from what its partitions saved last (IIQ-08).
pub(crate) async fn resume(global: &Global, config: Config, run_id: i64) -> Result<Exit, Failure> {
    let config = Arc::new(config);
    the_run(&config, run_id).await?;
    let source = Arc::new(open_source(&config).await?);
    let executing = Executing::begin(global, &config, source).await?;
    let resumed = executing.pipeline.resume(run_id, executing.done()).await;
    let executed = executing.end().await;
    match resumed? {
        Ok(_) => executed.report(global, run_id).await,
        Err(why) => Err(cannot_resume(run_id, why)),
    }
}

fn cannot_resume(run_id: i64, why: Reopened) -> Failure {
    let again = format!("To read everything again that it was to read: `annals runs rerun {run_id}`.");
    match why {
        Reopened::MadeGood(later) => {
            Failure::usage(format!("run {run_id} need not be resumed: run {later} made it good"), again)
        }
        Reopened::NothingLeft => {
            Failure::usage(format!("run {run_id} has no partition left to go on with"), again)
        }
        Reopened::Locked => Failure::new(
            Exit::LockHeld,
            anyhow::anyhow!("another run of the task of run {run_id} is under way"),
            "Try again when it has ended: `annals runs list`.",
        ),
        Reopened::Succeeded | Reopened::UnderWay | Reopened::Running(_) => {
            Failure::usage(format!("run {run_id} did not fail"), again)
        }
    }
}

/// Executes a task again for what a run was to read.
pub(crate) async fn rerun(global: &Global, config: Config, run_id: i64) -> Result<Exit, Failure> {
    let config = Arc::new(config);
    let run = the_run(&config, run_id).await?;
    if run.state != RunState::Ended {
        return Err(Failure::usage(
            format!("run {run_id} has not ended"),
            format!("Help it: `annals runs resume {run_id}`. Or end it: `annals runs cancel {run_id}`."),
        ));
    }
    let task = find_task(&config, Some(&run.task))?;
    let source = Arc::new(open_source(&config).await?);
    let executing = Executing::begin(global, &config, source).await?;
    let outcome = executing.pipeline.execute_again(task, &run, executing.done()).await;
    let executed = executing.end().await;
    executed.report(global, outcome?.run_id).await
}

/// Ends a run that is under way.
pub(crate) async fn cancel(config: &Config, run_id: i64) -> Result<Exit, Failure> {
    the_run(config, run_id).await?;
    let history = open_history(config).await?;
    let why = format!("It was cancelled on {}; what it had written stays.", host_name());
    let mut tx = history.begin().await?;
    let cancelled = annals_dispatcher::cancel(&mut tx, run_id, &why).await?;
    tx.commit().await?;
    match cancelled {
        Some(_) => {
            eprintln!("Run {run_id} is cancelled. The next run of its task reads what it left.");
            Ok(Exit::Ok)
        }
        None => Err(Failure::usage(
            format!("run {run_id} has ended already"),
            format!("See how: `annals runs show {run_id}`."),
        )),
    }
}

async fn the_run(config: &Config, run_id: i64) -> Result<Run, Failure> {
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    known_run(&mut tx, Some(run_id)).await
}
