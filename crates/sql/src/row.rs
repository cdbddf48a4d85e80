//! Rows: cells borrowed from the driver's buffer.

use sqlx::{Decode, Row as _, TypeInfo as _, ValueRef as _};

use crate::{Error, ErrorKind, Result};

/// One row of a result.
#[derive(Debug)]
pub enum Row {
    /// Of SQLite.
    Sqlite(sqlx::sqlite::SqliteRow),
    /// Of PostgreSQL.
    Postgres(sqlx::postgres::PgRow),
    /// Of MySQL or MariaDB.
    MySql(sqlx::mysql::MySqlRow),
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'r> {
    /// No value.
    Null,
    /// A boolean column.
    Bool(bool),
    /// A whole number; booleans of engines without them too.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// Text.
    Text(&'r str),
    /// Bytes; also text that is not UTF-8.
    Bytes(&'r [u8]),
}

impl Row {
    /// The cell at a position, from 0.
    ///
    /// # Errors
    /// `Missing` past the last column; `Data` for a column type that statements must cast (timestamps, numerics).
    pub fn cell(&self, index: usize) -> Result<Cell<'_>> {
        match self {
            Self::Sqlite(row) => sqlite_cell(row, index),
            Self::Postgres(row) => postgres_cell(row, index),
            Self::MySql(row) => mysql_cell(row, index),
        }
    }

    /// Text, null if absent.
    ///
    /// # Errors
    /// `Data` where the cell is no text.
    pub fn text(&self, index: usize) -> Result<Option<&str>> {
        match self.cell(index)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            other => Err(unexpected(index, "text", other)),
        }
    }

    /// Text that must be there.
    ///
    /// # Errors
    /// `Data` where the cell is null or no text.
    pub fn required_text(&self, index: usize) -> Result<&str> {
        self.text(index)?.ok_or_else(|| unexpected(index, "text", Cell::Null))
    }

    /// A whole number, null if absent; booleans count as 0 and 1.
    ///
    /// # Errors
    /// `Data` where the cell is no whole number.
    pub fn int(&self, index: usize) -> Result<Option<i64>> {
        match self.cell(index)? {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(number)),
            Cell::Bool(flag) => Ok(Some(flag.into())),
            other => Err(unexpected(index, "a whole number", other)),
        }
    }

    /// A whole number that must be there.
    ///
    /// # Errors
    /// `Data` where the cell is null or no whole number.
    pub fn required_int(&self, index: usize) -> Result<i64> {
        self.int(index)?.ok_or_else(|| unexpected(index, "a whole number", Cell::Null))
    }

    /// Bytes, null if absent; text counts as its UTF-8 bytes.
    ///
    /// # Errors
    /// `Data` where the cell is a number.
    pub fn bytes(&self, index: usize) -> Result<Option<&[u8]>> {
        match self.cell(index)? {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => Ok(Some(bytes)),
            Cell::Text(text) => Ok(Some(text.as_bytes())),
            other => Err(unexpected(index, "bytes", other)),
        }
    }
}

fn unexpected(index: usize, expected: &str, found: Cell<'_>) -> Error {
    let found = match found {
        Cell::Null => "null",
        Cell::Bool(_) => "a boolean",
        Cell::Int(_) => "a whole number",
        Cell::Float(_) => "a number",
        Cell::Text(_) => "text",
        Cell::Bytes(_) => "bytes",
    };
    Error::new(format!("column {index} of the result holds {found}, not {expected}"), ErrorKind::Data)
}

fn decode_error(index: usize, error: sqlx::error::BoxDynError) -> Error {
    Error::from_sqlx(&format!("reading column {index} of the result"), sqlx::Error::Decode(error))
}

fn unsupported(index: usize, type_name: &str) -> Error {
    Error::new(
        format!("column {index} of the result has type {type_name}, which has to be cast in the statement"),
        ErrorKind::Data,
    )
}

fn decode<'r, DB: sqlx::Database, T: Decode<'r, DB>>(
    raw: DB::ValueRef<'r>,
) -> std::result::Result<T, sqlx::error::BoxDynError> {
    T::decode(raw)
}

fn sqlite_cell(row: &sqlx::sqlite::SqliteRow, index: usize) -> Result<Cell<'_>> {
    let raw = row.try_get_raw(index).map_err(|e| Error::from_sqlx("reading a row", e))?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let type_info = raw.type_info().into_owned();
    let cell = match type_info.name() {
        "INTEGER" | "BOOLEAN" => decode::<sqlx::Sqlite, _>(raw).map(Cell::Int),
        "REAL" | "NUMERIC" => decode::<sqlx::Sqlite, _>(raw).map(Cell::Float),
        "BLOB" => decode::<sqlx::Sqlite, _>(raw).map(Cell::Bytes),
        // Text may be anything but UTF-8 in a SQLite file.
        _ => {
            let bytes: &[u8] = decode::<sqlx::Sqlite, _>(raw).map_err(|e| decode_error(index, e))?;
            Ok(std::str::from_utf8(bytes).map_or(Cell::Bytes(bytes), Cell::Text))
        }
    };
    cell.map_err(|e| decode_error(index, e))
}

fn postgres_cell(row: &sqlx::postgres::PgRow, index: usize) -> Result<Cell<'_>> {
    let raw = row.try_get_raw(index).map_err(|e| Error::from_sqlx("reading a row", e))?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let type_info = raw.type_info().into_owned();
    let cell = match type_info.name() {
        "INT8" => decode::<sqlx::Postgres, _>(raw).map(Cell::Int),
        "INT4" => decode::<sqlx::Postgres, i32>(raw).map(|n| Cell::Int(n.into())),
        "INT2" => decode::<sqlx::Postgres, i16>(raw).map(|n| Cell::Int(n.into())),
        "BOOL" => decode::<sqlx::Postgres, _>(raw).map(Cell::Bool),
        "FLOAT8" => decode::<sqlx::Postgres, _>(raw).map(Cell::Float),
        "FLOAT4" => decode::<sqlx::Postgres, f32>(raw).map(|n| Cell::Float(n.into())),
        "BYTEA" => decode::<sqlx::Postgres, _>(raw).map(Cell::Bytes),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "CITEXT" | "JSON" => raw.as_str().map(Cell::Text),
        other => return Err(unsupported(index, other)),
    };
    cell.map_err(|e| decode_error(index, e))
}

fn mysql_cell(row: &sqlx::mysql::MySqlRow, index: usize) -> Result<Cell<'_>> {
    let raw = row.try_get_raw(index).map_err(|e| Error::from_sqlx("reading a row", e))?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let type_info = raw.type_info().into_owned();
    let cell = match type_info.name() {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => {
            decode::<sqlx::MySql, _>(raw).map(Cell::Int)
        }
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
        | "BIGINT UNSIGNED" | "BIT" | "YEAR" => {
            decode::<sqlx::MySql, u64>(raw).and_then(|n| Ok(Cell::Int(i64::try_from(n)?)))
        }
        "DOUBLE" => decode::<sqlx::MySql, _>(raw).map(Cell::Float),
        "FLOAT" => decode::<sqlx::MySql, f32>(raw).map(|n| Cell::Float(n.into())),
        // The driver calls text of a binary collation, such as utf8mb4_bin, by the names of bytes.
        "VARBINARY" | "BINARY" | "BLOB" | "TINYBLOB" | "MEDIUMBLOB" | "LONGBLOB"
            if <str as sqlx::Type<sqlx::MySql>>::compatible(&type_info) =>
        {
            let bytes: &[u8] = decode::<sqlx::MySql, _>(raw).map_err(|e| decode_error(index, e))?;
            Ok(std::str::from_utf8(bytes).map_or(Cell::Bytes(bytes), Cell::Text))
        }
        "VARBINARY" | "BINARY" | "BLOB" | "TINYBLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
            decode::<sqlx::MySql, _>(raw).map(Cell::Bytes)
        }
        "VARCHAR" | "CHAR" | "TEXT" | "TINYTEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" | "SET" | "JSON" => {
            decode::<sqlx::MySql, &str>(raw).map(Cell::Text)
        }
        other => return Err(unsupported(index, other)),
    };
    cell.map_err(|e| decode_error(index, e))
}
