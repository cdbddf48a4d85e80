//! A system whose ids are whole numbers and whose times are dates, as Request Tracker's are; some of its references are
//! text.

use annals_model::ObjectType::{Identity, Role};
use annals_source::Error;
use serde_json::json;

use crate::lab::{Lab, filter, load, load_one, property, qualified};

const SCHEMA: &str = "
create table Users (id integer not null primary key, Name varchar(100), Disabled smallint, LastUpdated {datetime});
create table Teams (id integer not null primary key, Name varchar(100), LastUpdated {datetime});
create table Members (TeamId integer, MemberId integer, Since bigint);
create table Journal (id integer not null primary key, Field varchar(20), Created {datetime});
insert into Users values (2, 'two', 0, '2026-01-01 00:00:00'), (9, 'nine', 2, '2026-01-01 00:00:01'),
    (10, 'ten', null, '2026-01-02 00:00:00'), (100, 'hundred', 0, null);
insert into Teams values (1, 'core', '2026-01-03 00:00:00'), (3, 'edge', '2025-01-01 00:00:00');
insert into Members values (1, 10, 5), (1, 2, 6), (3, 9, 7);
insert into Journal values (1, '9', '2026-02-01 00:00:00'), (2, 'x', '2026-03-01 00:00:00');
";

const PROFILE: &str = r#"
name: lab
objectTypes:
  identity:
    className: User
    table: users
    name: name
    changed: [{column: lastupdated, kind: dateTime}]
    identity: {id: id, name: name}
    properties:
      id: {column: id, format: text}
      disabled: {column: disabled, format: flag}
      lastUpdated: {column: lastupdated, format: auto}
    collections:
      teams:
        table: members
        parent: memberid
        joins: {team: {table: teams, on: {id: teamid}}}
        key: [id]
        element: {id: {column: teamid, format: text}, name: team.name, since: since}
      journal:
        table: journal
        parent: field
        value: id
    qualifies:
      - table: members
        id: memberid
        joins: {team: {table: teams, on: {id: teamid}}}
        changed: [{column: team.lastupdated, kind: dateTime}]
      - {table: journal, id: field, changed: [{column: created, kind: dateTime}]}
    deletions: sweep
  role:
    className: Team
    table: teams
    name: name
    changed: [{column: lastupdated, kind: dateTime}]
    joins: {first: {table: journal, on: {field: id}}}
    properties: {name: name, firstEntry: first.id}
    collections:
      members:
        table: members
        parent: teamid
        order: since
        value: {column: memberid, format: text}
    deletions: sweep
"#;

const JANUARY_1: i64 = 1_767_225_600_000;

/// Ids are text outside and numbers in the database: 9 comes before 10, and pages go on where they stopped.
#[tokio::test]
async fn ids_that_are_numbers_are_paged_as_numbers() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        let source = lab.open().await;
        assert_eq!(
            qualified(&source, Identity, None, None, 1).await,
            ["2", "9", "10", "100"],
            "{}",
            lab.db.engine()
        );
        let error = source.qualified_page(Identity, None, None, Some("x"), 1).await.unwrap_err();
        assert!(matches!(error, Error::NotAnId { .. }), "{error}");
        let present =
            source.present(Identity, &["9".to_owned(), "x".to_owned(), "11".to_owned()]).await.unwrap();
        assert_eq!(present, ["9"]);
    }
}

/// Dates are compared as instants; a row of text names the number that it means.
#[tokio::test]
async fn dates_qualify_and_text_refers_to_numbers() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        lab.sql("delete from Members; delete from Journal;");
        let source = lab.open().await;
        let since = |ms: i64| qualified(&source, Identity, Some(JANUARY_1 + ms), None, 10);
        assert_eq!(since(0).await, ["2", "9", "10", "100"], "{}", lab.db.engine());
        assert_eq!(since(1).await, ["9", "10", "100"], "{}", lab.db.engine());
        assert_eq!(since(1000).await, ["9", "10", "100"]);
        assert_eq!(since(1001).await, ["10", "100"]);
        lab.sql("insert into Members values (1, 2, 6); insert into Journal values (1, '9', '2026-02-01 00:00:00');");
        // 2 by its team of January 3, 9 by the journal of February 1, 100 because nothing is known of it.
        let day = 86_400_000;
        assert_eq!(since(2 * day).await, ["2", "9", "100"], "{}", lab.db.engine());
        assert_eq!(since(3 * day).await, ["9", "100"], "{}", lab.db.engine());
        let enabled = filter("disabled == false");
        assert_eq!(qualified(&source, Identity, None, Some(&enabled), 10).await, ["2", "10", "100"]);
        let some = filter(r#"id in ("2", "100")"#);
        assert_eq!(qualified(&source, Identity, None, Some(&some), 10).await, ["2", "100"]);
    }
}

#[tokio::test]
async fn objects_with_numbers_for_ids_are_loaded() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        let source = lab.open().await;
        let nine = load_one(&source, Identity, "9").await;
        assert_eq!(nine.name, "nine");
        // February 1 out of the journal, 31 days after January 1.
        assert_eq!(nine.occurred_ms, JANUARY_1 + 31 * 86_400_000);
        assert_eq!(property(&nine, "id"), "9");
        assert_eq!(property(&nine, "disabled"), &json!(true), "2 is not 0");
        assert_eq!(property(&nine, "lastUpdated"), &json!(JANUARY_1 + 1000));
        assert_eq!(property(&nine, "teams"), &json!([{"id": "3", "name": "edge", "since": 7}]));
        assert_eq!(property(&nine, "journal"), &json!([1]));
        let batch = load(&source, Role, &["1", "3", "4", "x"]).await;
        assert_eq!(batch.missing, ["4", "x"]);
        assert_eq!(property(&batch.objects[0], "members"), &json!(["10", "2"]), "in their order");
    }
}
