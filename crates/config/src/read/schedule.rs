//! When a task runs: cron lines, time zones, and what becomes of fires that nobody was there for.

use annals_model::Schedule;
use annals_model::schedule::{Cadence, CatchUp, CronError, Overlap};
use jiff::tz::TimeZone;

use crate::fields::Fields;
use crate::node::shortened;
use crate::suggest::nearest;
use crate::value::Value;

/// 2026-01-01 00:00 UTC.
const FIRST_OF_2026_MS: i64 = 1_767_225_600_000;

const CATCH_UP: [(&str, CatchUp); 3] = [
    (CatchUp::Skip.as_str(), CatchUp::Skip),
    (CatchUp::One.as_str(), CatchUp::One),
    (CatchUp::All.as_str(), CatchUp::All),
];
const OVERLAP: [(&str, Overlap); 2] =
    [(Overlap::Skip.as_str(), Overlap::Skip), (Overlap::BufferOne.as_str(), Overlap::BufferOne)];

/// Reads `schedule` or `reconcile`.
pub(crate) fn schedule(value: &Value<'_>, default_zone: &str) -> Option<Schedule> {
    if value.is_text() {
        let key = value.label.trim_matches('`');
        let help = format!("write {key}: {{cron: \"0 0 * * *\", timeZone: UTC}}");
        value.error(format!("`{key}` must be a mapping with the keys `cron` and `timeZone`"), help);
        return None;
    }
    let mut fields = value.fields("the schedule")?;
    let cadence = cadence(&mut fields, default_zone);
    let catch_up = fields.get("catchUp").and_then(|value| value.word(&CATCH_UP));
    let window = fields.get("catchUpWindowMinutes").and_then(|value| value.whole_u32(1..=527_040));
    let overlap = fields.get("overlap").and_then(|value| value.word(&OVERLAP));
    let jitter = fields.get("jitterSeconds").and_then(|value| value.whole_u32(0..=86_400));
    fields.finish();
    let mut schedule = Schedule::new(cadence?);
    schedule.catch_up = catch_up.unwrap_or(schedule.catch_up);
    schedule.overlap = overlap.unwrap_or(schedule.overlap);
    schedule.catch_up_window_ms =
        window.map_or(schedule.catch_up_window_ms, |minutes| i64::from(minutes) * 60_000);
    schedule.jitter_ms = jitter.map_or(schedule.jitter_ms, |seconds| i64::from(seconds) * 1_000);
    Some(schedule)
}

/// `cron` with `timeZone`, or `everySeconds`.
fn cadence(fields: &mut Fields<'_>, default_zone: &str) -> Option<Cadence> {
    let zone = fields.get("timeZone");
    if let Some(every) = fields.get("everySeconds") {
        let cron = fields.get("cron");
        for (key, other) in [("cron", cron.as_ref()), ("timeZone", zone.as_ref())] {
            if let Some(other) = other {
                other.error(
                    format!("`{key}` and `everySeconds` are both given"),
                    format!("remove `{key}`, or `everySeconds`"),
                );
            }
        }
        let seconds = every.whole_u32(1..=604_800)?;
        return Some(Cadence::Every { every_ms: i64::from(seconds) * 1_000 });
    }
    let line = fields.need("cron", "write cron: \"0 0 * * *\"");
    let zone = match zone {
        Some(value) => time_zone(&value),
        None => Some(default_zone.to_owned()),
    };
    let zone = zone.and_then(|name| TimeZone::get(&name).ok());
    // The line is looked at whatever the zone, so that both are told of at once.
    let cadence = cron_line(&line?, zone.clone().unwrap_or(TimeZone::UTC));
    zone.and(cadence)
}

/// A cron line of five fields that some day comes true.
fn cron_line(value: &Value<'_>, zone: TimeZone) -> Option<Cadence> {
    let line = value.name()?;
    let shown = shortened(&line);
    let help =
        "write minute, hour, day of month, month and day of week, for example \"0 0 * * *\" for midnight";
    let fields = line.split_whitespace().count();
    if fields != 5 {
        value.error(format!("the cron line `{shown}` has {fields} fields, not five"), help);
        return None;
    }
    let cadence = match Cadence::cron(&line, zone) {
        Ok(cadence) => cadence,
        Err(error) => {
            value.error(format!("the cron line `{shown}` cannot be read: {}", cron_reason(&error)), help);
            return None;
        }
    };
    // Any start will do; four years hold every date of the calendar.
    if cadence.next(FIRST_OF_2026_MS).is_none() {
        value.error(format!("the cron line `{shown}` never comes true"), "choose a date that exists");
        return None;
    }
    Some(cadence)
}

/// The reason alone, as it stands at the end of a sentence.
fn cron_reason(error: &CronError) -> String {
    let text = match error {
        CronError::InvalidPattern(text)
        | CronError::IllegalCharacters(text)
        | CronError::ComponentError(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text.trim_end_matches('.');
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// A time zone of the IANA database.
pub(crate) fn time_zone(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    if TimeZone::get(&name).is_ok() {
        return Some(name);
    }
    let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    let help = match nearest(&name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write a name of the IANA database such as `Europe/Berlin` or `UTC`".to_owned(),
    };
    value.error(format!("unknown time zone `{}`", shortened(&name)), help);
    None
}
