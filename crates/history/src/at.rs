//! Finding an object, and its state at an instant.

use std::str::FromStr as _;

use annals_model::text::searchable;
use annals_model::{Image, ObjectKey, ObjectType};
use annals_sql::{Stmt, Tx, Value as Param};
use serde_json::Value;

use crate::Error;
use crate::layout::layout;
use crate::rebuild::{chains, is_tombstone};
use crate::text::stored_id;

pub(crate) const FIND: Stmt = Stmt::new(
    "history.find_objects",
    "select k.source, k.object_type, h.object_id, h.name, h.deleted
     from annals_object_kind k join annals_head h on h.kind = k.id
     where k.object_type = ? and (h.object_id = ? or upper(h.name) = upper(?))
     order by k.source, h.object_id limit ?",
);

/// More objects of one name than anybody reads.
const FOUND_MAX: i64 = 1_000;

/// An object that history knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundObject {
    /// Its key.
    pub key: ObjectKey,
    /// Its name when it was last captured.
    pub name: String,
    /// It is gone.
    pub deleted: bool,
}

/// Objects of a type by id or exact name; if there are none, by name without case. At most 1,000.
///
/// # Errors
/// As any call.
pub async fn find_objects(
    tx: &mut Tx,
    object_type: ObjectType,
    name_or_id: &str,
) -> Result<Vec<FoundObject>, Error> {
    let wanted = searchable(name_or_id);
    let params = vec![
        Param::from(object_type.as_str()),
        Param::from(&*wanted),
        Param::from(&*wanted),
        Param::from(FOUND_MAX),
    ];
    let mut found = Vec::new();
    for row in tx.fetch_all(&FIND, params).await? {
        let object_type = ObjectType::from_str(row.required_text(1)?)
            .map_err(|error| annals_sql::Error::data(format!("annals_object_kind.object_type: {error}")))?;
        let key = ObjectKey {
            source: row.required_text(0)?.into(),
            object_type,
            object_id: row.required_text(2)?.to_owned(),
        };
        let name = row.required_text(3)?.to_owned();
        found.push(FoundObject { key, name, deleted: row.required_int(4)? != 0 });
    }
    let exact = |object: &FoundObject| object.key.object_id == *wanted || object.name == *wanted;
    if found.iter().any(exact) {
        found.retain(exact);
    }
    Ok(found)
}

/// An object's state at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct AsOf {
    /// The capture that says so.
    pub capture_id: String,
    /// Since when the state held, epoch milliseconds.
    pub effective_ms: i64,
    /// The latest instant at which it was seen.
    pub extended_to_ms: Option<i64>,
    /// When history learned of it.
    pub recorded_ms: i64,
    /// `full` or `patch`: how it is stored.
    pub transform_type: String,
    /// `ZIPPED`, `MINIFIED`, `PRETTY` or `COMPACT`: how it is stored.
    pub json_format: String,
    /// The object was gone.
    pub deleted: bool,
    /// The document.
    pub document: Value,
    /// The image in it; none if the object was gone.
    pub image: Option<Image>,
}

/// An object's state at an instant: the capture with the latest effective date up to and including `at_ms`; of
/// several, the one recorded last. With `known_at_ms` captures recorded later than that are passed over. None before
/// the first capture (TRAP-16: the past of an object that is gone is answered like any other).
///
/// # Errors
/// `Rebuild` for a capture that cannot be read back; else as any call.
pub async fn as_of(
    tx: &mut Tx,
    key: &ObjectKey,
    at_ms: i64,
    known_at_ms: Option<i64>,
) -> Result<Option<AsOf>, Error> {
    let known_at_ms = known_at_ms.unwrap_or(i64::MAX);
    let params = vec![Param::from(&*stored_id(&key.object_id)), Param::from(at_ms), Param::from(known_at_ms)];
    let Some(row) = tx.fetch_optional(&layout(key.object_type).at, params).await? else { return Ok(None) };
    let capture_id = row.required_text(0)?.to_owned();
    let chain = chains(tx, key.object_type, vec![capture_id.clone()]).await?.remove(&capture_id);
    let document = chain.unwrap_or_default().document(key.object_type, &capture_id)?;
    let image = document.image()?;
    Ok(Some(AsOf {
        capture_id,
        effective_ms: row.required_int(1)?,
        extended_to_ms: row.int(2)?,
        recorded_ms: row.required_int(3)?,
        transform_type: row.required_text(4)?.to_owned(),
        json_format: row.required_text(5)?.to_owned(),
        deleted: is_tombstone(&document.value),
        document: document.value,
        image,
    }))
}
