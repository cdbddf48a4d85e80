//! Bulk writes: many rows of one table in few round trips.

use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _};

use crate::copy::{COPY_ROWS_MIN, copy};
use crate::db::{TxInner, limited};
use crate::{Engine, Error, ErrorKind, Result, Stmt, Tx, Value};

/// Rows for one table, column by column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Columns, all of the same length.
    pub columns: Vec<Column>,
}

/// One column of a [`Batch`].
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Column name.
    pub name: &'static str,
    /// Its values.
    pub data: ColumnData,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Whole numbers; smallint and integer columns take them as well.
    Int(Vec<Option<i64>>),
    /// Text.
    Text(Vec<Option<String>>),
    /// Bytes.
    Bytes(Vec<Option<Vec<u8>>>),
    /// Booleans, for boolean or bit columns; our own tables have smallint columns instead.
    Bool(Vec<Option<bool>>),
}

impl ColumnData {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    pub(crate) fn is_all_null(&self) -> bool {
        match self {
            Self::Int(values) => values.iter().all(Option::is_none),
            Self::Text(values) => values.iter().all(Option::is_none),
            Self::Bytes(values) => values.iter().all(Option::is_none),
            Self::Bool(values) => values.iter().all(Option::is_none),
        }
    }

    /// What the values take in binary form, a length each included; not less, and hardly more.
    pub(crate) fn bytes_about(&self) -> usize {
        let values: usize = match self {
            Self::Int(values) => values.len() * 8,
            Self::Text(values) => values.iter().flatten().map(String::len).sum(),
            Self::Bytes(values) => values.iter().flatten().map(Vec::len).sum(),
            Self::Bool(values) => values.len(),
        };
        values + self.len() * 4
    }

    fn take(&mut self, index: usize) -> Value {
        match self {
            Self::Int(values) => Value::Int(values[index]),
            Self::Text(values) => Value::Text(values[index].take()),
            Self::Bytes(values) => Value::Bytes(values[index].take()),
            Self::Bool(values) => Value::Bool(values[index]),
        }
    }

    const fn postgres_array(&self) -> &'static str {
        match self {
            Self::Int(_) => "bigint[]",
            Self::Text(_) => "text[]",
            Self::Bytes(_) => "bytea[]",
            Self::Bool(_) => "boolean[]",
        }
    }
}

/// What happens to a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict<'c> {
    /// The statement fails.
    Fail,
    /// The row is left as it is.
    Ignore,
    /// The named columns are the key; all others are overwritten.
    Replace {
        /// Key columns.
        key: &'c [&'c str],
    },
    /// The named columns are the key; all others are overwritten, but for those that keep what was there first.
    Update {
        /// Key columns.
        key: &'c [&'c str],
        /// Columns that a row keeps once it is there, like its own id.
        keep: &'c [&'c str],
    },
    /// The named columns are the key; all others, which must be numbers, are added to what is there.
    Add {
        /// Key columns.
        key: &'c [&'c str],
    },
}

/// SQLite's and MySQL's limits on parameters in one statement, with room to spare.
pub(crate) const PARAMETERS_MAX: usize = 30_000;
/// More rows in one statement bring nothing and cost time in the engine's parser.
pub(crate) const ROWS_PER_STATEMENT_MAX: usize = 500;

impl Batch {
    /// A batch with these columns and no rows.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |column| column.data.len())
    }

    /// No rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Tx {
    /// Inserts all rows of a batch into a table of ours.
    ///
    /// # Errors
    /// From the engine, named after the table. Columns of unequal length are a `Data` error.
    pub async fn insert(&mut self, table: &str, batch: Batch, conflict: OnConflict<'_>) -> Result<()> {
        let rows = batch.len();
        if batch.columns.iter().any(|column| column.data.len() != rows) {
            return Err(Error::data(format!("insert into {table}: columns of unequal length")));
        }
        if rows == 0 {
            return Ok(());
        }
        if let TxInner::Postgres(tx) = &mut self.inner {
            let plain = conflict == OnConflict::Fail && rows >= COPY_ROWS_MIN;
            if plain {
                let copied = copy(tx, &self.column_types, table, &batch);
                if limited(table, self.call_max, copied).await? {
                    return Ok(());
                }
            }
            return self.insert_unnest(table, batch, conflict).await;
        }
        self.insert_values(table, batch, conflict).await
    }

    /// Changes rows of a table of ours: each row of the batch names one by its key column and gives the others' new
    /// values. Rows that are not there are passed over.
    ///
    /// # Errors
    /// From the engine, named after the table. Columns of unequal length are a `Data` error; a database that is not
    /// ours is a `Configuration` error.
    pub async fn update(&mut self, table: &str, key: &str, mut batch: Batch) -> Result<()> {
        let rows = batch.len();
        if batch.columns.iter().any(|column| column.data.len() != rows) {
            return Err(Error::data(format!("update {table}: columns of unequal length")));
        }
        let engine = self.engine();
        let name = format!("update {table}");
        if rows == 0 {
            return Ok(());
        }
        match engine {
            Engine::Postgres => {
                let source = format!("unnest({})", postgres_arrays(&batch));
                let text = update_text(engine, table, key, &batch, &source);
                self.execute_arrays(&name, text, batch).await.map(drop)
            }
            Engine::Sqlite => {
                let width = batch.columns.len();
                let per_statement = (PARAMETERS_MAX / width).clamp(1, ROWS_PER_STATEMENT_MAX);
                let one_row = format!("(?{})", ", ?".repeat(width - 1));
                let mut start = 0;
                while start < rows {
                    let count = per_statement.min(rows - start);
                    let source = format!("(values {one_row}{})", format!(", {one_row}").repeat(count - 1));
                    let text = update_text(engine, table, key, &batch, &source);
                    let params = take_rows(&mut batch, start, count);
                    self.execute(&Stmt::built(name.clone(), text), params).await?;
                    start += count;
                }
                Ok(())
            }
            Engine::MySql => Err(Error::new(
                format!("{name}: the history database must be SQLite or PostgreSQL"),
                ErrorKind::Configuration,
            )),
        }
    }

    async fn insert_unnest(&mut self, table: &str, batch: Batch, conflict: OnConflict<'_>) -> Result<()> {
        let engine = self.engine();
        let text = format!(
            "{} select * from unnest({}){}",
            insert_head(engine, table, &batch),
            postgres_arrays(&batch),
            conflict_clause(engine, table, &batch, conflict)
        );
        self.execute_arrays(&format!("insert into {table}"), text, batch).await.map(drop)
    }

    /// Runs a statement of PostgreSQL whose parameters are the columns as arrays; the number of rows it touched.
    pub(crate) async fn execute_arrays(&mut self, name: &str, text: String, batch: Batch) -> Result<u64> {
        let mut arguments = PgArguments::default();
        for column in batch.columns {
            match column.data {
                ColumnData::Int(values) => arguments.add(values),
                ColumnData::Text(values) => arguments.add(values),
                ColumnData::Bytes(values) => arguments.add(values),
                ColumnData::Bool(values) => arguments.add(values),
            }
            .map_err(|error| Error::from_sqlx(name, sqlx::Error::Encode(error)))?;
        }
        let TxInner::Postgres(tx) = &mut self.inner else {
            return Err(Error::data("unnest is PostgreSQL's"));
        };
        let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(text).into_sql_str(), arguments);
        let executed = async {
            let done = query.execute(&mut **tx).await;
            done.map(|done| done.rows_affected()).map_err(|error| Error::from_sqlx(name, error))
        };
        limited(name, self.call_max, executed).await
    }

    async fn insert_values(&mut self, table: &str, mut batch: Batch, conflict: OnConflict<'_>) -> Result<()> {
        let engine = self.engine();
        let width = batch.columns.len();
        let per_statement = (PARAMETERS_MAX / width).clamp(1, ROWS_PER_STATEMENT_MAX);
        let head = insert_head(engine, table, &batch);
        let tail = conflict_clause(engine, table, &batch, conflict);
        let one_row = format!("(?{})", ", ?".repeat(width - 1));
        let rows = batch.len();
        let mut start = 0;
        while start < rows {
            let count = per_statement.min(rows - start);
            let text = format!("{head} values {one_row}{}{tail}", format!(", {one_row}").repeat(count - 1));
            let params = take_rows(&mut batch, start, count);
            self.execute(&Stmt::built(format!("insert into {table}"), text), params).await?;
            start += count;
        }
        Ok(())
    }
}

/// The values of some rows, row by row, moved out of the batch.
pub(crate) fn take_rows(batch: &mut Batch, start: usize, count: usize) -> Vec<Value> {
    let width = batch.columns.len();
    (start..start + count)
        .flat_map(|row| (0..width).map(move |column| (row, column)))
        .map(|(row, column)| batch.columns[column].data.take(row))
        .collect()
}

/// One array parameter a column.
pub(crate) fn postgres_arrays(batch: &Batch) -> String {
    let arrays: Vec<String> = batch
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("${}::{}", index + 1, column.data.postgres_array()))
        .collect();
    arrays.join(", ")
}

/// An update of the rows named by `key` from a source of rows with the batch's columns.
fn update_text(engine: Engine, table: &str, key: &str, batch: &Batch, source: &str) -> String {
    let columns: Vec<String> = batch.columns.iter().map(|column| engine.quote(column.name)).collect();
    let key = engine.quote(key);
    let assignments: Vec<String> = columns
        .iter()
        .filter(|column| **column != key)
        .map(|column| format!("{column} = offered.{column}"))
        .collect();
    let table = engine.quote(table);
    format!(
        "with offered ({}) as (select * from {source} given) update {table} set {} from offered \
         where {table}.{key} = offered.{key}",
        columns.join(", "),
        assignments.join(", ")
    )
}

pub(crate) fn insert_head(engine: Engine, table: &str, batch: &Batch) -> String {
    let columns: Vec<String> = batch.columns.iter().map(|column| engine.quote(column.name)).collect();
    format!("insert into {} ({})", engine.quote(table), columns.join(", "))
}

pub(crate) fn conflict_clause(
    engine: Engine,
    table: &str,
    batch: &Batch,
    conflict: OnConflict<'_>,
) -> String {
    let none: &[&str] = &[];
    let (key, keep, add) = match conflict {
        OnConflict::Fail => return String::new(),
        OnConflict::Ignore if engine == Engine::MySql => {
            let first = batch.columns.first().map(|column| engine.quote(column.name)).unwrap_or_default();
            return format!(" on duplicate key update {first} = {first}");
        }
        OnConflict::Ignore => return " on conflict do nothing".to_owned(),
        OnConflict::Replace { key } => (key, none, false),
        OnConflict::Update { key, keep } => (key, keep, false),
        OnConflict::Add { key } => (key, none, true),
    };
    let assignments: Vec<String> = batch
        .columns
        .iter()
        .filter(|column| !key.contains(&column.name) && !keep.contains(&column.name))
        .map(|column| {
            let column = engine.quote(column.name);
            let offered = if engine == Engine::MySql {
                format!("values({column})")
            } else {
                format!("excluded.{column}")
            };
            if add {
                format!("{column} = {}.{column} + {offered}", engine.quote(table))
            } else {
                format!("{column} = {offered}")
            }
        })
        .collect();
    if engine == Engine::MySql {
        format!(" on duplicate key update {}", assignments.join(", "))
    } else {
        let key: Vec<String> = key.iter().map(|column| engine.quote(column)).collect();
        format!(" on conflict ({}) do update set {}", key.join(", "), assignments.join(", "))
    }
}
