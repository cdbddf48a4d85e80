//! Sets and ordered lists in images, and the caps on size and depth.

use serde_json::{Value, json};

use crate::lab::{fields, make, make_within, plan};

/// An attribute's values are a set, because a system writes them in any order, and one value as often alone as in a
/// list; `ordered: true` keeps them as they are.
#[test]
fn attribute_values_are_sets_unless_their_order_means_something() {
    let attributes =
        json!({"attributes": {"langs": ["sv", "en", "sv"], "one": ["x"], "maps": [{"b": 1}, {"a": 1}]}});
    let sets = plan("- {property: attributes}\n- {attribute: langs}\n- {attribute: one}");
    assert_eq!(
        fields(&sets, attributes.clone()),
        json!({
            "attributes": {"langs": ["en", "sv"], "one": "x", "maps": [{"a": 1}, {"b": 1}]},
            "langs": ["en", "sv"], "one": "x"
        })
    );
    let ordered = plan(
        "- {property: attributes, ordered: true}\n- {attribute: langs, ordered: true}\n- {attribute: one, ordered: true}",
    );
    assert_eq!(
        fields(&ordered, attributes.clone()),
        json!({"attributes": attributes["attributes"], "langs": ["sv", "en", "sv"], "one": ["x"]})
    );
}

/// IIQ-03: the order of a multi-valued attribute, or of a column that is a list, changes neither hash.
#[test]
fn order_that_means_nothing_changes_no_hash() {
    let plan = plan("- {property: \"*\"}");
    let hashes = |tags: Value, langs: Value| {
        make(&plan, json!({"tags": tags, "attributes": {"langs": langs}})).unwrap().hashes
    };
    let one = hashes(json!(["a", "b"]), json!(["en", "sv"]));
    assert_eq!(hashes(json!(["b", "a"]), json!(["sv", "en"])), one);
    assert_ne!(hashes(json!(["a"]), json!(["sv", "en"])), one);
}

/// Child rows arrive sorted from the source; a transformer may disturb that, so they are sorted once more by what is
/// left of their key.
#[test]
fn collections_stay_sets_after_transformers() {
    let groups =
        json!({"groups": [{"id": "2", "name": "a", "level": 9}, {"id": "10", "name": "b", "level": 1}]});
    let masked = |transformers: &str| {
        let plan =
            plan(&format!("- {{property: groups, propertyTransformerConfigDescriptors: [{transformers}]}}"));
        (fields(&plan, groups.clone())["groups"].clone(), plan.schema().collections["groups"].key.clone())
    };
    // Ids are text: 10 comes before 2.
    assert_eq!(
        masked("{type: rename, args: {members: {id: key}}}"),
        (
            json!([{"key": "10", "name": "b", "level": 1}, {"key": "2", "name": "a", "level": 9}]),
            vec!["key".to_owned()]
        )
    );
    // Without the key the whole element tells one from another.
    assert_eq!(
        masked("{type: subset, args: {members: [level]}}"),
        (json!([{"level": 1}, {"level": 9}]), Vec::new())
    );
    assert_eq!(
        masked("{type: reference}"),
        (json!([{"id": "10", "name": "b"}, {"id": "2", "name": "a"}]), vec!["id".to_owned()])
    );
}

/// A collection that the profile orders, or a property that the transform calls ordered, keeps its order.
#[test]
fn ordered_collections_keep_their_order() {
    let plan = plan(
        "- {property: steps, propertyTransformerConfigDescriptors: [{type: subset, args: {members: [name]}}]}
- {property: groups, ordered: true, propertyTransformerConfigDescriptors: [{type: reference}]}",
    );
    let properties = json!({
        "steps": [{"id": "1", "name": "z"}, {"id": "2", "name": "a"}, {"id": "3", "name": "z"}],
        "groups": [{"id": "2"}, {"id": "1"}]
    });
    assert_eq!(
        fields(&plan, properties),
        json!({"steps": [{"name": "z"}, {"name": "a"}, {"name": "z"}], "groups": [{"id": "2"}, {"id": "1"}]})
    );
    for name in ["steps", "groups"] {
        assert!(plan.schema().collections[name].ordered, "{name}");
    }
}

/// The cap is on the image's canonical bytes: as many as it says pass, one more is a failure that says how many.
#[test]
fn an_image_past_the_cap_on_bytes_is_a_named_failure() {
    let plan = plan("- {property: name}");
    // {"imageFields":{"name":"ann"},"imageType":"identity"} has 53 bytes.
    let image = || json!({"name": "ann"});
    assert!(make_within(&plan, image(), 53, 20).is_ok());
    let error = make_within(&plan, image(), 52, 20).unwrap_err().to_string();
    assert_eq!(error, "the image has 53 bytes, more than limits.documentBytesMax = 52");
}

/// Depth counts the lists and maps within a field.
#[test]
fn an_image_past_the_cap_on_depth_is_a_named_failure() {
    let plan = plan("- {property: attributes}");
    let image = || json!({"attributes": {"a": {"b": [{"c": 1}, {"c": 2}]}}});
    assert!(make_within(&plan, image(), 1_000, 4).is_ok());
    let error = make_within(&plan, image(), 1_000, 3).unwrap_err().to_string();
    assert_eq!(error, "the image nests deeper than limits.nestingMax = 3");
}
