//! Requests of nobody that counts: no row of the access log, a record of their own (AQL-05).

use annals_sql::{Stmt, Tx};

use crate::{Result, new_id};

const INSERT: Stmt = Stmt::new(
    "audit.login_failure_insert",
    "insert into annals_login_failure (id, at, reason, principal, address, host, method, path)
     values (?, {now_ms}, ?, ?, ?, ?, ?, ?)",
);
const LIST: Stmt = Stmt::new(
    "audit.login_failure_list",
    "select id, at, reason, principal, address, host, method, path from annals_login_failure
     where at >= ? and at < ? order by at desc, id desc limit ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[INSERT, LIST];

/// Why somebody's name is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    /// Nothing was said of who asks.
    NoToken,
    /// What was said is no token in the form that is understood.
    NotUnderstood,
    /// There is no such token.
    UnknownToken,
    /// The token's time is over.
    ExpiredToken,
    /// The token was revoked.
    RevokedToken,
}

impl FailureReason {
    /// As it is kept and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no token",
            Self::NotUnderstood => "not understood",
            Self::UnknownToken => "unknown token",
            Self::ExpiredToken => "expired token",
            Self::RevokedToken => "revoked token",
        }
    }
}

/// A request by nobody whose name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFailure {
    /// Why not.
    pub reason: FailureReason,
    /// Whose token it was, if it ever was one.
    pub principal: Option<String>,
    /// From where.
    pub address: String,
    /// The host that refused.
    pub host: String,
    /// HTTP method.
    pub method: String,
    /// Path of the URL.
    pub path: String,
}

/// A failure as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is what LoginFailure says it is, or its column's name")]
pub struct StoredLoginFailure {
    pub id: String,
    pub at_ms: i64,
    pub reason: String,
    pub principal: Option<String>,
    pub address: String,
    pub host: String,
    pub method: String,
    pub path: String,
}

/// Notes a failure.
///
/// # Errors
/// From the database.
pub async fn note_login_failure(tx: &mut Tx, failure: &LoginFailure) -> Result<()> {
    let params = vec![
        new_id().into(),
        failure.reason.as_str().into(),
        failure.principal.clone().into(),
        failure.address.as_str().into(),
        failure.host.as_str().into(),
        failure.method.as_str().into(),
        failure.path.as_str().into(),
    ];
    tx.execute(&INSERT, params).await?;
    Ok(())
}

/// Failures from an instant on and before another, the newest first, at most so many.
///
/// # Errors
/// From the database.
pub async fn login_failures(
    tx: &mut Tx,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    limit: u32,
) -> Result<Vec<StoredLoginFailure>> {
    let params = vec![from_ms.unwrap_or(i64::MIN).into(), to_ms.unwrap_or(i64::MAX).into(), limit.into()];
    let rows = tx.fetch_all(&LIST, params).await?;
    rows.iter()
        .map(|row| {
            let text = |index| row.required_text(index).map(str::to_owned);
            Ok(StoredLoginFailure {
                id: text(0)?,
                at_ms: row.required_int(1)?,
                reason: text(2)?,
                principal: row.text(3)?.map(str::to_owned),
                address: text(4)?,
                host: text(5)?,
                method: text(6)?,
                path: text(7)?,
            })
        })
        .collect()
}
