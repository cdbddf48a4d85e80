//! What the history tables hold after runs, compared with the source.

use std::collections::BTreeMap;
use std::path::Path;

use crate::pairs::{CAPTURES, CHILDREN, ENTITIES, compare};
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

/// IIQ-05, IIQ-07, IIQ-19: after a run the child rows, entity rows and columns of captures are what the source says, on
/// every engine.
#[tokio::test]
async fn the_tables_say_what_the_source_says() {
    for site in Site::everywhere(60).await {
        name_what_is_taken_away(&site);
        let account =
            site.ask_one("select id from spt_link where identity_id is not null order by id limit 1;");
        site.change(&format!("update spt_link set display_name = null where id = '{account}';"));
        // One worker goes by object type, so that requests are written before their items, which name their captures.
        site.edit("annals.yaml", "workerSlots: 2", "workerSlots: 1");
        site.run(START_MS).await.succeeds();
        compare(&site, &CHILDREN);
        compare(&site, &ENTITIES);
        compare(&site, &CAPTURES);
        check_positions(&site);
        check_not_null(&site);
    }
}

/// Lets a decision of a certification be about a role, and one about a violation name a role and an entitlement: a small
/// identity system may have neither.
fn name_what_is_taken_away(site: &Site) {
    let first = |query: &str| site.ask_one(&format!("{query} order by 1 limit 1;"));
    let item = first(
        "select i.id from spt_certification_item i join spt_certification_action d on d.id = i.action
         where d.status = 'Remediated' and i.type <> 'PolicyViolation'",
    );
    let decision = first(
        "select id from spt_identity_history_item
         where identity_id is not null and policy is not null and status = 'Remediated'",
    );
    let role =
        first("select name from spt_bundle where id in (select bundle_id from spt_bundle_profile_relation)");
    let application = first("select name from spt_application");
    site.change(&format!(
        "update spt_certification_item set bundle = '{role}' where id = '{item}';
         update spt_identity_history_item
           set role = '{role}', application = '{application}', attribute = 'groups', value = 'Payroll'
           where id = '{decision}';"
    ));
}

/// Child rows of a capture are numbered from 0 without a gap.
fn check_positions(site: &Site) {
    for (table, parent) in [
        ("spt_hist_accounts", "capture_id"),
        ("spt_hist_entitlements", "capture_id"),
        ("spt_hist_assigned_roles", "capture_id"),
        ("spt_hist_detected_roles", "capture_id"),
        ("spt_hist_policy_violations", "capture_id"),
        ("spt_hist_role_remediation_entitlements", "cert_remediation_capture"),
        ("spt_hist_policy_violation_remediation_bundle_ids", "capture_id"),
        ("spt_hist_policy_violation_remediation_entitlements", "policy_violation_remediation_ent"),
    ] {
        let wrong = format!(
            "select {parent} from {table} group by {parent} having min(idx) <> 0 or max(idx) <> count(*) - 1;"
        );
        assert_eq!(site.look(&wrong), Vec::<String>::new(), "{table}");
    }
    let newest =
        "select identity_id from spt_hist_identity_capture group by identity_id having sum(latest) <> 1;";
    assert_eq!(site.look(newest), Vec::<String>::new());
}

/// IIQ-19: every column that must not be null holds something, in every table that a run fills.
fn check_not_null(site: &Site) {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/history_columns.csv");
    let list = std::fs::read_to_string(list).unwrap();
    let mut required: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in list.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[5] == "NO" {
            required.entry(cells[0]).or_default().push(cells[2]);
        }
    }
    assert_eq!(required.len(), 32);
    for (table, columns) in required {
        for column in columns {
            let empty = format!(
                "select count(*) from {table} where {column} is null or cast({column} as text) = '';"
            );
            assert_eq!(site.count(&empty), 0, "{table}.{column}");
        }
        let no_events = ["spt_hist_role_event", "spt_hist_mattr_event", "spt_hist_workgroup_event"];
        let filled = site.count(&format!("select count(*) from {table};"));
        assert!(filled > 0 || no_events.contains(&table), "{table} is empty");
    }
}

/// After days of joining, moving, leaving, asking and certifying, with a run after each, the newest state in history is
/// the source's, and nothing is left to read.
#[tokio::test]
async fn after_days_of_changes_history_says_what_the_source_says() {
    for site in Site::on_each_history(60).await {
        site.service("capture: {maxAllowedPatches: 2}\n");
        site.run(START_MS).await.succeeds();
        for day in 1..=4 {
            site.pass_day().await;
            let ran = site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
            assert!(ran.total("events") > 0, "day {day}");
        }
        compare(&site, &CHILDREN[..5]);
        compare(&site, &ENTITIES);
        check_positions(&site);
        let before = site.everything().await;
        let again = site.run(START_MS + 5 * DAY_MS).await.succeeds();
        assert_eq!(again.counters().total_object_messages, 0);
        assert_eq!(site.everything().await, before);
        // Read once more as a whole: only what the source said nothing about may be news.
        site.forget_timestamp();
        let all = site.run(START_MS + 6 * DAY_MS).await.succeeds();
        let known = all.total("duplicates") + all.total("unchanged");
        let news = all.counters().total_object_messages - known;
        assert_eq!(news, 0, "{:#?}", all.run.by_type);
    }
}

/// IIQ-19: an item's capture names its request's, though the request could not be captured before it.
#[tokio::test]
async fn an_item_finds_its_request_whatever_was_written_first() {
    for site in Site::on_each_history(20).await {
        let request = site.ask_one(
            "select r.id from spt_identity_request r join spt_identity_request_item x on x.identity_request_id = r.id
             join spt_identity i on i.id = r.target_id order by r.id limit 1",
        );
        let without = format!(
            "select count(*) from spt_hist_identity_req_item_capture
             where identity_request_id = '{request}' and identity_request_capture_id is null"
        );
        let attributes = |text: &str| {
            site.change(&format!(
                "update spt_identity_request set attributes = {text} where id = '{request}';"
            ));
        };
        attributes("'<Attributes'");
        site.run(START_MS).await;
        assert!(site.count(&without) > 0);
        attributes("null");
        site.run(START_MS + DAY_MS).await;
        assert_eq!(site.count(&without), 0);
    }
}
