//! Profiles that do not fit their database, and databases that changed under their profile (TRAP-18).

use annals_model::ObjectType::Identity;
use annals_source::Error;

use crate::lab::{Lab, load_one};
use crate::staff;

/// The problems, one a line.
async fn problems(lab: &Lab, profile: &str) -> Vec<String> {
    match lab.try_open(profile).await {
        Err(Error::Profile { profile, mismatches }) => {
            assert_eq!(profile, "lab");
            mismatches.iter().map(|mismatch| mismatch.to_string().to_lowercase()).collect()
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opens on {}", lab.db.engine()),
    }
}

fn assert_names(problems: &[String], expected: &[&str]) {
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for expected in expected {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected} in {problems:#?}");
    }
}

/// TRAP-18: a dropped, a renamed and a mistyped column and a dropped table are all named at once, each with object type,
/// property, table and column.
#[tokio::test]
async fn everything_that_is_missing_is_named_at_once() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        lab.sql("alter table Person drop column rating; alter table Person rename column age to years; drop table Skill;");
        let profile = staff::PROFILE.replace("title: app.title", "title: app.tittle");
        assert_names(
            &problems(&lab, &profile).await,
            &[
                "identity.age: table person, column age: the table has no such column",
                "identity.agetext: table person, column age: the table has no such column",
                "identity.rating: table person, column rating: the table has no such column",
                "identity.accounts.title: table application, column tittle: ",
                "identity.liveaccounts.title: table application, column tittle: ",
                "identity.skills: table skill: the database has no such table",
                "identity.skillsinorder: table skill: ",
                "identity.grades: table skill: ",
            ],
        );
    }
}

/// TRAP-18: a base table that is gone is one problem, not one for each of its columns.
#[tokio::test]
async fn a_missing_base_table_is_one_problem() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        lab.sql("drop table Person;");
        assert_names(
            &problems(&lab, staff::PROFILE).await,
            &["identity.table: table person: the database has no such table"],
        );
    }
}

/// TRAP-18: a column that was added is not read and changes nothing.
#[tokio::test]
async fn a_column_that_was_added_changes_nothing() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let before = load_one(&lab.open().await, Identity, "a1").await;
        lab.sql("alter table Person add column shoe_size integer; update Person set shoe_size = 43;");
        let after = load_one(&lab.open().await, Identity, "a1").await;
        assert_eq!(before, after, "{}", lab.db.engine());
    }
}

/// What a release brings may be missing before it and not after it.
#[tokio::test]
async fn columns_of_later_releases_may_be_missing() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        lab.sql("alter table Person drop column significant_modified;");
        let bob = load_one(&lab.open().await, Identity, "b2").await;
        assert_eq!(bob.occurred_ms, 2000, "the next change column counts");
        assert_eq!(bob.properties.get("later"), None);

        lab.sql("update Version set system_version = '8.4-00' where name = 'main';");
        assert_names(
            &problems(&lab, staff::PROFILE).await,
            &[
                "identity.changed: table person, column significant_modified: ",
                "identity.later: table person, column not_there_yet: ",
                "identity.laterrows: table not_there_at_all: ",
                "identity.qualifies[1]: table nowhere: ",
            ],
        );
    }
}

/// Without a row that tells the release, what has a `since` may be missing and what has none may not.
#[tokio::test]
async fn an_unknown_release_may_lack_what_is_marked() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        lab.sql("delete from Version;");
        assert_eq!(lab.open().await.release(), None);
        lab.sql("drop table Version;");
        assert_names(
            &problems(&lab, staff::PROFILE).await,
            &["release: table version: the database has no such table"],
        );
    }
}

/// A type that cannot be meant is found when the source is opened, not object by object.
#[tokio::test]
async fn columns_of_impossible_types_are_named() {
    let profile = staff::PROFILE
        .replace(
            "lastLogin: {column: last_login, format: time, kind: dateTime}",
            "lastLogin: {column: last_login, format: time}",
        )
        .replace(
            "{column: hired, format: time, kind: epochSeconds}",
            "{column: hired, format: time, kind: dateTime}",
        )
        .replace("workgroup == null'", "age == \"old\"'");
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        assert_names(
            &problems(&lab, &profile).await,
            &[
                "identity.lastlogin: table person, column last_login: the column holds dates, not numbers",
                "identity.hired: table person, column hired: the column holds numbers, not dates",
                "identity.filter: table person, column age: the column is a whole number",
            ],
        );
    }
}
