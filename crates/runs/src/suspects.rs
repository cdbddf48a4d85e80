//! Objects that may have killed the worker that had them in hand.
//!
//! When a worker has died, the objects of the chunks that it may have been at are suspects. Whoever works on them next
//! notes beforehand which of them are in hand: another death then is theirs alone. That way few deaths tell one object
//! out of thousands, and a run without a death writes nothing here.

use std::collections::HashMap;

use annals_model::{ObjectType, PartitionLease};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Row, Stmt, Tx};

use crate::text::storable;
use crate::{Error, Objects, Result, partitions};

const BLAME_IN_HAND: Stmt = Stmt::new(
    "runs.suspects_blame_in_hand",
    "update annals_suspect set deaths = deaths + 1, in_hand_run = null, in_hand_partition = null
     where in_hand_run = ? and in_hand_partition = ?",
);
/// What a worker may have been at: see [`AT_WORK_CHUNKS`]. No partition has so many small chunks at a time that these are
/// too few.
const AT_WORK: Stmt = Stmt::new(
    "runs.suspects_at_work",
    "select object_type, objects, object_count from annals_partition_chunk
     where run_id = ? and partition_no = ? and kind <> 'deleted' and chunk_no >= coalesce(
       (select max(seq) from annals_request_state where run_id = ? and partition_no = ?), 0)
     order by chunk_no limit 64",
);
const TASK: Stmt = Stmt::new("runs.suspects_task", "select task from annals_run where id = ?");
const OF_RUN: Stmt = Stmt::new(
    "runs.suspects_of_run",
    "select object_type, object_id, deaths from annals_suspect
     where task = (select task from annals_run where id = ?)",
);
const TAKE_IN_HAND: Stmt = Stmt::new(
    "runs.suspects_take_in_hand",
    "update annals_suspect set in_hand_run = ?, in_hand_partition = ?
     where task = (select task from annals_run where id = ?) and object_type = ? and object_id {in}",
);
const PUT_DOWN: Stmt = Stmt::new(
    "runs.suspects_put_down",
    "update annals_suspect set in_hand_run = null, in_hand_partition = null
     where in_hand_run = ? and in_hand_partition = ?",
);
const ACQUIT: Stmt = Stmt::new(
    "runs.suspects_acquit",
    "delete from annals_suspect where task = ? and object_type = ? and object_id {in}",
);
const ACQUIT_ALL: Stmt = Stmt::new("runs.suspects_acquit_all", "delete from annals_suspect where task = ?");
pub(crate) const STATEMENTS: &[Stmt] =
    &[BLAME_IN_HAND, AT_WORK, TASK, OF_RUN, TAKE_IN_HAND, PUT_DOWN, ACQUIT, ACQUIT_ALL];

/// A worker reads one delivery's worth while one is being written and another waits: any of them may have killed it. Large
/// chunks are several deliveries, of small ones several go out together: so many chunks, or so many objects, were at hand.
const AT_WORK_CHUNKS: usize = 3;
const AT_WORK_OBJECTS: i64 = 1_500;

/// Suspects of a run's task, with how many workers died while they may have been in hand.
pub type Suspects = HashMap<(ObjectType, String), u32>;

/// Notes that the owner of a partition died: what it had in hand by its own note has one death more; else the objects of
/// the chunks that it may have been at are suspects from now on.
///
/// # Errors
/// From the database.
pub async fn note_death(tx: &mut Tx, run_id: i64, partition: i32) -> Result<()> {
    if tx.execute(&BLAME_IN_HAND, vec![run_id.into(), partition.into()]).await? > 0 {
        return Ok(());
    }
    let task = tx.fetch_one(&TASK, vec![run_id.into()]).await?.required_text(0)?.to_owned();
    let params = vec![run_id.into(), partition.into(), run_id.into(), partition.into()];
    let mut suspects: Vec<(ObjectType, String)> = Vec::new();
    let mut objects_before = 0;
    for (number, row) in tx.fetch_all(&AT_WORK, params).await?.iter().enumerate() {
        if number >= AT_WORK_CHUNKS && objects_before >= AT_WORK_OBJECTS {
            break;
        }
        objects_before += row.required_int(2)?;
        let object_type = object_type(row, "annals_partition_chunk")?;
        let objects: Objects = serde_json::from_str(row.required_text(1)?)
            .map_err(|e| Error::json("annals_partition_chunk", format!("objects of run {run_id}"), e))?;
        if let Objects::Ids(ids) = objects {
            suspects.extend(ids.into_iter().map(|id| (object_type, storable(&id))));
        }
    }
    suspects.sort();
    // One statement must not touch a row twice.
    suspects.dedup();
    let n = suspects.len();
    let text = |value: &dyn Fn(&(ObjectType, String)) -> String| {
        ColumnData::Text(suspects.iter().map(|suspect| Some(value(suspect))).collect())
    };
    let batch = Batch::new(vec![
        Column { name: "task", data: ColumnData::Text(vec![Some(task); n]) },
        Column { name: "object_type", data: text(&|(object_type, _)| object_type.as_str().to_owned()) },
        Column { name: "object_id", data: text(&|(_, id)| id.clone()) },
        Column { name: "deaths", data: ColumnData::Int(vec![Some(1); n]) },
    ]);
    // A suspect would have been noted as in hand: it was not.
    Ok(tx.insert("annals_suspect", batch, OnConflict::Ignore).await?)
}

/// The suspects of a run's task.
///
/// # Errors
/// From the database.
pub async fn of_run(tx: &mut Tx, run_id: i64) -> Result<Suspects> {
    let rows = tx.fetch_all(&OF_RUN, vec![run_id.into()]).await?;
    rows.iter()
        .map(|row| {
            let deaths = u32::try_from(row.required_int(2)?).unwrap_or(u32::MAX);
            Ok(((object_type(row, "annals_suspect")?, row.required_text(1)?.to_owned()), deaths))
        })
        .collect()
}

/// Notes what the owner of a partition has in hand from now on, and nothing else.
///
/// # Errors
/// `StaleLease` when the partition has another owner: roll back. From the database.
pub async fn take_in_hand(
    tx: &mut Tx,
    lease: &PartitionLease,
    object_type: ObjectType,
    ids: &[String],
) -> Result<()> {
    put_down(tx, lease).await?;
    let params = vec![
        lease.run_id.into(),
        lease.partition.into(),
        lease.run_id.into(),
        object_type.as_str().into(),
        ids.to_vec().into(),
    ];
    tx.execute(&TAKE_IN_HAND, params).await?;
    Ok(())
}

/// Notes that the owner of a partition has no suspect in hand.
///
/// # Errors
/// `StaleLease` when the partition has another owner: roll back, the note is that one's. From the database.
pub async fn put_down(tx: &mut Tx, lease: &PartitionLease) -> Result<()> {
    partitions::check(tx, lease).await?;
    tx.execute(&PUT_DOWN, vec![lease.run_id.into(), lease.partition.into()]).await?;
    Ok(())
}

/// Objects that are suspects no longer.
///
/// # Errors
/// From the database.
pub async fn acquit(tx: &mut Tx, task: &str, object_type: ObjectType, ids: &[String]) -> Result<()> {
    tx.execute(&ACQUIT, vec![task.into(), object_type.as_str().into(), ids.to_vec().into()]).await?;
    Ok(())
}

/// A run came to a good end: none of the task's objects is a suspect any more.
///
/// # Errors
/// From the database.
pub async fn acquit_all(tx: &mut Tx, task: &str) -> Result<()> {
    tx.execute(&ACQUIT_ALL, vec![task.into()]).await?;
    Ok(())
}

fn object_type(row: &Row, table: &'static str) -> Result<ObjectType> {
    row.required_text(0)?.parse().map_err(|e| Error::unreadable(table, format!("object_type: {e}")))
}
