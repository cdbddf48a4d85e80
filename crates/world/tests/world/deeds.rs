//! The log of deeds against the rows: nothing happens that it does not tell, and nothing that it tells did not happen.

use std::collections::{BTreeMap, BTreeSet};

use annals_model::ObjectType;
use annals_testkit::Engine;
use annals_world::{Change, Deed, DeedKind, Stamp};

use crate::snapshot::{Difference, Snapshot};
use crate::{options, world};

/// The table that holds objects of a type.
fn table_of(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::Identity | ObjectType::Workgroup => "spt_identity",
        ObjectType::Account => "spt_link",
        ObjectType::Role => "spt_bundle",
        ObjectType::Entitlement => "spt_identity_entitlement",
        ObjectType::ManagedAttribute => "spt_managed_attribute",
        ObjectType::Certification => "spt_certification",
        ObjectType::CertificationRemediation => "spt_certification_item",
        ObjectType::IdentityRequest => "spt_identity_request",
        ObjectType::IdentityRequestItem => "spt_identity_request_item",
        ObjectType::PolicyViolation => "spt_policy_violation",
        ObjectType::PolicyViolationRemediation => "spt_identity_history_item",
        ObjectType::Capability => "spt_capability",
        ObjectType::ObjectConfig => "spt_object_config",
    }
}

/// Columns that a change may move without meaning anything.
const WORKING_COLUMNS: [&str; 5] =
    ["modified", "significant_modified", "last_refresh", "last_login", "failed_login_attempts"];

/// Forty days, each compared row by row with what the log tells of it.
#[tokio::test]
async fn every_row_that_differs_is_told_of_and_every_deed_shows() {
    let (_test_db, db, mut world) = world(Engine::Sqlite, options(31)).await;
    let mut before = Snapshot::take(&db).await;
    let mut kinds: BTreeMap<DeedKind, usize> = BTreeMap::new();
    for day in 0..40 {
        let (begins, ends) = (world.now_ms(), world.now_ms() + 86_400_000);
        let deeds = world.pass_day(&db).await.unwrap();
        let after = Snapshot::take(&db).await;
        assert!(deeds.iter().all(|deed| deed.day == day && (begins..ends).contains(&deed.time_ms)));
        assert!(deeds.windows(2).all(|pair| pair[0].time_ms <= pair[1].time_ms));
        for deed in &deeds {
            *kinds.entry(deed.kind).or_default() += 1;
        }
        let differences = before.differences(&after);
        differences_are_told(&differences, &deeds);
        deeds_show(&before, &after, &deeds);
        deletions_are_intercepted(&differences);
        before = after;
    }
    let all = [
        DeedKind::Joined,
        DeedKind::Moved,
        DeedKind::Left,
        DeedKind::AccountsRemoved,
        DeedKind::Deleted,
        DeedKind::Requested,
        DeedKind::Approved,
        DeedKind::Rejected,
        DeedKind::Provisioned,
        DeedKind::CertificationStarted,
        DeedKind::Certified,
        DeedKind::Revoked,
        DeedKind::CertificationEnded,
        DeedKind::RoleGranted,
        DeedKind::ViolationFound,
        DeedKind::ViolationMitigated,
        DeedKind::ViolationRemediated,
        DeedKind::RoleChanged,
        DeedKind::ManagedAttributeChanged,
        DeedKind::CapabilityChanged,
        DeedKind::ObjectConfigChanged,
        DeedKind::WorkgroupChanged,
        DeedKind::JoinedWorkgroup,
        DeedKind::LeftWorkgroup,
        DeedKind::CapabilityGranted,
        DeedKind::CapabilityRevoked,
        DeedKind::AccountChanged,
        DeedKind::Renamed,
        DeedKind::Strayed,
        DeedKind::Returned,
        DeedKind::Flickered,
        DeedKind::EntitlementLost,
        DeedKind::EntitlementRegained,
        DeedKind::Refreshed,
        DeedKind::LoggedIn,
        DeedKind::Aggregated,
        DeedKind::Reordered,
    ];
    let missing: Vec<DeedKind> = all.into_iter().filter(|kind| !kinds.contains_key(kind)).collect();
    assert!(missing.is_empty(), "never happened: {missing:?} among {kinds:?}");
}

/// Every row that differs is an object or a part that some deed names.
fn differences_are_told(differences: &[Difference<'_>], deeds: &[Deed]) {
    let objects: BTreeSet<(&str, &str)> = deeds
        .iter()
        .flat_map(|deed| &deed.objects)
        .map(|object| (table_of(object.object_type), object.id.as_str()))
        .collect();
    let parts: BTreeSet<(&str, &str)> = deeds
        .iter()
        .flat_map(|deed| &deed.parts)
        .map(|part| (part.table.as_str(), part.id.as_str()))
        .collect();
    for difference in differences {
        // Members of lists are named by whose list it is.
        let owner = difference.key.split('/').next().unwrap_or_default();
        let told = objects.contains(&(difference.table, difference.key)) || parts.contains(&(difference.table, owner));
        assert!(told, "no deed tells of {} {}: {:?}", difference.table, difference.key, difference.columns());
    }
}

/// What the log says of an object is what its row shows.
fn deeds_show(before: &Snapshot, after: &Snapshot, deeds: &[Deed]) {
    let mut last: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for deed in deeds {
        for object in deed.objects.iter().filter(|object| object.stamp == Stamp::Significant) {
            last.insert((table_of(object.object_type), &object.id), deed.time_ms);
        }
    }
    let deleted: BTreeSet<(&str, &str)> = deeds
        .iter()
        .flat_map(|deed| &deed.objects)
        .filter(|object| object.change == Change::Deleted)
        .map(|object| (table_of(object.object_type), object.id.as_str()))
        .collect();
    for deed in deeds {
        for object in &deed.objects {
            let table = table_of(object.object_type);
            let (old, new) = (before.table(table).get(&object.id), after.table(table).get(&object.id));
            let name = format!("{:?} of {table} {}", deed.kind, object.id);
            if deleted.contains(&(table, object.id.as_str())) {
                assert!(new.is_none(), "{name} is still there");
                continue;
            }
            let new = new.unwrap_or_else(|| panic!("{name} is not there"));
            if object.stamp == Stamp::Significant {
                let time = last[&(table, object.id.as_str())].to_string();
                assert_eq!(new["significant_modified"], time, "{name}");
            }
            match object.change {
                // A certification item exists before it is decided about.
                Change::Created if object.object_type == ObjectType::CertificationRemediation => {
                    assert!(!old.is_some_and(|old| old.contains_key("action")), "{name}");
                    let action = &after.table("spt_certification_action")[&new["action"]];
                    assert_eq!(action["status"], "Remediated", "{name}");
                }
                Change::Created => assert!(old.is_none(), "{name} was there before"),
                Change::Changed if object.stamp == Stamp::None => assert!(!deed.parts.is_empty(), "{name}"),
                Change::Changed => assert_changed(before, after, table, &object.id, deeds, &name),
                Change::Touched => assert_untouched(deed, before, after, table, &object.id, &name),
                Change::Deleted => {}
            }
            for attribute in object.attributes.iter().filter(|_| object.change == Change::Changed) {
                assert_ne!(attribute.old, attribute.new, "{name}: {}", attribute.attribute);
            }
        }
    }
}

/// Some column differs, or the members of a list of the object do.
fn assert_changed(before: &Snapshot, after: &Snapshot, table: &str, id: &str, deeds: &[Deed], name: &str) {
    let Some(old) = before.table(table).get(id) else { return };
    let new = &after.table(table)[id];
    let meaningful = |row: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        row.iter().filter(|(column, _)| !WORKING_COLUMNS.contains(&column.as_str())).map(|(c, v)| (c.clone(), v.clone())).collect()
    };
    let of_parts = deeds.iter().any(|deed| {
        let about = deed.objects.iter().any(|object| object.id == id);
        about && (!deed.parts.is_empty() || deed.objects.len() > 1)
    });
    assert!(meaningful(old) != meaningful(new) || of_parts, "{name} shows nothing");
}

/// A touched row differs in columns that mean nothing; lists in the XML may stand in another order. What else happened
/// to the object on the same day happened by another deed, of which there must be none.
fn assert_untouched(deed: &Deed, before: &Snapshot, after: &Snapshot, table: &str, id: &str, name: &str) {
    let (old, new) = (&before.table(table)[id], &after.table(table)[id]);
    for (column, value) in new {
        if WORKING_COLUMNS.contains(&column.as_str()) || old.get(column) == Some(value) {
            continue;
        }
        assert!(deed.kind == DeedKind::Reordered && column == "attributes", "{name}: {column}");
        let lines = |text: &str| -> BTreeSet<String> {
            let entries = text.lines().map(str::trim).filter(|line| line.starts_with("<String>"));
            entries.map(str::to_owned).collect()
        };
        let single = |text: &str| text.matches(" value=\"").count();
        // Either the same members in another order, or a single value that became a list.
        assert!(
            lines(&old["attributes"]) == lines(value) || single(&old["attributes"]) == single(value) + 1,
            "{name}: {value}"
        );
    }
}

/// Every object that went is noted, and nothing else is.
fn deletions_are_intercepted(differences: &[Difference<'_>]) {
    let class = |table: &str| match table {
        "spt_identity" => Some("sailpoint.object.Identity"),
        "spt_link" => Some("sailpoint.object.Link"),
        "spt_identity_entitlement" => Some("sailpoint.object.IdentityEntitlement"),
        "spt_policy_violation" => Some("sailpoint.object.PolicyViolation"),
        "spt_identity_history_item" => Some("sailpoint.object.IdentityHistoryItem"),
        _ => None,
    };
    let gone: BTreeSet<(&str, &str, &str)> = differences
        .iter()
        .filter(|difference| difference.new.is_none())
        .filter_map(|difference| Some((class(difference.table)?, difference.key, difference.old?["created"].as_str())))
        .collect();
    let noted: BTreeSet<(&str, &str, &str)> = differences
        .iter()
        .filter(|difference| difference.table == "spt_intercepted_delete")
        .map(|difference| difference.new.unwrap())
        .map(|row| (row["object_type"].as_str(), row["object_id"].as_str(), row["object_created_date"].as_str()))
        .collect();
    assert_eq!(gone, noted);
}

/// A, then B, then A again: after the straying and the return the person's row says what it said before.
#[tokio::test]
async fn what_strays_returns() {
    let (_test_db, db, mut world) = world(Engine::Sqlite, options(41)).await;
    let mut before = Snapshot::take(&db).await;
    let mut strayed: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut returned = 0;
    for _ in 0..12 {
        let deeds = world.pass_day(&db).await.unwrap();
        let after = Snapshot::take(&db).await;
        for deed in deeds {
            let Some(identity) = &deed.identity else { continue };
            let changed = |column: &str| deed.objects[0].attributes.iter().any(|change| change.attribute == column);
            let Some(column) = ["extended2", "extended3"].into_iter().find(|column| changed(column)) else { continue };
            if deed.kind == DeedKind::Strayed {
                let old = before.table("spt_identity")[&identity.id][column].clone();
                assert_ne!(after.table("spt_identity")[&identity.id][column], old);
                strayed.insert(identity.id.clone(), (column.to_owned(), old));
            } else if deed.kind == DeedKind::Returned {
                let (column, old) = strayed.remove(&identity.id).unwrap();
                assert_eq!(after.table("spt_identity")[&identity.id][&column], old);
                returned += 1;
            }
        }
        before = after;
    }
    assert!(returned >= 3, "{returned}");
}

/// About one identity in a hundred changes on a day by default, and two in a hundred are touched besides.
#[tokio::test]
async fn a_day_changes_about_one_person_in_a_hundred() {
    let defaults = annals_world::WorldOptions { identities: 1500, ..annals_world::WorldOptions::default() };
    let (_test_db, db, mut world) = world(Engine::Sqlite, defaults).await;
    let (mut changed, mut touched) = (0, 0);
    for _ in 0..14 {
        let deeds = world.pass_day(&db).await.unwrap();
        let people = |wanted: fn(Change) -> bool| -> BTreeSet<String> {
            let about = deeds.iter().filter(|deed| {
                deed.objects.iter().any(|object| object.object_type == ObjectType::Identity && wanted(object.change))
                    || deed.objects.iter().any(|object| object.object_type == ObjectType::Account && wanted(object.change))
            });
            about.filter_map(|deed| Some(deed.identity.as_ref()?.id.clone())).collect()
        };
        changed += people(|change| change != Change::Touched).len();
        touched += people(|change| change == Change::Touched).len();
    }
    let (changed, touched) = (changed as f64 / 14.0 / 15.0, touched as f64 / 14.0 / 15.0);
    assert!((0.7..1.5).contains(&changed), "{changed} %");
    assert!((1.4..2.6).contains(&touched), "{touched} %");
}
