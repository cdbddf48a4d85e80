//! The log of deeds against the rows: nothing happens that it does not tell, and nothing that it tells did not happen.

use std::collections::{BTreeMap, BTreeSet};

use annals_model::ObjectType;
use annals_testkit::Engine;
use annals_world::{Change, Deed, DeedKind, ObjectChange, Stamp, WorldOptions};

use crate::snapshot::{Difference, RowNow, Snapshot};
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

/// Busy weeks, each day compared row by row with what the log tells of it.
#[tokio::test]
async fn every_row_that_differs_is_told_of_and_every_deed_shows() {
    let busy = WorldOptions { daily_changes_permille: 150, ..options(31) };
    let (_test_db, db, mut world) = world(Engine::Sqlite, busy).await;
    let mut before = Snapshot::take(&db).await;
    let mut kinds: BTreeMap<DeedKind, usize> = BTreeMap::new();
    for day in 0..24 {
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
        let told = objects.contains(&(difference.table, difference.key))
            || parts.contains(&(difference.table, owner));
        assert!(told, "no deed tells of {} {}: {:?}", difference.table, difference.key, difference.columns());
    }
}

/// An object by its table and id.
type Place<'s> = (&'static str, &'s str);

fn place(object: &ObjectChange) -> Place<'_> {
    (table_of(object.object_type), &object.id)
}

/// What the log says of an object is what its row shows.
fn deeds_show(before: &Snapshot, after: &Snapshot, deeds: &[Deed]) {
    let mut last: BTreeMap<Place<'_>, i64> = BTreeMap::new();
    let mut times_told: BTreeMap<Place<'_>, usize> = BTreeMap::new();
    let mut deleted: BTreeSet<Place<'_>> = BTreeSet::new();
    for (deed, object) in deeds.iter().flat_map(|deed| deed.objects.iter().map(move |object| (deed, object)))
    {
        *times_told.entry(place(object)).or_default() += 1;
        if object.stamp == Stamp::Significant {
            last.insert(place(object), deed.time_ms);
        }
        if object.change == Change::Deleted {
            deleted.insert(place(object));
        }
    }
    let (old_meanings, new_meanings) = (Meanings::of(before), Meanings::of(after));
    for (deed, object) in deeds.iter().flat_map(|deed| deed.objects.iter().map(move |object| (deed, object)))
    {
        let (table, id) = place(object);
        let (old, new) = (before.table(table).get(id), after.table(table).get(id));
        let name = format!("{:?} of {table} {id}", deed.kind);
        if deleted.contains(&(table, id)) {
            assert!(new.is_none(), "{name} is still there");
            continue;
        }
        let new = new.unwrap_or_else(|| panic!("{name} is not there"));
        if object.stamp == Stamp::Significant {
            assert_eq!(new["significant_modified"], last[&(table, id)].to_string(), "{name}");
        }
        match object.change {
            // A certification item exists before it is decided about.
            Change::Created if object.object_type == ObjectType::CertificationRemediation => {
                assert!(!old.unwrap().contains_key("action"), "{name}");
                let action = &after.table("spt_certification_action")[&new["action"]];
                assert_eq!(action["status"], "Remediated", "{name}");
            }
            Change::Created => assert!(old.is_none(), "{name} was there before"),
            Change::Changed if times_told[&(table, id)] == 1 => {
                let old = old.unwrap_or_else(|| panic!("{name} was not there before"));
                let same = old_meanings.of_object(table, id, old) == new_meanings.of_object(table, id, new);
                assert!(!same, "{name} shows nothing");
                assert_values(object, old, new, &name);
            }
            // Told of more than once: another deed of the day may have undone this one.
            Change::Changed | Change::Deleted => {}
            Change::Touched if times_told[&(table, id)] == 1 => {
                assert_untouched(deed, old.unwrap(), new, &name);
            }
            Change::Touched => {}
        }
    }
}

/// Rows that belong to objects without being part of their rows.
struct Meanings<'s> {
    belongings: BTreeMap<(&'static str, &'s str), BTreeSet<String>>,
}

impl<'s> Meanings<'s> {
    fn of(snapshot: &'s Snapshot) -> Self {
        let mut belongings: BTreeMap<(&'static str, &'s str), BTreeSet<String>> = BTreeMap::new();
        for (owner_table, table, owner, member) in [
            ("spt_identity", "spt_identity_entitlement", "identity_id", "id"),
            ("spt_identity", "spt_link", "identity_id", "id"),
            ("spt_identity", "spt_identity_assigned_roles", "identity_id", "bundle"),
            ("spt_identity", "spt_identity_bundles", "identity_id", "bundle"),
            ("spt_identity", "spt_identity_capabilities", "identity_id", "capability_id"),
            ("spt_identity", "spt_identity_workgroups", "identity_id", "workgroup"),
            ("spt_identity", "spt_identity_workgroups", "workgroup", "identity_id"),
            ("spt_bundle", "spt_bundle_permits", "bundle", "child"),
            ("spt_managed_attribute", "spt_object_classification", "owner_id", "classification_id"),
        ] {
            for row in snapshot.table(table).values() {
                let of_owner = belongings.entry((owner_table, row[owner].as_str())).or_default();
                of_owner.insert(format!("{table} {}", row[member]));
            }
        }
        let actions = snapshot.table("spt_certification_action");
        for (id, item) in snapshot.table("spt_certification_item") {
            if let Some(action) = item.get("action") {
                let of_item = belongings.entry(("spt_certification_item", id)).or_default();
                of_item.insert(format!("completed {:?}", actions[action].get("remediation_completed")));
            }
        }
        Self { belongings }
    }

    /// All that an object means.
    fn of_object(&self, table: &'static str, id: &'s str, row: &RowNow) -> (RowNow, BTreeSet<String>) {
        let mut row = row.clone();
        row.retain(|column, _| !WORKING_COLUMNS.contains(&column.as_str()));
        (row, self.belongings.get(&(table, id)).cloned().unwrap_or_default())
    }
}

/// Columns that the log names had the old value and have the new one.
fn assert_values(object: &ObjectChange, old: &RowNow, new: &RowNow, name: &str) {
    let as_text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::Bool(flag) => Some(i64::from(*flag).to_string()),
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    for change in &object.attributes {
        let column = change.attribute.as_str();
        assert_ne!(change.old, change.new, "{name}: {column}");
        let is_column = old.contains_key(column) || new.contains_key(column);
        if is_column && !change.old.is_array() {
            assert_eq!(old.get(column).cloned(), as_text(&change.old), "{name}: {column} before");
            assert_eq!(new.get(column).cloned(), as_text(&change.new), "{name}: {column} after");
        } else if let (Some(key), serde_json::Value::String(text)) =
            (column.strip_prefix("attributes/"), &change.new)
            && !text.starts_with('<')
        {
            let values = crate::xml_forms::values(&new["attributes"], key);
            assert_eq!(values, BTreeSet::from([text.clone()]), "{name}: {column} after");
        }
    }
}

/// A touched row differs in columns that mean nothing; values in the XML may stand in another order or spelling.
fn assert_untouched(deed: &Deed, old: &RowNow, new: &RowNow, name: &str) {
    let columns: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for column in columns {
        if WORKING_COLUMNS.contains(&column.as_str()) || old.get(column) == new.get(column) {
            continue;
        }
        assert!(deed.kind == DeedKind::Reordered && column == "attributes", "{name}: {column}");
        let keys = [
            "memberOf",
            "Roles",
            "permissionSets",
            "roles",
            "responsibilities",
            "groups",
            "profiles",
            "policies",
        ];
        let values = |row: &RowNow| keys.map(|key| crate::xml_forms::values(&row["attributes"], key));
        assert_eq!(values(old), values(new), "{name}");
        let rest = |row: &RowNow| {
            let text = row["attributes"].lines().filter(|line| {
                let line = line.trim();
                !keys.iter().any(|key| line.starts_with(&format!("<entry key=\"{key}\"")))
                    && !["<String>", "<List>", "</List>", "<value>", "</value>", "</entry>"]
                        .iter()
                        .any(|tag| line.starts_with(tag))
            });
            text.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(rest(old), rest(new), "{name}");
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
        .filter_map(|difference| {
            Some((class(difference.table)?, difference.key, difference.old?["created"].as_str()))
        })
        .collect();
    let noted: BTreeSet<(&str, &str, &str)> = differences
        .iter()
        .filter(|difference| difference.table == "spt_intercepted_delete")
        .map(|difference| difference.new.unwrap())
        .map(|row| {
            (row["object_type"].as_str(), row["object_id"].as_str(), row["object_created_date"].as_str())
        })
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
            let changed =
                |column: &str| deed.objects[0].attributes.iter().any(|change| change.attribute == column);
            let Some(column) = ["extended2", "extended3"].into_iter().find(|column| changed(column)) else {
                continue;
            };
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
                deed.objects
                    .iter()
                    .any(|object| object.object_type == ObjectType::Identity && wanted(object.change))
                    || deed
                        .objects
                        .iter()
                        .any(|object| object.object_type == ObjectType::Account && wanted(object.change))
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
