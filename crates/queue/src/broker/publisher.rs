//! The sending end: deliveries into the stream, and what becomes of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use annals_model::{Delivery, PartitionLease};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::RawMessageErrorKind;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{AROUND_BYTES, Broker, Held, LANES};
use crate::{Error, form};

/// Header with the subject that the answer goes to.
pub(super) const ANSWER_TO: &str = "Annals-Answer-To";
/// Header by which the broker tells what it has already.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// A broker that did not take a delivery is tried again after this.
const TRY_EVERY: Duration = Duration::from_millis(250);
/// Every so many times it is seen whether there is a stream at all.
const TRIES_TO_LOOK: u32 = 8;
/// How often somebody who waits for an answer looks whether it got lost.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// An answer that was sent before the delivery was gone arrives within this.
const STRAY_MAX: Duration = Duration::from_secs(1);
/// People are told when no writer has answered for so long.
const TELL_AFTER: Duration = Duration::from_secs(30);
/// Nobody waits for longer than this once the process comes to its end.
const GRACE: Duration = Duration::from_millis(2_500);

/// What the history database says of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is written and committed.
    Written,
    /// Not yet.
    Awaited,
    /// It never will be: its partition has another owner.
    Stale,
}

/// The account of what is written, which is the truth where broker and writers fall silent.
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// How a delivery stands; `None` where that cannot be told now.
    fn standing<'l>(&'l self, lease: &'l PartitionLease, number: u64) -> BoxFuture<'l, Option<Standing>>;

    /// So many messages were written.
    fn written(&self, messages: u64);
}

/// The sending end of a partition's lane.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    broker: Broker,
    ledger: Arc<dyn Ledger>,
}

/// A delivery that the broker has.
#[derive(Debug)]
pub(crate) struct Sent {
    publisher: Publisher,
    lease: PartitionLease,
    number: u64,
    messages: u64,
    id: String,
    /// Its place in the stream.
    place: u64,
    question: u64,
    answer: oneshot::Receiver<Result<(), Error>>,
}

impl Publisher {
    pub(super) fn new(broker: Broker, ledger: Arc<dyn Ledger>) -> Self {
        Self { broker, ledger }
    }

    pub(crate) fn held(&self) -> Held {
        self.broker.held()
    }

    pub(crate) fn delivery_bytes_max(&self) -> usize {
        self.broker.0.client.max_payload().saturating_sub(AROUND_BYTES)
    }

    /// Returns when the broker has the delivery. It is sent under one id until then, so that it is kept once.
    pub(crate) async fn publish(&self, delivery: Delivery) -> Result<Sent, Error> {
        let Delivery { lease, number, messages, .. } = &delivery;
        let (lease, number, messages) = (lease.clone(), number.unwrap_or_default(), messages.len() as u64);
        let payload = form::write(&delivery)
            .map_err(|error| Error::Refused(format!("a delivery cannot be put into words: {error}")))?;
        drop(delivery);
        let payload_max = self.broker.0.client.max_payload() - AROUND_BYTES / 2;
        if payload.len() > payload_max {
            return Err(Error::Refused(format!(
                "a delivery has {} bytes, more than the {payload_max} that the broker's max_payload leaves: raise that, or lower lossLimit of the task",
                payload.len()
            )));
        }
        let (question, answer_to, answer) = self.broker.0.replies.ask();
        // The inbox tells this process from one that sent the like before the history database was restored.
        let id = format!("{}.{}.{}.{number}.{answer_to}", lease.run_id, lease.partition, lease.epoch);
        let lane = lane_of(&lease);
        let message = PublishMessage::build()
            .payload(payload.into())
            .header(MESSAGE_ID, id.as_str())
            .header(ANSWER_TO, answer_to.as_str());
        let place = match self.persist(lane, &message).await {
            Ok(place) => place,
            Err(error) => {
                self.broker.0.replies.forget(question);
                return Err(error);
            }
        };
        Ok(Sent { publisher: self.clone(), lease, number, messages, id, place, question, answer })
    }
}

impl Publisher {
    /// Sends a delivery until the broker says that it has it; its place in the stream.
    async fn persist(&self, lane: u32, message: &PublishMessage) -> Result<u64, Error> {
        let first = match self.attempt(lane, message).await {
            Ok(place) => return Ok(place),
            Err(why) => why,
        };
        self.broker.0.waiting.fetch_add(1, Ordering::Relaxed);
        let outcome = self.insist(lane, message, first).await;
        self.broker.0.waiting.fetch_sub(1, Ordering::Relaxed);
        outcome
    }

    async fn insist(&self, lane: u32, message: &PublishMessage, first: String) -> Result<u64, Error> {
        let patience = self.broker.0.settings.patience;
        let began = Instant::now();
        let mut left = self.time_left();
        let mut why = first;
        tracing::warn!("the broker did not take a delivery, which waits for it: {why}");
        for tries in 1.. {
            let again = async {
                tokio::time::sleep(TRY_EVERY).await;
                if tries % TRIES_TO_LOOK == 0 {
                    self.see_that_stream_is_there().await;
                }
                self.attempt(lane, message).await
            };
            let attempted = tokio::select! {
                () = &mut left => break,
                attempted = again => attempted,
            };
            match attempted {
                Ok(place) => {
                    let seconds = began.elapsed().as_secs();
                    tracing::info!("the broker has taken the delivery, after {seconds} s");
                    return Ok(place);
                }
                Err(problem) => why = problem,
            }
            if began.elapsed() > patience {
                return Err(Error::Deferred(format!(
                    "the broker has not taken a delivery for {} s (queue.nats.patienceSeconds): {why}",
                    patience.as_secs()
                )));
            }
        }
        Err(Error::Deferred(format!("the process ends, and the broker has not taken a delivery: {why}")))
    }

    /// Makes the stream anew where somebody deleted it, or a broker without disks came back empty. A stream that has no
    /// leader at this moment looks the same to who sends, so it is asked for by name.
    async fn see_that_stream_is_there(&self) {
        if let Ok(None) = self.broker.find_stream().await
            && let Err(trouble) = self.broker.make_stream().await
        {
            tracing::warn!("{}", trouble.error);
        }
    }

    async fn attempt(&self, lane: u32, message: &PublishMessage) -> Result<u64, String> {
        if !self.broker.is_connected() {
            return Err("none of its servers can be reached".to_owned());
        }
        let context = &self.broker.0.context;
        let published =
            async { context.send_publish(self.broker.subject(lane), message.clone()).await?.await };
        let published = tokio::select! {
            published = published => published,
            () = self.broker.reconnected() => return Err("the connection was lost meanwhile".to_owned()),
        };
        match published {
            Ok(kept) => Ok(kept.sequence),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Ends a while after the process was told to end.
    fn time_left(&self) -> BoxFuture<'static, ()> {
        let broker = self.broker.clone();
        Box::pin(async move {
            broker.ended().await;
            tokio::time::sleep(GRACE).await;
        })
    }

    /// Whether the stream still holds a delivery; `None` where that cannot be told now.
    async fn is_held(&self, place: u64, id: &str) -> Option<bool> {
        let stream = self.broker.0.context.get_stream_no_info(&self.broker.0.settings.stream).await.ok()?;
        match stream.get_raw_message(place).await {
            Ok(kept) => Some(kept.headers.get(MESSAGE_ID).is_some_and(|kept| kept.as_str() == id)),
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => Some(false),
                RawMessageErrorKind::JetStream(error) => {
                    [ErrorCode::NO_MESSAGE_FOUND, ErrorCode::STREAM_NOT_FOUND]
                        .contains(&error.error_code())
                        .then_some(false)
                }
                _ => None,
            },
        }
    }
}

/// The lane of a partition. Those of a run have different ones, as far as there are any.
fn lane_of(lease: &PartitionLease) -> u32 {
    let sum = lease.run_id.wrapping_add(lease.partition.into()).rem_euclid(LANES.into());
    u32::try_from(sum).unwrap_or_default()
}

impl Sent {
    /// Waits until the delivery is written. Where its answer gets lost, the history database has it.
    pub(crate) async fn written(mut self) -> Result<(), Error> {
        let outcome = self.outcome().await;
        self.publisher.broker.0.replies.forget(self.question);
        if outcome.is_ok() {
            self.publisher.ledger.written(self.messages);
        }
        outcome
    }

    async fn outcome(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let mut told = false;
        let mut left = self.publisher.time_left();
        loop {
            tokio::select! {
                Ok(outcome) = &mut self.answer => return outcome,
                () = &mut left => {
                    return Err(Error::Deferred("the process ends, and no writer has answered".to_owned()));
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // In this order: what is gone from the stream was answered for before the database is asked.
            let held = self.publisher.is_held(self.place, &self.id).await;
            match self.publisher.ledger.standing(&self.lease, self.number).await {
                Some(Standing::Written) => return Ok(()),
                Some(Standing::Stale) => {
                    return Err(Error::Refused("the partition has another owner by now".to_owned()));
                }
                Some(Standing::Awaited) if held == Some(false) => return self.stray().await,
                Some(Standing::Awaited) | None => {}
            }
            if !told && began.elapsed() > TELL_AFTER {
                told = true;
                tracing::warn!(
                    run = self.lease.run_id,
                    partition = self.lease.partition,
                    "no writer has answered for a delivery for {} s: see with `annals hosts` that hosts with the role writer are alive",
                    TELL_AFTER.as_secs()
                );
            }
        }
    }

    /// The delivery is gone, and not written: a writer refused it, or the broker lost it.
    async fn stray(&mut self) -> Result<(), Error> {
        match tokio::time::timeout(STRAY_MAX, &mut self.answer).await {
            Ok(Ok(outcome)) => outcome,
            _ => Err(Error::Deferred(
                "a delivery is gone from the broker, and neither written nor answered for".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn partitions_of_a_run_have_lanes_of_their_own_as_far_as_there_are_any() {
        for run_id in [0, 7, i64::MAX] {
            let lanes: HashSet<u32> =
                (0..16).map(|partition| lane_of(&PartitionLease { run_id, partition, epoch: 1 })).collect();
            assert_eq!(lanes.len(), 16, "run {run_id}");
            assert!(lanes.iter().all(|lane| *lane < LANES));
        }
    }
}
