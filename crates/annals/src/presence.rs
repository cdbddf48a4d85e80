//! This process among the others: its row in `annals_host`, and the heartbeat that renews it and all that it holds.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use annals_model::{Clock, error_chain};
use annals_queue::{Broker, Depth};
use annals_runs::hosts::{self, NewHost};
use annals_runs::{Driver, Lease, Leases};
use annals_sql::Db;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::database_clock::DatabaseClock;

/// Heartbeats in a lease: one may be late, and another lost.
const BEATS_IN_LEASE: u32 = 3;
/// A process that stands still for so long in the middle of a transaction loses it, however short its leases are.
const IDLE_MS_MIN: i64 = 5_000;

/// A process that works on runs, as long as it lives.
#[derive(Debug)]
pub struct Presence {
    driver: Driver,
    clock: Arc<DatabaseClock>,
    leases: Leases,
    last_chances: Arc<tokio::sync::Mutex<()>>,
    queues: Mutex<Vec<Depth>>,
    broker: OnceLock<Broker>,
    beaten: Arc<Mutex<Instant>>,
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
        let database_clock = Arc::new(DatabaseClock::ask(&beats).await?);
        let host = NewHost {
            name: name.to_owned(),
            pid: std::process::id(),
            roles: roles.to_owned(),
            lease_ms,
            clock_skew_ms: clock.now_ms() - database_clock.now_ms(),
        };
        let mut tx = beats.begin().await?;
        let driver = Driver { host: hosts::register(&mut tx, &host).await?, lease_ms };
        tx.commit().await?;
        let leases = Leases::default();
        let (ended, alive) = watch::channel(false);
        let beaten = Arc::new(Mutex::new(Instant::now()));
        let heart = Heart {
            history: beats,
            clock,
            database_clock: Arc::clone(&database_clock),
            driver,
            leases: leases.clone(),
            beaten: Arc::clone(&beaten),
        };
        let beating = Mutex::new(Some(tokio::spawn(heart.beat(alive))));
        let (last_chances, queues, broker) = (Arc::default(), Mutex::default(), OnceLock::new());
        Ok(Arc::new(Self {
            driver,
            clock: database_clock,
            leases,
            last_chances,
            queues,
            broker,
            beaten,
            ended,
            beating,
        }))
    }

    /// This process, as the driver of runs.
    #[must_use]
    pub fn driver(&self) -> Driver {
        self.driver
    }

    /// The clock of the history database, set anew with each heartbeat.
    #[must_use]
    pub fn clock(&self) -> Arc<DatabaseClock> {
        Arc::clone(&self.clock)
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

    /// Whether its last heartbeat is no older than its leases last.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let beaten = self.beaten.lock().unwrap_or_else(PoisonError::into_inner);
        beaten.elapsed() <= Duration::from_millis(self.driver.lease_ms.unsigned_abs())
    }

    /// Counts what waits in a queue of this process from now on.
    pub(crate) fn watch(&self, queue: Depth) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.waiting().is_some());
        queues.push(queue);
    }

    /// Deliveries go over this broker from now on, where there is one, and those that it holds are counted.
    pub fn use_broker(&self, broker: Option<Broker>) {
        if let Some(broker) = broker {
            self.watch(broker.depth());
            self.broker.get_or_init(|| broker);
        }
    }

    /// The broker that deliveries go over.
    #[must_use]
    pub fn broker(&self) -> Option<&Broker> {
        self.broker.get()
    }

    /// Deliveries that wait for the writers of this process; over a broker, those that it holds.
    #[must_use]
    pub fn waiting_deliveries(&self) -> usize {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.iter().filter_map(Depth::waiting).sum()
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

/// What beats.
struct Heart {
    history: Db,
    clock: Arc<dyn Clock>,
    database_clock: Arc<DatabaseClock>,
    driver: Driver,
    leases: Leases,
    beaten: Arc<Mutex<Instant>>,
}

impl Heart {
    /// Beats until it is told to end, which it learns between two beats, never within one.
    async fn beat(self, mut ended: watch::Receiver<bool>) {
        let host = self.driver.host;
        let every = Duration::from_millis(self.driver.lease_ms.unsigned_abs()) / BEATS_IN_LEASE;
        while tokio::time::timeout(every, ended.changed()).await.is_err() {
            match self.beat_once().await {
                Ok(lost) => {
                    *self.beaten.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                    lost.iter().for_each(tell_lost);
                }
                Err(error) => tracing::warn!(host, "no heartbeat: {}", error_chain(&error)),
            }
        }
        if let Err(error) = stop(&self.history, self.driver).await {
            tracing::warn!(host, "the end of this process is not noted: {}", error_chain(&error));
        }
    }

    async fn beat_once(&self) -> annals_runs::Result<Vec<Lease>> {
        self.database_clock.ask_again(&self.history).await?;
        let skew_ms = self.clock.now_ms() - self.database_clock.now_ms();
        let mut tx = self.history.begin().await?;
        hosts::beat(&mut tx, self.driver.host, skew_ms).await?;
        let lost = self.leases.renew(&mut tx, self.driver.lease_ms).await?;
        tx.commit().await?;
        Ok(lost)
    }
}

async fn stop(history: &Db, driver: Driver) -> annals_runs::Result<()> {
    let mut tx = history.begin().await?;
    hosts::stop(&mut tx, driver.host).await?;
    Ok(tx.commit().await?)
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
