//! Rows of one table, gathered column by column for one bulk statement.

use annals_model::text::searchable;
use annals_sql::{Batch, Column, ColumnData, OnConflict, Tx};

use crate::Error;
use crate::schema::{ColumnType, TableDef};
use crate::text::{cut, stored_id};

/// Rows of one table. A value for a column that the table lacks is left out: tables of one kind differ in columns.
#[derive(Debug)]
pub(crate) struct Rows {
    table: &'static TableDef,
    columns: Vec<ColumnData>,
    len: usize,
}

impl Rows {
    pub(crate) fn new(table: &'static TableDef) -> Self {
        let columns = table
            .columns
            .iter()
            .map(|column| match column.kind {
                ColumnType::Text(_) | ColumnType::Id => ColumnData::Text(Vec::new()),
                ColumnType::Int => ColumnData::Int(Vec::new()),
                ColumnType::Bytes => ColumnData::Bytes(Vec::new()),
            })
            .collect();
        Self { table, columns, len: 0 }
    }

    pub(crate) fn table(&self) -> &'static TableDef {
        self.table
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a row of nulls; the setters fill it. Its number.
    pub(crate) fn push(&mut self) -> usize {
        for column in &mut self.columns {
            match column {
                ColumnData::Int(values) => values.push(None),
                ColumnData::Text(values) => values.push(None),
                ColumnData::Bytes(values) => values.push(None),
                ColumnData::Bool(values) => values.push(None),
            }
        }
        self.len += 1;
        self.len - 1
    }

    /// Adds the rows of another batch of the same table.
    pub(crate) fn append(&mut self, other: Rows) {
        for (column, added) in self.columns.iter_mut().zip(other.columns) {
            match (column, added) {
                (ColumnData::Int(values), ColumnData::Int(added)) => values.extend(added),
                (ColumnData::Text(values), ColumnData::Text(added)) => values.extend(added),
                (ColumnData::Bytes(values), ColumnData::Bytes(added)) => values.extend(added),
                // The same table has the same columns.
                _ => {}
            }
        }
        self.len += other.len;
    }

    /// Makes a text of the last row empty if it is null: where null is not allowed and nothing better is known.
    pub(crate) fn text_default(&mut self, column: &str) {
        let Some(row) = self.len.checked_sub(1) else { return };
        if self.text_of(row, column).is_none() {
            self.text_at(row, column, Some(""));
        }
    }

    /// Sets a text of the last row, cut to the column's width; ids are never cut.
    pub(crate) fn text(&mut self, column: &str, value: Option<&str>) {
        if let Some(row) = self.len.checked_sub(1) {
            self.text_at(row, column, value);
        }
    }

    /// Sets a text of a row.
    pub(crate) fn text_at(&mut self, row: usize, column: &str, value: Option<&str>) {
        let Some(position) = self.table.position(column) else { return };
        let Some(value) = value else { return };
        let value = match self.table.columns[position].kind {
            ColumnType::Id => stored_id(value),
            ColumnType::Text(usize::MAX) => searchable(value),
            ColumnType::Text(chars_max) => cut(value, chars_max),
            ColumnType::Int | ColumnType::Bytes => return,
        };
        if let ColumnData::Text(values) = &mut self.columns[position] {
            values[row] = Some(value.into_owned());
        }
    }

    /// Sets a number of the last row.
    pub(crate) fn int(&mut self, column: &str, value: Option<i64>) {
        if let Some(row) = self.len.checked_sub(1) {
            self.int_at(row, column, value);
        }
    }

    /// Sets a number of a row.
    pub(crate) fn int_at(&mut self, row: usize, column: &str, value: Option<i64>) {
        let Some(position) = self.table.position(column) else { return };
        if let ColumnData::Int(values) = &mut self.columns[position] {
            values[row] = value;
        }
    }

    /// Sets the bytes of the last row.
    pub(crate) fn bytes(&mut self, column: &str, value: Vec<u8>) {
        let (Some(position), Some(row)) = (self.table.position(column), self.len.checked_sub(1)) else {
            return;
        };
        if let ColumnData::Bytes(values) = &mut self.columns[position] {
            values[row] = Some(value);
        }
    }

    /// A text of a row as it stands.
    pub(crate) fn text_of(&self, row: usize, column: &str) -> Option<&str> {
        match &self.columns[self.table.position(column)?] {
            ColumnData::Text(values) => values.get(row)?.as_deref(),
            _ => None,
        }
    }

    /// A number of a row as it stands.
    pub(crate) fn int_of(&self, row: usize, column: &str) -> Option<i64> {
        match &self.columns[self.table.position(column)?] {
            ColumnData::Int(values) => *values.get(row)?,
            _ => None,
        }
    }

    /// All rows, ready to be inserted.
    pub(crate) fn into_batch(self) -> Batch {
        let columns = self
            .table
            .columns
            .iter()
            .zip(self.columns)
            .map(|(column, data)| Column { name: column.name, data })
            .collect();
        Batch::new(columns)
    }

    /// Inserts all rows; none of them may be there.
    pub(crate) async fn insert(self, tx: &mut Tx) -> Result<(), Error> {
        let table = self.table.name;
        tx.insert(table, self.into_batch(), OnConflict::Fail).await?;
        Ok(())
    }
}
