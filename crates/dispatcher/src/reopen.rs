//! A run that failed, taken up where it ended.

use annals_model::TaskStatus;
use annals_runs::driver::{self, Driver};
use annals_runs::remedy::{has_failed, made_good_by};
use annals_runs::{RunLease, RunMessage, partitions, run, tasks};
use annals_sql::Db;

use crate::Error;

/// What became of taking up a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopened {
    /// Its partitions can be claimed.
    Running(RunLease),
    /// It has not ended.
    UnderWay,
    /// It went well.
    Succeeded,
    /// A later run read everything that it was to read.
    MadeGood(i64),
    /// All its partitions are done, or it never had any.
    NothingLeft,
    /// Another run of its task holds the lock.
    Locked,
}

/// Lets a run that failed go on with the partitions that are not done, each from its last saved chunk. What it had said
/// when it ended becomes one message.
///
/// # Errors
/// `NotFound`; from the database.
pub async fn reopen(history: &Db, run_id: i64, driver: Driver) -> Result<Reopened, Error> {
    let mut tx = history.begin().await?;
    run::lock(&mut tx, run_id).await?;
    let run = run::get(&mut tx, run_id).await?;
    if run.status.is_none() {
        return Ok(Reopened::UnderWay);
    }
    if !has_failed(&run) {
        return Ok(Reopened::Succeeded);
    }
    if let Some(later) = made_good_by(&mut tx, &run).await? {
        return Ok(Reopened::MadeGood(later));
    }
    if partitions::reopen(&mut tx, run_id).await? == 0 {
        return Ok(Reopened::NothingLeft);
    }
    if !tasks::lock(&mut tx, &run.task, run_id).await? {
        return Ok(Reopened::Locked);
    }
    let Some(lease) = driver::reopen(&mut tx, &run, driver).await? else { return Ok(Reopened::UnderWay) };
    let ended_with: Vec<String> = run::forget_errors(&mut tx, run_id).await?;
    let text = format!("It was resumed. Before, it had ended with: {}", ended_with.join(" "));
    run::add_messages(&mut tx, run_id, &[RunMessage { status: TaskStatus::Success, text }]).await?;
    tx.commit().await?;
    Ok(Reopened::Running(lease))
}
