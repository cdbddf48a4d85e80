//! Writing an answer to a file, whatever the question: all its rows, page by page, in bounded memory.

mod csv;
mod json;
mod pages;
mod parquet;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::Path;

use annals_sql::Tx;
use jiff::tz::TimeZone;
use serde_json::Value;

pub use pages::{PAGE_ROWS, Pages, cells, pages, rows};

use crate::row::Column;
use crate::{Error, Result};

/// The form of an export. docs/export.md says what each makes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// RFC 4180, safe to be opened as a spreadsheet.
    Csv,
    /// One JSON array.
    Json,
    /// A JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Json, Self::Ndjson, Self::Parquet];

    /// Its name, and how the names of such files end.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// As HTTP names it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// By its name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str().eq_ignore_ascii_case(name))
    }

    /// By how a file's name ends.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        Self::of_name(path.extension()?.to_str()?)
    }
}

/// An export under way.
pub struct Export<W: Write + Send> {
    form: Form<W>,
    rows: u64,
}

enum Form<W: Write + Send> {
    Csv(csv::CsvForm<W>),
    Json(json::JsonForm<W>),
    Parquet(parquet::ParquetForm<W>),
}

impl<W: Write + Send> Export<W> {
    /// Begins one of rows with these columns. In CSV instants are told in UTC and in this zone.
    ///
    /// # Errors
    /// `Export` when it cannot be written.
    pub fn begin(format: ExportFormat, columns: Vec<Column>, zone: TimeZone, out: W) -> Result<Self> {
        let form = match format {
            ExportFormat::Csv => Form::Csv(csv::CsvForm::begin(columns, zone, out)?),
            ExportFormat::Json => Form::Json(json::JsonForm::begin(columns, json::Between::Commas, out)?),
            ExportFormat::Ndjson => Form::Json(json::JsonForm::begin(columns, json::Between::Lines, out)?),
            ExportFormat::Parquet => Form::Parquet(parquet::ParquetForm::begin(columns, out)?),
        };
        Ok(Self { form, rows: 0 })
    }

    /// Writes rows; each has a cell for every column.
    ///
    /// # Errors
    /// As [`Export::begin`].
    pub fn write(&mut self, rows: Vec<Vec<Value>>) -> Result<()> {
        self.rows += rows.len() as u64;
        match &mut self.form {
            Form::Csv(form) => form.write(&rows)?,
            Form::Json(form) => form.write(rows)?,
            Form::Parquet(form) => form.write(rows)?,
        }
        Ok(())
    }

    /// Writes all pages that there are; `told` hears how many rows are written so far.
    ///
    /// # Errors
    /// As [`Export::begin`], and from the question.
    pub async fn write_all(&mut self, tx: &mut Tx, pages: &mut dyn Pages, told: impl Fn(u64)) -> Result<()> {
        while let Some(rows) = pages.next(tx).await? {
            self.write(rows)?;
            told(self.rows);
        }
        Ok(())
    }

    /// Ends it: what it was written to, and how many rows there are.
    ///
    /// # Errors
    /// As [`Export::begin`].
    pub fn end(self) -> Result<(W, u64)> {
        let out = match self.form {
            Form::Csv(form) => form.end(),
            Form::Json(form) => form.end(),
            Form::Parquet(form) => form.end(),
        };
        Ok((out.map_err(Error::Export)?, self.rows))
    }
}
