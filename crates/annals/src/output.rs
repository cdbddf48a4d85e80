//! Data on stdout: as a table, as JSON, as CSV.

use std::io::{IsTerminal as _, Write as _};

use annals_questions::{Kind, Row, camel};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::times;

/// A line under the heading and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One document; the same shape for 0, 1 or n rows.
    Json,
    /// RFC 4180, with a heading.
    Csv,
}

/// Rows to print.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Column names; in JSON they are the members.
    pub columns: Vec<&'static str>,
    /// Cells in the order of the columns.
    pub rows: Vec<Vec<Value>>,
    /// There are more rows than these; the sentence says how to see them.
    pub cut: Option<String>,
    /// Members of the JSON document beside `items`.
    pub more: Map<String, Value>,
    /// Rows before these are printed already.
    is_begun: bool,
}

impl Listing {
    /// A listing with these columns and no rows.
    #[must_use]
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), ..Self::default() }
    }

    /// The rows of an answer, with its instants in a time zone.
    #[must_use]
    pub fn of<R: Row>(rows: &[R], zone: &TimeZone) -> Self {
        let mut listing =
            Self { columns: R::COLUMNS.iter().map(|column| column.heading).collect(), ..Self::default() };
        for row in rows {
            let cells =
                R::COLUMNS.iter().zip(row.cells()).map(|(column, cell)| match (column.kind, cell.as_i64()) {
                    (Kind::Instant, Some(ms)) => json!(times::show(ms, zone)),
                    _ => cell,
                });
            listing.rows.push(cells.collect());
        }
        listing
    }

    /// Without the columns that people can do without, where people read it.
    #[must_use]
    pub fn for_readers<R: Row>(self, format: Format) -> Self {
        if format != Format::Table {
            return self;
        }
        let for_programs = R::COLUMNS.iter().filter(|column| !column.for_people);
        self.without(&for_programs.map(|column| column.heading).collect::<Vec<_>>())
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Value>) {
        self.rows.push(row);
    }

    /// Of rows that were read, one more than wanted, keeps those that are wanted and says where the others are.
    pub fn cut_at<T>(&mut self, found: &mut Vec<T>, limit: u32) {
        if found.len() > limit as usize {
            found.truncate(limit as usize);
            self.cut = Some(format!("There are more than {limit}; see the rest with --limit."));
        }
    }

    /// The listing without these columns.
    #[must_use]
    pub fn without(mut self, columns: &[&str]) -> Self {
        let keep: Vec<bool> = self.columns.iter().map(|column| !columns.contains(column)).collect();
        let mut kept = keep.iter();
        self.columns.retain(|_| *kept.next().unwrap_or(&true));
        for row in &mut self.rows {
            let mut kept = keep.iter();
            row.retain(|_| *kept.next().unwrap_or(&true));
        }
        self
    }

    /// Prints it; a cut is said on stderr where the form has no place for it.
    ///
    /// # Errors
    /// When stdout is closed.
    pub fn print(&self, format: Format) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        match format {
            Format::Table => writeln!(out, "{}", self.table())?,
            Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&self.json())?)?,
            Format::Csv => {
                out.write_all(&self.csv()?)?;
            }
        }
        if let (Some(cut), true) = (&self.cut, format != Format::Json) {
            writeln!(anstream::stderr(), "{cut}")?;
        }
        Ok(())
    }

    /// Prints the rows as CSV and lets them go: more will follow.
    ///
    /// # Errors
    /// When stdout is closed.
    pub fn print_part(&mut self) -> anyhow::Result<()> {
        anstream::stdout().lock().write_all(&self.csv()?)?;
        self.rows.clear();
        self.is_begun = true;
        Ok(())
    }

    fn csv(&self) -> anyhow::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        if !self.is_begun {
            writer.write_record(&self.columns)?;
        }
        for row in &self.rows {
            writer.write_record(row.iter().map(plain))?;
        }
        Ok(writer.into_inner()?)
    }

    /// The listing as one JSON document.
    #[must_use]
    pub fn json(&self) -> Value {
        let items: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                Value::Object(
                    self.columns.iter().map(|column| camel(column)).zip(row.iter().cloned()).collect(),
                )
            })
            .collect();
        let mut document = self.more.clone();
        document.insert("items".to_owned(), Value::Array(items));
        document.insert("cut".to_owned(), json!(self.cut.is_some()));
        Value::Object(document)
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        if !std::io::stdout().is_terminal() {
            // Wide enough that nothing is folded where a program reads it.
            table.set_width(400);
        }
        table.set_header(&self.columns);
        for row in &self.rows {
            table.add_row(row.iter().map(plain));
        }
        table
    }
}

/// Prints a line of data.
///
/// # Errors
/// When stdout is closed.
pub fn say(line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(anstream::stdout(), "{line}")?)
}

/// Prints one JSON document, for commands whose answer is no list.
///
/// # Errors
/// When stdout is closed.
pub fn print_json(document: &Value) -> anyhow::Result<()> {
    writeln!(anstream::stdout(), "{}", serde_json::to_string_pretty(document)?)?;
    Ok(())
}

/// A cell as people read it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(several) => several.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_can_be_left_out() {
        let mut listing = Listing::new(&["a", "b", "c"]);
        listing.push(vec![json!(1), json!(2), json!(3)]);
        let listing = listing.without(&["b"]);
        assert_eq!((listing.columns, listing.rows), (vec!["a", "c"], vec![vec![json!(1), json!(3)]]));
    }

    #[test]
    fn json_has_one_shape_for_any_number_of_rows() {
        let mut listing = Listing::new(&["object type", "name"]);
        assert_eq!(listing.json(), json!({"items": [], "cut": false}));
        listing.push(vec![json!("role"), Value::Null]);
        assert_eq!(listing.json(), json!({"items": [{"objectType": "role", "name": null}], "cut": false}));
    }
}
