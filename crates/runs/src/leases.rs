//! The leases that this process holds: renewed together by its heartbeat, known to be lost as soon as one finds that out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_model::PartitionLease;
use annals_sql::Tx;

use crate::driver::{self, RunLease};
use crate::{Result, partitions};

/// A right that lasts as long as it is renewed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lease {
    /// To work on a partition.
    Partition(PartitionLease),
    /// To dispatch and finish a run.
    Run(RunLease),
}

impl From<PartitionLease> for Lease {
    fn from(lease: PartitionLease) -> Self {
        Self::Partition(lease)
    }
}

impl From<RunLease> for Lease {
    fn from(lease: RunLease) -> Self {
        Self::Run(lease)
    }
}

/// What this process holds, and what became of leases in it.
#[derive(Debug, Clone, Default)]
pub struct Leases(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<HashMap<Lease, Standing>>,
    partitions_taken_over: AtomicU64,
    runs_adopted: AtomicU64,
    fenced_writes: AtomicU64,
}

/// How a lease stands.
#[derive(Debug, Default)]
struct Standing {
    /// Who in this process has it renewed.
    holders: u32,
    /// Another process has it.
    lost: bool,
}

/// A lease that is renewed for as long as this lives: what nobody works on any more, whatever became of the worker,
/// must run out.
#[derive(Debug)]
pub struct Held {
    leases: Leases,
    lease: Lease,
}

impl Held {
    /// Somebody else has it by now.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.leases.known().get(&self.lease).is_none_or(|standing| standing.lost)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut known = self.leases.known();
        if let Some(standing) = known.get_mut(&self.lease) {
            standing.holders -= 1;
            if standing.holders == 0 {
                known.remove(&self.lease);
            }
        }
    }
}

impl Leases {
    /// Has a lease renewed from now on.
    #[must_use]
    pub fn hold(&self, lease: impl Into<Lease>) -> Held {
        let lease = lease.into();
        self.known().entry(lease.clone()).or_default().holders += 1;
        Held { leases: self.clone(), lease }
    }

    /// Renews all of them; those that were found to be lost.
    ///
    /// # Errors
    /// From the database.
    pub async fn renew(&self, tx: &mut Tx, lease_ms: i64) -> Result<Vec<Lease>> {
        let mut held: Vec<Lease> = self
            .known()
            .iter()
            .filter(|(_, standing)| !standing.lost)
            .map(|(lease, _)| lease.clone())
            .collect();
        // Whoever locks several of these rows does so in this order.
        held.sort_by_key(|lease| match lease {
            Lease::Run(lease) => (0, lease.run_id, 0),
            Lease::Partition(lease) => (1, lease.run_id, lease.partition),
        });
        let mut lost = Vec::new();
        for lease in held {
            let renewed = match &lease {
                Lease::Partition(lease) => partitions::renew(tx, lease, lease_ms).await?,
                Lease::Run(lease) => driver::renew(tx, lease, lease_ms).await?,
            };
            if !renewed {
                lost.push(lease);
            }
        }
        let mut known = self.known();
        for lease in &lost {
            // One that was given back meanwhile is nobody's loss.
            if let Some(standing) = known.get_mut(lease) {
                standing.lost = true;
            }
        }
        lost.retain(|lease| known.contains_key(lease));
        Ok(lost)
    }

    /// Notes that this process claimed a partition whose owner had let its lease run out.
    pub fn note_partition_taken_over(&self) {
        self.0.partitions_taken_over.fetch_add(1, Ordering::Relaxed);
    }

    /// Partitions of which that is so, since the process began.
    #[must_use]
    pub fn partitions_taken_over(&self) -> u64 {
        self.0.partitions_taken_over.load(Ordering::Relaxed)
    }

    /// Notes that this process became the driver of a run that nobody drove any more.
    pub fn note_run_adopted(&self) {
        self.0.runs_adopted.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs of which that is so, since the process began.
    #[must_use]
    pub fn runs_adopted(&self) -> u64 {
        self.0.runs_adopted.load(Ordering::Relaxed)
    }

    /// Notes that a delivery was not written, because another process had the lease by then (TRAP-06).
    pub fn note_fenced_write(&self) {
        self.0.fenced_writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Deliveries of which that is so, since the process began.
    #[must_use]
    pub fn fenced_writes(&self) -> u64 {
        self.0.fenced_writes.load(Ordering::Relaxed)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Lease, Standing>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
