//! The access log: every request for history by somebody with a name, noted before it is answered (AQL-04, OID-03).

use annals_model::Role;
use annals_sql::{Row, Stmt, Tx, Value};

use crate::role::{joined, split};
use crate::{Result, new_id};

const INSERT: Stmt = Stmt::new(
    "audit.access_insert",
    "insert into annals_access
       (id, at, principal, roles, authentication, address, host, method, path, operation, query, result_rows, success,
        status)
     values (?, {now_ms}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
);
const LIST: Stmt = Stmt::new(
    "audit.access_list",
    "select id, at, principal, roles, authentication, address, host, method, path, operation, query, result_rows,
        success, status
     from annals_access
     where at >= ? and at < ? and (at, id) < (?, ?)
        and operation = coalesce(?, operation) and path = coalesce(?, path)
     order by at desc, id desc limit ?",
);
const LIST_OF: Stmt = Stmt::new(
    "audit.access_list_of",
    "select id, at, principal, roles, authentication, address, host, method, path, operation, query, result_rows,
        success, status
     from annals_access
     where principal = ? and at >= ? and at < ? and (at, id) < (?, ?)
        and operation = coalesce(?, operation) and path = coalesce(?, path)
     order by at desc, id desc limit ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[INSERT, LIST, LIST_OF];

/// A request by somebody whose name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Who: the name of a token.
    pub principal: String,
    /// What he was at that moment.
    pub roles: Vec<Role>,
    /// How his name is known: `token` (AQL-06).
    pub authentication: &'static str,
    /// From where he asked.
    pub address: String,
    /// The host that answered.
    pub host: String,
    /// HTTP method.
    pub method: String,
    /// Path of the URL.
    pub path: String,
    /// The operation, by the name that the interface's description gives it.
    pub operation: &'static str,
    /// The URL's query as it was sent, with the filter in it.
    pub query: Option<String>,
    /// How many rows the answer holds; none if it is none of rows.
    pub rows: Option<u64>,
    /// HTTP status of the answer; what is 400 or more was no success, be it refused or failed (AQL-05).
    pub status: u16,
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is what Access says it is, or its column's name")]
pub struct StoredAccess {
    pub id: String,
    pub at_ms: i64,
    pub principal: String,
    pub roles: Vec<Role>,
    pub authentication: String,
    pub address: String,
    pub host: String,
    pub method: String,
    pub path: String,
    pub operation: String,
    pub query: Option<String>,
    pub rows: Option<i64>,
    pub success: bool,
    pub status: i64,
}

/// Which rows of the log (AQL-07).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessFilter {
    /// Of whom.
    pub principal: Option<String>,
    /// From this instant on, epoch milliseconds.
    pub from_ms: Option<i64>,
    /// Before this instant.
    pub to_ms: Option<i64>,
    /// Of this operation, or this path.
    pub what: Option<String>,
    /// Older than the row of this time and id, with which a page ended.
    pub before: Option<(i64, String)>,
}

impl AccessFilter {
    fn params(&self, limit: u32) -> Vec<Value> {
        let (before_ms, before_id) = self.before.clone().unwrap_or((i64::MAX, String::new()));
        let is_path = self.what.as_ref().is_some_and(|what| what.starts_with('/'));
        let (path, operation) = if is_path { (self.what.clone(), None) } else { (None, self.what.clone()) };
        let mut params: Vec<Value> =
            self.principal.iter().map(|principal| principal.as_str().into()).collect();
        params.extend([
            self.from_ms.unwrap_or(i64::MIN).into(),
            self.to_ms.unwrap_or(i64::MAX).into(),
            before_ms.into(),
            before_id.into(),
            operation.into(),
            path.into(),
            limit.into(),
        ]);
        params
    }
}

/// Notes requests.
///
/// # Errors
/// From the database.
pub async fn note_access(tx: &mut Tx, access: &Access) -> Result<()> {
    let rows = access.rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
    let params = vec![
        new_id().into(),
        access.principal.as_str().into(),
        joined(&access.roles).into(),
        access.authentication.into(),
        access.address.as_str().into(),
        access.host.as_str().into(),
        access.method.as_str().into(),
        access.path.as_str().into(),
        access.operation.into(),
        access.query.clone().into(),
        rows.into(),
        i64::from(access.status < 400).into(),
        i64::from(access.status).into(),
    ];
    tx.execute(&INSERT, params).await?;
    Ok(())
}

/// Rows of the log, the newest first, at most so many.
///
/// # Errors
/// From the database.
pub async fn accesses(tx: &mut Tx, filter: &AccessFilter, limit: u32) -> Result<Vec<StoredAccess>> {
    let stmt = if filter.principal.is_some() { &LIST_OF } else { &LIST };
    tx.fetch_all(stmt, filter.params(limit)).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<StoredAccess> {
    let text = |index| row.required_text(index).map(str::to_owned);
    Ok(StoredAccess {
        id: text(0)?,
        at_ms: row.required_int(1)?,
        principal: text(2)?,
        roles: split(row.required_text(3)?),
        authentication: text(4)?,
        address: text(5)?,
        host: text(6)?,
        method: text(7)?,
        path: text(8)?,
        operation: text(9)?,
        query: row.text(10)?.map(str::to_owned),
        rows: row.int(11)?,
        success: row.required_int(12)? != 0,
        status: row.required_int(13)?,
    })
}
