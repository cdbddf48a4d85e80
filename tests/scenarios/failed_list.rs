//! `annals failures`: what people see of a task's list of failed objects, and what they decide.

use serde_json::{Value, json};

use crate::program::annals;
use crate::site::{DAY_MS, START_MS, Site};

/// A site of whose people the first three failed.
async fn with_failures() -> Vec<(Site, Vec<String>)> {
    let mut sites = Vec::new();
    for site in Site::on_each_history(20).await {
        let ids = site.ask(
            "select id from spt_identity where coalesce(workgroup, {false}) = {false} order by id limit 3;",
        );
        site.change(&format!(
            "update spt_identity set attributes = '<Attributes><Map' where id in ('{}');
             update spt_capability set description = null;",
            ids.join("', '")
        ));
        site.run(START_MS).await;
        sites.push((site, ids));
    }
    sites
}

fn listed(site: &Site, arguments: &[&str]) -> Vec<(String, u64)> {
    let all = [&["failures", "list", "-o", "json"], arguments].concat();
    let said = annals(site.path(), &all).exits(0).json();
    let of = |item: &Value| {
        assert_eq!((&item["objectType"], &item["run"]), (&json!("identity"), &json!(1)));
        (item["objectId"].as_str().unwrap().to_owned(), item["attempts"].as_u64().unwrap())
    };
    said["items"].as_array().unwrap().iter().map(of).collect()
}

/// IIQ-26, IIQ-55: the list is shown whole and by filters, in JSON of one shape.
#[tokio::test]
async fn the_failed_objects_are_listed() {
    for (site, ids) in with_failures().await {
        let all: Vec<(String, u64)> = ids.iter().map(|id| (id.clone(), 1)).collect();
        assert_eq!(listed(&site, &[]), all);
        assert_eq!(listed(&site, &["--type", "identity", "--stage", "load"]), all);
        assert_eq!(listed(&site, &["--type", "role"]), []);
        assert_eq!(listed(&site, &["--stage", "quarantine"]), []);
        assert_eq!(listed(&site, &["--id", &ids[2], "--id", &ids[0]]), [all[0].clone(), all[2].clone()]);
        let said = annals(site.path(), &["failures", "list", "-o", "json"]).exits(0).json();
        assert_eq!((&said["task"], &said["cut"]), (&json!("Dispatch Access History"), &json!(false)));
        let error = said["items"][0]["error"].as_str().unwrap();
        assert!(error.contains("spt_identity") && error.contains("attributes"), "{error}");
        assert_eq!(said["items"][0]["firstFailed"], "2026-01-04 23:59:00+00:00");
    }
}

/// IIQ-26: an object that is to be tried again has all its attempts again; one that was dropped is not read until it
/// changes.
#[tokio::test]
async fn people_decide_what_becomes_of_failed_objects() {
    for (site, ids) in with_failures().await {
        annals(site.path(), &["run"]).exits(3).tells(" qualified=3 ").tells(" failed=3 ");
        let twice = site.look("select distinct attempts from annals_failed_object;");
        assert_eq!(twice, ["2"]);
        annals(site.path(), &["failures", "retry", "--id", &ids[0]])
            .exits(0)
            .tells("The next run of task `Dispatch Access History` tries these 1 objects again.");
        let dropped =
            annals(site.path(), &["failures", "drop", "--id", &ids[1], "-o", "json"]).exits(0).json();
        assert_eq!(dropped["items"][0]["objectId"], json!(ids[1]));
        let list = "select object_id, attempts from annals_failed_object order by object_id;";
        assert_eq!(site.look(list), [format!("{}|0", ids[0]), format!("{}|2", ids[2])]);
        annals(site.path(), &["run"]).exits(3).tells(" qualified=2 ");
        assert_eq!(site.look(list), [format!("{}|1", ids[0]), format!("{}|3", ids[2])]);
        annals(site.path(), &["failures", "drop", "--all"]).exits(0);
        annals(site.path(), &["run"]).exits(0).tells(" qualified=0 ");
    }
}

/// An object that is let out of quarantine while a run is under way, which has left it out, is read by the next one.
#[tokio::test]
async fn what_is_retried_during_a_run_is_not_lost() {
    for (site, ids) in with_failures().await {
        let list = "select object_id, attempts from annals_failed_object order by object_id;";
        site.history.sql(&format!(
            "update annals_failed_object set stage = 'quarantine', attempts = 3 where object_id = '{}';",
            ids[0]
        ));
        site.change(&format!("update spt_identity set attributes = null where id = '{}';", ids[0]));
        let pipeline = site.pipeline(START_MS + DAY_MS).await;
        let begun = site.begin(&pipeline).await;
        annals(site.path(), &["failures", "retry", "--id", &ids[0]]).exits(0);
        site.complete(&pipeline, &begun).await;
        assert_eq!(
            site.look(list),
            [format!("{}|0", ids[0]), format!("{}|2", ids[1]), format!("{}|2", ids[2])]
        );
        let captures =
            format!("select count(*) from spt_hist_identity_capture where identity_id = '{}';", ids[0]);
        assert_eq!(site.count(&captures), 0);

        site.run(START_MS + 2 * DAY_MS).await;
        assert_eq!(site.look(list), [format!("{}|3", ids[1]), format!("{}|3", ids[2])]);
        assert_eq!(site.count(&captures), 1);
    }
}

/// Every way to say it wrong, with the way out.
#[tokio::test]
async fn a_wrong_choice_of_failed_objects_is_said() {
    for (site, ids) in with_failures().await {
        let call = |arguments: &[&str]| annals(site.path(), arguments);
        for verb in ["retry", "drop"] {
            call(&["failures", verb])
                .exits(2)
                .tells("error: it was not said which failed objects")
                .tells("help: Choose them by --type, --stage or --id, or take --all;");
            call(&["failures", verb, "--all", "--id", &ids[0]]).exits(2).tells("cannot be used with");
            call(&["failures", verb, "--stage", "nowhere"]).exits(2).tells("quarantine");
            call(&["failures", verb, "--type", "role"])
                .exits(5)
                .tells("error: a failed object of task `Dispatch Access History` like this was not found");
            call(&["failures", verb, "--id", &ids[0], "--id", "nobody"])
                .exits(5)
                .tells("error: `nobody` on the list of failed objects of task")
                .tells("`annals capture TYPE NAME`");
        }
        call(&["failures", "list", "Nope"]).exits(5).tells("error: task `Nope` was not found");
        // Nothing came of any of it.
        assert_eq!(listed(&site, &[]).len(), 3);
    }
}
