//! Connecting, and the answers that come back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use futures::StreamExt as _;
use tokio::sync::{oneshot, watch};

use super::{Broker, BrokerSettings, Inner, Login, REQUEST_MAX, unusable};
use crate::{Error, form};

/// A lost connection is made anew after at most this.
const RECONNECT_MAX_MS: u64 = 1_000;

impl Broker {
    /// Connects to the broker.
    ///
    /// # Errors
    /// `Broker`: where none of its servers can be reached, or they do not let us in.
    pub async fn connect(settings: BrokerSettings) -> Result<Self, Error> {
        let servers: Vec<ServerAddr> = settings
            .servers
            .iter()
            .map(|server| server.parse::<ServerAddr>())
            .collect::<Result<_, _>>()
            .map_err(|error| unusable(format!("a server of the broker: {error}"), SERVERS_HELP))?;
        let places: Vec<String> =
            servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect();
        let places = places.join(", ");
        let (connected, connections) = watch::channel(0);
        let options = options(&settings, connected).await?;
        let client = options.connect(servers).await.map_err(|error| {
            let help = match error.kind() {
                ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                    "Write its user and password, token or credentials below queue.nats in annals.yaml."
                }
                ConnectErrorKind::Tls => {
                    "See docs/queue.md for the keys below queue.nats.tls in annals.yaml."
                }
                _ => SERVERS_HELP,
            };
            unusable(format!("the broker cannot be reached at {places}: {error}"), help)
        })?;
        let context = ContextBuilder::new().timeout(REQUEST_MAX).build(client.clone());
        let replies = Replies::listen(&client).await?;
        Ok(Self(Arc::new(Inner {
            settings,
            client,
            context,
            replies,
            connections,
            ended: watch::channel(None).0,
            sends: AtomicBool::new(false),
            held: Arc::default(),
            watched: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
        })))
    }

    /// Returns when a connection was made anew: what was asked for on the old one is not answered any more.
    pub(super) async fn reconnected(&self) {
        let mut connections = self.0.connections.clone();
        connections.mark_unchanged();
        if connections.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

const SERVERS_HELP: &str =
    "See that nats-server runs there, and that queue.nats.servers in annals.yaml names it.";

async fn options(settings: &BrokerSettings, connected: watch::Sender<u64>) -> Result<ConnectOptions, Error> {
    let told = Arc::new(AtomicBool::new(false));
    let mut options = ConnectOptions::new()
        .name(&settings.name)
        .connection_timeout(REQUEST_MAX)
        .request_timeout(Some(REQUEST_MAX))
        .ping_interval(Duration::from_secs(10))
        .reconnect_delay_callback(|attempts| {
            let attempts = u64::try_from(attempts).unwrap_or(u64::MAX);
            Duration::from_millis(attempts.saturating_mul(100).min(RECONNECT_MAX_MS))
        })
        .event_callback(move |event| {
            tell(&event, &connected, &told);
            std::future::ready(())
        });
    options = match &settings.login {
        Login::None => options,
        Login::User(user, password) => options.user_and_password(user.clone(), password.clone()),
        Login::Token(token) => options.token(token.clone()),
        Login::Credentials(path) => options.credentials_file(path).await.map_err(|error| {
            unusable(
                format!("the credentials for the broker in {}: {error}", path.display()),
                "Let queue.nats.credentials in annals.yaml name a file that `nsc` made.",
            )
        })?,
    };
    let tls = &settings.tls;
    if tls.required {
        options = options.require_tls(true);
    }
    if let Some(path) = &tls.authorities {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &tls.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

/// A server that goes and comes is told once each; the client says the same of every attempt.
fn tell(event: &Event, connected: &watch::Sender<u64>, away: &AtomicBool) {
    match event {
        Event::Connected => {
            connected.send_modify(|connections| *connections += 1);
            if away.swap(false, Ordering::Relaxed) {
                tracing::info!("the broker is there again");
            }
        }
        Event::Disconnected => {
            if !away.swap(true, Ordering::Relaxed) {
                tracing::warn!("the broker is away; it is tried again until it is back");
            }
        }
        other => tracing::debug!("broker: {other}"),
    }
}

/// Answers of writers to this process, by the number of the question.
#[derive(Debug)]
pub(crate) struct Replies {
    inbox: String,
    asked: AtomicU64,
    open: Arc<Mutex<Open>>,
}

type Open = HashMap<u64, oneshot::Sender<Result<(), Error>>>;

impl Replies {
    /// Listens on an inbox of this process alone, for as long as the client lives.
    async fn listen(client: &Client) -> Result<Self, Error> {
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(format!("{inbox}.*")).await.map_err(|error| {
            unusable(
                format!("the broker lets us listen to no answers: {error}"),
                "Let this user subscribe to _INBOX.> (docs/queue.md).",
            )
        })?;
        let open: Arc<Mutex<Open>> = Arc::default();
        let listeners = Arc::clone(&open);
        tokio::spawn(async move {
            while let Some(answer) = answers.next().await {
                let number = answer.subject.as_str().rsplit('.').next().and_then(|text| text.parse().ok());
                let (Some(number), Some(outcome)) = (number, form::read_answer(&answer.payload)) else {
                    tracing::warn!("an answer that is none came over the broker");
                    continue;
                };
                let asker = listeners.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                // Who asked may have learned it from the database.
                if let Some(asker) = asker {
                    drop(asker.send(outcome));
                }
            }
        });
        Ok(Self { inbox, asked: AtomicU64::new(0), open })
    }

    /// Where an answer is to go, and where it is to be had.
    pub(super) fn ask(&self) -> (u64, String, oneshot::Receiver<Result<(), Error>>) {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let (asker, answer) = oneshot::channel();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(number, asker);
        (number, format!("{}.{number}", self.inbox), answer)
    }

    /// Nobody waits for this answer any more.
    pub(super) fn forget(&self, number: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}
