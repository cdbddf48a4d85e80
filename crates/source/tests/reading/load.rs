//! What objects look like when they are loaded.

use std::collections::BTreeSet;

use annals_model::ObjectType::Identity;
use annals_model::Reference;
use annals_source::{Error, Selection};
use serde_json::{Value, json};

use crate::lab::{BYTES_MAX, DOCUMENT_BYTES_MAX, Lab, load, load_one, property};
use crate::staff;

/// IIQ-05: an object with all its parts, the same on every engine.
#[tokio::test]
async fn an_object_is_loaded_with_all_its_parts() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let ann = load_one(&source, Identity, "a1").await;
        assert_eq!((ann.id.as_str(), ann.name.as_str()), ("a1", "Ann"));
        assert_eq!(ann.identity, Some(Reference { id: "a1".to_owned(), name: "Ann".to_owned() }));
        // Her own change is 2000, that of her newest account 7000.
        assert_eq!(ann.occurred_ms, 7000);
        let rating = 1.5;
        let expected = json!({
            "name": "Ann", "department": "IT", "inactive": false, "isInactive": false, "age": 41, "ageText": "41",
            "salary": if lab.db.engine() == annals_testkit::Engine::Sqlite { "100.5" } else { "100.50" },
            "rating": rating, "lastLogin": 1_769_853_600_000_i64, "hired": 1_769_853_600_000_i64,
            "attributes": {"x": "1"},
            "settings": {"a": null, "b": [1, 2]}, "nicks": ["annie", "the boss"],
            "origin": {"system": "lab"},
            "accounts": [
                {"id": "k1", "application": 10, "title": "Directory", "native": "ann", "locked": false,
                 "attributes": {"mail": "a@x"}},
                {"id": "k2", "application": 20, "title": "Payroll", "native": "ANN", "locked": true},
            ],
            "liveAccounts": [{"id": "k1", "title": "Directory"}],
            "skills": ["rust", "sql"],
            "skillsInOrder": ["sql", "rust", "rust"],
            "grades": [{"skill": "sql", "grade": 2}, {"skill": "rust", "grade": 3}, {"grade": 9}],
        });
        assert_eq!(Value::Object(ann.properties), expected, "{}", lab.db.engine());
    }
}

#[tokio::test]
async fn nulls_are_left_out_and_empty_values_stay_what_they_are() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let cem = load_one(&source, Identity, "c3").await;
        assert_eq!(property(&cem, "inactive"), &json!(false), "a flag");
        assert_eq!(cem.properties.get("isInactive"), None, "a boolean");
        assert_eq!(property(&cem, "lastLogin"), &json!(-1000));
        assert_eq!(property(&cem, "hired"), &json!(0));
        assert_eq!(cem.properties.get("attributes"), None, "empty XML");
        assert_eq!(cem.properties.get("settings"), None, "empty JSON");
        assert_eq!(cem.properties.get("nicks"), None);
        let manager = json!({"id": "a1", "name": "Ann", "class": "lab.Person"});
        assert_eq!(property(&cem, "manager"), &manager);
        assert_eq!(cem.occurred_ms, 1500);

        let bob = load_one(&source, Identity, "b2").await;
        assert_eq!(property(&bob, "nicks"), &json!([]), "empty text is an empty list");
        assert_eq!(property(&bob, "accounts"), &json!([]));
        assert_eq!(property(&bob, "inactive"), &json!(true));

        // A reference to somebody who is not there keeps its id.
        let dee = load_one(&source, Identity, "d4").await;
        assert_eq!(property(&dee, "manager"), &json!({"id": "zz", "class": "lab.Person"}));

        // Without a name the id stands in; the manager's manager is found by a join on a join.
        let nameless = load_one(&source, Identity, "f6").await;
        assert_eq!(nameless.name, "f6");
        assert_eq!(nameless.identity.as_ref().map(|identity| identity.name.as_str()), Some("f6"));
        assert_eq!(property(&nameless, "grandManager"), &json!("Ann"));
    }
}

/// An object that says nothing about its change happened when it was read.
#[tokio::test]
async fn without_a_change_time_the_time_of_reading_counts() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let before = source.now_ms().await.unwrap();
        let batch = load(&source, Identity, &["d4"]).await;
        let after = source.now_ms().await.unwrap();
        assert!((before..=after).contains(&batch.observed_ms), "{}", lab.db.engine());
        assert_eq!(batch.objects[0].occurred_ms, batch.observed_ms);
    }
}

/// IIQ-05: what is gone, and what is no object of the type any more, is missing; the order is that of the question.
#[tokio::test]
async fn each_id_is_loaded_missing_or_failed_in_the_order_asked_for() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let batch = load(&source, Identity, &["f6", "gone", "a1", "w7", "b2", "a1", "A1"]).await;
        let loaded: Vec<&str> = batch.objects.iter().map(|object| object.id.as_str()).collect();
        assert_eq!(loaded, ["f6", "a1", "b2"], "{}", lab.db.engine());
        assert_eq!(batch.missing, ["gone", "w7", "A1"], "{}", lab.db.engine());
        assert!(batch.failed.is_empty());
        assert!(load(&source, Identity, &[]).await.objects.is_empty());
    }
}

/// The number of queries depends on the profile, not on the number of objects: the clock, the objects, five
/// collections, one `qualifies` rule.
#[tokio::test]
async fn a_batch_takes_the_same_number_of_queries_whatever_its_size() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        assert_eq!(load(&source, Identity, &["a1"]).await.queries, 8);
        let rows: Vec<String> = (0..600).map(|n| format!("('p{n}', {n}, 1)")).collect();
        lab.sql(&format!("insert into Person (id, modified, created) values {};", rows.join(", ")));
        let ids: Vec<String> = (0..600).map(|n| format!("p{n}")).collect();
        let batch = source.load(Identity, &ids, &Selection::All).await.unwrap();
        assert_eq!((batch.objects.len(), batch.queries), (600, 8), "{}", lab.db.engine());
        assert_eq!(batch.objects[599].occurred_ms, 599);
    }
}

#[tokio::test]
async fn only_what_is_selected_is_read() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let selection = |names: &[&str]| {
            Selection::Properties(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())
        };
        let ids = ["a1".to_owned()];
        let batch = source.load(Identity, &ids, &selection(&["skills", "age"])).await.unwrap();
        assert_eq!(
            Value::Object(batch.objects[0].properties.clone()),
            json!({"age": 41, "skills": ["rust", "sql"]})
        );
        assert_eq!(
            batch.objects[0].occurred_ms, 7000,
            "parts that are not selected still tell when it changed"
        );
        assert_eq!(batch.queries, 4);
        let error = source.load(Identity, &ids, &selection(&["age", "agee"])).await.unwrap_err();
        assert!(matches!(&error, Error::NoProperty { properties, .. } if properties == &["agee"]), "{error}");
    }
}

/// A row that cannot be read fails its object, by table and column and without the value; the others arrive.
#[tokio::test]
async fn an_object_that_cannot_be_read_fails_alone_and_by_name() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let long = "x".repeat(BYTES_MAX);
        lab.sql(&format!(
            "update Person set attributes = '<Attributes><Map>hush' where id = 'b2';
             update Person set settings = '{{\"hush\"' where id = 'd4';
             update Person set settings = '[\"{long}\"]' where id = 'e5';
             update Account set attributes = '<a>hush</b>' where id = 'k3';"
        ));
        let source = lab.open().await;
        let batch = load(&source, Identity, &["a1", "b2", "c3", "d4", "e5", "f6"]).await;
        let loaded: Vec<&str> = batch.objects.iter().map(|object| object.id.as_str()).collect();
        assert_eq!(loaded, ["a1", "f6"], "{}", lab.db.engine());
        let expected = [
            ("b2", "person", "attributes: not well-formed at byte"),
            ("c3", "account", "attributes: not well-formed at byte"),
            ("d4", "person", "settings: not json: eof while parsing"),
            (
                "e5",
                "person",
                "settings: the text has 20004 bytes, more than limits.attributebytesmax = 20000",
            ),
        ];
        assert_eq!(batch.failed.len(), expected.len());
        for ((id, problem), (expected_id, table, text)) in batch.failed.iter().zip(expected) {
            assert_eq!(id, expected_id);
            assert!(problem.to_lowercase().contains(&format!("table {table}, column {text}")), "{problem}");
            assert!(!problem.contains("hush"), "{problem}");
        }
    }
}

/// A join that finds several rows for an object is no guess but a failure.
#[tokio::test]
async fn a_join_that_is_not_unique_fails_the_object() {
    let profile = staff::PROFILE
        .replace("{table: person, on: {id: manager.manager}}", "{table: skill, on: {person: id}}");
    let profile = profile.replace("grandManager: grand.name", "grandManager: grand.skill");
    for lab in Lab::all(staff::SCHEMA, &profile) {
        let source = lab.open().await;
        let batch = load(&source, Identity, &["a1", "b2", "c3"]).await;
        let failed = ("a1".to_owned(), "the joins of the profile find more than one row for it".to_owned());
        assert_eq!(batch.failed, [failed], "{}", lab.db.engine());
        assert_eq!(batch.objects.len(), 2);
        assert_eq!(property(&batch.objects[1], "grandManager"), &json!("sql"));
    }
}

#[tokio::test]
async fn collections_tell_how_their_elements_are_told_apart() {
    let lab = &Lab::all(staff::SCHEMA, staff::PROFILE)[0];
    let schema = lab.open().await.schema(Identity).unwrap();
    assert_eq!(schema.collections["accounts"].key, ["application", "native"]);
    assert!(!schema.collections["accounts"].ordered);
    assert!(schema.collections["skillsInOrder"].ordered);
    assert!(schema.collections["skills"].key.is_empty());
    assert_eq!(schema.collections.len(), 6);
}

/// A collection of more than a document may have is not read to its end: the object fails by the cap's name.
#[tokio::test]
async fn an_object_with_too_many_parts_is_a_named_failure() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let long = "x".repeat(BYTES_MAX - 200);
        let xml = format!("<Attributes><Map><entry key=\"a\" value=\"{long}\"/></Map></Attributes>");
        let rows: Vec<String> =
            (0..6).map(|n| format!("('z{n}', 'a1', 10, 'z{n}', '{xml}', {{false}})")).collect();
        lab.sql(&format!(
            "insert into Account (id, person, application, native, attributes, locked) values {};",
            rows.join(", ")
        ));
        let source = lab.open().await;
        let batch = load(&source, Identity, &["a1", "b2"]).await;
        let problem = format!("it has more than limits.documentBytesMax = {DOCUMENT_BYTES_MAX} bytes");
        assert_eq!(batch.failed, [("a1".to_owned(), problem)], "{}", lab.db.engine());
        assert_eq!(batch.objects.len(), 1);
    }
}
