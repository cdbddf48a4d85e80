//! A database and its transactions.

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::mysql::MySqlArguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, MySql, Pool, Postgres, SqlSafeStr as _, Sqlite, Transaction};

use crate::argument::arguments;
use crate::copy::ColumnTypes;
use crate::open::{self, ACQUIRE_TIMEOUT};
use crate::{Engine, Error, ErrorKind, Result, Row, Stmt, Value};

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only: the identity system's database, ever.
    ReadOnly,
    /// Reading and writing; a SQLite file that is not there is created.
    ReadWrite,
}

/// How long a call may wait for a sign of the database: its next row, or its end. Long enough for the largest index.
const CALL_MAX: Duration = Duration::from_secs(3_600);
/// Connections in a pool.
const CONNECTIONS_MAX: u32 = 8;

/// A database: pools of connections.
#[derive(Debug, Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    pub(crate) column_types: ColumnTypes,
    pub(crate) call_max: Duration,
}

#[derive(Debug, Clone)]
pub(crate) enum Pools {
    /// SQLite has one writer: a pool of one, and readers beside it.
    Sqlite {
        write: Option<Pool<Sqlite>>,
        read: Pool<Sqlite>,
    },
    Postgres(Pool<Postgres>),
    MySql(Pool<MySql>),
}

/// A transaction; rolled back when dropped without [`Tx::commit`].
#[derive(Debug)]
pub struct Tx {
    pub(crate) inner: TxInner,
    pub(crate) column_types: ColumnTypes,
    pub(crate) call_max: Duration,
}

#[derive(Debug)]
pub(crate) enum TxInner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
    MySql(Transaction<'static, MySql>),
}

/// Rows as they arrive.
pub type RowStream<'t> = BoxStream<'t, Result<Row>>;

impl Db {
    /// Opens a database by URL: `sqlite:path`, `postgres://...`, `mysql://...` (also for MariaDB). The first
    /// connection is made at once.
    ///
    /// # Errors
    /// `Configuration` for a URL that names no supported engine; `Unreachable`, `Denied`, `Missing` from the server.
    pub async fn open(url: &str, access: Access) -> Result<Self> {
        Self::open_with(url, access, CONNECTIONS_MAX).await
    }

    /// The same with at most this many connections, or readers beside SQLite's one writer. Each one plans each
    /// statement several times before it keeps a plan: with no more of them than are busy at a time, that is soon over.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_with(url: &str, access: Access, connections_max: u32) -> Result<Self> {
        let pools = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => open::open_sqlite(url, access, connections_max).await?,
            Some("postgres" | "postgresql") => open::open_postgres(url, access, connections_max).await?,
            Some("mysql" | "mariadb") => open::open_mysql(url, access, connections_max).await?,
            _ => {
                return Err(Error::new(
                    "the database URL must begin with sqlite:, postgres: or mysql:",
                    ErrorKind::Configuration,
                ));
            }
        };
        Ok(Self { pools, column_types: ColumnTypes::default(), call_max: CALL_MAX })
    }

    /// The same connections, for calls that may wait no longer than this for a sign of the database: past it they end
    /// with `Unreachable`, and their connections are of no use any more. A server that is gone without a word is found
    /// out within 30 s anyhow, but one whose host still answers, or a stuck proxy before it, only so. As opened: an hour.
    #[must_use]
    pub fn with_call_max(&self, call_max: Duration) -> Self {
        Self { call_max, ..self.clone() }
    }

    /// Which engine it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
            Pools::MySql(_) => Engine::MySql,
        }
    }

    /// Begins a transaction that may write. On SQLite it takes the write lock at once.
    ///
    /// # Errors
    /// `Unreachable` when no connection can be had in time; `Configuration` on a database opened for reading.
    pub async fn begin(&self) -> Result<Tx> {
        limited("begin", self.begin_max(), self.begin_now()).await
    }

    /// To begin takes a connection first.
    fn begin_max(&self) -> Duration {
        self.call_max.saturating_add(ACQUIRE_TIMEOUT)
    }

    async fn begin_now(&self) -> Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { write: Some(write), .. } => {
                TxInner::Sqlite(write.begin_with("begin immediate").await.map_err(begin_error)?)
            }
            Pools::Sqlite { write: None, .. } => {
                return Err(Error::new(
                    "begin: the database was opened for reading only",
                    ErrorKind::Configuration,
                ));
            }
            Pools::Postgres(pool) => TxInner::Postgres(pool.begin().await.map_err(begin_error)?),
            Pools::MySql(pool) => TxInner::MySql(pool.begin().await.map_err(begin_error)?),
        };
        Ok(Tx { inner, column_types: self.column_types.clone(), call_max: self.call_max })
    }

    /// Begins a transaction that only reads and sees one state of the database.
    ///
    /// # Errors
    /// `Unreachable` when no connection can be had in time.
    pub async fn begin_read(&self) -> Result<Tx> {
        self.begin_read_with("begin isolation level repeatable read read only").await
    }

    /// The same for statements that come again and again with other lists: each is planned once, where PostgreSQL would
    /// plan it anew five times on each connection before it keeps a plan.
    ///
    /// # Errors
    /// As [`Db::begin_read`].
    pub async fn begin_bulk_read(&self) -> Result<Tx> {
        self.begin_read_with(
            "begin isolation level repeatable read read only; set local plan_cache_mode = force_generic_plan",
        )
        .await
    }

    async fn begin_read_with(&self, postgres: &'static str) -> Result<Tx> {
        limited("begin", self.begin_max(), self.begin_read_now(postgres)).await
    }

    async fn begin_read_now(&self, postgres: &'static str) -> Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { read, .. } => TxInner::Sqlite(read.begin().await.map_err(begin_error)?),
            Pools::Postgres(pool) => TxInner::Postgres(pool.begin_with(postgres).await.map_err(begin_error)?),
            Pools::MySql(pool) => TxInner::MySql(
                pool.begin_with("start transaction with consistent snapshot, read only")
                    .await
                    .map_err(begin_error)?,
            ),
        };
        Ok(Tx { inner, column_types: self.column_types.clone(), call_max: self.call_max })
    }

    /// The database's clock, epoch milliseconds.
    ///
    /// # Errors
    /// As any call.
    pub async fn now_ms(&self) -> Result<i64> {
        const NOW: Stmt = Stmt::new("sql.now", "select {now_ms}");
        let mut tx = self.begin_read().await?;
        let row = tx.fetch_one(&NOW, Vec::new()).await?;
        row.required_int(0)
    }

    /// Closes all connections; what is under way ends first.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { write, read } => {
                read.close().await;
                if let Some(write) = write {
                    write.close().await;
                }
            }
            Pools::Postgres(pool) => pool.close().await,
            Pools::MySql(pool) => pool.close().await,
        }
    }
}

/// A call that may last so long.
pub(crate) async fn limited<T>(
    name: &str,
    call_max: Duration,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(call_max, call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(no_answer(name, call_max)),
    }
}

fn no_answer(name: &str, call_max: Duration) -> Error {
    Error::new(format!("{name}: no answer within {call_max:?}"), ErrorKind::Unreachable)
}

fn begin_error(error: sqlx::Error) -> Error {
    Error::from_sqlx("begin", error)
}

pub(crate) fn url_error(error: sqlx::Error) -> Error {
    Error::from_sqlx("reading the database URL", error)
}

/// Runs `$body` with the driver's connection and arguments for the transaction's engine. The one place where statement
/// text is declared safe: it comes from [`Stmt`] and holds no values.
macro_rules! with_driver {
    ($tx:expr, $stmt:expr, $params:expr, |$query:ident, $connection:ident, $row:ident| $body:expr) => {
        match &mut $tx.inner {
            TxInner::Sqlite(tx) => {
                let text = Engine::Sqlite.render(&$stmt.text, &$params);
                let arguments = arguments::<SqliteArguments>($params)?;
                let $query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(text).into_sql_str(), arguments);
                let $connection = &mut **tx;
                let $row = Row::Sqlite;
                $body
            }
            TxInner::Postgres(tx) => {
                let text = Engine::Postgres.render(&$stmt.text, &$params);
                let arguments = arguments::<PgArguments>($params)?;
                let $query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(text).into_sql_str(), arguments);
                let $connection = &mut **tx;
                let $row = Row::Postgres;
                $body
            }
            TxInner::MySql(tx) => {
                let text = Engine::MySql.render(&$stmt.text, &$params);
                let arguments = arguments::<MySqlArguments>($params)?;
                let $query = sqlx::query_with::<MySql, _>(AssertSqlSafe(text).into_sql_str(), arguments);
                let $connection = &mut **tx;
                let $row = Row::MySql;
                $body
            }
        }
    };
}

impl Tx {
    /// Which engine it runs on.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.inner {
            TxInner::Sqlite(_) => Engine::Sqlite,
            TxInner::Postgres(_) => Engine::Postgres,
            TxInner::MySql(_) => Engine::MySql,
        }
    }

    /// Makes everything done in it last.
    ///
    /// # Errors
    /// As any call; then it is unknown whether it lasted only if the connection broke.
    pub async fn commit(self) -> Result<()> {
        let commit = async {
            match self.inner {
                TxInner::Sqlite(tx) => tx.commit().await,
                TxInner::Postgres(tx) => tx.commit().await,
                TxInner::MySql(tx) => tx.commit().await,
            }
            .map_err(|error| Error::from_sqlx("commit", error))
        };
        limited("commit", self.call_max, commit).await
    }

    /// Undoes everything done in it.
    ///
    /// # Errors
    /// As any call; the server undoes it anyhow when the connection is gone.
    pub async fn rollback(self) -> Result<()> {
        let rollback = async {
            match self.inner {
                TxInner::Sqlite(tx) => tx.rollback().await,
                TxInner::Postgres(tx) => tx.rollback().await,
                TxInner::MySql(tx) => tx.rollback().await,
            }
            .map_err(|error| Error::from_sqlx("rollback", error))
        };
        limited("rollback", self.call_max, rollback).await
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// From the engine, named after the statement.
    pub async fn fetch_all(&mut self, stmt: &Stmt, params: Vec<Value>) -> Result<Vec<Row>> {
        self.fetch(stmt, params)?.try_collect().await
    }

    /// The first row of a statement, if any.
    ///
    /// # Errors
    /// From the engine, named after the statement.
    pub async fn fetch_optional(&mut self, stmt: &Stmt, params: Vec<Value>) -> Result<Option<Row>> {
        self.fetch(stmt, params)?.try_next().await
    }

    /// The first row of a statement.
    ///
    /// # Errors
    /// From the engine; `Missing` if there is none.
    pub async fn fetch_one(&mut self, stmt: &Stmt, params: Vec<Value>) -> Result<Row> {
        self.fetch_optional(stmt, params)
            .await?
            .ok_or_else(|| Error::new(format!("{}: no row", stmt.name), ErrorKind::Missing))
    }

    /// Rows as they arrive.
    ///
    /// # Errors
    /// `Data` for a parameter that cannot be sent; what the engine says arrives in the stream.
    pub fn fetch<'t>(&'t mut self, stmt: &Stmt, params: Vec<Value>) -> Result<RowStream<'t>> {
        let name = stmt.name.clone();
        let rows: RowStream<'t> = with_driver!(self, stmt, params, |query, connection, row| {
            query
                .fetch(connection)
                .map(move |fetched| fetched.map(row).map_err(|error| Error::from_sqlx(&name, error)))
                .boxed()
        });
        let call_max = self.call_max;
        // After silence there is nothing more to wait for.
        let awaited = Some((rows, stmt.name.clone()));
        Ok(futures::stream::unfold(awaited, move |awaited| async move {
            let (mut rows, name) = awaited?;
            match tokio::time::timeout(call_max, rows.next()).await {
                Ok(row) => row.map(|row| (row, Some((rows, name)))),
                Err(_) => Some((Err(no_answer(&name, call_max)), None)),
            }
        })
        .boxed())
    }

    /// Runs a statement; the number of rows it touched (on MySQL, those it changed).
    ///
    /// # Errors
    /// From the engine, named after the statement.
    pub async fn execute(&mut self, stmt: &Stmt, params: Vec<Value>) -> Result<u64> {
        let call_max = self.call_max;
        let executed = async {
            with_driver!(self, stmt, params, |query, connection, _row| {
                query.execute(connection).await.map(|done| done.rows_affected())
            })
            .map_err(|error| Error::from_sqlx(&stmt.name, error))
        };
        limited(&stmt.name, call_max, executed).await
    }

    /// Lets the engine parse a statement without running it.
    ///
    /// # Errors
    /// From the engine, named after the statement.
    pub async fn prepare(&mut self, stmt: &Stmt) -> Result<()> {
        use sqlx::Executor as _;
        let engine = self.engine();
        let text = AssertSqlSafe(engine.render(&stmt.text, &[])).into_sql_str();
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.prepare(text).await.map(drop),
            TxInner::Postgres(tx) => tx.prepare(text).await.map(drop),
            TxInner::MySql(tx) => tx.prepare(text).await.map(drop),
        }
        .map_err(|error| Error::from_sqlx(&stmt.name, error))
    }

    /// Has whole pages that this transaction logs compressed, as those of a new index are: on PostgreSQL, where the
    /// user may set `wal_compression`. Else it does nothing.
    ///
    /// # Errors
    /// As any statement.
    pub async fn compress_log(&mut self) -> Result<()> {
        match self.engine() {
            Engine::Postgres => self.execute_script("sql.compress_log", COMPRESS_LOG).await,
            Engine::Sqlite | Engine::MySql => Ok(()),
        }
    }

    /// Runs several statements without parameters: DDL.
    ///
    /// # Errors
    /// From the engine, named as given.
    pub async fn execute_script(&mut self, name: &str, script: &str) -> Result<()> {
        let text = AssertSqlSafe(script.to_owned()).into_sql_str();
        let executed = async {
            match &mut self.inner {
                TxInner::Sqlite(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
                TxInner::Postgres(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
                TxInner::MySql(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
            }
            .map_err(|error| Error::from_sqlx(name, error))
        };
        limited(name, self.call_max, executed).await
    }
}

/// Which of these a server knows depends on how it was built, and who may set it on its administrator.
const COMPRESS_LOG: &str = "
    do $$
    declare method text;
    begin
        foreach method in array array['zstd', 'lz4', 'on'] loop
            begin
                perform set_config('wal_compression', method, true);
                return;
            exception
                when insufficient_privilege then return;
                when invalid_parameter_value then null;
            end;
        end loop;
    end $$";

/// The pool that migrations run on.
pub(crate) enum Pooled<'d> {
    Sqlite(&'d Pool<Sqlite>),
    Postgres(&'d Pool<Postgres>),
    MySql,
    ReadOnly,
}

impl Db {
    pub(crate) fn pooled(&self) -> Pooled<'_> {
        match &self.pools {
            Pools::Sqlite { write: Some(write), .. } => Pooled::Sqlite(write),
            Pools::Sqlite { write: None, .. } => Pooled::ReadOnly,
            Pools::Postgres(pool) => Pooled::Postgres(pool),
            Pools::MySql(_) => Pooled::MySql,
        }
    }
}
