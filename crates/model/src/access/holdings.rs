//! What an identity's image says that it holds, and how it came by it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{AccessItem, AccessKind, Acquired, Holding};
use crate::Image;
use crate::events::{is_set, member};
use crate::text::searchable;

/// The word of the identity system for what a certification brought.
const BY_CERTIFICATION: &str = "Certification";

type Element = Map<String, Value>;

/// What an identity holds by its image: each item with the holding, in the order of the holdings, each of them once. An
/// item that the image lists twice for the same account is held once, in all the ways that the image tells.
#[must_use]
pub fn holdings(image: &Image) -> Vec<(AccessItem, Holding)> {
    let assignments = assignments(image);
    let mut held: Vec<(AccessItem, Holding)> = Vec::new();
    for kind in AccessKind::ALL {
        let (field, of) = source(kind);
        let list = image.image_fields.get(field).and_then(Value::as_array);
        for element in list.into_iter().flatten().filter_map(Value::as_object) {
            held.extend(of(kind, field, element, &assignments));
        }
    }
    held.sort_by(|(_, one), (_, two)| one.cmp(two));
    held.dedup_by(|(_, again), (_, kept)| {
        let same = again.item == kept.item && again.native_identity == kept.native_identity;
        if same {
            merge(kept, again);
        }
        same
    });
    held
}

/// What makes the holding of an element.
type Reading = fn(AccessKind, &str, &Element, &Assignments<'_>) -> Option<(AccessItem, Holding)>;

/// Where an image lists what is of a kind.
fn source(kind: AccessKind) -> (&'static str, Reading) {
    match kind {
        AccessKind::Account => ("accounts", account),
        AccessKind::Entitlement => ("entitlements", entitlement),
        AccessKind::AssignedRole => ("assignedRoles", role),
        AccessKind::DetectedRole => ("detectedRoles", role),
        AccessKind::Capability => ("capabilities", given),
        AccessKind::Workgroup => ("workgroups", given),
    }
}

/// The rows that say how roles were come by, by set, and role id or name.
type Assignments<'i> = HashMap<(&'i str, &'i str), &'i Element>;

fn assignments(image: &Image) -> Assignments<'_> {
    let mut found = HashMap::new();
    let rows = image.image_fields.get("roleAssignments").and_then(Value::as_array);
    for row in rows.into_iter().flatten().filter_map(Value::as_object) {
        let Some(set) = row.get("name").and_then(Value::as_str) else { continue };
        for name in ["roleId", "roleName"] {
            if let Some(role) = row.get(name).and_then(Value::as_str) {
                // Of several the first one counts, and lists of an image have an order of their own.
                found.entry((set, role)).or_insert(row);
            }
        }
    }
    found
}

fn account(
    kind: AccessKind,
    _: &str,
    element: &Element,
    _: &Assignments<'_>,
) -> Option<(AccessItem, Holding)> {
    let item = AccessItem {
        application_id: text(element, "applicationId"),
        application: text(element, "applicationName"),
        instance: text(element, "instance"),
        ..named(kind, None, None)
    };
    let native_identity = text(element, "nativeIdentity");
    let is_told = item.application_id.is_some() || item.application.is_some() || native_identity.is_some();
    is_told.then(|| held(item, native_identity, None, Acquired::default()))
}

fn entitlement(
    kind: AccessKind,
    _: &str,
    element: &Element,
    _: &Assignments<'_>,
) -> Option<(AccessItem, Holding)> {
    let permission = element.get("type").and_then(Value::as_str) == Some("Permission");
    let item = AccessItem {
        application_id: text(element, "applicationId"),
        application: text(element, "applicationName"),
        instance: text(element, "instance"),
        permission,
        attribute: text(element, "name"),
        value: text(element, "value"),
        ..named(kind, None, text(element, "displayName"))
    };
    let ways = Acquired::ASSIGNED
        .only_if(is_set(element.get("assigned")))
        .and(Acquired::GRANTED.only_if(is_set(element.get("grantedByRole"))))
        .and(told(element));
    let ways = if ways == Acquired::default() { Acquired::DETECTED } else { ways };
    let is_told = item.attribute.is_some() || item.value.is_some();
    is_told.then(|| held(item, text(element, "nativeIdentity"), Some(element), ways))
}

fn role(
    kind: AccessKind,
    set: &str,
    element: &Element,
    assignments: &Assignments<'_>,
) -> Option<(AccessItem, Holding)> {
    let names = ["id", "name"].map(|name| element.get(name).and_then(Value::as_str));
    let row = names.into_iter().flatten().find_map(|name| assignments.get(&(set, name)).copied());
    let way = if kind == AccessKind::AssignedRole { Acquired::ASSIGNED } else { Acquired::DETECTED };
    let ways = way.and(row.map(told).unwrap_or_default());
    let item = named(kind, text(element, "id"), text(element, "name"));
    is_named(&item).then(|| held(item, None, row, ways))
}

/// Capabilities and workgroups are given.
fn given(kind: AccessKind, _: &str, element: &Element, _: &Assignments<'_>) -> Option<(AccessItem, Holding)> {
    let item = named(kind, text(element, "id"), text(element, "name"));
    is_named(&item).then(|| held(item, None, None, Acquired::ASSIGNED))
}

fn is_named(item: &AccessItem) -> bool {
    item.id.is_some() || item.name.is_some()
}

/// The ways that a row of entitlements tells of any item.
fn told(row: &Element) -> Acquired {
    let requested = row.get("requestItemId").is_some_and(|id| !id.is_null());
    let certified = row.get("source").and_then(Value::as_str) == Some(BY_CERTIFICATION);
    Acquired::REQUESTED.only_if(requested).and(Acquired::CERTIFIED.only_if(certified))
}

pub(super) fn named(kind: AccessKind, id: Option<String>, name: Option<String>) -> AccessItem {
    AccessItem {
        kind,
        id,
        name,
        application_id: None,
        application: None,
        instance: None,
        permission: false,
        attribute: None,
        value: None,
    }
}

fn held(
    item: AccessItem,
    native_identity: Option<String>,
    row: Option<&Element>,
    acquired: Acquired,
) -> (AccessItem, Holding) {
    let of_row = |name| row.and_then(|row| text(row, name));
    let holding = Holding {
        item: item.number(),
        native_identity,
        acquired,
        cause: of_row("source"),
        assigner: of_row("assigner"),
        request_item_id: of_row("requestItemId"),
    };
    (item, holding)
}

/// A member as a column takes it.
pub(super) fn text(element: &Element, name: &str) -> Option<String> {
    member(Some(element), name).map(|text| searchable(&text).into_owned())
}

/// What is listed twice is held in both ways; of two causes the greater one stands, so that the order does not matter.
fn merge(kept: &mut Holding, again: &mut Holding) {
    kept.acquired = kept.acquired.and(again.acquired);
    let greater = |one: &mut Option<String>, two: &mut Option<String>| {
        if *two > *one {
            std::mem::swap(one, two);
        }
    };
    greater(&mut kept.cause, &mut again.cause);
    greater(&mut kept.assigner, &mut again.assigner);
    greater(&mut kept.request_item_id, &mut again.request_item_id);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held_by(fields: Value) -> Vec<(AccessItem, Holding)> {
        let Value::Object(image_fields) = fields else { panic!("fields are an object") };
        holdings(&Image { image_fields, image_type: "identity".to_owned() })
    }

    /// Kind, name, value, account, ways, cause, assigner and request item of each.
    fn told_of(fields: Value) -> Vec<String> {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let mut told: Vec<String> = held_by(fields)
            .iter()
            .map(|(item, holding)| {
                assert_eq!(holding.item, item.number());
                let ways = holding.acquired.words().join("+");
                format!(
                    "{} {} {} {} {ways} {} {} {}",
                    item.kind.as_str(),
                    shown(&item.name),
                    shown(&item.value),
                    shown(&holding.native_identity),
                    shown(&holding.cause),
                    shown(&holding.assigner),
                    shown(&holding.request_item_id)
                )
            })
            .collect();
        told.sort();
        told
    }

    #[test]
    fn an_image_tells_what_is_held_and_how_it_was_come_by() {
        let fields = json!({
            "name": "ann",
            "accounts": [{"id": "l1", "applicationId": "a1", "applicationName": "AD", "nativeIdentity": "ann"}],
            "entitlements": [
                {"id": "e1", "applicationId": "a1", "applicationName": "AD", "nativeIdentity": "ann",
                 "name": "memberOf", "value": "g1", "displayName": "G1", "type": "Entitlement", "assigned": true,
                 "grantedByRole": false, "source": "LCM", "assigner": "bob", "requestItemId": "ri1"},
                {"id": "e2", "applicationId": "a1", "applicationName": "AD", "nativeIdentity": "ann",
                 "name": "memberOf", "value": "g2", "displayName": "G2", "type": "Entitlement", "assigned": false,
                 "grantedByRole": true, "source": "Rule", "assigner": "System"},
                {"id": "e3", "applicationId": "a1", "applicationName": "AD", "nativeIdentity": "ann",
                 "name": "memberOf", "value": "g3", "displayName": "G3", "type": "Entitlement",
                 "source": "Aggregation"},
                {"id": "e4", "applicationId": "a2", "applicationName": "Files", "nativeIdentity": "a.lee",
                 "name": "/payroll", "value": "read,write", "type": "Permission", "source": "Certification"}
            ],
            "assignedRoles": [{"id": "r1", "name": "Clerk"}, {"id": "r2", "name": "Auditor"}],
            "detectedRoles": [{"id": "r3", "name": "Staff"}],
            "roleAssignments": [
                {"id": "x1", "name": "assignedRoles", "roleId": "r1", "roleName": "Clerk", "source": "LCM",
                 "assigner": "bob", "requestItemId": "ri2"},
                {"id": "x2", "name": "detectedRoles", "roleName": "Staff", "source": "Task"}
            ],
            "capabilities": [{"id": "c1", "name": "Help Desk"}],
            "workgroups": [{"id": "w1", "name": "Approvers"}]
        });
        assert_eq!(
            told_of(fields),
            [
                "account - - ann  - - -",
                "assignedRole Auditor - - assigned - - -",
                "assignedRole Clerk - - assigned+requested LCM bob ri2",
                "capability Help Desk - - assigned - - -",
                "detectedRole Staff - - detected Task - -",
                "entitlement - read,write a.lee certified Certification - -",
                "entitlement G1 g1 ann assigned+requested LCM bob ri1",
                "entitlement G2 g2 ann granted Rule System -",
                "entitlement G3 g3 ann detected Aggregation - -",
                "workgroup Approvers - - assigned - - -",
            ]
        );
    }

    #[test]
    fn a_permission_is_no_attribute_of_the_same_name_and_value() {
        let of_type = |word: &str| {
            let held = held_by(json!({"entitlements": [{"name": "t", "value": "r", "type": word}]}));
            (held[0].0.permission, held[0].1.item)
        };
        let (permission, entitlement) = (of_type("Permission"), of_type("Entitlement"));
        assert_eq!((permission.0, entitlement.0), (true, false));
        assert_ne!(permission.1, entitlement.1);
    }

    /// Two rows for one value of one account: once directly, once through a role.
    #[test]
    fn what_is_listed_twice_is_held_once_in_both_ways() {
        let row = |id: &str, assigned: bool, source: &str| {
            json!({"id": id, "applicationId": "a1", "nativeIdentity": "ann", "name": "g", "value": "v",
                   "assigned": assigned, "grantedByRole": !assigned, "source": source})
        };
        let both = ["entitlement - v ann assigned+granted Rule - -"];
        assert_eq!(told_of(json!({"entitlements": [row("1", true, "LCM"), row("2", false, "Rule")]})), both);
        assert_eq!(told_of(json!({"entitlements": [row("1", false, "Rule"), row("2", true, "LCM")]})), both);
        let other_account =
            json!({"id": "3", "applicationId": "a1", "nativeIdentity": "ann2", "name": "g", "value": "v"});
        let held = held_by(json!({"entitlements": [row("1", true, "LCM"), other_account]}));
        assert_eq!((held.len(), held[0].1.item), (2, held[1].1.item));
    }

    /// A transform may leave members out, or make other values of them.
    #[test]
    fn an_image_of_another_shape_tells_what_it_can() {
        let fields = json!({
            "accounts": [{}], "capabilities": "none", "workgroups": [1, "x", {}, {"name": "Approvers\u{0}"}],
            "entitlements": [{}], "assignedRoles": [{"other": 1}], "roleAssignments": [{"roleName": "R"}, 7]
        });
        assert_eq!(told_of(fields), ["workgroup Approvers - - assigned - - -"]);
    }
}
