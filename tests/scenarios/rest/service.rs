//! Runs, tasks, hosts.

use serde_json::{Value, json};

use super::Rest;
use crate::program::annals;
use crate::site::TASK;

/// Runs with their partitions and results, tasks and hosts are those that the database and the commands have.
#[tokio::test]
async fn runs_and_what_belongs_to_them_are_told() {
    for rest in Rest::everywhere().await {
        let numbers =
            |rows: &[Value]| rows.iter().map(|row| row["run"].as_i64().unwrap()).collect::<Vec<_>>();
        let runs = rest.all("/api/v1/runs?$top=1");
        assert_eq!(numbers(&runs), [2, 1]);
        assert_eq!(numbers(&rest.all(&format!("/api/v1/runs?task={TASK}"))), [2, 1]);
        assert_eq!(rest.all("/api/v1/runs?task=other"), Vec::<Value>::new());
        let first = rest.get("/api/v1/runs/1");
        let said = annals(rest.site.path(), &["runs", "list", "-o", "json"]).exits(0).json();
        assert_eq!(first["counters"]["totalObjectMessages"], said["items"][1]["qualified"]);
        assert_eq!((&first["state"], &first["result"]), (&"ended".into(), &"Success".into()));
        let full: u64 = first["written"]
            .as_array()
            .unwrap()
            .iter()
            .map(|class| class["counts"]["fullCaptures"].as_u64().unwrap())
            .sum();
        assert_eq!(
            full,
            rest.site.count("select sum(full_captures) from annals_run_write where run_id = 1;")
        );
        assert!(full > 0);
        let partitions = rest.all("/api/v1/runs/1/partitions");
        assert_eq!(
            partitions.len() as u64,
            rest.site.count("select count(*) from annals_partition where run_id = 1;")
        );
        let objects: i64 = partitions.iter().map(|partition| partition["objects"].as_i64().unwrap()).sum();
        assert_eq!(first["counters"]["totalObjectMessages"], objects);
        assert_eq!(rest.all("/api/v1/runs/1/failures"), Vec::<Value>::new());
        assert_eq!(rest.problem("/api/v1/runs/99").3, "run 99 was not found");
        assert_eq!(rest.problem("/api/v1/runs/x").0, 404);
        assert_eq!(rest.problem("/api/v1/runs/99/partitions").0, 404);

        let tasks = rest.all("/api/v1/tasks");
        assert!(tasks.iter().any(|task| task["task"] == TASK), "{tasks:#?}");
        assert_eq!(rest.all(&format!("/api/v1/tasks/{TASK}/fires")), Vec::<Value>::new());
        assert_eq!(rest.problem("/api/v1/tasks/other/fires").0, 404);
        let hosts = rest.all("/api/v1/hosts");
        let of = |host: &&Value| host["name"] == "alpha";
        assert_eq!(hosts.iter().find(of).unwrap()["roles"], json!(["api"]), "{hosts:#?}");
    }
}

/// Failed objects and messages that were given up.
#[tokio::test]
async fn failures_and_dead_letters_are_told() {
    for rest in Rest::everywhere().await {
        let id = &rest.site.look("select identity_id from spt_hist_identity order by 1 limit 1;")[0];
        rest.site.history.sql(&format!(
            "insert into annals_failed_object
               (task, object_type, object_id, stage, attempts, first_failed, last_failed, error, run_id)
             values ('{TASK}', 'identity', '{id}', 'load', 2, 1000, 2000, 'no such row', 2);
             insert into annals_dead_letter
               (id, source, object_type, object_id, created, reason, message, name, occurred_date, observed_date, attempts)
             select 'letter', 'identityiq', 'identity', '{id}', 3000, 'it is broken', capture_id, 'Ann', 1, 2, 5
             from annals_head limit 1;"
        ));
        let failed = rest.all(&format!("/api/v1/tasks/{TASK}/failures"));
        let expected = json!([{
            "class": "identity", "objectId": id, "stage": "load", "error": "no such row", "attempts": 2,
            "firstFailed": "1970-01-01T00:00:01Z", "lastFailed": "1970-01-01T00:00:02Z", "run": 2,
        }]);
        assert_eq!(json!(failed), expected);
        assert_eq!(rest.problem("/api/v1/tasks/other/failures").0, 404);
        let letters = rest.all("/api/v1/dead-letters?class=identity&object=ANN");
        assert_eq!(letters.len(), 1);
        assert_eq!((&letters[0]["id"], &letters[0]["reason"]), (&"letter".into(), &"it is broken".into()));
        assert_eq!(rest.all("/api/v1/dead-letters?class=role"), Vec::<Value>::new());
        assert_eq!(rest.problem("/api/v1/dead-letters?class=person").1.as_deref(), Some("class"));
        assert_eq!(rest.problem("/api/v1/dead-letters?run=x").1.as_deref(), Some("run"));
    }
}
