//! Indexes during a first load: left away while empty tables are filled, made at the end in one go.
//!
//! An index that is made over a full table costs half of one that grows row by row, in time as in write-ahead log. The
//! dropped ones stand in `annals_deferred_index`, written in the transaction that drops them and deleted in the one that
//! makes them again, so that whoever comes after a crash knows what is missing.

use annals_sql::{Batch, Column, ColumnData, Db, IndexKind, OnConflict, Stmt, Tx, Value};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{Error, head, schema};

const TABLE: &str = "annals_deferred_index";

pub(crate) const ANY_HEAD: Stmt = Stmt::new("history.any_head", "select 1 from annals_head limit 1");
pub(crate) const ANY_DEFERRED: Stmt =
    Stmt::new("history.any_deferred", "select 1 from annals_deferred_index limit 1");
pub(crate) const TABLES: Stmt =
    Stmt::new("history.deferred_tables", "select distinct table_name from annals_deferred_index order by 1");
pub(crate) const OF_TABLE: Stmt = Stmt::new(
    "history.deferred_indexes",
    "select name, create_sql from annals_deferred_index where table_name = ? order by name",
);
pub(crate) const MADE: Stmt =
    Stmt::new("history.made_index", "delete from annals_deferred_index where name = ?");

/// Tables whose indexes are made at a time: an engine makes one index on one core.
const AT_A_TIME: usize = 2;

/// Whether history has no object yet.
///
/// # Errors
/// As any call.
pub async fn is_empty(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.fetch_optional(&ANY_HEAD, Vec::new()).await?.is_none())
}

/// Whether history is being filled for the first time: its indexes are left away and not made yet.
///
/// # Errors
/// As any call.
pub async fn is_first_load(db: &Db) -> Result<bool, Error> {
    let mut tx = db.begin_read().await?;
    let deferred = tx.fetch_optional(&ANY_DEFERRED, Vec::new()).await?.is_some();
    tx.rollback().await?;
    Ok(deferred)
}

/// Drops the indexes that filling empty tables does not need; how many. The keys of heads and of entity rows stay, for
/// each write looks them up.
///
/// # Errors
/// As any call.
pub async fn defer_indexes(tx: &mut Tx) -> Result<usize, Error> {
    let mut tables: Vec<&str> = schema::tables().into_iter().map(|table| table.name).collect();
    tables.push(head::TABLE);
    let mut indexes = tx.indexes(&tables).await?;
    indexes.retain(|index| match index.kind {
        IndexKind::Plain => true,
        IndexKind::PrimaryKey => index.table != head::TABLE,
        IndexKind::Unique => false,
    });
    let texts = |name, value: fn(&annals_sql::Index) -> &str| Column {
        name,
        data: ColumnData::Text(indexes.iter().map(|index| Some(value(index).to_owned())).collect()),
    };
    let columns = vec![
        texts("name", |index| &index.name),
        texts("table_name", |index| &index.table),
        texts("create_sql", |index| &index.create_sql),
    ];
    tx.insert(TABLE, Batch::new(columns), OnConflict::Replace { key: &["name"] }).await?;
    for index in &indexes {
        tx.execute_script("history.drop_index", &index.drop_sql).await?;
    }
    Ok(indexes.len())
}

/// Makes the indexes that were left away, each in a transaction of its own; how many there were.
///
/// # Errors
/// As any call; what was made so far stays.
pub async fn make_deferred_indexes(db: &Db) -> Result<usize, Error> {
    let mut tx = db.begin_read().await?;
    let rows = tx.fetch_all(&TABLES, Vec::new()).await?;
    tx.rollback().await?;
    let tables: Vec<String> =
        rows.iter().map(|row| row.required_text(0).map(str::to_owned)).collect::<Result<_, _>>()?;
    let made: Vec<usize> =
        stream::iter(tables).map(|table| make(db, table)).buffer_unordered(AT_A_TIME).try_collect().await?;
    Ok(made.into_iter().sum())
}

async fn make(db: &Db, table: String) -> Result<usize, Error> {
    let mut tx = db.begin_read().await?;
    let rows = tx.fetch_all(&OF_TABLE, vec![Value::from(table)]).await?;
    tx.rollback().await?;
    for row in &rows {
        let mut tx = db.begin().await?;
        tx.execute_script("history.make_index", row.required_text(1)?).await?;
        tx.execute(&MADE, vec![Value::from(row.required_text(0)?)]).await?;
        tx.commit().await?;
    }
    Ok(rows.len())
}
