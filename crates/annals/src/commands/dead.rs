//! `annals dead`: messages that were given up.

use std::sync::Arc;

use annals_config::Config;
use annals_runs::dead::{self, Act, DeadLetter, LetterFilter, StoredLetter};
use annals_runs::parked;
use annals_sql::{Db, Tx};
use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::{Global, LetterArgs, LettersArgs};
use crate::commands::run::host_name;
use crate::context::{environment, open_history, time_zone};
use crate::database_clock::DatabaseClock;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, print_json, say};
use crate::slots::writer;
use crate::times;

/// Letters that are dealt with at a time.
const PAGE: u32 = 1_000;

impl From<LetterArgs> for LetterFilter {
    fn from(arguments: LetterArgs) -> Self {
        Self { object_type: arguments.object_type, object: arguments.object, run_id: arguments.run }
    }
}

pub(crate) async fn list(
    global: &Global,
    config: &Config,
    filter: LetterArgs,
    parked: bool,
    limit: u32,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let (filter, more) = (LetterFilter::from(filter), limit.saturating_add(1));
    let mut letters = if parked {
        parked::list(&mut tx, &filter, more).await?
    } else {
        dead::list(&mut tx, &filter, more).await?
    };
    let cut = letters.len() > limit as usize;
    letters.truncate(limit as usize);
    let mut listing = listing(&letters, &zone);
    if cut {
        listing.cut = Some(format!("There are more than {limit} letters; see the rest with --limit."));
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

fn listing(letters: &[StoredLetter], zone: &TimeZone) -> Listing {
    let mut listing = Listing::new(&[
        "letter",
        "object type",
        "object id",
        "name",
        "occurred",
        "observed",
        "created",
        "run",
        "attempts",
        "reason",
    ]);
    for StoredLetter { letter, from, created_ms } in letters {
        listing.push(vec![
            json!(letter.id),
            json!(letter.key.object_type.as_str()),
            json!(letter.key.object_id),
            json!(letter.name),
            json!(times::show(letter.occurred_ms, zone)),
            json!(times::show(letter.observed_ms, zone)),
            json!(times::show(*created_ms, zone)),
            json!(from.map(|(run_id, _)| run_id)),
            json!(letter.attempts),
            json!(letter.reason),
        ]);
    }
    listing
}

pub(crate) async fn show(global: &Global, config: &Config, letter_id: &str) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let found = dead::get(&mut tx, &[letter_id.to_owned()]).await?;
    let acts = dead::acts(&mut tx, letter_id).await?;
    if found.is_empty() && acts.is_empty() {
        return Err(not_found(&[letter_id]));
    }
    let mut audit = Listing::new(&["acted", "act", "outcome", "actor", "reason", "letter reason"]);
    for act in &acts {
        audit.push(vec![
            json!(times::show(act.acted_ms, &zone)),
            json!(act.act),
            json!(act.outcome),
            json!(act.actor),
            json!(act.reason),
            json!(act.letter_reason),
        ]);
    }
    let message = found.first().map(|stored| annals_writer::letter_json(&stored.letter)).transpose()?;
    let mut letter = listing(&found, &zone);
    match global.output {
        Format::Json => {
            let items = |listing: &Listing| listing.json()["items"].clone();
            let letter = items(&letter).as_array().and_then(|letters| letters.first().cloned());
            print_json(&json!({"letter": letter, "message": message, "acts": items(&audit)}))?;
        }
        Format::Csv => letter.print(Format::Csv)?,
        Format::Table => {
            if let Some(row) = letter.rows.pop() {
                let mut fields = Listing::new(&["field", "value"]);
                for (column, value) in letter.columns.iter().zip(row) {
                    fields.push(vec![json!(column), value]);
                }
                fields.print(Format::Table)?;
                say(format_args!("\nMessage"))?;
                say(format_args!("{:#}", message.unwrap_or_default()))?;
            }
            if !audit.rows.is_empty() {
                say(format_args!("\nWhat was done with it"))?;
                audit.print(Format::Table)?;
            }
        }
    }
    Ok(Exit::Ok)
}

pub(crate) async fn redrive(
    global: &Global,
    config: &Config,
    letters: &LettersArgs,
    reason: &str,
) -> Result<Exit, Failure> {
    let history = open_history(config).await?;
    let clock = DatabaseClock::ask(&history).await.context("asking the history database for its time")?;
    let writer = writer(config, Arc::new(clock), false);
    let actor = actor();
    let mut done = Done::default();
    // A letter that stays is not read again: the whole list is taken first, its order kept.
    for letter in chosen(&history, letters).await? {
        match writer.redrive(&history, &letter, reason, &actor).await {
            Ok(Some(_)) => done.tell(&letter, "written"),
            Ok(None) => done.tell(&letter, "gone meanwhile"),
            Err(error) => {
                done.failed += 1;
                done.tell(&letter, &format!("failed: {}", annals_model::error_chain(&error)));
            }
        }
    }
    done.print(global)
}

pub(crate) async fn discard(
    global: &Global,
    config: &Config,
    letters: &LettersArgs,
    reason: &str,
) -> Result<Exit, Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::usage("a reason is missing", "Say why with --reason TEXT: it is kept."));
    }
    let history = open_history(config).await?;
    let actor = actor();
    let mut done = Done::default();
    for letter in chosen(&history, letters).await? {
        let mut tx = history.begin().await?;
        if dead::remove(&mut tx, &letter.id).await? {
            let act = Act {
                act: "discard",
                outcome: "discarded".to_owned(),
                reason: reason.to_owned(),
                actor: actor.clone(),
            };
            dead::note(&mut tx, &letter, &act).await?;
            done.tell(&letter, "discarded");
        } else {
            done.tell(&letter, "gone meanwhile");
        }
        tx.commit().await?;
    }
    done.print(global)
}

/// What was done, letter by letter.
#[derive(Default)]
struct Done {
    rows: Vec<Vec<Value>>,
    failed: usize,
}

impl Done {
    fn tell(&mut self, letter: &DeadLetter, outcome: &str) {
        self.rows.push(vec![
            json!(letter.id),
            json!(letter.key.object_type.as_str()),
            json!(letter.key.object_id),
            json!(letter.name),
            json!(outcome),
        ]);
    }

    fn print(self, global: &Global) -> Result<Exit, Failure> {
        let mut listing = Listing::new(&["letter", "object type", "object id", "name", "outcome"]);
        let letters = self.rows.len();
        listing.rows = self.rows;
        listing.print(global.output)?;
        eprintln!("Done. letters={letters} failed={}", self.failed);
        Ok(if self.failed > 0 { Exit::ObjectFailures } else { Exit::Ok })
    }
}

/// The letters that are meant, in their order.
async fn chosen(history: &Db, letters: &LettersArgs) -> Result<Vec<DeadLetter>, Failure> {
    let filter = LetterFilter::from(letters.filter.clone());
    let mut tx = history.begin_read().await?;
    let found = if !letters.ids.is_empty() {
        by_id(&mut tx, &letters.ids).await?
    } else if letters.all || filter != LetterFilter::default() {
        let found = dead::list(&mut tx, &filter, PAGE).await?;
        if found.is_empty() {
            return Err(Failure::not_found("a dead letter like that", SEE_LIST));
        }
        if found.len() == PAGE as usize {
            eprintln!("These are the first {PAGE} letters; call once more for the rest.");
        }
        found
    } else {
        return Err(Failure::usage(
            "which letters is not said",
            "Name their ids, or say --type TYPE, --object NAME, --run RUN or --all.",
        ));
    };
    Ok(found.into_iter().map(|stored| stored.letter).collect())
}

/// All of these or, with none touched, an error that names those that there are not.
async fn by_id(tx: &mut Tx, ids: &[String]) -> Result<Vec<StoredLetter>, Failure> {
    let found = dead::get(tx, ids).await?;
    let missing: Vec<&str> = ids
        .iter()
        .filter(|id| found.iter().all(|stored| stored.letter.id != **id))
        .map(String::as_str)
        .collect();
    if missing.is_empty() { Ok(found) } else { Err(not_found(&missing)) }
}

const SEE_LIST: &str = "`annals dead list` shows the letters there are.";

fn not_found(ids: &[&str]) -> Failure {
    Failure::not_found(format!("dead letter {}", ids.join(", ")), SEE_LIST)
}

/// Who acts: the user of this host.
pub(crate) fn actor() -> String {
    let user = environment("USER").or_else(|| environment("LOGNAME")).filter(|user| !user.is_empty());
    format!("{}@{}", user.as_deref().unwrap_or("unknown"), host_name())
}
