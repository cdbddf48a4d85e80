//! Heads: what is remembered of each object's newest capture (`annals_head`).

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use annals_model::text::searchable;
use annals_model::{Head, ObjectKey, ObjectType};
use annals_sql::fault::{Defect, defect};
use annals_sql::{Batch, Column, ColumnData, Engine, ErrorKind, OnConflict, Row, Stmt, Tx, Value};

use crate::{Error, HeadImage, RebuildError, sighting};

pub(crate) const TABLE: &str = "annals_head";

/// Bytes of a capture's id, and of a hash, in their columns.
pub(crate) const ID_BYTES: usize = 16;
const HASH_BYTES: usize = 20;

pub(crate) const KIND: Stmt =
    Stmt::new("history.kind", "select id from annals_object_kind where source = ? and object_type = ?");

const KINDS: &str = "annals_object_kind";

/// What tells that a head is not the one any more that was read: a new capture has another id, one that was seen again
/// other sightings, and one that a late message has moved another date or place among patches.
const TELLING: [&str; 5] = ["capture_id", "effective_date", "observed_date", "patches_since_full", "seen"];

pub(crate) const LOCK: Stmt = Stmt::new(
    "history.lock_head",
    "update annals_head set deleted = deleted
     where kind = (select id from annals_object_kind where source = ? and object_type = ?) and object_id = ?",
);

/// Holds an object's head until the transaction ends, so that what several do to its captures they do one by one. What
/// is read of the object from then on is what stands there.
///
/// # Errors
/// As any call.
pub async fn lock_head(tx: &mut Tx, key: &ObjectKey) -> Result<(), Error> {
    let params = vec![
        Value::from(&*key.source),
        Value::from(key.object_type.as_str()),
        Value::from(&*searchable(&key.object_id)),
    ];
    tx.execute(&LOCK, params).await?;
    Ok(())
}

/// The heads of a list of objects of one source and type, in the order of [`read`].
pub(crate) fn heads_stmt(engine: Engine) -> Result<Stmt, annals_sql::Error> {
    let each = engine.each_listed(
        TABLE,
        "h",
        "kind = (select id from annals_object_kind where source = ? and object_type = ?)
            and object_id = listed.value",
    )?;
    Ok(Stmt::built(
        "history.heads",
        format!(
            "select h.object_id, h.name, h.capture_id, h.effective_date, h.extended_to_date, h.observed_date,
                h.full_hash, h.smart_hash, h.patches_since_full, h.full_capture_id, h.full_observed_date, h.deleted,
                h.seen
             from {each}"
        ),
    ))
}

/// The heads of those of these objects that history knows: one query a source and object type.
///
/// # Errors
/// As any call.
pub async fn heads(tx: &mut Tx, keys: &[ObjectKey]) -> Result<HashMap<ObjectKey, Head>, Error> {
    let mut heads = HashMap::with_capacity(keys.len());
    let mut groups: BTreeMap<_, HashMap<Cow<'_, str>, &ObjectKey>> = BTreeMap::new();
    for key in keys {
        let group = groups.entry((&key.source, key.object_type)).or_default();
        group.insert(searchable(&key.object_id), key);
    }
    let stmt = heads_stmt(tx.engine())?;
    for ((source, object_type), group) in groups {
        let ids: Vec<String> = group.keys().map(|id| id.clone().into_owned()).collect();
        let params = vec![Value::from(ids), Value::from(&**source), Value::from(object_type.as_str())];
        for row in tx.fetch_all(&stmt, params).await? {
            if let Some(key) = group.get(row.required_text(0)?) {
                heads.insert((*key).clone(), read(&row)?);
            }
        }
    }
    Ok(heads)
}

fn read(row: &Row) -> Result<Head, annals_sql::Error> {
    let packed =
        |index, width, case| row.bytes(index).map(|bytes| bytes.map(|bytes| unpack(bytes, width, case)));
    let required = |index, width, case| Ok(packed(index, width, case)?.unwrap_or_default());
    let (effective_ms, observed_ms) = (row.required_int(3)?, row.required_int(5)?);
    let capture_id: String = required(2, ID_BYTES, Case::Lower)?;
    let full_hash: String = required(6, HASH_BYTES, Case::Upper)?;
    Ok::<_, annals_sql::Error>(Head {
        name: row.required_text(1)?.to_owned(),
        effective_ms,
        extended_to_ms: row.int(4)?.unwrap_or(effective_ms),
        observed_ms,
        smart_hash: packed(7, HASH_BYTES, Case::Upper)?.unwrap_or_else(|| full_hash.clone()),
        full_hash,
        patches_since_full: u32::try_from(row.required_int(8)?).unwrap_or(u32::MAX),
        full_capture_id: packed(9, ID_BYTES, Case::Lower)?.unwrap_or_else(|| capture_id.clone()),
        capture_id,
        full_observed_ms: row.int(10)?.unwrap_or(observed_ms),
        deleted: row.required_int(11)? != 0,
        seen: row.bytes(12)?.map(sighting::unpack).unwrap_or_default(),
    })
}

/// How hex digits are written: capture ids in lower case, hashes in upper case.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Lower,
    Upper,
}

/// The bytes of as many hex digits; a text of another form is kept as it is.
pub(crate) fn pack(text: &str, width: usize) -> Vec<u8> {
    if text.len() == 2 * width
        && let Ok(bytes) = hex::decode(text)
    {
        return bytes;
    }
    text.as_bytes().to_vec()
}

pub(crate) fn unpack(bytes: &[u8], width: usize, case: Case) -> String {
    match case {
        _ if bytes.len() != width => String::from_utf8_lossy(bytes).into_owned(),
        Case::Lower => hex::encode(bytes),
        Case::Upper => hex::encode_upper(bytes),
    }
}

/// The heads of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Of objects without one so far.
    added: BTreeMap<ObjectKey, Head>,
    /// Of the others: the head as it was read, and what takes its place.
    moved: BTreeMap<ObjectKey, (Head, Head)>,
}

impl Heads {
    /// Sets a head in the place of the one `before`, if the object has one already.
    pub(crate) fn set(&mut self, key: ObjectKey, head: Head, before: Option<Head>) {
        match before {
            Some(before) if !self.added.contains_key(&key) => match self.moved.entry(key) {
                // It has moved in this transaction already; what was read is what it was at first.
                Entry::Occupied(mut moved) => moved.get_mut().1 = head,
                Entry::Vacant(moved) => drop(moved.insert((before, head))),
            },
            _ => drop(self.added.insert(key, head)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.added.len() + self.moved.len()
    }

    /// Writes them.
    ///
    /// # Errors
    /// [`Error::Overtaken`] where another transaction has added or moved the head of the same object meanwhile; else as
    /// any call.
    pub(crate) async fn write(self, tx: &mut Tx) -> Result<(), Error> {
        let mut kinds = BTreeMap::new();
        for key in self.added.keys().chain(self.moved.keys()) {
            if let Entry::Vacant(unknown) = kinds.entry((&*key.source, key.object_type)) {
                unknown.insert(kind(tx, key).await?);
            }
        }
        let added = batch(self.added.iter(), &kinds);
        let moved = batch(self.moved.iter().map(|(key, (_, head))| (key, head)), &kinds);
        let mut read = batch(self.moved.iter().map(|(key, (before, _))| (key, before)), &kinds);
        read.columns.retain(|column| TELLING.contains(&column.name));
        tx.insert(TABLE, added, OnConflict::Fail).await.map_err(|error| match error.kind() {
            ErrorKind::Constraint => Error::Overtaken(Some(error)),
            _ => Error::Sql(error),
        })?;
        let swapped = tx.swap(TABLE, &["kind", "object_id"], moved, read).await?;
        let all = swapped == self.moved.len() as u64 || defect(Defect::HeadsUncompared);
        if all { Ok(()) } else { Err(Error::Overtaken(None)) }
    }
}

/// The number of a source and object type.
async fn kind(tx: &mut Tx, key: &ObjectKey) -> Result<i64, Error> {
    let params = || vec![Value::from(&*key.source), Value::from(key.object_type.as_str())];
    if let Some(row) = tx.fetch_optional(&KIND, params()).await? {
        return Ok(row.required_int(0)?);
    }
    let text = |name, value: &str| Column { name, data: ColumnData::Text(vec![Some(value.to_owned())]) };
    let columns = vec![text("source", &key.source), text("object_type", key.object_type.as_str())];
    tx.insert(KINDS, Batch::new(columns), OnConflict::Ignore).await?;
    Ok(tx.fetch_one(&KIND, params()).await?.required_int(0)?)
}

fn batch<'h>(
    heads: impl Iterator<Item = (&'h ObjectKey, &'h Head)>,
    kinds: &BTreeMap<(&str, ObjectType), i64>,
) -> Batch {
    let heads: Vec<(&ObjectKey, &Head)> = heads.collect();
    let numbers = |name, value: &dyn Fn(&ObjectKey, &Head) -> Option<i64>| Column {
        name,
        data: ColumnData::Int(heads.iter().map(|(key, head)| value(key, head)).collect()),
    };
    let texts = |name, value: &dyn Fn(&ObjectKey, &Head) -> String| Column {
        name,
        data: ColumnData::Text(heads.iter().map(|(key, head)| Some(value(key, head))).collect()),
    };
    let bytes = |name, value: &dyn Fn(&Head) -> Option<Vec<u8>>| Column {
        name,
        data: ColumnData::Bytes(heads.iter().map(|(_, head)| value(head)).collect()),
    };
    let unless = |same: i64, value: i64| (value != same).then_some(value);
    Batch::new(vec![
        numbers("effective_date", &|_, head| Some(head.effective_ms)),
        numbers("observed_date", &|_, head| Some(head.observed_ms)),
        numbers("extended_to_date", &|_, head| unless(head.effective_ms, head.extended_to_ms)),
        numbers("full_observed_date", &|_, head| unless(head.observed_ms, head.full_observed_ms)),
        numbers("kind", &|key, _| kinds.get(&(&*key.source, key.object_type)).copied()),
        numbers("patches_since_full", &|_, head| Some(head.patches_since_full.into())),
        numbers("deleted", &|_, head| Some(head.deleted.into())),
        texts("object_id", &|key, _| searchable(&key.object_id).into_owned()),
        bytes("capture_id", &|head| Some(pack(&head.capture_id, ID_BYTES))),
        bytes("full_hash", &|head| Some(pack(&head.full_hash, HASH_BYTES))),
        bytes("smart_hash", &|head| {
            (head.smart_hash != head.full_hash).then(|| pack(&head.smart_hash, HASH_BYTES))
        }),
        bytes("full_capture_id", &|head| {
            (head.full_capture_id != head.capture_id).then(|| pack(&head.full_capture_id, ID_BYTES))
        }),
        bytes("seen", &|head| (!head.seen.is_empty()).then(|| sighting::pack(&head.seen))),
        texts("name", &|_, head| searchable(&head.name).into_owned()),
    ])
}

/// The newest captures of those of these objects of a source and type, or with no source of any, that history knows:
/// object id, capture id.
///
/// # Errors
/// As any call.
pub(crate) async fn newest_captures(
    tx: &mut Tx,
    source: Option<&str>,
    object_type: ObjectType,
    ids: Vec<String>,
) -> Result<Vec<(String, String)>, Error> {
    let params =
        vec![Value::from(object_type.as_str()), Value::Text(source.map(str::to_owned)), Value::from(ids)];
    let rows = tx.fetch_all(&NEWEST, params).await?;
    rows.iter()
        .map(|row| {
            let capture = unpack(row.bytes(1)?.unwrap_or_default(), ID_BYTES, Case::Lower);
            Ok((row.required_text(0)?.to_owned(), capture))
        })
        .collect()
}

pub(crate) const NEWEST: Stmt = Stmt::new(
    "history.newest_captures",
    "select object_id, capture_id from annals_head
     where kind in (select id from annals_object_kind where object_type = ? and source = coalesce(?, source))
        and object_id {in}",
);

/// The images of objects as of their heads, one query an object type. An object whose captures are broken has its
/// error in the map; the others are answered all the same.
///
/// # Errors
/// As any call.
pub async fn head_images(
    tx: &mut Tx,
    heads: &[(&ObjectKey, &Head)],
) -> Result<HashMap<ObjectKey, Result<HeadImage, RebuildError>>, Error> {
    let mut images = HashMap::with_capacity(heads.len());
    let mut groups: BTreeMap<_, Vec<(&ObjectKey, &Head)>> = BTreeMap::new();
    for (key, head) in heads {
        groups.entry(key.object_type).or_default().push((key, head));
    }
    for (object_type, group) in groups {
        let ids = group.iter().map(|(_, head)| head.capture_id.clone()).collect();
        let mut chains = crate::rebuild::chains(tx, object_type, ids).await?;
        for (key, head) in group {
            let chain = chains.remove(&head.capture_id).unwrap_or_default();
            images.insert(
                key.clone(),
                chain.document(object_type, &head.capture_id).and_then(|doc| doc.into_head_image()),
            );
        }
    }
    Ok(images)
}
