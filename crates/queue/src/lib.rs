//! Extract to writer transport, in process: bounded lanes, each in order, with an acknowledgement per delivery.
//!
//! A worker publishes to one lane, so what a partition comes to is written in the order in which it was read. A full
//! lane makes the publisher wait: that is the back-pressure. A [`Receipt`] resolves when the delivery is written and
//! committed, or says why not.

use annals_model::{Delivery, Message, Operation};
use tokio::sync::{mpsc, oneshot};

/// What can go wrong on the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The message is larger than the queue takes: it fails to publish, its neighbours do not.
    #[error("the message has {bytes} bytes, more than queue.messageBytesMax = {bytes_max}")]
    TooLarge {
        /// Size of the message.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
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
}

/// Bytes that a message has beside its document: key, names, times.
const MESSAGE_OVERHEAD_BYTES: usize = 256;

/// The sending end of one lane.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: mpsc::Sender<Received>,
    message_bytes_max: usize,
}

/// How many deliveries wait in a lane, for whoever looks on; it does not keep the lane open.
#[derive(Debug, Clone)]
pub struct Depth(mpsc::WeakSender<Received>);

/// The receiving end of one lane.
#[derive(Debug)]
pub struct Lane {
    receiver: mpsc::Receiver<Received>,
}

/// A delivery on the receiving end.
#[derive(Debug)]
pub struct Received {
    /// The delivery.
    pub delivery: Delivery,
    acknowledge: oneshot::Sender<Result<(), Error>>,
}

/// The promise that a published delivery will be written.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<(), Error>>);

/// Makes a lane that holds up to `capacity` deliveries that nobody has taken yet.
#[must_use]
pub fn in_process(capacity: usize, message_bytes_max: usize) -> (Queue, Lane) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    (Queue { sender, message_bytes_max }, Lane { receiver })
}

impl Queue {
    /// Whether the queue takes a message of this size.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn admit(&self, message: &Message) -> Result<(), Error> {
        let document = match &message.operation {
            Operation::Capture(captured) => captured.bytes.len(),
            Operation::Delete => 0,
        };
        let bytes = MESSAGE_OVERHEAD_BYTES + document;
        if bytes > self.message_bytes_max {
            return Err(Error::TooLarge { bytes, bytes_max: self.message_bytes_max });
        }
        Ok(())
    }

    /// For looking at how many deliveries wait.
    #[must_use]
    pub fn depth(&self) -> Depth {
        Depth(self.sender.downgrade())
    }

    /// Publishes a delivery; waits while the lane is full.
    ///
    /// # Errors
    /// `Closed` when the writer is gone.
    pub async fn publish(&self, delivery: Delivery) -> Result<Receipt, Error> {
        let (acknowledge, receipt) = oneshot::channel();
        self.sender.send(Received { delivery, acknowledge }).await.map_err(|_| Error::Closed)?;
        Ok(Receipt(receipt))
    }
}

impl Depth {
    /// Deliveries that nobody has taken yet; `None` when every sending end is gone.
    #[must_use]
    pub fn waiting(&self) -> Option<usize> {
        self.0.upgrade().map(|sender| sender.max_capacity() - sender.capacity())
    }
}

impl Lane {
    /// The next delivery; `None` when every sending end is gone and the lane is drained.
    pub async fn next(&mut self) -> Option<Received> {
        self.receiver.recv().await
    }
}

impl Received {
    /// Takes the delivery out, leaving what answers for it.
    #[must_use]
    pub fn into_parts(self) -> (Delivery, Answer) {
        (self.delivery, Answer(self.acknowledge))
    }
}

/// Answers for a delivery; dropped without an answer it says `Closed`.
#[derive(Debug)]
pub struct Answer(oneshot::Sender<Result<(), Error>>);

impl Answer {
    /// The delivery is written and committed.
    pub fn acknowledge(self) {
        // Nobody listens any more where the worker was stopped; the product is committed all the same.
        drop(self.0.send(Ok(())));
    }

    /// The delivery could not be written; `why` says whether it may be later.
    pub fn refuse(self, why: Error) {
        drop(self.0.send(Err(why)));
    }
}

impl Receipt {
    /// Waits until the delivery is written.
    ///
    /// # Errors
    /// `Refused` or `Deferred` with the writer's reason; `Closed` when the writer is gone.
    pub async fn written(self) -> Result<(), Error> {
        self.0.await.unwrap_or(Err(Error::Closed))
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
        Delivery { lease, messages: vec![message], checkpoint: None }
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
        lane.next().await.expect("first").into_parts().1.acknowledge();
        lane.next().await.expect("second").into_parts().1.refuse(Error::Refused("disk full".to_owned()));
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
        assert_eq!(queue.admit(&message), Err(Error::TooLarge { bytes: 256, bytes_max: 255 }));
    }
}
