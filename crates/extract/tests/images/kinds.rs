//! `type` of an image property, and the transformer `cast`, which reads values in the same way.

use serde_json::{Value, json};

use crate::lab::{becomes, fails};

/// What each `type` makes of a value; `null` at the end means that the field is left out.
#[test]
fn every_type_reads_what_means_the_same() {
    let cases = [
        ("auto", json!([1, "x"]), json!([1, "x"])),
        ("auto", json!({"a": 1}), json!({"a": 1})),
        ("string", json!("x"), json!("x")),
        ("string", json!(42), json!("42")),
        ("string", json!(true), json!("true")),
        ("integer", json!(42), json!(42)),
        ("integer", json!(" 42 "), json!(42)),
        ("integer", json!("-9223372036854775808"), json!(i64::MIN)),
        ("integer", json!(true), json!(1)),
        ("float", json!(1.5), json!(1.5)),
        ("float", json!(3), json!(3)),
        ("float", json!("2.5"), json!(2.5)),
        ("boolean", json!(true), json!(true)),
        ("boolean", json!(0), json!(false)),
        ("boolean", json!(1), json!(true)),
        ("boolean", json!("TRUE"), json!(true)),
        ("boolean", json!("false"), json!(false)),
        ("boolean", json!("1"), json!(true)),
        // IdentityIQ writes false as an empty element.
        ("boolean", json!(" "), json!(false)),
        ("date", json!(1_767_225_600_000_i64), json!(1_767_225_600_000_i64)),
        ("date", json!("1767225600000"), json!(1_767_225_600_000_i64)),
        ("list", json!(["a"]), json!(["a"])),
        ("list", json!("a"), json!(["a"])),
        ("list", json!({"a": 1}), json!([{"a": 1}])),
        ("map", json!({"a": 1}), json!({"a": 1})),
        ("reference", json!("boss"), json!({"name": "boss"})),
        (
            "reference",
            json!({"id": "1", "name": "boss", "class": "Identity"}),
            json!({"id": "1", "name": "boss"}),
        ),
    ];
    for (kind, value, expected) in cases {
        assert_eq!(becomes(&format!("type: {kind}"), value.clone()), expected, "{kind} of {value}");
        if kind != "auto" {
            let cast =
                format!("propertyTransformerConfigDescriptors: [{{type: cast, args: {{to: {kind}}}}}]");
            assert_eq!(becomes(&cast, value.clone()), expected, "cast of {value} to {kind}");
        }
    }
}

/// No value has no type: the field is left out.
#[test]
fn null_is_no_value_of_any_type() {
    for kind in ["auto", "string", "integer", "float", "boolean", "date", "list", "map", "reference"] {
        assert_eq!(becomes(&format!("type: {kind}"), Value::Null), Value::Null, "{kind}");
    }
}

/// A value that cannot be cast is a failure that names the field and both types, and shows nothing of the value.
#[test]
fn a_value_of_another_type_is_a_named_failure() {
    let cases = [
        ("string", json!(["secret"]), "a list cannot be cast to string"),
        ("string", json!({"secret": 1}), "a map cannot be cast to string"),
        ("integer", json!("secret"), "text cannot be cast to integer"),
        ("integer", json!("1.5"), "text cannot be cast to integer"),
        ("integer", json!(1.5), "a number cannot be cast to integer"),
        ("integer", json!("9223372036854775808"), "text cannot be cast to integer"),
        ("integer", json!(["1"]), "a list cannot be cast to integer"),
        ("float", json!("secret"), "text cannot be cast to float"),
        ("float", json!("NaN"), "text cannot be cast to float"),
        ("float", json!(true), "a boolean cannot be cast to float"),
        ("boolean", json!("secret"), "text cannot be cast to boolean"),
        ("boolean", json!(2), "a number cannot be cast to boolean"),
        ("boolean", json!([]), "a list cannot be cast to boolean"),
        ("date", json!("2026-01-01"), "text cannot be cast to date"),
        ("map", json!("secret"), "text cannot be cast to map"),
        ("map", json!([{}]), "a list cannot be cast to map"),
        ("reference", json!(["secret"]), "a list cannot be cast to reference"),
    ];
    for (kind, value, expected) in cases {
        let expected = format!("field `name`: {expected}");
        assert_eq!(fails(&format!("type: {kind}"), value.clone()), expected);
        let cast = format!("propertyTransformerConfigDescriptors: [{{type: cast, args: {{to: {kind}}}}}]");
        assert_eq!(fails(&cast, value), expected);
    }
}
