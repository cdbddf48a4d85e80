use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

const KEY: &[u8] = b"0123456789abcdef";
const CIPHER: &str = "1:ACP:QUJDREVGR0hJSktMTU5PUFFSU1Q=";

fn policy() -> SecretPolicy {
    SecretPolicy::new(["password", "Answer"], KEY).unwrap()
}

fn masked(mut value: Value, context: &str) -> Value {
    policy().mask(&mut value, context);
    value
}

fn mask(digest: &str) -> Value {
    json!({"_masked": true, "changed": digest})
}

fn is_mask(value: &Value) -> bool {
    value["_masked"] == true && value["changed"].as_str().is_some_and(|digest| digest.len() == 16)
}

#[test]
fn encrypted_text_is_told_by_its_shape() {
    for text in [
        CIPHER,
        "1:QUJDREVGR0hJSktMTU5P",
        "12:ACP:abcdefghijABCDEFGHIJ",
        "0:01234567890123456789",
        "3:ACP:++++////====abcdEFGH",
        " 1:QUJDREVGR0hJSktMTU5P\n",
    ] {
        assert!(is_encrypted(text), "{text}");
    }
    for text in [
        "",
        "1",
        "1:",
        ":QUJDREVGR0hJSktMTU5P",
        "1:ACP:",
        "1:ACP:abcdefghijABCDEFGHI",
        "1:abcdefghijABCDEFGHI",
        "a:QUJDREVGR0hJSktMTU5P",
        "1:ACX:QUJDREVGR0hJSktMTU5P",
        "1:QUJDREVGR0hJSktMTU5P!",
        "1:QUJDREVG R0hJSktMTU5P",
        "1:QUJDREVGR0hJSktMTU5Pé",
        "1::QUJDREVGR0hJSktMTU5P",
        "-1:QUJDREVGR0hJSktMTU5P",
        "\u{661}:QUJDREVGR0hJSktMTU5P",
        "QUJDREVGR0hJSktMTU5PQUJDREVGR0hJSktMTU5P",
    ] {
        assert!(!is_encrypted(text), "{text}");
    }
}

/// The digests were worked out with another implementation of HMAC-SHA256.
#[test]
fn a_mask_is_a_keyed_digest() {
    assert_eq!(
        masked(json!({"password": "hunter2"}), "object-1"),
        json!({"password": mask("7161f1bbbdd6c49a")})
    );
    assert_eq!(
        masked(json!({"password": "hunter2"}), "object-2"),
        json!({"password": mask("a511794f54a9eca5")})
    );
    assert_eq!(masked(json!({"answer": "hunter2"}), "object-1"), json!({"answer": mask("3fec28caeb86fdae")}));
    assert_eq!(
        masked(json!({"attributes": {"note": CIPHER, "city": "Rome"}}), "object-1"),
        json!({"attributes": {"note": mask("6ad86f7e65c05a40"), "city": "Rome"}})
    );
}

#[test]
fn a_changed_secret_changes_its_mask_and_an_unchanged_one_does_not() {
    let first = masked(json!({"password": "hunter2"}), "o");
    assert_eq!(masked(json!({"password": "hunter2"}), "o"), first);
    assert_ne!(masked(json!({"password": "hunter3"}), "o"), first);
    assert_ne!(masked(json!({"password": ["hunter2"]}), "o"), first);
    let other_key = SecretPolicy::new(["password"], b"another key of more bytes").unwrap();
    let mut other = json!({"password": "hunter2"});
    other_key.mask(&mut other, "o");
    assert_ne!(other, first);
}

#[test]
fn equal_secrets_cannot_be_linked() {
    let places =
        json!({"password": CIPHER, "answer": CIPHER, "a": CIPHER, "b": {"a": CIPHER, "password": CIPHER}});
    let mut digests = HashSet::new();
    for context in ["o1", "o2", "o", ""] {
        let found = masked(places.clone(), context);
        for pointer in ["/password", "/answer", "/a", "/b/a", "/b/password"] {
            digests.insert(found.pointer(pointer).unwrap()["changed"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(digests.len(), 20);
}

#[test]
fn a_secret_keeps_its_mask_when_its_neighbours_move() {
    let before = masked(json!({"list": ["a", CIPHER]}), "o");
    let after = masked(json!({"list": ["new", "a", CIPHER]}), "o");
    assert_eq!(before["list"][1], after["list"][2]);
    assert!(is_mask(&before["list"][1]));
}

#[test]
fn names_match_in_any_case_and_whole() {
    let policy = SecretPolicy::new(["password", "Geheimwört"], KEY).unwrap();
    for name in ["password", "PASSWORD", "Password", "geheimwört", "GEHEIMWÖRT"] {
        assert!(policy.is_secret_name(name), "{name}");
    }
    for name in ["passwor", "passwordExpires", "", "userPassword"] {
        assert!(!policy.is_secret_name(name), "{name}");
    }
}

#[test]
fn a_secret_of_any_kind_is_masked_but_null() {
    for secret in [json!(""), json!(0), json!(false), json!([]), json!({"a": 1})] {
        assert!(is_mask(&masked(json!({"answer": secret}), "o")["answer"]), "{secret}");
    }
    assert_eq!(masked(json!({"answer": null}), "o"), json!({"answer": null}));
}

#[test]
fn an_element_about_a_secret_attribute_keeps_only_names() {
    let request =
        json!({"_type": "AttributeRequest", "name": "Password", "op": "Set", "value": "hunter2hunter2"});
    let found = masked(json!({"plan": [request]}), "o");
    assert_eq!(found["plan"][0]["op"], "Set");
    assert_eq!(found["plan"][0]["name"], "Password");
    assert!(is_mask(&found["plan"][0]["value"]));
    let metadata = json!({"_type": "AttributeMetaData", "attribute": "answer", "user": "spadmin",
        "children": [{"_type": "LastValue", "children": ["my first cat"]}]});
    let found = masked(metadata, "o");
    assert!(is_mask(&found["children"]));
    assert!(is_mask(&found["user"]));
    let found = masked(json!({"_type": "password", "text": "hunter2"}), "o");
    assert!(is_mask(&found["text"]));
}

#[test]
fn a_pair_of_name_and_value_is_masked_in_its_value() {
    let found = masked(json!({"name": "answer", "value": "my first cat", "order": 3}), "o");
    assert!(is_mask(&found["value"]));
    assert_eq!((&found["name"], &found["order"]), (&json!("answer"), &json!(3)));
}

#[test]
fn what_is_no_secret_is_left_alone() {
    let plain = json!({"name": "Ann", "ref": {"_type": "Reference", "id": "a1", "name": "password"},
        "when": "12:30", "n": [1, null, true, "1:short"], "passwordChanged": 17});
    assert_eq!(masked(plain.clone(), "o"), plain);
}

#[test]
fn a_member_name_that_looks_encrypted_is_replaced() {
    let found = masked(json!({"a": 1, CIPHER: "x"}), "o");
    assert!(!found.to_string().contains("QUJDREVG"));
    assert_eq!(found.as_object().unwrap().len(), 2);
    assert_eq!(found["a"], 1);
}

#[test]
fn a_column_is_masked_by_its_name() {
    let policy = policy();
    let mut column = json!("hunter2");
    policy.mask_member("password", &mut column, "object-1");
    assert_eq!(column, mask("7161f1bbbdd6c49a"));
    let mut column = json!({"note": CIPHER});
    policy.mask_member("attributes", &mut column, "object-1");
    assert_eq!(column, json!({"note": mask("6ad86f7e65c05a40")}));
    assert_eq!(policy.masked("password", &json!("hunter2"), "object-1"), mask("7161f1bbbdd6c49a"));
}

#[test]
fn a_short_key_is_refused_and_no_key_is_shown() {
    let error = SecretPolicy::new(["password"], b"short").unwrap_err();
    assert_eq!(error, KeyTooShort { bytes: 5 });
    let shown = format!("{:?}", policy());
    assert!(shown.contains("password") && !shown.contains("0123456789"), "{shown}");
}

/// Secrets in capitals and signs, which nothing else in a document below is made of.
fn secret() -> impl Strategy<Value = String> {
    "[A-Z+/]{20,60}"
}

/// A document with secrets in it, and the secrets.
fn document() -> impl Strategy<Value = (Value, Vec<String>)> {
    let leaf = prop_oneof![
        "[a-z0-9 ]{0,12}".prop_map(|text| (json!(text), vec![])),
        any::<i32>().prop_map(|number| (json!(number), vec![])),
        secret().prop_map(|secret| (json!(format!("1:ACP:{secret}")), vec![secret])),
        secret().prop_map(|secret| (json!(format!("7:{secret}==")), vec![secret])),
        secret().prop_map(|secret| (json!({"passWord": secret}), vec![secret])),
        secret().prop_map(|secret| (json!({"answer": [1, {"a": secret}]}), vec![secret])),
        secret().prop_map(|secret| {
            (
                json!({"_type": "Argument", "name": "password", "x": {"y": [secret]}, "text": secret}),
                vec![secret],
            )
        }),
        secret().prop_map(|secret| (json!({format!("1:{secret}"): 1}), vec![secret])),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        let gather = |parts: Vec<(Value, Vec<String>)>| -> (Vec<Value>, Vec<String>) {
            let (values, secrets): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            (values, secrets.concat())
        };
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(move |parts| {
                let (values, secrets) = gather(parts);
                (Value::Array(values), secrets)
            }),
            proptest::collection::vec(("[a-z]{1,6}", inner), 0..5).prop_map(move |members| {
                let (names, parts): (Vec<_>, Vec<_>) = members.into_iter().unzip();
                let (values, secrets) = gather(parts);
                (Value::Object(names.into_iter().zip(values).collect()), secrets)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_part_of_a_secret_survives((mut value, secrets) in document(), context in any::<String>()) {
        policy().mask(&mut value, &context);
        let output = value.to_string();
        for secret in secrets {
            for start in 0..=secret.len() - 8 {
                prop_assert!(!output.contains(&secret[start..start + 8]), "{output}");
            }
        }
    }

    #[test]
    fn any_text_is_judged_without_panic(text in any::<String>(), tail in "[0-9:ACPa-z=]{0,40}") {
        let _ = is_encrypted(&text);
        // The same rule by another route: split at the colons.
        let parts: Vec<&str> = tail.split(':').collect();
        let base64 = |text: &str| text.len() >= 20;
        let alias = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let expected = match parts[..] {
            [key, body] => alias(key) && base64(body),
            [key, "ACP", body] => alias(key) && base64(body),
            _ => false,
        };
        prop_assert_eq!(is_encrypted(&tail), expected);
    }
}
