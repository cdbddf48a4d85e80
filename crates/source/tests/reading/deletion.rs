//! Deletions that the system itself notes.

use annals_model::ObjectType::{Identity, Role, Workgroup};

use crate::lab::Lab;

const SCHEMA: &str = "
create table Person (id varchar(32) not null primary key, modified bigint);
create table Role (id varchar(32) not null primary key, modified bigint);
create table Version (rel varchar(20));
insert into Version values ('1.9');
create table Removed (id varchar(32) not null primary key, what varchar(100), which varchar(32), at bigint);
insert into Removed values
    ('r1', 'lab.Person', 'p1', 1000), ('r2', 'Person', 'p2', 2000), ('r3', 'lab.Unknown', 'u', 2000),
    ('r4', 'lab.Report', 'x', 2000), ('r5', 'ROLE', 'o1', 3000), ('r6', 'lab.Person', null, 3000);
";

const PROFILE: &str = r#"
name: lab
release: {table: version, column: rel}
interceptedDeletes: {table: removed, id: id, objectId: which, objectType: what, deleted: {column: at, since: "2.0"}}
objectTypes:
  identity: {className: lab.Person, table: person, changed: [modified], properties: {id: id}}
  workgroup: {className: lab.Crew, table: person, changed: [modified], properties: {id: id}}
  role: {className: lab.Role, table: role, changed: [modified], properties: {id: id}}
  capability: {className: lab.Report, table: role, changed: [modified], properties: {id: id}, deletions: sweep}
"#;

/// Deletions arrive in pages from a closed bound on, by class or bare class. One table may hold several types; history
/// knows which of them the object was.
#[tokio::test]
async fn noted_deletions_are_read_in_pages() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        let source = lab.open().await;
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|deleted: &annals_source::Deleted| deleted.row_id.clone());
            let page = source.intercepted_deletes(None, after.as_deref(), 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        let seen: Vec<_> = all
            .iter()
            .map(|d| (d.row_id.as_str(), d.object_types.as_slice(), d.object_id.as_str(), d.deleted_ms))
            .collect();
        let people = [Identity, Workgroup];
        // The class of r4 lies in the table of roles, and roles are of the kind whose deletions are noted.
        let expected = [
            ("r1", &people[..], "p1", 1000),
            ("r2", &people[..], "p2", 2000),
            ("r4", &[Role][..], "x", 2000),
            ("r5", &[Role][..], "o1", 3000),
        ];
        assert_eq!(seen, expected, "{}", lab.db.engine());
        let since = source.intercepted_deletes(Some(2000), None, 10).await.unwrap();
        assert_eq!(since.len(), 3, "{}", lab.db.engine());
    }
}

/// Before the release that brings the table there are none.
#[tokio::test]
async fn without_the_table_there_are_no_noted_deletions() {
    for lab in Lab::all(SCHEMA, PROFILE) {
        lab.sql("drop table Removed;");
        let source = lab.open().await;
        assert!(source.intercepted_deletes(None, None, 10).await.unwrap().is_empty());
    }
}
