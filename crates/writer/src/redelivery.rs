//! Messages that were not written at first: delivered again after a while, given up after so many times, and delivered
//! once more when somebody says so (IIQ-57 to IIQ-60).

use annals_history::Writes;
use annals_model::{Message, Subject, discarded_event, error_chain};
use annals_runs::dead::{self, Act, DeadLetter, StoredLetter};
use annals_runs::parked;
use annals_sql::{Db, Tx, fault};

use crate::ids::Ids;
use crate::transaction::Counts;
use crate::{Error, Writer, late, letter};

/// Target of the log of discarded messages (IIQ-59).
pub const DISCARDED: &str = "annals::discarded_messages";

/// Parked messages that are read at a time.
const PAGE: u32 = 100;

/// What became of parked messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redelivered {
    /// Numbers of messages that were written, by what came of them, by object type.
    pub counts: Counts,
    /// Messages that were written.
    pub written: u64,
    /// Messages that wait once more.
    pub parked: u64,
    /// Messages that were given up.
    pub dead: u64,
}

/// How a letter was delivered.
enum Outcome {
    Written(Counts),
    /// Somebody else has it.
    Gone,
}

impl Writer {
    /// Delivers the parked messages whose time has come, each in a transaction of its own. One that fails waits once
    /// more, until it was delivered again so often as is allowed; then it is a dead letter.
    ///
    /// # Errors
    /// Where the database cannot be reached or refuses whatever is asked; what was delivered until then stays.
    pub async fn redeliver(&self, db: &Db) -> Result<Redelivered, Error> {
        let mut redelivered = Redelivered::default();
        loop {
            let mut tx = db.begin_read().await?;
            let due = parked::due(&mut tx, PAGE).await?;
            tx.rollback().await?;
            let last = due.len() < PAGE as usize;
            for stored in due {
                self.redeliver_one(db, &stored, &mut redelivered).await?;
            }
            // With no delay a message that waits once more is due at once, and would never cease to be.
            if last || self.settings.redelivery_delay_ms == 0 {
                return Ok(redelivered);
            }
        }
    }

    async fn redeliver_one(
        &self,
        db: &Db,
        stored: &StoredLetter,
        redelivered: &mut Redelivered,
    ) -> Result<(), Error> {
        let letter = &stored.letter;
        let error = match self.deliver_parked(db, letter).await {
            Ok(Outcome::Written(counts)) => {
                redelivered.written += 1;
                for (object_type, written) in counts {
                    redelivered.counts.entry(object_type).or_default().add(written);
                }
                return Ok(());
            }
            Ok(Outcome::Gone) => return Ok(()),
            Err(error) if error.is_of_surroundings() => return Err(error),
            Err(error) => error,
        };
        let reason = error_chain(&error);
        let mut tx = db.begin().await?;
        // This was its redelivery of that number, for the first delivery is none.
        if letter.attempts >= self.settings.redeliveries_max || error.is_of_message() {
            let given_up = DeadLetter { attempts: letter.attempts + 1, reason, ..letter.clone() };
            if parked::remove(&mut tx, letter).await? {
                match letter::message(letter) {
                    Ok(message) => {
                        let recorded_ms = self.clock.now_ms();
                        self.give_up(&mut tx, stored.from, &given_up, &message, recorded_ms).await?;
                    }
                    Err(_) => drop(dead::keep(&mut tx, stored.from, &given_up).await?),
                }
                redelivered.dead += 1;
                tx.commit().await?;
                log_discarded(&given_up);
                return Ok(());
            }
        } else if parked::again(&mut tx, letter, self.settings.redelivery_delay_ms, &reason).await? {
            redelivered.parked += 1;
        }
        Ok(tx.commit().await?)
    }

    async fn deliver_parked(&self, db: &Db, letter: &DeadLetter) -> Result<Outcome, Error> {
        let message = letter::message(letter)?;
        let mut tx = annals_history::begin_with_head_key(db).await?;
        if !parked::remove(&mut tx, letter).await? {
            tx.rollback().await?;
            return Ok(Outcome::Gone);
        }
        let counts = self.deliver(&mut tx, &message).await?;
        fault::point("writer.redelivering")?;
        tx.commit().await?;
        fault::point("writer.redelivered")?;
        Ok(Outcome::Written(counts))
    }

    /// Delivers a dead letter once more and notes that in the same transaction; none where the letter is gone. A letter
    /// that cannot be written stays, and that is noted too.
    ///
    /// # Errors
    /// Why it was not written, or that the act could not be noted.
    pub async fn redrive(
        &self,
        db: &Db,
        letter: &DeadLetter,
        reason: &str,
        actor: &str,
    ) -> Result<Option<Counts>, Error> {
        let act =
            |outcome| Act { act: "redrive", outcome, reason: reason.to_owned(), actor: actor.to_owned() };
        let error = match self.deliver_dead(db, letter, act("written".to_owned())).await {
            Ok(Outcome::Written(counts)) => return Ok(Some(counts)),
            Ok(Outcome::Gone) => return Ok(None),
            Err(error) => error,
        };
        let mut tx = db.begin().await?;
        dead::note(&mut tx, letter, &act(format!("failed: {}", error_chain(&error)))).await?;
        tx.commit().await?;
        Err(error)
    }

    async fn deliver_dead(&self, db: &Db, letter: &DeadLetter, act: Act) -> Result<Outcome, Error> {
        let message = letter::message(letter)?;
        let mut tx = annals_history::begin_with_head_key(db).await?;
        if !dead::remove(&mut tx, &letter.id).await? {
            tx.rollback().await?;
            return Ok(Outcome::Gone);
        }
        let counts = self.deliver(&mut tx, &message).await?;
        dead::note(&mut tx, letter, &act).await?;
        tx.commit().await?;
        Ok(Outcome::Written(counts))
    }

    /// Writes a message outside any run.
    async fn deliver(&self, tx: &mut Tx, message: &Message) -> Result<Counts, Error> {
        let mut counts = Counts::new();
        let recorded_ms = self.clock.now_ms();
        late::settle(tx, message, &self.settings, &self.dictionaries, recorded_ms, None, &mut counts).await?;
        Ok(counts)
    }

    /// Makes a message a dead letter, and where that is wanted an event of it.
    pub(crate) async fn give_up(
        &self,
        tx: &mut Tx,
        from: Option<(i64, i32)>,
        letter: &DeadLetter,
        message: &Message,
        recorded_ms: i64,
    ) -> Result<(), Error> {
        let is_new = dead::keep(tx, from, letter).await?;
        if !is_new || !self.settings.discarded_message_event {
            return Ok(());
        }
        let subject = Subject {
            key: &message.key,
            name: &message.name,
            identity: message.identity.as_ref(),
            recorded_ms,
            effective_ms: message.occurred_ms,
            prev_capture_id: None,
            capture_id: "",
        };
        let id = Ids::at(recorded_ms).next();
        if let Some(event) = discarded_event(&subject, &letter.id, &letter.reason, id) {
            let mut writes = Writes::new(self.settings.json_format);
            writes.event(event);
            writes.flush(tx).await?;
        }
        Ok(())
    }
}

/// Writes a line of the log of discarded messages.
pub(crate) fn log_discarded(letter: &DeadLetter) {
    tracing::info!(
        target: DISCARDED,
        letter = letter.id,
        object_type = %letter.key.object_type,
        object = letter.key.object_id,
        source = %letter.key.source,
        occurred = letter.occurred_ms,
        attempts = letter.attempts,
        reason = letter.reason,
        "a message was discarded"
    );
}
