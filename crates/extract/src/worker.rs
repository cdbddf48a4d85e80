//! The partition worker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use annals_model::{
    CapturedImage, Counters, Delivery, Message, ObjectFailure, ObjectKey, ObjectType, Operation,
    PartitionLease, RequestState, Stage, TaskStatus, error_chain,
};
use annals_queue::{Queue, Receipt};
use annals_runs::{Chunk, ChunkKind, Claimed, Held, Leases, Objects, RunMessage, partitions, run};
use annals_source::{Loaded, LoadedBatch, Selection, Source};
use annals_sql::{Db, Tx};

use crate::{Error, ImagePlan};

/// Objects loaded at a time of a type whose size is not known yet.
const FIRST_BATCH_OBJECTS: usize = 100;

/// How a worker cuts its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractSettings {
    /// Objects loaded and published at a time, at most.
    pub batch_objects_max: usize,
    /// Bytes of documents loaded and published at a time, about; a batch is cut when it has reached this.
    pub batch_bytes_max: usize,
    /// Deliveries of a partition that wait for the writer while it works on one and the next one is loaded: what is in
    /// memory stays bounded, and neither waits for the other.
    pub waiting_max: usize,
    /// Bytes of one image.
    pub document_bytes_max: usize,
    /// Depth of an image.
    pub nesting_max: usize,
    /// How long a claim lasts without a sign of life, milliseconds of the database's clock.
    pub lease_ms: i64,
}

/// Asks workers to stop after the batch in hand.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Works on the partitions of runs; one for each worker slot, or one shared by all.
#[derive(Clone)]
pub struct Extractor {
    /// The identity system.
    pub source: Arc<Source>,
    /// Name of the source profile, the first part of every object key.
    pub source_name: Arc<str>,
    /// Name of the transform configuration.
    pub transform: Arc<str>,
    /// How images are made, by object type.
    pub plans: Arc<BTreeMap<ObjectType, ImagePlan>>,
    /// The way to the writer.
    pub queue: Queue,
    /// How the work is cut.
    pub settings: ExtractSettings,
    /// Asks it to stop.
    pub stop: Stop,
    /// Where its leases are renewed, and found to be lost.
    pub leases: Leases,
}

impl Extractor {
    /// Claims and works on partitions of a run until there is none left, or until it is asked to stop. The number of
    /// partitions that it ended. One that was taken over meanwhile is its new owner's (TRAP-06): the next one is claimed.
    ///
    /// # Errors
    /// The first failure that ends a partition; the partition is then marked as failed, with a message of the run, or
    /// given back where the failure is a passing one.
    pub async fn work(&self, history: &Db, run_id: i64, worker: &str) -> Result<u32, Error> {
        let mut ended = 0;
        while !self.stop.asked() {
            let claim_error = |source| Error::Claim { run_id, source };
            let mut tx = history.begin().await.map_err(|e| claim_error(e.into()))?;
            let claimed = partitions::claim(&mut tx, run_id, worker, self.settings.lease_ms)
                .await
                .map_err(claim_error)?;
            tx.commit().await.map_err(|e| claim_error(e.into()))?;
            let Some(claimed) = claimed else { break };
            let lease = claimed.lease.clone();
            let held = self.leases.hold(lease.clone());
            tracing::info!(
                run = run_id,
                partition = lease.partition,
                epoch = lease.epoch,
                worker,
                "partition {} claimed, {} chunks done before",
                lease.partition,
                claimed.state.chunks_done
            );
            let outcome = self.work_on(history, claimed, &held).await;
            let released = match &outcome {
                Ok(true) => Ok(()),
                Ok(false) => release(history, &lease, None).await,
                Err(error) if error.is_passing() => release(history, &lease, None).await,
                Err(error) => release(history, &lease, Some(error)).await,
            };
            match (outcome, released) {
                (Ok(done), Ok(())) => ended += u32::from(done),
                // A lease that was taken over is nobody's to give back, nor is it a failure.
                (_, Err(annals_runs::Error::StaleLease { .. })) => {
                    tracing::warn!(
                        run = run_id,
                        partition = lease.partition,
                        epoch = lease.epoch,
                        worker,
                        "partition {} was taken over; its new owner goes on with it",
                        lease.partition
                    );
                }
                (Err(error), _) => return Err(error),
                (Ok(_), Err(source)) => return Err(runs_error(&lease, source)),
            }
        }
        Ok(ended)
    }

    /// Whether the work on a partition is to end before its end.
    fn ends_early(&self, held: &Held) -> bool {
        self.stop.asked() || held.lost()
    }

    /// Works on one partition from its last saved chunk on; `false` if it was asked to stop, or the lease was found to
    /// be lost, before the end.
    async fn work_on(&self, history: &Db, claimed: Claimed, held: &Held) -> Result<bool, Error> {
        let lease = claimed.lease;
        let mut progress =
            Progress { state: claimed.state, mean_bytes: BTreeMap::new(), receipts: VecDeque::new() };
        let chunks = {
            let mut tx = read(history, &lease).await?;
            partitions::chunks(&mut tx, &lease, progress.state.chunks_done)
                .await
                .map_err(|source| runs_error(&lease, source))?
        };
        for chunk in chunks {
            if self.ends_early(held) {
                progress.all_written(&lease).await?;
                return Ok(false);
            }
            let objects = {
                let mut tx = read(history, &lease).await?;
                partitions::chunk_objects(&mut tx, &lease, chunk.number)
                    .await
                    .map_err(|source| runs_error(&lease, source))?
            };
            if !self.work_on_chunk(&lease, chunk, objects, held, &mut progress).await? {
                progress.all_written(&lease).await?;
                return Ok(false);
            }
        }
        progress.all_written(&lease).await?;
        Ok(true)
    }

    /// Works on one chunk; `false` if it ends early: what was sent of it is written, and read again by the next owner.
    async fn work_on_chunk(
        &self,
        lease: &PartitionLease,
        chunk: Chunk,
        objects: Objects,
        held: &Held,
        progress: &mut Progress,
    ) -> Result<bool, Error> {
        let mut outbox = Outbox::new(self, lease);
        match objects {
            Objects::Deleted(deleted) => {
                let observed_ms = self.source.now_ms().await.map_err(|source| source_error(lease, source))?;
                for object in deleted {
                    let message = Message {
                        key: self.key(chunk.object_type, object.id.clone()),
                        name: object.id,
                        identity: None,
                        occurred_ms: object.at,
                        observed_ms,
                        transform: Arc::clone(&self.transform),
                        operation: Operation::Delete,
                    };
                    if outbox.put(message, progress).await? {
                        progress.state.counters.total_deletion_extracted_objects_dispatched += 1;
                    }
                }
            }
            Objects::Ids(ids) => {
                let Some(plan) = self.plans.get(&chunk.object_type) else {
                    return Err(Error::NoImage {
                        run_id: lease.run_id,
                        partition: lease.partition,
                        object_type: chunk.object_type,
                    });
                };
                let selection = Selection::Properties(plan.properties().clone());
                let mut rest = ids.as_slice();
                while !rest.is_empty() {
                    if self.ends_early(held) {
                        return Ok(false);
                    }
                    let known = progress.mean_bytes.get(&chunk.object_type).copied();
                    let (ids, later) = rest.split_at(batch_objects(&self.settings, known).min(rest.len()));
                    rest = later;
                    let batch = self
                        .source
                        .load(chunk.object_type, ids, &selection)
                        .await
                        .map_err(|source| source_error(lease, source))?;
                    self.publish_batch(chunk, plan, batch, &mut outbox, progress).await?;
                }
            }
        }
        debug_assert!(chunk.kind != ChunkKind::Deleted || outbox.failures.is_empty());
        outbox.close(progress).await?;
        Ok(true)
    }

    async fn publish_batch(
        &self,
        chunk: Chunk,
        plan: &ImagePlan,
        batch: LoadedBatch,
        outbox: &mut Outbox<'_>,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let counters = &mut progress.state.counters;
        let loaded = batch.objects.len() + batch.missing.len() + batch.failed.len();
        counters.total_seen_objects += loaded as u64;
        counters.total_extracted_objects_not_found += batch.missing.len() as u64;
        for (object_id, error) in batch.failed {
            outbox.fail(chunk.object_type, object_id, Stage::Load, error, counters);
        }
        let observed_ms = batch.observed_ms;
        let (mut objects, mut bytes) = (0, 0);
        for object in batch.objects {
            match self.message(chunk.object_type, plan, object, observed_ms) {
                Ok(message) => {
                    objects += 1;
                    bytes += bytes_of(&message);
                    progress.state.counters.total_extracted_objects += 1;
                    if outbox.put(message, progress).await? {
                        progress.state.counters.total_extracted_objects_published += 1;
                    }
                }
                Err((object_id, error)) => {
                    outbox.fail(
                        chunk.object_type,
                        object_id,
                        Stage::Transform,
                        error,
                        &mut progress.state.counters,
                    );
                }
            }
        }
        if let Some(mean) = usize::checked_div(bytes, objects) {
            progress.mean_bytes.insert(chunk.object_type, mean);
        }
        Ok(())
    }

    fn message(
        &self,
        object_type: ObjectType,
        plan: &ImagePlan,
        object: Loaded,
        observed_ms: i64,
    ) -> Result<Message, (String, String)> {
        let made = plan
            .make(
                &object.id,
                object.properties,
                self.source.secrets(),
                self.settings.document_bytes_max,
                self.settings.nesting_max,
            )
            .map_err(|error| (object.id.clone(), error.to_string()))?;
        Ok(Message {
            key: self.key(object_type, object.id),
            name: object.name,
            identity: object.identity,
            occurred_ms: object.occurred_ms,
            observed_ms,
            transform: Arc::clone(&self.transform),
            operation: Operation::Capture(CapturedImage {
                image: made.image,
                bytes: made.bytes,
                hashes: made.hashes,
                include_hash: plan.include_hash(),
                schema: Arc::clone(plan.schema()),
            }),
        })
    }

    fn key(&self, object_type: ObjectType, object_id: String) -> ObjectKey {
        ObjectKey { source: Arc::clone(&self.source_name), object_type, object_id }
    }
}

/// Gives a partition back, to be claimed again, or as failed: then the run is told why, for whoever finishes it.
async fn release(history: &Db, lease: &PartitionLease, failure: Option<&Error>) -> annals_runs::Result<()> {
    let mut tx = history.begin().await?;
    if let Some(failure) = failure {
        run::lock(&mut tx, lease.run_id).await?;
        let message = RunMessage { status: TaskStatus::Error, text: error_chain(failure) };
        run::add_messages(&mut tx, lease.run_id, &[message]).await?;
    }
    partitions::release(&mut tx, lease, failure.is_some()).await?;
    Ok(tx.commit().await?)
}

/// What a partition has done, and what is still on its way to the database.
struct Progress {
    state: RequestState,
    /// Bytes of an image in the last batch, by object type.
    mean_bytes: BTreeMap<ObjectType, usize>,
    receipts: VecDeque<Receipt>,
}

impl Progress {
    /// Waits until there is room for one more delivery on its way.
    async fn room(&mut self, lease: &PartitionLease, waiting_max: usize) -> Result<(), Error> {
        while self.receipts.len() > waiting_max {
            self.next_written(lease).await?;
        }
        Ok(())
    }

    async fn all_written(&mut self, lease: &PartitionLease) -> Result<(), Error> {
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

/// Messages of a chunk on their way out, cut by count and by bytes.
struct Outbox<'e> {
    extractor: &'e Extractor,
    lease: &'e PartitionLease,
    messages: Vec<Message>,
    bytes: usize,
    failures: Vec<ObjectFailure>,
}

impl<'e> Outbox<'e> {
    fn new(extractor: &'e Extractor, lease: &'e PartitionLease) -> Self {
        Self { extractor, lease, messages: Vec::new(), bytes: 0, failures: Vec::new() }
    }

    /// Puts a message in, sending what is there when it is enough. `false` if the queue does not take the message.
    async fn put(&mut self, message: Message, progress: &mut Progress) -> Result<bool, Error> {
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
        self.bytes += bytes_of(&message);
        self.messages.push(message);
        let settings = &self.extractor.settings;
        if self.messages.len() >= settings.batch_objects_max || self.bytes >= settings.batch_bytes_max {
            self.send(None, progress).await?;
        }
        Ok(true)
    }

    fn fail(
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

    /// Ends the chunk: the rest of the messages goes out with the state to save.
    async fn close(mut self, progress: &mut Progress) -> Result<(), Error> {
        progress.state.chunks_done += 1;
        let failures = std::mem::take(&mut self.failures);
        let checkpoint = RequestState { failures, ..progress.state.clone() };
        self.send(Some(checkpoint), progress).await
    }

    async fn send(&mut self, checkpoint: Option<RequestState>, progress: &mut Progress) -> Result<(), Error> {
        progress.room(self.lease, self.extractor.settings.waiting_max).await?;
        self.bytes = 0;
        let delivery =
            Delivery { lease: self.lease.clone(), messages: std::mem::take(&mut self.messages), checkpoint };
        let receipt =
            self.extractor.queue.publish(delivery).await.map_err(|source| queue_error(self.lease, source))?;
        progress.receipts.push_back(receipt);
        Ok(())
    }
}

/// How many objects are loaded at a time, when the last ones of their type had `mean_bytes` each: what is loaded is to
/// become one delivery, and takes many times the room of its bytes until then.
fn batch_objects(settings: &ExtractSettings, mean_bytes: Option<usize>) -> usize {
    let by_bytes = mean_bytes.map_or(FIRST_BATCH_OBJECTS, |mean| settings.batch_bytes_max / mean.max(1));
    by_bytes.clamp(1, settings.batch_objects_max.max(1))
}

fn bytes_of(message: &Message) -> usize {
    match &message.operation {
        Operation::Capture(captured) => captured.bytes.len(),
        Operation::Delete => 0,
    }
}

async fn read(history: &Db, lease: &PartitionLease) -> Result<Tx, Error> {
    history.begin_read().await.map_err(|source| runs_error(lease, source.into()))
}

fn runs_error(lease: &PartitionLease, source: annals_runs::Error) -> Error {
    Error::Runs { run_id: lease.run_id, partition: lease.partition, source }
}

fn source_error(lease: &PartitionLease, source: annals_source::Error) -> Error {
    Error::Source { run_id: lease.run_id, partition: lease.partition, source }
}

fn queue_error(lease: &PartitionLease, source: annals_queue::Error) -> Error {
    Error::Queue { run_id: lease.run_id, partition: lease.partition, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 MiB of images of 8 KiB are 128; small ones come by the count, huge ones one at a time.
    #[test]
    fn batches_are_cut_by_bytes_as_well_as_by_count() {
        let settings = ExtractSettings {
            batch_objects_max: 500,
            batch_bytes_max: 1 << 20,
            waiting_max: 1,
            document_bytes_max: 1 << 30,
            nesting_max: 100,
            lease_ms: 1,
        };
        let sizes = [None, Some(8 << 10), Some(700), Some(0), Some(5 << 20)];
        let expected = [FIRST_BATCH_OBJECTS, 128, 500, 500, 1];
        assert_eq!(sizes.map(|mean_bytes| batch_objects(&settings, mean_bytes)), expected);
    }
}
