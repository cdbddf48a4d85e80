//! A world is whole: nothing refers to what is not there, and what stands twice says the same.

use std::collections::{BTreeMap, BTreeSet};

use annals_model::ObjectType;
use annals_testkit::Engine;

use crate::snapshot::{Snapshot, facts};
use crate::{WorldOptions, options, world};

#[tokio::test]
async fn a_world_is_whole_at_its_start_and_after_three_weeks() {
    let (_test_db, db, mut world) = world(Engine::Sqlite, options(21)).await;
    let start = options(21).start_ms;
    let snapshot = Snapshot::take(&db).await;
    nothing_dangles(&snapshot);
    accounts_hold_what_people_hold(&snapshot);
    roles_stand_twice_alike(&snapshot);
    stamps_lie_before(&snapshot, start);
    for _ in 0..21 {
        world.pass_day(&db).await.unwrap();
    }
    let snapshot = Snapshot::take(&db).await;
    nothing_dangles(&snapshot);
    accounts_hold_what_people_hold(&snapshot);
    roles_stand_twice_alike(&snapshot);
    stamps_lie_before(&snapshot, world.now_ms());
}

/// Every column that refers to a table that the world has holds ids of rows that are there.
fn nothing_dangles(snapshot: &Snapshot) {
    let mut seen = 0;
    for (table, columns) in facts() {
        let Some(rows) = snapshot.tables.get(table) else { continue };
        for column in columns {
            let Some(target) = column.references else { continue };
            for (key, row) in rows {
                if let Some(id) = row.get(column.name) {
                    let there = snapshot.tables.get(target).is_some_and(|rows| rows.contains_key(id));
                    assert!(
                        there,
                        "{table} {key}: {} refers to {target} {id}, which is not there",
                        column.name
                    );
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10_000, "{seen}");
    for (key, request) in snapshot.table("spt_identity_request") {
        assert!(!request["target_id"].is_empty(), "{key}");
    }
}

/// What an account's XML lists is what the rows of entitlements of that account say, whatever the order.
fn accounts_hold_what_people_hold(snapshot: &Snapshot) {
    let mut held: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    let mut attribute_of: BTreeMap<String, String> = BTreeMap::new();
    for row in snapshot.table("spt_schema_attributes").values().filter(|row| row["entitlement"] == "1") {
        let schema = &snapshot.table("spt_application_schema")[&row["applicationschema"]];
        attribute_of.insert(schema["application"].clone(), row["name"].clone());
    }
    for row in snapshot.table("spt_identity_entitlement").values() {
        let Some(application) = row.get("application") else { continue };
        assert_eq!(row["name"], attribute_of[application]);
        let key = (row["identity_id"].clone(), application.clone(), row["native_identity"].clone());
        assert!(held.entry(key).or_default().insert(row["value"].clone()), "{} is held twice", row["value"]);
    }
    for row in snapshot.table("spt_link").values() {
        let application = row["application"].clone();
        let key = (row["identity_id"].clone(), application.clone(), row["native_identity"].clone());
        let wanted = held.remove(&key).unwrap_or_default();
        let listed = attribute_of
            .get(&application)
            .map(|attribute| crate::xml_forms::values(&row["attributes"], attribute))
            .unwrap_or_default();
        assert_eq!(listed, wanted, "account {}", row["native_identity"]);
        assert_eq!(row["entitlements"] == "1", !wanted.is_empty(), "account {}", row["native_identity"]);
    }
    assert!(held.is_empty(), "held by no account: {held:?}");
}

/// Roles stand in lists, in rows of entitlements and in summaries.
fn roles_stand_twice_alike(snapshot: &Snapshot) {
    let bundles = snapshot.table("spt_bundle");
    for (list, name, summary) in [
        ("spt_identity_assigned_roles", "assignedRoles", "assigned_role_summary"),
        ("spt_identity_bundles", "detectedRoles", "bundle_summary"),
    ] {
        let mut listed: BTreeMap<&String, BTreeMap<i64, &String>> = BTreeMap::new();
        for row in snapshot.table(list).values() {
            let positions = listed.entry(&row["identity_id"]).or_default();
            positions.insert(row["idx"].parse().unwrap(), &bundles[&row["bundle"]]["name"]);
        }
        let mut rows: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for row in snapshot.table("spt_identity_entitlement").values().filter(|row| row["name"] == name) {
            rows.entry(&row["identity_id"]).or_default().push(&row["value"]);
        }
        for (id, identity) in snapshot.table("spt_identity") {
            if identity.get("workgroup").is_some_and(|flag| flag == "1") {
                continue;
            }
            let listed = listed.remove(id).unwrap_or_default();
            let idx: Vec<i64> = listed.keys().copied().collect();
            assert_eq!(idx, (0..i64::try_from(listed.len()).unwrap()).collect::<Vec<_>>(), "{list} of {id}");
            let in_order: Vec<&String> = listed.into_values().collect();
            assert_eq!(rows.remove(id).unwrap_or_default(), in_order, "{name} of {id}");
            let in_order: Vec<&str> = in_order.into_iter().map(String::as_str).collect();
            assert_eq!(identity[summary], in_order.join(", "), "{summary} of {id}");
        }
        assert!(rows.is_empty());
    }
}

fn stamps_lie_before(snapshot: &Snapshot, instant: i64) {
    let mut without_significant = 0;
    for (table, rows) in &snapshot.tables {
        for (key, row) in rows {
            let stamp = |column: &str| row.get(column).map(|text| text.parse::<i64>().unwrap());
            let Some(created) = stamp("created") else { continue };
            assert!(created < instant, "{table} {key}");
            if let Some(modified) = stamp("modified") {
                assert!((created..instant).contains(&modified), "{table} {key}");
            }
            if let Some(significant) = stamp("significant_modified") {
                assert!((created..instant).contains(&significant), "{table} {key}");
                assert!(significant <= stamp("modified").unwrap_or(created), "{table} {key}");
            } else {
                without_significant += 1;
            }
        }
    }
    // Rows from before the upgrade.
    assert!(without_significant > 100);
}

/// About 16 objects a person, items of certifications included, every type among them.
#[tokio::test]
async fn a_world_has_its_share_of_every_type() {
    let (_test_db, db, world) = world(Engine::Sqlite, WorldOptions { identities: 1000, ..options(4) }).await;
    let census = world.census(&db).await.unwrap();
    assert_eq!(census.keys().copied().collect::<BTreeSet<_>>(), ObjectType::ALL.into_iter().collect());
    assert!(census.values().all(|count| *count > 0), "{census:?}");
    assert_eq!(census[&ObjectType::Identity], 1000);
    let per_person = |object_type| census[&object_type] as f64 / 1000.0;
    assert!((2.0..4.0).contains(&per_person(ObjectType::Account)), "{census:?}");
    assert!((6.0..9.0).contains(&per_person(ObjectType::Entitlement)), "{census:?}");
    let snapshot = Snapshot::take(&db).await;
    let undecided =
        snapshot.table("spt_certification_item").len() as u64 - census[&ObjectType::CertificationRemediation];
    let all: u64 = census.values().sum::<u64>() + undecided;
    // Some four hundred are roles and the catalogue, which a small world has as well.
    assert!((14_000..18_000).contains(&(all - 400)), "{all}");
    let ids = world.ids(&db, ObjectType::Identity).await.unwrap();
    let people = snapshot
        .table("spt_identity")
        .iter()
        .filter(|(_, row)| row.get("workgroup").is_none_or(|flag| flag == "0"));
    assert_eq!(ids, people.map(|(id, _)| id.clone()).collect::<Vec<_>>());
}
