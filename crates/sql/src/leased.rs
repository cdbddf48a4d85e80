//! Connections of processes that hold leases: what stands still must not keep others from going on.

use std::time::Duration;

use crate::db::Pools;
use crate::open::postgres_pool;
use crate::{Db, Engine, Result, Tx};

/// How long a question may take that is asked beside the work.
const SMALL_CALL_MAX: Duration = Duration::from_secs(30);

impl Db {
    /// The same database by connections whose transactions the server ends when nothing happens in them for so long,
    /// milliseconds: a process that stands still, or whose host is gone, must not hold rows that others need. Where the
    /// engine cannot, it is the database as it is.
    #[must_use]
    pub fn with_idle_max(&self, idle_ms: i64) -> Self {
        let Pools::Postgres(pool) = &self.pools else { return self.clone() };
        let options = pool.connect_options().as_ref().clone();
        let options = options.options([("idle_in_transaction_session_timeout", idle_ms)]);
        let pools = Pools::Postgres(postgres_pool(options, pool.options().get_max_connections()));
        Self { pools, ..self.clone() }
    }

    /// A connection beside those of this database, for what must not wait until one of them is free: small questions,
    /// which may take 30 s. SQLite has one writer, for which all wait in turn: there it is the database as it is.
    #[must_use]
    pub fn beside(&self) -> Self {
        let Pools::Postgres(pool) = &self.pools else { return self.clone() };
        let pools = Pools::Postgres(postgres_pool(pool.connect_options().as_ref().clone(), 1));
        Self { pools, ..self.clone() }.with_call_max(SMALL_CALL_MAX)
    }
}

impl Tx {
    /// Lets the transaction wait for what else its owner does, longer than [`Db::with_idle_max`] says, milliseconds at a
    /// time. Only PostgreSQL ends idle transactions.
    ///
    /// # Errors
    /// As any call.
    pub async fn allow_idle(&mut self, idle_ms: i64) -> Result<()> {
        match self.engine() {
            Engine::Postgres => {
                let script = format!("set local idle_in_transaction_session_timeout = {idle_ms}");
                self.execute_script("sql.allow_idle", &script).await
            }
            Engine::Sqlite | Engine::MySql => Ok(()),
        }
    }
}
