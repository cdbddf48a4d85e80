//! Collections whose rows lie in several tables, and object types that are read as a whole.

use annals_model::ObjectType::Identity;
use annals_source::Source;
use serde_json::json;

use crate::lab::{Lab, load, load_one, property, qualified};

/// Ann is in the group `dev` twice over, once by her own choice; Bob is in none.
const SCHEMA: &str = "
create table Person (id integer not null primary key, Name varchar(50), modified bigint);
create table Membership (Person integer, Grp varchar(20));
create table Grade (Person integer, Level integer, Note varchar(20));
create table Granted (Level integer, Grp varchar(20));
insert into Person values (1, 'Ann', 1000), (2, 'Bob', 9000);
insert into Membership values (1, 'ops'), (1, 'dev');
insert into Grade values (1, 7, 'x'), (1, 8, 'y');
insert into Granted values (7, 'dev'), (7, 'audit'), (8, 'audit');
";

const PROFILE: &str = "
name: lab
objectTypes:
  identity:
    table: Person
    name: Name
    reads: all
    changed: modified
    collections:
      groups:
        key: [name]
        parts:
          - {table: Membership, parent: Person, element: {name: Grp, kind: {constant: group}}}
          - table: Grade
            parent: Person
            joins: {granted: {table: Granted, on: {Level: Level}}}
            filter: 'granted.Grp != null'
            element: {name: granted.Grp, kind: {constant: group}}
      names:
        parts:
          - {table: Membership, parent: Person, value: Grp}
          - {table: Grade, parent: Person, value: Note}
";

async fn everywhere() -> Vec<(Lab, Source)> {
    let mut sources = Vec::new();
    for lab in Lab::all(SCHEMA, PROFILE) {
        let source = lab.open().await;
        sources.push((lab, source));
    }
    sources
}

/// What several tables, or several rows of a join, come to is there once, in the order of the key.
#[tokio::test]
async fn a_collection_is_the_elements_of_all_its_tables() {
    for (lab, source) in everywhere().await {
        let ann = load_one(&source, Identity, "1").await;
        let group = |name: &str| json!({"name": name, "kind": "group"});
        let expected = json!([group("audit"), group("dev"), group("ops")]);
        assert_eq!(*property(&ann, "groups"), expected, "{}", lab.db.engine());
        assert_eq!(*property(&ann, "names"), json!(["dev", "ops", "x", "y"]));
        let bob = load_one(&source, Identity, "2").await;
        assert_eq!(*property(&bob, "groups"), json!([]));
        assert_eq!(*property(&bob, "names"), json!([]));
    }
}

/// One query a table, however many objects; and two for the time and the objects themselves.
#[tokio::test]
async fn the_number_of_queries_does_not_depend_on_the_batch() {
    for (_lab, source) in everywhere().await {
        assert_eq!(load(&source, Identity, &["1"]).await.queries, 6);
        assert_eq!(load(&source, Identity, &["1", "2"]).await.queries, 6);
    }
}

/// All are read, and their change times still say when they changed.
#[tokio::test]
async fn a_type_that_is_read_as_a_whole_always_qualifies() {
    for (lab, source) in everywhere().await {
        assert_eq!(qualified(&source, Identity, Some(5_000), None, 10).await, ["1", "2"]);
        assert_eq!(source.count_qualified(Identity, Some(5_000), None).await.unwrap(), 2);
        assert_eq!(load_one(&source, Identity, "1").await.occurred_ms, 1_000);
        let changed = PROFILE.replace("reads: all", "reads: changed");
        let source = lab.try_open(&changed).await.unwrap();
        assert_eq!(qualified(&source, Identity, Some(5_000), None, 10).await, ["2"]);
    }
}

/// What a part asks for in vain is named by its collection.
#[tokio::test]
async fn each_table_of_a_collection_is_checked() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        let wrong =
            PROFILE.replace("value: Note", "value: Remark").replace("table: Granted", "table: Awarded");
        let refused = lab.try_open(&wrong).await.unwrap_err().to_string();
        assert!(refused.contains("Remark") && refused.contains("Awarded"), "{refused}");
    }
}
