//! Dead letters: messages that were given up, kept whole.

use annals_model::{ObjectKey, PartitionLease};
use annals_sql::{Stmt, Tx};

use crate::Result;
use crate::text::storable;

const INSERT: Stmt = Stmt::new(
    "runs.dead_insert",
    "insert into annals_dead_letter
       (id, run_id, partition_no, source, object_type, object_id, created, reason, message)
     values (?, ?, ?, ?, ?, ?, {now_ms}, ?, ?)
     on conflict (id) do nothing",
);
pub(crate) const STATEMENTS: &[Stmt] = &[INSERT];

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id; the same letter twice is one.
    pub id: String,
    /// Which object.
    pub key: ObjectKey,
    /// Why, without captured values.
    pub reason: String,
    /// The message, compressed by the writer.
    pub message: Vec<u8>,
}

/// Keeps a dead letter.
///
/// # Errors
/// From the database.
pub async fn keep(tx: &mut Tx, lease: &PartitionLease, letter: DeadLetter) -> Result<()> {
    let params = vec![
        letter.id.into(),
        lease.run_id.into(),
        lease.partition.into(),
        letter.key.source.as_ref().into(),
        letter.key.object_type.as_str().into(),
        storable(&letter.key.object_id).into(),
        storable(&letter.reason).into(),
        letter.message.into(),
    ];
    tx.execute(&INSERT, params).await?;
    Ok(())
}
