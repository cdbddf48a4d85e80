//! What a partition has on its way to the writer.

use std::collections::{BTreeMap, VecDeque};

use annals_model::{
    Counters, Delivery, Message, ObjectFailure, ObjectKey, ObjectType, PartitionLease, RequestState, Stage,
};
use annals_queue::Receipt;
use annals_runs::Held;
use annals_runs::suspects::Suspects;
use annals_sql::fault;

use super::{Extractor, queue_error, runs_error};
use crate::Error;

/// What a partition has done, and what is still on its way to the database.
pub(super) struct Progress {
    pub(super) state: RequestState,
    /// Bytes of an image in the last batch, by object type.
    pub(super) mean_bytes: BTreeMap<ObjectType, usize>,
    pub(super) receipts: VecDeque<Receipt>,
    /// What may have killed workers before, of the whole task.
    pub(super) suspects: Suspects,
    /// Objects failed in the last chunk.
    pub(super) has_new_failures: bool,
}

impl Progress {
    /// Waits until there is room for one more delivery on its way.
    async fn room(&mut self, lease: &PartitionLease, waiting_max: usize) -> Result<(), Error> {
        while self.receipts.len() > waiting_max {
            self.next_written(lease).await?;
        }
        Ok(())
    }

    pub(super) async fn all_written(&mut self, lease: &PartitionLease) -> Result<(), Error> {
        while !self.receipts.is_empty() {
            self.next_written(lease).await?;
        }
        Ok(())
    }

    async fn next_written(&mut self, lease: &PartitionLease) -> Result<(), Error> {
        match self.receipts.pop_front() {
            Some(receipt) => receipt.written().await.map_err(|source| queue_error(lease, source)),
            None => Ok(()),
        }
    }
}

/// Messages on their way out, cut by count and by bytes.
pub(super) struct Outbox<'e> {
    extractor: &'e Extractor,
    pub(super) lease: &'e PartitionLease,
    /// Whether the lease is still this worker's.
    pub(super) held: &'e Held,
    messages: Vec<Message>,
    bytes: usize,
    pub(super) failures: Vec<ObjectFailure>,
    /// Objects of chunks that are done, whose state is not on its way yet.
    pub(super) unsaved: u64,
    /// Deliveries under this lease.
    sent: u64,
}

impl<'e> Outbox<'e> {
    pub(super) fn new(extractor: &'e Extractor, lease: &'e PartitionLease, held: &'e Held) -> Self {
        Self {
            extractor,
            lease,
            held,
            messages: Vec::new(),
            bytes: 0,
            failures: Vec::new(),
            unsaved: 0,
            sent: 0,
        }
    }

    /// Puts a message in, sending what is there when it is enough. `false` if the queue does not take the message.
    pub(super) async fn put(&mut self, message: Message, progress: &mut Progress) -> Result<bool, Error> {
        if let Err(error) = self.extractor.queue.admit(&message) {
            let ObjectKey { object_type, object_id, .. } = message.key;
            progress.state.counters.total_publishing_fails += 1;
            self.failures.push(ObjectFailure {
                object_type,
                object_id,
                stage: Stage::Publish,
                error: error.to_string(),
            });
            return Ok(false);
        }
        let bytes = self.extractor.queue.bytes_of(&message);
        if !self.messages.is_empty() && self.bytes + bytes > self.extractor.queue.delivery_bytes_max() {
            self.send(None, progress).await?;
        }
        self.bytes += bytes;
        self.messages.push(message);
        let settings = &self.extractor.settings;
        if self.messages.len() >= settings.batch_objects_max || self.bytes >= settings.batch_bytes_max {
            self.send(None, progress).await?;
        }
        Ok(true)
    }

    pub(super) fn fail(
        &mut self,
        object_type: ObjectType,
        object_id: String,
        stage: Stage,
        error: String,
        counters: &mut Counters,
    ) {
        counters.total_extracted_objects_failed += 1;
        self.failures.push(ObjectFailure { object_type, object_id, stage, error });
    }

    /// Sends the rest of the chunks that are done, with the state to save.
    pub(super) async fn save(&mut self, progress: &mut Progress) -> Result<(), Error> {
        if std::mem::take(&mut self.unsaved) == 0 {
            return Ok(());
        }
        let failures = std::mem::take(&mut self.failures);
        let checkpoint = RequestState { failures, ..progress.state.clone() };
        self.send(Some(checkpoint), progress).await
    }

    /// Sends what is there and waits until all of it is written.
    pub(super) async fn flush(&mut self, progress: &mut Progress) -> Result<(), Error> {
        if !self.messages.is_empty() {
            self.send(None, progress).await?;
        }
        progress.all_written(self.lease).await
    }

    async fn send(&mut self, checkpoint: Option<RequestState>, progress: &mut Progress) -> Result<(), Error> {
        progress.room(self.lease, self.extractor.settings.waiting_max).await?;
        self.bytes = 0;
        fault::point("worker.publishing").map_err(|source| runs_error(self.lease, source.into()))?;
        self.sent += 1;
        let delivery = Delivery {
            lease: self.lease.clone(),
            number: self.extractor.queue.is_over_broker().then_some(self.sent),
            messages: std::mem::take(&mut self.messages),
            checkpoint,
        };
        let receipt =
            self.extractor.queue.publish(delivery).await.map_err(|source| queue_error(self.lease, source))?;
        progress.receipts.push_back(receipt);
        fault::point("worker.published").map_err(|source| runs_error(self.lease, source.into()))
    }
}
