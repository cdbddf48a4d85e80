//! What to do about a run that failed, and which later one made it good.

use annals_model::TaskStatus;
use annals_sql::{Stmt, Tx};

use crate::driver::Standing;
use crate::run::Run;
use crate::{Result, RunState};

const MADE_GOOD: Stmt = Stmt::new(
    "runs.made_good",
    "select min(id) from annals_run where task = ? and id > ? and status in ('success', 'warning')
       and (follows = ? or (scope is null and coalesce(since_date, -1) <= ?))",
);
pub(crate) const STATEMENTS: &[Stmt] = &[MADE_GOOD];

/// A since date before which no run begins.
const NEVER: i64 = -2;

/// Whether a run has ended, and failed.
#[must_use]
pub fn has_failed(run: &Run) -> bool {
    run.state == RunState::Ended && matches!(run.status, Some(TaskStatus::Error | TaskStatus::Terminated))
}

/// The first later run that ended well and read everything that this one was to read: one that executed it again, or one
/// of the same task that began from the same named timestamp.
///
/// # Errors
/// From the database.
pub async fn made_good_by(tx: &mut Tx, run: &Run) -> Result<Option<i64>> {
    // Single objects are not what a run of the whole task reads, changed or not.
    let since_ms = if run.scope.is_some() { NEVER } else { run.since_ms.unwrap_or(-1) };
    let params = vec![run.task.as_str().into(), run.id.into(), run.id.into(), since_ms.into()];
    Ok(tx.fetch_one(&MADE_GOOD, params).await?.int(0)?)
}

/// What to do about a run; nothing about one that is under way or went well.
#[must_use]
pub fn advice(run: &Run, standing: Standing, made_good_by: Option<i64>) -> Option<String> {
    let (id, left) = (run.id, standing.open + standing.failed);
    if run.state != RunState::Ended {
        let text = format!(
            "No process drives it: `annals runs resume {id}` goes on with it, as does the next `annals run`."
        );
        return standing.orphaned.then_some(text);
    }
    if !has_failed(run) {
        return None;
    }
    Some(match made_good_by {
        Some(later) => format!("Nothing: run {later} made it good."),
        None if run.result.as_deref() == Some("LockTimeout") => {
            "Nothing is lost: execute the task when the run that is under way has ended.".to_owned()
        }
        None if left > 0 => format!(
            "Mend what its messages say. `annals runs resume {id}` goes on with the {left} partitions that are not done; the next run of the task reads what they hold, too."
        ),
        None => format!(
            "Mend what its messages say. The next run of the task reads the same objects again; `annals runs rerun {id}` does so now."
        ),
    })
}
