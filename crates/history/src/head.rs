//! Heads: what is remembered of each object's newest capture (`annals_head`).

use std::collections::{BTreeMap, HashMap};

use annals_model::text::searchable;
use annals_model::{Head, ObjectKey};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Row, Stmt, Tx, Value};

use crate::{Error, HeadImage, RebuildError};

pub(crate) const TABLE: &str = "annals_head";

/// The columns of a head, in the order of [`read`]; the object's key stands before them.
pub(crate) const HEADS: Stmt = Stmt::new(
    "history.heads",
    "select object_id, name, capture_id, effective_date, extended_to_date, observed_date, full_hash, smart_hash,
        patches_since_full, full_capture_id, full_observed_date, deleted
     from annals_head where source = ? and object_type = ? and object_id {in}",
);

/// The heads of those of these objects that history knows: one query a source and object type.
///
/// # Errors
/// As any call.
pub async fn heads(tx: &mut Tx, keys: &[ObjectKey]) -> Result<HashMap<ObjectKey, Head>, Error> {
    let mut heads = HashMap::with_capacity(keys.len());
    let mut groups: BTreeMap<_, HashMap<String, &ObjectKey>> = BTreeMap::new();
    for key in keys {
        let group = groups.entry((&key.source, key.object_type)).or_default();
        group.insert(searchable(&key.object_id).into_owned(), key);
    }
    for ((source, object_type), group) in groups {
        let ids: Vec<String> = group.keys().cloned().collect();
        let params = vec![Value::from(&**source), Value::from(object_type.as_str()), Value::from(ids)];
        for row in tx.fetch_all(&HEADS, params).await? {
            if let Some(key) = group.get(row.required_text(0)?) {
                heads.insert((*key).clone(), read(&row)?);
            }
        }
    }
    Ok(heads)
}

fn read(row: &Row) -> Result<Head, annals_sql::Error> {
    let text = |index| row.required_text(index).map(str::to_owned);
    Ok(Head {
        name: text(1)?,
        capture_id: text(2)?,
        effective_ms: row.required_int(3)?,
        extended_to_ms: row.required_int(4)?,
        observed_ms: row.required_int(5)?,
        full_hash: text(6)?,
        smart_hash: text(7)?,
        patches_since_full: u32::try_from(row.required_int(8)?).unwrap_or(u32::MAX),
        full_capture_id: text(9)?,
        full_observed_ms: row.required_int(10)?,
        deleted: row.required_int(11)? != 0,
    })
}

/// Writes heads over those that are there.
pub(crate) async fn write(tx: &mut Tx, heads: BTreeMap<ObjectKey, Head>) -> Result<(), Error> {
    let mut texts: [Vec<Option<String>>; 8] = Default::default();
    let mut numbers: [Vec<Option<i64>>; 6] = Default::default();
    for (key, head) in heads {
        let row = [
            key.source.to_string(),
            key.object_type.as_str().to_owned(),
            searchable(&key.object_id).into_owned(),
            searchable(&head.name).into_owned(),
            head.capture_id,
            head.full_hash,
            head.smart_hash,
            head.full_capture_id,
        ];
        for (column, value) in texts.iter_mut().zip(row) {
            column.push(Some(value));
        }
        let row = [
            head.effective_ms,
            head.extended_to_ms,
            head.observed_ms,
            head.patches_since_full.into(),
            head.full_observed_ms,
            head.deleted.into(),
        ];
        for (column, value) in numbers.iter_mut().zip(row) {
            column.push(Some(value));
        }
    }
    let text_names = [
        "source",
        "object_type",
        "object_id",
        "name",
        "capture_id",
        "full_hash",
        "smart_hash",
        "full_capture_id",
    ];
    let number_names = [
        "effective_date",
        "extended_to_date",
        "observed_date",
        "patches_since_full",
        "full_observed_date",
        "deleted",
    ];
    let texts =
        text_names.into_iter().zip(texts).map(|(name, data)| Column { name, data: ColumnData::Text(data) });
    let numbers = number_names
        .into_iter()
        .zip(numbers)
        .map(|(name, data)| Column { name, data: ColumnData::Int(data) });
    let key = OnConflict::Replace { key: &["source", "object_type", "object_id"] };
    tx.insert(TABLE, Batch::new(texts.chain(numbers).collect()), key).await?;
    Ok(())
}

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
