//! Indexes during a first load: left away while empty tables are filled, made at the end in one go.
//!
//! An index that is made over a full table costs half of one that grows row by row, in time as in write-ahead log. The
//! dropped ones stand in `annals_deferred_index`, written in the transaction that drops them and deleted in the one that
//! makes them again, so that whoever comes after a crash knows what is missing.
//!
//! The key of heads may be among them, and with it that of access intervals. Until it is made again nothing but a run's own order keeps an object from having
//! two heads, so that only the run that dropped it writes without it, and only what it writes for the first time:
//! whoever writes anything else calls [`is_first_load`], [`make_head_key`] or [`begin_with_head_key`] before.

use annals_sql::{Batch, Column, ColumnData, Db, IndexKind, OnConflict, Row, Stmt, Tx, Value, fault};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{Error, capture_rows, head, interval, schema};

const TABLE: &str = "annals_deferred_index";

pub(crate) const ANY_HEAD: Stmt = Stmt::new("history.any_head", "select 1 from annals_head limit 1");
pub(crate) const IS_DEFERRED: Stmt =
    Stmt::new("history.is_deferred", "select 1 from annals_deferred_index where name {in} limit 1");
pub(crate) const DEFERRED_BY: Stmt =
    Stmt::new("history.deferred_by", "select run_id from annals_deferred_index limit 1");
pub(crate) const TABLES: Stmt =
    Stmt::new("history.deferred_tables", "select distinct table_name from annals_deferred_index order by 1");
pub(crate) const OF_TABLE: Stmt = Stmt::new(
    "history.deferred_indexes",
    "select name from annals_deferred_index where table_name = ? order by name",
);
/// First, so that of two who make an index the second waits for the first and then finds nothing to make.
pub(crate) const TAKE: Stmt =
    Stmt::new("history.take_index", "delete from annals_deferred_index where name = ? returning create_sql");

/// The constraint that keeps an object from having two heads, and the one by which an identity's access intervals are
/// found and changed. SQLite cannot do without them.
const KEYS: [&str; 2] = ["annals_head_pkey", "annals_access_interval_pkey"];

/// Tables whose indexes are made at a time: an engine makes one index on one core.
const AT_A_TIME: usize = 2;

/// Whether history has no object yet.
///
/// # Errors
/// As any call.
pub async fn is_empty(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.fetch_optional(&ANY_HEAD, Vec::new()).await?.is_none())
}

/// Whether this run fills history for the first time: it has left indexes away, and they are not made yet. Where another
/// run does, the key of heads is made before this one goes on.
///
/// # Errors
/// As any call.
pub async fn is_first_load(db: &Db, run_id: i64) -> Result<bool, Error> {
    let mut tx = db.begin().await?;
    // Waits for a run that is just dropping the key.
    is_empty(&mut tx).await?;
    let deferred = tx.fetch_optional(&DEFERRED_BY, Vec::new()).await?;
    tx.commit().await?;
    let Some(row) = deferred else { return Ok(false) };
    if row.int(0)? == Some(run_id) {
        return Ok(true);
    }
    // In a transaction of its own: the one above holds a lock on heads that others who make the key would wait for.
    let mut tx = db.begin().await?;
    make_head_key(&mut tx).await?;
    tx.commit().await?;
    Ok(false)
}

/// Drops the indexes that filling empty tables does not need, for a run; how many: none where somebody has just written a
/// head, or the tables are another user's, who alone may drop them. The keys of entity rows stay, for each
/// write looks them up, and the index of requests, for their items do.
///
/// # Errors
/// As any call.
pub async fn defer_indexes(tx: &mut Tx, run_id: i64) -> Result<usize, Error> {
    let mut tables: Vec<&str> = schema::tables().into_iter().map(|table| table.name).collect();
    tables.extend([head::TABLE, interval::TABLE]);
    let mut indexes = tx.indexes(&tables).await?;
    indexes.retain(|index| index.kind != IndexKind::Unique && index.name != capture_rows::REQUESTS_INDEX);
    if indexes.is_empty() {
        return Ok(0);
    }
    let texts = |name, value: fn(&annals_sql::Index) -> &str| Column {
        name,
        data: ColumnData::Text(indexes.iter().map(|index| Some(value(index).to_owned())).collect()),
    };
    let columns = vec![
        texts("name", |index| &index.name),
        texts("table_name", |index| &index.table),
        texts("create_sql", |index| &index.create_sql),
        Column { name: "run_id", data: ColumnData::Int(vec![Some(run_id); indexes.len()]) },
    ];
    tx.insert(TABLE, Batch::new(columns), OnConflict::Replace { key: &["name"] }).await?;
    for index in &indexes {
        tx.execute_script("history.drop_index", &index.drop_sql).await?;
    }
    // Asked anew when nobody else can add a head any more: somebody was just writing one.
    if !is_empty(tx).await? {
        for index in &indexes {
            make(tx, &index.name).await?;
        }
        return Ok(0);
    }
    Ok(indexes.len())
}

/// A transaction in which the key of heads is there, and stays: for what is written outside of runs.
///
/// # Errors
/// As any call.
pub async fn begin_with_head_key(db: &Db) -> Result<Tx, Error> {
    loop {
        let mut tx = db.begin().await?;
        // Waits for a run that is just dropping the key, and keeps others from doing so.
        is_empty(&mut tx).await?;
        if has_keys(&mut tx).await? {
            return Ok(tx);
        }
        tx.rollback().await?;
        let mut tx = db.begin().await?;
        make_head_key(&mut tx).await?;
        tx.commit().await?;
    }
}

/// Whether the keys are there.
pub(crate) async fn has_keys(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.fetch_optional(&IS_DEFERRED, vec![Value::from(KEYS.map(str::to_owned).to_vec())]).await?.is_none())
}

/// Makes the key of heads, and that of access intervals, where they were left away.
///
/// # Errors
/// As any call.
pub async fn make_head_key(tx: &mut Tx) -> Result<(), Error> {
    for key in KEYS {
        make(tx, key).await?;
    }
    Ok(())
}

/// Makes the indexes that were left away, each in a transaction of its own; how many there were.
///
/// # Errors
/// As any call; what was made so far stays.
pub async fn make_deferred_indexes(db: &Db) -> Result<usize, Error> {
    let mut tx = db.begin_read().await?;
    let tables = texts(&tx.fetch_all(&TABLES, Vec::new()).await?)?;
    tx.rollback().await?;
    let made: Vec<usize> = stream::iter(tables)
        .map(|table| make_of_table(db, table))
        .buffer_unordered(AT_A_TIME)
        .try_collect()
        .await?;
    Ok(made.into_iter().sum())
}

async fn make_of_table(db: &Db, table: String) -> Result<usize, Error> {
    let mut tx = db.begin_read().await?;
    let names = texts(&tx.fetch_all(&OF_TABLE, vec![Value::from(table)]).await?)?;
    tx.rollback().await?;
    for name in &names {
        let mut tx = db.begin().await?;
        make(&mut tx, name).await?;
        fault::point("history.index")?;
        tx.commit().await?;
        fault::point("history.indexed")?;
    }
    Ok(names.len())
}

async fn make(tx: &mut Tx, name: &str) -> Result<(), Error> {
    if let Some(row) = tx.fetch_optional(&TAKE, vec![Value::from(name)]).await? {
        tx.compress_log().await?;
        tx.execute_script("history.make_index", row.required_text(0)?).await?;
    }
    Ok(())
}

fn texts(rows: &[Row]) -> Result<Vec<String>, Error> {
    rows.iter().map(|row| Ok(row.required_text(0)?.to_owned())).collect()
}
