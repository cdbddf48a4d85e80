//! Differences worked out by hand, and random ones against a model.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn key(object_type: ObjectType, id: &str) -> ObjectKey {
    ObjectKey { source: "hr".into(), object_type, object_id: id.to_owned() }
}

fn state(object_type: ObjectType, fields: &Value) -> AsOf {
    let image = fields
        .as_object()
        .map(|fields| Image { image_fields: fields.clone(), image_type: object_type.as_str().to_owned() });
    AsOf {
        capture_id: String::new(),
        effective_ms: 0,
        extended_to_ms: None,
        recorded_ms: 0,
        transform_type: "full".to_owned(),
        json_format: "ZIPPED".to_owned(),
        deleted: image.is_none(),
        document: Value::Null,
        image,
    }
}

fn of_one(old: &Value, new: &Value) -> Diff {
    let role = key(ObjectType::Role, "r1");
    let [old, new] = [old, new].map(|fields| state(ObjectType::Role, fields));
    diff((&role, &old), (&role, &new))
}

fn of_two(old: &Value, new: &Value) -> Diff {
    let [one, two] = ["i1", "i2"].map(|id| key(ObjectType::Identity, id));
    let [old, new] = [old, new].map(|fields| state(ObjectType::Identity, fields));
    diff((&one, &old), (&two, &new))
}

/// Change, property, item, before and after of each, as people read them.
fn lines(diff: &Diff) -> Vec<String> {
    let line = |item: &Difference| {
        let cells = item.cells();
        let shown: Vec<String> = cells[..5].iter().map(|cell| plain(cell).replace("null", "-")).collect();
        shown.join(" | ")
    };
    diff.items.iter().map(line).collect()
}

/// What the patch makes of the first fields are the second ones.
fn patched(diff: &Diff, old: &Value) -> Value {
    let mut patched = if old.is_null() { json!({}) } else { old.clone() };
    let patch: json_patch::Patch = serde_json::from_value(Value::Array(diff.patch.clone())).unwrap();
    json_patch::patch(&mut patched, &patch).unwrap();
    patched
}

#[test]
fn one_object_at_two_instants() {
    let old = json!({
        "name": "Clerk", "owner": {"id": "o1", "name": "Ann"}, "disabled": false, "note": "old", "absent": null,
        "attributes": {"rank": 1, "cost": "a", "tags": ["x", "y"]},
        "entitlements": [
            {"id": "e1", "name": "memberOf", "value": "g1"}, {"id": "e2", "name": "memberOf", "value": "g2"},
            {"id": "e3", "name": "memberOf", "value": "g3", "assigned": false}
        ]
    });
    let new = json!({
        "name": "Clerk", "owner": {"id": "o2", "name": "Bob"}, "disabled": false, "since": 5,
        "attributes": {"rank": 2, "tags": "y"},
        "entitlements": [
            {"id": "e3", "name": "memberOf", "value": "g3", "assigned": true}, {"id": "e4", "name": "memberOf", "value": "g4"},
            {"id": "e1", "name": "memberOf", "value": "g1"}
        ]
    });
    let diff = of_one(&old, &new);
    assert_eq!(
        lines(&diff),
        [
            "removed | attributes.cost | - | a | -",
            "changed | attributes.rank | - | 1 | 2",
            "removed | attributes.tags | x | - | -",
            "unchanged | attributes.tags | y | - | -",
            "unchanged | disabled | - | false | false",
            "unchanged | entitlements | memberOf g1 | - | -",
            "removed | entitlements | memberOf g2 | - | -",
            "changed | entitlements | memberOf g3 | {\"assigned\":false} | {\"assigned\":true}",
            "added | entitlements | memberOf g4 | - | -",
            "unchanged | name | - | Clerk | Clerk",
            "removed | note | - | old | -",
            "changed | owner | - | {\"id\":\"o1\",\"name\":\"Ann\"} | {\"id\":\"o2\",\"name\":\"Bob\"}",
            "added | since | - | - | 5",
        ]
    );
    assert_eq!(diff.counts(), Counts { added: 2, removed: 4, changed: 3, unchanged: 4 });
    assert_eq!(patched(&diff, &old), new);
    assert_eq!(diff.clone().told(false).len(), 9);
    let added = diff.items.iter().find(|item| item.item.as_deref() == Some("memberOf g4")).unwrap();
    assert_eq!(
        (&added.old, &added.new),
        (&None, &Some(json!({"id": "e4", "name": "memberOf", "value": "g4"})))
    );
}

#[test]
fn what_was_gone_had_nothing() {
    let there = json!({"name": "Clerk", "tags": ["x"]});
    let diff = of_one(&Value::Null, &there);
    assert_eq!(lines(&diff), ["added | name | - | - | Clerk", "added | tags | x | - | -"]);
    assert_eq!(patched(&diff, &Value::Null), there);
    assert_eq!(lines(&of_one(&there, &Value::Null)).len(), 2);
    assert_eq!(of_one(&Value::Null, &Value::Null), Diff { items: vec![], patch: vec![] });
}

/// A property that becomes a list, or ceases to be one, is told as a whole.
#[test]
fn a_list_is_no_change_of_elements_where_there_was_none() {
    let (old, new) = (json!({"x": {"a": 1}}), json!({"x": ["a"]}));
    assert_eq!(lines(&of_one(&old, &new)), ["changed | x | - | {\"a\":1} | [\"a\"]"]);
    assert_eq!(lines(&of_one(&new, &old)), ["changed | x | - | [\"a\"] | {\"a\":1}"]);
}

/// What one holds and the other does not, by whatever account and row it is.
#[test]
fn two_identities_are_compared_by_what_they_hold() {
    let entitlement = |id: &str, account: &str, value: &str, granted: bool| {
        json!({"id": id, "applicationId": "a1", "applicationName": "AD", "nativeIdentity": account,
               "name": "memberOf", "value": value, "displayName": value.to_uppercase(),
               "assigned": !granted, "grantedByRole": granted})
    };
    let account = |id: &str, name: &str| json!({"id": id, "applicationId": "a1", "applicationName": "AD", "nativeIdentity": name});
    let ann = json!({
        "name": "ann", "department": "IT", "accounts": [account("l1", "ann")],
        "assignedRoles": [{"id": "r1", "name": "Clerk"}, {"id": "r2", "name": "Auditor"}],
        "entitlements": [entitlement("e1", "ann", "g1", false), entitlement("e2", "ann", "g2", false)]
    });
    let bob = json!({
        "name": "bob", "department": "IT", "accounts": [account("l2", "bob"), account("l3", "bob2")],
        "assignedRoles": [{"id": "r2", "name": "Auditor"}],
        "entitlements": [
            entitlement("e3", "bob", "g2", true), entitlement("e4", "bob", "g3", false),
            entitlement("e5", "bob2", "g3", false)
        ]
    });
    let compared = of_two(&ann, &bob);
    assert_eq!(
        lines(&compared),
        [
            "unchanged | account | AD | - | -",
            "unchanged | assignedRole | Auditor | - | -",
            "removed | assignedRole | Clerk | - | -",
            "unchanged | department | - | IT | IT",
            "removed | entitlement | AD memberOf g1 | - | -",
            "changed | entitlement | AD memberOf g2 | {\"accounts\":[\"ann\"],\"acquired\":[\"assigned\"]} | {\"accounts\":[\"bob\"],\"acquired\":[\"granted\"]}",
            "added | entitlement | AD memberOf g3 | - | -",
            "changed | name | - | ann | bob",
        ]
    );
    let added = compared.items.iter().find(|item| item.change == Change::Added).unwrap();
    assert_eq!(added.new.as_ref().unwrap()["accounts"], json!(["bob", "bob2"]));
    assert_eq!(patched(&compared, &ann), bob);
}

/// Properties that are values or sets of keyed elements, each of which is there or not.
fn fields() -> impl Strategy<Value = BTreeMap<String, Option<Property>>> {
    let plain = (0..3_u8).prop_map(Property::Plain);
    let set = prop::collection::btree_map(0..5_u8, 0..2_u8, 0..5).prop_map(Property::Set);
    let one = prop::option::weighted(0.8, prop_oneof![plain, set]);
    let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("attributes.d")];
    prop::collection::btree_map(name.prop_map(str::to_owned), one, 0..5)
}

#[derive(Debug, Clone, PartialEq)]
enum Property {
    Plain(u8),
    Set(BTreeMap<u8, u8>),
}

fn image_of(fields: &BTreeMap<String, Option<Property>>) -> Value {
    let mut image = json!({});
    for (name, property) in fields {
        let value = match property {
            None => Value::Null,
            Some(Property::Plain(value)) => json!(value),
            Some(Property::Set(elements)) => {
                elements.iter().map(|(id, rest)| json!({"id": id, "rest": rest})).collect()
            }
        };
        match name.strip_prefix("attributes.") {
            Some(member) => image["attributes"] = json!({member: value}),
            None => image[name] = value,
        }
    }
    image
}

/// The model: of each property that is a set on both sides, or absent on one, each key is there before, after, or both; any
/// other property is one item.
fn counted(old: &BTreeMap<String, Option<Property>>, new: &BTreeMap<String, Option<Property>>) -> Counts {
    let mut counts = Counts::default();
    let mut count = |before: Option<&str>, after: Option<&str>| match (before, after) {
        (None, None) => {}
        (None, _) => counts.added += 1,
        (_, None) => counts.removed += 1,
        (before, after) if before == after => counts.unchanged += 1,
        _ => counts.changed += 1,
    };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let [before, after] = [old, new].map(|fields| fields.get(name).and_then(Option::as_ref));
        let is_set = |property: Option<&Property>| !matches!(property, Some(Property::Plain(_)));
        // Of attributes one value is a set of one.
        let is_attribute = name.starts_with("attributes.");
        let any_set = [before, after].into_iter().any(|side| matches!(side, Some(Property::Set(_))));
        if any_set && (is_attribute || (is_set(before) && is_set(after))) {
            let elements = |side: Option<&Property>| -> BTreeMap<String, String> {
                match side {
                    None => BTreeMap::new(),
                    Some(Property::Plain(value)) => {
                        BTreeMap::from([(format!("plain {value}"), String::new())])
                    }
                    Some(Property::Set(elements)) => {
                        elements.iter().map(|(id, rest)| (id.to_string(), rest.to_string())).collect()
                    }
                }
            };
            let (before, after) = (elements(before), elements(after));
            for id in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                count(before.get(id).map(String::as_str), after.get(id).map(String::as_str));
            }
        } else {
            let shown = |side: Option<&Property>| side.map(|property| format!("{property:?}"));
            count(shown(before).as_deref(), shown(after).as_deref());
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_states_differ_as_the_model_says(old in fields(), new in fields()) {
        let (before, after) = (image_of(&old), image_of(&new));
        let compared = of_one(&before, &after);
        prop_assert_eq!(compared.counts(), counted(&old, &new), "{} {}", before, after);
        prop_assert_eq!(patched(&compared, &before), after.clone());
        prop_assert_eq!(compared.counts().unchanged, (compared.items.len() - compared.clone().told(false).len()) as u64);
    }
}
