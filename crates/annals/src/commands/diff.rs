//! `annals diff`: one object at two instants, or two objects.

use annals_config::Config;
use annals_history::{AsOf, FoundObject, as_of};
use annals_model::Clock as _;
use annals_questions::export::rows;
use annals_questions::{Counts, Difference};
use annals_sql::Tx;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::{DiffArgs, Global, ObjectArgs};
use crate::commands::as_of::find_one;
use crate::commands::export::ToFile;
use crate::context::{SystemClock, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, print_json};
use crate::times;

pub(crate) async fn execute(global: &Global, config: &Config, arguments: &DiffArgs) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let now_ms = SystemClock.now_ms();
    let instant = |text: &str| {
        times::read(text, &zone, now_ms).map_err(|error| Failure::usage(error, "See `annals diff --help`."))
    };
    let at_ms = instant(&arguments.at)?;
    let and_ms = match (&arguments.and, &arguments.other) {
        (Some(and), _) => instant(and)?,
        (None, Some(_)) => at_ms,
        (None, None) => now_ms,
    };
    let known_at_ms = arguments.known_as_of.as_deref().map(instant).transpose()?;
    let to_file = ToFile::asked(&arguments.file, global.quiet)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let first = find_one(&mut tx, &arguments.object).await?;
    let second = match &arguments.other {
        Some(name) => {
            let object_type = arguments.object.object_type;
            find_one(&mut tx, &ObjectArgs { object_type, name: name.clone() }).await?
        }
        None => first.clone(),
    };
    let before = Side::of(&mut tx, first, at_ms, known_at_ms, &zone).await?;
    let after = Side::of(&mut tx, second, and_ms, known_at_ms, &zone).await?;
    let diff = annals_questions::diff((&before.object.key, &before.state), (&after.object.key, &after.state));
    if let Some(file) = to_file {
        let pages = rows(diff.told(arguments.all));
        return file.write(&history, tx, ("exportDifferences", pages), &zone).await;
    }
    if arguments.patch {
        print_json(&Value::Array(diff.patch))?;
        return Ok(Exit::Ok);
    }
    let counts = diff.counts();
    let mut listing = Listing::of(&diff.told(arguments.all), &zone).for_readers::<Difference>(global.output);
    listing.more.insert("objectType".to_owned(), json!(arguments.object.object_type.as_str()));
    listing.more.insert("from".to_owned(), before.told(&zone));
    listing.more.insert("to".to_owned(), after.told(&zone));
    listing.more.insert("counts".to_owned(), counts.told());
    if global.output != Format::Json {
        let Counts { added, removed, changed, unchanged } = counts;
        eprintln!(
            "{} {before} and {after}: {added} added, {removed} removed, {changed} changed, {unchanged} unchanged",
            arguments.object.object_type
        );
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// One side of the comparison.
struct Side {
    object: FoundObject,
    at: String,
    state: AsOf,
}

impl Side {
    async fn of(
        tx: &mut Tx,
        object: FoundObject,
        at_ms: i64,
        known_at_ms: Option<i64>,
        zone: &TimeZone,
    ) -> Result<Self, Failure> {
        let at = times::show(at_ms, zone);
        match as_of(tx, &object.key, at_ms, known_at_ms).await? {
            Some(state) => Ok(Self { object, at, state }),
            None => Err(Failure::not_found(
                format!("a capture of {} {} as of {at}", object.key.object_type, object.name),
                "History begins later; `annals timeline` shows when.",
            )),
        }
    }

    fn told(&self, zone: &TimeZone) -> Value {
        json!({
            "objectId": self.object.key.object_id,
            "name": self.object.name,
            "at": self.at,
            "since": times::show(self.state.effective_ms, zone),
            "deleted": self.state.deleted,
            "captureId": self.state.capture_id,
        })
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let deleted = if self.state.deleted { " (deleted)" } else { "" };
        write!(f, "{}{deleted} as of {}", self.object.name, self.at)
    }
}
