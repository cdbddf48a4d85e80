//! From the cells of a row to JSON.

use annals_config::profile::{Format, TimeKind};
use annals_model::error_chain;
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
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("the text has {bytes} bytes, over the cap of {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("the text has the character U+0000, which history cannot keep")]
    Nul,
    #[error("it is no boolean")]
    NotBoolean,
    #[error("it is no time of the kind that the profile names")]
    NotTime,
    #[error("it is no text")]
    NotText,
    #[error(transparent)]
    Row(#[from] annals_sql::Error),
}

/// Reads a column out of a row, or says which column of which table cannot be read and why.
pub(crate) fn value(row: &Row, index: usize, plan: &ColumnPlan, limits: &Limits) -> Result<Value, String> {
    let decoded = row.cell(index).map_err(DecodeError::from).and_then(|cell| decode(cell, plan, limits));
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
        Format::Xml => Ok(attribute_xml::parse(uncapped_text(cell)?, limits)?),
        Format::Json => Ok(attribute_xml::parse_json(uncapped_text(cell)?, limits)?),
        Format::CommaList => {
            let items = text(cell, limits)?.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(items.map(Value::from).collect())
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

fn text<'c>(cell: Cell<'c>, limits: &Limits) -> Result<&'c str, DecodeError> {
    let text = uncapped_text(cell)?;
    if text.len() > limits.bytes_max {
        return Err(DecodeError::TooLarge { bytes: text.len(), bytes_max: limits.bytes_max });
    }
    if text.contains('\0') {
        return Err(DecodeError::Nul);
    }
    Ok(text)
}

fn uncapped_text(cell: Cell<'_>) -> Result<&str, DecodeError> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8),
        Cell::Null | Cell::Bool(_) | Cell::Int(_) | Cell::Float(_) => Err(DecodeError::NotText),
    }
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
        let column = ColumnRef { sql: "t0.c".to_owned(), kind, join: None, table, column };
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
    fn text_is_utf8_without_nul_and_within_its_cap() {
        let auto = |cell| read(cell, ColumnKind::Text, Format::Auto);
        assert_eq!(auto(Cell::Bytes("Zoë".as_bytes())), Ok(json!("Zoë")));
        assert_eq!(auto(Cell::Bytes(b"\xff")), Err("the text is not UTF-8".to_owned()));
        assert!(auto(Cell::Text("a\0b")).is_err_and(|error| error.contains("U+0000")));
        let (fits, long) = ("é".repeat(20), "é".repeat(21));
        assert_eq!(auto(Cell::Text(&fits)), Ok(json!(fits)), "the cap is in bytes");
        assert_eq!(auto(Cell::Text(&long)), Err("the text has 42 bytes, over the cap of 40".to_owned()));
        assert_eq!(read(Cell::Int(7), ColumnKind::Integer, Format::Text), Ok(json!("7")));
        assert_eq!(read(Cell::Int(7), ColumnKind::Integer, Format::Xml), Err("it is no text".to_owned()));
        assert_eq!(auto(Cell::Float(f64::INFINITY)), Ok(json!("inf")), "JSON has no such number");
    }
}
