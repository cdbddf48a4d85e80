//! Rows read back, column by name.

use std::collections::BTreeMap;

use annals_sql::{Cell, Row, Stmt, Tx, Value};

use crate::error::{Doing as _, Result};
use crate::schema::Schema;

/// Keys in one statement.
const KEYS_PER_STATEMENT: usize = 400;

/// A value read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Datum {
    Null,
    Int(i64),
    Text(String),
}

/// A row read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    cells: BTreeMap<&'static str, Datum>,
}

impl Record {
    /// Text; empty where there is none.
    pub(crate) fn text(&self, column: &str) -> String {
        self.maybe_text(column).unwrap_or_default()
    }

    /// Text or null.
    pub(crate) fn maybe_text(&self, column: &str) -> Option<String> {
        match self.cells.get(column) {
            Some(Datum::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// A number, or a flag as 0 and 1; null counts as 0.
    pub(crate) fn int(&self, column: &str) -> i64 {
        match self.cells.get(column) {
            Some(Datum::Int(number)) => *number,
            _ => 0,
        }
    }

    /// A flag; null counts as false.
    pub(crate) fn flag(&self, column: &str) -> bool {
        self.int(column) != 0
    }
}

/// Reads columns of all rows whose `key` column holds one of the keys, in the order of key and primary key.
pub(crate) async fn records(
    tx: &mut Tx,
    schema: &Schema,
    table: &'static str,
    columns: &[&'static str],
    key: &str,
    keys: &[String],
) -> Result<Vec<Record>> {
    let Some(known) = schema.table(table) else { return Ok(Vec::new()) };
    let present: Vec<&'static str> =
        columns.iter().copied().filter(|column| known.column(column).is_some()).collect();
    let engine = tx.engine();
    let quoted: Vec<String> = present.iter().map(|column| engine.quote(column)).collect();
    let mut order = vec![engine.quote(key)];
    order.extend(
        known.columns.iter().filter(|column| column.primary_key).map(|column| engine.quote(column.name)),
    );
    let text = format!(
        "select {} from {} where {} {{in}} order by {}",
        quoted.join(", "),
        engine.quote(table),
        engine.quote(key),
        order.join(", ")
    );
    let stmt = Stmt::built(format!("world.read {table}"), text);
    let mut found = Vec::new();
    for keys in keys.chunks(KEYS_PER_STATEMENT) {
        let rows =
            tx.fetch_all(&stmt, vec![Value::TextList(keys.to_vec())]).await.doing("reading the world")?;
        for row in rows {
            let mut record = Record::default();
            for (position, column) in present.iter().enumerate() {
                let datum = match row.cell(position).doing("reading the world")? {
                    Cell::Null | Cell::Float(_) => Datum::Null,
                    Cell::Bool(flag) => Datum::Int(flag.into()),
                    Cell::Int(number) => Datum::Int(number),
                    Cell::Text(text) => Datum::Text(text.to_owned()),
                    Cell::Bytes(bytes) => Datum::Text(String::from_utf8_lossy(bytes).into_owned()),
                };
                record.cells.insert(column, datum);
            }
            found.push(record);
        }
    }
    Ok(found)
}

/// The first column, text, of all rows of a statement.
pub(crate) async fn texts(tx: &mut Tx, stmt: &Stmt, params: Vec<Value>) -> Result<Vec<String>> {
    let rows = tx.fetch_all(stmt, params).await.doing("reading the world")?;
    rows.iter().map(|row| text_at(row, 0)).collect()
}

/// The text at a position, empty where it is null. MySQL hands text of a binary collation out as bytes.
pub(crate) fn text_at(row: &Row, position: usize) -> Result<String> {
    let bytes = row.bytes(position).doing("reading the world")?;
    Ok(String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned())
}
