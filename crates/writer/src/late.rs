//! Messages that come out of sequence: each finds its place among the captures of its object, which then are what they
//! would be had it come in order (IIQ-56, IIQ-61). A path of its own, for few messages go it.

mod sequence;

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use annals_history::{
    Audit, Dictionaries, HeadImage, KeptDocument, NewCapture, NewDocument, Writes, drop_captures,
    full_document, lock_head, remove_events,
};
use annals_model::text::is_cleaned;
use annals_model::{
    Head, ImageHashes, Message, ObjectType, Operation, Origin, PartitionLease, PatchPolicy, Placed,
    Reference, Subject, TransformType, Transition, derive_events, diff,
};
use annals_runs::WriteCounts;
use annals_sql::Tx;
use annals_sql::fault::{self, Defect};

use self::sequence::{Sequence, image_bytes};
use crate::ids::Ids;
use crate::intervals::{self, PlacedCapture};
use crate::transaction::{Counts, Known, count, produce};
use crate::{Error, WriterSettings, change};

/// Writes a message that was late when its delivery began, and adds what it came to.
pub(crate) async fn settle(
    tx: &mut Tx,
    message: &Message,
    settings: &WriterSettings,
    dictionaries: &Dictionaries,
    recorded_ms: i64,
    lease: Option<&PartitionLease>,
    counts: &mut Counts,
) -> Result<(), Error> {
    // Another late message may be put among the same captures, and leave the head as it is.
    lock_head(tx, &message.key).await?;
    let known = Known::read(tx, slice::from_ref(message), settings, dictionaries).await?;
    let object_type = message.key.object_type;
    if known.late().is_empty() {
        // What came before it in the delivery has made its object new, or it a duplicate.
        let written = produce(known, settings, recorded_ms)?.flush(tx, lease).await?;
        for (object_type, written) in written {
            counts.entry(object_type).or_default().add(written);
        }
        return Ok(());
    }
    let Some((head, encoder)) = known.into_head(&message.key) else {
        return Err(Error::Sequence(message.key.clone()));
    };
    let audit = if settings.audit_removed_events { Audit::At(recorded_ms) } else { Audit::Off };
    let late = Late {
        message,
        sequence: Sequence::read(tx, message, head).await?,
        policy: settings.policy(),
        recorded_ms,
        ids: Ids::at(recorded_ms),
        writes: Writes::with(encoder).between(),
        counts: WriteCounts::default(),
        attributes: BTreeMap::new(),
    };
    let (written, attributes) = late.insert(tx, audit).await?;
    count(tx, lease, &Counts::from([(object_type, written)]), &attributes).await?;
    counts.entry(object_type).or_default().add(written);
    Ok(())
}

/// A late message on its way to its place.
struct Late<'m> {
    message: &'m Message,
    sequence: Sequence<'m>,
    policy: PatchPolicy,
    recorded_ms: i64,
    ids: Ids,
    writes: Writes,
    counts: WriteCounts,
    attributes: BTreeMap<(ObjectType, String), u64>,
}

/// The capture before the one in hand.
struct Before {
    head: Head,
    origin: Origin,
    identity: Option<Reference>,
    /// Where it was needed already.
    document: Option<KeptDocument>,
}

impl<'m> Late<'m> {
    /// Puts the message in its place; what it came to.
    async fn insert(
        mut self,
        tx: &mut Tx,
        audit: Audit,
    ) -> Result<(WriteCounts, BTreeMap<(ObjectType, String), u64>), Error> {
        let Some(placed) = self.sequence.placed() else {
            self.counts.duplicates = 1;
            return Ok((self.counts, self.attributes));
        };
        let stays: Vec<bool> = (0..placed.len()).map(|at| self.sequence.stays(&placed, at)).collect();
        self.remove_events(tx, &placed, &stays, audit).await?;
        let names = self.sequence.names();
        let mut anew: BTreeSet<usize> = (0..self.sequence.kept.len()).collect();
        let mut disturbed = false;
        let mut captures = Vec::with_capacity(placed.len());
        let mut before: Option<Before> = None;
        for (at, one) in placed.iter().enumerate() {
            disturbed |= !stays[at];
            let mode = match &before {
                Some(before) if !self.sequence.is_end(one) => {
                    self.policy.mode(&before.head, one.sightings[0].observed_ms)
                }
                _ => TransformType::Full,
            };
            let identity = self
                .sequence
                .identity(one.origin, before.as_ref().and_then(|before| before.identity.as_ref()));
            let mut head = self.next_head(one, before.as_ref(), &names);
            let mut document = None;
            let known_form = one.origin.kept().map(|index| {
                if self.sequence.kept[index].is_patch { TransformType::Patch } else { TransformType::Full }
            });
            if stays[at] && (!disturbed || known_form == Some(mode)) {
                self.stand(one, &mut head, before.as_ref(), known_form == Some(TransformType::Patch));
            } else {
                let now = self.sequence.document(tx, one.origin).await?;
                if let Some(before) = before.as_mut().filter(|before| before.document.is_none()) {
                    before.document = Some(self.sequence.document(tx, before.origin).await?);
                }
                let stored = self.stored(&now, &mut head, before.as_ref(), mode);
                if stays[at]
                    && matches!(stored, NewDocument::Full(_)) == (known_form == Some(TransformType::Full))
                {
                    self.stand(one, &mut head, before.as_ref(), false);
                } else {
                    if !stays[at] {
                        self.tell(&now, &head, before.as_ref(), one.origin, identity.as_ref());
                    }
                    // The entity row of an object that is gone says what it was before, and its end says the rest.
                    let newest = match &placed[at + 1..] {
                        [] => true,
                        [last] => self.sequence.is_end(last) && !stays[at + 1],
                        _ => false,
                    };
                    self.add(one, &head, &now, stored, identity.clone(), newest)?;
                    document = Some(now);
                }
            }
            match one.origin {
                Origin::Kept(index) if document.is_none() => {
                    anew.remove(&index);
                }
                _ => {}
            }
            if at + 1 < placed.len() {
                self.note_sightings(one, &head, document.is_some());
            }
            captures.push(PlacedCapture::new(one, &head.capture_id));
            before = Some(Before { head, origin: one.origin, identity, document });
        }
        let ids = |indices: &mut dyn Iterator<Item = &usize>| -> Vec<String> {
            indices.map(|index| self.sequence.kept[*index].id.clone()).collect()
        };
        let is_gone = |index: &&usize| placed.iter().all(|one| one.origin != Origin::Kept(**index));
        let gone = ids(&mut anew.iter().filter(is_gone));
        drop_captures(tx, self.message.key.object_type, ids(&mut anew.iter()), gone).await?;
        if let Some(before) = before {
            self.writes.head(self.message.key.clone(), before.head, Some(self.sequence.head));
        }
        self.writes.flush(tx).await?;
        intervals::correct(tx, self.message, &self.sequence.kept, captures, self.recorded_ms).await?;
        let is_new = placed.iter().any(|one| one.origin == Origin::Late);
        *(if is_new { &mut self.counts.late } else { &mut self.counts.unchanged }) = 1;
        Ok((self.counts, self.attributes))
    }

    /// Removes the events that do not stand.
    async fn remove_events(
        &mut self,
        tx: &mut Tx,
        placed: &[Placed],
        stays: &[bool],
        audit: Audit,
    ) -> Result<(), Error> {
        fault::point("writer.placing")?;
        if fault::defect(Defect::EventsKept) {
            return Ok(());
        }
        let standing: BTreeSet<usize> = placed
            .iter()
            .zip(stays)
            .filter(|(_, stays)| **stays)
            .filter_map(|(one, _)| one.origin.kept())
            .collect();
        let captures: Vec<String> = self
            .sequence
            .kept
            .iter()
            .enumerate()
            .filter(|(index, _)| !standing.contains(index))
            .map(|(_, capture)| capture.id.clone())
            .collect();
        let mut timelines: BTreeSet<String> = BTreeSet::from([self.message.key.object_id.clone()]);
        timelines.extend(
            self.sequence.kept.iter().filter_map(|capture| Some(capture.identity.as_ref()?.id.clone())),
        );
        let timelines = timelines.into_iter().collect();
        Ok(remove_events(tx, &self.message.key, timelines, captures, audit).await?)
    }

    /// The head as it would be if this were the newest capture, and a full one.
    fn next_head(&mut self, one: &Placed, before: Option<&Before>, names: &[String]) -> Head {
        let hashes = match (one.origin.kept(), &self.message.operation) {
            (Some(index), _) => self.sequence.hashes[index].clone(),
            (None, Operation::Capture(captured)) => captured.hashes.clone(),
            (None, Operation::Delete) => ImageHashes { full: String::new(), smart: String::new() },
        };
        let capture_id = match one.origin {
            Origin::Kept(index) => self.sequence.kept[index].id.clone(),
            Origin::Parted(_) | Origin::Late => self.ids.next(),
        };
        let first = one.sightings[0];
        let last = one.sightings[one.sightings.len() - 1];
        let plain = one.sightings.len() == 1 && first.occurred_ms == one.effective_ms;
        Head {
            full_capture_id: capture_id.clone(),
            capture_id,
            effective_ms: one.effective_ms,
            extended_to_ms: one.extended_ms().unwrap_or(one.effective_ms),
            observed_ms: last.observed_ms,
            full_hash: hashes.full,
            smart_hash: hashes.smart,
            patches_since_full: 0,
            full_observed_ms: first.observed_ms,
            deleted: self.sequence.is_end(one),
            name: self.sequence.name(one, before.map(|before| before.head.name.as_str()), names),
            seen: if plain { Vec::new() } else { one.sightings.clone() },
        }
    }

    /// A kept capture stands as it is, but perhaps for when its state was seen last.
    fn stand(&mut self, one: &Placed, head: &mut Head, before: Option<&Before>, is_patch: bool) {
        if let Some(before) = before.filter(|_| is_patch) {
            patched(head, &before.head);
        }
        let Origin::Kept(index) = one.origin else { return };
        if self.sequence.kept[index].extended_ms != one.extended_ms() {
            self.writes.extend(self.message.key.object_type, head.capture_id.clone(), one.extended_ms());
        }
    }

    /// What is stored of a capture; the head is told if that is a patch.
    fn stored(
        &self,
        now: &KeptDocument,
        head: &mut Head,
        before: Option<&Before>,
        mode: TransformType,
    ) -> NewDocument {
        let Some(image) = &now.image else { return NewDocument::Tombstone };
        let bytes = image_bytes(image);
        let full = full_document(&now.transform, &head.capture_id, &bytes);
        let old = before.and_then(|before| Some((before, before.document.as_ref()?)));
        let Some((before, document)) = old.filter(|_| mode == TransformType::Patch) else {
            return NewDocument::Full(full);
        };
        let Some(old) = document.image.clone() else { return NewDocument::Full(full) };
        let operations = diff(&old, image, &self.sequence.schema()).operations;
        let old = HeadImage { image: old, transform: document.transform.clone() };
        match change::patch(operations, old, &bytes, &now.transform, full.len()) {
            Some(operations) => {
                patched(head, &before.head);
                NewDocument::Patch { parent: before.head.capture_id.clone(), operations }
            }
            None => NewDocument::Full(full),
        }
    }

    /// Adds the events of a capture.
    fn tell(
        &mut self,
        now: &KeptDocument,
        head: &Head,
        before: Option<&Before>,
        origin: Origin,
        identity: Option<&Reference>,
    ) {
        if fault::defect(Defect::EventsKept) && origin.kept().is_some() {
            return;
        }
        let schema = self.sequence.schema();
        let old =
            before.and_then(|before| before.document.as_ref()).and_then(|document| document.image.as_ref());
        let difference =
            old.zip(now.image.as_ref()).map(|(old, new)| (old, new, diff(old, new, &schema).changes));
        let transition = match (&now.image, &difference) {
            (None, _) => Transition::Deleted,
            (Some(image), None) => Transition::Discovered(image),
            (_, Some((old, new, changes))) => Transition::Changed { old, new, changes },
        };
        if origin == Origin::Late {
            for change in difference.iter().flat_map(|(_, _, changes)| changes) {
                *self
                    .attributes
                    .entry((self.message.key.object_type, change.property.clone()))
                    .or_default() += 1;
            }
        }
        let subject = Subject {
            key: &self.message.key,
            name: &head.name,
            identity,
            recorded_ms: self.recorded_ms,
            effective_ms: head.effective_ms,
            prev_capture_id: before.map(|before| before.head.capture_id.as_str()),
            capture_id: &head.capture_id,
        };
        for event in derive_events(&subject, transition, &mut || self.ids.next()) {
            self.counts.events += 1;
            self.writes.event(event);
        }
    }

    /// Adds a capture's row.
    fn add(
        &mut self,
        one: &Placed,
        head: &Head,
        now: &KeptDocument,
        document: NewDocument,
        identity: Option<Reference>,
        newest: bool,
    ) -> Result<(), Error> {
        let (recorded_ms, hashes) = match (one.origin, &self.message.operation) {
            (Origin::Kept(index), _) => {
                (self.sequence.kept[index].recorded_ms, self.sequence.kept[index].hashes.clone())
            }
            (Origin::Parted(index), _) => (self.recorded_ms, self.sequence.kept[index].hashes.clone()),
            (Origin::Late, Operation::Capture(captured)) => {
                (self.recorded_ms, Some(captured.hashes.clone()).filter(|_| captured.include_hash))
            }
            (Origin::Late, Operation::Delete) => (self.recorded_ms, None),
        };
        if one.origin == Origin::Late {
            match document {
                NewDocument::Full(_) => self.counts.full_captures = 1,
                NewDocument::Patch { .. } => self.counts.patch_captures = 1,
                NewDocument::Tombstone => self.counts.deleted = 1,
            }
        }
        if !matches!(one.origin, Origin::Kept(_)) {
            self.writes.read(&head.capture_id, one.sightings[0].observed_ms);
        }
        self.writes.capture(NewCapture {
            id: head.capture_id.clone(),
            key: self.message.key.clone(),
            name: head.name.clone(),
            identity,
            transform: now.transform.as_str().into(),
            recorded_ms,
            effective_ms: one.effective_ms,
            extended_to_ms: one.extended_ms(),
            document,
            hashes,
            image: now.image.as_ref(),
            latest: newest,
            known: true,
        })?;
        if now.image.as_ref().is_some_and(|image| is_cleaned(&image_bytes(image))) {
            self.writes.cleaned(self.message.key.object_type, head.capture_id.clone());
        }
        Ok(())
    }

    /// Keeps when a state was seen that is not the newest, unless that stands in the database as it is.
    fn note_sightings(&mut self, one: &Placed, head: &Head, anew: bool) {
        let stand = match one.origin {
            Origin::Kept(index) => {
                !anew
                    && index + 1 < self.sequence.kept.len()
                    && self.sequence.kept[index].sightings == one.sightings
            }
            Origin::Parted(_) | Origin::Late => false,
        };
        if !stand {
            self.writes.seen(&head.capture_id, &one.sightings);
        }
    }
}

/// The head of a patch goes on from the one before.
fn patched(head: &mut Head, before: &Head) {
    head.patches_since_full = before.patches_since_full + 1;
    head.full_capture_id.clone_from(&before.full_capture_id);
    head.full_observed_ms = before.full_observed_ms;
}
