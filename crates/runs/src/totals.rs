//! What has ended, added up: the end of a run adds to it, so that nobody has to go through all runs there ever were.

use annals_sql::{Stmt, Tx};

use crate::Result;

const ADD: Stmt = Stmt::new(
    "runs.totals_add",
    "insert into annals_run_total (task, status, result, runs, full_captures, patch_captures, deleted, duplicates,
       unchanged, failed)
     select r.task, coalesce(r.status, ''), coalesce(r.result, ''), 1, coalesce(sum(w.full_captures), 0),
       coalesce(sum(w.patch_captures), 0), coalesce(sum(w.deleted), 0), coalesce(sum(w.duplicates), 0),
       coalesce(sum(w.unchanged), 0), (select count(*) from annals_run_failure f where f.run_id = r.id)
     from annals_run r left join annals_run_write w on w.run_id = r.id
     where r.id = ? group by r.id, r.task, r.status, r.result
     on conflict (task, status, result) do update set
       runs = annals_run_total.runs + 1,
       full_captures = annals_run_total.full_captures + excluded.full_captures,
       patch_captures = annals_run_total.patch_captures + excluded.patch_captures,
       deleted = annals_run_total.deleted + excluded.deleted,
       duplicates = annals_run_total.duplicates + excluded.duplicates,
       unchanged = annals_run_total.unchanged + excluded.unchanged,
       failed = annals_run_total.failed + excluded.failed",
);
const TAKE_OFF: Stmt = Stmt::new(
    "runs.totals_take_off",
    "update annals_run_total set runs = runs - 1,
       full_captures = full_captures
         - coalesce((select sum(w.full_captures) from annals_run_write w where w.run_id = ?), 0),
       patch_captures = patch_captures
         - coalesce((select sum(w.patch_captures) from annals_run_write w where w.run_id = ?), 0),
       deleted = deleted - coalesce((select sum(w.deleted) from annals_run_write w where w.run_id = ?), 0),
       duplicates = duplicates - coalesce((select sum(w.duplicates) from annals_run_write w where w.run_id = ?), 0),
       unchanged = unchanged - coalesce((select sum(w.unchanged) from annals_run_write w where w.run_id = ?), 0),
       failed = failed - (select count(*) from annals_run_failure f where f.run_id = ?)
     where (task, status, result) =
       (select r.task, coalesce(r.status, ''), coalesce(r.result, '') from annals_run r
        where r.id = ? and r.state = 'ended')",
);
pub(crate) const STATEMENTS: &[Stmt] = &[ADD, TAKE_OFF];

/// Adds a run that has just ended.
pub(crate) async fn add(tx: &mut Tx, run_id: i64) -> Result<()> {
    tx.execute(&ADD, vec![run_id.into()]).await?;
    Ok(())
}

/// Takes a run off that is about to be taken up again. Whoever does so holds its row.
pub(crate) async fn take_off(tx: &mut Tx, run_id: i64) -> Result<()> {
    tx.execute(&TAKE_OFF, vec![run_id.into(); 7]).await?;
    Ok(())
}
