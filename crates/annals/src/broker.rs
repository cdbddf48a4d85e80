//! The broker of `queue.transport: nats`, as this process uses it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use annals_config::Config;
use annals_config::service::{NatsLogin, NatsSettings, Transport};
use annals_model::PartitionLease;
use annals_queue::{Broker, BrokerSettings, Ledger, Login, Standing, Tls};
use annals_runs::deliveries;
use annals_sql::Db;
use futures::future::BoxFuture;

use crate::exit::{Exit, Failure};
use crate::pipeline::Done;

/// How long a command waits for a writer to be heard of, which asks anew every few seconds.
const WRITERS_WITHIN: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Connects to the broker that the configuration names, and sees that it fits; `None` where the queue is in process.
///
/// # Errors
/// Exit code 11, with the way out.
pub(crate) async fn connect(config: &Config, host: &str) -> Result<Option<Broker>, Failure> {
    let Transport::Nats(nats) = &config.service.queue.transport else { return Ok(None) };
    let broker = Broker::connect(settings(config, nats, host)).await.map_err(failure)?;
    broker.check(document_bytes_max(config), true).await.map_err(failure)?;
    Ok(Some(broker))
}

/// The same for a command, which needs writers elsewhere.
///
/// # Errors
/// As [`connect`]; where no writer listens.
pub(crate) async fn connect_with_writers(config: &Config, host: &str) -> Result<Option<Broker>, Failure> {
    let Some(broker) = connect(config, host).await? else { return Ok(None) };
    let began = tokio::time::Instant::now();
    while !broker.writers_listen().await {
        if began.elapsed() > WRITERS_WITHIN {
            return Err(Failure::new(
                Exit::BrokerUnusable,
                anyhow::anyhow!("no writer listens to the broker, so nothing would be written"),
                NO_WRITERS_HELP,
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(Some(broker))
}

pub(crate) const NO_WRITERS_HELP: &str = "Start a host with the role writer (`annals daemon --role writer`); `annals hosts` shows those that are alive.";

/// What a broker must have room for.
pub(crate) fn document_bytes_max(config: &Config) -> usize {
    config.service.limits.document_bytes_max
}

pub(crate) fn settings(config: &Config, nats: &NatsSettings, host: &str) -> BrokerSettings {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    BrokerSettings {
        name: format!("annals {host}"),
        servers: nats.servers.clone(),
        stream: nats.stream.clone(),
        replicas: usize::try_from(nats.replicas).unwrap_or(1),
        duplicate_window: seconds(nats.duplicate_window_s),
        // A writer that died is taken for dead when a worker would be.
        silence_max: Duration::from_millis(config.service.lease_ms.unsigned_abs()),
        patience: seconds(nats.patience_s),
        login: match &nats.login {
            NatsLogin::None => Login::None,
            NatsLogin::User(user, password) => Login::User(user.clone(), password.clone()),
            NatsLogin::Token(token) => Login::Token(token.clone()),
            NatsLogin::Credentials(path) => Login::Credentials(path.clone()),
        },
        tls: Tls {
            required: nats.tls.required,
            authorities: nats.tls.authorities.clone(),
            certificate: nats.tls.certificate.clone(),
        },
    }
}

pub(crate) fn failure(error: annals_queue::Error) -> Failure {
    let help = match &error {
        annals_queue::Error::Broker { help, .. } => help.clone(),
        _ => String::new(),
    };
    Failure::new(Exit::BrokerUnusable, error, help)
}

/// What the history database says of deliveries, and how many messages of a run are written.
pub(crate) struct Account {
    pub(crate) history: Db,
    pub(crate) done: Arc<Done>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}

impl Account {
    async fn ask(&self, lease: &PartitionLease, number: u64) -> annals_runs::Result<Standing> {
        let mut tx = self.history.begin_read().await?;
        let standing = deliveries::standing(&mut tx, lease, number).await?;
        tx.rollback().await?;
        Ok(match standing {
            deliveries::Standing::Written => Standing::Written,
            deliveries::Standing::Awaited(_) => Standing::Awaited,
            deliveries::Standing::Stale => Standing::Stale,
        })
    }
}

impl Ledger for Account {
    fn standing<'l>(&'l self, lease: &'l PartitionLease, number: u64) -> BoxFuture<'l, Option<Standing>> {
        Box::pin(async move {
            match self.ask(lease, number).await {
                Ok(standing) => Some(standing),
                Err(error) => {
                    tracing::debug!("it cannot be told whether a delivery is written: {error}");
                    None
                }
            }
        })
    }

    fn written(&self, messages: u64) {
        self.done.written.fetch_add(messages, Ordering::Relaxed);
    }
}
