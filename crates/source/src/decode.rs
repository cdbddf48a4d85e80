//! From the cells of a row to JSON.

use std::borrow::Cow;

use annals_config::profile::{Format, TimeKind};
use annals_model::error_chain;
use annals_model::text::{exact_str, exact_text};
use annals_sql::{Cell, ColumnKind, Row};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use crate::attribute_xml::{self, Limits, XmlError};
use crate::column::ColumnPlan;

/// What a text column holds where it means true, in lower case.
pub(crate) const TRUE_WORDS: [&str; 5] = ["1", "t", "true", "y", "yes"];
/// What a text column holds where it means false, in lower case.
pub(crate) const FALSE_WORDS: [&str; 5] = ["0", "f", "false", "n", "no"];

/// Why a cell could not be read. Never quotes what is in it.
#[derive(Debug, thiserror::Error)]
enum DecodeError {
    #[error(transparent)]
    Attributes(#[from] XmlError),
    #[error("the text has {bytes} bytes, more than limits.attributeBytesMax = {bytes_max}")]
    TooLarge { bytes: i64, bytes_max: usize },
    #[error("it is no boolean")]
    NotBoolean,
    #[error("it is no time of the kind that the profile names")]
    NotTime,
    #[error("it is no text")]
    NotText,
    #[error(transparent)]
    Row(#[from] annals_sql::Error),
}

/// Reads a column out of a row, or says which column of which table cannot be read and why. `bytes`, if the statement
/// keeps back what is too large, is where the row says how large the cell is.
pub(crate) fn value(
    row: &Row,
    (index, bytes): (usize, Option<usize>),
    plan: &ColumnPlan,
    limits: &Limits,
) -> Result<Value, String> {
    let decoded = row.cell(index).map_err(DecodeError::from).and_then(|cell| {
        if let (Cell::Null, Some(bytes)) = (cell, bytes)
            && let Some(bytes) = row.int(bytes)?
        {
            return Err(DecodeError::TooLarge { bytes, bytes_max: limits.bytes_max });
        }
        decode(cell, plan, limits)
    });
    decoded.map_err(|error| {
        format!("table {}, column {}: {}", plan.column.table, plan.column.column, error_chain(&error))
    })
}

fn decode(cell: Cell<'_>, plan: &ColumnPlan, limits: &Limits) -> Result<Value, DecodeError> {
    if cell == Cell::Null {
        return Ok(if plan.format == Format::Flag { Value::Bool(false) } else { Value::Null });
    }
    match plan.format {
        Format::Auto => auto(cell, plan.column.kind, limits),
        Format::Text => as_text(cell, limits),
        Format::Boolean | Format::Flag => boolean(cell).map(Value::Bool),
        Format::Time(kind) => time(cell, kind).map(Value::from),
        Format::Xml => Ok(attribute_xml::parse(&text(cell, limits)?, limits)?),
        Format::Json => Ok(attribute_xml::parse_json(&text(cell, limits)?, limits)?),
        Format::CommaList => {
            let text = text(cell, limits)?;
            Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect())
        }
    }
}

fn auto(cell: Cell<'_>, kind: ColumnKind, limits: &Limits) -> Result<Value, DecodeError> {
    Ok(match cell {
        Cell::Null => Value::Null,
        Cell::Bool(flag) => Value::Bool(flag),
        Cell::Int(number) if kind == ColumnKind::Boolean => Value::Bool(number != 0),
        Cell::Int(number) => number.into(),
        Cell::Float(number) => float(number),
        Cell::Text(_) if kind == ColumnKind::DateTime => Value::from(time(cell, TimeKind::DateTime)?),
        Cell::Text(_) | Cell::Bytes(_) => text(cell, limits)?.into(),
    })
}

/// JSON has no number for infinities; they are kept as text.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
}

fn as_text(cell: Cell<'_>, limits: &Limits) -> Result<Value, DecodeError> {
    Ok(match cell {
        Cell::Null => Value::Null,
        Cell::Bool(flag) => flag.to_string().into(),
        Cell::Int(number) => number.to_string().into(),
        Cell::Float(number) => number.to_string().into(),
        Cell::Text(_) | Cell::Bytes(_) => text(cell, limits)?.into(),
    })
}

fn boolean(cell: Cell<'_>) -> Result<bool, DecodeError> {
    let is_word = |word: &str, words: [&str; 5]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    match cell {
        Cell::Bool(flag) => Ok(flag),
        Cell::Int(number) => Ok(number != 0),
        Cell::Float(number) => Ok(number != 0.0),
        Cell::Text(word) if is_word(word, TRUE_WORDS) => Ok(true),
        Cell::Text(word) if is_word(word, FALSE_WORDS) => Ok(false),
        Cell::Null | Cell::Text(_) | Cell::Bytes(_) => Err(DecodeError::NotBoolean),
    }
}

/// Epoch milliseconds. Date-time columns arrive as milliseconds; dates in text are read here.
fn time(cell: Cell<'_>, kind: TimeKind) -> Result<i64, DecodeError> {
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| DecodeError::NotTime);
    match (cell, kind) {
        (Cell::Int(millis), TimeKind::EpochMillis | TimeKind::DateTime) => Ok(millis),
        (Cell::Int(seconds), TimeKind::EpochSeconds) => seconds.checked_mul(1000).ok_or(DecodeError::NotTime),
        (Cell::Text(text), TimeKind::EpochMillis) => number(text),
        (Cell::Text(text), TimeKind::EpochSeconds) => {
            number(text)?.checked_mul(1000).ok_or(DecodeError::NotTime)
        }
        (Cell::Text(text), TimeKind::DateTime) => date_time(text).ok_or(DecodeError::NotTime),
        _ => Err(DecodeError::NotTime),
    }
}

/// `YYYY-MM-DD HH:MM:SS[.fff]` in UTC, or an instant with an offset.
fn date_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let civil: DateTime = text.parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_millisecond())
}

/// Text as documents have it, bytes that are no UTF-8 among it.
fn text<'c>(cell: Cell<'c>, limits: &Limits) -> Result<Cow<'c, str>, DecodeError> {
    let bytes = match cell {
        Cell::Text(text) => text.as_bytes(),
        Cell::Bytes(bytes) => bytes,
        Cell::Null | Cell::Bool(_) | Cell::Int(_) | Cell::Float(_) => return Err(DecodeError::NotText),
    };
    if bytes.len() > limits.bytes_max {
        let bytes = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        return Err(DecodeError::TooLarge { bytes, bytes_max: limits.bytes_max });
    }
    Ok(match cell {
        Cell::Text(text) => exact_str(text),
        _ => exact_text(bytes),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::scope::ColumnRef;

    const LIMITS: Limits = Limits { bytes_max: 40, nesting_max: 5 };

    fn read(cell: Cell<'_>, kind: ColumnKind, format: Format) -> Result<Value, String> {
        let (table, column) = (Arc::from("t"), Arc::from("c"));
        let column = ColumnRef { sql: "t0.c".to_owned(), kind, width_max: None, join: None, table, column };
        decode(cell, &ColumnPlan { column, format }, &LIMITS).map_err(|error| error.to_string())
    }

    #[test]
    fn booleans_are_read_from_whatever_engines_keep_them_in() {
        let truths = [
            Cell::Bool(true),
            Cell::Int(1),
            Cell::Int(-1),
            Cell::Float(0.5),
            Cell::Text("TRUE"),
            Cell::Text("y"),
        ];
        for cell in truths {
            assert_eq!(read(cell, ColumnKind::Other, Format::Boolean), Ok(json!(true)), "{cell:?}");
        }
        for cell in [Cell::Bool(false), Cell::Int(0), Cell::Float(0.0), Cell::Text("F"), Cell::Text("0")] {
            assert_eq!(read(cell, ColumnKind::Other, Format::Flag), Ok(json!(false)), "{cell:?}");
        }
        assert_eq!(read(Cell::Null, ColumnKind::Integer, Format::Boolean), Ok(Value::Null));
        assert_eq!(read(Cell::Null, ColumnKind::Integer, Format::Flag), Ok(json!(false)));
        assert_eq!(
            read(Cell::Text("maybe"), ColumnKind::Text, Format::Flag),
            Err("it is no boolean".to_owned())
        );
        assert_eq!(read(Cell::Int(1), ColumnKind::Boolean, Format::Auto), Ok(json!(true)));
    }

    /// 2026-01-31 10:00:00 UTC is 1,769,853,600 seconds after 1970 (`date -u -d "2026-01-31 10:00" +%s`).
    #[test]
    fn times_are_epoch_milliseconds() {
        let time = |cell, kind| read(cell, ColumnKind::Text, Format::Time(kind));
        for text in [
            "2026-01-31 10:00:00",
            "2026-01-31T10:00:00.000",
            "2026-01-31 12:00:00+02:00",
            "2026-01-31T10:00:00Z",
        ] {
            assert_eq!(
                time(Cell::Text(text), TimeKind::DateTime),
                Ok(json!(1_769_853_600_000_i64)),
                "{text}"
            );
        }
        assert_eq!(time(Cell::Text("1969-12-31 23:59:59.5"), TimeKind::DateTime), Ok(json!(-500)));
        assert_eq!(time(Cell::Text("2026-02-01"), TimeKind::DateTime), Ok(json!(1_769_904_000_000_i64)));
        assert_eq!(time(Cell::Int(7), TimeKind::EpochSeconds), Ok(json!(7000)));
        assert_eq!(time(Cell::Text(" 7 "), TimeKind::EpochSeconds), Ok(json!(7000)));
        assert_eq!(time(Cell::Text("7"), TimeKind::EpochMillis), Ok(json!(7)));
        for (cell, kind) in [
            (Cell::Text("yesterday"), TimeKind::DateTime),
            (Cell::Text("2026-02-30 00:00:00"), TimeKind::DateTime),
            (Cell::Text("2026-01-31 10:00:00"), TimeKind::EpochMillis),
            (Cell::Int(i64::MAX), TimeKind::EpochSeconds),
            (Cell::Float(1.5), TimeKind::EpochMillis),
        ] {
            assert!(time(cell, kind).is_err_and(|error| error.starts_with("it is no time")), "{cell:?}");
        }
    }

    #[test]
    fn text_is_kept_exact_and_within_its_cap() {
        let auto = |cell| read(cell, ColumnKind::Text, Format::Auto);
        assert_eq!(auto(Cell::Bytes("Zoë".as_bytes())), Ok(json!("Zoë")));
        assert_eq!(auto(Cell::Bytes(b"a\xff")), Ok(json!("a\u{10FFFF}")), "a character for the byte");
        assert_eq!(auto(Cell::Text("a\0b")), Ok(json!("a\0b")));
        let (fits, long) = ("é".repeat(20), "é".repeat(21));
        assert_eq!(auto(Cell::Text(&fits)), Ok(json!(fits)), "the cap is in bytes");
        assert_eq!(
            auto(Cell::Text(&long)),
            Err("the text has 42 bytes, more than limits.attributeBytesMax = 40".to_owned())
        );
        assert_eq!(read(Cell::Int(7), ColumnKind::Integer, Format::Text), Ok(json!("7")));
        assert_eq!(read(Cell::Int(7), ColumnKind::Integer, Format::Xml), Err("it is no text".to_owned()));
        assert_eq!(auto(Cell::Float(f64::INFINITY)), Ok(json!("inf")), "JSON has no such number");
    }
}
