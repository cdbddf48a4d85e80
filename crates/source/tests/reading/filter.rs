//! Filters: the same objects on every engine, whatever its collations, types and nulls.

use annals_model::ObjectType::Identity;
use annals_source::Error;

use crate::lab::{Lab, filter, qualified};
use crate::staff;

/// Who matches, worked out by hand from the rows.
const CASES: &[(&str, &str)] = &[
    (r#"department == "IT""#, "a1"),
    (r#"department == "it""#, "b2"),
    (r#"department != "IT""#, "b2 c3 d4 e5 f6"),
    (r#"!(department == "IT")"#, "b2 c3 d4 e5 f6"),
    (r#"!(department != "IT")"#, "a1"),
    (r#"department in ("IT", "HR")"#, "a1 c3"),
    (r#"!(department in ("IT", "HR"))"#, "b2 d4 e5 f6"),
    ("department == null", "d4"),
    ("department != null", "a1 b2 c3 e5 f6"),
    ("!(department == null)", "a1 b2 c3 e5 f6"),
    (r#"department > "HR""#, "a1 b2 e5 f6"),
    (r#"department < "a""#, "a1 c3 e5 f6"),
    (r#"!(department < "a")"#, "b2 d4"),
    (r#"department.startsWith("I")"#, "a1"),
    (r#"department.contains("al")"#, "e5 f6"),
    (r#"department.contains("AL")"#, ""),
    (r#"!(department.startsWith("S"))"#, "a1 b2 c3 d4"),
    (r#"department.endsWith("s")"#, "e5 f6"),
    // Wildcards of every engine match only themselves.
    (r#"name.startsWith("E_%!*[")"#, "e5"),
    (r#"name.contains("_")"#, "e5"),
    (r#"name.contains("%")"#, "e5"),
    (r#"name.contains("*")"#, "e5"),
    (r#"name.contains("?")"#, ""),
    (r#"name == "x' or '1' = '1""#, ""),
    // A flag's null is false; a boolean's null is nothing.
    ("inactive == false", "a1 c3 d4 e5 f6"),
    ("inactive == true", "b2"),
    ("inactive != true", "a1 c3 d4 e5 f6"),
    ("!(inactive == true)", "a1 c3 d4 e5 f6"),
    ("!(inactive == false)", "b2"),
    ("inactive == null", ""),
    ("inactive in (true)", "b2"),
    ("!(inactive in (true))", "a1 c3 d4 e5 f6"),
    ("isInactive == false", "a1 d4 e5 f6"),
    ("isInactive != true", "a1 c3 d4 e5 f6"),
    ("isInactive == null", "c3"),
    ("age == 30", "e5 f6"),
    (r#"age == "30""#, "e5 f6"),
    ("age != 30", "a1 b2 c3 d4"),
    ("age > 30", "a1 d4"),
    ("!(age > 30)", "b2 c3 e5 f6"),
    ("age in (41, 23)", "a1 b2"),
    (r#"ageText in ("41", "23")"#, "a1 b2"),
    (r#"ageText.startsWith("3")"#, "e5 f6"),
    ("salary >= 99", "a1 c3"),
    (r#"salary == "100.5""#, "a1"),
    ("salary in (0, 99)", "c3 d4"),
    ("rating < 0", "d4"),
    (r#"rating == "1.5""#, "a1"),
    (r#"lastLogin == "2026-01-31T10:00:00Z""#, "a1"),
    (r#"lastLogin > "2026-01-31T10:00:00Z""#, "d4"),
    (r#"lastLogin < "2026-01-31T12:00:00+02:00""#, "c3"),
    (r#"!(lastLogin > "2026-01-31T10:00:00Z")"#, "a1 b2 c3 e5 f6"),
    (r#"lastLogin in ("2026-02-01T00:00:00Z")"#, "d4"),
    ("lastLogin == -1000", "c3"),
    (r#"hired == "2026-01-31T10:00:00Z""#, "a1"),
    (r#"hired <= "1970-01-01T00:00:01Z""#, "c3 d4"),
    ("hired == null", "b2 e5 f6"),
    (r#"manager == "a1""#, "b2 c3"),
    (r#"manager.id == "a1""#, "b2 c3"),
    (r#"manager.name == "Bob""#, "e5 f6"),
    (r#"manager.name == null"#, "a1 d4"),
    (r#"grandManager == "Ann""#, "e5 f6"),
    ("attributes == null", "b2 d4 e5 f6"),
    (r#"id == "a1" || id > "e""#, "a1 e5 f6"),
    // A column of a later release is null in every row.
    ("later == null", "a1 b2 c3 d4 e5 f6"),
    (r#"later == "x""#, ""),
    (r#"later != "x""#, "a1 b2 c3 d4 e5 f6"),
    (r#"later in ("x")"#, ""),
    (r#"!(later in ("x"))"#, "a1 b2 c3 d4 e5 f6"),
    (r#"!(department == "IT" && age > 30) && !(inactive == true || department == null)"#, "c3 e5 f6"),
];

#[tokio::test]
async fn a_filter_matches_the_same_objects_on_every_engine() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        for (text, expected) in CASES {
            let expr = filter(text);
            let ids = qualified(&source, Identity, None, Some(&expr), 4).await;
            assert_eq!(ids.join(" "), *expected, "{text} on {}", lab.db.engine());
            let count = source.count_qualified(Identity, Some(-1), Some(&expr)).await.unwrap();
            assert_eq!(count, ids.len() as u64, "{text} on {}", lab.db.engine());
        }
    }
}

/// A filter that cannot be put to the source names every property that is in the way.
#[tokio::test]
async fn a_wrong_filter_names_its_properties() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        for (text, problems) in [
            (r#"departmnt == "IT""#, &["`departmnt` is neither a property of identity"][..]),
            (
                r#"age == "old" || lastLogin > "yesterday""#,
                &["`age` is a whole number", "`lastLogin` is a time"],
            ),
            ("inactive > 1", &["`inactive` is a boolean"]),
            (r#"inactive == "no""#, &["`inactive` is a boolean"]),
            (r#"attributes == "x""#, &["`attributes` is an XML tree: it can only be compared with null"]),
            (r#"settings.contains("x")"#, &["`settings` is a JSON tree"]),
            (r#"nicks == "x""#, &["`nicks` is a list"]),
            (r#"accounts == "x""#, &["`accounts` is a collection"]),
            (r#"origin == "x""#, &["`origin` is a constant"]),
            (r#"lastLogin.startsWith("2026")"#, &["`lastLogin` is a time"]),
        ] {
            let error = source.check_filter(Identity, &filter(text)).unwrap_err();
            let Error::Filter { object_type: Identity, problems: found } = &error else { panic!("{error}") };
            assert_eq!(found.len(), problems.len(), "{text}: {found:?}");
            for (found, expected) in found.iter().zip(problems) {
                assert!(found.starts_with(expected), "{text}: {found}");
            }
        }
    }
}
