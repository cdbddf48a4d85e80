//! This process among the others: its row in `annals_host`, and the heartbeat that renews it and all that it holds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annals_model::{Clock, error_chain};
use annals_runs::hosts::{self, NewHost};
use annals_runs::{Driver, Lease, Leases};
use annals_sql::Db;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Heartbeats in a lease: one may be late, and another lost.
const BEATS_IN_LEASE: u32 = 3;
/// A process that stands still for so long in the middle of a transaction loses it, however short its leases are.
const IDLE_MS_MIN: i64 = 5_000;

/// A process that works on runs, as long as it lives.
#[derive(Debug)]
pub struct Presence {
    driver: Driver,
    leases: Leases,
    last_chances: Arc<tokio::sync::Mutex<()>>,
    ended: watch::Sender<bool>,
    beating: Mutex<Option<JoinHandle<()>>>,
}

/// The history database for a process that holds leases: when it stands still, its transactions end with its leases.
#[must_use]
pub fn leased(history: &Db, lease_ms: i64) -> Db {
    history.with_idle_max(lease_ms.max(IDLE_MS_MIN))
}

impl Presence {
    /// Makes this process known and begins its heartbeat, on a connection of its own: what holds up the others must not
    /// make it look dead. `name` is the host's, `roles` say what it does.
    ///
    /// # Errors
    /// From the history database.
    pub async fn begin(
        history: &Db,
        clock: Arc<dyn Clock>,
        name: &str,
        roles: &str,
        lease_ms: i64,
    ) -> annals_runs::Result<Arc<Self>> {
        let beats = history.beside();
        let host = NewHost {
            name: name.to_owned(),
            pid: std::process::id(),
            roles: roles.to_owned(),
            lease_ms,
            clock_skew_ms: clock_skew_ms(&beats, clock.as_ref()).await?,
        };
        let mut tx = beats.begin().await?;
        let driver = Driver { host: hosts::register(&mut tx, &host).await?, lease_ms };
        tx.commit().await?;
        let leases = Leases::default();
        let (ended, alive) = watch::channel(false);
        let beating = tokio::spawn(beat(beats, clock, driver, leases.clone(), alive));
        let (last_chances, beating) = (Arc::default(), Mutex::new(Some(beating)));
        Ok(Arc::new(Self { driver, leases, last_chances, ended, beating }))
    }

    /// This process, as the driver of runs.
    #[must_use]
    pub fn driver(&self) -> Driver {
        self.driver
    }

    /// What it holds.
    #[must_use]
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Held by the one worker of this process that has an object in hand which may be the death of it.
    pub(crate) fn last_chances(&self) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.last_chances)
    }

    /// Says that this process ends.
    pub async fn end(&self) {
        self.ended.send_replace(true);
        let beating = self.beating.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(beating) = beating {
            drop(beating.await);
        }
    }
}

/// Beats until it is told to end, which it learns between two beats, never within one.
async fn beat(
    history: Db,
    clock: Arc<dyn Clock>,
    driver: Driver,
    leases: Leases,
    mut ended: watch::Receiver<bool>,
) {
    let every = Duration::from_millis(driver.lease_ms.unsigned_abs()) / BEATS_IN_LEASE;
    while tokio::time::timeout(every, ended.changed()).await.is_err() {
        match beat_once(&history, clock.as_ref(), driver, &leases).await {
            Ok(lost) => lost.iter().for_each(tell_lost),
            Err(error) => tracing::warn!(host = driver.host, "no heartbeat: {}", error_chain(&error)),
        }
    }
    if let Err(error) = stop(&history, driver).await {
        tracing::warn!(host = driver.host, "the end of this process is not noted: {}", error_chain(&error));
    }
}

async fn beat_once(
    history: &Db,
    clock: &dyn Clock,
    driver: Driver,
    leases: &Leases,
) -> annals_runs::Result<Vec<Lease>> {
    let skew_ms = clock_skew_ms(history, clock).await?;
    let mut tx = history.begin().await?;
    hosts::beat(&mut tx, driver.host, skew_ms).await?;
    let lost = leases.renew(&mut tx, driver.lease_ms).await?;
    tx.commit().await?;
    Ok(lost)
}

async fn stop(history: &Db, driver: Driver) -> annals_runs::Result<()> {
    let mut tx = history.begin().await?;
    hosts::stop(&mut tx, driver.host).await?;
    Ok(tx.commit().await?)
}

/// This host's clock less the database's, milliseconds: taken in the middle of asking it.
async fn clock_skew_ms(history: &Db, clock: &dyn Clock) -> annals_runs::Result<i64> {
    let before = clock.now_ms();
    let database = history.now_ms().await?;
    Ok(before + (clock.now_ms() - before) / 2 - database)
}

fn tell_lost(lease: &Lease) {
    match lease {
        Lease::Partition(lease) => tracing::warn!(
            run = lease.run_id,
            partition = lease.partition,
            epoch = lease.epoch,
            "partition {} was taken over",
            lease.partition
        ),
        Lease::Run(lease) => {
            tracing::warn!(run = lease.run_id, epoch = lease.epoch, "run {} was taken over", lease.run_id)
        }
    }
}
