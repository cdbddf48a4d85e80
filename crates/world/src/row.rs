//! Rows on their way into tables.

use std::collections::BTreeMap;

use annals_sql::{Batch, Column as BatchColumn, ColumnData, OnConflict, Tx, Value};

use crate::deed::{Cells, cell};
use crate::error::{Doing as _, Result, WorldError};
use crate::schema::{Column, ColumnType, Release, Schema, Table};

/// Columns that come with every object: when it was made, and when it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamps {
    /// `created`.
    pub(crate) created: i64,
    /// `modified`: any change.
    pub(crate) modified: Option<i64>,
    /// `significant_modified`: a change that counts; null in rows not saved since the upgrade to 8.4.
    pub(crate) significant: Option<i64>,
}

impl Stamps {
    /// Of an object made now.
    pub(crate) const fn new_at(time: i64) -> Self {
        Self { created: time, modified: None, significant: Some(time) }
    }
}

/// A row for a table, column by column; columns not given are null.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Table.
    pub(crate) table: &'static str,
    cells: Vec<(&'static str, Value)>,
}

impl Row {
    /// A row with no columns yet.
    pub(crate) fn new(table: &'static str) -> Self {
        Self { table, cells: Vec::with_capacity(16) }
    }

    /// A row of an object: its id and stamps.
    pub(crate) fn object(table: &'static str, id: impl Into<String>, stamps: Stamps) -> Self {
        Self::new(table)
            .text("id", id)
            .int("created", stamps.created)
            .maybe_int("modified", stamps.modified)
            .maybe_int("significant_modified", stamps.significant)
    }

    /// A member of an ordered list: owner, position, member.
    pub(crate) fn member(
        table: &'static str,
        owner: (&'static str, &str),
        idx: usize,
        member: (&'static str, &str),
    ) -> Self {
        Self::new(table)
            .text(owner.0, owner.1)
            .int("idx", i64::try_from(idx).unwrap_or(i64::MAX))
            .text(member.0, member.1)
    }

    /// Text.
    pub(crate) fn text(mut self, column: &'static str, value: impl Into<String>) -> Self {
        self.cells.push((column, Value::Text(Some(value.into()))));
        self
    }

    /// Text or null.
    pub(crate) fn maybe_text(mut self, column: &'static str, value: Option<impl Into<String>>) -> Self {
        self.cells.push((column, Value::Text(value.map(Into::into))));
        self
    }

    /// A number or an instant.
    pub(crate) fn int(mut self, column: &'static str, value: i64) -> Self {
        self.cells.push((column, Value::Int(Some(value))));
        self
    }

    /// A number or an instant, or null.
    pub(crate) fn maybe_int(mut self, column: &'static str, value: Option<i64>) -> Self {
        self.cells.push((column, Value::Int(value)));
        self
    }

    /// A flag.
    pub(crate) fn flag(mut self, column: &'static str, value: bool) -> Self {
        self.cells.push((column, Value::Bool(Some(value))));
        self
    }

    /// What tells the row from others: its id, or of a member of a list the id of whose list it is.
    pub(crate) fn key(&self) -> &str {
        self.given("id")
            .or_else(|| self.cells.first().and_then(|(column, _)| self.given(column)))
            .unwrap_or_default()
    }

    /// The text of a column, where one was given.
    pub(crate) fn given(&self, column: &str) -> Option<&str> {
        self.cells.iter().find_map(|(name, value)| match value {
            Value::Text(Some(text)) if *name == column => Some(text.as_str()),
            _ => None,
        })
    }

    /// Whether a column was given.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.cells.iter().any(|(name, _)| *name == column)
    }
}

/// Rows that wait to be inserted, table by table in the order of arrival.
#[derive(Debug)]
pub(crate) struct Rows {
    schema: &'static Schema,
    full: &'static Schema,
    tables: BTreeMap<&'static str, Vec<Row>>,
    waiting: usize,
    /// What was added since it was last asked for, while somebody keeps a log.
    trace: Option<Vec<Added>>,
}

/// A row that was added, as the log of deeds tells of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Added {
    /// Table.
    pub(crate) table: &'static str,
    /// Id of the row, or of whose list it is in.
    pub(crate) key: String,
    /// What people know it by.
    pub(crate) name: Option<String>,
    /// The columns of [`TOLD`] that were given.
    pub(crate) told: Vec<(&'static str, String)>,
    /// What it holds but for nulls.
    pub(crate) cells: Cells,
}

/// Columns that the log of deeds tells of every object that is made or deleted.
pub(crate) const TOLD: [&str; 9] = [
    "identity_id",
    "identity_request_id",
    "application",
    "native_identity",
    "name",
    "value",
    "status",
    "policy_name",
    "constraint_name",
];

impl Rows {
    /// No rows yet, for the database of a release.
    pub(crate) fn new(release: Release) -> Self {
        Self {
            schema: Schema::of(release),
            full: Schema::of(Release::V8_4),
            tables: BTreeMap::new(),
            waiting: 0,
            trace: None,
        }
    }

    /// Rows whose additions are logged.
    pub(crate) fn traced(release: Release) -> Self {
        Self { trace: Some(Vec::new()), ..Self::new(release) }
    }

    /// What was added since the last call.
    pub(crate) fn take_trace(&mut self) -> Vec<Added> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Lets a row wait. One for a table that the release lacks is left out.
    pub(crate) fn add(&mut self, row: Row) {
        let known = self.schema.table(row.table);
        if known.is_some() || self.full.table(row.table).is_none() {
            if let Some(trace) = &mut self.trace {
                let named = ["value", "native_identity", "name", "constraint_name"];
                trace.push(Added {
                    table: row.table,
                    key: row.key().to_owned(),
                    name: named.iter().find_map(|column| row.given(column)).map(str::to_owned),
                    told: TOLD
                        .into_iter()
                        .filter_map(|column| Some((column, row.given(column)?.to_owned())))
                        .collect(),
                    cells: row
                        .cells
                        .iter()
                        .filter(|(column, _)| known.is_some_and(|table| table.column(column).is_some()))
                        .map(|(column, value)| ((*column).to_owned(), cell(value)))
                        .filter(|(_, value)| !value.is_null())
                        .collect(),
                });
            }
            self.tables.entry(row.table).or_default().push(row);
            self.waiting += 1;
        }
    }

    /// How many rows wait.
    pub(crate) const fn len(&self) -> usize {
        self.waiting
    }

    /// Inserts all that wait; the number of rows.
    pub(crate) async fn insert(&mut self, tx: &mut Tx) -> Result<usize> {
        for (name, rows) in std::mem::take(&mut self.tables) {
            let unknown = || WorldError::UnknownColumn { table: name, column: "(no such table)".to_owned() };
            let table = self.schema.table(name).ok_or_else(unknown)?;
            let full = self.full.table(name).ok_or_else(unknown)?;
            let batch = batch(table, full, rows)?;
            tx.insert(name, batch, OnConflict::Fail).await.doing("inserting rows of the world")?;
        }
        Ok(std::mem::take(&mut self.waiting))
    }
}

/// Rows turned into columns. Cells of columns that only later releases have are left out.
fn batch(table: &Table, full: &Table, rows: Vec<Row>) -> Result<Batch> {
    let count = rows.len();
    let mut columns: Vec<Option<ColumnData>> = vec![None; table.columns.len()];
    for (nth, row) in rows.into_iter().enumerate() {
        for (name, value) in row.cells {
            let Some((position, column)) = table.column(name) else {
                if full.column(name).is_some() {
                    continue;
                }
                return Err(WorldError::UnknownColumn { table: table.name, column: name.to_owned() });
            };
            let data = columns[position].get_or_insert_with(|| nulls(column, count));
            put(table.name, column, data, nth, value)?;
        }
    }
    let columns = table
        .columns
        .iter()
        .zip(columns)
        .filter_map(|(column, data)| Some(BatchColumn { name: column.name, data: data? }))
        .collect();
    Ok(Batch::new(columns))
}

fn nulls(column: &Column, count: usize) -> ColumnData {
    match column.column_type {
        ColumnType::Bigint | ColumnType::Integer => ColumnData::Int(vec![None; count]),
        ColumnType::Bit => ColumnData::Bool(vec![None; count]),
        ColumnType::Longblob => ColumnData::Bytes(vec![None; count]),
        ColumnType::Varchar(_) | ColumnType::Longtext | ColumnType::Datetime => {
            ColumnData::Text(vec![None; count])
        }
    }
}

fn put(table: &'static str, column: &Column, data: &mut ColumnData, nth: usize, value: Value) -> Result<()> {
    check_length(table, column, &value)?;
    match (data, value) {
        (ColumnData::Int(cells), Value::Int(value)) => cells[nth] = value,
        (ColumnData::Bool(cells), Value::Bool(value)) => cells[nth] = value,
        (ColumnData::Text(cells), Value::Text(value)) => cells[nth] = value,
        (ColumnData::Bytes(cells), Value::Bytes(value)) => cells[nth] = value,
        _ => return Err(WorldError::WrongKind { table, column: column.name }),
    }
    Ok(())
}

/// SQLite would take text of any length, and the world would then differ from engine to engine.
pub(crate) fn check_length(table: &'static str, column: &Column, value: &Value) -> Result<()> {
    if let (ColumnType::Varchar(length), Value::Text(Some(text))) = (column.column_type, value)
        && text.len() > length
    {
        let found = text.chars().count();
        if found > length {
            return Err(WorldError::TooLong { table, column: column.name, length, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(release: Release, rows: Vec<Row>) -> Result<Batch> {
        let table = Schema::of(release).table("spt_link").unwrap();
        batch(table, Schema::of(Release::V8_4).table("spt_link").unwrap(), rows)
    }

    #[test]
    fn rows_become_columns_with_nulls_where_nothing_was_given() {
        let rows = vec![
            Row::new("spt_link").text("id", "a").flag("iiq_disabled", true),
            Row::new("spt_link").text("id", "b").int("created", 5),
        ];
        let batch = batch_of(Release::V8_4, rows).unwrap();
        let names: Vec<&str> = batch.columns.iter().map(|column| column.name).collect();
        assert_eq!(names, ["id", "created", "iiq_disabled"]);
        assert_eq!(batch.columns[1].data, ColumnData::Int(vec![None, Some(5)]));
        assert_eq!(batch.columns[2].data, ColumnData::Bool(vec![Some(true), None]));
    }

    #[test]
    fn columns_of_later_releases_are_left_out_and_unknown_ones_refused() {
        let later = vec![Row::new("spt_link").text("id", "a").flag("iiq_disabled", true)];
        assert_eq!(batch_of(Release::V8_0, later).unwrap().columns.len(), 1);
        let unknown = vec![Row::new("spt_link").text("ident", "a")];
        assert!(matches!(batch_of(Release::V8_4, unknown), Err(WorldError::UnknownColumn { .. })));
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        let long = vec![Row::new("spt_link").text("uuid", "é".repeat(129))];
        assert!(matches!(
            batch_of(Release::V8_4, long),
            Err(WorldError::TooLong { column: "uuid", length: 128, found: 129, .. })
        ));
        assert!(batch_of(Release::V8_4, vec![Row::new("spt_link").text("uuid", "é".repeat(128))]).is_ok());
        let kind = vec![Row::new("spt_link").text("created", "yesterday")];
        assert!(matches!(
            batch_of(Release::V8_4, kind),
            Err(WorldError::WrongKind { column: "created", .. })
        ));
    }
}
