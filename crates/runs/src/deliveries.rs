//! Deliveries that came over a broker: which of a lease are written, so that each is written once and in its turn, and
//! what had to be parked of them.

use annals_model::{PartitionLease, RequestState};
use annals_sql::{Stmt, Tx};

use crate::{Error, Result, partitions};

const TAKE: Stmt = Stmt::new(
    "runs.delivery_take",
    "update annals_partition set deliveries = deliveries + 1,
       parked_captures = parked_captures + ?, parked_deletions = parked_deletions + ?
     where run_id = ? and partition_no = ? and lease_epoch = ? and state = 'leased' and deliveries = ?
     returning parked_captures, parked_deletions",
);
const WRITTEN: Stmt = Stmt::new(
    "runs.deliveries_written",
    "select lease_epoch, deliveries, state from annals_partition where run_id = ? and partition_no = ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[TAKE, WRITTEN];

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is written and committed.
    Written,
    /// It is not; so many before it are.
    Awaited(u64),
    /// It never will be: its partition has another owner, or was given back.
    Stale,
}

/// Messages of a lease that could not be written. Who published them counts them as published, then and in every later
/// state of the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parked {
    /// Captures.
    pub captures: u64,
    /// Deletions.
    pub deletions: u64,
}

impl Parked {
    /// The state without them.
    #[must_use]
    pub fn correct(self, mut state: RequestState) -> RequestState {
        let counters = &mut state.counters;
        let captures = self.captures.min(counters.total_extracted_objects_published);
        counters.total_extracted_objects_published -= captures;
        counters.total_publishing_fails += captures;
        counters.total_deletion_extracted_objects_dispatched =
            counters.total_deletion_extracted_objects_dispatched.saturating_sub(self.deletions);
        state
    }
}

/// Notes a delivery as written, `parked` messages of it apart; all that were parked under its lease until now. The
/// partition's row is locked until the transaction ends.
///
/// # Errors
/// `Written` where it was written before, `OutOfTurn` where one before it was not, `StaleLease` where the partition has
/// another owner: roll back. From the database.
pub async fn take(tx: &mut Tx, lease: &PartitionLease, number: u64, parked: Parked) -> Result<Parked> {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let params = vec![
        count(parked.captures).into(),
        count(parked.deletions).into(),
        lease.run_id.into(),
        lease.partition.into(),
        lease.epoch.into(),
        count(number.saturating_sub(1)).into(),
    ];
    if let Some(row) = tx.fetch_optional(&TAKE, params).await? {
        let parked = |index| row.required_int(index).map(|n| u64::try_from(n).unwrap_or_default());
        return Ok(Parked { captures: parked(0)?, deletions: parked(1)? });
    }
    let PartitionLease { run_id, partition, .. } = *lease;
    match standing(tx, lease, number).await? {
        Standing::Written => Err(Error::Written { run_id, partition, number }),
        Standing::Awaited(written) => Err(Error::OutOfTurn { run_id, partition, number, written }),
        Standing::Stale => partitions::fenced(lease, 0).map(|()| Parked::default()),
    }
}

/// How a delivery stands.
///
/// # Errors
/// From the database.
pub async fn standing(tx: &mut Tx, lease: &PartitionLease, number: u64) -> Result<Standing> {
    let params = vec![lease.run_id.into(), lease.partition.into()];
    let Some(row) = tx.fetch_optional(&WRITTEN, params).await? else { return Ok(Standing::Stale) };
    let written = u64::try_from(row.required_int(1)?).unwrap_or_default();
    Ok(match (row.required_int(0)? == lease.epoch, row.required_text(2)?) {
        (true, _) if written >= number => Standing::Written,
        (true, "leased") => Standing::Awaited(written),
        _ => Standing::Stale,
    })
}
