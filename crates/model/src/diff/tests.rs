use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::canonical_bytes;

fn image(fields: Value) -> Image {
    let Value::Object(image_fields) = fields else { panic!("fields are an object") };
    Image { image_fields, image_type: "identity".to_owned() }
}

fn schema() -> ImageSchema {
    let keyed =
        |key: &[&str]| Collection { key: key.iter().map(ToString::to_string).collect(), ordered: false };
    ImageSchema {
        collections: BTreeMap::from([
            ("entitlements".to_owned(), keyed(&["id"])),
            ("classifications".to_owned(), keyed(&["id", "source"])),
            ("steps".to_owned(), Collection { key: Vec::new(), ordered: true }),
        ]),
        insignificant: ["lastRefresh", "attributes.lastLogon"].map(str::to_owned).into(),
    }
}

/// The operations as JSON, after checking that they make the new image from the old one.
fn operations(old: &Image, new: &Image) -> Value {
    let difference = diff(old, new, &schema());
    let mut document = serde_json::to_value(old).unwrap();
    json_patch::patch(&mut document, &difference.operations).unwrap();
    assert_eq!(document, serde_json::to_value(new).unwrap());
    serde_json::to_value(&difference.operations).unwrap()
}

/// The changes as (property, old, new).
fn changes(old: &Image, new: &Image) -> Vec<(String, Value, Value)> {
    let value = |value: Option<&Value>| value.cloned().unwrap_or(Value::Null);
    diff(old, new, &schema())
        .changes
        .into_iter()
        .map(|change| (change.property, value(change.old), value(change.new)))
        .collect()
}

fn element_lists(old: &Image, new: &Image) -> (Vec<Value>, Vec<Value>, Vec<(Value, Value)>) {
    let difference = diff(old, new, &schema());
    assert_eq!(difference.changes.len(), 1);
    let elements = difference.changes[0].elements.clone().expect("a set");
    (
        elements.added.into_iter().cloned().collect(),
        elements.removed.into_iter().cloned().collect(),
        elements.changed.into_iter().map(|(old, new)| (old.clone(), new.clone())).collect(),
    )
}

#[test]
fn equal_images_differ_in_nothing() {
    let same = image(json!({"name": "ann", "entitlements": [{"id": "1"}]}));
    assert_eq!(operations(&same, &same.clone()), json!([]));
    assert!(changes(&same, &same.clone()).is_empty());
}

#[test]
fn one_entitlement_in_the_middle_is_one_operation() {
    let entitlement = |id: u32| json!({"id": format!("{id:03}"), "value": format!("cn={id}")});
    let old =
        image(json!({"entitlements": (0..40).filter(|id| *id != 17).map(entitlement).collect::<Vec<_>>()}));
    let new = image(json!({"entitlements": (0..40).map(entitlement).collect::<Vec<_>>()}));
    assert_eq!(
        operations(&old, &new),
        json!([{"op": "add", "path": "/imageFields/entitlements/17", "value": {"id": "017", "value": "cn=17"}}])
    );
    assert_eq!(element_lists(&old, &new), (vec![json!({"id": "017", "value": "cn=17"})], vec![], vec![]));
    assert_eq!(operations(&new, &old), json!([{"op": "remove", "path": "/imageFields/entitlements/17"}]));
    assert_eq!(element_lists(&new, &old), (vec![], vec![json!({"id": "017", "value": "cn=17"})], vec![]));
}

#[test]
fn what_goes_goes_from_the_back_and_what_comes_comes_from_the_front() {
    let old = image(json!({"groups": ["a", "c", "e", "g"]}));
    let new = image(json!({"groups": ["b", "c", "f", "g"]}));
    assert_eq!(
        operations(&old, &new),
        json!([
            {"op": "remove", "path": "/imageFields/groups/2"},
            {"op": "remove", "path": "/imageFields/groups/0"},
            {"op": "add", "path": "/imageFields/groups/0", "value": "b"},
            {"op": "add", "path": "/imageFields/groups/2", "value": "f"},
        ])
    );
}

#[test]
fn a_changed_element_changes_member_by_member() {
    let old = image(json!({"entitlements": [{"id": "1", "assigned": false, "source": "LCM"}, {"id": "2"}]}));
    let new = image(json!({"entitlements": [{"id": "1", "assigned": true}, {"id": "2"}]}));
    assert_eq!(
        operations(&old, &new),
        json!([
            {"op": "replace", "path": "/imageFields/entitlements/0/assigned", "value": true},
            {"op": "remove", "path": "/imageFields/entitlements/0/source"},
        ])
    );
    let (added, removed, changed) = element_lists(&old, &new);
    assert!(added.is_empty() && removed.is_empty());
    assert_eq!(
        changed,
        [(json!({"id": "1", "assigned": false, "source": "LCM"}), json!({"id": "1", "assigned": true}))]
    );
}

#[test]
fn a_key_of_two_members_tells_elements_apart() {
    let old = image(json!({"classifications": [{"id": "c", "source": "a"}, {"id": "c", "source": "b"}]}));
    let new = image(json!({"classifications": [{"id": "c", "source": "b"}, {"id": "c", "source": "d"}]}));
    assert_eq!(
        element_lists(&old, &new),
        (vec![json!({"id": "c", "source": "d"})], vec![json!({"id": "c", "source": "a"})], vec![])
    );
}

/// Attribute values that share a name are told apart as wholes: `name` is no key there.
#[test]
fn a_name_that_two_elements_share_is_no_key() {
    let old = image(
        json!({"externalAttributes": [{"name": "site", "value": "A"}, {"name": "site", "value": "B"}]}),
    );
    let new = image(
        json!({"externalAttributes": [{"name": "site", "value": "B"}, {"name": "site", "value": "C"}]}),
    );
    assert_eq!(
        element_lists(&old, &new),
        (vec![json!({"name": "site", "value": "C"})], vec![json!({"name": "site", "value": "A"})], vec![])
    );
}

#[test]
fn the_order_of_a_set_means_nothing_and_that_of_a_list_does() {
    let old = image(json!({"groups": ["a", "b", "c"], "steps": ["x", "y", "z"]}));
    let new = image(json!({"groups": ["b", "c", "a"], "steps": ["z", "x", "y"]}));
    assert_eq!(
        operations(&old, &new),
        json!([
            {"op": "remove", "path": "/imageFields/groups/0"},
            {"op": "add", "path": "/imageFields/groups/2", "value": "a"},
            {"op": "remove", "path": "/imageFields/steps/2"},
            {"op": "add", "path": "/imageFields/steps/0", "value": "z"},
        ])
    );
    assert_eq!(changes(&old, &new), [("steps".to_owned(), json!(["x", "y", "z"]), json!(["z", "x", "y"]))]);
}

#[test]
fn members_of_the_attribute_map_are_properties() {
    let old = image(json!({"attributes": {"department": "IT", "groups": "a", "lastLogon": 1, "mail": null}}));
    let new = image(
        json!({"attributes": {"department": "HR", "groups": ["a", "b"], "lastLogon": 2, "phone": "7"}}),
    );
    assert_eq!(
        changes(&old, &new),
        [
            ("attributes.department".to_owned(), json!("IT"), json!("HR")),
            ("attributes.groups".to_owned(), json!("a"), json!(["a", "b"])),
            ("attributes.phone".to_owned(), Value::Null, json!("7")),
        ]
    );
    let difference = diff(&old, &new, &schema());
    let groups = difference.changes[1].elements.as_ref().expect("a set");
    assert_eq!((groups.added.clone(), groups.removed.len()), (vec![&json!("b")], 0));
    operations(&old, &new);
}

#[test]
fn an_attribute_map_that_comes_is_told_member_by_member() {
    let old = image(json!({"attributes": null}));
    let new = image(json!({"attributes": {"department": "HR"}}));
    assert_eq!(changes(&old, &new), [("attributes.department".to_owned(), Value::Null, json!("HR"))]);
    assert_eq!(
        operations(&old, &new),
        json!([{"op": "replace", "path": "/imageFields/attributes", "value": {"department": "HR"}}])
    );
    let without = image(json!({}));
    assert_eq!(changes(&new, &without), [("attributes.department".to_owned(), json!("HR"), Value::Null)]);
    operations(&new, &without);
}

#[test]
fn absent_null_and_empty_are_one_and_insignificant_fields_do_not_count() {
    let old = image(json!({"email": null, "groups": [], "lastRefresh": 1}));
    let new = image(json!({"description": null, "lastRefresh": 2}));
    assert!(changes(&old, &new).is_empty());
    assert_eq!(
        operations(&old, &new),
        json!([
            {"op": "add", "path": "/imageFields/description", "value": null},
            {"op": "remove", "path": "/imageFields/email"},
            {"op": "remove", "path": "/imageFields/groups"},
            {"op": "replace", "path": "/imageFields/lastRefresh", "value": 2},
        ])
    );
}

#[test]
fn names_with_slash_and_tilde_are_escaped() {
    let old = image(json!({"attributes": {"a/b": 1, "m~n": 1, "": 1, "-": 1}}));
    let new = image(json!({"attributes": {"a/b": 2, "m~n": 2, "": 2, "-": 2}}));
    assert_eq!(
        operations(&old, &new),
        json!([
            {"op": "replace", "path": "/imageFields/attributes/", "value": 2},
            {"op": "replace", "path": "/imageFields/attributes/-", "value": 2},
            {"op": "replace", "path": "/imageFields/attributes/a~1b", "value": 2},
            {"op": "replace", "path": "/imageFields/attributes/m~0n", "value": 2},
        ])
    );
}

/// 200,000 entitlements, the first of which goes: the bound is far above a linear walk in an unoptimised build and far
/// below anything that compares each with each.
#[test]
fn a_long_list_is_compared_in_linear_time() {
    let entitlement = |id: u32| json!({"id": format!("{id:06}"), "value": format!("cn=group {id}")});
    let all: Vec<Value> = (0..200_000).map(entitlement).collect();
    let old = image(json!({"entitlements": all}));
    let new = image(json!({"entitlements": all[1..]}));
    let changed_ends = {
        let mut list = all[1..].to_vec();
        list[0]["value"] = json!("other");
        list[199_998]["value"] = json!("other");
        image(json!({"entitlements": list}))
    };
    let begun = Instant::now();
    assert_eq!(diff(&old, &new, &schema()).operations.len(), 1);
    assert_eq!(diff(&old, &changed_ends, &schema()).operations.len(), 3);
    assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
}

/// So many elements come and go that a patch would move the list thousands of times.
#[test]
fn a_list_that_changed_in_too_many_places_is_replaced_as_a_whole() {
    let list = |offset: u32| (0..20_000_u32).map(|n| n * 2 + offset * (n % 2)).collect::<Vec<_>>();
    let (old, new) = (image(json!({"groups": list(0)})), image(json!({"groups": list(1)})));
    let difference = diff(&old, &new, &schema());
    assert_eq!(difference.operations.len(), 1);
    let elements = difference.changes[0].elements.as_ref().expect("a set");
    assert_eq!((elements.added.len(), elements.removed.len()), (10_000, 10_000));
    operations(&old, &new);
}

/// A name of a megabyte on the way to 40,000 changes: an operation for each would repeat it, 40 GB in all.
#[test]
fn no_operations_are_collected_where_names_are_too_long() {
    let name = "n".repeat(1 << 20);
    let list = |to: u32| (0..40_000_u32).map(|id| json!({"id": id, "v": to})).collect::<Vec<_>>();
    let old = image(json!({"attributes": {&name: list(0)}, "other": 1}));
    let new = image(json!({"attributes": {&name: list(1)}, "other": 2}));
    let difference = diff(&old, &new, &schema());
    assert_eq!(difference.operations, []);
    assert_eq!(difference.changes.len(), 2);
    let elements = difference.changes[0].elements.as_ref().expect("a set");
    assert_eq!(elements.changed.len(), 40_000);
    // Twelve of them fit.
    let twelve = [&list(1)[..12], &list(0)[12..]].concat();
    let few = image(json!({"attributes": {&name: twelve}, "other": 1}));
    assert_eq!(diff(&old, &few, &schema()).operations.len(), 12);
}

/// Values nested and wide enough to reach every branch, from so few words that keys, elements and names coincide.
fn any_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "",
        "a",
        "b",
        "a/b",
        "m~n",
        "~1",
        "-",
        "0",
        "é",
        "😀",
        "id",
        "name",
        "attributes",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner.clone(), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            prop::collection::vec((0_u8..6, inner), 0..6).prop_map(|elements| {
                let element = |(id, value)| json!({"id": format!("k{id}"), "source": id % 2, "value": value});
                Value::Array(elements.into_iter().map(element).collect())
            }),
        ]
    })
}

fn any_image() -> impl Strategy<Value = Image> {
    let names =
        ["entitlements", "classifications", "steps", "attributes", "a/b", "m~n", "ünï", "", "lastRefresh"];
    prop::collection::btree_map(prop::sample::select(names.to_vec()), any_value(), 0..7).prop_map(|fields| {
        Image {
            image_fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            image_type: "identity".to_owned(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The patch gives the new image back, to the byte.
    #[test]
    fn a_patch_gives_the_new_image_back(old in any_image(), new in any_image()) {
        let mut document = serde_json::to_value(&old).unwrap();
        json_patch::patch(&mut document, &diff(&old, &new, &schema()).operations).unwrap();
        prop_assert_eq!(canonical_bytes(&document), canonical_bytes(&serde_json::to_value(&new).unwrap()));
    }

    /// One element more, wherever it stands and whatever the others are, is one operation and one added element.
    #[test]
    fn one_element_more_is_one_operation(keys in prop::collection::btree_set(0_u16..500, 1..60), at: prop::sample::Index) {
        let element = |key: &u16| json!({"id": format!("{key:03}"), "value": {"n": key}});
        let all: Vec<Value> = keys.iter().map(element).collect();
        let mut fewer = all.clone();
        let taken = fewer.remove(at.index(all.len()));
        let (old, new) = (image(json!({"entitlements": fewer})), image(json!({"entitlements": all})));
        prop_assert_eq!(diff(&old, &new, &schema()).operations.len(), 1);
        prop_assert_eq!(element_lists(&old, &new), (vec![taken], vec![], vec![]));
    }
}
