//! Extract to writer transport: bounded lanes, each in order, with an acknowledgement per delivery; in process, or over a
//! broker to the writers of other hosts.
//!
//! A worker publishes to one lane, so what a partition comes to is written in the order in which it was read. A full
//! lane makes the publisher wait: that is the back-pressure. A [`Receipt`] resolves when the delivery is written and
//! committed, or says why not.

mod broker;
mod form;

use annals_model::{Delivery, Message, Operation};
use tokio::sync::{mpsc, oneshot};

pub use broker::{Broker, BrokerSettings, Fit, LANES, Ledger, Login, Standing, Tls};

/// What can go wrong on the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The message is larger than the queue takes: it fails to publish, its neighbours do not.
    #[error("the message has {bytes} bytes, more than {limit} = {bytes_max}")]
    TooLarge {
        /// Size of the message.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
        /// What sets it.
        limit: &'static str,
    },
    /// The writer is gone.
    #[error("the writer has stopped")]
    Closed,
    /// The writer could not write the delivery; its reason.
    #[error("{0}")]
    Refused(String),
    /// The writer could not write the delivery now, and may later, sent anew; its reason.
    #[error("{0}")]
    Deferred(String),
    /// The broker cannot be used.
    #[error("{why}")]
    Broker {
        /// What is in the way.
        why: String,
        /// The way out.
        help: String,
    },
}

/// Bytes that a message has beside its document: key, names, times.
const MESSAGE_OVERHEAD_BYTES: usize = 256;

/// The sending end of one lane.
#[derive(Debug, Clone)]
pub struct Queue {
    way: Way,
    message_bytes_max: usize,
}

#[derive(Debug, Clone)]
enum Way {
    InProcess(mpsc::Sender<Received>),
    Broker(broker::Publisher),
}

/// How many deliveries wait, for whoever looks on; it does not keep a lane open.
#[derive(Debug, Clone)]
pub struct Depth(Waiting);

#[derive(Debug, Clone)]
enum Waiting {
    InProcess(mpsc::WeakSender<Received>),
    Broker(broker::Held),
}

/// The receiving end of one lane.
#[derive(Debug)]
pub struct Lane(Source);

#[derive(Debug)]
enum Source {
    InProcess(mpsc::Receiver<Received>),
    Broker(Box<broker::Taker>),
}

/// A delivery on the receiving end.
#[derive(Debug)]
pub struct Received {
    /// The delivery.
    pub delivery: Delivery,
    taken: u64,
    answer: Answer,
}

/// The promise that a published delivery will be written.
#[derive(Debug)]
pub struct Receipt(Promise);

#[derive(Debug)]
enum Promise {
    InProcess(oneshot::Receiver<Result<(), Error>>),
    Broker(Box<broker::Sent>),
}

/// Answers for a delivery; dropped without an answer, one in process says `Closed`, one of a broker's is delivered again.
#[derive(Debug)]
pub struct Answer(Asker);

#[derive(Debug)]
enum Asker {
    InProcess(oneshot::Sender<Result<(), Error>>),
    Broker(Box<broker::Claim>),
}

/// Makes a lane in process that holds up to `capacity` deliveries that nobody has taken yet.
#[must_use]
pub fn in_process(capacity: usize, message_bytes_max: usize) -> (Queue, Lane) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    (Queue { way: Way::InProcess(sender), message_bytes_max }, Lane(Source::InProcess(receiver)))
}

impl Queue {
    /// Whether deliveries leave this process: then they are numbered, for they may arrive twice.
    #[must_use]
    pub fn is_over_broker(&self) -> bool {
        matches!(self.way, Way::Broker(_))
    }

    /// Whether the queue takes a message of this size.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn admit(&self, message: &Message) -> Result<(), Error> {
        let bytes = MESSAGE_OVERHEAD_BYTES + document_bytes(message);
        let bytes_max = self.message_bytes_max;
        if bytes > bytes_max {
            return Err(Error::TooLarge { bytes, bytes_max, limit: "queue.messageBytesMax" });
        }
        let (bytes, bytes_max) = (self.bytes_of(message), self.delivery_bytes_max());
        if bytes > bytes_max {
            return Err(Error::TooLarge { bytes, bytes_max, limit: "what max_payload of the broker leaves" });
        }
        Ok(())
    }

    /// Bytes that a message takes in a delivery: those of its document; over a broker, all of them at the most.
    #[must_use]
    pub fn bytes_of(&self, message: &Message) -> usize {
        match &self.way {
            Way::InProcess(_) => document_bytes(message),
            Way::Broker(_) => form::bytes_at_most(message),
        }
    }

    /// The messages of a delivery have no more bytes than this.
    #[must_use]
    pub fn delivery_bytes_max(&self) -> usize {
        match &self.way {
            Way::InProcess(_) => usize::MAX,
            Way::Broker(publisher) => publisher.delivery_bytes_max(),
        }
    }

    /// For looking at how many deliveries wait.
    #[must_use]
    pub fn depth(&self) -> Depth {
        Depth(match &self.way {
            Way::InProcess(sender) => Waiting::InProcess(sender.downgrade()),
            Way::Broker(publisher) => Waiting::Broker(publisher.held()),
        })
    }

    /// Publishes a delivery; waits while the lane is full, or the broker is away. Over a broker, one after another: the
    /// next delivery of a partition is published when the broker has this one.
    ///
    /// # Errors
    /// `Closed` when the writer is gone; `Deferred` where the broker stays away; `Refused` where it never takes it.
    pub async fn publish(&self, delivery: Delivery) -> Result<Receipt, Error> {
        match &self.way {
            Way::InProcess(sender) => {
                let (told, receipt) = oneshot::channel();
                let received = Received { delivery, taken: 1, answer: Answer(Asker::InProcess(told)) };
                sender.send(received).await.map_err(|_| Error::Closed)?;
                Ok(Receipt(Promise::InProcess(receipt)))
            }
            Way::Broker(publisher) => {
                Ok(Receipt(Promise::Broker(Box::new(publisher.publish(delivery).await?))))
            }
        }
    }
}

fn document_bytes(message: &Message) -> usize {
    match &message.operation {
        Operation::Capture(captured) => captured.bytes.len(),
        Operation::Delete => 0,
    }
}

impl Depth {
    /// Deliveries that nobody has written yet; `None` when the queue is gone.
    #[must_use]
    pub fn waiting(&self) -> Option<usize> {
        match &self.0 {
            Waiting::InProcess(sender) => {
                sender.upgrade().map(|sender| sender.max_capacity() - sender.capacity())
            }
            Waiting::Broker(held) => held.deliveries(),
        }
    }
}

impl Lane {
    /// The next delivery; `None` when every sending end is gone and the lane is drained, or the broker is done with.
    pub async fn next(&mut self) -> Option<Received> {
        match &mut self.0 {
            Source::InProcess(receiver) => receiver.recv().await,
            Source::Broker(taker) => taker.next().await,
        }
    }
}

impl Received {
    /// How many writers have taken it up until now, this one included.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes the delivery out, leaving what answers for it.
    #[must_use]
    pub fn into_parts(self) -> (Delivery, Answer) {
        (self.delivery, self.answer)
    }
}

impl Answer {
    /// The delivery is written and committed.
    pub async fn acknowledge(self) {
        self.tell(Ok(())).await;
    }

    /// The delivery could not be written; `why` says whether it may be later.
    pub async fn refuse(self, why: Error) {
        self.tell(Err(why)).await;
    }

    async fn tell(self, outcome: Result<(), Error>) {
        match self.0 {
            // Nobody listens any more where the worker was stopped; the product is committed all the same.
            Asker::InProcess(told) => drop(told.send(outcome)),
            Asker::Broker(claim) => claim.settle(outcome).await,
        }
    }
}

impl Receipt {
    /// Waits until the delivery is written.
    ///
    /// # Errors
    /// `Refused` or `Deferred` with the writer's reason; `Closed` when the writer is gone.
    pub async fn written(self) -> Result<(), Error> {
        match self.0 {
            Promise::InProcess(told) => told.await.unwrap_or(Err(Error::Closed)),
            Promise::Broker(sent) => sent.written().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use annals_model::{ObjectKey, ObjectType, PartitionLease};

    use super::*;

    fn delivery(partition: i32, name: &str) -> Delivery {
        let message = Message {
            key: ObjectKey {
                source: Arc::from("s"),
                object_type: ObjectType::Role,
                object_id: name.to_owned(),
            },
            name: name.to_owned(),
            identity: None,
            occurred_ms: 1,
            observed_ms: 2,
            transform: Arc::from("t"),
            operation: Operation::Delete,
        };
        let lease = PartitionLease { run_id: 1, partition, epoch: 1 };
        Delivery { lease, number: None, messages: vec![message], checkpoint: None }
    }

    #[tokio::test]
    async fn what_is_published_arrives_in_its_order() {
        let (queue, mut lane) = in_process(4, 1_000);
        for name in ["a", "b", "c"] {
            queue.publish(delivery(1, name)).await.expect("publishes");
        }
        drop(queue);
        let mut names = Vec::new();
        while let Some(received) = lane.next().await {
            names.push(received.delivery.messages[0].name.clone());
        }
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn what_waits_can_be_counted_without_holding_the_lane_open() {
        let (queue, mut lane) = in_process(4, 1_000);
        let depth = queue.depth();
        assert_eq!(depth.waiting(), Some(0));
        for name in ["a", "b", "c"] {
            queue.publish(delivery(1, name)).await.expect("publishes");
        }
        assert_eq!(depth.waiting(), Some(3));
        lane.next().await.expect("first");
        assert_eq!(depth.waiting(), Some(2));
        drop(queue);
        assert_eq!(depth.waiting(), None);
        assert!(lane.next().await.is_some() && lane.next().await.is_some());
        assert!(lane.next().await.is_none(), "the lane has ended");
    }

    #[tokio::test]
    async fn a_receipt_tells_what_became_of_the_delivery() {
        let (queue, mut lane) = in_process(4, 1_000);
        let mut receipts = Vec::new();
        for name in ["a", "b", "c"] {
            receipts.push(queue.publish(delivery(0, name)).await.expect("publishes"));
        }
        lane.next().await.expect("first").into_parts().1.acknowledge().await;
        lane.next()
            .await
            .expect("second")
            .into_parts()
            .1
            .refuse(Error::Refused("disk full".to_owned()))
            .await;
        drop(lane);
        let mut outcomes = Vec::new();
        for receipt in receipts {
            outcomes.push(receipt.written().await);
        }
        assert_eq!(outcomes, [Ok(()), Err(Error::Refused("disk full".to_owned())), Err(Error::Closed)]);
    }

    #[tokio::test]
    async fn a_message_over_the_cap_is_not_admitted() {
        let (queue, _lane) = in_process(1, 255);
        let message = delivery(0, "a").messages.remove(0);
        assert_eq!(
            queue.admit(&message),
            Err(Error::TooLarge { bytes: 256, bytes_max: 255, limit: "queue.messageBytesMax" })
        );
    }
}
