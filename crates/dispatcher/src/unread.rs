//! Runs whose source could not even be opened.

use annals_config::Config;
use annals_config::task::Task;
use annals_model::{Counters, TaskStatus, error_chain};
use annals_runs::{NewRun, RunMessage, Trigger, config_version, run, tasks, timestamp};
use annals_sql::{Db, ErrorKind};

use crate::Error;

/// Records a run that ended before it began, so that nobody has to wonder why there was none. Its result is
/// `NoInitialToken` where the source refused the user, `NotPrimaryNode` where it is a replica that is not to be read, else
/// `Failure` (BRV-14); its number.
///
/// # Errors
/// From the history database.
pub async fn record_unread(
    history: &Db,
    config: &Config,
    task: &Task,
    trigger: Trigger,
    host: &str,
    why: &(dyn std::error::Error + Send + Sync + 'static),
) -> Result<i64, Error> {
    let mut tx = history.begin().await?;
    tasks::ensure(&mut tx, &task.name, &task.extract_configuration).await?;
    let since_ms = timestamp::get(&mut tx, &task.name).await?;
    let new = NewRun {
        task: task.name.clone(),
        trigger,
        host: host.to_owned(),
        config_version: config_version::record(&mut tx, &config.snapshot).await?,
        since_ms,
        // It has read no further than the one before it.
        horizon_ms: since_ms.unwrap_or_default(),
        scope: None,
        follows: None,
        driver: None,
    };
    let run_id = run::begin(&mut tx, &new).await?.run_id;
    let message = RunMessage { status: TaskStatus::Error, text: error_chain(why) };
    run::add_messages(&mut tx, run_id, &[message]).await?;
    let result = match why.downcast_ref() {
        Some(Error::NotPrimary(_)) => "NotPrimaryNode",
        _ if is_refused(why) => "NoInitialToken",
        _ => "Failure",
    };
    let (nothing, counters) = (serde_json::Value::Null, Counters::default());
    run::end(&mut tx, run_id, TaskStatus::Error, result, &counters, &nothing).await?;
    tx.commit().await?;
    Ok(run_id)
}

/// Whether a database refused user, password or right.
fn is_refused(why: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(why), |error| error.source())
        .filter_map(|error| error.downcast_ref::<annals_sql::Error>())
        .any(|error| error.kind() == ErrorKind::Denied)
}
