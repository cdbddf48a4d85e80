//! Whether the broker fits, its stream, and its lanes' consumers.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind, RequestErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};

use tokio::time::Instant;

use super::{AROUND_BYTES, Broker, Inner, LANES, unusable};
use crate::Error;

/// How often the deliveries in the stream are counted.
const COUNT_EVERY: Duration = Duration::from_secs(3);

/// A cluster that has just begun, or a stream that others make at this moment, is there within this.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What was found of a broker that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The version of the server that we are connected to.
    pub version: String,
    /// Bytes of the largest message that it takes.
    pub payload_max: usize,
    /// Deliveries that its stream holds; `None`: there is no stream yet.
    pub deliveries: Option<u64>,
    /// Servers that keep each delivery.
    pub replicas: usize,
    /// Whether writers listen.
    pub writers_listen: bool,
}

impl Broker {
    /// Whether the broker can do what is asked of it: JetStream, messages with documents of so many bytes, and a stream
    /// that keeps them, which is made or mended where `make` says so. A cluster that has no leader yet is given time.
    ///
    /// # Errors
    /// `Broker`, with the way out.
    pub async fn check(&self, document_bytes_max: usize, make: bool) -> Result<Fit, Error> {
        let began = Instant::now();
        loop {
            match self.look(document_bytes_max, make).await {
                Err(trouble) if trouble.passes && began.elapsed() < SETTLES_WITHIN => {
                    tracing::debug!("looked at again: {}", trouble.error);
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                outcome => return outcome.map_err(|trouble| trouble.error),
            }
        }
    }

    async fn look(&self, document_bytes_max: usize, make: bool) -> Result<Fit, Trouble> {
        let Inner { client, settings, .. } = &*self.0;
        self.has_jetstream().await?;
        let (payload_max, needed) = (client.max_payload(), document_bytes_max + AROUND_BYTES);
        if payload_max < needed {
            return Err(Trouble::stays(unusable(
                format!(
                    "the broker takes messages of up to {payload_max} bytes, and a document may need {needed}"
                ),
                "Raise max_payload in nats-server's configuration (64MB at most), or lower limits.documentBytesMax in annals.yaml.",
            )));
        }
        let found = self.find_stream().await?;
        let is_as_wanted = match &found {
            Some(found) => self.fits(found).map_err(Trouble::stays)?,
            None => false,
        };
        if make && !is_as_wanted {
            self.make_stream().await?;
        }
        Ok(Fit {
            version: client.server_info().version,
            payload_max,
            deliveries: found.as_ref().map(|found| found.state.messages),
            replicas: found.map_or(settings.replicas, |found| found.config.num_replicas),
            writers_listen: self.writers_listen().await,
        })
    }

    async fn has_jetstream(&self) -> Result<(), Trouble> {
        // The client's own question for the account does not understand the answer of a server before 2.10.
        let account = self.0.context.request::<_, _, serde_json::Value>("INFO", &()).await;
        let (why, passes) = match account {
            Ok(account) => {
                let Some(error) = account.get("error") else { return Ok(()) };
                (error.to_string(), error["err_code"] == ErrorCode::CLUSTER_NOT_AVAILABLE.0)
            }
            Err(error) => (error.to_string(), error.kind() == RequestErrorKind::TimedOut),
        };
        let error = unusable(
            format!("the broker has no JetStream for us: {why}"),
            "Give nats-server `jetstream { store_dir: ... }`, and this account the right to use it (docs/queue.md).",
        );
        Err(Trouble { error, passes })
    }

    pub(super) async fn find_stream(&self) -> Result<Option<Info>, Trouble> {
        let name = &self.0.settings.stream;
        let error = match self.0.context.get_stream(name).await {
            Ok(stream) => return Ok(Some(stream.cached_info().clone())),
            Err(error) => error,
        };
        let passes = match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                return Ok(None);
            }
            kind => kind == GetStreamErrorKind::Request,
        };
        Err(Trouble { error: unusable(format!("stream {name} of the broker: {error}"), RIGHTS_HELP), passes })
    }

    /// Whether a stream is as it is wanted, or can be mended.
    fn fits(&self, found: &Info) -> Result<bool, Error> {
        let wanted = self.stream_config();
        let name = &wanted.name;
        let is_ours = found.config.retention == wanted.retention
            && found.config.storage == wanted.storage
            && found.config.subjects == wanted.subjects;
        if is_ours {
            return Ok(found.config.num_replicas == wanted.num_replicas
                && found.config.duplicate_window == wanted.duplicate_window);
        }
        Err(unusable(
            format!(
                "stream {name} of the broker is another one: it must be a work queue, kept in files, of {}",
                wanted.subjects.join(", ")
            ),
            "Give queue.nats.stream in annals.yaml a name of its own; the stream is made.",
        ))
    }

    /// Makes the stream, or gives the one that is there its replicas and window for duplicates.
    pub(super) async fn make_stream(&self) -> Result<(), Trouble> {
        let wanted = self.stream_config();
        let name = wanted.name.clone();
        let replicas = wanted.num_replicas;
        let (why, passes) = match self.0.context.create_or_update_stream(wanted).await {
            Ok(made) if replicas == 1 || made.cluster.is_some() => return Ok(()),
            // Such a server takes the wish for more, and does nothing about it.
            Ok(_) => (format!("{replicas} replicas are wanted, and the server is alone"), false),
            // Nobody answers where two make it at the same moment.
            Err(error) => (error.to_string(), error.kind() == CreateStreamErrorKind::TimedOut),
        };
        let error = unusable(
            format!("stream {name} of the broker cannot be made as it is wanted: {why}"),
            "See that the broker has as many servers as queue.nats.replicas in annals.yaml says, room on its disks, and gives this user the rights in docs/queue.md.",
        );
        Err(Trouble { error, passes })
    }

    fn stream_config(&self) -> Config {
        let settings = &self.0.settings;
        Config {
            name: settings.stream.clone(),
            description: Some("Deliveries from Annals' extract workers to its writers".to_owned()),
            subjects: vec![format!("{}.lane.*", settings.stream)],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            num_replicas: settings.replicas,
            duplicate_window: settings.duplicate_window,
            max_messages: -1,
            max_bytes: -1,
            max_messages_per_subject: -1,
            max_message_size: -1,
            max_consumers: -1,
            ..Config::default()
        }
    }

    /// The consumer of a lane, which is made where it is missing. One delivery at a time is handed out, whoever asks, until it
    /// is answered for: that is what keeps a lane in order.
    pub(super) async fn consumer(&self, lane: u32) -> Result<Consumer<pull::Config>, Error> {
        let Inner { context, settings, .. } = &*self.0;
        let config = pull::Config {
            durable_name: Some(format!("lane-{lane}")),
            filter_subject: self.subject(lane),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: settings.silence_max,
            max_ack_pending: 1,
            max_deliver: -1,
            ..pull::Config::default()
        };
        let known = context
            .get_consumer_from_stream::<pull::Config, _, _>(format!("lane-{lane}"), &settings.stream)
            .await;
        match known {
            Ok(known) if known.cached_info().config.ack_wait == settings.silence_max => return Ok(known),
            Ok(_) | Err(_) => {}
        }
        context.create_consumer_on_stream(config, &settings.stream).await.map_err(|error| {
            unusable(format!("lane {lane} of the broker cannot be had: {error}"), RIGHTS_HELP)
        })
    }

    /// Whether a writer asks for deliveries, or has one.
    pub async fn writers_listen(&self) -> bool {
        let Inner { context, settings, .. } = &*self.0;
        for lane in 0..LANES {
            let consumer = context
                .get_consumer_from_stream::<pull::Config, _, _>(format!("lane-{lane}"), &settings.stream)
                .await;
            let listens = |info: &async_nats::jetstream::consumer::Info| {
                info.num_waiting > 0 || info.num_ack_pending > 0
            };
            match consumer {
                Ok(consumer) if listens(consumer.cached_info()) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }
}

/// Why a broker cannot be used now.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) error: Error,
    /// It may well be gone in a moment.
    passes: bool,
}

impl Trouble {
    fn stays(error: Error) -> Self {
        Self { error, passes: false }
    }
}

const RIGHTS_HELP: &str = "See that this user has the rights that docs/queue.md lists.";

/// Counts the deliveries in the stream while anybody uses the broker.
pub(super) async fn count(broker: Weak<Inner>) {
    while let Some(inner) = broker.upgrade() {
        if let Ok(stream) = inner.context.get_stream(&inner.settings.stream).await {
            inner.held.store(stream.cached_info().state.messages, Ordering::Relaxed);
        }
        drop(inner);
        tokio::time::sleep(COUNT_EVERY).await;
    }
}
