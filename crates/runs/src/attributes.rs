//! Attribute statistics: in how many objects each attribute changed (IIQ-33).

use std::collections::BTreeMap;

use annals_model::ObjectType;
use annals_sql::{Batch, Column, ColumnData, OnConflict, Stmt, Tx};

use crate::{Error, Result};

const OF_RUN: Stmt = Stmt::new(
    "runs.attributes_of_run",
    "select object_type, attribute, changed from annals_run_attribute where run_id = ?
     order by object_type, changed desc, attribute",
);
pub(crate) const STATEMENTS: &[Stmt] = &[OF_RUN];

/// Adds to the number of objects in which attributes changed.
///
/// # Errors
/// From the database.
pub async fn add(tx: &mut Tx, run_id: i64, changed: &BTreeMap<(ObjectType, String), u64>) -> Result<()> {
    // Two names may become one when they are made storable, and one statement must not touch a row twice.
    let mut storable: BTreeMap<(ObjectType, String), u64> = BTreeMap::new();
    for ((object_type, attribute), objects) in changed {
        *storable.entry((*object_type, crate::text::storable_name(attribute))).or_default() += objects;
    }
    let n = storable.len();
    let counts = storable.values().map(|n| i64::try_from(*n).ok()).collect();
    let (types, attributes) = storable
        .into_keys()
        .map(|(object_type, attribute)| (Some(object_type.as_str().to_owned()), Some(attribute)))
        .unzip();
    let batch = Batch::new(vec![
        Column { name: "run_id", data: ColumnData::Int(vec![Some(run_id); n]) },
        Column { name: "object_type", data: ColumnData::Text(types) },
        Column { name: "attribute", data: ColumnData::Text(attributes) },
        Column { name: "changed", data: ColumnData::Int(counts) },
    ]);
    let key = &["run_id", "object_type", "attribute"];
    Ok(tx.insert("annals_run_attribute", batch, OnConflict::Add { key }).await?)
}

/// Object type, attribute, number of objects, most frequent first within a type.
///
/// # Errors
/// From the database.
pub async fn of_run(tx: &mut Tx, run_id: i64) -> Result<Vec<(ObjectType, String, u64)>> {
    let rows = tx.fetch_all(&OF_RUN, vec![run_id.into()]).await?;
    rows.iter()
        .map(|row| {
            let object_type = row
                .required_text(0)?
                .parse()
                .map_err(|e| Error::unreadable("annals_run_attribute", format!("{e}")))?;
            let changed = u64::try_from(row.required_int(2)?).unwrap_or_default();
            Ok((object_type, row.required_text(1)?.to_owned(), changed))
        })
        .collect()
}
