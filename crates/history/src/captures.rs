//! An object's captures, and which states are kept already.

use std::collections::{BTreeMap, HashMap, HashSet};

use annals_model::ObjectKey;
use annals_sql::{Row, Stmt, Tx, Value as Param};

use crate::Error;
use crate::encoding::Decoder;
use crate::layout::layout;
use crate::page::{Page, PageRequest, Position};
use crate::rebuild::is_tombstone;
use crate::scope::Scope;
use crate::text::stored_id;

/// One capture, without its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureSummary {
    /// Its id.
    pub capture_id: String,
    /// When history learned of it, epoch milliseconds.
    pub recorded_ms: i64,
    /// When the state began in the identity system.
    pub effective_ms: i64,
    /// The latest instant at which it was seen.
    pub extended_to_ms: Option<i64>,
    /// `full` or `patch`.
    pub transform_type: String,
    /// `ZIPPED`, `MINIFIED`, `PRETTY` or `COMPACT`.
    pub json_format: String,
    /// Hash of the image.
    pub full_hash: Option<String>,
    /// Hash of the image without insignificant fields.
    pub smart_hash: Option<String>,
    /// The capture that it is a patch of.
    pub patch_of: Option<String>,
    /// Bytes that its document or patch takes as stored.
    pub stored_bytes: i64,
    /// The object was gone.
    pub deleted: bool,
}

/// An object's captures in the order in which they were recorded.
///
/// # Errors
/// As any call.
pub async fn captures(
    tx: &mut Tx,
    key: &ObjectKey,
    page: &PageRequest,
) -> Result<Page<CaptureSummary>, Error> {
    let [recorded, id] = page.after();
    let params = vec![Param::from(&*stored_id(&key.object_id)), recorded, id, page.limit()];
    listed(tx, &layout(key.object_type).list, params, page).await
}

/// The same of those captures that are in a scope.
///
/// # Errors
/// As any call.
pub async fn captures_within(
    tx: &mut Tx,
    key: &ObjectKey,
    page: &PageRequest,
    scope: &Scope,
) -> Result<Page<CaptureSummary>, Error> {
    if scope.holds_all(tx, key).await? {
        return captures(tx, key, page).await;
    }
    let Some(stmt) = layout(key.object_type).list_within.as_ref() else {
        return Ok(Page { rows: Vec::new(), next: None });
    };
    let [recorded, id] = page.after();
    let params =
        vec![Param::from(&*stored_id(&key.object_id)), recorded, id, scope.stored_identities(), page.limit()];
    listed(tx, stmt, params, page).await
}

async fn listed(
    tx: &mut Tx,
    stmt: &Stmt,
    params: Vec<Param>,
    page: &PageRequest,
) -> Result<Page<CaptureSummary>, Error> {
    let rows = tx.fetch_all(stmt, params).await?;
    let mut documents = Vec::new();
    for row in &rows {
        documents
            .extend(row.bytes(10)?.map(|stored| (stored, row.text(5).ok().flatten().unwrap_or_default())));
    }
    let decoder = Decoder::of(tx, documents.into_iter()).await?;
    let captures = rows.iter().map(|row| summary(row, &decoder)).collect::<Result<Vec<_>, _>>()?;
    Ok(page.cut(captures, |capture| Position {
        recorded_ms: capture.recorded_ms,
        id: capture.capture_id.clone(),
    }))
}

fn summary(row: &Row, decoder: &Decoder) -> Result<CaptureSummary, annals_sql::Error> {
    let optional = |index| row.text(index).map(|text| text.map(str::to_owned));
    let json_format = row.text(5)?.unwrap_or_default().to_owned();
    // Not every table has a column for it, but a tombstone has neither hash nor parent and a short document.
    let document = row.bytes(10)?.and_then(|stored| decoder.decode(stored, &json_format).ok());
    let document = document.and_then(|json| serde_json::from_slice(&json).ok());
    Ok(CaptureSummary {
        capture_id: row.required_text(0)?.to_owned(),
        recorded_ms: row.required_int(1)?,
        effective_ms: row.required_int(2)?,
        extended_to_ms: row.int(3)?,
        transform_type: row.required_text(4)?.to_owned(),
        json_format,
        full_hash: optional(6)?,
        smart_hash: optional(7)?,
        patch_of: optional(8)?,
        stored_bytes: row.int(9)?.unwrap_or_default(),
        deleted: document.as_ref().is_some_and(is_tombstone),
    })
}

/// A state of an object: its key, effective date and full hash; the hash is empty where hashes are switched off.
pub type KeptState = (ObjectKey, i64, String);

/// Which of these states are kept already (IIQ-10): one query an object type. The same hash at another date is another
/// state (TRAP-01).
///
/// # Errors
/// As any call.
pub async fn kept(tx: &mut Tx, states: &[KeptState]) -> Result<HashSet<KeptState>, Error> {
    let mut by_type: BTreeMap<_, Vec<&KeptState>> = BTreeMap::new();
    for state in states {
        by_type.entry(state.0.object_type).or_default().push(state);
    }
    let mut kept = HashSet::new();
    for (object_type, states) in by_type {
        let mut wanted: HashMap<(String, i64, &str), Vec<&KeptState>> = HashMap::new();
        for state in &states {
            let id = stored_id(&state.0.object_id).into_owned();
            wanted.entry((id, state.1, state.2.as_str())).or_default().push(state);
        }
        let mut ids: Vec<String> = wanted.keys().map(|(id, ..)| id.clone()).collect();
        let mut dates: Vec<i64> = wanted.keys().map(|(_, date, _)| *date).collect();
        ids.sort();
        ids.dedup();
        dates.sort_unstable();
        dates.dedup();
        let params = vec![Param::from(ids), Param::from(dates)];
        for row in tx.fetch_all(&layout(object_type).kept, params).await? {
            let found = (row.required_text(0)?.to_owned(), row.required_int(1)?, row.required_text(2)?);
            kept.extend(wanted.get(&found).into_iter().flatten().map(|state| (*state).clone()));
        }
    }
    Ok(kept)
}
