//! A database and its transactions.

use std::str::FromStr;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, MySql, Pool, Postgres, SqlSafeStr as _, Sqlite,
    Transaction,
};

use crate::argument::arguments;
use crate::copy::ColumnTypes;
use crate::{Engine, Error, ErrorKind, Result, Row, Stmt, Value, nodelay};

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only: the identity system's database, ever.
    ReadOnly,
    /// Reading and writing; a SQLite file that is not there is created.
    ReadWrite,
}

/// How long a connection attempt, or the wait for a free connection, may last.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long SQLite waits for the lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections in a pool.
const CONNECTIONS_MAX: u32 = 8;

/// A database: pools of connections.
#[derive(Debug, Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    pub(crate) column_types: ColumnTypes,
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
            Some("sqlite") => open_sqlite(url, access, connections_max).await?,
            Some("postgres" | "postgresql") => open_postgres(url, access, connections_max).await?,
            Some("mysql" | "mariadb") => open_mysql(url, access, connections_max).await?,
            _ => {
                return Err(Error::new(
                    "the database URL must begin with sqlite:, postgres: or mysql:",
                    ErrorKind::Configuration,
                ));
            }
        };
        Ok(Self { pools, column_types: ColumnTypes::default() })
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
        Ok(Tx { inner, column_types: self.column_types.clone() })
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
        let inner = match &self.pools {
            Pools::Sqlite { read, .. } => TxInner::Sqlite(read.begin().await.map_err(begin_error)?),
            Pools::Postgres(pool) => TxInner::Postgres(pool.begin_with(postgres).await.map_err(begin_error)?),
            Pools::MySql(pool) => TxInner::MySql(
                pool.begin_with("start transaction with consistent snapshot, read only")
                    .await
                    .map_err(begin_error)?,
            ),
        };
        Ok(Tx { inner, column_types: self.column_types.clone() })
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

fn begin_error(error: sqlx::Error) -> Error {
    Error::from_sqlx("begin", error)
}

pub(crate) fn url_error(error: sqlx::Error) -> Error {
    Error::from_sqlx("reading the database URL", error)
}

async fn open_sqlite(url: &str, access: Access, connections_max: u32) -> Result<Pools> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(url_error)?
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging();
    let pool =
        || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(None).max_lifetime(None);
    let connect_error = |error| Error::from_sqlx("connect to the SQLite database", error);
    let write = match access {
        Access::ReadOnly => None,
        Access::ReadWrite => {
            let options = options
                .clone()
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .pragma("cache_size", "-65536")
                .pragma("temp_store", "memory");
            Some(pool().max_connections(1).connect_with(options).await.map_err(connect_error)?)
        }
    };
    let read = pool()
        .max_connections(connections_max)
        .connect_with(options.pragma("query_only", "on"))
        .await
        .map_err(connect_error)?;
    Ok(Pools::Sqlite { write, read })
}

async fn open_postgres(url: &str, access: Access, connections_max: u32) -> Result<Pools> {
    let mut options = PgConnectOptions::from_str(url)
        .map_err(url_error)?
        .application_name("annals")
        // Times are epoch milliseconds; the server's zone must not matter where a source column has one.
        .options([("timezone", "UTC")])
        // Everything is looked up by lists of keys, which beats reading whole tables long before the default of 4,
        // meant for spinning disks, lets the planner see it.
        .options([("random_page_cost", "1.1")])
        .disable_statement_logging();
    if access == Access::ReadOnly {
        options = options.options([("default_transaction_read_only", "on")]);
    }
    // A pool tries a server that refuses connections until its time is up; the first connection says so at once.
    let first = options
        .connect()
        .await
        .map_err(|error| Error::from_sqlx("connect to the PostgreSQL database", error))?;
    first.close().await.map_err(|error| Error::from_sqlx("connect to the PostgreSQL database", error))?;
    Ok(Pools::Postgres(postgres_pool(options, connections_max)))
}

pub(crate) fn postgres_pool(options: PgConnectOptions, connections_max: u32) -> Pool<Postgres> {
    PgPoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_connections(connections_max)
        .after_connect(|_, _| {
            nodelay::send_at_once();
            Box::pin(async { Ok(()) })
        })
        .connect_lazy_with(options)
}

async fn open_mysql(url: &str, access: Access, connections_max: u32) -> Result<Pools> {
    let url = url.replacen("mariadb:", "mysql:", 1);
    let options = MySqlConnectOptions::from_str(&url)
        .map_err(url_error)?
        .timezone(Some("+00:00".to_owned()))
        .charset("utf8mb4")
        .disable_statement_logging();
    let first = options
        .connect()
        .await
        .map_err(|error| Error::from_sqlx("connect to the MySQL/MariaDB database", error))?;
    first.close().await.map_err(|error| Error::from_sqlx("connect to the MySQL/MariaDB database", error))?;
    let pool = MySqlPoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_connections(connections_max)
        .after_connect(move |connection, _| {
            nodelay::send_at_once();
            let read_only: BoxFuture<'_, std::result::Result<(), sqlx::Error>> = Box::pin(async move {
                let mode = match access {
                    Access::ReadOnly => "set session transaction isolation level repeatable read, read only",
                    Access::ReadWrite => "set session transaction isolation level repeatable read",
                };
                sqlx::raw_sql(mode).execute(connection).await?;
                Ok(())
            });
            read_only
        })
        .connect_lazy_with(options);
    Ok(Pools::MySql(pool))
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
        match self.inner {
            TxInner::Sqlite(tx) => tx.commit().await,
            TxInner::Postgres(tx) => tx.commit().await,
            TxInner::MySql(tx) => tx.commit().await,
        }
        .map_err(|error| Error::from_sqlx("commit", error))
    }

    /// Undoes everything done in it.
    ///
    /// # Errors
    /// As any call; the server undoes it anyhow when the connection is gone.
    pub async fn rollback(self) -> Result<()> {
        match self.inner {
            TxInner::Sqlite(tx) => tx.rollback().await,
            TxInner::Postgres(tx) => tx.rollback().await,
            TxInner::MySql(tx) => tx.rollback().await,
        }
        .map_err(|error| Error::from_sqlx("rollback", error))
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
        Ok(with_driver!(self, stmt, params, |query, connection, row| {
            query
                .fetch(connection)
                .map(move |fetched| fetched.map(row).map_err(|error| Error::from_sqlx(&name, error)))
                .boxed()
        }))
    }

    /// Runs a statement; the number of rows it touched (on MySQL, those it changed).
    ///
    /// # Errors
    /// From the engine, named after the statement.
    pub async fn execute(&mut self, stmt: &Stmt, params: Vec<Value>) -> Result<u64> {
        with_driver!(self, stmt, params, |query, connection, _row| {
            query.execute(connection).await.map(|done| done.rows_affected())
        })
        .map_err(|error| Error::from_sqlx(&stmt.name, error))
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
        match &mut self.inner {
            TxInner::Sqlite(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
            TxInner::Postgres(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
            TxInner::MySql(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
        }
        .map_err(|error| Error::from_sqlx(name, error))
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
