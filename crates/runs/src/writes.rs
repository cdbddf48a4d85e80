//! What the writer made of a run's messages, by partition and object type, counted in the writing transaction.

use std::collections::BTreeMap;

use annals_model::{ObjectType, PartitionLease};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Stmt, Tx};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const OF_RUN: Stmt = Stmt::new(
    "runs.writes_of_run",
    "select object_type, cast(sum(full_captures) as bigint), cast(sum(patch_captures) as bigint),
       cast(sum(duplicates) as bigint), cast(sum(unchanged) as bigint), cast(sum(deleted) as bigint),
       cast(sum(late) as bigint), cast(sum(dead) as bigint), cast(sum(events) as bigint)
     from annals_run_write where run_id = ? group by object_type",
);
pub(crate) const STATEMENTS: &[Stmt] = &[OF_RUN];

/// Numbers of messages by what came of them, and of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteCounts {
    /// Stored as full captures.
    pub full_captures: u64,
    /// Stored as patch captures.
    pub patch_captures: u64,
    /// Kept already (IIQ-10).
    pub duplicates: u64,
    /// Seen again without a significant change (IIQ-12).
    pub unchanged: u64,
    /// Tombstones.
    pub deleted: u64,
    /// Out of sequence: a capture between others, or before them; counted as a full, patch or deleted one too.
    pub late: u64,
    /// Given up.
    pub dead: u64,
    /// Events made.
    pub events: u64,
}

impl WriteCounts {
    /// Adds others.
    pub fn add(&mut self, more: Self) {
        self.full_captures += more.full_captures;
        self.patch_captures += more.patch_captures;
        self.duplicates += more.duplicates;
        self.unchanged += more.unchanged;
        self.deleted += more.deleted;
        self.late += more.late;
        self.dead += more.dead;
        self.events += more.events;
    }

    fn fields(self) -> [(&'static str, u64); 8] {
        [
            ("full_captures", self.full_captures),
            ("patch_captures", self.patch_captures),
            ("duplicates", self.duplicates),
            ("unchanged", self.unchanged),
            ("deleted", self.deleted),
            ("late", self.late),
            ("dead", self.dead),
            ("events", self.events),
        ]
    }
}

/// Adds to what a partition has written.
///
/// # Errors
/// From the database.
pub async fn add(
    tx: &mut Tx,
    lease: &PartitionLease,
    counts: &BTreeMap<ObjectType, WriteCounts>,
) -> Result<()> {
    let n = counts.len();
    let mut columns = vec![
        Column { name: "run_id", data: ColumnData::Int(vec![Some(lease.run_id); n]) },
        Column { name: "partition_no", data: ColumnData::Int(vec![Some(lease.partition.into()); n]) },
        Column {
            name: "object_type",
            data: ColumnData::Text(counts.keys().map(|t| Some(t.as_str().to_owned())).collect()),
        },
    ];
    for (index, (name, _)) in WriteCounts::default().fields().into_iter().enumerate() {
        let values = counts.values().map(|c| i64::try_from(c.fields()[index].1).ok()).collect();
        columns.push(Column { name, data: ColumnData::Int(values) });
    }
    let key = &["run_id", "partition_no", "object_type"];
    Ok(tx.insert("annals_run_write", Batch::new(columns), OnConflict::Add { key }).await?)
}

/// What a run has written, by object type.
///
/// # Errors
/// From the database.
pub async fn of_run(tx: &mut Tx, run_id: i64) -> Result<BTreeMap<ObjectType, WriteCounts>> {
    let rows = tx.fetch_all(&OF_RUN, vec![run_id.into()]).await?;
    rows.iter()
        .map(|row| {
            let object_type = row
                .required_text(0)?
                .parse()
                .map_err(|e| Error::unreadable("annals_run_write", format!("{e}")))?;
            let count = |index| row.required_int(index).map(|n| u64::try_from(n).unwrap_or_default());
            let counts = WriteCounts {
                full_captures: count(1)?,
                patch_captures: count(2)?,
                duplicates: count(3)?,
                unchanged: count(4)?,
                deleted: count(5)?,
                late: count(6)?,
                dead: count(7)?,
                events: count(8)?,
            };
            Ok((object_type, counts))
        })
        .collect()
}
