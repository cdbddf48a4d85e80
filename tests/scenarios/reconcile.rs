//! `annals reconcile`: what slipped by the runs, and what is gone without a trace.

use serde_json::{Value, json};

use crate::daemon::{Daemon, wait_for};
use crate::program::{Said, annals};
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, TASK};

/// What was found: type, id, finding.
fn found(said: &Value) -> Vec<String> {
    let items = said["items"].as_array().unwrap().iter();
    let mut found: Vec<String> = items
        .map(|item| {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            format!("{} {} {}", text("objectType"), text("objectId"), text("finding"))
        })
        .collect();
    found.sort();
    found
}

fn reconcile(site: &Site, arguments: &[&str]) -> Said {
    annals(site.path(), &[&["reconcile", "-o", "json"], arguments].concat()).exits(0)
}

fn first(site: &Site, from: &str) -> String {
    site.ask_one(&format!("select id from {from} order by id desc limit 1;"))
}

/// Changes and deletions that no run can see any more, beside such as the next run will see. What must be found.
fn slip(site: &Site) -> Vec<String> {
    let slipped_ms = START_MS - 120_000;
    let person = first(
        site,
        "spt_identity where coalesce(workgroup, {false}) = {false}
           and id not in (select identity_id from spt_identity_workgroups)",
    );
    let role = first(site, "spt_bundle");
    let later_ms = START_MS + DAY_MS + HOUR_MS;
    let noted = first(site, "spt_capability");
    site.change(&format!(
        "update spt_identity set firstname = 'Slipped', significant_modified = {slipped_ms} where id = '{person}';
         insert into spt_capability (id, created, name) values ('slipped', {slipped_ms}, 'Slipped');
         delete from spt_bundle where id = '{role}';
         update spt_managed_attribute set purview = 'Changed', significant_modified = {later_ms};
         delete from spt_capability where id = '{noted}';
         insert into spt_intercepted_delete
           (id, object_id, object_type, object_deleted_date, extract_config_name, transform_config_name,
            extracted_object_json)
           values ('noted', '{noted}', 'Capability', {later_ms}, 'e', 't', '{{}}');"
    ));
    vec![
        "capability slipped slipped".to_owned(),
        format!("identity {person} slipped"),
        format!("role {role} gone"),
    ]
}

/// IIQ-03, TRAP-04: what changed with a time that was past when a run looked is found by comparing, as is what is gone
/// without a note. It is reported, and captured as a run would; what the next run will see is left to it.
#[tokio::test]
async fn what_slipped_by_is_found_and_captured() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(found(&reconcile(&site, &["--dry-run"]).json()), Vec::<String>::new());
        let expected = slip(&site);
        let (before, timestamp) = (site.everything().await, site.timestamp());

        let dry =
            reconcile(&site, &["--dry-run"]).tells(": 2 had slipped by, 1 are gone without a note.").json();
        assert_eq!(found(&dry), expected);
        assert_eq!((&dry["run"], &dry["cut"]), (&Value::Null, &json!(false)));
        let people: u64 = site
            .ask_one("select count(*) from spt_identity where coalesce(workgroup, {false}) = {false};")
            .parse()
            .unwrap();
        assert_eq!(dry["totals"]["identity"], json!({"compared": people, "slipped": 1, "gone": 0}));
        assert_eq!(site.everything().await, before);
        let roles = reconcile(&site, &["--dry-run", "--type", "role"]).json();
        assert_eq!(found(&roles), &expected[2..]);

        let said = reconcile(&site, &[]).tells(
            "warning: Reconciliation: 2 objects had slipped by, 1 are gone from the source without a note.",
        );
        assert_eq!(found(&said.json()), expected);
        assert_eq!(said.json()["run"], 3);
        assert_eq!(site.timestamp(), timestamp);
        let ran = site.ran(3).await;
        assert_eq!((ran.counters().total_object_messages, ran.total("deletions")), (2, 1));
        assert_eq!((ran.total("fullCaptures") + ran.total("patchCaptures"), ran.total("deleted")), (2, 1));
        assert_eq!(found(&reconcile(&site, &["--dry-run"]).json()), Vec::<String>::new());

        // The next run sees the rest, by its own dates.
        let next = site.run(START_MS + 2 * DAY_MS).await.succeeds();
        assert!(next.by_type("qualifiedByChange")["managedAttribute"] > 0);
        let ended = site.look("select effective_date from annals_head where deleted <> 0 and object_id = (select capability_id from spt_hist_capability where deleted = 1);");
        assert_eq!(ended, [(START_MS + DAY_MS + HOUR_MS).to_string()]);
    }
}

/// An identity in quarantine is not read because it lost an account either.
#[tokio::test]
async fn what_is_in_quarantine_is_not_reconciled() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let of = site.ask(
            "select id, identity_id from spt_link where identity_id in
               (select identity_id from spt_link where identity_id is not null group by identity_id order by 1 limit 2)
             order by identity_id, id;",
        );
        let (account, apart) = of[0].split_once('|').unwrap();
        let (other, read) = of[of.len() - 1].split_once('|').unwrap();
        site.change(&format!("delete from spt_link where id in ('{account}', '{other}');"));
        site.history.sql(&format!(
            "insert into annals_failed_object
               (task, object_type, object_id, attempts, stage, error, first_failed, last_failed, run_id)
             values ('Dispatch Access History', 'identity', '{apart}', 3, 'quarantine', 'killed', 1, 1, 1);"
        ));
        reconcile(&site, &[]);
        let captures = |id: &str| {
            site.count(&format!("select count(*) from spt_hist_identity_capture where identity_id = '{id}';"))
        };
        assert_eq!((captures(apart), captures(read)), (1, 2));
    }
}

/// Many pages, of which the report names the first objects and counts all; and who lost an account is read again.
#[tokio::test]
async fn a_long_report_is_cut_and_everything_is_captured() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let line = site.ask_one(
            "select id, identity_id from spt_link where identity_id is not null order by id limit 1;",
        );
        let (account, identity) = line.split_once('|').unwrap();
        site.change(&format!(
            "delete from spt_link where id = '{account}';
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 4500)
             insert into spt_capability (id, created, name)
             select 'many-' || i, {}, 'many-' || i from n;",
            START_MS - 120_000
        ));
        let said = reconcile(&site, &[]).json();
        assert_eq!((said["items"].as_array().unwrap().len(), &said["cut"]), (1_000, &json!(true)));
        assert_eq!(said["totals"]["capability"]["slipped"], 4_500);
        assert_eq!(said["totals"]["account"]["gone"], 1);
        let captured =
            site.count("select count(*) from spt_hist_capability_capture where capability_id like 'many-%';");
        assert_eq!(captured, 4_500);
        let captures = |id: &str| {
            site.count(&format!("select count(*) from spt_hist_identity_capture where identity_id = '{id}';"))
        };
        assert_eq!(captures(identity), 2);
    }
}

/// What cannot be done is said with the way out.
#[tokio::test]
async fn a_type_that_the_task_does_not_read_is_refused() {
    let site = Site::small().await;
    site.extracts("identity: {}");
    annals(site.path(), &["reconcile", "--type", "role"])
        .exits(2)
        .tells("error: task `Dispatch Access History` does not read objects of type role");
    // Nothing was read yet: everything is the next run's.
    let said = reconcile(&site, &["--dry-run"]).tells(": 0 had slipped by, 0 are gone");
    assert_eq!(found(&said.json()), Vec::<String>::new());
}

/// A sweep has a schedule of its own: its fires are rows of the ledger under its own name, and what slipped by is
/// captured by the run of such a fire. It is listed, paused, resumed and triggered as tasks are.
#[tokio::test]
async fn a_sweep_has_a_schedule_of_its_own() {
    for history in annals_testkit::history_engines() {
        let site = Site::new(annals_testkit::Engine::Sqlite, history, 20).await;
        site.run(START_MS).await.succeeds();
        slip(&site);
        let seldom = "schedule: {everySeconds: 604800}\nreconcile: {everySeconds: 2, overlap: buffer-one}";
        site.write("tasks/dispatch-access-history.yaml", &format!("name: {TASK}\n{seldom}\n"));
        let sweep = format!("{TASK} (reconcile)");
        let listed = annals(site.path(), &["schedule", "list", "-o", "json"]).exits(0).json();
        let names: Vec<&Value> =
            listed["items"].as_array().unwrap().iter().map(|item| &item["task"]).collect();
        assert_eq!(names, [TASK, sweep.as_str()]);
        let next = annals(site.path(), &["schedule", "next", &sweep, "--count", "2", "-o", "json"]);
        assert_eq!(next.exits(0).json()["items"].as_array().unwrap().len(), 2);
        annals(site.path(), &["schedule", "pause", &sweep, "--note", "not yet"]).exits(0);
        let daemon = Daemon::serving(site.path(), &[]);
        let of_sweep = |outcome: &str| {
            site.count(&format!(
                "select count(*) from annals_schedule_fire where task = '{sweep}' and outcome = '{outcome}';"
            ))
        };
        wait_for("fires of the pause", || of_sweep("skipped") >= 2);
        assert_eq!((of_sweep("fired"), site.count("select count(*) from annals_run;")), (0, 1));
        annals(site.path(), &["schedule", "trigger", &sweep]).exits(0);
        wait_for("the triggered sweep", || of_sweep("triggered") == 1);
        annals(site.path(), &["schedule", "resume", &sweep]).exits(0);
        wait_for("a fire", || of_sweep("fired") >= 1);
        annals(site.path(), &["schedule", "pause", &sweep]).exits(0);
        wait_for("the last run", || {
            site.count("select count(*) from annals_run where state <> 'ended';") == 0
        });
        daemon.stops();

        // The first sweep captured what had slipped by and what was gone; the next one found nothing more.
        let texts =
            site.look("select text from annals_run_message where text like 'Compared%' order by run_id;");
        assert!(texts[0].ends_with(": 2 had slipped by, 1 are gone without a note."), "{texts:?}");
        assert!(
            texts[1..].iter().all(|text| text.ends_with(": 0 had slipped by, 0 are gone without a note."))
        );
        let fires = site.look(
            "select f.outcome, r.trigger_kind, r.task from annals_schedule_fire f
               join annals_run r on r.id = f.run_id order by r.id;",
        );
        assert_eq!(fires[0], format!("triggered|adhoc|{TASK}"));
        assert!(fires[1..].iter().all(|fire| *fire == format!("fired|scheduled|{TASK}")), "{fires:?}");
        assert_eq!(fires.len(), texts.len());
    }
}
