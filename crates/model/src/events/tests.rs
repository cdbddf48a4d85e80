mod governance;
mod identity;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::{AccountColumns, Collection, ImageSchema, diff};

const OLD: &str = "0000000000000000000000000000c001";
const NEW: &str = "0000000000000000000000000000c002";

fn image(object_type: ObjectType, fields: &Value) -> Image {
    let Value::Object(image_fields) = fields.clone() else { panic!("fields are an object") };
    Image { image_fields, image_type: object_type.as_str().to_owned() }
}

fn schema() -> ImageSchema {
    let by_id = Collection { key: vec!["id".to_owned()], ordered: false };
    let names =
        ["accounts", "entitlements", "assignedRoles", "detectedRoles", "roleAssignments", "capabilities"];
    let mut collections: BTreeMap<String, Collection> =
        names.map(|name| (name.to_owned(), by_id.clone())).into_iter().collect();
    let key = vec!["roleId".to_owned(), "name".to_owned()];
    collections.insert("roleMetadata".to_owned(), Collection { key, ordered: false });
    ImageSchema { collections, insignificant: ["lastRefresh".to_owned()].into() }
}

/// Derives events of object `o1`, named `Object One`, of the identity Ann.
fn derive(object_type: ObjectType, transition: Transition<'_>) -> Vec<NewEvent> {
    let key = ObjectKey { source: Arc::from("hr"), object_type, object_id: "o1".to_owned() };
    let ann = Reference { id: "i-ann".to_owned(), name: "ann".to_owned() };
    let discovered = matches!(transition, Transition::Discovered(_));
    let subject = Subject {
        key: &key,
        name: "Object One",
        identity: (object_type != ObjectType::Identity).then_some(&ann),
        recorded_ms: 2_000,
        effective_ms: 1_000,
        prev_capture_id: (!discovered).then_some(OLD),
        capture_id: NEW,
    };
    let mut count = 0;
    derive_events(&subject, transition, &mut || {
        count += 1;
        format!("{count:032}")
    })
}

fn discovered(object_type: ObjectType, new: Value) -> Vec<NewEvent> {
    derive(object_type, Transition::Discovered(&image(object_type, &new)))
}

fn changed(object_type: ObjectType, old: Value, new: Value) -> Vec<NewEvent> {
    let (old, new) = (image(object_type, &old), image(object_type, &new));
    let difference = diff(&old, &new, &schema());
    derive(object_type, Transition::Changed { old: &old, new: &new, changes: &difference.changes })
}

/// Type, property, old and new value.
fn told(events: &[NewEvent]) -> Vec<(&str, &str, &str, &str)> {
    events
        .iter()
        .map(|event| {
            (
                event.event_type,
                event.property_name.as_deref().unwrap_or("-"),
                event.old_value.as_deref().unwrap_or("-"),
                event.new_value.as_deref().unwrap_or("-"),
            )
        })
        .collect()
}

fn only(events: Vec<NewEvent>) -> NewEvent {
    assert_eq!(events.len(), 1, "{:?}", told(&events));
    events.into_iter().next().unwrap()
}

/// The searchable properties, `-` for none.
fn qry(event: &NewEvent) -> [&str; 10] {
    std::array::from_fn(|slot| event.qry[slot].as_deref().unwrap_or("-"))
}

#[test]
fn roles_workgroups_and_managed_attributes_have_timelines_of_their_own() {
    let cases = [
        (ObjectType::Role, EventTable::Role, "Role", ["RoleDiscovered", "RoleChanged", "RoleDeleted"]),
        (
            ObjectType::Workgroup,
            EventTable::Workgroup,
            "Workgroup",
            ["WorkgroupDiscovered", "WorkgroupChanged", "WorkgroupDeleted"],
        ),
        (
            ObjectType::ManagedAttribute,
            EventTable::Mattr,
            "ManagedAttribute",
            ["ManagedAttributeDiscovered", "ManagedAttributeChanged", "ManagedAttributeDeleted"],
        ),
    ];
    for (object_type, table, category, types) in cases {
        let member = |id: &str| json!({"id": id, "name": format!("Name {id}")});
        let old = json!({"description": "old", "members": [member("m1"), member("m2")]});
        let new = json!({"description": "new", "members": [member("m2"), member("m3")]});
        let events: Vec<NewEvent> = [
            discovered(object_type, old.clone()),
            changed(object_type, old, new),
            derive(object_type, Transition::Deleted),
        ]
        .concat();
        assert_eq!(
            told(&events),
            [
                (types[0], "-", "-", "-"),
                (types[1], "description", "old", "new"),
                (types[1], "members", r#"{"id":"m1","name":"Name m1"}"#, "-"),
                (types[1], "members", "-", r#"{"id":"m3","name":"Name m3"}"#),
                (types[2], "-", "-", "-"),
            ]
        );
        assert!(events.iter().all(|event| event.table == table && event.category == category));
        assert!(events.iter().all(|event| event.entity_id == "o1" && event.entity_name == "Object One"));
        assert_eq!(qry(&events[3])[..2], ["m3", "Name m3"]);
    }
}

#[test]
fn a_managed_attribute_names_its_application() {
    let fields = |name: &str| {
        json!({"application": {"id": "app1", "name": "Directory"}, "attribute": "memberOf", "value": "cn=admins",
               "displayName": name})
    };
    let event = only(changed(ObjectType::ManagedAttribute, fields("Admins"), fields("Administrators")));
    assert_eq!(qry(&event), ["-", "-", "Directory", "memberOf", "cn=admins", "-", "-", "-", "-", "-"]);
    let account = event.account.unwrap();
    assert_eq!((account.app_id.as_deref(), account.app_name.as_deref()), (Some("app1"), Some("Directory")));
}

#[test]
fn a_change_from_a_capture_that_cannot_be_read_is_told_without_a_property() {
    let event = only(derive(ObjectType::Identity, Transition::ChangedFromUnreadable));
    assert_eq!((event.event_type, event.property_name), ("IdentityChanged", None));
    assert_eq!(derive(ObjectType::Role, Transition::ChangedFromUnreadable).len(), 1);
    assert!(derive(ObjectType::Account, Transition::ChangedFromUnreadable).is_empty());
}

/// An account without an identity has no timeline to be told on.
#[test]
fn what_belongs_to_nobody_makes_no_event() {
    let key = ObjectKey {
        source: Arc::from("hr"),
        object_type: ObjectType::PolicyViolation,
        object_id: "v".to_owned(),
    };
    let subject = Subject {
        key: &key,
        name: "v",
        identity: None,
        recorded_ms: 2,
        effective_ms: 1,
        prev_capture_id: None,
        capture_id: NEW,
    };
    let active = image(ObjectType::PolicyViolation, &json!({"active": true, "status": "Open"}));
    assert!(derive_events(&subject, Transition::Discovered(&active), &mut String::new).is_empty());
}
