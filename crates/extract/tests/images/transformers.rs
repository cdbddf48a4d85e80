//! The transformers that `propertyTransformerConfigDescriptors` names.

use serde_json::{Value, json};

use crate::lab::{becomes, fails, fields, fields_of, plan};

fn with(transformer: &str) -> String {
    format!("propertyTransformerConfigDescriptors: [{transformer}]")
}

/// 2026-03-29 was the day on which Berlin's clocks went forward: 1774746000000 is 01:00 UTC (`date -u -d @1774746000`),
/// three o'clock there.
#[test]
fn date_writes_epoch_milliseconds_as_text() {
    let date = |args: &str, value: Value| becomes(&with(&format!("{{type: date{args}}}")), value);
    let forward_ms = json!(1_774_746_000_000_i64);
    assert_eq!(date("", forward_ms.clone()), json!("2026-03-29T01:00:00.000+00:00"));
    assert_eq!(date("", json!("1774745999999")), json!("2026-03-29T00:59:59.999+00:00"));
    let berlin = ", args: {timeZone: Europe/Berlin}";
    assert_eq!(date(berlin, forward_ms.clone()), json!("2026-03-29T03:00:00.000+02:00"));
    assert_eq!(date(berlin, json!(1_774_745_999_999_i64)), json!("2026-03-29T01:59:59.999+01:00"));
    assert_eq!(date(", args: {format: \"%d.%m.%Y\"}", forward_ms), json!("29.03.2026"));
    assert_eq!(date("", Value::Null), Value::Null);
    assert_eq!(
        fails(&with("{type: date}"), json!("yesterday")),
        "field `name`: text is not an instant in the form epoch milliseconds, to be shown in UTC"
    );
    assert_eq!(
        fails(&with("{type: date, args: {timeZone: Europe/Berlin}}"), json!(i64::MAX)),
        "field `name`: a number is not an instant in the form epoch milliseconds, to be shown in Europe/Berlin"
    );
}

#[test]
fn epoch_reads_text_as_epoch_milliseconds() {
    let epoch = |args: &str, value: Value| becomes(&with(&format!("{{type: epoch{args}}}")), value);
    let forward_ms = json!(1_774_746_000_000_i64);
    assert_eq!(epoch("", json!("2026-03-29T03:00:00+02:00")), forward_ms);
    assert_eq!(epoch("", forward_ms.clone()), forward_ms);
    assert_eq!(epoch("", Value::Null), Value::Null);
    // 2026-03-29 00:00 UTC is an hour before.
    assert_eq!(epoch(", args: {format: \"%d.%m.%Y\"}", json!("29.03.2026")), json!(1_774_742_400_000_i64));
    assert_eq!(epoch(", args: {format: \"%Y%m%d %H%M\"}", json!("20260329 0100")), forward_ms);
    assert_eq!(epoch(", args: {format: \"%Y-%m-%d %H:%M %z\"}", json!("2026-03-29 03:00 +0200")), forward_ms);
    assert_eq!(
        fails(&with("{type: epoch}"), json!("29.03.2026")),
        "field `name`: text is not an instant in the form RFC 3339"
    );
    assert_eq!(
        fails(&with("{type: epoch, args: {format: \"%d.%m.%Y\"}}"), json!("2026-03-29")),
        "field `name`: text is not an instant in the form %d.%m.%Y"
    );
    assert_eq!(
        fails(&with("{type: epoch}"), json!(true)),
        "field `name`: a boolean is not an instant in the form RFC 3339"
    );
}

#[test]
fn reference_subset_and_rename_work_on_a_map_and_on_each_map_of_a_list() {
    let boss = json!({"id": "1", "name": "boss", "email": "b@example.com"});
    assert_eq!(becomes(&with("{type: reference}"), boss.clone()), json!({"id": "1", "name": "boss"}));
    assert_eq!(
        becomes(&with("{type: reference, args: {members: [email]}}"), boss.clone()),
        json!({"email": "b@example.com"})
    );
    let subset = with("{type: subset, args: {members: [id, email]}}");
    assert_eq!(becomes(&subset, boss.clone()), json!({"id": "1", "email": "b@example.com"}));
    assert_eq!(
        becomes(&subset, json!([boss, "plain"])),
        json!([{"id": "1", "email": "b@example.com"}, "plain"])
    );
    let rename = with("{type: rename, args: {members: {email: mail}}}");
    assert_eq!(becomes(&rename, boss.clone()), json!({"id": "1", "name": "boss", "mail": "b@example.com"}));
    assert_eq!(
        becomes(&rename, json!([boss])),
        json!([{"id": "1", "name": "boss", "mail": "b@example.com"}])
    );
    for transformer in [&subset, &rename, &with("{type: reference}")] {
        assert_eq!(becomes(transformer, json!("plain")), json!("plain"));
        assert_eq!(becomes(transformer, Value::Null), Value::Null);
    }
}

/// What is masked changes its mask when it changes, and cannot be linked between objects.
#[test]
fn mask_hides_a_value_and_tells_that_it_changed() {
    let plan = plan("- {property: name, propertyTransformerConfigDescriptors: [{type: mask}]}");
    let mask = |id: &str, value: &str| fields_of(&plan, id, json!({"name": value}))["name"].clone();
    let masked = mask("p1", "hunter2");
    assert_eq!(masked["_masked"], true);
    assert_eq!(masked.as_object().unwrap().len(), 2);
    assert!(!masked.to_string().contains("hunter2"));
    assert_eq!(mask("p1", "hunter2"), masked);
    assert_ne!(mask("p1", "hunter3"), masked);
    assert_ne!(mask("p2", "hunter2"), masked);
    assert_eq!(becomes(&with("{type: mask}"), Value::Null), Value::Null);
}

/// A constant stands whatever the object holds, a composite key takes properties that the image need not have.
#[test]
fn constant_and_composite_key_make_values_of_their_own() {
    let plan = plan(
        "- {name: origin, propertyTransformerConfigDescriptors: [{type: constant, args: {value: {site: north, floor: 3}}}]}
- {name: key, propertyTransformerConfigDescriptors: [{type: compositeKey, args: {properties: [name, age, manager]}}]}
- {name: dashed, propertyTransformerConfigDescriptors: [{type: compositeKey, args: {properties: [age, name], separator: ' - '}}]}",
    );
    assert_eq!(
        fields(&plan, json!({"name": "ann", "age": 42})),
        json!({"origin": {"site": "north", "floor": 3}, "key": "ann|42|", "dashed": "42 - ann"})
    );
}

/// Expected value from `printf abc | sha256sum`, cut to 40 digits; that of a list from `printf '["a",1]' | sha256sum`.
#[test]
fn hash_is_sha_256_of_the_value() {
    let hash = with("{type: hash}");
    assert_eq!(becomes(&hash, json!("abc")), json!("BA7816BF8F01CFEA414140DE5DAE2223B00361A3"));
    assert_eq!(becomes(&hash, json!(["a", 1])), json!("135F17A475A61AFDEEAF3759AD2E45AD1C7ABB19"));
    assert_eq!(becomes(&hash, Value::Null), Value::Null);
}

/// Transformers work one after the other, each on what the one before made.
#[test]
fn transformers_work_in_the_order_in_which_they_stand() {
    let chain = with("{type: cast, args: {to: list}}, {type: cast, args: {to: list}}");
    assert_eq!(becomes(&chain, json!("a")), json!(["a"]));
    let chain = with("{type: rename, args: {members: {id: key}}}, {type: subset, args: {members: [key]}}");
    assert_eq!(becomes(&chain, json!({"id": "1", "name": "x"})), json!({"key": "1"}));
    let chain = with("{type: subset, args: {members: [key]}}, {type: rename, args: {members: {id: key}}}");
    assert_eq!(becomes(&chain, json!({"id": "1", "name": "x"})), json!({}));
    // The type is read before the first transformer.
    let chain = format!("type: integer, {}", with("{type: date, args: {format: \"%Y\"}}"));
    assert_eq!(becomes(&chain, json!("1774746000000")), json!("2026"));
}
