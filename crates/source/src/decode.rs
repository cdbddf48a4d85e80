//! From the cells of a row to JSON.

use std::error::Error as _;

use annals_config::profile::{Format, TimeKind};
use annals_sql::{Cell, ColumnKind, Row};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use crate::attribute_xml::{self, Limits, XmlError};
use crate::column::ColumnPlan;
use crate::condition::{FALSE_WORDS, TRUE_WORDS};

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
        let mut text = format!("table {}, column {}: {error}", plan.column.table, plan.column.column);
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
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
