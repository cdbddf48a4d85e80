//! The captures of the object that a late message is about, and where the message belongs among them.

use std::sync::Arc;

use annals_history::{KeptCapture, KeptDocument, kept_document};
use annals_model::{
    Head, Image, ImageHashes, ImageSchema, Message, Operation, Origin, Placed, Reference, Sighting, Stretch,
    canonical_bytes, hash_bytes, place,
};
use annals_sql::Tx;

use crate::Error;

/// The captures of an object, and the late message.
pub(super) struct Sequence<'m> {
    message: &'m Message,
    /// The newest of them, as it was read.
    pub(super) head: Head,
    /// In their order.
    pub(super) kept: Vec<KeptCapture>,
    /// Of the kept ones; of a tombstone empty.
    pub(super) hashes: Vec<ImageHashes>,
}

impl<'m> Sequence<'m> {
    /// Reads them. The object's head is the last of them.
    pub(super) async fn read(tx: &mut Tx, message: &'m Message, head: Head) -> Result<Self, Error> {
        let mut kept = annals_history::sequence(tx, &message.key).await?;
        let Some(last) = kept.last_mut().filter(|last| last.id == head.capture_id) else {
            return Err(Error::Sequence(message.key.clone()));
        };
        let first_read_ms = last.sightings.first().map_or(head.observed_ms, |first| first.observed_ms);
        last.sightings = head.sightings();
        if head.seen.is_empty() && head.extended_to_ms > head.effective_ms {
            // From before sightings were kept: the head knows when its state was read last.
            last.sightings[0].observed_ms = first_read_ms.min(head.observed_ms);
            let (occurred_ms, observed_ms) = (head.extended_to_ms, head.observed_ms);
            last.sightings.push(Sighting { occurred_ms, observed_ms });
        }
        let mut sequence = Self { message, head, kept, hashes: Vec::new() };
        sequence.hashes = sequence.kept_hashes(tx).await?;
        Ok(sequence)
    }

    /// The hashes of the kept captures, worked out where the captures have none.
    async fn kept_hashes(&self, tx: &mut Tx) -> Result<Vec<ImageHashes>, Error> {
        let mut hashes = Vec::with_capacity(self.kept.len());
        for index in 0..self.kept.len() {
            hashes.push(match self.kept[index].hashes.clone() {
                Some(hashes) => hashes,
                None if index + 1 == self.kept.len() => {
                    ImageHashes { full: self.head.full_hash.clone(), smart: self.head.smart_hash.clone() }
                }
                None => match self.document(tx, Origin::Kept(index)).await?.image {
                    Some(image) => hashes_of(image, &self.schema()),
                    None => ImageHashes { full: String::new(), smart: String::new() },
                },
            });
        }
        Ok(hashes)
    }

    /// How the collections of the object's images tell their elements apart. A deletion does not know; the natural keys
    /// that elements have by themselves then do.
    pub(super) fn schema(&self) -> Arc<ImageSchema> {
        match &self.message.operation {
            Operation::Capture(captured) => Arc::clone(&captured.schema),
            Operation::Delete => Arc::default(),
        }
    }

    /// What a capture says.
    pub(super) async fn document(&self, tx: &mut Tx, origin: Origin) -> Result<KeptDocument, Error> {
        let Some(index) = origin.kept() else {
            let image = match &self.message.operation {
                Operation::Capture(captured) => Some(captured.image.clone()),
                Operation::Delete => None,
            };
            return Ok(KeptDocument { image, transform: self.message.transform.as_ref().to_owned() });
        };
        Ok(kept_document(tx, self.message.key.object_type, &self.kept[index].id).await?)
    }

    /// The captures as they should be; none where the message says nothing new.
    pub(super) fn placed(&self) -> Option<Vec<Placed>> {
        let stretches: Vec<Stretch> = self
            .kept
            .iter()
            .zip(&self.hashes)
            .map(|(capture, hashes)| Stretch {
                state: hashes.smart.clone(),
                effective_ms: capture.effective_ms,
                sightings: capture.sightings.clone(),
            })
            .collect();
        let state = match &self.message.operation {
            Operation::Capture(captured) => captured.hashes.smart.as_str(),
            Operation::Delete => "",
        };
        let sighting =
            Sighting { occurred_ms: self.message.occurred_ms, observed_ms: self.message.observed_ms };
        let placed = place(&stretches, state, sighting)?;
        let same = |(index, (one, stretch)): (usize, (&Placed, &Stretch))| {
            one.origin == Origin::Kept(index)
                && one.effective_ms == stretch.effective_ms
                && one.sightings == stretch.sightings
        };
        let nothing_new =
            placed.len() == stretches.len() && placed.iter().zip(&stretches).enumerate().all(same);
        (!nothing_new).then_some(placed)
    }

    /// Whether a capture is the one that is kept, with the same date and after the same one: then its events stand.
    pub(super) fn stays(&self, placed: &[Placed], at: usize) -> bool {
        let Origin::Kept(index) = placed[at].origin else { return false };
        let after = match (at.checked_sub(1), index.checked_sub(1)) {
            (Some(before), Some(kept)) => placed[before].origin == Origin::Kept(kept),
            (before, kept) => before == kept,
        };
        after && placed[at].effective_ms == self.kept[index].effective_ms
    }

    /// The object's name by kept capture, as far as it is known; else the name that it has now.
    pub(super) fn names(&self) -> Vec<String> {
        let last = self.kept.len().saturating_sub(1);
        let name = |(index, capture): (usize, &KeptCapture)| {
            let own = capture.name.as_ref().filter(|_| index < last);
            own.unwrap_or(&self.head.name).clone()
        };
        self.kept.iter().enumerate().map(name).collect()
    }

    /// Whether it says that the object is gone.
    pub(super) fn is_end(&self, one: &Placed) -> bool {
        match one.origin.kept() {
            Some(index) => self.hashes[index].full.is_empty(),
            None => matches!(self.message.operation, Operation::Delete),
        }
    }

    /// The name that goes with a capture. The end of an object often knows no more than the id, and takes the name that
    /// the object had before.
    pub(super) fn name(&self, one: &Placed, before: Option<&str>, names: &[String]) -> String {
        let own = match one.origin.kept() {
            Some(index) => {
                let before_then = index.checked_sub(1).map(|before| &names[before]);
                Some(&names[index]).filter(|name| !self.is_end(one) || Some(*name) != before_then)
            }
            None => Some(&self.message.name),
        };
        let own = own.filter(|name| !self.is_end(one) || **name != self.message.key.object_id);
        let fallback = || before.unwrap_or(&self.message.key.object_id).to_owned();
        own.cloned().unwrap_or_else(fallback)
    }

    /// The identity to which the object belonged; where a capture does not tell, the one before does.
    pub(super) fn identity(&self, origin: Origin, before: Option<&Reference>) -> Option<Reference> {
        let own = match origin.kept() {
            Some(index) if self.hashes[index].full.is_empty() => None,
            Some(index) => self.kept[index].identity.clone(),
            None => self.message.identity.clone(),
        };
        let inherited = || before.cloned();
        let known = || origin.kept().and_then(|index| self.kept[index].identity.clone());
        own.or_else(inherited).or_else(known)
    }
}

/// The canonical bytes of an image.
pub(super) fn image_bytes(image: &Image) -> Vec<u8> {
    canonical_bytes(&serde_json::json!({"imageFields": image.image_fields, "imageType": image.image_type}))
}

fn hashes_of(mut image: Image, schema: &ImageSchema) -> ImageHashes {
    let full = hash_bytes(&image_bytes(&image));
    let before = image.image_fields.len();
    image.image_fields.retain(|name, _| !schema.insignificant.contains(name));
    let smart =
        if image.image_fields.len() == before { full.clone() } else { hash_bytes(&image_bytes(&image)) };
    ImageHashes { full, smart }
}
