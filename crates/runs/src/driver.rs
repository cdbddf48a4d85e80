//! Drivers: who dispatches and finishes a run, under a lease with an epoch, so that another process takes over when it
//! dies (IIQ-08, TRAP-08).

use annals_model::Counters;
use annals_sql::fault::{Defect, defect};
use annals_sql::{Stmt, Tx};

use crate::run::{Run, RunState};
use crate::{Error, Result, totals};

const ADOPT: Stmt = Stmt::new(
    "runs.driver_adopt",
    "update annals_run set driver = ?, driver_epoch = driver_epoch + 1, driver_until = {now_ms} + ?
     where id = ? and state <> 'ended' and coalesce(driver_until, 0) < {now_ms}",
);
const EPOCH: Stmt =
    Stmt::new("runs.driver_epoch", "select driver_epoch from annals_run where id = ? and driver = ?");
const RENEW: Stmt = Stmt::new(
    "runs.driver_renew",
    "update annals_run set driver_until = {now_ms} + ?
     where id = ? and driver_epoch = ? and driver is not null",
);
const LEAVE: Stmt = Stmt::new(
    "runs.driver_leave",
    "update annals_run set driver = null, driver_until = null where id = ? and driver_epoch = ? and state <> 'ended'",
);
const FINISHING: Stmt = Stmt::new(
    "runs.driver_finishing",
    "update annals_run set state = 'finishing' where id = ? and driver_epoch = ? and state <> 'ended'",
);
const REOPEN: Stmt = Stmt::new(
    "runs.driver_reopen",
    "update annals_run set state = 'running', status = null, result = null, ended = null, counters = ?,
       driver = ?, driver_epoch = driver_epoch + 1, driver_until = {now_ms} + ?
     where id = ? and state = 'ended'",
);
const OPEN: Stmt = Stmt::new(
    "runs.driver_open",
    "select r.id, case when coalesce(r.driver_until, 0) < {now_ms} then 1 else 0 end,
       (select count(*) from annals_partition p where p.run_id = r.id
          and (p.state = 'pending' or (p.state = 'leased' and p.lease_until < {now_ms})))
     from annals_run r where r.state <> 'ended' order by r.id",
);
const STANDING: Stmt = Stmt::new(
    "runs.driver_standing",
    "select r.state, case when coalesce(r.driver_until, 0) < {now_ms} then 1 else 0 end,
       (select count(*) from annals_partition p where p.run_id = r.id and p.state in ('pending', 'leased')),
       (select count(*) from annals_partition p where p.run_id = r.id
          and (p.state = 'pending' or (p.state = 'leased' and p.lease_until < {now_ms}))),
       (select count(*) from annals_partition p where p.run_id = r.id and p.state = 'failed')
     from annals_run r where r.id = ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[ADOPT, EPOCH, RENEW, LEAVE, FINISHING, REOPEN, OPEN, STANDING];

/// Who is to drive a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Driver {
    /// Number of the process in `annals_host`.
    pub host: i64,
    /// How long its leases last without a heartbeat, milliseconds of the database's clock.
    pub lease_ms: i64,
}

/// The right to dispatch and finish a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunLease {
    /// Run.
    pub run_id: i64,
    /// Number of this lease; a higher one fences this one off.
    pub epoch: i64,
}

/// A run that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRun {
    /// Run.
    pub run_id: i64,
    /// Nobody drives it.
    pub orphaned: bool,
    /// Partitions that nobody works on.
    pub claimable: u64,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How far it has come.
    pub state: RunState,
    /// Nobody drives it.
    pub orphaned: bool,
    /// Partitions that have not ended.
    pub open: u64,
    /// Partitions that nobody works on.
    pub claimable: u64,
    /// Partitions that were given up.
    pub failed: u64,
}

/// Takes over a run that nobody drives, under a new epoch; `None` when it has ended or somebody does (TRAP-08).
///
/// # Errors
/// From the database.
pub async fn adopt(tx: &mut Tx, run_id: i64, driver: Driver) -> Result<Option<RunLease>> {
    let params = vec![driver.host.into(), driver.lease_ms.into(), run_id.into()];
    match tx.execute(&ADOPT, params).await? {
        0 => Ok(None),
        _ => Ok(Some(lease(tx, run_id, driver).await?)),
    }
}

/// The lease that this transaction has just taken.
async fn lease(tx: &mut Tx, run_id: i64, driver: Driver) -> Result<RunLease> {
    let row = tx.fetch_one(&EPOCH, vec![run_id.into(), driver.host.into()]).await?;
    Ok(RunLease { run_id, epoch: row.required_int(0)? })
}

/// Says that the driver is alive; `false` when the run has another one.
///
/// # Errors
/// From the database.
pub async fn renew(tx: &mut Tx, lease: &RunLease, lease_ms: i64) -> Result<bool> {
    Ok(tx.execute(&RENEW, vec![lease_ms.into(), lease.run_id.into(), lease.epoch.into()]).await? == 1)
}

/// Leaves a run to whoever takes it over first.
///
/// # Errors
/// From the database.
pub async fn leave(tx: &mut Tx, lease: &RunLease) -> Result<()> {
    tx.execute(&LEAVE, vec![lease.run_id.into(), lease.epoch.into()]).await?;
    Ok(())
}

/// Locks the row of a run that is about to be finished, until the transaction ends; `false` when it has ended or has
/// another driver.
///
/// # Errors
/// From the database.
pub async fn lock_to_finish(tx: &mut Tx, lease: &RunLease) -> Result<bool> {
    let locked = tx.execute(&FINISHING, vec![lease.run_id.into(), lease.epoch.into()]).await? == 1;
    Ok(locked || defect(Defect::DriverFenceRemoved))
}

/// Takes up a run that has ended, with what it had counted before its partitions were worked on; `None` when it is
/// under way. The caller holds its row.
///
/// # Errors
/// From the database.
pub async fn reopen(tx: &mut Tx, run: &Run, driver: Driver) -> Result<Option<RunLease>> {
    let counters = Counters {
        total_object_messages: run.counters.total_object_messages,
        total_modified_object_messages: run.counters.total_modified_object_messages,
        total_reattempt_object_messages: run.counters.total_reattempt_object_messages,
        total_deletion_extracted_objects: run.counters.total_deletion_extracted_objects,
        ..Counters::default()
    };
    let counters = serde_json::to_string(&counters).map_err(|e| Error::json("annals_run", "counters", e))?;
    let params = vec![counters.into(), driver.host.into(), driver.lease_ms.into(), run.id.into()];
    totals::take_off(tx, run.id).await?;
    match tx.execute(&REOPEN, params).await? {
        0 => Ok(None),
        _ => Ok(Some(lease(tx, run.id, driver).await?)),
    }
}

/// The runs that have not ended, oldest first.
///
/// # Errors
/// From the database.
pub async fn open(tx: &mut Tx) -> Result<Vec<OpenRun>> {
    let rows = tx.fetch_all(&OPEN, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            Ok(OpenRun {
                run_id: row.required_int(0)?,
                orphaned: row.required_int(1)? == 1,
                claimable: u64::try_from(row.required_int(2)?).unwrap_or_default(),
            })
        })
        .collect()
}

/// How a run stands.
///
/// # Errors
/// `NotFound`; from the database.
pub async fn standing(tx: &mut Tx, run_id: i64) -> Result<Standing> {
    let row = tx.fetch_optional(&STANDING, vec![run_id.into()]).await?;
    let row = row.ok_or_else(|| Error::NotFound(format!("run {run_id}")))?;
    Ok(Standing {
        state: RunState::parse(row.required_text(0)?)
            .ok_or_else(|| Error::unreadable("annals_run", format!("state of run {run_id}")))?,
        orphaned: row.required_int(1)? == 1,
        open: u64::try_from(row.required_int(2)?).unwrap_or_default(),
        claimable: u64::try_from(row.required_int(3)?).unwrap_or_default(),
        failed: u64::try_from(row.required_int(4)?).unwrap_or_default(),
    })
}
