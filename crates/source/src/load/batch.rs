//! The objects of a batch while they are read.

use std::collections::HashMap;

use serde_json::Value;

use super::draft::{Draft, ElementDraft, Shape};
use super::{Loaded, LoadedBatch};
use crate::secret::SecretPolicy;

/// What has become of each id so far.
pub(super) struct Batch<'p> {
    ids: Vec<String>,
    places: HashMap<String, usize>,
    slots: Vec<Slot>,
    shapes: Vec<Shape<'p>>,
    document_bytes_max: usize,
}

enum Slot {
    Missing,
    Read(Box<Draft>),
    Failed(String),
}

impl<'p> Batch<'p> {
    pub(super) fn new(ids: &[String], document_bytes_max: usize) -> Self {
        let mut batch = Self {
            ids: Vec::new(),
            places: HashMap::with_capacity(ids.len()),
            slots: Vec::new(),
            shapes: Vec::new(),
            document_bytes_max,
        };
        for id in ids {
            if !batch.places.contains_key(id) {
                batch.places.insert(id.clone(), batch.ids.len());
                batch.ids.push(id.clone());
                batch.slots.push(Slot::Missing);
            }
        }
        batch
    }

    /// All ids.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// Ids of the objects that were found and have not failed.
    pub(super) fn live_ids(&self) -> impl Iterator<Item = &str> {
        self.ids().zip(&self.slots).filter(|(_, slot)| matches!(slot, Slot::Read(_))).map(|(id, _)| id)
    }

    /// Whether nothing is left to read parts of.
    pub(super) fn is_settled(&self) -> bool {
        self.live_ids().next().is_none()
    }

    /// A base row.
    pub(super) fn add_object(&mut self, id: &str, read: impl FnOnce() -> Result<Draft, String>) {
        let Some(place) = self.places.get(id) else { return };
        let slot = &mut self.slots[*place];
        *slot = match slot {
            Slot::Missing => match read() {
                Ok(mut draft) => {
                    draft.bytes = draft.properties.values().map(bytes_of).sum();
                    Slot::Read(Box::new(draft))
                }
                Err(problem) => Slot::Failed(problem),
            },
            Slot::Read(_) => {
                Slot::Failed("the joins of the profile find more than one row for it".to_owned())
            }
            Slot::Failed(_) => return,
        };
    }

    /// Says that the elements which come next are of this collection.
    pub(super) fn begin_collection(&mut self, shape: Shape<'p>) {
        self.shapes.push(shape);
        self.each(|draft| draft.elements.push(Vec::new()));
    }

    /// A child row. Plain values that are null say nothing and are left out.
    pub(super) fn add_element(&mut self, id: &str, read: impl FnOnce() -> Result<ElementDraft, String>) {
        let Some(slot) = self.places.get(id).map(|place| &mut self.slots[*place]) else { return };
        let Slot::Read(draft) = slot else { return };
        let element = match read() {
            Ok(element) => element,
            Err(problem) => {
                *slot = Slot::Failed(problem);
                return;
            }
        };
        draft.bytes += bytes_of(&element.value);
        if draft.bytes > self.document_bytes_max {
            // What is there of it goes at once: the rest may be a thousand times as much.
            let bytes_max = self.document_bytes_max;
            *slot = Slot::Failed(format!("it has more than limits.documentBytesMax = {bytes_max} bytes"));
            return;
        }
        if let (false, Some(elements)) = (element.value.is_null(), draft.elements.last_mut()) {
            elements.push(element);
        }
    }

    /// A part of an object changed at this time.
    pub(super) fn changed(&mut self, id: &str, changed_ms: i64) {
        if let Some(Slot::Read(draft)) = self.places.get(id).map(|place| &mut self.slots[*place]) {
            draft.changed_ms = draft.changed_ms.max(Some(changed_ms));
        }
    }

    fn each(&mut self, mut act: impl FnMut(&mut Draft)) {
        for slot in &mut self.slots {
            if let Slot::Read(draft) = slot {
                act(draft);
            }
        }
    }

    pub(super) fn finish(self, observed_ms: i64, queries: u32, secrets: &SecretPolicy) -> LoadedBatch {
        let mut objects: Vec<Loaded> = Vec::with_capacity(self.ids.len());
        let (mut missing, mut failed) = (Vec::new(), Vec::new());
        for (id, slot) in self.ids.into_iter().zip(self.slots) {
            match slot {
                Slot::Missing => missing.push(id),
                Slot::Failed(problem) => failed.push((id, problem)),
                Slot::Read(draft) => objects.push(draft.finish(id, &self.shapes, observed_ms, secrets)),
            }
        }
        LoadedBatch { observed_ms, objects, missing, failed, queries }
    }
}

/// About how much JSON a value is, and no more than that. Nulls do not reach an image.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 1,
        Value::String(text) => text.len() + 2,
        Value::Array(elements) => elements.iter().map(bytes_of).sum(),
        Value::Object(members) => {
            let bytes = members.iter().filter(|(_, value)| !value.is_null());
            bytes.map(|(name, value)| name.len() + 3 + bytes_of(value)).sum()
        }
    }
}
