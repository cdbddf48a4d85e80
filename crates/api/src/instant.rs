//! Instants in and out.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::ask::Question;
use crate::odata::ParseError;
use crate::problem::Problem;

/// An instant as it is told: RFC 3339, UTC.
pub(crate) fn told(ms: i64) -> Value {
    Timestamp::from_millisecond(ms).map_or(Value::Null, |instant| json!(instant.to_string()))
}

/// The same of one that may be absent.
pub(crate) fn told_if(ms: Option<i64>) -> Value {
    ms.map_or(Value::Null, told)
}

/// An option that is an instant: RFC 3339, or a date, which means its last millisecond in UTC.
pub(crate) fn option(question: &Question<'_>, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = question.options.own.get(name) else { return Ok(None) };
    read(text).map(Some).ok_or_else(|| {
        let message =
            "expected an instant such as 2026-03-01T14:30:00Z, or a date such as 2026-03-01".to_owned();
        Problem::option(name, ParseError { position: 0, message })
    })
}

fn read(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    if text.contains(['T', 't', ':', ' ']) {
        return None;
    }
    let next = text.parse::<Date>().ok()?.tomorrow().ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01T00:00:00Z is 1772323200 by `date -u -d 2026-03-01 +%s`.
    #[test]
    fn a_date_is_its_end() {
        assert_eq!(read("2026-02-28"), Some(1_772_323_199_999));
        assert_eq!(read("2026-03-01T01:00:00+01:00"), Some(1_772_323_200_000));
        assert_eq!(read("2026-03-01T00:00:00"), None);
        assert_eq!(read("now"), None);
        assert_eq!(told(1_772_323_200_250), json!("2026-03-01T00:00:00.25Z"));
    }
}
