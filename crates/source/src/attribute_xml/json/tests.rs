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
    for text in ["{", "[1,]", "{\"a\"}", "nul", "\"\\", "\"\\ud80\"", "\"\\u+800\"", "[1] 2", "'a'"] {
        assert!(matches!(parse_json(text, &Limits::default()), Err(XmlError::NotJson(_))), "{text}");
    }
}

/// The bytes that stand for halves of pairs: U+D800 would be ED A0 80 in UTF-8, U+DC00 ED B0 80. U+10FF00 (F4 8F BC 80)
/// stands for a byte, so as a character it is written as its own four bytes.
#[test]
fn text_that_databases_refuse_is_kept() {
    assert_eq!(decode(r#"["ab\u0000"]"#), json!(["ab\0"]));
    assert_eq!(decode(r#"["\\u0000"]"#), json!(["\\u0000"]));
    assert_eq!(decode(r#""a\ud800b""#), json!("a\u{10FFED}\u{10FFA0}\u{10FF80}b"));
    assert_eq!(
        decode(r#"{"\uDC00\uD800":1}"#),
        json!({"\u{10FFED}\u{10FFB0}\u{10FF80}\u{10FFED}\u{10FFA0}\u{10FF80}": 1})
    );
    assert_eq!(decode(r#""\ud83c\udfa7 \\ud800""#), json!("🎧 \\ud800"));
    assert_eq!(decode(r#""\udbff\udf00""#), json!("\u{10FFF4}\u{10FF8F}\u{10FFBC}\u{10FF80}"));
    assert_eq!(decode(r#""\ud800\u0041\u00e9""#), json!("\u{10FFED}\u{10FFA0}\u{10FF80}Aé"));
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
