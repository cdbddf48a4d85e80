//! How connections are made.

use std::str::FromStr as _;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Pool, Postgres};

use crate::db::{Access, Pools, limited, url_error};
use crate::{Error, Result, nodelay};

/// How long a connection attempt, or the wait for a free connection, may last.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long SQLite waits for the lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn open_sqlite(url: &str, access: Access, connections_max: u32) -> Result<Pools> {
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

pub(crate) async fn open_postgres(url: &str, access: Access, connections_max: u32) -> Result<Pools> {
    let mut options = PgConnectOptions::from_str(url)
        .map_err(url_error)?
        .application_name("annals")
        // Times are epoch milliseconds; the server's zone must not matter where a source column has one.
        .options([("timezone", "UTC")])
        // Everything is looked up by lists of keys, which beats reading whole tables long before the default of 4,
        // meant for spinning disks, lets the planner see it.
        .options([("random_page_cost", "1.1")])
        // Statements are many and short. Compiling one takes 20 ms and loading the compiler 140 on each connection, for
        // rows that are read in one; estimates of recursive statements, which are always too high, bring it on.
        .options([("jit", "off")])
        .disable_statement_logging();
    if access == Access::ReadOnly {
        options = options.options([("default_transaction_read_only", "on")]);
    }
    // A pool tries a server that refuses connections until its time is up; the first connection says so at once.
    let first = async { options.connect().await?.close().await };
    connected("connect to the PostgreSQL database", Box::pin(first)).await?;
    Ok(Pools::Postgres(postgres_pool(options, connections_max)))
}

async fn connected(
    name: &str,
    first: impl Future<Output = std::result::Result<(), sqlx::Error>>,
) -> Result<()> {
    limited(name, ACQUIRE_TIMEOUT, async { first.await.map_err(|error| Error::from_sqlx(name, error)) }).await
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

pub(crate) async fn open_mysql(url: &str, access: Access, connections_max: u32) -> Result<Pools> {
    let url = url.replacen("mariadb:", "mysql:", 1);
    let options = MySqlConnectOptions::from_str(&url)
        .map_err(url_error)?
        .timezone(Some("+00:00".to_owned()))
        .charset("utf8mb4")
        .disable_statement_logging();
    let first = async { options.connect().await?.close().await };
    connected("connect to the MySQL/MariaDB database", Box::pin(first)).await?;
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
