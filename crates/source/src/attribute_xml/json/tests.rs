use super::*;
use serde_json::json;

fn decode(text: &str) -> Value {
    parse_json(text, &Limits::default()).unwrap()
}

#[test]
fn json_is_decoded_as_it_stands() {
    assert_eq!(
        decode(r#" {"a": [1, "x", null, true], "b": {}} "#),
        json!({"a": [1, "x", null, true], "b": {}})
    );
    assert_eq!(decode(""), Value::Null);
    assert_eq!(decode("  \n"), Value::Null);
    assert_eq!(decode(r#"{"a": 1, "a": 2}"#), json!({"a": 2}));
}

#[test]
fn numbers_are_kept_exactly() {
    assert_eq!(decode("[9223372036854775807, -9223372036854775808]"), json!([i64::MAX, i64::MIN]));
    assert_eq!(decode("18446744073709551615"), json!(u64::MAX));
    assert_eq!(decode("0.1"), json!(0.1));
    assert_eq!(decode("0.30000000000000004"), json!(0.300_000_000_000_000_04));
    assert_eq!(decode("1.5e300"), json!(1.5e300));
    assert_eq!(decode("0.5000000000000000000"), json!(0.5));
}

#[test]
fn numbers_that_would_be_rounded_are_strings() {
    assert_eq!(
        decode(r#"{"id": 18446744073709551616, "n": 1}"#),
        json!({"id": "18446744073709551616", "n": 1})
    );
    assert_eq!(decode("[-9223372036854775809,2]"), json!(["-9223372036854775809", 2]));
    assert_eq!(decode("0.12345678901234567890"), json!("0.12345678901234567890"));
    assert_eq!(decode("[1e400, 1e-400]"), json!(["1e400", "1e-400"]));
    assert_eq!(decode("1e99999999999999999999"), json!("1e99999999999999999999"));
    // Digits inside a string are no number.
    assert_eq!(decode(r#"["18446744073709551616\"", 1]"#), json!(["18446744073709551616\"", 1]));
}

#[test]
fn what_is_no_number_is_not_made_a_string() {
    for text in ["[00000000000000000000]", "[1-2-3-4-5-6-7-8-9-0]", "[1e]", "[1.2.3.4.5.6.7.8.9]"] {
        assert!(matches!(parse_json(text, &Limits::default()), Err(XmlError::NotJson(_))), "{text}");
    }
}

#[test]
fn broken_text_is_refused() {
    for text in ["{", "[1,]", "{\"a\"}", "nul", "\"\\", "\"\\ud800\"", "[1] 2", "'a'"] {
        assert!(matches!(parse_json(text, &Limits::default()), Err(XmlError::NotJson(_))), "{text}");
    }
}

#[test]
fn the_null_character_is_refused() {
    let error = parse_json(r#"["ab\u0000"]"#, &Limits::default()).unwrap_err();
    assert!(matches!(error, XmlError::IllegalCharacter { code: 0, position: 4 }));
    assert_eq!(decode(r#"["\\u0000"]"#), json!(["\\u0000"]));
}

#[test]
fn nesting_is_capped() {
    let arrays = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse_json(&arrays(100), &Limits::default()).is_ok());
    let error = parse_json(&arrays(101), &Limits::default()).unwrap_err();
    assert!(matches!(error, XmlError::TooDeep { position: 100, nesting_max: 100 }));
    // Brackets inside a string open nothing.
    assert!(parse_json(&format!("\"{}\"", "[".repeat(200)), &Limits::default()).is_ok());
}
