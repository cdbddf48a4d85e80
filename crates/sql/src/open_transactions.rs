//! When the oldest transaction that is still open began: what it writes is dated no earlier, and nobody sees it yet.

use crate::{Db, Engine, Result, Stmt, Value};

/// How long an engine may give the same answer about its transactions, milliseconds: InnoDB keeps it for a tenth of a
/// second after each question.
const STALE_MS: i64 = 200;

/// What there is to ask, and whether this user is told.
const POSTGRES_RIGHT: Stmt = Stmt::new(
    "sql.open_transactions_right",
    "select case when pg_is_in_recovery() then 1 else 0 end,
       case when pg_has_role(current_user, 'pg_read_all_stats', 'usage') then 1 else 0 end,
       cast(quote_ident(current_user) as text)",
);
/// Transactions of other databases of the server cannot write to this one. A prepared transaction has no process.
const POSTGRES_OLDEST: Stmt = Stmt::new(
    "sql.open_transactions_oldest",
    "select cast(floor(extract(epoch from least(
         (select min(xact_start) from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and backend_type not in ('autovacuum worker', 'walsender')),
         (select min(prepared) from pg_prepared_xacts where database = current_database()))) * 1000) as bigint)",
);
/// The user's own rights: an account is a name and a host, either of which may hold an `@` only in the name.
const MYSQL_RIGHT: Stmt = Stmt::new(
    "sql.open_transactions_right",
    "select 0,
       (select cast(count(*) as signed) from information_schema.user_privileges
        where privilege_type = 'PROCESS' and grantee = concat('''', who.user, '''@''', who.host, '''')),
       cast(concat('''', who.user, '''@''', who.host, '''') as char)
     from (select substring_index(current_user(), '@', -1) as host,
             left(current_user(), char_length(current_user())
               - char_length(substring_index(current_user(), '@', -1)) - 1) as user) who",
);
/// The start is kept in the zone of the server's system, whatever the session's is.
const MYSQL_OLDEST: Stmt = Stmt::new(
    "sql.open_transactions_oldest",
    "select cast(timestampdiff(second, '1970-01-01', convert_tz(min(trx_started), 'SYSTEM', '+00:00')) * 1000 as signed)
     from information_schema.innodb_trx where trx_mysql_thread_id <> connection_id()",
);

/// What a database tells of its open transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenTransactions {
    /// None of them began before this instant, epoch milliseconds of the database's clock.
    BeganFrom(i64),
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
        if row.required_int(0)? != 0 {
            return Ok(OpenTransactions::Unknown(Some(
                "the database is a replica, which does not know the transactions of its primary: read the primary, \
                 or set source.overlapSeconds to the longest time that a transaction takes and the replica lags"
                    .to_owned(),
            )));
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
        let oldest_ms = tx.fetch_one(oldest, Vec::<Value>::new()).await?.int(0)?;
        tx.rollback().await?;
        let known_ms = now_ms - stale_ms;
        Ok(OpenTransactions::BeganFrom(oldest_ms.map_or(known_ms, |oldest_ms| oldest_ms.min(known_ms))))
    }
}
