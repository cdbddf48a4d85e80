//! What a run selects and what it makes of it.

use std::collections::BTreeMap;

use annals_testkit::Engine;
use annals_world::Release;

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

/// How many objects of each type the identity system has, by SQL of our own that knows nothing of the source profile.
fn census(site: &Site) -> BTreeMap<String, u64> {
    const REQUESTED: &str = "target_id is not null and coalesce(target_class, 'Identity')
         in ('Identity', 'sailpoint.object.Identity')";
    let queries = [
        ("identity", "spt_identity where coalesce(workgroup, {false}) = {false}".to_owned()),
        ("workgroup", "spt_identity where workgroup = {true}".to_owned()),
        ("account", "spt_link where identity_id is not null".to_owned()),
        ("role", "spt_bundle".to_owned()),
        ("entitlement", "spt_identity_entitlement".to_owned()),
        ("managedAttribute", "spt_managed_attribute".to_owned()),
        ("certification", "spt_certification".to_owned()),
        (
            "certificationRemediation",
            "spt_certification_item where type <> 'PolicyViolation'
               and action in (select id from spt_certification_action
                              where status in ('Remediated', 'RevokeAccount', 'Modified', 'AccountReassign'))
               and certification_entity_id in (select id from spt_certification_entity
                                               where identity_id in (select name from spt_identity))"
                .to_owned(),
        ),
        ("identityRequest", format!("spt_identity_request where {REQUESTED}")),
        (
            "identityRequestItem",
            format!(
                "spt_identity_request_item
                 where identity_request_id in (select id from spt_identity_request where {REQUESTED})"
            ),
        ),
        ("policyViolation", "spt_policy_violation where identity_id is not null".to_owned()),
        (
            "policyViolationRemediation",
            "spt_identity_history_item where identity_id is not null and policy is not null
               and status in ('Remediated', 'Modified')"
                .to_owned(),
        ),
        ("capability", "spt_capability".to_owned()),
        ("objectConfig", "spt_object_config".to_owned()),
    ];
    let count = |from: &str| site.ask_one(&format!("select count(*) from {from};")).parse().unwrap();
    queries.iter().map(|(object_type, from)| ((*object_type).to_owned(), count(from))).collect()
}

/// The indexes that `annals source indexes` prints serve the search for what changed, of an object itself and of what
/// qualifies it. On an engine that has none on expressions that is said.
#[tokio::test]
async fn indexes_at_the_source_serve_the_search() {
    for site in Site::everywhere(20).await {
        let said = annals(site.path(), &["source", "indexes"]);
        if site.source.engine() == Engine::MariaDb {
            said.exits(2).tells("error: the source database has no indexes on expressions");
            continue;
        }
        let ddl = said.exits(0).out;
        site.source.sql(&ddl);
        // Applied once more, they are there already.
        site.source.sql(&ddl);
        site.run(START_MS).await.succeeds();
        if site.source.engine() == Engine::Postgres {
            // Without statistics of the expression the index is taken for useless.
            let known = "select count(*) from pg_stats where tablename = 'annals_changed_spt_link';";
            assert_eq!(site.source.sql(known).trim(), "1");
            // Tables this small are read whole where that is not forbidden.
            let forbid = "do $$ begin execute format('alter database %I set enable_seqscan = off', current_database());
                          end $$;";
            site.source.sql(forbid);
        }
        site.pass_day().await;
        let ran = site.run(START_MS + DAY_MS).await.succeeds();
        assert!(ran.counters().total_object_messages > 0);
        if site.source.engine() == Engine::Postgres {
            let used = "select relname from pg_stat_user_indexes
                        where indexrelname like 'annals_changed_%' and idx_scan > 0 order by 1;";
            let used = site.source.sql(used);
            for table in ["spt_identity", "spt_link", "spt_identity_entitlement", "spt_bundle"] {
                assert!(used.lines().any(|line| line == table), "{table} is not in {used}");
            }
        }
    }
}

/// IIQ-04, IIQ-12: the first run captures every object; the second one, with nothing changed, selects none and writes
/// nothing; one after k changes and m new objects selects and captures exactly those.
#[tokio::test]
async fn a_run_captures_exactly_what_is_new_or_changed() {
    for site in Site::everywhere(30).await {
        let census = census(&site);
        assert!(census.values().all(|count| *count > 0), "{census:?}");
        let first = site.run(START_MS).await.succeeds();
        assert_eq!(first.counters().total_object_messages, census.values().sum::<u64>());
        assert_eq!(first.by_type("qualifiedByChange"), census);
        assert_eq!(first.by_type("fullCaptures"), census);
        for (object_type, table, id) in Site::capture_tables() {
            let found = site.count(&format!("select count(distinct {id}) from {table};"));
            assert_eq!(found, census[object_type.as_str()], "{table}");
        }
        let before = site.everything().await;

        let second = site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(second.counters().total_object_messages, 0);
        assert_eq!(second.total("unchanged") + second.total("duplicates"), 0);
        assert_eq!(site.everything().await, before);

        let changed_ms = START_MS + DAY_MS + HOUR_MS;
        let expected = change_four_and_add_two(&site, changed_ms);
        let now_ms = START_MS + 2 * DAY_MS;
        let third = site.run(now_ms).await.succeeds();
        assert_eq!(third.counters().total_object_messages, 6);
        assert_eq!(third.total("fullCaptures"), 6);
        assert_eq!(site.captured_at(now_ms), expected, "{}", site.source.engine());
    }
}

/// The ids of what was changed and added, by type.
fn change_four_and_add_two(site: &Site, changed_ms: i64) -> BTreeMap<String, Vec<String>> {
    let first =
        |from: &str, count: u32| site.ask(&format!("select id from {from} order by id limit {count};"));
    // Whoever is in a workgroup qualifies it when saved.
    let people = first(
        "spt_identity where coalesce(workgroup, {false}) = {false}
           and id not in (select identity_id from spt_identity_workgroups)",
        2,
    );
    let role = first("spt_bundle", 1);
    let managed = first("spt_managed_attribute", 1);
    let dated = format!("significant_modified = {changed_ms}, modified = {changed_ms}");
    site.change(&format!(
        "update spt_identity set firstname = 'Renamed', {dated} where id in ('{}', '{}');
         update spt_bundle set displayable_name = 'Renamed', {dated} where id = '{}';
         update spt_managed_attribute set purview = 'Changed', {dated} where id = '{}';
         insert into spt_identity (id, created, name, display_name, inactive, workgroup)
           values ('new-identity', {changed_ms}, 'new.comer', 'New Comer', {{false}}, {{false}});
         insert into spt_capability (id, created, name) values ('new-capability', {changed_ms}, 'NewCapability');",
        people[0], people[1], role[0], managed[0]
    ));
    let mut identities = people;
    identities.push("new-identity".to_owned());
    BTreeMap::from([
        ("identity".to_owned(), identities),
        ("role".to_owned(), role),
        ("managedAttribute".to_owned(), managed),
        ("capability".to_owned(), vec!["new-capability".to_owned()]),
    ])
}

/// IIQ-03: what IdentityIQ itself does not call significant selects nothing, whatever it does to `modified`.
#[tokio::test]
async fn an_insignificant_touch_selects_nothing() {
    for site in Site::on_each_history(20).await {
        // Everything has been significant once, so that `modified` has no say.
        for table in ["spt_identity", "spt_link", "spt_managed_attribute"] {
            site.change(&format!("update {table} set significant_modified = created;"));
        }
        site.run(START_MS).await.succeeds();
        let before = site.everything().await;
        let touched_ms = START_MS + HOUR_MS;
        for table in ["spt_identity", "spt_link", "spt_managed_attribute"] {
            site.change(&format!("update {table} set last_refresh = {touched_ms}, modified = {touched_ms};"));
        }
        let second = site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(second.counters().total_object_messages, 0);
        assert_eq!(site.everything().await, before, "{}", site.source.engine());
    }
}

/// IIQ-03, IIQ-12: an object that is selected although only insignificant fields of it changed, or the order of what
/// has none, is seen to be unchanged: no capture, no event.
#[tokio::test]
async fn what_is_selected_without_a_significant_change_is_not_captured() {
    for site in Site::everywhere(20).await {
        let people = site.ask(
            "select id from spt_identity where coalesce(workgroup, {false}) = {false}
               and id not in (select identity_id from spt_identity_workgroups) order by id limit 2;",
        );
        let [reordered, refreshed] = people.as_slice() else { panic!("two people") };
        speak(&site, reordered, ["en", "sv"], START_MS - HOUR_MS);
        site.run(START_MS).await.succeeds();
        let events = site.count("select count(*) from spt_hist_identity_event;");
        let touched_ms = START_MS + HOUR_MS;
        speak(&site, reordered, ["sv", "en"], touched_ms);
        site.change(&format!(
            "update spt_identity set last_refresh = {touched_ms}, last_login = {touched_ms},
               significant_modified = {touched_ms} where id = '{refreshed}';"
        ));
        let now_ms = START_MS + DAY_MS;
        let second = site.run(now_ms).await.succeeds();
        assert_eq!(second.by_type("qualifiedByChange"), BTreeMap::from([("identity".to_owned(), 2)]));
        assert_eq!(second.by_type("unchanged"), BTreeMap::from([("identity".to_owned(), 2)]));
        assert_eq!(second.total("fullCaptures") + second.total("patchCaptures") + second.total("events"), 0);
        assert_eq!(site.captured_at(now_ms), BTreeMap::new());
        assert_eq!(site.count("select count(*) from spt_hist_identity_event;"), events);
        let seen = format!(
            "select count(*) from annals_head where kind = (select id from annals_object_kind where object_type = 'identity') and extended_to_date = {touched_ms};"
        );
        assert_eq!(site.count(&seen), 2);
    }
}

/// Gives somebody a multi-valued attribute.
fn speak(site: &Site, id: &str, languages: [&str; 2], changed_ms: i64) {
    let [one, two] = languages.map(|language| format!("<String>{language}</String>"));
    site.change(&format!(
        "update spt_identity set significant_modified = {changed_ms}, attributes = '<Attributes><Map>\
           <entry key=\"languages\"><value><List>{one}{two}</List></value></entry></Map></Attributes>'
         where id = '{id}';"
    ));
}

/// IIQ-10: reading everything once more, with the named timestamp gone, recognises every message and changes no row.
#[tokio::test]
async fn publishing_a_whole_run_again_changes_no_row() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        change_four_and_add_two(&site, START_MS + HOUR_MS);
        site.run(START_MS + DAY_MS).await.succeeds();
        let before = site.everything().await;
        site.forget_timestamp();
        let again = site.run(START_MS + 2 * DAY_MS).await.succeeds();
        let census = census(&site);
        assert_eq!(again.by_type("qualifiedByChange"), census);
        assert_eq!(again.by_type("duplicates"), census);
        assert_eq!(site.everything().await, before, "{}", site.source.engine());
    }
}

/// IIQ-11: what a first run tells is that objects were discovered; what a later one tells is what changed.
#[tokio::test]
async fn initial_events_differ_from_those_of_changes() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let told = |recorded_ms: i64| {
            let mut told = Vec::new();
            for table in ["identity", "role", "mattr", "workgroup"] {
                told.extend(site.look(&format!(
                    "select distinct event_source_type, event_type from spt_hist_{table}_event
                     where created = {recorded_ms} order by event_source_type, event_type;"
                )));
            }
            told
        };
        let first = told(START_MS);
        assert!(first.iter().all(|kind| kind.starts_with("INITIAL_CAPTURE|")), "{first:?}");
        for kind in
            ["IdentityDiscovered", "RoleDiscovered", "ManagedAttributeDiscovered", "WorkgroupDiscovered"]
        {
            assert!(first.contains(&format!("INITIAL_CAPTURE|{kind}")), "{kind}: {first:?}");
        }
        change_four_and_add_two(&site, START_MS + HOUR_MS);
        site.run(START_MS + DAY_MS).await.succeeds();
        let later = told(START_MS + DAY_MS);
        let (initial, changes): (Vec<String>, Vec<String>) =
            later.into_iter().partition(|kind| kind.starts_with("INITIAL_CAPTURE|"));
        assert_eq!(initial, ["INITIAL_CAPTURE|IdentityDiscovered"]);
        assert!(changes.iter().any(|kind| kind.ends_with("|IdentityChanged")), "{changes:?}");
        assert!(changes.iter().all(|kind| !kind.ends_with("Discovered")), "{changes:?}");
    }
}

/// A changed account qualifies the identity that holds it: both are captured, although the identity was not saved.
#[tokio::test]
async fn a_changed_account_qualifies_its_identity() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let line = site.ask_one(
            "select id, identity_id from spt_link where identity_id is not null order by id limit 1;",
        );
        let (account, identity) = line.split_once('|').unwrap();
        let at_ms = START_MS + HOUR_MS;
        site.change(&format!(
            "update spt_link set display_name = 'Renamed', significant_modified = {at_ms} where id = '{account}';"
        ));
        let now_ms = START_MS + DAY_MS;
        let second = site.run(now_ms).await.succeeds();
        assert_eq!(second.counters().total_object_messages, 2);
        let expected = BTreeMap::from([
            ("account".to_owned(), vec![account.to_owned()]),
            ("identity".to_owned(), vec![identity.to_owned()]),
        ]);
        assert_eq!(site.captured_at(now_ms), expected);
        let dated = format!("select effective_date from spt_hist_identity_capture where created = {now_ms};");
        assert_eq!(site.look(&dated), [at_ms.to_string()]);
    }
}

/// Releases before 8.4 have neither `significant_modified` nor a table of deletions: the same configuration reads them,
/// and `modified` decides.
#[tokio::test]
async fn earlier_releases_are_read_by_the_same_configuration() {
    for release in [Release::V8_0, Release::V8_3] {
        let site = Site::of_release(release).await;
        let first = site.run(START_MS).await.succeeds();
        assert_eq!(first.by_type("fullCaptures"), census(&site), "{release}");
        let second = site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(second.counters().total_object_messages, 0);
        let at_ms = START_MS + DAY_MS + HOUR_MS;
        site.change(&format!(
            "update spt_capability set description = 'Changed', modified = {at_ms} where name = 'SystemAdministrator';
             update spt_capability set modified = {at_ms} where name <> 'SystemAdministrator';"
        ));
        let third = site.run(START_MS + 2 * DAY_MS).await.succeeds();
        assert_eq!(third.by_type("qualifiedByChange").get("capability"), census(&site).get("capability"));
        assert_eq!(third.by_type("fullCaptures"), BTreeMap::from([("capability".to_owned(), 1)]));
    }
}
