//! Deliveries: written whole, tried again, or with their bad messages parked.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annals_history::Dictionaries;
use annals_model::{
    Clock, Delivery, JsonFormat, Message, ObjectFailure, Operation, PartitionLease, RequestState, Stage,
    error_chain,
};
use annals_runs::dead::DeadLetter;
use annals_sql::Db;
use tokio::sync::OnceCell;

use crate::transaction::{Counts, Known, produce};
use crate::{Error, Treatment, letter};

/// How captures are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterSettings {
    /// How documents are stored (IIQ-40).
    pub json_format: JsonFormat,
    /// The most patches between two full captures; 0: every capture is full (IIQ-41). Never more than
    /// [`annals_history::PATCHES_MAX`].
    pub max_allowed_patches: u32,
    /// The run loads history for the first time ([`annals_history::is_first_load`]): what comes under a partition's first
    /// lease is taken for new, and no heads are looked up before. A delivery that meets a head nevertheless is written a
    /// second time.
    pub expects_new: bool,
    /// A full capture older than this many days gets no more patches (IIQ-42); none: it never is too old.
    pub capture_max_age_days: Option<u32>,
}

/// Writes deliveries into history. One serves any number of partitions; a partition's deliveries come one after another.
pub struct Writer {
    settings: WriterSettings,
    clock: Arc<dyn Clock>,
    dictionaries: Dictionaries,
    /// Set once the key of heads is there for certain, where `expects_new` leaves it open.
    head_key: OnceCell<()>,
    /// By run, partition and epoch; only where there was something to park.
    parked: Mutex<HashMap<(i64, i32, i64), Parked>>,
}

/// What a delivery came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteSummary {
    /// Numbers of messages by what came of them, by object type.
    pub counts: Counts,
    /// Objects whose message could not be written; it is a dead letter now.
    pub failures: Vec<ObjectFailure>,
}

/// Messages of a lease that could not be written. Who published them counts them as published, then and in every later
/// state of the partition.
#[derive(Debug, Clone, Copy, Default)]
struct Parked {
    captures: u64,
    deletions: u64,
}

/// Waits before a delivery is tried again, milliseconds.
const BACKOFF_MS: [u64; 4] = [50, 200, 800, 3_200];

/// Under which nobody can have written a partition before.
const FIRST_EPOCH: i64 = 1;

/// What an attempt is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Keep,
    /// To keep it if no object has a head yet.
    KeepNew,
    /// To see whether it can be written at all.
    Trial,
}

/// What one transaction writes.
#[derive(Clone, Copy)]
struct Work<'d> {
    lease: &'d PartitionLease,
    messages: &'d [Message],
    checkpoint: Option<&'d RequestState>,
    parked: &'d [(ObjectFailure, DeadLetter)],
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Writer {
    /// A writer; `clock` says when history learns of what it writes.
    #[must_use]
    pub fn new(settings: WriterSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            settings,
            clock,
            dictionaries: Dictionaries::default(),
            head_key: OnceCell::new(),
            parked: Mutex::default(),
        }
    }

    /// Writes a delivery in one transaction, product and progress together. When a message cannot be written, it is
    /// parked as a dead letter, its object counts as failed, and everything else is written without it.
    ///
    /// # Errors
    /// When nothing of it was written: the lease was taken over, or the database refuses or cannot be reached after
    /// several attempts.
    pub async fn write(&self, db: &Db, delivery: Delivery) -> Result<WriteSummary, Error> {
        let Delivery { lease, messages, checkpoint } = delivery;
        let checkpoint = checkpoint.map(|state| self.corrected(&lease, state));
        let whole = Work { lease: &lease, messages: &messages, checkpoint: checkpoint.as_ref(), parked: &[] };
        let error = match self.persist(db, whole).await {
            Ok(counts) => return Ok(WriteSummary { counts, failures: Vec::new() }),
            Err(error) if matches!(error.treatment(), Treatment::PartMessages | Treatment::TryApart) => error,
            Err(error) => return Err(error),
        };
        let bad = self.find_bad(db, &lease, &messages).await?;
        let told_apart = bad.len() < messages.len();
        if bad.is_empty() || bad.values().any(|e| e.treatment() == Treatment::TryApart && !told_apart) {
            return Err(error);
        }
        self.park(db, &lease, messages, checkpoint, bad).await
    }

    /// Writes a delivery without its bad messages, which become dead letters in the same transaction.
    async fn park(
        &self,
        db: &Db,
        lease: &PartitionLease,
        messages: Vec<Message>,
        checkpoint: Option<RequestState>,
        mut bad: HashMap<usize, Error>,
    ) -> Result<WriteSummary, Error> {
        let mut parked = Vec::with_capacity(bad.len());
        let mut more = Parked::default();
        let mut good = Vec::with_capacity(messages.len() - bad.len());
        for (index, message) in messages.into_iter().enumerate() {
            let Some(error) = bad.remove(&index) else {
                good.push(message);
                continue;
            };
            let reason = error_chain(&error);
            tracing::warn!(
                run = lease.run_id,
                partition = lease.partition,
                reason,
                "{} is parked",
                message.key
            );
            match message.operation {
                Operation::Capture(_) => more.captures += 1,
                Operation::Delete => more.deletions += 1,
            }
            let failure = ObjectFailure {
                object_type: message.key.object_type,
                object_id: message.key.object_id.clone(),
                stage: Stage::Write,
                error: reason.clone(),
            };
            parked.push((failure, letter::of(&message, reason)?));
        }
        let checkpoint = checkpoint.map(|state| correct(state, more));
        let rest = Work { lease, messages: &good, checkpoint: checkpoint.as_ref(), parked: &parked };
        let counts = self.persist(db, rest).await?;
        let mut all = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.entry(key(lease)).or_default();
        before.captures += more.captures;
        before.deletions += more.deletions;
        drop(all);
        Ok(WriteSummary { counts, failures: parked.into_iter().map(|(failure, _)| failure).collect() })
    }

    /// The state to save, without what this lease's earlier deliveries had to park.
    fn corrected(&self, lease: &PartitionLease, state: RequestState) -> RequestState {
        let all = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        correct(state, all.get(&key(lease)).copied().unwrap_or_default())
    }

    /// The messages that cannot be written even alone, found by halving: nothing that is tried here lasts.
    async fn find_bad(
        &self,
        db: &Db,
        lease: &PartitionLease,
        messages: &[Message],
    ) -> Result<HashMap<usize, Error>, Error> {
        let mut bad = HashMap::new();
        let mut untried: Vec<Range<usize>> = halves(0..messages.len());
        while let Some(range) = untried.pop() {
            let work = Work { lease, messages: &messages[range.clone()], checkpoint: None, parked: &[] };
            match self.attempt(db, work, Purpose::Trial).await {
                Ok(_) => {}
                Err(error) if matches!(error.treatment(), Treatment::PartMessages | Treatment::TryApart) => {
                    if range.len() == 1 {
                        bad.insert(range.start, error);
                    } else {
                        untried.extend(halves(range));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(bad)
    }

    /// Writes, trying again while there is a chance.
    async fn persist(&self, db: &Db, work: Work<'_>) -> Result<Counts, Error> {
        let is_capture = |message: &Message| matches!(message.operation, Operation::Capture(_));
        let expects_new = self.settings.expects_new
            && work.lease.epoch == FIRST_EPOCH
            && work.messages.iter().all(is_capture);
        let mut purpose = if expects_new { Purpose::KeepNew } else { Purpose::Keep };
        let mut backoff = BACKOFF_MS.into_iter();
        loop {
            let error = match self.attempt(db, work, purpose).await {
                Ok(counts) => return Ok(counts),
                Err(Error::History(annals_history::Error::Overtaken(_))) if purpose == Purpose::KeepNew => {
                    purpose = Purpose::Keep;
                    continue;
                }
                Err(error) => error,
            };
            // It may have been written all the same, and only the answer got lost.
            purpose = Purpose::Keep;
            let again = error.treatment() == Treatment::Again;
            if again {
                let Some(wait_ms) = backoff.next() else { return Err(error) };
                tracing::warn!(
                    run = work.lease.run_id,
                    partition = work.lease.partition,
                    error = &error as &dyn std::error::Error,
                    "a delivery was not written, next attempt in {wait_ms} ms"
                );
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            if is_saved(db, work).await.unwrap_or(false) {
                return Ok(Counts::new());
            }
            if !again {
                return Err(error);
            }
        }
    }

    async fn attempt(&self, db: &Db, work: Work<'_>, purpose: Purpose) -> Result<Counts, Error> {
        let recorded_ms = self.clock.now_ms();
        let (settings, dictionaries) = (&self.settings, &self.dictionaries);
        let known = match purpose {
            Purpose::KeepNew => Known::of_new(work.messages, settings, dictionaries),
            Purpose::Keep | Purpose::Trial => None,
        };
        // Made beforehand where nothing need be read for it: SQLite has one transaction at a time that may write.
        let product = known.map(|known| produce(work.messages, known, settings, recorded_ms)).transpose()?;
        if self.settings.expects_new && purpose != Purpose::KeepNew {
            self.head_key.get_or_try_init(|| make_head_key(db)).await?;
        }
        let mut tx = db.begin().await?;
        let product = match product {
            Some(product) => product,
            None => {
                let known = match purpose {
                    Purpose::KeepNew => {
                        Known::read_of_new(&mut tx, work.messages, settings, dictionaries).await?
                    }
                    Purpose::Keep | Purpose::Trial => {
                        Known::read(&mut tx, work.messages, settings, dictionaries).await?
                    }
                };
                produce(work.messages, known, settings, recorded_ms)?
            }
        };
        let mut counts = product.flush(&mut tx, work.lease).await?;
        if !work.parked.is_empty() {
            let mut dead = Counts::new();
            for (failure, letter) in work.parked {
                dead.entry(failure.object_type).or_default().dead += 1;
                counts.entry(failure.object_type).or_default().dead += 1;
                annals_runs::dead::keep(&mut tx, work.lease, letter.clone()).await?;
            }
            annals_runs::writes::add(&mut tx, work.lease, &dead).await?;
            let failures: Vec<ObjectFailure> =
                work.parked.iter().map(|(failure, _)| failure.clone()).collect();
            annals_runs::failures::record(&mut tx, work.lease, &failures).await?;
        }
        if purpose == Purpose::Trial {
            tx.rollback().await?;
            return Ok(counts);
        }
        // Last, so that the partition's row is locked no longer than it takes to commit.
        match work.checkpoint {
            Some(state) => annals_runs::state::save(&mut tx, work.lease, state).await?,
            None => annals_runs::state::check(&mut tx, work.lease).await?,
        }
        tx.commit().await?;
        Ok(counts)
    }
}

/// Whether the state that the work saves was saved under the very lease: then the whole work was, and only the answer
/// got lost, or the delivery came twice (IIQ-10).
async fn is_saved(db: &Db, work: Work<'_>) -> Result<bool, Error> {
    let Some(checkpoint) = work.checkpoint else { return Ok(false) };
    let mut tx = db.begin_read().await?;
    let saved = annals_runs::state::is_saved(&mut tx, work.lease, checkpoint).await?;
    tx.rollback().await?;
    Ok(saved)
}

async fn make_head_key(db: &Db) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    annals_history::make_head_key(&mut tx).await?;
    Ok(tx.commit().await?)
}

fn key(lease: &PartitionLease) -> (i64, i32, i64) {
    (lease.run_id, lease.partition, lease.epoch)
}

fn halves(range: Range<usize>) -> Vec<Range<usize>> {
    let middle = range.start + range.len() / 2;
    [range.start..middle, middle..range.end].into_iter().filter(|half| !half.is_empty()).collect()
}

fn correct(mut state: RequestState, parked: Parked) -> RequestState {
    let counters = &mut state.counters;
    let captures = parked.captures.min(counters.total_extracted_objects_published);
    counters.total_extracted_objects_published -= captures;
    counters.total_publishing_fails += captures;
    counters.total_deletion_extracted_objects_dispatched =
        counters.total_deletion_extracted_objects_dispatched.saturating_sub(parked.deletions);
    state
}
