//! Bulk inserts on PostgreSQL by binary `COPY`: half the server's work of an insert out of arrays.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{AssertSqlSafe, PgConnection, Postgres, SqlSafeStr as _};

use crate::bulk::{Batch, ColumnData};
use crate::{Engine, Error, Result};

/// Below this a prepared insert, which takes one round trip less, is as cheap.
pub(crate) const COPY_ROWS_MIN: usize = 20;

/// The start of every binary stream: its mark, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Its end: a row of -1 columns.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// The length of a null.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

const COLUMN_TYPES: &str = "select attname, format_type(atttypid, null) from pg_attribute \
                            where attrelid = to_regclass(quote_ident($1)) and attnum > 0 and not attisdropped";

/// How a column's values are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Int2,
    Int4,
    Int8,
    Bool,
    Text,
    Bytea,
}

impl Wire {
    /// By the type's SQL name, without its length.
    fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "smallint" => Self::Int2,
            "integer" => Self::Int4,
            "bigint" => Self::Int8,
            "boolean" => Self::Bool,
            "text" | "character varying" => Self::Text,
            "bytea" => Self::Bytea,
            _ => return None,
        })
    }

    const fn takes(self, data: &ColumnData) -> bool {
        matches!(
            (self, data),
            (Self::Int2 | Self::Int4 | Self::Int8, ColumnData::Int(_))
                | (Self::Bool, ColumnData::Bool(_))
                | (Self::Text, ColumnData::Text(_))
                | (Self::Bytea, ColumnData::Bytes(_))
        )
    }
}

type Columns = Arc<HashMap<String, Wire>>;

/// The column types of tables, asked for once in the life of a [`crate::Db`].
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnTypes(Arc<Mutex<HashMap<String, Columns>>>);

impl ColumnTypes {
    async fn of(&self, connection: &mut PgConnection, table: &str) -> Result<Columns> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let rows: Vec<(String, String)> = sqlx::query_as::<Postgres, _>(COLUMN_TYPES)
            .bind(table)
            .fetch_all(connection)
            .await
            .map_err(|error| Error::from_sqlx(&format!("reading the columns of {table}"), error))?;
        let columns: Columns =
            Arc::new(rows.into_iter().filter_map(|(name, kind)| Some((name, Wire::of(&kind)?))).collect());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), Arc::clone(&columns));
        Ok(columns)
    }
}

/// Copies all rows of a batch into a table; `false`, and nothing done, where a column's type is not one that can be
/// sent so. Columns of nulls alone are left to their default, which in our tables is null.
pub(crate) async fn copy(
    connection: &mut PgConnection,
    types: &ColumnTypes,
    table: &str,
    batch: &Batch,
) -> Result<bool> {
    let known = types.of(connection, table).await?;
    let mut columns = Vec::with_capacity(batch.columns.len());
    for column in batch.columns.iter().filter(|column| !column.data.is_all_null()) {
        match known.get(column.name) {
            Some(wire) if wire.takes(&column.data) => columns.push((column.name, *wire, &column.data)),
            _ => return Ok(false),
        }
    }
    let stream = encode(table, &columns, batch.len())?;
    let names: Vec<String> = columns.iter().map(|(name, ..)| Engine::Postgres.quote(name)).collect();
    let text =
        format!("copy {} ({}) from stdin (format binary)", Engine::Postgres.quote(table), names.join(", "));
    let error = |error| Error::from_sqlx(&format!("insert into {table}"), error);
    let text = AssertSqlSafe(text).into_sql_str();
    let mut copy = connection.copy_in_raw(text.as_str()).await.map_err(error)?;
    if let Err(failure) = copy.send(stream).await {
        // What was wrong is told by the first failure.
        drop(copy.abort("the rows could not be sent").await);
        return Err(error(failure));
    }
    copy.finish().await.map_err(error)?;
    Ok(true)
}

fn encode(table: &str, columns: &[(&'static str, Wire, &ColumnData)], rows: usize) -> Result<Vec<u8>> {
    let width = i16::try_from(columns.len())
        .map_err(|_| Error::data(format!("insert into {table}: too many columns")))?
        .to_be_bytes();
    let bytes: usize = columns.iter().map(|(_, _, data)| data.bytes_about()).sum();
    let mut stream = Vec::with_capacity(HEADER.len() + bytes + rows * 2 + 2);
    stream.extend_from_slice(HEADER);
    for row in 0..rows {
        stream.extend_from_slice(&width);
        for (name, wire, data) in columns {
            field(&mut stream, *wire, data, row)
                .ok_or_else(|| Error::data(format!("insert into {table}: {name} cannot hold a value")))?;
        }
    }
    stream.extend_from_slice(&TRAILER);
    Ok(stream)
}

/// Adds one value; none if the column is too narrow for it.
fn field(stream: &mut Vec<u8>, wire: Wire, data: &ColumnData, row: usize) -> Option<()> {
    match (data, wire) {
        (ColumnData::Int(values), Wire::Int2) => {
            put(stream, values[row].map(i16::try_from).transpose().ok()?.map(i16::to_be_bytes))
        }
        (ColumnData::Int(values), Wire::Int4) => {
            put(stream, values[row].map(i32::try_from).transpose().ok()?.map(i32::to_be_bytes))
        }
        (ColumnData::Int(values), _) => put(stream, values[row].map(i64::to_be_bytes)),
        (ColumnData::Bool(values), _) => put(stream, values[row].map(|value| [u8::from(value)])),
        (ColumnData::Text(values), _) => put(stream, values[row].as_deref()),
        (ColumnData::Bytes(values), _) => put(stream, values[row].as_deref()),
    }
}

fn put(stream: &mut Vec<u8>, value: Option<impl AsRef<[u8]>>) -> Option<()> {
    match value {
        Some(value) => {
            let value = value.as_ref();
            stream.extend_from_slice(&i32::try_from(value.len()).ok()?.to_be_bytes());
            stream.extend_from_slice(value);
        }
        None => stream.extend_from_slice(&NULL),
    }
    Some(())
}
