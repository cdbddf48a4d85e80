//! Exports as JSON: one array, or an object a line. The objects are those that REST answers.

use std::io::{self, Write};

use serde_json::Value;

use crate::row::{Column, object};

/// What stands between objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// They are the elements of one array.
    Commas,
    /// Each is a document of its own.
    Lines,
}

pub(super) struct JsonForm<W: Write> {
    columns: Vec<Column>,
    between: Between,
    is_first: bool,
    out: W,
}

impl<W: Write> JsonForm<W> {
    pub(super) fn begin(columns: Vec<Column>, between: Between, mut out: W) -> io::Result<Self> {
        if between == Between::Commas {
            out.write_all(b"[")?;
        }
        Ok(Self { columns, between, is_first: true, out })
    }

    pub(super) fn write(&mut self, rows: Vec<Vec<Value>>) -> io::Result<()> {
        for row in rows {
            if self.between == Between::Commas {
                self.out.write_all(if self.is_first { b"\n" } else { b",\n" })?;
            }
            self.is_first = false;
            serde_json::to_writer(&mut self.out, &object(&self.columns, row))?;
            if self.between == Between::Lines {
                self.out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    pub(super) fn end(mut self) -> io::Result<W> {
        if self.between == Between::Commas {
            self.out.write_all(b"\n]\n")?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}
