//! Exit codes 3 to 9, each with what is said and what helps; 2 is told in `command_line`.

use serde_json::json;

use crate::program::annals;
use crate::site::{START_MS, Site, somebody};

/// Exit code 3: the run finished below its thresholds, and objects failed.
#[tokio::test]
async fn objects_that_fail_below_the_threshold_give_exit_code_3() {
    let site = Site::small().await;
    site.change("update spt_capability set description = null;");
    let (id, _) = somebody(&site);
    site.change(&format!("update spt_identity set attributes = '<Attributes><Map' where id = '{id}';"));
    annals(site.path(), &["run"])
        .exits(3)
        .tells(" failed=1 ")
        .tells("warning: The NamedTimestamp will be updated");
}

/// Exit code 4: the run failed, the named timestamp has not moved.
#[tokio::test]
async fn a_failed_run_gives_exit_code_4() {
    let site = Site::small().await;
    site.arguments("maxFailuresAbsolute: 0");
    let (id, _) = somebody(&site);
    site.change(&format!("update spt_identity set attributes = '<Attributes><Map' where id = '{id}';"));
    annals(site.path(), &["run"]).exits(4).tells("Done. status=error ");
    assert_eq!(site.timestamp(), None);
}

/// Exit code 5, with where to look.
#[tokio::test]
async fn what_is_not_there_gives_exit_code_5() {
    let site = Site::small().await;
    let call = |arguments: &[&str]| annals(site.path(), arguments).exits(5);
    call(&["runs", "show"]).tells("error: a run was not found").tells("help: Execute a task: `annals run`.");
    site.run(START_MS).await.succeeds();
    let (_, name) = somebody(&site);
    call(&["runs", "show", "99"]).tells("error: run 99 was not found").tells("help: `annals runs list`");
    call(&["run", "Nope"])
        .tells("error: task `Nope` was not found")
        .tells("help: The tasks are `Dispatch Access History`.");
    call(&["plan", "Nope"]).tells("error: task `Nope` was not found");
    call(&["as-of", "identity", "nobody"]).tells("error: identity `nobody` was not found").tells("help: ");
    call(&["timeline", "identity", "nobody"]).tells("error: identity `nobody` was not found");
    call(&["transform", "identity", "nobody"]).tells("error: identity `nobody` was not found");
    call(&["capture", "identity", "nobody"]).tells("error: identity `nobody` was not found");
    call(&["as-of", "identity", &name, "--at", "2001-01-01"])
        .tells("as of 2001-01-01 23:59:59+00:00 was not found")
        .tells("help: History begins later");
}

/// Exit code 7: another run of the task holds its lock.
#[tokio::test]
async fn a_task_that_is_being_executed_gives_exit_code_7() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        // Driven until the far future, so that it is not taken for a dead process' run.
        site.history.sql(
            "update annals_run set state = 'running', driver_until = 9999999999999;
             update annals_task set locked_by_run = 1;",
        );
        annals(site.path(), &["run"])
            .exits(7)
            .tells("is being executed by run 1; try again when it has ended.");
        let shown = annals(site.path(), &["runs", "show", "-o", "json"]).exits(0).json();
        assert_eq!(
            (&shown["run"]["status"], &shown["run"]["result"]),
            (&json!("error"), &json!("LockTimeout"))
        );
        // One of which nothing was heard for long is finished first.
        site.history.sql("update annals_run set driver_until = 1 where id = 1;");
        annals(site.path(), &["run"]).exits(0);
    }
}

/// Exit code 8: the identity system cannot be reached, on any engine.
#[tokio::test]
async fn a_source_that_cannot_be_reached_gives_exit_code_8() {
    let site = Site::small().await;
    for url in [
        "sqlite:/nowhere/at/all.db",
        "postgres://nobody@127.0.0.1:1/nothing",
        "mysql://nobody@127.0.0.1:1/nothing",
    ] {
        let (source, history) = (url, site.history.url());
        site.write(
            "annals.yaml",
            &format!(
                "accessHistoryEnabled: true\nsource: {{profile: identityiq, url: \"{source}\"}}\n\
                 history: {{url: \"{history}\"}}\nsecretHashKey: a-key-for-tests-alone\n"
            ),
        );
        for command in [&["run"][..], &["plan"], &["transform", "identity", "x"]] {
            annals(site.path(), command).exits(8).tells("opening the source database").tells(
                "help: See that the source database runs and that `source.url` in annals.yaml names it.",
            );
        }
    }
}

/// BRV-14: a run that could not begin is recorded, with its reason: `NoInitialToken` where the source refused the user,
/// else `Failure`. The named timestamp stays.
#[tokio::test]
async fn a_run_without_a_source_is_recorded() {
    let site = Site::new(annals_testkit::Engine::MariaDb, annals_testkit::Engine::Sqlite, 20).await;
    site.run(START_MS).await.succeeds();
    let timestamp = site.timestamp();
    let (_, at) = site.source.url().split_once('@').unwrap();
    let server = site.source.url().to_owned();
    site.edit("annals.yaml", &server, &format!("mysql://nobody-of-this-name:wrong@{at}"));
    annals(site.path(), &["run"]).exits(8).tells("has the rights that docs/databases.md lists");
    let shown = annals(site.path(), &["runs", "show", "-o", "json"]).exits(0).json();
    let run = &shown["run"];
    assert_eq!((&run["run"], &run["status"], &run["state"]), (&json!(2), &json!("error"), &json!("ended")));
    assert_eq!(run["result"], "NoInitialToken");
    assert!(
        shown["messages"][0]["text"].as_str().unwrap().contains("opening the source database"),
        "{shown}"
    );

    site.edit(
        "annals.yaml",
        &format!("mysql://nobody-of-this-name:wrong@{at}"),
        "mysql://nobody@127.0.0.1:1/x",
    );
    annals(site.path(), &["run"]).exits(8);
    let shown = annals(site.path(), &["runs", "show", "-o", "json"]).exits(0).json();
    assert_eq!((&shown["run"]["run"], &shown["run"]["result"]), (&json!(3), &json!("Failure")));
    assert_eq!(site.timestamp(), timestamp);
    site.edit("annals.yaml", "mysql://nobody@127.0.0.1:1/x", &server);
    annals(site.path(), &["run"]).exits(0);
}

/// TRAP-18: a column that is gone, or has another name, is named, with the table and what reads it; one that came is no
/// matter. On every engine.
#[tokio::test]
async fn a_missing_column_is_named_and_an_added_one_is_no_matter() {
    for site in Site::everywhere(20).await {
        let code = |code: i32| annals(site.path(), &["run"]).exits(code);
        site.change("alter table spt_identity add column shoe_size varchar(20);");
        let first = code(0);
        assert!(first.err.contains("Done. status=success "), "{first:#?}");
        site.change("alter table spt_identity rename column description to remarks;");
        code(2)
            .tells("the source profile `identityiq` does not fit the database")
            .tells(
                "identity.description: table spt_identity, column description: the table has no such column",
            )
            .tells("workgroup.description: table spt_identity, column description")
            .tells("help: Let sources/identityiq.yaml name what the database has.");
        site.change("alter table spt_identity rename column remarks to description;");
        site.change("alter table spt_certification drop column comments;");
        code(2).tells(
            "certification.comments: table spt_certification, column comments: the table has no such column",
        );
        site.edit("sources/identityiq.yaml", "      remediationsCompleted: remediations_completed\n", "");
        site.edit(
            "sources/identityiq.yaml",
            "      comments: comments\n      parent: {object",
            "      parent: {object",
        );
        site.edit(
            "transform/AccessHistoryImageConfig.yaml",
            "      - {property: remediationsCompleted, significant: false}\n",
            "",
        );
        code(0);
    }
}
