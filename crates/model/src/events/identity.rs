//! Events of identities: the identity itself, its accounts, entitlements and roles.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::value::{Happening, happenings, is_set, member, property_name, text, told_once};
use super::{Events, Searchable, Transition, account};
use crate::{AccountColumns, EventTable, Image, NewEvent, PropertyChange};

const CATEGORY: &str = "Identity";

/// Sets of role assignments whose rows repeat, with the circumstances, what `assignedRoles` and `detectedRoles` say.
const ROLE_ASSIGNMENTS: &str = "roleAssignments";
const ROLE_METADATA: &str = "roleMetadata";
/// A field that repeats them once more, beside other things.
const PREFERENCES: &str = "preferences";
const ROLE_PREFERENCES: [&str; 2] = ["roleAssignments", "roleDetections"];
const ASSIGNED_ROLES: &str = "assignedRoles";
const DETECTED_ROLES: &str = "detectedRoles";

pub(super) fn derive(events: &mut Events<'_>, transition: Transition<'_>) {
    match transition {
        Transition::Discovered(_) => {
            events.own(EventTable::Identity, CATEGORY, "IdentityDiscovered");
        }
        Transition::Deleted => {
            events.own(EventTable::Identity, CATEGORY, "IdentityDeleted");
        }
        Transition::ChangedFromUnreadable => {
            events.own(EventTable::Identity, CATEGORY, "IdentityChanged");
        }
        Transition::Changed { old, new, changes } => {
            let context = Context::new(old, new, changes);
            for change in told_once(changes) {
                property(events, &context, change);
            }
        }
    }
}

fn property(events: &mut Events<'_>, context: &Context<'_>, change: &PropertyChange<'_>) {
    let is_collection = change.elements.is_some();
    for happening in happenings(change) {
        match (change.property.as_str(), happening) {
            ("inactive", (old, new)) => {
                if is_set(old) != is_set(new) {
                    let event = events.own(EventTable::Identity, CATEGORY, "IdentityStatusChanged");
                    event.property_name = Some(property_name(change));
                    event.old_value = Some(is_set(old).to_string());
                    event.new_value = Some(is_set(new).to_string());
                }
            }
            // How an account is, is told by its own captures.
            ("accounts", (Some(_), Some(_))) if is_collection => {}
            ("accounts", happening) if is_collection => account_event(events, happening),
            ("entitlements", (None, Some(_)) | (Some(_), None)) if is_collection => {
                entitlement_event(events, context, happening);
            }
            (ASSIGNED_ROLES | DETECTED_ROLES, (None, Some(_)) | (Some(_), None)) if is_collection => {
                role_event(events, context, &change.property, happening);
            }
            // That a policy is violated, and what became of it, is told by the violation's own captures.
            ("policyViolations", (_, Some(_))) if is_collection => {}
            (PREFERENCES, (old, new)) if context.tells_roles() && differ_in_roles_only(old, new) => {}
            (ROLE_ASSIGNMENTS | ROLE_METADATA, happening) if context.is_told(&change.property, happening) => {
            }
            (_, happening) => changed(events, change, happening),
        }
    }
}

fn changed(events: &mut Events<'_>, change: &PropertyChange<'_>, (old, new): Happening<'_>) {
    let element = new.or(old).and_then(Value::as_object);
    let event = events.own(EventTable::Identity, CATEGORY, "IdentityChanged");
    event.property_name = Some(property_name(change));
    event.old_value = old.and_then(text);
    event.new_value = new.and_then(text);
    event.qry = Searchable {
        item_id: member(element, "id"),
        item_name: member(element, "name"),
        ..Searchable::default()
    }
    .into();
}

fn account_event(events: &mut Events<'_>, (old, new): Happening<'_>) {
    let event_type = if new.is_some() { "AccountAdded" } else { "AccountRemoved" };
    let columns = account_columns(new.or(old));
    let event = events.own(EventTable::Identity, account::CATEGORY, event_type);
    event.property_name = Some("accounts".to_owned());
    put(event, new.is_some(), columns.native_id.clone().or_else(|| new.or(old).and_then(text)));
    event.qry = account::of_account(&columns).into();
    event.account = Some(columns);
}

fn entitlement_event(events: &mut Events<'_>, context: &Context<'_>, (old, new): Happening<'_>) {
    let element = new.or(old).and_then(Value::as_object);
    let account = element.map(|element| context.account_of(element, new.is_some()));
    let event_type = if new.is_some() { "EntitlementAdded" } else { "EntitlementRemoved" };
    let event = events.own(EventTable::Identity, "Entitlement", event_type);
    let value = member(element, "value");
    event.property_name = Some(member(element, "name").unwrap_or_else(|| "entitlements".to_owned()));
    put(event, new.is_some(), value.clone().or_else(|| new.or(old).and_then(text)));
    event.identity_entitlement_id = member(element, "id");
    circumstances(event, element);
    event.qry = Searchable {
        item_id: member(element, "id"),
        item_name: member(element, "displayName").or_else(|| value.clone()),
        application: member(element, "applicationName"),
        attribute: member(element, "name"),
        value,
        ..assignment(element)
    }
    .into();
    event.account = account;
}

fn role_event(events: &mut Events<'_>, context: &Context<'_>, set: &str, (old, new): Happening<'_>) {
    let element = new.or(old).and_then(Value::as_object);
    let row = context.assignment_of(set, element, new.is_some());
    let (category, event_type) = match (set, new.is_some()) {
        (ASSIGNED_ROLES, true) => ("AssignedRole", "AssignedRoleAdded"),
        (ASSIGNED_ROLES, false) => ("AssignedRole", "AssignedRoleRemoved"),
        (_, true) => ("DetectedRole", "DetectedRoleAdded"),
        (_, false) => ("DetectedRole", "DetectedRoleRemoved"),
    };
    let event = events.own(EventTable::Identity, category, event_type);
    let name = member(element, "name");
    event.property_name = Some(set.to_owned());
    put(event, new.is_some(), name.clone().or_else(|| new.or(old).and_then(text)));
    event.identity_entitlement_id = member(row, "id");
    circumstances(event, row);
    event.qry = Searchable { item_id: member(element, "id"), item_name: name, ..assignment(row) }.into();
}

fn differ_in_roles_only(old: Option<&Value>, new: Option<&Value>) -> bool {
    other_preferences(old).eq(other_preferences(new))
}

fn other_preferences(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.filter(|(name, _)| !ROLE_PREFERENCES.contains(&name.as_str()))
}

/// The value stands on the side where it is: new if it came, old if it went.
fn put(event: &mut NewEvent, added: bool, value: Option<String>) {
    if added {
        event.new_value = value;
    } else {
        event.old_value = value;
    }
}

/// The requests that a row of entitlements names.
fn circumstances(event: &mut NewEvent, row: Option<&Map<String, Value>>) {
    event.request_item_id = member(row, "requestItemId");
    event.identity_request_id = member(row, "identityRequestId");
    event.pending_request_item_id = member(row, "pendingRequestItemId");
}

fn assignment(row: Option<&Map<String, Value>>) -> Searchable {
    Searchable {
        actor: member(row, "assigner"),
        cause: member(row, "source"),
        assignment_id: member(row, "assignmentId"),
        ..Searchable::default()
    }
}

fn account_columns(element: Option<&Value>) -> AccountColumns {
    let element = element.and_then(Value::as_object);
    AccountColumns {
        account_id: member(element, "id"),
        app_instance: member(element, "instance"),
        app_id: member(element, "applicationId"),
        native_id: member(element, "nativeIdentity"),
        app_name: member(element, "applicationName"),
        display_name: member(element, "displayName"),
    }
}

/// What elements of one set say about elements of another.
struct Context<'i> {
    old: Lookup<'i>,
    new: Lookup<'i>,
    /// Roles that came or went, in any set.
    roles_told: HashSet<RoleName>,
    /// The same by set, and whether they came.
    roles_told_by_set: HashSet<(&'i str, bool, RoleName)>,
}

/// An identity's roles are named by id, in rows without one by name.
#[derive(PartialEq, Eq, Hash, Clone)]
enum RoleName {
    Id(String),
    Name(String),
}

#[derive(Default)]
struct Lookup<'i> {
    /// By application, instance and native identity.
    accounts: HashMap<[Option<String>; 3], &'i Value>,
    /// By set and role id or name.
    assignments: HashMap<(String, String), &'i Map<String, Value>>,
}

impl<'i> Context<'i> {
    fn new(old: &'i Image, new: &'i Image, changes: &'i [PropertyChange<'i>]) -> Self {
        let touches = |names: &[&str]| changes.iter().any(|change| names.contains(&change.property.as_str()));
        let lookup = |image: &'i Image| Lookup {
            accounts: if touches(&["entitlements"]) { accounts(image) } else { HashMap::new() },
            assignments: if touches(&[ASSIGNED_ROLES, DETECTED_ROLES]) {
                assignments(image)
            } else {
                HashMap::new()
            },
        };
        let mut context = Self {
            old: lookup(old),
            new: lookup(new),
            roles_told: HashSet::new(),
            roles_told_by_set: HashSet::new(),
        };
        for change in changes {
            match (change.property.as_str(), &change.elements) {
                // A row that came with the role says more than an older one for the same role.
                (ROLE_ASSIGNMENTS, Some(elements)) => {
                    context.new.assignments.extend(elements.added.iter().flat_map(|row| keyed(row)));
                }
                (set @ (ASSIGNED_ROLES | DETECTED_ROLES), Some(elements)) => {
                    context.tell(set, true, &elements.added);
                    context.tell(set, false, &elements.removed);
                }
                _ => {}
            }
        }
        context
    }

    fn tells_roles(&self) -> bool {
        !self.roles_told.is_empty()
    }

    fn tell(&mut self, set: &'i str, came: bool, roles: &[&Value]) {
        for role in roles.iter().filter_map(|role| role.as_object()) {
            let id = member(Some(role), "id").map(RoleName::Id);
            let name = member(Some(role), "name").map(RoleName::Name);
            for role in [id, name].into_iter().flatten() {
                self.roles_told.insert(role.clone());
                self.roles_told_by_set.insert((set, came, role));
            }
        }
    }

    /// The account columns of an entitlement: its own, completed from the account that holds it.
    fn account_of(&self, element: &Map<String, Value>, added: bool) -> AccountColumns {
        let key = ["applicationId", "instance", "nativeIdentity"].map(|name| member(Some(element), name));
        let lookup = if added { &self.new } else { &self.old };
        let holder = account_columns(lookup.accounts.get(&key).copied());
        let [app_id, app_instance, native_id] = key;
        AccountColumns {
            account_id: holder.account_id,
            app_instance,
            app_id,
            native_id,
            app_name: member(Some(element), "applicationName").or(holder.app_name),
            display_name: holder.display_name,
        }
    }

    /// The row of entitlements that stands for a role that an identity holds.
    fn assignment_of(
        &self,
        set: &str,
        role: Option<&Map<String, Value>>,
        added: bool,
    ) -> Option<&'i Map<String, Value>> {
        let lookup = if added { &self.new } else { &self.old };
        ["id", "name"]
            .into_iter()
            .find_map(|name| lookup.assignments.get(&(set.to_owned(), member(role, name)?)).copied())
    }

    /// Whether a role's own event tells what this element of [`ROLE_ASSIGNMENTS`] or [`ROLE_METADATA`] would.
    fn is_told(&self, property: &str, (old, new): Happening<'_>) -> bool {
        let element = new.or(old).and_then(Value::as_object);
        let id = member(element, "roleId").map(RoleName::Id);
        let Some(role) = id.or_else(|| member(element, "roleName").map(RoleName::Name)) else { return false };
        if property == ROLE_METADATA {
            return self.roles_told.contains(&role);
        }
        let set = member(element, "name").unwrap_or_default();
        old.is_some() != new.is_some()
            && self.roles_told_by_set.contains(&(set.as_str(), new.is_some(), role))
    }
}

fn elements<'i>(image: &'i Image, field: &str) -> impl Iterator<Item = &'i Value> {
    image.image_fields.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn accounts(image: &Image) -> HashMap<[Option<String>; 3], &Value> {
    elements(image, "accounts")
        .map(|element| {
            let columns = account_columns(Some(element));
            ([columns.app_id, columns.app_instance, columns.native_id], element)
        })
        .collect()
}

fn assignments(image: &Image) -> HashMap<(String, String), &Map<String, Value>> {
    elements(image, ROLE_ASSIGNMENTS).flat_map(keyed).collect()
}

/// A row of role assignments by role id and by role name.
fn keyed(row: &Value) -> impl Iterator<Item = ((String, String), &Map<String, Value>)> {
    let set = member(row.as_object(), "name").unwrap_or_default();
    ["roleId", "roleName"].into_iter().filter_map(move |name| {
        let row = row.as_object()?;
        Some(((set.clone(), member(Some(row), name)?), row))
    })
}
