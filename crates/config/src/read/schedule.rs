//! When a task runs: cron lines and time zones.

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::date;
use jiff::tz::TimeZone;

use crate::node::shortened;
use crate::suggest::nearest;
use crate::task::Schedule;
use crate::value::Value;

/// Reads `schedule`.
pub(crate) fn schedule(value: &Value<'_>, default_zone: &str) -> Option<Schedule> {
    if value.is_text() {
        let help = "write schedule: {cron: \"0 0 * * *\", timeZone: UTC}";
        value.error("`schedule` must be a mapping with the keys `cron` and `timeZone`", help);
        return None;
    }
    let mut fields = value.fields("the schedule")?;
    let cron = fields.need("cron", "write cron: \"0 0 * * *\"").and_then(|value| cron_line(&value));
    let zone = fields.get("timeZone");
    fields.finish();
    let time_zone = match zone {
        Some(value) => time_zone(&value)?,
        None => default_zone.to_owned(),
    };
    Some(Schedule { cron: cron?, time_zone })
}

/// A cron line of five fields that some day comes true.
fn cron_line(value: &Value<'_>) -> Option<String> {
    let line = value.name()?;
    let shown = shortened(&line);
    let help =
        "write minute, hour, day of month, month and day of week, for example \"0 0 * * *\" for midnight";
    let fields = line.split_whitespace().count();
    if fields != 5 {
        value.error(format!("the cron line `{shown}` has {fields} fields, not five"), help);
        return None;
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = match parser.parse(&line) {
        Ok(cron) => cron,
        Err(error) => {
            value.error(format!("the cron line `{shown}` cannot be read: {}", cron_reason(&error)), help);
            return None;
        }
    };
    // Any start will do; four years hold every date of the calendar.
    let start = date(2026, 1, 1).to_zoned(TimeZone::UTC).ok()?;
    if cron.find_next_occurrence(&start, true).is_err() {
        value.error(format!("the cron line `{shown}` never comes true"), "choose a date that exists");
        return None;
    }
    Some(line)
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
