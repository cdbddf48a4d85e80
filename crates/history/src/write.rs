//! Bulk writes: all that one transaction adds to history, gathered column by column.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals_model::{
    AccessItem, EventTable, Head, Image, ImageHashes, JsonFormat, NewEvent, ObjectKey, ObjectType, Reference,
    Sighting, TransformType,
};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Tx, fault};

use crate::capture_rows::Captures;
use crate::document::{DOCUMENT_BYTES_MAX, full_document, tombstone_document};
use crate::encoding::{EncodeError, Encoder};
use crate::entity::Entities;
use crate::head::Heads;
use crate::interval::AccessWrites;
use crate::layout::layout;
use crate::rows::Rows;
use crate::sighting::Sightings;
use crate::{Error, event, fields};

/// A capture to be written.
#[derive(Debug, Clone)]
pub struct NewCapture<'i> {
    /// Its id, 32 hex digits.
    pub id: String,
    /// Of which object.
    pub key: ObjectKey,
    /// The object's name.
    pub name: String,
    /// The identity that the object belongs to. Where it must be known and is not, the capture before tells.
    pub identity: Option<Reference>,
    /// Name of the transform configuration that made the image.
    pub transform: Arc<str>,
    /// When history learns of it, epoch milliseconds (`created`).
    pub recorded_ms: i64,
    /// When the state began in the identity system (`effective_date`).
    pub effective_ms: i64,
    /// The latest instant at which it was seen, where that is later (`extended_to_date`).
    pub extended_to_ms: Option<i64>,
    /// What is stored.
    pub document: NewDocument,
    /// Hashes of the image; none for a tombstone, or where hashes are switched off.
    pub hashes: Option<ImageHashes>,
    /// The image, for the columns and child rows, patched or not; none for a tombstone.
    pub image: Option<&'i Image>,
    /// It is the object's newest capture, and the entity row says what it says.
    pub latest: bool,
    /// The object has captures already.
    pub known: bool,
}

/// What is stored of a capture (IIQ-41).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewDocument {
    /// The whole document, minified JSON; [`full_document`] makes it.
    Full(Vec<u8>),
    /// The difference from the capture before.
    Patch {
        /// That capture's id.
        parent: String,
        /// RFC 6902 operations on its whole document, minified JSON.
        operations: Vec<u8>,
    },
    /// The object is gone.
    Tombstone,
}

/// The captures with text that columns have cleaned.
const CLEANED: &str = "annals_cleaned_text";

/// What a flush wrote, in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushSummary {
    /// Captures.
    pub captures: usize,
    /// Child rows of captures.
    pub child_rows: usize,
    /// Entity rows, added or brought up to date.
    pub entities: usize,
    /// Events.
    pub events: usize,
    /// Captures whose state was seen again.
    pub extended: usize,
    /// Heads.
    pub heads: usize,
    /// Access intervals, added or changed.
    pub intervals: usize,
}

/// All that one transaction adds to history: one statement a table, whatever the number of objects.
#[derive(Debug)]
pub struct Writes {
    encoder: Encoder,
    captures: BTreeMap<ObjectType, Captures>,
    entities: Entities,
    events: BTreeMap<EventTable, Rows>,
    extended: BTreeMap<ObjectType, BTreeMap<String, Option<i64>>>,
    sightings: Sightings,
    heads: Heads,
    access: AccessWrites,
    /// Captures with text that columns have cleaned.
    cleaned: Vec<(ObjectType, String)>,
    between: bool,
}

impl Writes {
    /// No rows yet; documents will be stored in this format, without dictionaries.
    #[must_use]
    pub fn new(format: JsonFormat) -> Self {
        Self::with(Encoder::new(format))
    }

    /// No rows yet; documents will be stored by this encoder.
    #[must_use]
    pub fn with(encoder: Encoder) -> Self {
        Self {
            encoder,
            captures: BTreeMap::new(),
            entities: Entities::default(),
            events: BTreeMap::new(),
            extended: BTreeMap::new(),
            heads: Heads::default(),
            access: AccessWrites::default(),
            sightings: Sightings::default(),
            cleaned: Vec::new(),
            between: false,
        }
    }

    /// The captures will be those of one object, put in their places between others of it. What they say of access
    /// intervals is [`access_ledger`](crate::access_ledger)'s to tell.
    #[must_use]
    pub fn between(self) -> Self {
        Self { between: true, ..self }
    }

    /// Nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.captures.is_empty()
            && self.events.is_empty()
            && self.extended.is_empty()
            && self.heads.len() == 0
    }

    /// Adds a capture, its child rows, and what it says of its entity row. An object's captures in their order.
    ///
    /// # Errors
    /// `TooLarge`, `NotCompressed`, or `NotJson` for a document or patch that is to be laid out readably and is no JSON.
    pub fn capture(&mut self, capture: NewCapture<'_>) -> Result<(), Error> {
        if !self.between {
            self.access.take(&capture);
        }
        let (kind, parent, json) = match capture.document {
            NewDocument::Full(json) => (TransformType::Full, None, json),
            NewDocument::Patch { parent, operations } => (TransformType::Patch, Some(parent), operations),
            NewDocument::Tombstone => {
                (TransformType::Full, None, tombstone_document(&capture.transform, &capture.id))
            }
        };
        let stored = encode(&mut self.encoder, &capture.key, json, Encoder::encode)?;
        let gone = capture.image.is_none();
        if capture.latest {
            let own_document = |image: &Image| {
                let image = serde_json::to_value(image)
                    .map_err(|source| Error::NotJson { key: capture.key.clone(), source })?;
                let image = annals_model::canonical_bytes(&image);
                let document = full_document(&capture.transform, &capture.id, &image);
                encode(&mut self.encoder, &capture.key, document, Encoder::encode_for_others)
            };
            self.entities.note(&capture.key, capture.image, own_document, |entity| {
                entity.row_id.clone_from(&capture.id);
                entity.name.clone_from(&capture.name);
                entity.recorded_ms = capture.recorded_ms;
                entity.effective_ms = capture.effective_ms;
            })?;
        }

        let captures = self
            .captures
            .entry(capture.key.object_type)
            .or_insert_with(|| Captures::new(layout(capture.key.object_type)));
        captures.between = self.between;
        let mapping = captures.layout.mapping;
        let rows = &mut captures.rows;
        let row = rows.push();
        rows.text("id", Some(&capture.id));
        rows.int("created", Some(capture.recorded_ms));
        rows.text("patch_doc_parent", parent.as_deref());
        rows.text(mapping.object_id, Some(&capture.key.object_id));
        if let Some(column) = mapping.object_name {
            rows.text(column, Some(&capture.name));
        }
        if mapping.identity {
            rows.text("identity_id", capture.identity.as_ref().map(|identity| identity.id.as_str()));
            rows.text("identity_name", capture.identity.as_ref().map(|identity| identity.name.as_str()));
        }
        rows.text("transform_type", Some(kind.as_str()));
        rows.int("effective_date", Some(capture.effective_ms));
        rows.int("extended_to_date", capture.extended_to_ms);
        rows.bytes("json", stored);
        rows.text("json_format", Some(self.encoder.format().as_str()));
        rows.text("smart_hash", capture.hashes.as_ref().map(|hashes| hashes.smart.as_str()));
        rows.text("full_hash", capture.hashes.as_ref().map(|hashes| hashes.full.as_str()));
        rows.int("deleted", Some(gone.into()));
        if let Some(image) = capture.image {
            fields::fill(rows, mapping.columns, &image.image_fields);
            captures.add_children(&capture.id, image);
        }
        captures.mark(row, &capture.key.object_id, capture.latest, capture.known);
        Ok(())
    }

    /// Adds an event.
    pub fn event(&mut self, event: NewEvent) {
        let rows = self.events.entry(event.table).or_insert_with(|| Rows::new(event::table(event.table)));
        event::push(rows, event);
    }

    /// Sets an object's head, in the place of the one `before` that was read, if it has one already.
    pub fn head(&mut self, key: ObjectKey, head: Head, before: Option<Head>) {
        self.heads.set(key, head, before);
    }

    /// Notes that a capture's state was still seen at a later instant; none: only once.
    pub fn extend(&mut self, object_type: ObjectType, capture_id: String, extended_to_ms: Option<i64>) {
        self.extended.entry(object_type).or_default().insert(capture_id, extended_to_ms);
    }

    /// Notes when a new capture was read. Captures in the order of their ids.
    pub fn read(&mut self, capture_id: &str, observed_ms: i64) {
        self.sightings.read(capture_id, observed_ms);
    }

    /// Keeps when the state of a capture that is not, or no longer, the newest was seen; empty where its dates tell.
    pub fn seen(&mut self, capture_id: &str, seen: &[Sighting]) {
        self.sightings.seen(capture_id, seen);
    }

    /// Notes that a capture's columns, child rows and events lack text that its document has.
    pub fn cleaned(&mut self, object_type: ObjectType, capture_id: String) {
        self.cleaned.push((object_type, capture_id));
    }

    /// The access items that the captures name, taken out: whoever takes them sees that they are there.
    pub(crate) fn take_access_items(&mut self) -> BTreeMap<i64, AccessItem> {
        self.access.take_items()
    }

    /// Writes everything; nothing lasts until the transaction is committed.
    ///
    /// # Errors
    /// As any call, or [`Error::Overtaken`]; the transaction is then to be rolled back.
    pub async fn flush(self, tx: &mut Tx) -> Result<FlushSummary, Error> {
        let mut summary = FlushSummary { heads: self.heads.len(), ..FlushSummary::default() };
        // First, for captures refer to the heads of other objects.
        self.heads.write(tx).await?;
        fault::point("history.heads")?;
        for captures in self.captures.into_values() {
            summary.captures += captures.rows.len();
            summary.child_rows += captures.write(tx).await?;
        }
        fault::point("history.captures")?;
        summary.entities = self.entities.write(tx).await?;
        fault::point("history.entities")?;
        for rows in self.events.into_values() {
            summary.events += rows.len();
            rows.insert(tx).await?;
        }
        fault::point("history.events")?;
        if !self.cleaned.is_empty() {
            let (types, ids) =
                self.cleaned.into_iter().map(|(t, id)| (Some(t.as_str().to_owned()), Some(id))).unzip();
            let columns = vec![
                Column { name: "capture_id", data: ColumnData::Text(ids) },
                Column { name: "object_type", data: ColumnData::Text(types) },
            ];
            tx.insert(CLEANED, Batch::new(columns), OnConflict::Fail).await?;
        }
        for (object_type, extended) in self.extended {
            summary.extended += extended.len();
            let (ids, instants) = extended.into_iter().map(|(id, at)| (Some(id), at)).unzip();
            let columns = vec![
                Column { name: "id", data: ColumnData::Text(ids) },
                Column { name: "extended_to_date", data: ColumnData::Int(instants) },
            ];
            tx.update(layout(object_type).table.name, "id", Batch::new(columns)).await?;
        }
        self.sightings.write(tx).await?;
        // When the heads are written: a rebuilding of intervals waits for them, and is waited for.
        // Boxed, so that every delivery's future need not have room for it.
        summary.intervals = Box::pin(self.access.write(tx)).await?;
        fault::point("history.intervals")?;
        Ok(summary)
    }
}

fn encode(
    encoder: &mut Encoder,
    key: &ObjectKey,
    json: Vec<u8>,
    form: impl Fn(&mut Encoder, ObjectType, Vec<u8>) -> Result<Vec<u8>, EncodeError>,
) -> Result<Vec<u8>, Error> {
    if json.len() > DOCUMENT_BYTES_MAX {
        return Err(Error::TooLarge { key: key.clone(), bytes: json.len() });
    }
    form(encoder, key.object_type, json).map_err(|error| match error {
        EncodeError::NotJson(source) => Error::NotJson { key: key.clone(), source },
        EncodeError::Compress(reason) => Error::NotCompressed { key: key.clone(), reason },
    })
}
