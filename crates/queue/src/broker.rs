//! The way over a broker, NATS JetStream, from the workers of some hosts to the writers of others.
//!
//! A stream holds deliveries until they are answered for. It has [`LANES`] lanes, each a subject with one consumer that
//! hands out one delivery at a time, to whichever writer asks: so a lane is written in its order however many writers
//! there are. A partition has one lane. What arrives twice, or after one that followed it, the history database tells by
//! the delivery's number; the broker's own window for duplicates only saves the work.

mod connection;
mod publisher;
mod stream;
mod taker;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::{Depth, Error, Lane, Queue, Source, Waiting, Way};

pub(crate) use connection::Replies;
pub use publisher::{Ledger, Standing};
pub(crate) use publisher::{Publisher, Sent};
pub use stream::Fit;
pub(crate) use taker::{Claim, Taker};

/// Lanes of a stream: so many deliveries are written at the same time, over all writers. Every host must have the same.
pub const LANES: u32 = 16;

/// Room in a message for what stands around its delivery's messages: headers, lease, schemas, the state to save.
const AROUND_BYTES: usize = 128 << 10;

/// A process that both sends and takes goes on taking for so long when it ends.
const LINGER: Duration = Duration::from_millis(1_500);

/// How long a request to the broker may take.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// Where the broker is, and how it is to keep what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerSettings {
    /// Name of this client, for people who look at the broker.
    pub name: String,
    /// Servers, `nats://` or `tls://`; any of them will do.
    pub servers: Vec<String>,
    /// The stream, which belongs to one history database.
    pub stream: String,
    /// Servers that keep each delivery.
    pub replicas: usize,
    /// A delivery that is published twice within this is kept once.
    pub duplicate_window: Duration,
    /// A delivery whose writer has not been heard of for so long goes to another one.
    pub silence_max: Duration,
    /// How long a worker waits for a broker that is away.
    pub patience: Duration,
    /// Who we are.
    pub login: Login,
    /// How the connection is secured.
    pub tls: Tls,
}

/// Who we are for the broker.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Login {
    /// Nobody in particular, or whom the servers' URLs name.
    #[default]
    None,
    /// A user and a password.
    User(String, String),
    /// A token.
    Token(String),
    /// A file with a JWT and its key, as `nsc` makes it.
    Credentials(PathBuf),
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::User(..) => "User",
            Self::Token(_) => "Token",
            Self::Credentials(_) => "Credentials",
        })
    }
}

/// How the connection is secured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Nothing is said in clear text.
    pub required: bool,
    /// Certificates to trust beside the system's, PEM.
    pub authorities: Option<PathBuf>,
    /// Our certificate and its key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// A connection to the broker, kept up whatever becomes of single servers; clones share it.
#[derive(Debug, Clone)]
pub struct Broker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: BrokerSettings,
    client: async_nats::Client,
    context: jetstream::Context,
    replies: Replies,
    /// How often a connection was made.
    connections: watch::Receiver<u64>,
    /// When this process was told to end.
    ended: watch::Sender<Option<Instant>>,
    /// Workers of this process send, so that it may have to write what they wait for.
    sends: AtomicBool,
    /// Deliveries in the stream, where that is looked at.
    held: Arc<AtomicU64>,
    watched: AtomicBool,
    /// Publishers that wait for the broker now.
    waiting: AtomicU64,
}

/// How many deliveries the stream holds, as was seen last.
#[derive(Debug, Clone)]
pub(crate) struct Held(std::sync::Weak<AtomicU64>);

impl Held {
    pub(crate) fn deliveries(&self) -> Option<usize> {
        let held = self.0.upgrade()?;
        Some(usize::try_from(held.load(Ordering::Relaxed)).unwrap_or(usize::MAX))
    }
}

impl Broker {
    /// The sending end, for messages of up to so many bytes; `ledger` is asked what became of a delivery whose answer
    /// got lost.
    #[must_use]
    pub fn queue(&self, message_bytes_max: usize, ledger: Arc<dyn Ledger>) -> Queue {
        self.0.sends.store(true, Ordering::Relaxed);
        Queue { way: Way::Broker(Publisher::new(self.clone(), ledger)), message_bytes_max }
    }

    /// The receiving ends of all lanes. No more than `writing_max` deliveries are handed out at a time.
    #[must_use]
    pub fn lanes(&self, writing_max: usize) -> Vec<Lane> {
        let slots = Arc::new(Semaphore::new(writing_max.max(1)));
        let taker = |lane| Taker::new(self.clone(), lane, Arc::clone(&slots));
        (0..LANES).map(|lane| Lane(Source::Broker(Box::new(taker(lane))))).collect()
    }

    /// For looking at how many deliveries the stream holds; they are counted every few seconds from now on.
    #[must_use]
    pub fn depth(&self) -> Depth {
        if !self.0.watched.swap(true, Ordering::Relaxed) {
            tokio::spawn(stream::count(Arc::downgrade(&self.0)));
        }
        Depth(Waiting::Broker(self.held()))
    }

    fn held(&self) -> Held {
        Held(Arc::downgrade(&self.0.held))
    }

    /// Whether a server answers.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Workers of this process that wait for the broker to take a delivery it did not take at once.
    #[must_use]
    pub fn waiting_publishers(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// This process comes to its end: nobody waits for long any more, and nothing more is taken; where its own workers have
    /// something on its way, that is given a moment.
    pub fn end(&self) {
        self.0.ended.send_if_modified(|ended| {
            let is_news = ended.is_none();
            ended.get_or_insert_with(Instant::now);
            is_news
        });
    }

    /// Lets what was answered leave this process.
    pub async fn flush(&self) {
        drop(tokio::time::timeout(REQUEST_MAX, self.0.client.flush()).await);
    }

    /// Returns when this process comes to its end.
    async fn ended(&self) {
        // If nobody is left to tell, it has ended as well.
        drop(self.0.ended.subscribe().wait_for(Option::is_some).await);
    }

    /// Returns when nothing more is to be taken.
    async fn taken_enough(&self) {
        self.ended().await;
        if let Some(until) = self.takes_until() {
            tokio::time::sleep_until(until).await;
        }
    }

    fn has_taken_enough(&self) -> bool {
        self.takes_until().is_some_and(|until| until <= Instant::now())
    }

    fn takes_until(&self) -> Option<Instant> {
        let linger = if self.0.sends.load(Ordering::Relaxed) { LINGER } else { Duration::ZERO };
        self.0.ended.borrow().map(|ended| ended + linger)
    }

    fn subject(&self, lane: u32) -> String {
        format!("{}.lane.{lane}", self.0.settings.stream)
    }
}

/// Something that the broker or its client said, as why it cannot be used.
fn unusable(why: impl Into<String>, help: impl Into<String>) -> Error {
    Error::Broker { why: why.into(), help: help.into() }
}
