//! Parked messages: not written, and waiting to be delivered again (IIQ-57).

use annals_sql::{Stmt, Tx};

use crate::Result;
use crate::dead::{DeadLetter, LetterFilter, StoredLetter, insert_params, read};

const INSERT: Stmt = Stmt::new(
    "runs.parked_insert",
    "insert into annals_parked_message
       (id, run_id, partition_no, source, object_type, object_id, reason, message, name, occurred_date, observed_date,
        attempts, created, due)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {now_ms}, {now_ms} + ?)
     on conflict (id) do nothing",
);
const DUE: Stmt = Stmt::new(
    "runs.parked_due",
    "select id, run_id, partition_no, source, object_type, object_id, created, reason, message, name, occurred_date,
        observed_date, attempts
     from annals_parked_message where due <= {now_ms}
     order by source, object_type, object_id, observed_date, occurred_date, id limit ?",
);
const LIST: Stmt = Stmt::new(
    "runs.parked_list",
    "select id, run_id, partition_no, source, object_type, object_id, created, reason, message, name, occurred_date,
        observed_date, attempts
     from annals_parked_message
     where object_type = coalesce(?, object_type) and coalesce(run_id, -1) = coalesce(?, run_id, -1)
        and (object_id = coalesce(?, object_id) or upper(name) = upper(?))
     order by source, object_type, object_id, observed_date, occurred_date, id limit ?",
);
const DELETE: Stmt =
    Stmt::new("runs.parked_delete", "delete from annals_parked_message where id = ? and attempts = ?");
const AGAIN: Stmt = Stmt::new(
    "runs.parked_again",
    "update annals_parked_message set attempts = attempts + 1, due = {now_ms} + ?, reason = ?
     where id = ? and attempts = ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[INSERT, DUE, LIST, DELETE, AGAIN];

/// Parks a message for so long; one that is parked already stays as it is.
///
/// # Errors
/// From the database.
pub async fn park(tx: &mut Tx, from: Option<(i64, i32)>, letter: &DeadLetter, delay_ms: i64) -> Result<()> {
    let mut params = insert_params(from, letter);
    params.push(delay_ms.into());
    tx.execute(&INSERT, params).await?;
    Ok(())
}

/// Messages whose time has come, those of one object in the order in which they were read; at most so many.
///
/// # Errors
/// From the database.
pub async fn due(tx: &mut Tx, limit: u32) -> Result<Vec<StoredLetter>> {
    let rows = tx.fetch_all(&DUE, vec![limit.into()]).await?;
    rows.iter().map(|row| read(row, "annals_parked_message")).collect()
}

/// Parked messages by filter, in the same order.
///
/// # Errors
/// From the database.
pub async fn list(tx: &mut Tx, filter: &LetterFilter, limit: u32) -> Result<Vec<StoredLetter>> {
    let mut params = filter.params();
    params.push(limit.into());
    let rows = tx.fetch_all(&LIST, params).await?;
    rows.iter().map(|row| read(row, "annals_parked_message")).collect()
}

/// Takes a message as it was read out of the parked ones; whether nobody else has delivered it meanwhile.
///
/// # Errors
/// From the database.
pub async fn remove(tx: &mut Tx, letter: &DeadLetter) -> Result<bool> {
    let params = vec![letter.id.as_str().into(), letter.attempts.into()];
    Ok(tx.execute(&DELETE, params).await? > 0)
}

/// Parks a message once more, for a reason of its own; whether nobody else has delivered it meanwhile.
///
/// # Errors
/// From the database.
pub async fn again(tx: &mut Tx, letter: &DeadLetter, delay_ms: i64, reason: &str) -> Result<bool> {
    let params = vec![
        delay_ms.into(),
        crate::text::storable(reason).into(),
        letter.id.as_str().into(),
        letter.attempts.into(),
    ];
    Ok(tx.execute(&AGAIN, params).await? > 0)
}
