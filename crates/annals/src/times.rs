//! Instants in and out: shown with their offset, in the zone asked for.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Shows an instant with its offset, to the second.
#[must_use]
pub fn show(ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(instant) => instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

/// Reads an instant: RFC 3339, `YYYY-MM-DD HH:MM[:SS]`, `YYYY-MM-DD` (its end, so that a day includes what happened on
/// it), `now`, or a span before now (`3d`, `12h`).
///
/// # Errors
/// A sentence naming the forms.
pub fn read(text: &str, zone: &TimeZone, now_ms: i64) -> Result<i64, String> {
    let wrong = || {
        format!(
            "`{text}` is not an instant: write 2026-03-01, 2026-03-01 14:30, 2026-03-01T14:30:00+01:00, now, or a span before now such as 3d"
        )
    };
    if text == "now" {
        return Ok(now_ms);
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant.as_millisecond());
    }
    if let Ok(date) = text.parse::<Date>()
        && !text.contains([':', 'T'])
    {
        let next = date.tomorrow().map_err(|_| wrong())?;
        let midnight = next.to_zoned(zone.clone()).map_err(|_| wrong())?;
        return Ok(midnight.timestamp().as_millisecond() - 1);
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return local
            .to_zoned(zone.clone())
            .map(|zoned| zoned.timestamp().as_millisecond())
            .map_err(|_| wrong());
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    let now = Timestamp::from_millisecond(now_ms).map_err(|_| wrong())?.to_zoned(zone.clone());
    now.checked_sub(span).map(|then| then.timestamp().as_millisecond()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("a zone")
    }

    /// 2026-03-01T00:00:00Z is 1772323200 by `date -u -d 2026-03-01 +%s`.
    const FIRST_OF_MARCH_MS: i64 = 1_772_323_200_000;

    #[test]
    fn a_date_means_the_end_of_the_day_in_the_zone() {
        let day_ms = 86_400_000;
        assert_eq!(read("2026-03-01", &TimeZone::UTC, 0), Ok(FIRST_OF_MARCH_MS + day_ms - 1));
        assert_eq!(read("2026-03-01", &berlin(), 0), Ok(FIRST_OF_MARCH_MS + day_ms - 3_600_000 - 1));
    }

    #[test]
    fn local_times_and_spans_are_understood() {
        assert_eq!(read("2026-03-01 01:00", &berlin(), 0), Ok(FIRST_OF_MARCH_MS));
        assert_eq!(read("2026-03-01T01:00:00+01:00", &TimeZone::UTC, 0), Ok(FIRST_OF_MARCH_MS));
        assert_eq!(read("1d", &TimeZone::UTC, FIRST_OF_MARCH_MS), Ok(FIRST_OF_MARCH_MS - 86_400_000));
        assert!(read("yesterday-ish", &TimeZone::UTC, 0).is_err());
    }

    #[test]
    fn instants_are_shown_with_their_offset() {
        assert_eq!(show(FIRST_OF_MARCH_MS, &berlin()), "2026-03-01 01:00:00+01:00");
    }
}
