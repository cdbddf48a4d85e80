//! Reading a capture back: the last full capture before it, and the patches since.

use std::collections::HashMap;
use std::sync::Arc;

use annals_model::{Image, JsonFormat, ObjectType, canonical_bytes, hash_bytes};
use annals_sql::{Row, Tx, Value as Param};
use json_patch::PatchOperation;
use serde::Deserialize as _;
use serde_json::Value;

use crate::document::{DOCUMENT_BYTES_MAX, event_id};
use crate::encoding::{Decoder, dictionary_of};
use crate::error::Fault;
use crate::layout::{Layout, PATCHES_MAX, layout};
use crate::{Error, RebuildError};

/// The deepest document: what the JSON parser reads back.
const DOCUMENT_DEPTH_MAX: usize = 128;

/// A capture and all that it is a patch of, itself first.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    links: Vec<Link>,
    decoder: Arc<Decoder>,
}

/// A capture as it is stored.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) capture_id: String,
    object_id: String,
    parent: Option<String>,
    json: Option<Vec<u8>>,
    format: String,
    full_hash: Option<String>,
}

/// A document as it was written, and where it came from.
#[derive(Debug)]
pub(crate) struct Document {
    table: &'static str,
    capture_id: String,
    /// The JSON.
    pub(crate) value: Value,
}

/// The chains of these captures of one object type, by capture id: one query, and one more for dictionaries.
pub(crate) async fn chains(
    tx: &mut Tx,
    object_type: ObjectType,
    capture_ids: Vec<String>,
) -> Result<HashMap<String, Chain>, Error> {
    let mut chains: HashMap<String, Chain> = HashMap::with_capacity(capture_ids.len());
    for row in tx.fetch_all(&layout(object_type).chains, vec![Param::from(capture_ids)]).await? {
        let link = Link::read(&row)?;
        chains.entry(row.required_text(0)?.to_owned()).or_default().links.push(link);
    }
    let links = chains.values().flat_map(|chain| &chain.links);
    let documents = links.filter_map(|link| Some((link.json.as_deref()?, link.format.as_str())));
    let decoder = Arc::new(Decoder::of(tx, documents).await?);
    for chain in chains.values_mut() {
        chain.decoder = Arc::clone(&decoder);
    }
    Ok(chains)
}

impl Link {
    /// Out of the columns from 1 on: id, object id, parent, document, its format, its hash.
    pub(crate) fn read(row: &Row) -> Result<Self, annals_sql::Error> {
        Ok(Self {
            capture_id: row.required_text(1)?.to_owned(),
            object_id: row.text(2)?.unwrap_or_default().to_owned(),
            parent: row.text(3)?.map(str::to_owned),
            json: row.bytes(4)?.map(<[u8]>::to_vec),
            format: row.text(5)?.unwrap_or_default().to_owned(),
            full_hash: row.text(6)?.map(str::to_owned),
        })
    }

    /// The dictionary that its document needs.
    pub(crate) fn dictionary(&self) -> Option<u32> {
        let compact = self.format == JsonFormat::Compact.as_str();
        self.json.as_deref().filter(|_| compact).and_then(dictionary_of)
    }

    fn json(&self, decoder: &Decoder) -> Result<Vec<u8>, Fault> {
        decoder.decode(self.json.as_deref().ok_or(Fault::NoDocument)?, &self.format)
    }
}

impl Chain {
    /// The document of the capture that the chain begins with, rebuilt and compared with its recorded hash.
    pub(crate) fn document(
        self,
        object_type: ObjectType,
        capture_id: &str,
    ) -> Result<Document, RebuildError> {
        let Layout { table, .. } = layout(object_type);
        let blame = |capture_id: &str, fault| RebuildError {
            table: table.name,
            capture_id: capture_id.to_owned(),
            fault,
        };
        let Some((full, head)) = self.links.last().zip(self.links.first()) else {
            return Err(blame(capture_id, Fault::Missing));
        };
        if let Some(parent) = &full.parent {
            let reached = u32::try_from(self.links.len()).unwrap_or(u32::MAX) > PATCHES_MAX + 1;
            let fault =
                if reached { Fault::TooManyPatches } else { Fault::ParentMissing { parent: parent.clone() } };
            return Err(blame(&full.capture_id, fault));
        }
        if let Some([patch, other]) =
            self.links.array_windows().find(|[one, two]| one.object_id != two.object_id)
        {
            return Err(blame(&patch.capture_id, Fault::OtherObject { parent: other.capture_id.clone() }));
        }
        let parsed = full.json(&self.decoder).and_then(|json| Ok((parse(&json)?, json.len())));
        let (mut value, mut bytes) = parsed.map_err(|fault| blame(&full.capture_id, fault))?;
        for patch in self.links.iter().rev().skip(1) {
            apply(&mut value, patch, &self.decoder, &mut bytes)
                .map_err(|fault| blame(&patch.capture_id, fault))?;
        }
        match &mut value {
            // Not patched: it is always the row's own id.
            Value::Object(members) => members.insert("eventId".to_owned(), event_id(&head.capture_id).into()),
            _ => return Err(blame(&head.capture_id, Fault::NoImage)),
        };
        check_hash(&value, head).map_err(|fault| blame(&head.capture_id, fault))?;
        Ok(Document { table: table.name, capture_id: head.capture_id.clone(), value })
    }
}

/// An object's captures read back one after another, each patch on what the one before came to: a chain that is read anew
/// for each of its captures costs the square of its length.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The capture that was read last, its document, and no less than its bytes.
    last: Option<(String, Value, usize)>,
}

impl Walk {
    /// The image of the object's next capture, compared with its recorded hash; none of a tombstone.
    pub(crate) fn next(&mut self, capture: &Link, decoder: &Decoder) -> Result<Option<Image>, Fault> {
        let (value, bytes) = match (&capture.parent, self.last.take()) {
            (None, _) => {
                let json = capture.json(decoder)?;
                (parse(&json)?, json.len())
            }
            (Some(parent), Some((id, mut value, mut bytes))) if id == *parent => {
                apply(&mut value, capture, decoder, &mut bytes)?;
                (value, bytes)
            }
            (Some(parent), _) => return Err(Fault::ParentMissing { parent: parent.clone() }),
        };
        check_hash(&value, capture)?;
        let image = value.get("eventImage").map(Image::deserialize).transpose().map_err(Fault::Json)?;
        self.last = Some((capture.capture_id.clone(), value, bytes));
        Ok(image)
    }
}

fn parse(json: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(json).map_err(Fault::Json)
}

/// Applies a stored patch. `bytes` is no less than the document's size: a patch adds at most its own, so that the
/// document has to be measured only when the sum could be too large.
fn apply(document: &mut Value, patch: &Link, decoder: &Decoder, bytes: &mut usize) -> Result<(), Fault> {
    let json = patch.json(decoder)?;
    apply_patch(document, &json)?;
    *bytes += json.len();
    if *bytes > DOCUMENT_BYTES_MAX {
        *bytes = canonical_bytes(document).len();
        if *bytes > DOCUMENT_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
    }
    Ok(())
}

/// Applies the operations of a patch capture, RFC 6902 as JSON, to the document before it. Only what patches of ours
/// consist of is applied, `add`, `remove` and `replace`: copying what is there could double a document a thousand
/// times over.
///
/// # Errors
/// No such operations, deeper than a document can be, or not fitting the document, which is then of no use any more.
pub fn apply_patch(document: &mut Value, operations: &[u8]) -> Result<(), Fault> {
    let operations: Vec<PatchOperation> = serde_json::from_slice(operations).map_err(Fault::Json)?;
    for operation in &operations {
        if matches!(operation, PatchOperation::Copy(_) | PatchOperation::Move(_) | PatchOperation::Test(_)) {
            return Err(Fault::Operation);
        }
        // Else values put into values could nest until whatever walks them runs out of stack.
        if operation.path().count() > DOCUMENT_DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
    }
    // Without undoing: a document that could not be patched is dropped.
    json_patch::patch_unsafe(document, &operations).map_err(Fault::Patch)
}

/// A tombstone has no image and nothing to compare; nor has a capture that was written with hashes switched off.
fn check_hash(document: &Value, capture: &Link) -> Result<(), Fault> {
    match (document.get("eventImage"), &capture.full_hash) {
        (None, _) if is_tombstone(document) => Ok(()),
        (None, _) => Err(Fault::NoImage),
        (Some(image), Some(hash)) if hash_bytes(&canonical_bytes(image)) != *hash => Err(Fault::Hash),
        (Some(_), _) => Ok(()),
    }
}

pub(crate) fn is_tombstone(document: &Value) -> bool {
    document.get("operation").and_then(Value::as_str) == Some("delete")
}

/// The image of an object's newest capture.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadImage {
    /// The image.
    pub image: Image,
    /// Name of the transform configuration that made it.
    pub transform: String,
}

impl Document {
    /// The image in it; none in a tombstone's.
    pub(crate) fn image(&self) -> Result<Option<Image>, RebuildError> {
        let image = self.value.get("eventImage").map(Image::deserialize).transpose();
        image.map_err(|error| self.blame(Fault::Json(error)))
    }

    /// Name of the transform configuration that made it.
    pub(crate) fn transform(&self) -> &str {
        self.value.get("transformationConfigName").and_then(Value::as_str).unwrap_or_default()
    }

    /// The image that must be in it, and which transform made it.
    pub(crate) fn into_head_image(mut self) -> Result<HeadImage, RebuildError> {
        let transform = self.transform().to_owned();
        let image = self.value.get_mut("eventImage").map(Value::take);
        match image.map(Image::deserialize) {
            Some(Ok(image)) => Ok(HeadImage { image, transform }),
            Some(Err(error)) => Err(self.blame(Fault::Json(error))),
            None => Err(self.blame(Fault::NoImage)),
        }
    }

    fn blame(&self, fault: Fault) -> RebuildError {
        RebuildError { table: self.table, capture_id: self.capture_id.clone(), fault }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_does_only_what_patches_of_ours_do() {
        let apply = |operations: Value| {
            let mut document = json!({"a": [1, 2], "b": {"c": 3}});
            apply_patch(&mut document, operations.to_string().as_bytes()).map(|()| document)
        };
        let usual = json!([{"op": "remove", "path": "/a/0"}, {"op": "replace", "path": "/b/c", "value": 4},
                           {"op": "add", "path": "/a/-", "value": 5}]);
        assert_eq!(apply(usual).unwrap(), json!({"a": [2, 5], "b": {"c": 4}}));
        for operation in [
            json!({"op": "copy", "from": "", "path": "/a/-"}),
            json!({"op": "move", "from": "/b", "path": "/a/-"}),
            json!({"op": "test", "path": "/b/c", "value": 3}),
        ] {
            assert!(matches!(apply(json!([operation])), Err(Fault::Operation)), "{operation}");
        }
        let deep = |levels| json!([{"op": "add", "path": "/x".repeat(levels), "value": 1}]);
        assert!(matches!(apply(deep(129)), Err(Fault::TooDeep)));
        assert!(matches!(apply(deep(128)), Err(Fault::Patch(_))));
    }
}
