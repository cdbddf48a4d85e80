//! Partitions and chunks: shares of a run, and the units of checkpointing within them.

use annals_model::{ObjectType, PartitionLease};
use annals_sql::fault::{Defect, defect};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Row, Stmt, Tx, Value};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const CLAIMABLE: Stmt = Stmt::new(
    "runs.partition_claimable",
    "select p.run_id, p.partition_no, p.lease_epoch, p.state from annals_partition p
     where p.run_id = ? and (p.state = 'pending' or (p.state = 'leased' and p.lease_until < {now_ms}))
     order by p.partition_no limit 1 {skip_locked}",
);
const CLAIM: Stmt = Stmt::new(
    "runs.partition_claim",
    "update annals_partition set state = 'leased', lease_epoch = ?, leased_by = ?, lease_until = {now_ms} + ?,
       deliveries = 0, parked_captures = 0, parked_deletions = 0
     where run_id = ? and partition_no = ? and lease_epoch = ?",
);
const RENEW: Stmt = Stmt::new(
    "runs.partition_renew",
    "update annals_partition set lease_until = {now_ms} + ?
     where run_id = ? and partition_no = ? and lease_epoch = ? and state <> 'pending'",
);
/// Changes nothing, and holds the row until the transaction ends.
const CHECK: Stmt = Stmt::new(
    "runs.partition_check",
    "update annals_partition set lease_epoch = lease_epoch
     where run_id = ? and partition_no = ? and lease_epoch = ? and state = 'leased'",
);
const RELEASE: Stmt = Stmt::new(
    "runs.partition_release",
    "update annals_partition set state = ?, leased_by = null, lease_until = null
     where run_id = ? and partition_no = ? and lease_epoch = ? and state = 'leased'",
);
const CHUNKS: Stmt = Stmt::new(
    "runs.chunks",
    "select chunk_no, object_type, kind, object_count from annals_partition_chunk
     where run_id = ? and partition_no = ? and chunk_no >= ? order by chunk_no",
);
const CHUNK_OBJECTS: Stmt = Stmt::new(
    "runs.chunk_objects",
    "select objects from annals_partition_chunk where run_id = ? and partition_no = ? and chunk_no = ?",
);
const OPEN: Stmt = Stmt::new(
    "runs.partition_open",
    "select count(*) from annals_partition where run_id = ? and state in ('pending', 'leased')",
);
const LIST: Stmt = Stmt::new(
    "runs.partition_list",
    "select p.partition_no, p.object_count, p.state, p.lease_epoch, p.leased_by, p.lease_until - {now_ms},
       (select count(*) from annals_partition_chunk c where c.run_id = p.run_id and c.partition_no = p.partition_no),
       (select coalesce(max(s.seq), 0) from annals_request_state s
        where s.run_id = p.run_id and s.partition_no = p.partition_no)
     from annals_partition p where p.run_id = ? order by p.partition_no",
);
const FAILED: Stmt = Stmt::new(
    "runs.partition_failed",
    "select count(*) from annals_partition where run_id = ? and state = 'failed'",
);
const CLOSE: Stmt = Stmt::new(
    "runs.partition_close",
    "update annals_partition set state = 'failed', lease_epoch = lease_epoch + 1, leased_by = null, lease_until = null
     where run_id = ? and state in ('pending', 'leased')",
);
const REOPEN: Stmt = Stmt::new(
    "runs.partition_reopen",
    "update annals_partition set state = 'pending', leased_by = null, lease_until = null
     where run_id = ? and state in ('pending', 'failed')",
);
const BY_TYPE: Stmt = Stmt::new(
    "runs.chunks_by_type",
    "select object_type, kind, cast(sum(object_count) as bigint) from annals_partition_chunk
     where run_id = ? group by object_type, kind",
);
const DELETED_IN_VAIN: Stmt = Stmt::new(
    "runs.chunks_deleted_in_vain",
    "select c.object_type, c.objects from annals_partition_chunk c join annals_run r on r.id = c.run_id
     where r.task = ? and c.kind = 'deleted' and r.status in ('error', 'terminated')
       and r.id > coalesce((select t.run_id from annals_named_timestamp t where t.task = r.task), 0)",
);
pub(crate) const STATEMENTS: &[Stmt] = &[
    DELETED_IN_VAIN,
    CLAIMABLE,
    CLAIM,
    RENEW,
    CHECK,
    RELEASE,
    CHUNKS,
    CHUNK_OBJECTS,
    OPEN,
    FAILED,
    CLOSE,
    REOPEN,
    LIST,
    BY_TYPE,
];

/// Why objects are in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    /// They changed, or were never captured.
    Modified,
    /// They failed before.
    Reattempt,
    /// They are gone.
    Deleted,
}

impl ChunkKind {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Modified => "modified",
            Self::Reattempt => "reattempt",
            Self::Deleted => "deleted",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Modified, Self::Reattempt, Self::Deleted].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// An object that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedObject {
    /// Id.
    pub id: String,
    /// When it was deleted, epoch milliseconds; when that is not known, when it was missed.
    pub at: i64,
    /// The source has an object of this id again, which is another life: this one ended at `at`, and its end comes
    /// before whatever is read now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub came_back: bool,
}

/// The objects of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Objects {
    /// Ids to load.
    Ids(Vec<String>),
    /// Objects that are gone.
    Deleted(Vec<DeletedObject>),
}

impl Objects {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ids(ids) => ids.len(),
            Self::Deleted(deleted) => deleted.len(),
        }
    }

    /// None.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A chunk to store: up to `lossLimit` objects of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// Partition it belongs to, from 0.
    pub partition: i32,
    /// Its place in the partition, from 0.
    pub number: i32,
    /// Object type.
    pub object_type: ObjectType,
    /// Why they are there.
    pub kind: ChunkKind,
    /// Which objects.
    pub objects: Objects,
}

/// A chunk without its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its place in the partition, from 0.
    pub number: i32,
    /// Object type.
    pub object_type: ObjectType,
    /// Why the objects are there.
    pub kind: ChunkKind,
    /// How many objects.
    pub objects: u64,
}

/// A partition that was claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The right to work on it.
    pub lease: PartitionLease,
    /// What its last owner saved (IIQ-08).
    pub state: annals_model::RequestState,
    /// The last owner never gave it back: its lease ran out.
    pub taken_over: bool,
}

/// A partition as people look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number in its run, from 0.
    pub number: i32,
    /// Objects in it.
    pub objects: i64,
    /// `pending`, `leased`, `done` or `failed`.
    pub state: String,
    /// How often it was claimed.
    pub epoch: i64,
    /// Who works on it.
    pub leased_by: Option<String>,
    /// How long its lease lasts without a heartbeat, milliseconds; below 0: it ran out.
    pub lease_left_ms: Option<i64>,
    /// Its chunks.
    pub chunks: i64,
    /// Those that are done, from the first one on.
    pub chunks_done: i64,
}

/// Stores the partitions of a run: how many objects each has.
///
/// # Errors
/// From the database.
pub async fn insert(tx: &mut Tx, run_id: i64, object_counts: &[u64]) -> Result<()> {
    let n = object_counts.len();
    let batch = Batch::new(vec![
        Column { name: "run_id", data: ColumnData::Int(vec![Some(run_id); n]) },
        Column { name: "partition_no", data: ColumnData::Int((0..).take(n).map(Some).collect()) },
        Column {
            name: "object_count",
            data: ColumnData::Int(object_counts.iter().map(|count| i64::try_from(*count).ok()).collect()),
        },
        Column { name: "state", data: ColumnData::Text(vec![Some("pending".to_owned()); n]) },
        Column { name: "lease_epoch", data: ColumnData::Int(vec![Some(0); n]) },
    ]);
    Ok(tx.insert("annals_partition", batch, OnConflict::Fail).await?)
}

/// Stores chunks.
///
/// # Errors
/// From the database.
pub async fn insert_chunks(tx: &mut Tx, run_id: i64, chunks: &[NewChunk]) -> Result<()> {
    let n = chunks.len();
    let int =
        |value: &dyn Fn(&NewChunk) -> i64| ColumnData::Int(chunks.iter().map(|c| Some(value(c))).collect());
    let texts = chunks
        .iter()
        .map(|chunk| {
            serde_json::to_string(&chunk.objects)
                .map(Some)
                .map_err(|e| Error::json("annals_partition_chunk", "objects", e))
        })
        .collect::<Result<Vec<_>>>()?;
    let batch = Batch::new(vec![
        Column { name: "run_id", data: ColumnData::Int(vec![Some(run_id); n]) },
        Column { name: "partition_no", data: int(&|c| c.partition.into()) },
        Column { name: "chunk_no", data: int(&|c| c.number.into()) },
        Column {
            name: "object_type",
            data: ColumnData::Text(chunks.iter().map(|c| Some(c.object_type.as_str().to_owned())).collect()),
        },
        Column {
            name: "kind",
            data: ColumnData::Text(chunks.iter().map(|c| Some(c.kind.as_str().to_owned())).collect()),
        },
        Column { name: "object_count", data: int(&|c| i64::try_from(c.objects.len()).unwrap_or(i64::MAX)) },
        Column { name: "objects", data: ColumnData::Text(texts) },
    ]);
    Ok(tx.insert("annals_partition_chunk", batch, OnConflict::Fail).await?)
}

/// Claims a partition of a run that nobody works on, or whose lease ran out, under a new epoch.
///
/// # Errors
/// From the database.
pub async fn claim(tx: &mut Tx, run_id: i64, worker: &str, lease_ms: i64) -> Result<Option<Claimed>> {
    let Some(row) = tx.fetch_optional(&CLAIMABLE, vec![run_id.into()]).await? else { return Ok(None) };
    let partition = partition_number(&row, 1)?;
    let held = row.required_int(2)?;
    let lease = PartitionLease { run_id, partition, epoch: held + 1 };
    let params = vec![
        lease.epoch.into(),
        worker.into(),
        lease_ms.into(),
        run_id.into(),
        partition.into(),
        held.into(),
    ];
    if tx.execute(&CLAIM, params).await? != 1 {
        return Ok(None);
    }
    let taken_over = row.required_text(3)? == "leased";
    if taken_over {
        // It was never given back: its owner died, and perhaps of one of its objects.
        crate::suspects::note_death(tx, run_id, partition).await?;
    }
    let state = crate::state::latest(tx, run_id, partition).await?.unwrap_or_default();
    Ok(Some(Claimed { lease, state, taken_over }))
}

/// Says that the owner is alive; `false` when the partition has another owner.
///
/// # Errors
/// From the database.
pub async fn renew(tx: &mut Tx, lease: &PartitionLease, lease_ms: i64) -> Result<bool> {
    let params = vec![lease_ms.into(), lease.run_id.into(), lease.partition.into(), lease.epoch.into()];
    Ok(tx.execute(&RENEW, params).await? == 1)
}

/// Makes sure that the lease holds until the transaction ends.
pub(crate) async fn check(tx: &mut Tx, lease: &PartitionLease) -> Result<()> {
    let params = vec![lease.run_id.into(), lease.partition.into(), lease.epoch.into()];
    fenced(lease, tx.execute(&CHECK, params).await?)
}

/// Gives a partition back, to be claimed again (`pending`) or not (`failed`).
///
/// # Errors
/// `StaleLease` when the partition has another owner or has ended; from the database.
pub async fn release(tx: &mut Tx, lease: &PartitionLease, failed: bool) -> Result<()> {
    let state = if failed { "failed" } else { "pending" };
    let params = vec![state.into(), lease.run_id.into(), lease.partition.into(), lease.epoch.into()];
    fenced(lease, tx.execute(&RELEASE, params).await?)
}

/// The chunks of a partition from one on, without their objects.
///
/// # Errors
/// From the database.
pub async fn chunks(tx: &mut Tx, lease: &PartitionLease, first: u32) -> Result<Vec<Chunk>> {
    let params = vec![lease.run_id.into(), lease.partition.into(), first.into()];
    let rows = tx.fetch_all(&CHUNKS, params).await?;
    rows.iter()
        .map(|row| {
            Ok(Chunk {
                number: partition_number(row, 0)?,
                object_type: row
                    .required_text(1)?
                    .parse()
                    .map_err(|e| Error::unreadable("annals_partition_chunk", format!("object_type: {e}")))?,
                kind: ChunkKind::parse(row.required_text(2)?)
                    .ok_or_else(|| Error::unreadable("annals_partition_chunk", "kind"))?,
                objects: u64::try_from(row.required_int(3)?).unwrap_or_default(),
            })
        })
        .collect()
}

/// The objects of one chunk.
///
/// # Errors
/// From the database.
pub async fn chunk_objects(tx: &mut Tx, lease: &PartitionLease, chunk: i32) -> Result<Objects> {
    let params = vec![lease.run_id.into(), lease.partition.into(), Value::from(chunk)];
    let row = tx.fetch_one(&CHUNK_OBJECTS, params).await?;
    serde_json::from_str(row.required_text(0)?).map_err(|e| {
        let row =
            format!("objects of chunk {chunk} of partition {} of run {}", lease.partition, lease.run_id);
        Error::json("annals_partition_chunk", row, e)
    })
}

/// The ids of objects that runs of a task found to be gone and that failed, since one ended well: their deletion may be
/// written, and what else follows from it may not.
///
/// # Errors
/// From the database.
pub async fn deleted_in_vain(tx: &mut Tx, task: &str) -> Result<Vec<(ObjectType, Vec<DeletedObject>)>> {
    let rows = tx.fetch_all(&DELETED_IN_VAIN, vec![task.into()]).await?;
    rows.iter()
        .map(|row| {
            let object_type = row
                .required_text(0)?
                .parse()
                .map_err(|e| Error::unreadable("annals_partition_chunk", format!("object_type: {e}")))?;
            let deleted = serde_json::from_str(row.required_text(1)?)
                .map_err(|e| Error::json("annals_partition_chunk", "objects", e))?;
            Ok((object_type, deleted))
        })
        .collect()
}

/// How many partitions of a run have not ended.
///
/// # Errors
/// From the database.
pub async fn open(tx: &mut Tx, run_id: i64) -> Result<i64> {
    Ok(tx.fetch_one(&OPEN, vec![run_id.into()]).await?.required_int(0)?)
}

/// How many partitions of a run were given up.
///
/// # Errors
/// From the database.
pub async fn failed(tx: &mut Tx, run_id: i64) -> Result<i64> {
    Ok(tx.fetch_one(&FAILED, vec![run_id.into()]).await?.required_int(0)?)
}

/// Gives up what is left of a run, fencing off whoever works on it; how many partitions.
///
/// # Errors
/// From the database.
pub async fn close(tx: &mut Tx, run_id: i64) -> Result<u64> {
    Ok(tx.execute(&CLOSE, vec![run_id.into()]).await?)
}

/// Lets what was given up be claimed again; how many partitions there are to claim.
///
/// # Errors
/// From the database.
pub async fn reopen(tx: &mut Tx, run_id: i64) -> Result<u64> {
    Ok(tx.execute(&REOPEN, vec![run_id.into()]).await?)
}

/// The partitions of a run.
///
/// # Errors
/// From the database.
pub async fn list(tx: &mut Tx, run_id: i64) -> Result<Vec<Partition>> {
    let rows = tx.fetch_all(&LIST, vec![run_id.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Partition {
                number: partition_number(row, 0)?,
                objects: row.required_int(1)?,
                state: row.required_text(2)?.to_owned(),
                epoch: row.required_int(3)?,
                leased_by: row.text(4)?.map(str::to_owned),
                lease_left_ms: row.int(5)?,
                chunks: row.required_int(6)?,
                chunks_done: row.required_int(7)?,
            })
        })
        .collect()
}

/// How many objects of each type a run shared out, by why they are there.
///
/// # Errors
/// From the database.
pub async fn by_type(tx: &mut Tx, run_id: i64) -> Result<Vec<(ObjectType, ChunkKind, u64)>> {
    let rows = tx.fetch_all(&BY_TYPE, vec![run_id.into()]).await?;
    rows.iter()
        .map(|row| {
            let unreadable = |what: String| Error::unreadable("annals_partition_chunk", what);
            let object_type =
                row.required_text(0)?.parse().map_err(|e| unreadable(format!("object_type: {e}")))?;
            let kind =
                ChunkKind::parse(row.required_text(1)?).ok_or_else(|| unreadable("kind".to_owned()))?;
            Ok((object_type, kind, u64::try_from(row.required_int(2)?).unwrap_or_default()))
        })
        .collect()
}

fn partition_number(row: &Row, index: usize) -> Result<i32> {
    i32::try_from(row.required_int(index)?).map_err(|_| Error::unreadable("annals_partition", "number"))
}

pub(crate) fn fenced(lease: &PartitionLease, touched: u64) -> Result<()> {
    if touched == 1 || defect(Defect::FenceRemoved) {
        Ok(())
    } else {
        Err(Error::StaleLease { run_id: lease.run_id, partition: lease.partition, epoch: lease.epoch })
    }
}
