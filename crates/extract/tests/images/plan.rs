//! Which fields an image has, and what has to be loaded for them.

use std::collections::BTreeSet;

use annals_config::extract::ExtractedObject;
use annals_extract::ImagePlan;
use serde_json::{Value, json};

use crate::lab::{fields, plan, plan_of};

/// Everything that the profile has.
fn everything() -> Value {
    json!({
        "name": "ann", "age": 42, "seen": 7, "tags": ["a", "b"], "manager": {"id": "1"},
        "attributes": {"costCenter": "K1"}, "groups": [{"id": "g"}], "steps": [{"id": "s"}]
    })
}

fn names(plan: &ImagePlan) -> Vec<String> {
    fields(plan, everything()).as_object().unwrap().keys().cloned().collect()
}

fn loaded(plan: &ImagePlan) -> Vec<&str> {
    plan.properties().iter().map(String::as_str).collect()
}

/// `*` brings what no other line names; a line that names a property decides over it alone.
#[test]
fn a_star_brings_all_that_no_other_line_names() {
    let plan = plan("- {property: \"*\"}\n- {property: name, name: login}\n- {attribute: costCenter}");
    assert_eq!(
        names(&plan),
        ["age", "attributes", "costCenter", "groups", "login", "manager", "seen", "steps", "tags"]
    );
    assert_eq!(fields(&plan, everything())["costCenter"], "K1");
    assert_eq!(loaded(&plan), ["age", "attributes", "groups", "manager", "name", "seen", "steps", "tags"]);
}

/// Only what an image needs is loaded: the attribute map for an attribute, and the parts of a composite key.
#[test]
fn only_what_is_needed_is_loaded() {
    assert_eq!(loaded(&plan("- {property: age}")), ["age"]);
    assert_eq!(loaded(&plan("- {attribute: costCenter}")), ["attributes"]);
    let key = "- {name: k, propertyTransformerConfigDescriptors: [{type: compositeKey, args: {properties: [name, age]}}]}";
    assert_eq!(loaded(&plan(key)), ["age", "name"]);
    let constant = "- {name: k, propertyTransformerConfigDescriptors: [{type: constant, args: {value: 1}}]}";
    assert_eq!(loaded(&plan(constant)), Vec::<&str>::new());
}

/// The extract configuration narrows down what the transform would take.
#[test]
fn include_and_exclude_narrow_an_image_down() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let of = |include: &[&str], exclude: &[&str]| {
        let extracted =
            ExtractedObject { include: list(include), exclude: list(exclude), ..Default::default() };
        plan_of(
            "- {property: \"*\"}\n- {property: name, name: login}\n- {attribute: costCenter}
- {name: origin, propertyTransformerConfigDescriptors: [{type: constant, args: {value: north}}]}",
            &extracted,
        )
    };
    // What a line makes by itself is read from nowhere, so there is nothing to leave out.
    assert_eq!(names(&of(&["name", "age"], &[])), ["age", "login", "origin"]);
    assert_eq!(loaded(&of(&["name", "age"], &[])), ["age", "name"]);
    assert_eq!(names(&of(&["costCenter"], &[])), ["costCenter", "origin"]);
    assert_eq!(
        names(&of(&[], &["name", "attributes", "groups"])),
        ["age", "costCenter", "manager", "origin", "seen", "steps", "tags"]
    );
    assert_eq!(names(&of(&["name", "age"], &["name"])), ["age", "origin"]);
}

/// IIQ-03: what is not significant stands in the image and in its full hash, but not in the smart one.
#[test]
fn insignificant_fields_are_in_the_full_hash_alone() {
    let plan = plan("- {property: \"*\"}\n- {property: seen, significant: false}");
    let hashes = |name: &str, seen: Value| {
        let made = crate::lab::make(&plan, json!({"name": name, "seen": seen})).unwrap();
        assert_eq!(made.image.image_fields.contains_key("seen"), !seen.is_null());
        made.hashes
    };
    let (first, touched, changed) =
        (hashes("ann", json!(1)), hashes("ann", json!(2)), hashes("bea", json!(1)));
    assert_ne!(first.full, touched.full);
    assert_eq!(first.smart, touched.smart);
    assert_ne!(first.smart, changed.smart);
    assert_ne!(first.full, first.smart);
    // Without the field both hashes are over the same bytes, and the smart one is what it always is.
    let unseen = hashes("ann", Value::Null);
    assert_eq!(unseen.full, unseen.smart);
    assert_eq!(unseen.smart, first.smart);
    assert_eq!(plan.schema().insignificant, BTreeSet::from(["seen".to_owned()]));
}

/// The hashes are SHA-256 over the canonical bytes: expected value from
/// `printf '{"imageFields":{"age":42,"name":"ann"},"imageType":"identity"}' | sha256sum`.
#[test]
fn the_hash_is_over_the_canonical_bytes() {
    let made =
        crate::lab::make(&plan("- {property: name}\n- {property: age}"), json!({"name": "ann", "age": 42}))
            .unwrap();
    assert_eq!(made.bytes, br#"{"imageFields":{"age":42,"name":"ann"},"imageType":"identity"}"#);
    assert_eq!(made.hashes.full, "4CC3B441B829D18FAF5655720BCAE61FF1E9F8F4");
    assert_eq!(made.hashes.smart, made.hashes.full);
}

/// No value and no field mean the same, at every depth; an empty text, list or map is a value.
#[test]
fn what_has_no_value_is_left_out() {
    let plan = plan("- {property: \"*\"}");
    let properties = json!({
        "name": "", "age": null, "tags": [], "manager": {"id": "1", "name": null},
        "attributes": {"a": null, "b": {"c": null}}, "groups": []
    });
    assert_eq!(
        fields(&plan, properties),
        json!({"name": "", "tags": [], "manager": {"id": "1"}, "attributes": {"b": {}}, "groups": []})
    );
}
