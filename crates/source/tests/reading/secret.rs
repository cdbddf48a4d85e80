//! Secrets do not leave the crate.

use annals_model::ObjectType::Identity;
use serde_json::{Value, json};

use crate::lab::{Lab, filter, load_one, property};

const SCHEMA: &str = "
create table Person (id varchar(32) not null primary key, name varchar(100), pass varchar(100), token varchar(100),
    hint varchar(100), attributes {text}, modified bigint);
create table Answer (person varchar(32), question varchar(100), answer varchar(100), attribute varchar(100), value varchar(100));
insert into Person values
    ('p1', 'password', 'pass-hush', 'token-hush', '1:ACP:aHVzaGh1c2hodXNoaHVzaGh1c2g=',
     '<Attributes><Map><entry key=\"PASSWORD\" value=\"attr-hush\"/><entry key=\"city\" value=\"Bonn\"/></Map></Attributes>', 1),
    ('p2', 'Eve', null, 'token-hush', null, null, 1);
insert into Answer values ('p1', 'q1', 'hush-1', 'password', 'hush-2'), ('p1', 'q2', null, 'city', 'Bonn');
";

const PROFILE: &str = r#"
name: lab
secrets: [password]
objectTypes:
  identity:
    className: lab.Person
    table: person
    name: name
    changed: [modified]
    properties:
      name: name
      password: pass
      token: {column: token, secret: true}
      hint: hint
      attributes: {column: attributes, format: xml}
    collections:
      answers:
        table: answer
        parent: person
        key: [question]
        element: {question: question, answer: {column: answer, secret: true}, attribute: attribute, value: value}
    deletions: none
"#;

fn is_mask(value: &Value) -> bool {
    value["_masked"] == json!(true) && value["changed"].is_string()
}

/// Values of secret names, of properties that the profile marks, of elements about a secret, and whatever looks encrypted.
#[tokio::test]
async fn secrets_are_masked_wherever_they_stand() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        let source = lab.open().await;
        let person = load_one(&source, Identity, "p1").await;
        let text = format!("{person:?}");
        assert!(!text.contains("hush") && !text.contains("aHVzaGh1c2"), "{text}");
        for name in ["password", "token", "hint"] {
            assert!(is_mask(property(&person, name)), "{name}");
        }
        let attributes = property(&person, "attributes");
        assert!(is_mask(&attributes["PASSWORD"]));
        assert_eq!(attributes["city"], "Bonn");
        let answers = property(&person, "answers");
        assert!(is_mask(&answers[0]["answer"]) && is_mask(&answers[0]["value"]), "{answers}");
        assert_eq!(answers[1], json!({"question": "q2", "attribute": "city", "value": "Bonn"}));
        // A property called name is no attribute's name where there is no value beside it.
        assert_eq!(person.name, "password");
    }
}

/// A mask changes with its secret, does not change without, and tells nothing about equal secrets of others.
#[tokio::test]
async fn a_mask_tells_whether_the_secret_changed() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        let source = lab.open().await;
        let (one, two) = (load_one(&source, Identity, "p1").await, load_one(&source, Identity, "p2").await);
        assert_eq!(two.properties.get("password"), None, "no secret, no mask");
        assert_ne!(property(&one, "token"), property(&two, "token"), "equal secrets of two people");
        assert_eq!(one, load_one(&source, Identity, "p1").await);
        lab.sql("update Person set token = 'other' where id = 'p1';");
        let changed = load_one(&source, Identity, "p1").await;
        assert_ne!(property(&one, "token"), property(&changed, "token"));
        assert_eq!(property(&one, "password"), property(&changed, "password"));
    }
}

/// No filter can be used to guess a secret.
#[tokio::test]
async fn a_filter_sees_of_a_secret_only_whether_there_is_one() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        let source = lab.open().await;
        for text in [r#"token == "x""#, r#"password.startsWith("a")"#] {
            let error = source.check_filter(Identity, &filter(text)).unwrap_err().to_string();
            assert!(error.contains("is a secret: it can only be compared with null"), "{error}");
        }
        let ids = crate::lab::qualified(&source, Identity, None, Some(&filter("password == null")), 10).await;
        assert_eq!(ids, ["p2"]);
    }
}
