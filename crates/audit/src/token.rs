//! Tokens of the interface: made, found, revoked, and what was done with them.

use std::fmt;

use annals_model::{Role, ScopeRule};
use annals_sql::{Row, Stmt, Tx, Value};
use sha2::{Digest as _, Sha256};

use crate::role::{joined, split};
use crate::{Error, Result, new_id};

const INSERT: Stmt = Stmt::new(
    "audit.token_insert",
    "insert into annals_token (id, name, hash, roles, created, created_by, expires, scope, view_only)
     values (?, ?, ?, ?, {now_ms}, ?, ?, ?, ?) on conflict do nothing",
);
const LIST: Stmt = Stmt::new(
    "audit.token_list",
    "select id, name, roles, created, created_by, expires, revoked, revoked_by, {now_ms}, scope, view_only
     from annals_token order by created, id",
);
const BY_HASH: Stmt = Stmt::new(
    "audit.token_by_hash",
    "select id, name, roles, created, created_by, expires, revoked, revoked_by, {now_ms}, scope, view_only
     from annals_token where hash = ?",
);
const BY_NAME: Stmt = Stmt::new(
    "audit.token_by_name",
    "select id, name, roles, created, created_by, expires, revoked, revoked_by, {now_ms}, scope, view_only
     from annals_token where revoked is null and (name = ? or id = ?)",
);
const REVOKE: Stmt = Stmt::new(
    "audit.token_revoke",
    "update annals_token set revoked = {now_ms}, revoked_by = ? where id = ? and revoked is null",
);
const ACT: Stmt = Stmt::new(
    "audit.token_act",
    "insert into annals_token_act (id, acted, act, actor, token_id, name, roles, expires, scope, view_only)
     values (?, {now_ms}, ?, ?, ?, ?, ?, ?, ?, ?)",
);
const ACTS: Stmt = Stmt::new(
    "audit.token_acts",
    "select acted, act, actor, token_id, name, roles, expires, scope, view_only from annals_token_act
     order by acted desc, id desc limit ?",
);
pub(crate) const STATEMENTS: &[Stmt] = &[INSERT, LIST, BY_HASH, BY_NAME, REVOKE, ACT, ACTS];

/// What every token begins with: programs that look for secrets in the wrong places know it by that.
const PREFIX: &str = "annals_";

/// Random bytes of a token: 256 bits.
const SECRET_BYTES: usize = 32;

/// A token's text, which is told once.
pub struct Secret(String);

impl Secret {
    /// A new one.
    fn new() -> Result<Self> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(Error::NoRandomness)?;
        Ok(Self(format!("{PREFIX}{}", hex::encode(bytes))))
    }

    /// The text, for whom it was made.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is kept of a token's text. A slow hash with a salt guards words that people think of, because they can be
/// guessed; 256 random bits cannot, however fast the hash is, and it is computed for each request. Looking a hash up
/// takes a time that tells nothing of any token: whoever could choose a hash could choose the token.
fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken<'t> {
    /// Its name, by which its owner is known in the logs.
    pub name: &'t str,
    /// What its owner is.
    pub roles: &'t [Role],
    /// Which part of history he may read, if he is a scoped reader.
    pub scope: Option<&'t ScopeRule>,
    /// He may look at answers and not export them, whatever his roles allow.
    pub view_only: bool,
    /// Until when it is good.
    pub expires_ms: Option<i64>,
    /// Who makes it.
    pub actor: &'t str,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is its column's name")]
pub struct StoredToken {
    pub id: String,
    pub name: String,
    pub roles: Vec<Role>,
    pub scope: Option<ScopeRule>,
    pub view_only: bool,
    pub created_ms: i64,
    pub created_by: String,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
    pub revoked_by: Option<String>,
    /// The database's time when it was read.
    pub read_ms: i64,
}

impl StoredToken {
    /// Its time is over.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.expires_ms.is_some_and(|expires_ms| expires_ms <= self.read_ms)
    }

    fn as_made(&self) -> NewToken<'_> {
        NewToken {
            name: &self.name,
            roles: &self.roles,
            scope: self.scope.as_ref(),
            view_only: self.view_only,
            expires_ms: self.expires_ms,
            actor: &self.created_by,
        }
    }
}

/// How a text stands that is said to be a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is good.
    Good(StoredToken),
    /// It was good until it expired.
    Expired(StoredToken),
    /// It was revoked.
    Revoked(StoredToken),
    /// It never was one.
    Unknown,
}

/// Something that was done with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is its column's name")]
pub struct TokenAct {
    pub acted_ms: i64,
    pub act: String,
    pub actor: String,
    pub token_id: String,
    pub name: String,
    pub roles: Vec<Role>,
    pub scope: Option<ScopeRule>,
    pub view_only: bool,
    pub expires_ms: Option<i64>,
}

/// Makes a token and notes that it was made.
///
/// # Errors
/// `NameTaken`, `NoRandomness`; else from the database.
pub async fn create_token(tx: &mut Tx, new: &NewToken<'_>) -> Result<Secret> {
    let secret = Secret::new()?;
    let id = new_id();
    let params = vec![
        id.as_str().into(),
        new.name.into(),
        hash(secret.reveal()).into(),
        joined(new.roles).into(),
        new.actor.into(),
        new.expires_ms.into(),
        kept(new.scope).into(),
        i64::from(new.view_only).into(),
    ];
    if tx.execute(&INSERT, params).await? == 0 {
        return Err(Error::NameTaken(new.name.to_owned()));
    }
    note(tx, "create", new.actor, &id, new).await?;
    Ok(secret)
}

/// Makes a token, by name or id, good for nothing, and notes that; none if there is none that is not revoked.
///
/// # Errors
/// From the database.
pub async fn revoke_token(tx: &mut Tx, name_or_id: &str, actor: &str) -> Result<Option<StoredToken>> {
    let Some(row) = tx.fetch_optional(&BY_NAME, vec![name_or_id.into(), name_or_id.into()]).await? else {
        return Ok(None);
    };
    let token = read(&row)?;
    if tx.execute(&REVOKE, vec![actor.into(), token.id.as_str().into()]).await? == 0 {
        return Ok(None);
    }
    note(tx, "revoke", actor, &token.id, &token.as_made()).await?;
    Ok(Some(token))
}

/// How a text stands now.
///
/// # Errors
/// From the database.
pub async fn find_token(tx: &mut Tx, text: &str) -> Result<Standing> {
    if !text.starts_with(PREFIX) {
        return Ok(Standing::Unknown);
    }
    let Some(row) = tx.fetch_optional(&BY_HASH, vec![hash(text).into()]).await? else {
        return Ok(Standing::Unknown);
    };
    let token = read(&row)?;
    Ok(if token.revoked_ms.is_some() {
        Standing::Revoked(token)
    } else if token.has_expired() {
        Standing::Expired(token)
    } else {
        Standing::Good(token)
    })
}

/// All tokens, the oldest first.
///
/// # Errors
/// From the database.
pub async fn tokens(tx: &mut Tx) -> Result<Vec<StoredToken>> {
    tx.fetch_all(&LIST, Vec::new()).await?.iter().map(read).collect()
}

/// What was done with tokens, the newest first, at most so many.
///
/// # Errors
/// From the database.
pub async fn token_acts(tx: &mut Tx, limit: u32) -> Result<Vec<TokenAct>> {
    let rows = tx.fetch_all(&ACTS, vec![limit.into()]).await?;
    rows.iter()
        .map(|row| {
            let text = |index| row.required_text(index).map(str::to_owned);
            Ok(TokenAct {
                acted_ms: row.required_int(0)?,
                act: text(1)?,
                actor: text(2)?,
                token_id: text(3)?,
                name: text(4)?,
                roles: split(row.required_text(5)?),
                expires_ms: row.int(6)?,
                scope: scope(row.text(7)?)?,
                view_only: row.required_int(8)? != 0,
            })
        })
        .collect()
}

async fn note(tx: &mut Tx, act: &str, actor: &str, id: &str, token: &NewToken<'_>) -> Result<()> {
    let params: Vec<Value> = vec![
        new_id().into(),
        act.into(),
        actor.into(),
        id.into(),
        token.name.into(),
        joined(token.roles).into(),
        token.expires_ms.into(),
        kept(token.scope).into(),
        i64::from(token.view_only).into(),
    ];
    tx.execute(&ACT, params).await?;
    Ok(())
}

/// A scope as a column holds it.
fn kept(scope: Option<&ScopeRule>) -> Option<String> {
    scope.and_then(|scope| serde_json::to_string(scope).ok())
}

/// A scope out of a column. One that this version does not understand is an error, for it might be wider than what is
/// understood of it.
fn scope(column: Option<&str>) -> Result<Option<ScopeRule>> {
    let read = |text| {
        serde_json::from_str(text)
            .map_err(|error| Error::Sql(annals_sql::Error::data(format!("annals_token.scope: {error}"))))
    };
    column.map(read).transpose()
}

fn read(row: &Row) -> Result<StoredToken> {
    let text = |index| row.required_text(index).map(str::to_owned);
    Ok(StoredToken {
        id: text(0)?,
        name: text(1)?,
        roles: split(row.required_text(2)?),
        created_ms: row.required_int(3)?,
        created_by: text(4)?,
        expires_ms: row.int(5)?,
        revoked_ms: row.int(6)?,
        revoked_by: row.text(7)?.map(str::to_owned),
        read_ms: row.required_int(8)?,
        scope: scope(row.text(9)?)?,
        view_only: row.required_int(10)? != 0,
    })
}
