//! Removes what runs leave that nobody needs any more, once a day, by whichever host finishes a run first.

use annals_model::error_chain;
use annals_runs::clean_up;
use annals_sql::Db;

/// Milliseconds of a day: so often it is done.
const DAY_MS: i64 = 86_400_000;

/// Cleans up where nobody has for a day. What goes wrong is logged and stands in `annals doctor`: no run fails of it.
pub(crate) async fn when_due(history: &Db, run_details_days: Option<u32>) {
    let Some(days) = run_details_days else { return };
    match now(history, DAY_MS, days).await {
        Ok(Some(0) | None) => {}
        Ok(Some(runs)) => {
            tracing::info!("the partitions of {runs} runs that ended {days} days ago were removed")
        }
        Err(error) => {
            tracing::error!("runs of long ago cannot be cleaned up: {}", error_chain(&error));
        }
    }
}

/// Cleans up, unless somebody has begun to within this time; of how many runs.
///
/// # Errors
/// From the history database; what was removed so far stays so.
pub(crate) async fn now(history: &Db, unless_within_ms: i64, days: u32) -> annals_runs::Result<Option<u64>> {
    let mut tx = history.begin().await?;
    let claimed = clean_up::claim(&mut tx, unless_within_ms).await?;
    tx.commit().await?;
    if !claimed {
        return Ok(None);
    }
    let removed = remove(history, i64::from(days) * DAY_MS).await;
    let error = removed.as_ref().err().map(|error| error_chain(error));
    let mut tx = history.begin().await?;
    clean_up::end(&mut tx, error.as_deref()).await?;
    tx.commit().await?;
    removed.map(Some)
}

async fn remove(history: &Db, older_ms: i64) -> annals_runs::Result<u64> {
    let mut removed = 0;
    loop {
        let mut tx = history.begin().await?;
        let some = clean_up::remove_some(&mut tx, older_ms).await?;
        tx.commit().await?;
        if some == 0 {
            return Ok(removed);
        }
        removed += some;
    }
}
