//! The past as history tells it, whatever the source went through.

use annals_model::ObjectType;
use serde_json::{Value, json};

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, ready_made};

/// Somebody who is in no workgroup.
fn somebody(site: &Site) -> String {
    site.ask_one(
        "select id from spt_identity where coalesce(workgroup, {false}) = {false}
           and id not in (select identity_id from spt_identity_workgroups) order by id limit 1;",
    )
}

/// TRAP-01: a value goes A, B, A: three states, three captures, and the right one at every date.
#[tokio::test]
async fn a_state_that_comes_back_is_a_state_of_its_own() {
    for site in Site::on_each_history(20).await {
        let id = somebody(&site);
        let name = |name: &str, at_ms: i64| {
            site.change(&format!(
                "update spt_identity set firstname = '{name}', significant_modified = {at_ms} where id = '{id}';"
            ));
        };
        let mut changed = Vec::new();
        for (day, firstname) in [(0, "Ann"), (1, "Bea"), (2, "Ann")] {
            let at_ms = START_MS + day * DAY_MS - HOUR_MS;
            name(firstname, at_ms);
            site.run(START_MS + day * DAY_MS).await.succeeds();
            changed.push((at_ms, firstname));
        }
        let captures = site.look(&format!(
            "select full_hash, firstname from spt_hist_identity_capture where identity_id = '{id}' order by effective_date;"
        ));
        assert_eq!(captures.len(), 3);
        assert_eq!(captures[0], captures[2]);
        assert_ne!(captures[0], captures[1]);
        for (at_ms, firstname) in &changed {
            for at_ms in [*at_ms, at_ms + DAY_MS - 1] {
                assert_eq!(site.field(ObjectType::Identity, &id, at_ms, "firstname").await, json!(firstname));
            }
        }
        let events = site.look(&format!(
            "select old_value, new_value from spt_hist_identity_event
             where entity_id = '{id}' and property_name = 'firstname' order by event_date;"
        ));
        assert_eq!(events, ["Ann|Bea", "Bea|Ann"]);
    }
}

/// TRAP-02: an entitlement comes, goes, comes and goes: four events, and the right answer at every date.
#[tokio::test]
async fn an_entitlement_that_comes_and_goes_leaves_four_events() {
    for site in Site::on_each_history(20).await {
        let id = somebody(&site);
        let application = site.ask_one("select id from spt_application order by id limit 1;");
        site.run(START_MS).await.succeeds();
        let mut dates = Vec::new();
        for (day, held) in [(1, true), (2, false), (3, true), (4, false)] {
            let at_ms = START_MS + day * DAY_MS - HOUR_MS;
            if held {
                site.change(&format!(
                    "insert into spt_identity_entitlement
                       (id, created, name, value, native_identity, application, identity_id, type)
                       values ('ent-x', {at_ms}, 'groups', 'Approvers', 'acct', '{application}', '{id}', 'Entitlement');"
                ));
            } else {
                site.change(&format!(
                    "delete from spt_identity_entitlement where id = 'ent-x';
                     insert into spt_intercepted_delete (id, created, object_id, object_type, object_deleted_date,
                         extract_config_name, transform_config_name, extracted_object_json)
                       values ('gone-{day}', {at_ms}, 'ent-x', 'IdentityEntitlement', {at_ms}, 'e', 't', '{{}}');
                     update spt_identity set significant_modified = {at_ms} where id = '{id}';"
                ));
            }
            site.run(START_MS + day * DAY_MS).await.succeeds();
            dates.push((at_ms, held));
        }
        let events = site.look(&format!(
            "select event_type, property_name, coalesce(old_value, '-'), coalesce(new_value, '-'), event_date
             from spt_hist_identity_event where entity_id = '{id}' and identity_entitlement_id = 'ent-x'
             order by event_date;"
        ));
        let expected: Vec<String> = dates
            .iter()
            .map(|(at_ms, held)| match held {
                true => format!("EntitlementAdded|groups|-|Approvers|{at_ms}"),
                false => format!("EntitlementRemoved|groups|Approvers|-|{at_ms}"),
            })
            .collect();
        assert_eq!(events, expected);
        for (at_ms, held) in dates {
            for (at_ms, held) in [(at_ms - 1, !held), (at_ms, held), (at_ms + DAY_MS - 1, held)] {
                assert_eq!(holds(&site, &id, at_ms).await, held, "{at_ms}");
                let own = site.as_of(ObjectType::Entitlement, "ent-x", at_ms).await;
                assert_eq!(own.is_some_and(|state| !state.deleted), held, "{at_ms}");
            }
        }
    }
}

/// Whether somebody held the entitlement at an instant.
async fn holds(site: &Site, id: &str, at_ms: i64) -> bool {
    let held = site.field(ObjectType::Identity, id, at_ms, "entitlements").await;
    held.as_array().into_iter().flatten().any(|entitlement| entitlement["id"] == "ent-x")
}

/// TRAP-03: sixty rows that share the very timestamp at which the last run stopped looking: all sixty arrive.
#[tokio::test]
async fn sixty_rows_at_the_edge_all_arrive() {
    for site in Site::everywhere(20).await {
        let first = site.run(START_MS).await.succeeds();
        let edge_ms = site.timestamp().unwrap();
        assert_eq!(edge_ms, first.run.horizon_ms);
        let ids = site.ask("select id from spt_managed_attribute order by id limit 60;");
        assert_eq!(ids.len(), 60);
        site.change(&format!(
            "update spt_managed_attribute set purview = 'edge', significant_modified = {edge_ms}
             where id in ('{}');",
            ids.join("', '")
        ));
        let now_ms = START_MS + DAY_MS;
        let second = site.run(now_ms).await.succeeds();
        assert_eq!(second.counters().total_object_messages, 60);
        assert_eq!(site.captured_at(now_ms)["managedAttribute"], ids);
    }
}

/// TRAP-13: a source without a single object is read, its named timestamp is an instant, and what comes later is
/// captured.
#[tokio::test]
async fn an_empty_source_is_a_valid_state() {
    for site in Site::on_each_history(20).await {
        for table in [
            "spt_identity",
            "spt_link",
            "spt_bundle",
            "spt_identity_entitlement",
            "spt_managed_attribute",
            "spt_certification",
            "spt_certification_item",
            "spt_identity_request",
            "spt_identity_request_item",
            "spt_policy_violation",
            "spt_identity_history_item",
            "spt_capability",
            "spt_object_config",
        ] {
            site.change(&format!("delete from {table};"));
        }
        let first = site.run(START_MS).await.succeeds();
        assert_eq!(first.counters().total_object_messages, 0);
        assert_eq!(first.counters().shown().len(), 1);
        assert_eq!(site.timestamp(), Some(first.run.horizon_ms));
        assert_eq!(site.count("select count(*) from annals_partition;"), 0);
        let created_ms = START_MS + HOUR_MS;
        site.change(&format!(
            "insert into spt_capability (id, created, name) values ('c', {created_ms}, 'C');"
        ));
        let second = site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(second.total("fullCaptures"), 1);
        assert_eq!(site.timestamp(), Some(second.run.horizon_ms));
    }
}

/// TRAP-16: what is gone still has its past, at every date.
#[tokio::test]
async fn the_past_of_a_deleted_object_is_still_answered() {
    for site in Site::on_each_history(20).await {
        let id = somebody(&site);
        site.run(START_MS).await.succeeds();
        let changed_ms = START_MS + DAY_MS - HOUR_MS;
        let before = site.field(ObjectType::Identity, &id, changed_ms, "email").await;
        site.change(&format!(
            "update spt_identity set email = 'new@example.com', significant_modified = {changed_ms} where id = '{id}';"
        ));
        site.run(START_MS + DAY_MS).await.succeeds();
        let gone_ms = START_MS + 2 * DAY_MS - HOUR_MS;
        site.change(&format!(
            "delete from spt_identity where id = '{id}';
             insert into spt_intercepted_delete (id, created, object_id, object_type, object_deleted_date,
                 extract_config_name, transform_config_name, extracted_object_json)
               values ('gone', {gone_ms}, '{id}', 'sailpoint.object.Identity', {gone_ms}, 'e', 't', '{{}}');"
        ));
        site.run(START_MS + 2 * DAY_MS).await.succeeds();
        let email = async |at_ms| site.field(ObjectType::Identity, &id, at_ms, "email").await;
        assert_eq!(email(changed_ms - 1).await, before);
        assert_eq!(email(changed_ms).await, json!("new@example.com"));
        assert_eq!(email(gone_ms - 1).await, json!("new@example.com"));
        for at_ms in [gone_ms, gone_ms + 100 * DAY_MS] {
            let state = site.as_of(ObjectType::Identity, &id, at_ms).await.unwrap();
            assert!(state.deleted && state.image.is_none(), "{state:?}");
        }
        let last = site.look(&format!(
            "select event_type, event_date from spt_hist_identity_event where entity_id = '{id}'
             order by event_date desc limit 1;"
        ));
        assert_eq!(last, [format!("IdentityDeleted|{gone_ms}")]);
        assert_eq!(
            site.count(&format!("select deleted from spt_hist_identity where identity_id = '{id}';")),
            1
        );
    }
}

/// TRAP-17: a run says which configuration it used, which is kept whole; the same configuration is the same version.
#[tokio::test]
async fn a_run_says_which_configuration_it_used() {
    for site in Site::on_each_history(20).await {
        let version = async |day: i64| site.run(START_MS + day * DAY_MS).await.succeeds().run.config_version;
        let first = version(0).await;
        assert_eq!(version(1).await, first);
        site.service("capture: {maxAllowedPatches: 3}\n");
        let second = version(2).await;
        assert_ne!(second, first);
        site.service("");
        assert_eq!(version(3).await, first);
        let snapshot = |version: i64| -> Value {
            let line =
                site.look(&format!("select snapshot from annals_config_version where id = {version};"));
            serde_json::from_str(&line.concat()).unwrap()
        };
        let text = |version: i64, file: &str| snapshot(version)["files"][file].as_str().unwrap().to_owned();
        assert!(text(second, "annals.yaml").ends_with("\ncapture: {maxAllowedPatches: 3}\n"));
        assert!(!text(first, "annals.yaml").contains("maxAllowedPatches"));
        assert!(!snapshot(first).to_string().contains("a-key-for-tests-alone"));
        let profile = std::fs::read_to_string(ready_made("sources/identityiq.yaml")).unwrap();
        assert_eq!(text(first, "sources/identityiq.yaml"), profile);
    }
}

/// TRAP-17: what is edited while a run is under way is for the next one.
#[tokio::test]
async fn a_run_keeps_the_configuration_that_it_began_with() {
    for site in Site::on_each_history(20).await {
        let id = somebody(&site);
        let pipeline = site.pipeline(START_MS).await;
        let begun = site.begin(&pipeline).await;
        site.edit(
            "transform/AccessHistoryImageConfig.yaml",
            "      - {property: authLockStart, significant: false}\n",
            "      - {property: authLockStart, significant: false}\n      - {property: email, name: mail}\n",
        );
        let first = site.complete(&pipeline, &begun).await.succeeds();
        let field = async |at_ms, field| site.field(ObjectType::Identity, &id, at_ms, field).await;
        assert!(field(START_MS, "email").await.is_string());
        assert!(field(START_MS, "mail").await.is_null());

        site.change(&format!(
            "update spt_identity set significant_modified = {} where id = '{id}';",
            START_MS + HOUR_MS
        ));
        let second = site.run(START_MS + DAY_MS).await.succeeds();
        assert_ne!(second.run.config_version, first.run.config_version);
        assert!(field(START_MS + DAY_MS, "email").await.is_null());
        assert!(field(START_MS + DAY_MS, "mail").await.is_string());
    }
}

/// A deletion that IdentityIQ notes of somebody's entitlement changes that person, although nothing else of them is
/// saved.
#[tokio::test]
async fn who_loses_a_deleted_entitlement_is_read_again() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let (entitlement, person) = {
            let line = site.ask_one(
                "select id, identity_id from spt_identity_entitlement
                 where name not in ('assignedRoles', 'detectedRoles') order by id limit 1;",
            );
            let (entitlement, person) = line.split_once('|').unwrap();
            (entitlement.to_owned(), person.to_owned())
        };
        let gone_ms = START_MS + HOUR_MS;
        site.change(&format!(
            "delete from spt_identity_entitlement where id = '{entitlement}';
             insert into spt_intercepted_delete (id, created, object_id, object_type, object_deleted_date,
                 extract_config_name, transform_config_name, extracted_object_json)
               values ('gone', {gone_ms}, '{entitlement}', 'IdentityEntitlement', {gone_ms}, 'e', 't', '{{}}');"
        ));
        site.run(START_MS + DAY_MS).await.succeeds();
        let events = site.look(&format!(
            "select event_type from spt_hist_identity_event
             where entity_id = '{person}' and identity_entitlement_id = '{entitlement}';"
        ));
        assert_eq!(events, ["EntitlementRemoved"]);
        let own = site.as_of(ObjectType::Entitlement, &entitlement, gone_ms).await.unwrap();
        assert!(own.deleted);
    }
}

/// TRAP-16: an answer says until when the object was surely so, from when on it was not, and whether a run that would have
/// seen it failed in between.
#[tokio::test]
async fn an_answer_says_how_sure_it_is() {
    for site in Site::on_each_history(20).await {
        let id = somebody(&site);
        let rename = |name: &str, at_ms: i64| {
            site.change(&format!(
                "update spt_identity set firstname = '{name}', significant_modified = {at_ms} where id = '{id}';"
            ));
        };
        rename("Ann", START_MS);
        site.run(START_MS + HOUR_MS).await.succeeds();
        let window = |more: &[&str]| {
            let arguments = [&["as-of", "identity", id.as_str(), "-o", "json"], more].concat();
            let said = annals(site.path(), &arguments).exits(0).json();
            ["since", "lastSeen", "nextSeen", "failedRuns"].map(|member| said[member].clone())
        };
        let [since, read, changed] =
            ["2026-01-05 00:00:00+00:00", "2026-01-05 01:00:00+00:00", "2026-01-06 02:00:00+00:00"];
        // History has not seen it otherwise.
        assert_eq!(window(&[]), [json!(since), json!(read), Value::Null, json!(0)]);
        rename("Bea", START_MS + DAY_MS + 2 * HOUR_MS);
        site.run(START_MS + 2 * DAY_MS).await.succeeds();
        let then = ["--at", "2026-01-05 01:30"];
        assert_eq!(window(&then), [json!(since), json!(read), json!(changed), json!(0)]);
        assert_eq!(window(&[])[..3], [json!(changed), json!("2026-01-07 00:00:00+00:00"), Value::Null]);
        let known = [&then[..], &["--known-as-of", "2026-01-06"]].concat();
        assert_eq!(window(&known), [json!(since), json!(read), Value::Null, json!(0)]);

        site.run(START_MS + 2 * DAY_MS + HOUR_MS).await.succeeds();
        let failed = |change: &str| {
            site.history.sql(&format!("update annals_run set {change} where id = 3;"));
            window(&then)[3].clone()
        };
        let between = START_MS + 5 * HOUR_MS;
        assert_eq!(failed(&format!("started = {between}, status = 'error', result = 'Failure'")), 1);
        assert_eq!(failed("result = 'LockTimeout'"), 0, "another run was under way");
        assert_eq!(
            failed("result = 'Failure', task = 'Another', by_type = '{}'"),
            0,
            "it reads no identities"
        );
        assert_eq!(failed(&format!("task = '{}'", crate::site::TASK)), 1);
        assert_eq!(failed(&format!("started = {START_MS}")), 0, "before it was seen");
        assert_eq!(failed(&format!("started = {between}, status = 'success'")), 0);
        site.history.sql(&format!(
            "insert into annals_run_failure (run_id, object_type, object_id, partition_no, stage, error)
               values (3, 'identity', '{id}', 0, 'load', 'x');"
        ));
        assert_eq!(window(&then)[3], 1, "it could not be read");
        annals(site.path(), &["as-of", "identity", &id, "--at", "2026-01-05 01:30"])
            .exits(0)
            .tells(&format!("last seen so {read}, otherwise {changed}; runs that failed in between: 1"));
    }
}
