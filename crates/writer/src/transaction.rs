//! What one transaction writes of a list of messages.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use annals_history::{
    AccessItems, Dictionaries, Encoder, HeadImage, NewCapture, NewDocument, RebuildError, Writes,
    full_document,
};
use annals_model::text::is_cleaned;
use annals_model::{
    CapturedImage, Decision, Head, Image, Message, NewEvent, ObjectKey, ObjectType, Operation,
    PartitionLease, PatchPolicy, Subject, TransformType, Transition, derive_events, diff,
};
use annals_runs::WriteCounts;
use annals_sql::{Db, Tx};

use crate::ids::Ids;
use crate::{Error, WriterSettings, change, plan};

/// Numbers of messages by what came of them, by object type.
pub(crate) type Counts = BTreeMap<ObjectType, WriteCounts>;

/// What has to be known of history before messages can be made into rows.
pub(crate) struct Known<'m> {
    messages: &'m [Message],
    heads: HashMap<ObjectKey, Head>,
    images: HashMap<ObjectKey, Result<HeadImage, RebuildError>>,
    decisions: Vec<Decision>,
    /// Objects with more than one message.
    repeated: HashSet<&'m ObjectKey>,
    encoder: Encoder,
}

impl<'m> Known<'m> {
    /// Reads it.
    pub(crate) async fn read(
        tx: &mut Tx,
        messages: &'m [Message],
        settings: &WriterSettings,
        dictionaries: &Dictionaries,
    ) -> Result<Self, Error> {
        let keys: Vec<ObjectKey> = messages.iter().map(|message| message.key.clone()).collect();
        let heads = annals_history::heads(tx, &keys).await?;
        let questions = plan::questions(&heads, messages);
        let kept = if questions.is_empty() {
            Default::default()
        } else {
            annals_history::kept(tx, &questions).await?
        };
        let repeated = plan::repeated(messages);
        let decisions = plan::decisions(&heads, kept, messages, &repeated);
        let compared = plan::compared(&heads, messages, &decisions);
        let images = if compared.is_empty() {
            HashMap::new()
        } else {
            annals_history::head_images(tx, &compared).await?
        };
        let encoder = encoder(tx, messages, &decisions, settings, dictionaries).await?;
        Ok(Self { messages, heads, images, decisions, repeated, encoder })
    }

    /// What there is to know where all objects are taken for new; nothing where a dictionary must be looked for first.
    pub(crate) fn of_new(
        messages: &'m [Message],
        new: &NewObjects<'m>,
        settings: &WriterSettings,
        dictionaries: &Dictionaries,
    ) -> Option<Self> {
        let types = captured_types(messages, &new.decisions);
        let encoder = dictionaries.encoder_at_hand(settings.json_format, &types)?;
        Some(Self::all_new(messages, new, encoder))
    }

    /// The messages that must find their place one by one, in their order.
    pub(crate) fn late(&self) -> Vec<&'m Message> {
        let late = self.messages.iter().zip(&self.decisions);
        late.filter(|(_, decision)| **decision == Decision::Late).map(|(message, _)| message).collect()
    }

    /// The object's head and what stores its documents, for a single message.
    pub(crate) fn into_head(mut self, key: &ObjectKey) -> Option<(Head, Encoder)> {
        Some((self.heads.remove(key)?, self.encoder))
    }

    /// The same, with a dictionary that is looked for, or made.
    pub(crate) async fn read_of_new(
        tx: &mut Tx,
        messages: &'m [Message],
        new: &NewObjects<'m>,
        settings: &WriterSettings,
        dictionaries: &Dictionaries,
    ) -> Result<Self, Error> {
        let encoder = encoder(tx, messages, &new.decisions, settings, dictionaries).await?;
        Ok(Self::all_new(messages, new, encoder))
    }

    fn all_new(messages: &'m [Message], new: &NewObjects<'m>, encoder: Encoder) -> Self {
        let NewObjects { repeated, decisions } = new.clone();
        Self { messages, heads: HashMap::new(), images: HashMap::new(), decisions, repeated, encoder }
    }
}

/// What is decided on messages whose objects are all taken for new.
#[derive(Clone)]
pub(crate) struct NewObjects<'m> {
    repeated: HashSet<&'m ObjectKey>,
    decisions: Vec<Decision>,
}

impl<'m> NewObjects<'m> {
    /// None where one of the messages is late among the others: what is there must be looked up then.
    pub(crate) fn of(messages: &'m [Message]) -> Option<Self> {
        let repeated = plan::repeated(messages);
        let decisions = plan::decisions(&HashMap::new(), Default::default(), messages, &repeated);
        (!decisions.contains(&Decision::Late)).then_some(Self { repeated, decisions })
    }
}

/// What the messages that become captures are to be stored with.
async fn encoder(
    tx: &mut Tx,
    messages: &[Message],
    decisions: &[Decision],
    settings: &WriterSettings,
    dictionaries: &Dictionaries,
) -> Result<Encoder, Error> {
    let samples = |object_type| {
        let of_type = messages.iter().filter(|message| message.key.object_type == object_type);
        of_type.filter_map(sample).collect()
    };
    let types = captured_types(messages, decisions);
    Ok(dictionaries.encoder(tx, settings.json_format, types, samples).await?)
}

/// The types of which there will be captures.
fn captured_types(messages: &[Message], decisions: &[Decision]) -> BTreeSet<ObjectType> {
    let is_captured =
        |decision: &Decision| !matches!(decision, Decision::Duplicate | Decision::Unchanged { .. });
    let captured = messages.iter().zip(decisions).filter(|(_, decision)| is_captured(decision));
    captured.map(|(message, _)| message.key.object_type).collect()
}

/// Makes messages into rows, in their order; late ones are passed over.
pub(crate) fn produce<'m>(
    known: Known<'m>,
    settings: &WriterSettings,
    recorded_ms: i64,
) -> Result<Product<'m>, Error> {
    let Known { messages, heads, images, decisions, repeated, encoder } = known;
    let mut product = Product::new(settings, encoder, recorded_ms, heads, images, repeated);
    for (message, decision) in messages.iter().zip(decisions) {
        product.take(message, decision)?;
    }
    Ok(product)
}

/// The document that a message would make; which capture it names does not matter.
fn sample(message: &Message) -> Option<Vec<u8>> {
    match &message.operation {
        Operation::Capture(captured) => {
            Some(full_document(&message.transform, &Ids::at(message.observed_ms).next(), &captured.bytes))
        }
        Operation::Delete => None,
    }
}

/// An object's newest image, to compare the next one with.
enum Base<'m> {
    Stored(HeadImage),
    Given(&'m Image, &'m str),
    Unreadable(RebuildError),
}

/// Everything that the messages come to.
pub(crate) struct Product<'m> {
    policy: PatchPolicy,
    recorded_ms: i64,
    ids: Ids,
    /// Objects with more than one message: the next one needs to know what this one did.
    repeated: HashSet<&'m ObjectKey>,
    heads: HashMap<ObjectKey, Head>,
    bases: HashMap<ObjectKey, Base<'m>>,
    writes: Writes,
    counts: Counts,
    attributes: BTreeMap<(ObjectType, String), u64>,
}

impl<'m> Product<'m> {
    fn new(
        settings: &WriterSettings,
        encoder: Encoder,
        recorded_ms: i64,
        heads: HashMap<ObjectKey, Head>,
        images: HashMap<ObjectKey, Result<HeadImage, RebuildError>>,
        repeated: HashSet<&'m ObjectKey>,
    ) -> Self {
        let bases = images
            .into_iter()
            .map(|(key, image)| (key, image.map_or_else(Base::Unreadable, Base::Stored)))
            .collect();
        Self {
            policy: settings.policy(),
            recorded_ms,
            ids: Ids::at(recorded_ms),
            repeated,
            heads,
            bases,
            writes: Writes::with(encoder),
            counts: Counts::new(),
            attributes: BTreeMap::new(),
        }
    }

    fn take(&mut self, message: &'m Message, decision: Decision) -> Result<(), Error> {
        let object_type = message.key.object_type;
        match (decision, &message.operation) {
            (Decision::Duplicate, _) => self.count(object_type).duplicates += 1,
            (Decision::Unchanged { .. }, _) => {
                self.count(object_type).unchanged += 1;
                self.extend(message, decision);
            }
            (Decision::Late, _) => {}
            (_, Operation::Capture(captured)) => self.capture(message, captured, decision)?,
            (_, Operation::Delete) => self.delete(message, decision)?,
        }
        Ok(())
    }

    fn extend(&mut self, message: &Message, decision: Decision) {
        let before = self.heads.remove(&message.key);
        if let Some(head) = plan::follow(before.as_ref(), message, decision, String::new) {
            self.writes.extend(message.key.object_type, head.capture_id.clone(), Some(head.extended_to_ms));
            self.set_head(&message.key, head, before);
        } else {
            self.heads.extend(before.map(|before| (message.key.clone(), before)));
        }
    }

    fn delete(&mut self, message: &'m Message, decision: Decision) -> Result<(), Error> {
        let before = self.heads.remove(&message.key);
        self.bases.remove(&message.key);
        let Some(head) = plan::follow(before.as_ref(), message, decision, || self.ids.next()) else {
            return Ok(());
        };
        self.count(message.key.object_type).deleted += 1;
        self.tell(message, before.as_ref(), &head, Transition::Deleted);
        self.add(message, head, NewDocument::Tombstone, None, before)
    }

    fn capture(
        &mut self,
        message: &'m Message,
        captured: &'m CapturedImage,
        decision: Decision,
    ) -> Result<(), Error> {
        let before = self.heads.remove(&message.key);
        let base = self.bases.remove(&message.key);
        let Some(mut head) = plan::follow(before.as_ref(), message, decision, || self.ids.next()) else {
            return Ok(());
        };
        let full = full_document(&message.transform, &head.capture_id, &captured.bytes);
        let document = match (decision, base) {
            (Decision::Change { .. }, Some(Base::Stored(old))) => {
                self.change(message, captured, before.as_ref(), &mut head, old, full)
            }
            (Decision::Change { .. }, Some(Base::Given(old, transform))) => {
                let old = HeadImage { image: old.clone(), transform: transform.to_owned() };
                self.change(message, captured, before.as_ref(), &mut head, old, full)
            }
            (Decision::Change { .. }, unreadable) => {
                if let Some(Base::Unreadable(error)) = unreadable {
                    tracing::warn!(
                        object_type = %message.key.object_type,
                        object = message.key.object_id,
                        capture = error.capture_id,
                        table = error.table,
                        error = &error as &dyn std::error::Error,
                        "the newest capture of {} cannot be read back, so the next one is a full capture",
                        message.key
                    );
                }
                self.tell(message, before.as_ref(), &head, Transition::ChangedFromUnreadable);
                NewDocument::Full(full)
            }
            _ => {
                self.tell(message, before.as_ref(), &head, Transition::Discovered(&captured.image));
                NewDocument::Full(full)
            }
        };
        let counts = self.count(message.key.object_type);
        match document {
            NewDocument::Patch { .. } => counts.patch_captures += 1,
            _ => counts.full_captures += 1,
        }
        if self.repeated.contains(&message.key) {
            self.bases.insert(message.key.clone(), Base::Given(&captured.image, &message.transform));
        }
        self.add(message, head, document, Some(captured), before)
    }

    /// The events and statistics of a difference, and the document that records it; the head is told if that is a patch.
    fn change(
        &mut self,
        message: &Message,
        captured: &CapturedImage,
        before: Option<&Head>,
        head: &mut Head,
        old: HeadImage,
        full: Vec<u8>,
    ) -> NewDocument {
        let difference = diff(&old.image, &captured.image, &captured.schema);
        for change in &difference.changes {
            *self.attributes.entry((message.key.object_type, change.property.clone())).or_default() += 1;
        }
        let transition =
            Transition::Changed { old: &old.image, new: &captured.image, changes: &difference.changes };
        self.tell(message, before, head, transition);
        let operations = difference.operations;
        let Some(before) =
            before.filter(|before| self.policy.mode(before, head.observed_ms) == TransformType::Patch)
        else {
            return NewDocument::Full(full);
        };
        match change::patch(operations, old, &captured.bytes, &message.transform, full.len()) {
            Some(operations) => {
                head.patches_since_full = before.patches_since_full + 1;
                head.full_capture_id.clone_from(&before.full_capture_id);
                head.full_observed_ms = before.full_observed_ms;
                NewDocument::Patch { parent: before.capture_id.clone(), operations }
            }
            None => NewDocument::Full(full),
        }
    }

    /// Adds the events of a capture.
    fn tell(&mut self, message: &Message, before: Option<&Head>, head: &Head, transition: Transition<'_>) {
        let subject = Subject {
            key: &message.key,
            name: &head.name,
            identity: message.identity.as_ref(),
            recorded_ms: self.recorded_ms,
            effective_ms: head.effective_ms,
            prev_capture_id: before.map(|before| before.capture_id.as_str()),
            capture_id: &head.capture_id,
        };
        let events: Vec<NewEvent> = derive_events(&subject, transition, &mut || self.ids.next());
        self.count(message.key.object_type).events += events.len() as u64;
        for event in events {
            self.writes.event(event);
        }
    }

    /// Adds a capture and makes it the head, in the place of the one before.
    fn add(
        &mut self,
        message: &Message,
        head: Head,
        document: NewDocument,
        captured: Option<&CapturedImage>,
        before: Option<Head>,
    ) -> Result<(), Error> {
        if let Some(before) = &before {
            self.writes.seen(&before.capture_id, &before.seen);
        }
        self.writes.read(&head.capture_id, message.observed_ms);
        self.writes.capture(NewCapture {
            id: head.capture_id.clone(),
            key: message.key.clone(),
            name: head.name.clone(),
            identity: message.identity.clone(),
            transform: message.transform.clone(),
            recorded_ms: self.recorded_ms,
            effective_ms: head.effective_ms,
            extended_to_ms: None,
            document,
            hashes: captured.filter(|captured| captured.include_hash).map(|captured| captured.hashes.clone()),
            image: captured.map(|captured| &captured.image),
            latest: true,
            known: before.is_some(),
        })?;
        if captured.is_some_and(|captured| is_cleaned(&captured.bytes)) {
            self.writes.cleaned(message.key.object_type, head.capture_id.clone());
        }
        self.set_head(&message.key, head, before);
        Ok(())
    }

    fn set_head(&mut self, key: &ObjectKey, head: Head, before: Option<Head>) {
        if self.repeated.contains(key) {
            self.heads.insert(key.clone(), head.clone());
        }
        self.writes.head(key.clone(), head, before);
    }

    fn count(&mut self, object_type: ObjectType) -> &mut WriteCounts {
        self.counts.entry(object_type).or_default()
    }

    /// Sees to it that the access items that it names are there.
    pub(crate) async fn have_items(&mut self, db: &Db, items: &AccessItems) -> Result<(), Error> {
        Ok(Box::pin(items.have(db, &mut self.writes)).await?)
    }

    /// Writes it; nothing lasts until the transaction is committed.
    pub(crate) async fn flush(self, tx: &mut Tx, lease: Option<&PartitionLease>) -> Result<Counts, Error> {
        if !self.writes.is_empty() {
            self.writes.flush(tx).await?;
        }
        count(tx, lease, &self.counts, &self.attributes).await?;
        Ok(self.counts)
    }
}

/// Adds to what a run has written; what comes from outside a run is counted in none.
pub(crate) async fn count(
    tx: &mut Tx,
    lease: Option<&PartitionLease>,
    counts: &Counts,
    attributes: &BTreeMap<(ObjectType, String), u64>,
) -> Result<(), Error> {
    if let Some(lease) = lease {
        annals_runs::writes::add(tx, lease, counts).await?;
        annals_runs::attributes::add(tx, lease.run_id, attributes).await?;
    }
    Ok(())
}
