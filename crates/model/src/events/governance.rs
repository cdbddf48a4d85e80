//! Events of governance: what access requests, certifications and policies led to, on the timelines of identities.

use serde_json::{Map, Value};

use super::value::{is_set, member, reference};
use super::{Events, Searchable, Transition};
use crate::{AccountColumns, ObjectType};

const CATEGORY: &str = "Governance";
const EVENT: &str = "GovernanceEvent";
const MITIGATED_EVENT: &str = "PolicyViolationMitigated";

type Fields<'i> = Option<&'i Map<String, Value>>;

pub(super) fn derive(events: &mut Events<'_>, transition: Transition<'_>) {
    let (old, new) = match transition {
        Transition::Discovered(new) => (None, Some(&new.image_fields)),
        Transition::Changed { old, new, .. } => (Some(&old.image_fields), Some(&new.image_fields)),
        // Requests, certifications and violations are cleaned up; nothing happens to the identity by that.
        Transition::ChangedFromUnreadable | Transition::Deleted => return,
    };
    match events.subject.key.object_type {
        ObjectType::IdentityRequestItem => request_item(events, old, new),
        ObjectType::CertificationRemediation => certification(events, old, new),
        ObjectType::PolicyViolation => violation(events, old, new),
        _ => violation_remediation(events, old, new),
    }
}

/// An item of an access request was seen first, or came to an end.
fn request_item(events: &mut Events<'_>, old: Fields<'_>, new: Fields<'_>) {
    let state = outcome(new);
    if old.is_some() && (state.is_none() || state == outcome(old)) {
        return;
    }
    let item_id = events.subject.key.object_id.clone();
    let Some(event) = events.of_identity(CATEGORY, EVENT) else { return };
    let (request_id, request) = reference(new, "identityRequest");
    let (app_id, app_name) = reference(new, "application");
    let (name, value) = (member(new, "name"), member(new, "value"));
    let operation = member(new, "operation");
    let takes = operation.as_deref().is_some_and(|word| {
        ["Remove", "Delete", "Disable", "Revoke"].iter().any(|taking| word.eq_ignore_ascii_case(taking))
    });
    event.property_name.clone_from(&name);
    if takes {
        event.old_value.clone_from(&value);
    } else {
        event.new_value.clone_from(&value);
    }
    event.account = Some(AccountColumns {
        app_instance: member(new, "instance"),
        app_id,
        native_id: member(new, "nativeIdentity"),
        app_name: app_name.clone(),
        ..AccountColumns::default()
    });
    event.request_item_id = Some(item_id.clone());
    event.pending_request_item_id = state.is_none().then(|| item_id.clone());
    event.identity_request_id = request_id;
    let attributes = new.and_then(|fields| fields.get("attributes")).and_then(Value::as_object);
    event.identity_entitlement_id = member(attributes, "identityEntitlementId");
    event.qry = Searchable {
        item_id: Some(item_id),
        item_name: operation,
        application: app_name,
        attribute: name,
        value,
        actor: reference(new, "requester").1,
        cause: request,
        assignment_id: member(new, "assignmentId").or_else(|| member(attributes, "assignmentId")),
        governance: Some("AccessRequest".to_owned()),
        state: Some(state.unwrap_or_else(|| "Requested".to_owned())),
    }
    .into();
}

/// The state in which an item of a request ends: refused, or provisioned (or not) after its approval.
fn outcome(item: Fields<'_>) -> Option<String> {
    const REFUSED: [&str; 4] = ["Rejected", "Expired", "Canceled", "Cancelled"];
    const PROVISIONED: [&str; 5] = ["Finished", "Commited", "Committed", "Failed", "Unverifiable"];
    let ended = |field: &str, words: &[&str]| {
        member(item, field).filter(|state| words.iter().any(|word| word.eq_ignore_ascii_case(state)))
    };
    ended("approvalState", &REFUSED)
        .or_else(|| ended("provisioningState", &PROVISIONED))
        .or_else(|| ended("compilationStatus", &["Filtered"]))
}

/// A certification decided to take access away or to change it.
fn certification(events: &mut Events<'_>, old: Fields<'_>, new: Fields<'_>) {
    let state = member(new, "status");
    if old.is_some() && state == member(old, "status") {
        return;
    }
    let item_id = events.subject.key.object_id.clone();
    let Some(event) = events.of_identity(CATEGORY, EVENT) else { return };
    let (role_id, role) = reference(new, "bundle");
    let application = member(new, "exceptionApplication");
    let attribute =
        member(new, "exceptionAttributeName").or_else(|| member(new, "exceptionPermissionTarget"));
    let value = member(new, "exceptionAttributeValue").or_else(|| member(new, "exceptionPermissionRight"));
    event.property_name = attribute.clone().or_else(|| role.is_some().then(|| "assignedRoles".to_owned()));
    event.old_value = value.clone().or_else(|| role.clone());
    event.account = application.clone().map(|app_name| AccountColumns {
        app_instance: member(new, "exceptionInstance"),
        native_id: member(new, "exceptionNativeIdentity"),
        app_name: Some(app_name),
        display_name: member(new, "exceptionAccountDisplayName"),
        ..AccountColumns::default()
    });
    event.qry = Searchable {
        item_id: role_id.or(Some(item_id)),
        item_name: role.or_else(|| member(new, "targetDisplayName")).or_else(|| member(new, "targetName")),
        application,
        attribute,
        value,
        actor: member(new, "actorName"),
        cause: reference(new, "certification").1,
        assignment_id: member(new, "bundleAssignmentId"),
        governance: Some("Certification".to_owned()),
        state,
    }
    .into();
}

/// A policy is violated, or the violation was allowed for a time.
fn violation(events: &mut Events<'_>, old: Fields<'_>, new: Fields<'_>) {
    let is_active = |fields: Fields<'_>| is_set(fields.and_then(|fields| fields.get("active")));
    let searchable = Searchable {
        item_id: Some(events.subject.key.object_id.clone()),
        item_name: member(new, "constraintName").or_else(|| member(new, "name")),
        actor: member(new, "mitigator"),
        cause: member(new, "policyName"),
        ..Searchable::default()
    };
    if is_active(new) && !is_active(old) {
        violation_event(events, EVENT, old, new, searchable.clone());
    }
    if is_mitigated(new) && !is_mitigated(old) {
        violation_event(events, MITIGATED_EVENT, old, new, searchable);
    }
}

/// A decision on a violation.
fn violation_remediation(events: &mut Events<'_>, old: Fields<'_>, new: Fields<'_>) {
    if old.is_some() && member(old, "status") == member(new, "status") {
        return;
    }
    let searchable = Searchable {
        item_id: Some(events.subject.key.object_id.clone()),
        item_name: member(new, "constraintName"),
        application: reference(new, "application").1,
        attribute: member(new, "attribute"),
        value: member(new, "value"),
        actor: member(new, "actor"),
        cause: member(new, "policyName"),
        ..Searchable::default()
    };
    let event_type = if is_mitigated(new) { MITIGATED_EVENT } else { EVENT };
    violation_event(events, event_type, old, new, searchable);
}

fn is_mitigated(fields: Fields<'_>) -> bool {
    member(fields, "status").is_some_and(|status| status.eq_ignore_ascii_case("Mitigated"))
}

fn violation_event(
    events: &mut Events<'_>,
    event_type: &'static str,
    old: Fields<'_>,
    new: Fields<'_>,
    searchable: Searchable,
) {
    let Some(event) = events.of_identity(CATEGORY, event_type) else { return };
    let state = member(new, "status");
    event.property_name = Some("status".to_owned());
    event.old_value = member(old, "status");
    event.new_value.clone_from(&state);
    event.qry = Searchable { governance: Some("PolicyViolation".to_owned()), state, ..searchable }.into();
}
