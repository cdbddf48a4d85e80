//! The partition worker.

mod careful;
mod outbox;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use annals_model::{
    CapturedImage, Message, ObjectKey, ObjectType, Operation, PartitionLease, Stage, TaskArguments,
    TaskStatus, error_chain, thresholds_breached,
};
use annals_queue::Queue;
use annals_runs::suspects;
use annals_runs::{Chunk, ChunkKind, Claimed, Held, Leases, Objects, RunMessage, failures, partitions, run};
use annals_source::{Loaded, LoadedBatch, Selection, Source};
use annals_sql::{Db, Tx, fault};
use tokio::sync::Mutex;
use tracing::Instrument as _;

use self::careful::Parted;
use self::outbox::{Outbox, Progress};
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
    /// The task's thresholds: past one, partitions end early (IIQ-27).
    pub arguments: TaskArguments,
    /// Held by the one worker of this process that has an object in hand which may be the death of it.
    pub last_chances: Arc<Mutex<()>>,
    /// Where its leases are renewed, and found to be lost.
    pub leases: Leases,
}

/// Target of spans that only traces want: a log line need not repeat them.
pub const TRACED: &str = "annals_span";

/// Under which nobody has worked on a partition before.
const FIRST_EPOCH: i64 = 1;

/// How the work on a partition ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// All of it is done.
    Done,
    /// Somebody asked to stop, or the lease was found to be lost.
    Asked,
    /// More objects failed newly in the run than a threshold allows.
    Breached,
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
            fault::point("worker.claiming").map_err(|e| claim_error(e.into()))?;
            tx.commit().await.map_err(|e| claim_error(e.into()))?;
            let Some(claimed) = claimed else { break };
            fault::point("worker.claimed").map_err(|e| claim_error(e.into()))?;
            let lease = claimed.lease.clone();
            let held = self.leases.hold(lease.clone());
            if claimed.taken_over {
                self.leases.note_partition_taken_over();
            }
            tracing::info!(
                run = run_id,
                partition = lease.partition,
                epoch = lease.epoch,
                worker,
                "partition {} claimed, {} chunks done before",
                lease.partition,
                claimed.state.chunks_done
            );
            // At any level: what is logged of a partition, here and below, says of which.
            let span = tracing::error_span!(
                "partition",
                run = run_id,
                partition = i64::from(lease.partition),
                otel.status_description = tracing::field::Empty
            );
            let outcome = self.work_on(history, claimed, &held).instrument(span.clone()).await;
            if let Err(error) = &outcome {
                span.record("otel.status_description", error_chain(error));
            }
            let released = match &outcome {
                Ok(Ended::Done) => Ok(()),
                Ok(Ended::Asked) => release(history, &lease, Released::Pending).await,
                Ok(Ended::Breached) => {
                    tracing::warn!(
                        run = run_id,
                        partition = lease.partition,
                        "partition {} ends early: more objects failed than the thresholds allow",
                        lease.partition
                    );
                    release(history, &lease, Released::GivenUp).await
                }
                Err(error) if error.is_passing() => release(history, &lease, Released::Pending).await,
                Err(error) => release(history, &lease, Released::Failed(error)).await,
            };
            match (outcome, released) {
                (Ok(how), Ok(())) => ended += u32::from(how == Ended::Done),
                // A lease that was taken over is nobody's to give back, nor is it a failure.
                (_, Err(annals_runs::Error::StaleLease { .. })) => tracing::warn!(
                    run = run_id,
                    partition = lease.partition,
                    epoch = lease.epoch,
                    worker,
                    "partition {} was taken over; its new owner goes on with it",
                    lease.partition
                ),
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

    /// Works on one partition from its last saved chunk on.
    async fn work_on(&self, history: &Db, claimed: Claimed, held: &Held) -> Result<Ended, Error> {
        let lease = claimed.lease;
        let failed = |source| runs_error(&lease, source);
        let (chunks, suspects, qualified) = {
            let mut tx = read(history, &lease).await?;
            let first = claimed.state.chunks_done;
            let chunks = partitions::chunks(&mut tx, &lease, first).await.map_err(failed)?;
            let suspects = suspects::of_run(&mut tx, lease.run_id).await.map_err(failed)?;
            let run = run::get(&mut tx, lease.run_id).await.map_err(failed)?;
            (chunks, suspects, run.counters.total_object_messages)
        };
        let mut progress = Progress {
            state: claimed.state,
            mean_bytes: BTreeMap::new(),
            receipts: VecDeque::new(),
            suspects,
            has_new_failures: false,
        };
        let mut outbox = Outbox::new(self, &lease, held);
        let mut chunks = chunks.into_iter().peekable();
        while let Some(chunk) = chunks.next() {
            if self.ends_early(held) {
                outbox.save(&mut progress).await?;
                progress.all_written(&lease).await?;
                return Ok(Ended::Asked);
            }
            if std::mem::take(&mut progress.has_new_failures) {
                // Else the count below would lag behind by what is on its way.
                progress.all_written(&lease).await?;
            }
            let objects = {
                let mut tx = read(history, &lease).await?;
                let newly_failed = failures::newly_failed(&mut tx, lease.run_id).await.map_err(failed)?;
                if thresholds_breached(newly_failed, qualified, &self.arguments) {
                    outbox.save(&mut progress).await?;
                    progress.all_written(&lease).await?;
                    return Ok(Ended::Breached);
                }
                partitions::chunk_objects(&mut tx, &lease, chunk.number).await.map_err(failed)?
            };
            if !self.work_on_chunk(history, chunk, objects, &mut outbox, &mut progress).await? {
                // What waits to be saved goes with the chunk that is not done: the next owner reads it again.
                progress.all_written(&lease).await?;
                return Ok(Ended::Asked);
            }
            outbox.unsaved += chunk.objects;
            if !self.may_wait(&outbox, &progress, chunks.peek()) {
                outbox.save(&mut progress).await?;
            }
        }
        fault::point("worker.all_sent").map_err(|e| failed(e.into()))?;
        progress.all_written(&lease).await?;
        fault::point("worker.done").map_err(|e| failed(e.into()))?;
        Ok(Ended::Done)
    }

    /// Whether a chunk that is done may go out together with the next one: on most nights a chunk is a few objects of a
    /// type, and a transaction costs as much as a hundred of them. Never more than `lossLimit` objects wait to be saved,
    /// and none where something has failed or a worker has died, for then it matters which chunk it was.
    fn may_wait(&self, outbox: &Outbox<'_>, progress: &Progress, next: Option<&Chunk>) -> bool {
        let most = u64::from(self.arguments.loss_limit).min(self.settings.batch_objects_max as u64);
        outbox.lease.epoch == FIRST_EPOCH
            && progress.suspects.is_empty()
            && !progress.has_new_failures
            && next.is_some_and(|next| outbox.unsaved + next.objects <= most)
    }

    /// Works on one chunk; `false` if it ends early.
    async fn work_on_chunk(
        &self,
        history: &Db,
        chunk: Chunk,
        objects: Objects,
        outbox: &mut Outbox<'_>,
        progress: &mut Progress,
    ) -> Result<bool, Error> {
        let lease = outbox.lease;
        match objects {
            Objects::Deleted(deleted) => {
                let observed_ms = self.source.now_ms().await.map_err(|source| source_error(lease, source))?;
                for object in deleted {
                    let message = Message {
                        key: self.key(chunk.object_type, object.id.clone()),
                        name: object.id,
                        identity: None,
                        occurred_ms: object.at,
                        observed_ms: if object.came_back { object.at } else { observed_ms },
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
                let parted = Parted::new(&progress.suspects, chunk.object_type, ids);
                if !self.work_on_ids(chunk, plan, &parted.innocent, outbox, progress).await?
                    || !self.work_carefully(history, chunk, plan, parted, outbox, progress).await?
                {
                    return Ok(false);
                }
            }
        }
        debug_assert!(chunk.kind != ChunkKind::Deleted || outbox.failures.is_empty());
        progress.state.chunks_done += 1;
        progress.has_new_failures = !outbox.failures.is_empty();
        Ok(true)
    }

    /// `false` if it ends early.
    async fn work_on_ids(
        &self,
        chunk: Chunk,
        plan: &ImagePlan,
        ids: &[String],
        outbox: &mut Outbox<'_>,
        progress: &mut Progress,
    ) -> Result<bool, Error> {
        let selection = Selection::Properties(plan.properties().clone());
        let mut rest = ids;
        while !rest.is_empty() {
            if self.ends_early(outbox.held) {
                return Ok(false);
            }
            let known = progress.mean_bytes.get(&chunk.object_type).copied();
            let (ids, later) = rest.split_at(batch_objects(&self.settings, known).min(rest.len()));
            rest = later;
            let span = tracing::error_span!(
                target: TRACED,
                "batch",
                object_type = chunk.object_type.as_str(),
                objects = i64::try_from(ids.len()).unwrap_or(i64::MAX)
            );
            let loaded_and_published = async {
                let batch = self
                    .source
                    .load(chunk.object_type, ids, &selection)
                    .await
                    .map_err(|source| source_error(outbox.lease, source))?;
                fault::point("worker.loaded").map_err(|source| runs_error(outbox.lease, source.into()))?;
                self.publish_batch(chunk, plan, batch, outbox, progress).await
            };
            loaded_and_published.instrument(span).await?;
        }
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

/// How a partition is given back.
#[derive(Clone, Copy)]
enum Released<'e> {
    /// To be claimed again.
    Pending,
    /// Not to be.
    GivenUp,
    /// Not to be; the run is told why, for whoever finishes it.
    Failed(&'e Error),
}

async fn release(history: &Db, lease: &PartitionLease, how: Released<'_>) -> annals_runs::Result<()> {
    let mut tx = history.begin().await?;
    if let Released::Failed(error) = how {
        run::lock(&mut tx, lease.run_id).await?;
        let message = RunMessage { status: TaskStatus::Error, text: error_chain(error) };
        run::add_messages(&mut tx, lease.run_id, &[message]).await?;
    }
    partitions::release(&mut tx, lease, !matches!(how, Released::Pending)).await?;
    Ok(tx.commit().await?)
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
