//! Dictionaries of the `COMPACT` format: one or more an object type, kept by id in `annals_dictionary`. A document
//! names the one that it needs in its own bytes, so an old one stays for as long as its documents do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};

use annals_model::{JsonFormat, ObjectType, hash_bytes};
use annals_sql::{Row, Stmt, Tx, Value as Param};
use zstd_safe::CDict;

use crate::Error;
use crate::encoding::Encoder;
use crate::sample::sample;
use crate::training::{SAMPLES_MAX, Untrained, train};

/// zstd's level with a dictionary: 3 costs 2 microseconds a document; 1 is a twentieth larger and hardly faster, 6 a
/// twentieth smaller and five times slower.
pub(crate) const ZSTD_LEVEL: i32 = 3;

/// Where a dictionary holds its own id, behind the four bytes that make it one (RFC 8878, section 5).
const ID_BYTES: std::ops::Range<usize> = 4..8;
const MAGIC: [u8; 4] = [0x37, 0xA4, 0x30, 0xEC];

pub(crate) const BY_ID: Stmt = Stmt::new(
    "history.dictionaries_by_id",
    "select id, content_hash, content from annals_dictionary where id {in}",
);
pub(crate) const NEWEST: Stmt = Stmt::new(
    "history.newest_dictionaries",
    "select id, content_hash, content, object_type, version from annals_dictionary
     where object_type {in} order by object_type, version",
);
/// Who comes second with a version takes what the first one made of it.
pub(crate) const ADD: Stmt = Stmt::new(
    "history.add_dictionary",
    "insert into annals_dictionary (object_type, version, created, content_hash, content)
     values (?, ?, {now_ms}, ?, ?) on conflict do nothing",
);

/// A dictionary that is not what it was when it was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// A dictionary of the table, ready to be loaded: it says its id itself.
type Content = Result<Vec<u8>, Damaged>;

/// Those of these dictionaries that there are.
pub(crate) async fn by_id(tx: &mut Tx, ids: &[u32]) -> Result<Vec<(u32, Content)>, annals_sql::Error> {
    let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    tx.fetch_all(&BY_ID, vec![Param::from(ids)]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<(u32, Content), annals_sql::Error> {
    let (id, hash) = (row.required_int(0)?, row.required_text(1)?);
    let mut content = row.bytes(2)?.unwrap_or_default().to_vec();
    let whole = hash_bytes(&content) == hash && content.starts_with(&MAGIC) && content.len() > ID_BYTES.end;
    let Some((id, true)) = u32::try_from(id).ok().map(|id| (id, whole)) else {
        return Ok((u32::try_from(id).unwrap_or_default(), Err(Damaged)));
    };
    set_id(&mut content, id);
    Ok((id, Ok(content)))
}

fn set_id(content: &mut [u8], id: u32) {
    content[ID_BYTES].copy_from_slice(&id.to_le_bytes());
}

/// The newest dictionary of an object type.
#[derive(Default)]
struct Newest {
    /// The last version that there is; 0 before the first.
    version: i64,
    /// The newest that is not damaged.
    content: Option<Vec<u8>>,
}

async fn newest(tx: &mut Tx, types: &[ObjectType]) -> Result<BTreeMap<ObjectType, Newest>, Error> {
    let mut newest: BTreeMap<ObjectType, Newest> = BTreeMap::new();
    let names: Vec<String> = types.iter().map(|object_type| object_type.as_str().to_owned()).collect();
    for row in tx.fetch_all(&NEWEST, vec![Param::from(names)]).await? {
        let (id, content) = read(&row)?;
        if content.is_err() {
            tracing::warn!("dictionary {id} in annals_dictionary is damaged: nothing is compressed with it");
        }
        if let Ok(object_type) = ObjectType::from_str(row.required_text(3)?) {
            let newest = newest.entry(object_type).or_default();
            newest.version = row.required_int(4)?;
            newest.content = content.ok().or(newest.content.take());
        }
    }
    Ok(newest)
}

/// Trains a dictionary from captures that are at hand and, as far as these are few, from captures that are kept; keeps
/// it, and returns the newest one, which another writer may have made meanwhile.
async fn add(
    tx: &mut Tx,
    object_type: ObjectType,
    version: i64,
    mut samples: Vec<Vec<u8>>,
) -> Result<Result<Option<Vec<u8>>, Untrained>, Error> {
    let lacking = SAMPLES_MAX.saturating_sub(samples.len());
    if let Some(lacking) = u32::try_from(lacking).ok().filter(|lacking| *lacking > 0) {
        let kept = sample(tx, object_type, lacking).await?;
        samples.extend(kept.documents.into_iter().map(|(_, json)| json));
    }
    let content = match train(&samples) {
        Ok(content) => content,
        Err(untrained) => return Ok(Err(untrained)),
    };
    let params = vec![
        Param::from(object_type.as_str()),
        Param::from(version),
        Param::from(hash_bytes(&content)),
        Param::from(content),
    ];
    tx.execute(&ADD, params).await?;
    Ok(Ok(newest(tx, &[object_type]).await?.remove(&object_type).and_then(|made| made.content)))
}

/// Trains a new dictionary for an object type from the captures that are kept; false where they are too few.
pub(crate) async fn renew(tx: &mut Tx, object_type: ObjectType) -> Result<bool, Error> {
    let version = newest(tx, &[object_type]).await?.get(&object_type).map_or(0, |newest| newest.version);
    Ok(add(tx, object_type, version + 1, Vec::new()).await?.is_ok())
}

/// An encoder with the dictionary of an object type or, where there is none, with one that is made of these documents
/// and not kept; and whether it was made.
pub(crate) async fn trial(
    tx: &mut Tx,
    object_type: ObjectType,
    samples: impl FnOnce() -> Vec<Vec<u8>>,
) -> Result<(Encoder, bool), Error> {
    let kept = newest(tx, &[object_type]).await?.remove(&object_type).and_then(|newest| newest.content);
    let made = kept.is_none();
    let content = kept.or_else(|| {
        let mut trained = train(&samples()).ok()?;
        set_id(&mut trained, 1);
        Some(trained)
    });
    let dictionary = content.as_deref().and_then(prepare);
    let dictionaries = dictionary.map(|dictionary| (object_type, dictionary)).into_iter().collect();
    Ok((Encoder::with(JsonFormat::Compact, dictionaries), made))
}

fn prepare(content: &[u8]) -> Option<Arc<CDict<'static>>> {
    CDict::try_create(content, ZSTD_LEVEL).map(Arc::new)
}

/// The newest dictionaries, as far as they were needed: one for all transactions of a writer.
#[derive(Default)]
pub struct Dictionaries {
    /// None for a type whose documents no dictionary could be made of. Only what is committed, for a transaction that
    /// trained one may be rolled back.
    newest: Mutex<HashMap<ObjectType, Option<Arc<CDict<'static>>>>>,
}

impl fmt::Debug for Dictionaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionaries").finish_non_exhaustive()
    }
}

impl Dictionaries {
    /// What documents of these types are to be stored with, where nothing has to be read for it.
    #[must_use]
    pub fn encoder_at_hand(&self, format: JsonFormat, types: &BTreeSet<ObjectType>) -> Option<Encoder> {
        let mut ready = BTreeMap::new();
        if format == JsonFormat::Compact {
            let known = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            for object_type in types {
                ready.extend(known.get(object_type)?.clone().map(|found| (*object_type, found)));
            }
        }
        Some(Encoder::with(format, ready))
    }

    /// What documents of these types are to be stored with. For a type without a dictionary one is trained in this
    /// transaction, from the documents that `samples` gives and those that are kept; while they are fewer than a
    /// hundred, its documents are compressed without.
    ///
    /// # Errors
    /// As any call.
    pub async fn encoder(
        &self,
        tx: &mut Tx,
        format: JsonFormat,
        types: BTreeSet<ObjectType>,
        samples: impl Fn(ObjectType) -> Vec<Vec<u8>>,
    ) -> Result<Encoder, Error> {
        if let Some(encoder) = self.encoder_at_hand(format, &types) {
            return Ok(encoder);
        }
        let mut ready = BTreeMap::new();
        let mut unknown = Vec::new();
        {
            let known = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            for object_type in types {
                match known.get(&object_type) {
                    Some(dictionary) => ready.extend(dictionary.clone().map(|found| (object_type, found))),
                    None => unknown.push(object_type),
                }
            }
        }
        let mut kept = if unknown.is_empty() { BTreeMap::new() } else { newest(tx, &unknown).await? };
        for object_type in unknown {
            let Newest { version, content } = kept.remove(&object_type).unwrap_or_default();
            let (dictionary, lasts) = match content {
                Some(content) => (prepare(&content), true),
                None => match add(tx, object_type, version + 1, samples(object_type)).await? {
                    Ok(content) => (content.as_deref().and_then(prepare), false),
                    Err(Untrained::TooFew) => (None, false),
                    Err(Untrained::Failed(reason)) => {
                        tracing::warn!("no dictionary could be trained for {object_type}: {reason}");
                        (None, true)
                    }
                },
            };
            if lasts {
                let mut known = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(object_type, dictionary.clone());
            }
            ready.extend(dictionary.map(|dictionary| (object_type, dictionary)));
        }
        Ok(Encoder::with(format, ready))
    }
}
