use crate::attribute_xml::{Limits, XmlError, parse, parse_json};
use proptest::prelude::*;
use serde_json::Value;

/// A text of markup in no order, to come further into the decoder than random characters do.
fn markup() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("<Map>"),
        Just("</Map>"),
        Just("<entry key='a' value='&#xA;b'/>"),
        Just("<entry key='a'>"),
        Just("</entry>"),
        Just("<value>"),
        Just("</value>"),
        Just("<List>"),
        Just("</List>"),
        Just("<String>"),
        Just("</String>"),
        Just("<Boolean/>"),
        Just("<Date>12</Date>"),
        Just("<null/>"),
        Just("<x y=\"\u{a0}\u{20ac}\">"),
        Just("</x>"),
        Just("&amp;"),
        Just("&"),
        Just("&#1;"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("<!--"),
        Just("-->"),
        Just("<!DOCTYPE a ["),
        Just("]>"),
        Just("<?xml"),
        Just("?>"),
        Just("text"),
        Just(" "),
        Just("\""),
        Just("\u{feff}"),
    ];
    proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

/// A JSON value of the shapes that lists, maps and scalars can express, for the way there and back.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~\u{a0}-\u{ff}\u{1f600}\n\t\r]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-z<&\"'\n]{0,6}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for found in text.chars() {
        match found {
            '<' | '>' | '&' | '"' | '\'' | '\n' | '\r' | '\t' => {
                out.push_str(&format!("&#{};", u32::from(found)))
            }
            _ => out.push(found),
        }
    }
    out
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => "<null/>".to_owned(),
        Value::Bool(flag) => format!("<Boolean>{flag}</Boolean>"),
        Value::Number(number) => format!("<Long>{number}</Long>"),
        Value::String(text) => format!("<String>{}</String>", escaped(text)),
        Value::Array(items) => format!("<List>{}</List>", items.iter().map(written).collect::<String>()),
        Value::Object(members) => {
            let entries = members.iter().map(|(key, value)| match value {
                Value::String(text) => {
                    format!("<entry key=\"{}\" value=\"{}\"/>", escaped(key), escaped(text))
                }
                other => format!("<entry key=\"{}\"><value>{}</value></entry>", escaped(key), written(other)),
            });
            format!("<Map>{}</Map>", entries.collect::<String>())
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse(&text, &Limits::default());
        let _ = parse_json(&text, &Limits::default());
    }

    #[test]
    fn no_markup_panics(text in markup()) {
        let _ = parse(&text, &Limits::default());
        let _ = parse(&format!("<Map>{text}</Map>"), &Limits::default());
    }

    #[test]
    fn no_json_like_text_panics(text in "[\\[\\]{}\"\\\\u0-9eE+.,: -]{0,40}") {
        // What the plain parser takes, this one takes too, unless it holds the null character.
        let plain = serde_json::from_str::<Value>(&text);
        match parse_json(&text, &Limits::default()) {
            Err(XmlError::NotJson(_)) => prop_assert!(plain.is_err()),
            Err(XmlError::IllegalCharacter { .. }) => prop_assert!(text.contains("u0000")),
            Err(other) => prop_assert!(false, "{other}"),
            Ok(_) => {}
        }
    }

    #[test]
    fn a_tree_comes_back_from_its_xml(value in tree()) {
        prop_assert_eq!(parse(&written(&value), &Limits::default()).unwrap(), value);
    }
}
