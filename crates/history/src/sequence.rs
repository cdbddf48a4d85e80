//! The captures of one object in the order of their dates, and taking out what a late message makes wrong.

use std::collections::HashMap;
use std::sync::LazyLock;

use annals_model::{EventTable, Image, ImageHashes, ObjectKey, ObjectType, Reference, Sighting};
use annals_sql::{Batch, Cell, Column, ColumnData, OnConflict, Stmt, Tx, Value as Param};
use serde_json::{Map, Value};

use crate::layout::layout;
use crate::rebuild::chains;
use crate::text::stored_id;
use crate::{Error, event, sighting};

/// A capture of an object, without its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCapture {
    /// Its id.
    pub id: String,
    /// When history learned of it, epoch milliseconds.
    pub recorded_ms: i64,
    /// When its state began.
    pub effective_ms: i64,
    /// The latest instant at which that was seen, where it is later.
    pub extended_ms: Option<i64>,
    /// It is a patch.
    pub is_patch: bool,
    /// Hashes of its image; none for a tombstone, or where hashes are switched off.
    pub hashes: Option<ImageHashes>,
    /// The object's name, where the table has a column for it or an event of the capture tells it.
    pub name: Option<String>,
    /// The identity that the object belongs to, for types that belong to one.
    pub identity: Option<Reference>,
    /// When its state was seen, its own capture first. A history from before that was kept tells it by the dates.
    pub sightings: Vec<Sighting>,
}

/// What a capture says.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptDocument {
    /// The image; none in a tombstone.
    pub image: Option<Image>,
    /// Name of the transform configuration that made it.
    pub transform: String,
}

/// An object's captures, in the order of their effective dates.
///
/// # Errors
/// As any call.
pub async fn sequence(tx: &mut Tx, key: &ObjectKey) -> Result<Vec<KeptCapture>, Error> {
    let rows = tx
        .fetch_all(&layout(key.object_type).sequence, vec![Param::from(&*stored_id(&key.object_id))])
        .await?;
    let mut captures = Vec::with_capacity(rows.len());
    let mut observed = Vec::with_capacity(rows.len());
    for row in rows {
        let optional = |index| row.text(index).map(|text| text.map(str::to_owned));
        let hashes = optional(5)?.zip(optional(6)?).map(|(full, smart)| ImageHashes { full, smart });
        let identity = optional(8)?.zip(optional(9)?).filter(|(id, _)| !id.is_empty());
        captures.push(KeptCapture {
            id: row.required_text(0)?.to_owned(),
            recorded_ms: row.required_int(1)?,
            effective_ms: row.required_int(2)?,
            extended_ms: row.int(3)?,
            is_patch: row.text(4)?.is_some(),
            hashes,
            name: optional(7)?,
            identity: identity.map(|(id, name)| Reference { id, name }),
            sightings: Vec::new(),
        });
        // None for those that were written before that was kept.
        observed.push(row.int(10)?);
    }
    if layout(key.object_type).mapping.object_name.is_none()
        && event_table(key.object_type) == EventTable::Mattr
    {
        let mut names = HashMap::new();
        for row in tx.fetch_all(&NAMES, vec![Param::from(&*stored_id(&key.object_id))]).await? {
            names.extend(row.text(0)?.map(str::to_owned).zip(row.text(1)?.map(str::to_owned)));
        }
        for capture in &mut captures {
            capture.name = names.remove(&capture.id);
        }
    }
    let mut seen =
        sighting::of_captures(tx, captures.iter().map(|capture| capture.id.clone()).collect()).await?;
    for (capture, observed_ms) in captures.iter_mut().zip(observed) {
        capture.sightings = seen.remove(&capture.id).unwrap_or_else(|| {
            let observed_ms = observed_ms.unwrap_or(capture.effective_ms);
            let at = |occurred_ms| Sighting { occurred_ms, observed_ms };
            [Some(capture.effective_ms), capture.extended_ms].into_iter().flatten().map(at).collect()
        });
    }
    Ok(captures)
}

/// The document of a capture, rebuilt.
///
/// # Errors
/// `Rebuild` where it cannot be read back; else as any call.
pub async fn kept_document(
    tx: &mut Tx,
    object_type: ObjectType,
    capture_id: &str,
) -> Result<KeptDocument, Error> {
    let chain = chains(tx, object_type, vec![capture_id.to_owned()]).await?.remove(capture_id);
    let document = chain.unwrap_or_default().document(object_type, capture_id)?;
    Ok(KeptDocument { image: document.image()?, transform: document.transform().to_owned() })
}

/// The table in which events of an object type stand.
const fn event_table(object_type: ObjectType) -> EventTable {
    match object_type {
        ObjectType::ManagedAttribute => EventTable::Mattr,
        ObjectType::Role => EventTable::Role,
        ObjectType::Workgroup => EventTable::Workgroup,
        _ => EventTable::Identity,
    }
}

/// By table: what selects, and what deletes, the events of a list of captures on the timelines of a list of objects.
static EVENTS: LazyLock<[[Stmt; 2]; 4]> = LazyLock::new(|| {
    EventTable::ALL.map(|table| {
        let def = event::table(table);
        let name = def.name;
        let columns: Vec<&str> = def.columns.iter().map(|column| column.name).collect();
        // By the timeline, for captures have no index of their own among events.
        let which = "where entity_id {in} and capture_id {in}";
        [
            Stmt::built(
                format!("history.events_of {name}"),
                format!("select {} from {name} {which} order by id", columns.join(", ")),
            ),
            Stmt::built(format!("history.drop_events {name}"), format!("delete from {name} {which}")),
        ]
    })
});

/// The captures of managed attributes have no column for a name.
const NAMES: Stmt = Stmt::new(
    "history.names_told",
    "select capture_id, display_name from spt_hist_mattr_event where entity_id = ?",
);
const DROP_CLEANED: Stmt =
    Stmt::new("history.drop_cleaned", "delete from annals_cleaned_text where capture_id {in}");
const DROP_REFERENCES: Stmt = Stmt::new(
    "history.drop_request_references",
    "update spt_hist_identity_req_item_capture set identity_request_capture_id = null
     where identity_request_capture_id {in}",
);

#[cfg(test)]
pub(crate) fn statements() -> Vec<Stmt> {
    let mut statements = EVENTS.as_flattened().to_vec();
    statements.extend([NAMES, DROP_CLEANED, DROP_REFERENCES]);
    statements
}

/// Whether events that are removed are noted (IIQ-61).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// In `annals_removed_event`, with this time, epoch milliseconds.
    At(i64),
    /// They are not.
    Off,
}

/// Removes the events of captures of an object. `timelines` are the ids of the objects on whose timelines they may stand.
///
/// # Errors
/// As any call.
pub async fn remove_events(
    tx: &mut Tx,
    key: &ObjectKey,
    timelines: Vec<String>,
    capture_ids: Vec<String>,
    audit: Audit,
) -> Result<(), Error> {
    if capture_ids.is_empty() {
        return Ok(());
    }
    let table = event_table(key.object_type);
    let position = EventTable::ALL.iter().position(|known| *known == table).unwrap_or_default();
    let [select, delete] = &EVENTS[position];
    let timelines: Vec<String> = timelines.iter().map(|id| stored_id(id).into_owned()).collect();
    let params = || vec![Param::from(timelines.clone()), Param::from(capture_ids.clone())];
    let def = event::table(table);
    let mut events = Vec::new();
    for row in tx.fetch_all(select, params()).await? {
        let mut event = Map::new();
        for (index, column) in def.columns.iter().enumerate() {
            let value = match row.cell(index)? {
                Cell::Int(number) => Value::from(number),
                Cell::Text(text) => Value::from(text),
                _ => continue,
            };
            event.insert(column.name.to_owned(), value);
        }
        events.push(event);
    }
    tx.execute(delete, params()).await?;
    if let (Audit::At(removed_ms), false) = (audit, events.is_empty()) {
        let rows = events.len();
        let same = |value: &str| ColumnData::Text(vec![Some(value.to_owned()); rows]);
        let id = |event: &Map<String, Value>| event.get("id").and_then(Value::as_str).map(str::to_owned);
        let batch = Batch::new(vec![
            Column { name: "id", data: ColumnData::Text(events.iter().map(id).collect()) },
            Column { name: "removed", data: ColumnData::Int(vec![Some(removed_ms); rows]) },
            Column { name: "event_table", data: same(def.name) },
            Column { name: "source", data: same(&key.source) },
            Column { name: "object_type", data: same(key.object_type.as_str()) },
            Column { name: "object_id", data: same(&stored_id(&key.object_id)) },
            Column {
                name: "event",
                data: ColumnData::Text(
                    events.iter().map(|event| serde_json::to_string(event).ok()).collect(),
                ),
            },
        ]);
        tx.insert("annals_removed_event", batch, OnConflict::Fail).await?;
    }
    Ok(())
}

/// Deletes captures with all that belongs to them but their events; they may be written anew. `gone`: those that are
/// not.
///
/// # Errors
/// As any call.
pub async fn drop_captures(
    tx: &mut Tx,
    object_type: ObjectType,
    ids: Vec<String>,
    gone: Vec<String>,
) -> Result<(), Error> {
    let layout = layout(object_type);
    let known = [&layout.drop, &DROP_CLEANED, &sighting::DROP];
    for stmt in known.into_iter().chain(&layout.drop_children) {
        tx.execute(stmt, vec![Param::from(ids.clone())]).await?;
    }
    if object_type == ObjectType::IdentityRequest && !gone.is_empty() {
        // The end of the run gives the items the capture that is there now.
        tx.execute(&DROP_REFERENCES, vec![Param::from(gone)]).await?;
    }
    Ok(())
}
