//! Deliveries: written whole, tried again, or with their bad messages parked.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annals_history::{AccessItems, Dictionaries, PATCHES_MAX};
use annals_model::{
    Clock, Delivery, JsonFormat, Message, ObjectFailure, Operation, PartitionLease, PatchPolicy,
    RequestState, Stage, error_chain,
};
use annals_runs::dead::DeadLetter;
use annals_runs::deliveries::{self, Parked, Standing};
use annals_sql::fault::{self, Defect};
use annals_sql::{Db, Tx};
use tokio::sync::OnceCell;

use crate::redelivery::log_discarded;
use crate::transaction::{Counts, Known, NewObjects, produce};
use crate::{Error, Treatment, late, letter};

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
    /// Events that a late capture removes are noted in `annals_removed_event` (IIQ-61).
    pub audit_removed_events: bool,
    /// How often a message that could not be written is delivered again (IIQ-57); 0: it is given up at once.
    pub redeliveries_max: u32,
    /// How long it waits each time, milliseconds.
    pub redelivery_delay_ms: i64,
    /// A message that is given up is an event on its object's timeline (IIQ-60).
    pub discarded_message_event: bool,
}

impl WriterSettings {
    pub(crate) fn policy(&self) -> PatchPolicy {
        PatchPolicy {
            max_allowed_patches: self.max_allowed_patches.min(PATCHES_MAX),
            capture_max_age_days: self.capture_max_age_days,
        }
    }
}

/// Writes deliveries into history. One serves any number of partitions; a partition's deliveries come one after another.
pub struct Writer {
    pub(crate) settings: WriterSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dictionaries: Dictionaries,
    access_items: AccessItems,
    /// Set once the key of heads is there for certain.
    head_key: OnceCell<()>,
    /// By run, partition and epoch; only where there was something to park.
    parked: Mutex<HashMap<(i64, i32, i64), Parked>>,
}

/// What a delivery came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteSummary {
    /// Numbers of messages by what came of them, by object type.
    pub counts: Counts,
    /// Objects whose message could not be written; it waits to be delivered again, or is a dead letter.
    pub failures: Vec<ObjectFailure>,
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
    number: Option<u64>,
    messages: &'d [Message],
    checkpoint: Option<&'d RequestState>,
    parked: &'d [Unwritten],
    /// How many of them.
    shortfall: Parked,
}

/// A message that could not be written.
struct Unwritten {
    failure: ObjectFailure,
    letter: DeadLetter,
    /// Set where it is given up; else it is delivered again.
    given_up: Option<Message>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Writer {
    /// Whether the run is expected to be history's first load.
    #[must_use]
    pub fn expects_new(&self) -> bool {
        self.settings.expects_new
    }

    /// A writer; `clock` says when history learns of what it writes.
    #[must_use]
    pub fn new(settings: WriterSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            settings,
            clock,
            dictionaries: Dictionaries::default(),
            access_items: AccessItems::default(),
            head_key: OnceCell::new(),
            parked: Mutex::default(),
        }
    }

    /// Writes a delivery in one transaction, product and progress together. A message that cannot be written is parked,
    /// to be delivered again, or given up as a dead letter where that is no use (IIQ-57, IIQ-59); its object counts as
    /// failed, and everything else is written without it.
    ///
    /// # Errors
    /// When nothing of it was written: the lease was taken over, or the database refuses or cannot be reached after
    /// several attempts.
    pub async fn write(&self, db: &Db, delivery: Delivery) -> Result<WriteSummary, Error> {
        let Delivery { lease, number, messages, checkpoint } = delivery;
        let checkpoint = checkpoint.map(|state| self.corrected(&lease, state));
        let whole = Work {
            lease: &lease,
            number,
            messages: &messages,
            checkpoint: checkpoint.as_ref(),
            parked: &[],
            shortfall: Parked::default(),
        };
        let error = match self.persist(db, whole).await {
            Ok(counts) => return Ok(WriteSummary { counts, failures: Vec::new() }),
            Err(error) if matches!(error.treatment(), Treatment::PartMessages | Treatment::TryApart) => error,
            Err(error) => return Err(error),
        };
        // Boxed, as seldom as it is: nearly all deliveries need not carry it along.
        let bad = Box::pin(self.find_bad(db, &lease, &messages)).await?;
        // What is alone cannot be told apart from its surroundings. It is parked: where nothing at all can be written, that
        // fails as well.
        let told_apart = bad.len() < messages.len() || messages.len() == 1;
        if bad.is_empty() || bad.values().any(|e| e.treatment() == Treatment::TryApart && !told_apart) {
            return Err(error);
        }
        Box::pin(self.park(db, &lease, number, messages, checkpoint, bad)).await
    }

    /// Gives all messages of a delivery up, unwritten: so many writers took it up, and none lived to answer for it. The
    /// partition goes on without them.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn abandon(&self, db: &Db, delivery: Delivery, writers: u64) -> Result<WriteSummary, Error> {
        let Delivery { lease, number, messages, checkpoint } = delivery;
        let checkpoint = checkpoint.map(|state| self.corrected(&lease, state));
        let bad = (0..messages.len()).map(|index| (index, Error::Abandoned(writers))).collect();
        self.park(db, &lease, number, messages, checkpoint, bad).await
    }

    /// Writes a delivery without its bad messages, which are parked or given up in the same transaction.
    async fn park(
        &self,
        db: &Db,
        lease: &PartitionLease,
        number: Option<u64>,
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
                object_type = %message.key.object_type,
                object = message.key.object_id,
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
            let letter = letter::of(&message, reason)?;
            let given_up = self.settings.redeliveries_max == 0 || error.is_of_message();
            parked.push(Unwritten { failure, letter, given_up: given_up.then_some(message) });
        }
        // Over a broker the database keeps the sum, and corrects the state by it.
        let checkpoint = checkpoint.map(|state| if number.is_none() { more.correct(state) } else { state });
        let rest = Work {
            lease,
            number,
            messages: &good,
            checkpoint: checkpoint.as_ref(),
            parked: &parked,
            shortfall: more,
        };
        let counts = self.persist(db, rest).await?;
        if number.is_none() {
            let mut all = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
            let before = all.entry(key(lease)).or_default();
            before.captures += more.captures;
            before.deletions += more.deletions;
        }
        for unwritten in parked.iter().filter(|unwritten| unwritten.given_up.is_some()) {
            log_discarded(&unwritten.letter);
        }
        Ok(WriteSummary { counts, failures: parked.into_iter().map(|unwritten| unwritten.failure).collect() })
    }

    /// The state to save, without what this lease's earlier deliveries had to park.
    fn corrected(&self, lease: &PartitionLease, state: RequestState) -> RequestState {
        let all = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&key(lease)).copied().unwrap_or_default().correct(state)
    }

    /// The messages that cannot be written even alone, found by halving: nothing that is tried here lasts.
    async fn find_bad(
        &self,
        db: &Db,
        lease: &PartitionLease,
        messages: &[Message],
    ) -> Result<HashMap<usize, Error>, Error> {
        let mut bad = HashMap::new();
        let mut backoff = BACKOFF_MS.into_iter();
        let mut untried: Vec<Range<usize>> = halves(0..messages.len());
        while let Some(range) = untried.pop() {
            let work = Work {
                lease,
                number: None,
                messages: &messages[range.clone()],
                checkpoint: None,
                parked: &[],
                shortfall: Parked::default(),
            };
            match self.attempt(db, work, Purpose::Trial).await {
                Ok(_) => {}
                Err(error) if matches!(error.treatment(), Treatment::PartMessages | Treatment::TryApart) => {
                    if range.len() == 1 {
                        bad.insert(range.start, error);
                    } else {
                        untried.extend(halves(range));
                    }
                }
                Err(error) => {
                    let wait_ms = backoff.next().filter(|_| error.treatment() == Treatment::Again);
                    let Some(wait_ms) = wait_ms else { return Err(error) };
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    untried.push(range);
                }
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
                    error = &error as &dyn std::error::Error,
                    "a delivery was not written, next attempt in {wait_ms} ms"
                );
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            if !fault::defect(Defect::LostAnswerIgnored) && is_saved(db, work).await.unwrap_or(false) {
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
        let new = match purpose {
            Purpose::KeepNew => NewObjects::of(work.messages),
            Purpose::Keep | Purpose::Trial => None,
        };
        let known = new.as_ref().and_then(|new| Known::of_new(work.messages, new, settings, dictionaries));
        // Made beforehand where nothing need be read for it: SQLite has one transaction at a time that may write.
        let mut product = known.map(|known| produce(known, settings, recorded_ms)).transpose()?;
        if let Some(product) = &mut product {
            product.have_items(db, &self.access_items).await?;
        }
        if new.is_none() {
            self.have_head_key(db).await?;
        }
        let mut tx = db.begin().await?;
        fault::point("writer.deciding")?;
        let (product, late) = match product {
            Some(product) => (product, Vec::new()),
            None => {
                let known = match &new {
                    Some(new) => {
                        Known::read_of_new(&mut tx, work.messages, new, settings, dictionaries).await?
                    }
                    None => Known::read(&mut tx, work.messages, settings, dictionaries).await?,
                };
                let late = known.late();
                (produce(known, settings, recorded_ms)?, late)
            }
        };
        fault::point("writer.writing")?;
        let mut counts = product.flush(&mut tx, Some(work.lease)).await?;
        for message in late {
            late::settle(
                &mut tx,
                message,
                settings,
                dictionaries,
                recorded_ms,
                Some(work.lease),
                &mut counts,
            )
            .await?;
        }
        if !work.parked.is_empty() {
            self.put_away(&mut tx, work, recorded_ms, &mut counts).await?;
        }
        if purpose == Purpose::Trial {
            tx.rollback().await?;
            return Ok(counts);
        }
        if fault::defect(Defect::CheckpointApart) {
            tx.commit().await?;
            tx = db.begin().await?;
        }
        fault::point("writer.saving")?;
        // Last, so that the partition's row is locked no longer than it takes to commit.
        let parked = match work.number {
            Some(number) => deliveries::take(&mut tx, work.lease, number, work.shortfall).await?,
            None => Parked::default(),
        };
        let checkpoint = work.checkpoint.map(|state| parked.correct(state.clone()));
        match &checkpoint {
            Some(state) => annals_runs::state::save(&mut tx, work.lease, state).await?,
            None => annals_runs::state::check(&mut tx, work.lease).await?,
        }
        fault::point("writer.commit")?;
        tx.commit().await?;
        fault::point("writer.committed")?;
        Ok(counts)
    }

    /// Keeps the messages that could not be written, and that their objects have failed.
    async fn put_away(
        &self,
        tx: &mut Tx,
        work: Work<'_>,
        recorded_ms: i64,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        fault::point("writer.parking")?;
        let mut dead = Counts::new();
        let from = annals_runs::dead::from(work.lease);
        for Unwritten { failure, letter, given_up } in work.parked {
            if let Some(message) = given_up {
                dead.entry(failure.object_type).or_default().dead += 1;
                counts.entry(failure.object_type).or_default().dead += 1;
                self.give_up(tx, from, letter, message, recorded_ms).await?;
            } else {
                annals_runs::parked::park(tx, from, letter, self.settings.redelivery_delay_ms).await?;
            }
        }
        annals_runs::writes::add(tx, work.lease, &dead).await?;
        let failures: Vec<ObjectFailure> =
            work.parked.iter().map(|unwritten| unwritten.failure.clone()).collect();
        Ok(annals_runs::failures::record(tx, work.lease, &failures).await?)
    }
}

/// Whether the work was written before, and only the answer got lost, or the delivery came twice (IIQ-10): what came over a
/// broker is told by its number, else the state that the work saves, saved under the very lease, speaks for the whole.
async fn is_saved(db: &Db, work: Work<'_>) -> Result<bool, Error> {
    if work.number.is_none() && work.checkpoint.is_none() {
        return Ok(false);
    }
    let mut tx = db.begin_read().await?;
    let saved = match (work.number, work.checkpoint) {
        (Some(number), _) => deliveries::standing(&mut tx, work.lease, number).await? == Standing::Written,
        (None, Some(checkpoint)) => annals_runs::state::is_saved(&mut tx, work.lease, checkpoint).await?,
        (None, None) => false,
    };
    tx.rollback().await?;
    Ok(saved)
}

impl Writer {
    /// Sees that the key of heads is there: without it an object's head could be there twice.
    async fn have_head_key(&self, db: &Db) -> Result<(), Error> {
        self.head_key.get_or_try_init(|| make_head_key(db)).await?;
        Ok(())
    }
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
