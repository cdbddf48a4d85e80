//! Dead letters: messages that were given up, kept whole, and what was done with them (IIQ-58, IIQ-59).

use annals_model::{ObjectKey, ObjectType, PartitionLease};
use annals_sql::{Row, Stmt, Tx, Value};

use crate::text::storable;
use crate::{Error, Result};

const INSERT: Stmt = Stmt::new(
    "runs.dead_insert",
    "insert into annals_dead_letter
       (id, run_id, partition_no, source, object_type, object_id, created, reason, message, name, occurred_date,
        observed_date, attempts)
     values (?, ?, ?, ?, ?, ?, {now_ms}, ?, ?, ?, ?, ?, ?)
     on conflict (id) do nothing",
);
const LIST: Stmt = Stmt::new(
    "runs.dead_list",
    "select id, run_id, partition_no, source, object_type, object_id, created, reason, message, name, occurred_date,
        observed_date, attempts
     from annals_dead_letter
     where object_type = coalesce(?, object_type) and coalesce(run_id, -1) = coalesce(?, run_id, -1)
        and (object_id = coalesce(?, object_id) or upper(name) = upper(?))
     order by source, object_type, object_id, coalesce(observed_date, created), occurred_date, id limit ?",
);
const GET: Stmt = Stmt::new(
    "runs.dead_get",
    "select id, run_id, partition_no, source, object_type, object_id, created, reason, message, name, occurred_date,
        observed_date, attempts
     from annals_dead_letter where id {in}
     order by source, object_type, object_id, coalesce(observed_date, created), occurred_date, id",
);
const DELETE: Stmt = Stmt::new("runs.dead_delete", "delete from annals_dead_letter where id = ?");
const ACT: Stmt = Stmt::new(
    "runs.dead_act",
    "insert into annals_dead_letter_act
       (letter_id, act, outcome, reason, actor, acted, source, object_type, object_id, letter_reason)
     values (?, ?, ?, ?, ?, {now_ms}, ?, ?, ?, ?)",
);
const ACTS: Stmt = Stmt::new(
    "runs.dead_acts",
    "select act, outcome, reason, actor, acted, letter_reason from annals_dead_letter_act
     where letter_id = ? order by acted, id",
);
pub(crate) const STATEMENTS: &[Stmt] = &[INSERT, LIST, GET, DELETE, ACT, ACTS];

/// A message that was given up, or waits to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id; the same letter twice is one.
    pub id: String,
    /// Which object.
    pub key: ObjectKey,
    /// The object's name.
    pub name: String,
    /// When its state came about, epoch milliseconds.
    pub occurred_ms: i64,
    /// The source's time when that was read.
    pub observed_ms: i64,
    /// How often it was delivered.
    pub attempts: u32,
    /// Why it was not written, without captured values.
    pub reason: String,
    /// The message, compressed by the writer.
    pub message: Vec<u8>,
}

/// A letter as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLetter {
    /// The letter.
    pub letter: DeadLetter,
    /// The run that brought it, and its partition.
    pub from: Option<(i64, i32)>,
    /// When it was put there, epoch milliseconds of the database's clock.
    pub created_ms: i64,
}

/// Which letters are meant; all that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LetterFilter {
    /// Of this object type.
    pub object_type: Option<ObjectType>,
    /// Of the object with this id or, without case, name.
    pub object: Option<String>,
    /// Brought by this run.
    pub run_id: Option<i64>,
}

impl LetterFilter {
    /// The four parameters of the statements that list letters.
    pub(crate) fn params(&self) -> Vec<Value> {
        vec![
            Value::Text(self.object_type.map(|object_type| object_type.as_str().to_owned())),
            Value::Int(self.run_id),
            Value::Text(self.object.clone()),
            Value::Text(self.object.clone()),
        ]
    }
}

/// What is done with a dead letter, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// `redrive` or `discard`.
    pub act: &'static str,
    /// What came of it.
    pub outcome: String,
    /// Why it was done, in the words of who did it.
    pub reason: String,
    /// Who did it.
    pub actor: String,
}

/// An act as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is what Act says it is, or its column's name")]
pub struct StoredAct {
    pub act: String,
    pub outcome: String,
    pub reason: String,
    pub actor: String,
    pub acted_ms: i64,
    pub letter_reason: String,
}

/// Keeps a dead letter; whether it was not there yet.
///
/// # Errors
/// From the database.
pub async fn keep(tx: &mut Tx, from: Option<(i64, i32)>, letter: &DeadLetter) -> Result<bool> {
    Ok(tx.execute(&INSERT, insert_params(from, letter)).await? > 0)
}

/// The run and partition of a lease.
#[must_use]
pub fn from(lease: &PartitionLease) -> Option<(i64, i32)> {
    Some((lease.run_id, lease.partition))
}

/// The parameters of an insert, in the order of the columns that both tables of letters have.
pub(crate) fn insert_params(from: Option<(i64, i32)>, letter: &DeadLetter) -> Vec<Value> {
    vec![
        letter.id.as_str().into(),
        Value::Int(from.map(|(run_id, _)| run_id)),
        Value::Int(from.map(|(_, partition)| partition.into())),
        letter.key.source.as_ref().into(),
        letter.key.object_type.as_str().into(),
        storable(&letter.key.object_id).into(),
        storable(&letter.reason).into(),
        letter.message.clone().into(),
        storable(&letter.name).into(),
        letter.occurred_ms.into(),
        letter.observed_ms.into(),
        letter.attempts.into(),
    ]
}

/// Letters by filter, those of one object in the order in which they were read; at most so many.
///
/// # Errors
/// From the database.
pub async fn list(tx: &mut Tx, filter: &LetterFilter, limit: u32) -> Result<Vec<StoredLetter>> {
    let mut params = filter.params();
    params.push(limit.into());
    let rows = tx.fetch_all(&LIST, params).await?;
    rows.iter().map(|row| read(row, "annals_dead_letter")).collect()
}

/// Those of these letters that there are, in the same order.
///
/// # Errors
/// From the database.
pub async fn get(tx: &mut Tx, ids: &[String]) -> Result<Vec<StoredLetter>> {
    let rows = tx.fetch_all(&GET, vec![ids.to_vec().into()]).await?;
    rows.iter().map(|row| read(row, "annals_dead_letter")).collect()
}

/// Takes a letter away; whether it was there.
///
/// # Errors
/// From the database.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<bool> {
    Ok(tx.execute(&DELETE, vec![id.into()]).await? > 0)
}

/// Notes what was done with a letter.
///
/// # Errors
/// From the database.
pub async fn note(tx: &mut Tx, letter: &DeadLetter, act: &Act) -> Result<()> {
    let params = vec![
        letter.id.as_str().into(),
        act.act.into(),
        storable(&act.outcome).into(),
        storable(&act.reason).into(),
        storable(&act.actor).into(),
        letter.key.source.as_ref().into(),
        letter.key.object_type.as_str().into(),
        storable(&letter.key.object_id).into(),
        letter.reason.as_str().into(),
    ];
    tx.execute(&ACT, params).await?;
    Ok(())
}

/// What was done with a letter, which may be gone.
///
/// # Errors
/// From the database.
pub async fn acts(tx: &mut Tx, letter_id: &str) -> Result<Vec<StoredAct>> {
    let rows = tx.fetch_all(&ACTS, vec![letter_id.into()]).await?;
    rows.iter()
        .map(|row| {
            let text = |index| row.required_text(index).map(str::to_owned);
            Ok(StoredAct {
                act: text(0)?,
                outcome: text(1)?,
                reason: text(2)?,
                actor: text(3)?,
                acted_ms: row.required_int(4)?,
                letter_reason: text(5)?,
            })
        })
        .collect()
}

/// Reads the columns that both tables of letters have.
pub(crate) fn read(row: &Row, table: &'static str) -> Result<StoredLetter> {
    let id = row.required_text(0)?.to_owned();
    let unreadable = |what: &str| Error::unreadable(table, format!("{what} of {id}"));
    let from = match (row.int(1)?, row.int(2)?) {
        (Some(run_id), Some(partition)) => {
            Some((run_id, i32::try_from(partition).map_err(|_| unreadable("partition_no"))?))
        }
        _ => None,
    };
    let key = ObjectKey {
        source: row.required_text(3)?.into(),
        object_type: row.required_text(4)?.parse().map_err(|_| unreadable("object_type"))?,
        object_id: row.required_text(5)?.to_owned(),
    };
    let created_ms = row.required_int(6)?;
    Ok(StoredLetter {
        from,
        created_ms,
        letter: DeadLetter {
            name: row.text(9)?.unwrap_or(&key.object_id).to_owned(),
            key,
            reason: row.required_text(7)?.to_owned(),
            message: row.bytes(8)?.unwrap_or_default().to_vec(),
            occurred_ms: row.int(10)?.unwrap_or(created_ms),
            observed_ms: row.int(11)?.unwrap_or(created_ms),
            attempts: u32::try_from(row.int(12)?.unwrap_or(1)).map_err(|_| unreadable("attempts"))?,
            id,
        },
    })
}
