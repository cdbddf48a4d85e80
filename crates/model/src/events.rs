//! Which events a capture gives rise to: pure, from an object's image before and after. `docs/events.md` lists them all.
//!
//! Everything that changed is told once. What an identity has and does not have is told by the identity's own images;
//! how an account is, by the account's; what an access request, a certification or a policy led to, by theirs.

mod account;
mod entity;
mod governance;
mod identity;
mod value;

pub(crate) use value::{is_set, member};

use crate::{EventTable, Image, NewEvent, ObjectKey, ObjectType, PropertyChange, Reference};

/// The object whose capture gives rise to events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subject<'a> {
    /// Which object.
    pub key: &'a ObjectKey,
    /// Its name.
    pub name: &'a str,
    /// The identity it belongs to, for types that belong to one.
    pub identity: Option<&'a Reference>,
    /// When history learned of it, epoch milliseconds.
    pub recorded_ms: i64,
    /// When it happened in the identity system, epoch milliseconds.
    pub effective_ms: i64,
    /// The capture before.
    pub prev_capture_id: Option<&'a str>,
    /// The capture.
    pub capture_id: &'a str,
}

/// What happened to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Transition<'a> {
    /// It was captured for the first time, or for the first time after its deletion (IIQ-11).
    Discovered(&'a Image),
    /// It differs from its last capture.
    Changed {
        /// Before.
        old: &'a Image,
        /// After.
        new: &'a Image,
        /// The significant properties that differ.
        changes: &'a [PropertyChange<'a>],
    },
    /// It differs from its last capture, which cannot be read any more.
    ChangedFromUnreadable,
    /// It is gone.
    Deleted,
}

/// Source type of the event of a first capture.
pub const INITIAL_CAPTURE: &str = "INITIAL_CAPTURE";
/// Source type of events from the difference between two captures.
pub const CHANGE_CAPTURE: &str = "CHANGE_CAPTURE";
/// Source type of the event of a deletion.
pub const DELETE_CAPTURE: &str = "DELETE_CAPTURE";

/// Source type of the event of a message that was given up.
pub const DISCARDED_MESSAGE: &str = "DISCARDED_MESSAGE";

/// The event that a message about an object was given up (IIQ-60): on the object's own timeline, or on that of the
/// identity to whom it belongs; none where there is no such timeline. The capture of the subject is not looked at.
#[must_use]
pub fn discarded_event(subject: &Subject<'_>, letter_id: &str, reason: &str, id: String) -> Option<NewEvent> {
    let mut id = Some(id);
    let mut new_id = || id.take().unwrap_or_default();
    let mut events =
        Events { subject: *subject, source_type: DISCARDED_MESSAGE, new_id: &mut new_id, list: Vec::new() };
    let table = match subject.key.object_type {
        ObjectType::Identity => Some((EventTable::Identity, "Identity")),
        ObjectType::ManagedAttribute => Some((EventTable::Mattr, "ManagedAttribute")),
        ObjectType::Role => Some((EventTable::Role, "Role")),
        ObjectType::Workgroup => Some((EventTable::Workgroup, "Workgroup")),
        _ => None,
    };
    let event = match table {
        Some((table, category)) => events.own(table, category, "DiscardedMessage"),
        None => events.of_identity("Message", "DiscardedMessage")?,
    };
    event.capture_id = None;
    event.prev_capture_id = None;
    event.detail = Some(serde_json::json!({"deadLetter": letter_id, "reason": reason}));
    event.qry = Searchable { item_id: Some(subject.key.object_id.clone()), ..Searchable::default() }.into();
    events.list.pop()
}

/// The events of a capture. `new_id` gives each its id, 32 hex digits.
#[must_use]
pub fn derive_events(
    subject: &Subject<'_>,
    transition: Transition<'_>,
    new_id: &mut dyn FnMut() -> String,
) -> Vec<NewEvent> {
    let source_type = match transition {
        Transition::Discovered(_) => INITIAL_CAPTURE,
        Transition::Changed { .. } | Transition::ChangedFromUnreadable => CHANGE_CAPTURE,
        Transition::Deleted => DELETE_CAPTURE,
    };
    let mut events = Events { subject: *subject, source_type, new_id, list: Vec::new() };
    match subject.key.object_type {
        ObjectType::Identity => identity::derive(&mut events, transition),
        ObjectType::Account => account::derive(&mut events, transition),
        ObjectType::IdentityRequestItem
        | ObjectType::CertificationRemediation
        | ObjectType::PolicyViolation
        | ObjectType::PolicyViolationRemediation => governance::derive(&mut events, transition),
        ObjectType::ManagedAttribute | ObjectType::Role | ObjectType::Workgroup => {
            entity::derive(&mut events, transition);
        }
        // An entitlement is told by its identity's images, a request by its items; capabilities and attribute
        // definitions have captures and no timeline.
        ObjectType::Entitlement
        | ObjectType::IdentityRequest
        | ObjectType::Certification
        | ObjectType::Capability
        | ObjectType::ObjectConfig => {}
    }
    events.list
}

/// Collects the events of one capture.
struct Events<'a> {
    subject: Subject<'a>,
    source_type: &'static str,
    new_id: &'a mut dyn FnMut() -> String,
    list: Vec<NewEvent>,
}

impl Events<'_> {
    /// An event on the subject's own timeline.
    fn own(&mut self, table: EventTable, category: &'static str, event_type: &'static str) -> &mut NewEvent {
        let (id, name) = (self.subject.key.object_id.clone(), self.subject.name.to_owned());
        self.push(table, id, name, category, event_type)
    }

    /// An event on the timeline of the identity to whom the subject belongs; none without one.
    fn of_identity(&mut self, category: &'static str, event_type: &'static str) -> Option<&mut NewEvent> {
        let Reference { id, name } = self.subject.identity?.clone();
        Some(self.push(EventTable::Identity, id, name, category, event_type))
    }

    fn push(
        &mut self,
        table: EventTable,
        entity_id: String,
        entity_name: String,
        category: &'static str,
        event_type: &'static str,
    ) -> &mut NewEvent {
        let event = NewEvent {
            table,
            id: (self.new_id)(),
            recorded_ms: self.subject.recorded_ms,
            event_date_ms: self.subject.effective_ms,
            entity_id,
            entity_name,
            prev_capture_id: self.subject.prev_capture_id.map(str::to_owned),
            capture_id: Some(self.subject.capture_id.to_owned()),
            category,
            event_type,
            source_type: self.source_type,
            detail: None,
            property_name: None,
            old_value: None,
            new_value: None,
            account: None,
            request_item_id: None,
            identity_request_id: None,
            pending_request_item_id: None,
            identity_entitlement_id: None,
            qry: Default::default(),
        };
        let at = self.list.len();
        self.list.push(event);
        &mut self.list[at]
    }
}

/// What each of `qry_property1` to `qry_property10` holds, the same for all events.
#[derive(Debug, Clone, Default)]
struct Searchable {
    /// Id of what came, went or changed: role, account, entitlement, request item, violation, element of a set.
    item_id: Option<String>,
    /// Its name.
    item_name: Option<String>,
    /// Name of the application.
    application: Option<String>,
    /// Attribute of the application.
    attribute: Option<String>,
    /// Value of that attribute.
    value: Option<String>,
    /// Who did it: assigner, requester, certifier, who allowed a violation.
    actor: Option<String>,
    /// What brought it about: source of an assignment, number of a request, certification, policy.
    cause: Option<String>,
    /// Id of a role assignment.
    assignment_id: Option<String>,
    /// `AccessRequest`, `Certification` or `PolicyViolation`.
    governance: Option<String>,
    /// State or decision.
    state: Option<String>,
}

impl From<Searchable> for [Option<String>; 10] {
    fn from(searchable: Searchable) -> Self {
        [
            searchable.item_id,
            searchable.item_name,
            searchable.application,
            searchable.attribute,
            searchable.value,
            searchable.actor,
            searchable.cause,
            searchable.assignment_id,
            searchable.governance,
            searchable.state,
        ]
    }
}

#[cfg(test)]
mod tests;
