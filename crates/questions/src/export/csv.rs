//! Exports as CSV (RFC 4180), safe to be opened as a spreadsheet.

use std::io::{self, Write};

use csv::{Terminator, Writer, WriterBuilder};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::row::{Column, Kind};

pub(super) struct CsvForm<W: Write> {
    columns: Vec<Column>,
    zone: TimeZone,
    out: Writer<W>,
}

impl<W: Write> CsvForm<W> {
    pub(super) fn begin(columns: Vec<Column>, zone: TimeZone, out: W) -> io::Result<Self> {
        let mut out = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        for column in &columns {
            if column.kind == Kind::Instant {
                out.write_field(format!("{} utc", column.heading))?;
                out.write_field(format!("{} local", column.heading))?;
            } else {
                out.write_field(neutral(column.heading.to_owned()))?;
            }
        }
        out.write_record(None::<&[u8]>)?;
        Ok(Self { columns, zone, out })
    }

    pub(super) fn write(&mut self, rows: &[Vec<Value>]) -> io::Result<()> {
        for row in rows {
            for (column, cell) in self.columns.iter().zip(row) {
                if column.kind == Kind::Instant {
                    let [utc, local] = instant(cell, &self.zone);
                    self.out.write_field(utc)?;
                    self.out.write_field(local)?;
                } else {
                    self.out.write_field(text(cell))?;
                }
            }
            self.out.write_record(None::<&[u8]>)?;
        }
        self.out.flush()
    }

    pub(super) fn end(self) -> io::Result<W> {
        self.out.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// An instant in UTC and in the zone, each with its offset.
fn instant(cell: &Value, zone: &TimeZone) -> [String; 2] {
    let Some(instant) = cell.as_i64().and_then(|ms| Timestamp::from_millisecond(ms).ok()) else {
        return [String::new(), String::new()];
    };
    let local = instant.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.f%:z");
    [instant.to_string(), local.to_string()]
}

/// A cell. Numbers, true and false stay what they are.
fn text(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => cell.to_string(),
        Value::String(text) => neutral(text.clone()),
        Value::Array(several) if several.iter().all(Value::is_string) => {
            neutral(several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) | Value::Object(_) => neutral(cell.to_string()),
    }
}

/// A text that a spreadsheet takes for a text. What would begin a formula gets an apostrophe before it, and so does a text
/// that begins with an apostrophe: whoever takes one away from each text that has one has the texts as they were.
fn neutral(text: String) -> String {
    const BEGINS_FORMULA: [char; 12] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\''];
    if text.starts_with(BEGINS_FORMULA) { format!("'{text}") } else { text }
}
