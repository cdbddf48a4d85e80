//! Hosts: the processes that work on runs, each with its heartbeat by the database's clock.

use annals_sql::{Stmt, Tx, Value};

use crate::Result;

const INSERT: Stmt = Stmt::new(
    "runs.host_insert",
    "insert into annals_host (name, pid, roles, started, heartbeat, lease_ms, clock_skew_ms)
     values (?, ?, ?, {now_ms}, {now_ms}, ?, ?) returning id",
);
const BEAT: Stmt = Stmt::new(
    "runs.host_beat",
    "update annals_host set heartbeat = {now_ms}, clock_skew_ms = ? where id = ?",
);
const STOP: Stmt = Stmt::new("runs.host_stop", "update annals_host set stopped = {now_ms} where id = ?");
const FORGET: Stmt = Stmt::new("runs.host_forget", "delete from annals_host where heartbeat < {now_ms} - ?");
const EXTRACTING: Stmt = Stmt::new(
    "runs.host_extracting",
    "select id from annals_host
     where id <> ? and stopped is null and heartbeat >= {now_ms} - lease_ms and roles like '%extract%'
     order by id limit 1",
);
const LIST: Stmt = Stmt::new(
    "runs.host_list",
    "select h.id, h.name, h.pid, h.roles, h.started, h.heartbeat, {now_ms} - h.heartbeat, h.lease_ms,
       h.clock_skew_ms, h.stopped,
       (select count(*) from annals_run r where r.driver = h.id and r.state <> 'ended')
     from annals_host h order by h.id desc",
);
pub(crate) const STATEMENTS: &[Stmt] = &[INSERT, BEAT, STOP, FORGET, EXTRACTING, LIST];

/// Hosts that were not heard of for so long are forgotten: a week.
const FORGET_MS: i64 = 7 * 86_400_000;

/// The role of a host that works on partitions.
pub const EXTRACT: &str = "extract";

/// A process about to work on runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHost {
    /// Name of the host that it runs on.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// What it does, parted by commas: `scheduler`, `extract`, `writer`, or the command.
    pub roles: String,
    /// How long its leases last without a heartbeat, milliseconds.
    pub lease_ms: i64,
    /// The host's clock less the database's, milliseconds.
    pub clock_skew_ms: i64,
}

/// How a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState {
    /// It was heard of within its lease.
    Alive,
    /// It was not: what it held goes on elsewhere.
    Lost,
    /// It said that it ends.
    Stopped,
}

impl HostState {
    /// As shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Lost => "lost",
            Self::Stopped => "stopped",
        }
    }
}

/// A process that works on runs, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its number, never given twice.
    pub id: i64,
    /// Name of the host that it runs on.
    pub name: String,
    /// Its process id.
    pub pid: i64,
    /// What it does, parted by commas.
    pub roles: String,
    /// How it does.
    pub state: HostState,
    /// Database time, epoch milliseconds.
    pub started_ms: i64,
    /// When it was heard of last: database time, epoch milliseconds.
    pub heartbeat_ms: i64,
    /// How long its leases last without a heartbeat, milliseconds.
    pub lease_ms: i64,
    /// The host's clock less the database's, milliseconds.
    pub clock_skew_ms: i64,
    /// Runs that it dispatches and finishes.
    pub runs: i64,
}

/// Makes a process known; its number. Those that nobody has heard of for a week are forgotten.
///
/// # Errors
/// From the database.
pub async fn register(tx: &mut Tx, host: &NewHost) -> Result<i64> {
    tx.execute(&FORGET, vec![FORGET_MS.into()]).await?;
    let params = vec![
        host.name.as_str().into(),
        i64::from(host.pid).into(),
        host.roles.as_str().into(),
        host.lease_ms.into(),
        host.clock_skew_ms.into(),
    ];
    Ok(tx.fetch_one(&INSERT, params).await?.required_int(0)?)
}

/// Says that a process is alive.
///
/// # Errors
/// From the database.
pub async fn beat(tx: &mut Tx, host: i64, clock_skew_ms: i64) -> Result<()> {
    tx.execute(&BEAT, vec![clock_skew_ms.into(), host.into()]).await?;
    Ok(())
}

/// Says that a process ends.
///
/// # Errors
/// From the database.
pub async fn stop(tx: &mut Tx, host: i64) -> Result<()> {
    tx.execute(&STOP, vec![Value::from(host)]).await?;
    Ok(())
}

/// Whether a living process other than this one works on partitions.
///
/// # Errors
/// From the database.
pub async fn others_extract(tx: &mut Tx, host: i64) -> Result<bool> {
    Ok(tx.fetch_optional(&EXTRACTING, vec![host.into()]).await?.is_some())
}

/// All processes that are known, newest first.
///
/// # Errors
/// From the database.
pub async fn list(tx: &mut Tx) -> Result<Vec<Host>> {
    let rows = tx.fetch_all(&LIST, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            let lease_ms = row.required_int(7)?;
            let state = match row.int(9)? {
                Some(_) => HostState::Stopped,
                None if row.required_int(6)? > lease_ms => HostState::Lost,
                None => HostState::Alive,
            };
            Ok(Host {
                id: row.required_int(0)?,
                name: row.required_text(1)?.to_owned(),
                pid: row.required_int(2)?,
                roles: row.required_text(3)?.to_owned(),
                state,
                started_ms: row.required_int(4)?,
                heartbeat_ms: row.required_int(5)?,
                lease_ms,
                clock_skew_ms: row.required_int(8)?,
                runs: row.required_int(10)?,
            })
        })
        .collect()
}
