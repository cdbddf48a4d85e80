//! The receiving end: one delivery of a lane after another, each kept ours while it is written.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::message::{AckKind, Acker};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Broker;
use super::publisher::ANSWER_TO;
use crate::{Answer, Asker, Error, Received, form};

/// How long one question for a delivery stands. A broker that loses it, with the server that had it, is asked again
/// a few seconds later.
const ASK_FOR: Duration = Duration::from_secs(5);
/// A lane that cannot be had is tried again after this.
const TRY_EVERY: Duration = Duration::from_millis(500);
/// People are told of a lane that could not be had for so long.
const TELL_AFTER: Duration = Duration::from_secs(15);

/// The receiving end of one lane.
#[derive(Debug)]
pub(crate) struct Taker {
    broker: Broker,
    lane: u32,
    consumer: Option<Consumer<pull::Config>>,
    slots: Arc<Semaphore>,
}

/// A delivery in this process' hands, until it is settled or let go: then another writer has it once it was silent for long.
#[derive(Debug)]
pub(crate) struct Claim {
    broker: Broker,
    hold: Hold,
    answer_to: Option<String>,
    _slot: OwnedSemaphorePermit,
}

/// Tells the broker while it lives that the delivery is being written.
struct Hold {
    acker: Arc<Acker>,
    telling: AbortHandle,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.telling.abort();
    }
}

impl Hold {
    fn begin(acker: Acker, silence_max: Duration) -> Self {
        let acker = Arc::new(acker);
        let told = Arc::clone(&acker);
        let telling = tokio::spawn(async move {
            loop {
                tokio::time::sleep(silence_max / 3).await;
                if let Err(error) = told.ack_with(AckKind::Progress).await {
                    tracing::debug!("the broker is not told that a delivery is being written: {error}");
                }
            }
        });
        Self { acker, telling: telling.abort_handle() }
    }
}

impl Taker {
    pub(super) fn new(broker: Broker, lane: u32, slots: Arc<Semaphore>) -> Self {
        Self { broker, lane, consumer: None, slots }
    }

    /// The next delivery; none once the process comes to its end.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        let broker = self.broker.clone();
        let mut failing: Option<Instant> = None;
        let mut told = false;
        while !broker.has_taken_enough() {
            let pulled = tokio::select! {
                pulled = self.pull() => pulled,
                () = broker.taken_enough() => return None,
            };
            match pulled {
                Ok(Some(message)) => match self.received(message).await {
                    Some(received) => return Some(received),
                    None => continue,
                },
                Ok(None) => failing = None,
                Err(why) => {
                    // A cluster that elects a leader says so of each lane, and has one in some seconds.
                    let since = failing.get_or_insert_with(Instant::now);
                    if !told && since.elapsed() > TELL_AFTER && broker.is_connected() {
                        told = true;
                        tracing::warn!(lane = self.lane, "nothing can be taken from the broker: {why}");
                    }
                    self.consumer = None;
                    tokio::select! {
                        () = tokio::time::sleep(TRY_EVERY) => {}
                        () = broker.taken_enough() => return None,
                    }
                }
            }
        }
        None
    }

    /// Asks for a delivery once.
    async fn pull(&mut self) -> Result<Option<async_nats::jetstream::Message>, String> {
        let consumer = match &self.consumer {
            Some(consumer) => consumer,
            None => {
                let consumer = self.broker.consumer(self.lane).await;
                self.consumer.insert(consumer.map_err(|error| error.to_string())?)
            }
        };
        let asked = consumer.batch().max_messages(1).expires(ASK_FOR).messages().await;
        let mut answers = asked.map_err(|error| error.to_string())?;
        tokio::select! {
            answer = answers.next() => answer.transpose().map_err(|error| error.to_string()),
            () = self.broker.reconnected() => Ok(None),
        }
    }

    /// What was taken, when there is time for it; nothing where it is no delivery, or the process ends first.
    async fn received(&self, message: async_nats::jetstream::Message) -> Option<Received> {
        let taken = message.info().ok().and_then(|info| u64::try_from(info.delivered).ok()).unwrap_or(1);
        let (message, acker) = message.split();
        let hold = Hold::begin(acker, self.broker.0.settings.silence_max);
        let slot = tokio::select! {
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok(),
            () = self.broker.taken_enough() => None,
        };
        let Some(slot) = slot else {
            drop(hold.acker.ack_with(AckKind::Nak(None)).await);
            return None;
        };
        let headers = message.headers.as_ref();
        let answer_to = headers.and_then(|headers| headers.get(ANSWER_TO)).map(|to| to.as_str().to_owned());
        let claim = Claim { broker: self.broker.clone(), hold, answer_to, _slot: slot };
        match form::read(&message.payload) {
            Ok(delivery) => {
                Some(Received { delivery, taken, answer: Answer(Asker::Broker(Box::new(claim))) })
            }
            Err(why) => {
                tracing::error!(lane = self.lane, "what came over the broker is no delivery: {why}");
                claim.settle(Err(Error::Refused(format!("a writer cannot read the delivery: {why}")))).await;
                None
            }
        }
    }
}

impl Claim {
    /// Answers for the delivery: the broker forgets it, and who sent it learns why.
    pub(crate) async fn settle(self, outcome: Result<(), Error>) {
        // Whatever of this gets lost, the next writer or the sender finds in the history database.
        if let Err(error) = self.hold.acker.ack().await {
            tracing::warn!("the broker is not told that a delivery is settled: {error}");
        }
        let Some(answer_to) = self.answer_to else { return };
        let answer = form::write_answer(&outcome);
        if let Err(error) = self.broker.0.client.publish(answer_to, answer.into()).await {
            tracing::warn!("the sender of a delivery is not told what became of it: {error}");
        }
    }
}
