//! When the oldest transaction that is still open began: what it writes is dated no earlier, and nobody sees it yet.

use crate::{Db, Engine, ErrorKind, Result, Stmt, Tx, Value};

/// How long an engine may give the same answer about its transactions, milliseconds: InnoDB keeps it for a tenth of a
/// second after each question.
const STALE_MS: i64 = 200;

/// What there is to ask, and whether this user is told. A standby does not know the transactions of its primary, but how
/// far it has come: up to the last commit that it has made itself, or, when it has made none since it was started, up to
/// the checkpoint that it began from.
const POSTGRES_RIGHT: Stmt = Stmt::new(
    "sql.open_transactions_right",
    "select case when pg_is_in_recovery() then 1 else 0 end,
       case when pg_has_role(current_user, 'pg_read_all_stats', 'usage') then 1 else 0 end,
       cast(quote_ident(current_user) as text),
       case when pg_is_in_recovery() then cast(floor(extract(epoch from coalesce(pg_last_xact_replay_timestamp(),
         (select checkpoint_time from pg_control_checkpoint()))) * 1000) as bigint) end",
);
/// Transactions of other databases of the server cannot write to this one. A prepared transaction has no process, and
/// just the time of its PREPARE.
const POSTGRES_OLDEST: Stmt = Stmt::new(
    "sql.open_transactions_oldest",
    "select cast(floor(extract(epoch from
         (select min(xact_start) from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and backend_type not in ('autovacuum worker', 'walsender'))) * 1000) as bigint),
       (select count(*) from pg_prepared_xacts where database = current_database())",
);
/// The user's own rights: an account is a name and a host, either of which may hold an `@` only in the name. A replica
/// takes no writes, or has threads that make those of its primary.
const MYSQL_RIGHT: Stmt = Stmt::new(
    "sql.open_transactions_right",
    "select case when @@global.read_only <> 0 or
         (select count(*) from information_schema.processlist where user = 'system user' and command <> 'Daemon') > 0
         then 1 else 0 end,
       (select cast(count(*) as signed) from information_schema.user_privileges
        where privilege_type = 'PROCESS' and grantee = concat('''', who.user, '''@''', who.host, '''')),
       cast(concat('''', who.user, '''@''', who.host, '''') as char), null
     from (select substring_index(current_user(), '@', -1) as host,
             left(current_user(), char_length(current_user())
               - char_length(substring_index(current_user(), '@', -1)) - 1) as user) who",
);
/// A replica whose replication stands still is one all the same: what it makes up for later is dated earlier.
const MARIADB_REPLICATION: Stmt = Stmt::new("sql.replication", "show all slaves status");
const MYSQL_REPLICATION: Stmt = Stmt::new("sql.replication", "show replica status");
const MYSQL_VERSION: Stmt = Stmt::new("sql.version", "select cast(version() as char)");
/// The start is kept in the zone of the server's system, whatever the session's is. A prepared transaction has lost its
/// session, and after a restart its start.
const MYSQL_OLDEST: Stmt = Stmt::new(
    "sql.open_transactions_oldest",
    "select cast(timestampdiff(second, '1970-01-01', convert_tz(min(trx_started), 'SYSTEM', '+00:00')) * 1000 as signed),
       cast(coalesce(sum(trx_mysql_thread_id = 0), 0) as signed)
     from information_schema.innodb_trx where trx_mysql_thread_id <> connection_id()",
);

/// What a database tells of its open transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenTransactions {
    /// None of them began before this instant, epoch milliseconds of the database's clock.
    BeganFrom(i64),
    /// So many are prepared, and nobody is told when they began: it may be as long ago as the last time that none was.
    Prepared(i64),
    /// It is a replica, which does not know the transactions of its primary. It has what was committed up to this
    /// instant, epoch milliseconds, where it tells that.
    Replica(Option<i64>),
    /// It cannot be asked, or would not tell all; where something can be done about it, what.
    Unknown(Option<String>),
}

impl Db {
    /// When its oldest open transaction began. What was committed before this call is seen by whoever reads after it.
    ///
    /// # Errors
    /// As any call.
    pub async fn open_transactions(&self) -> Result<OpenTransactions> {
        let (right, oldest, stale_ms) = match self.engine() {
            Engine::Sqlite => return Ok(OpenTransactions::Unknown(None)),
            Engine::Postgres => (&POSTGRES_RIGHT, &POSTGRES_OLDEST, 0),
            Engine::MySql => (&MYSQL_RIGHT, &MYSQL_OLDEST, STALE_MS),
        };
        // Asked first: whatever begins later began after it.
        let now_ms = self.now_ms().await?;
        let mut tx = self.begin_read().await?;
        let row = tx.fetch_one(right, Vec::<Value>::new()).await?;
        if row.required_int(0)? != 0 || (self.engine() == Engine::MySql && tx.replicates().await?) {
            return Ok(OpenTransactions::Replica(row.int(3)?));
        }
        if row.required_int(1)? == 0 {
            let user = row.required_text(2)?;
            let grant = match self.engine() {
                Engine::Postgres => format!("grant pg_read_all_stats to {user};"),
                _ => format!("grant process on *.* to {user};"),
            };
            return Ok(OpenTransactions::Unknown(Some(format!(
                "the user may not see the transactions of others: {grant}"
            ))));
        }
        let row = tx.fetch_one(oldest, Vec::<Value>::new()).await?;
        let (oldest_ms, prepared) = (row.int(0)?, row.required_int(1)?);
        tx.rollback().await?;
        if prepared > 0 {
            return Ok(OpenTransactions::Prepared(prepared));
        }
        let known_ms = now_ms - stale_ms;
        Ok(OpenTransactions::BeganFrom(oldest_ms.map_or(known_ms, |oldest_ms| oldest_ms.min(known_ms))))
    }
}

impl Tx {
    /// Whether a MySQL or MariaDB server is set up as a replica, as far as this user may ask.
    async fn replicates(&mut self) -> Result<bool> {
        let version = self.fetch_one(&MYSQL_VERSION, Vec::new()).await?;
        let is_mariadb = version.required_text(0)?.contains("MariaDB");
        let status = if is_mariadb { &MARIADB_REPLICATION } else { &MYSQL_REPLICATION };
        match self.fetch_optional(status, Vec::new()).await {
            Ok(row) => Ok(row.is_some()),
            // It takes a right of its own. Without it, a replica that stands still and takes writes passes for a primary.
            Err(error) if error.kind() == ErrorKind::Denied => Ok(false),
            Err(error) => Err(error),
        }
    }
}
