//! Tasks that are made by a command.

use serde_json::{Value, json};

use crate::program::annals;
use crate::site::Site;

fn tasks(site: &Site) -> Vec<Value> {
    let listed = annals(site.path(), &["task", "list", "-o", "json"]).exits(0).json();
    listed["items"].as_array().unwrap().clone()
}

/// IIQ-21, IIQ-22: a new task is saved with an extract configuration of its own, and executed where that is asked for;
/// what is only shown is not there.
#[tokio::test]
async fn a_task_is_made_and_executed() {
    let site = Site::small().await;
    let new = ["task", "new", "People: \"all\"", "--extract-configuration", "People"];
    let copy =
        ["--copy-extract", "AccessHistoryExportConfig", "--description", "Who: yes", "--cron", "0 6 * * *"];
    let more = ["--time-zone", "Europe/Berlin", "--argument", "lossLimit=7"];
    let before = tasks(&site);
    let shown = annals(site.path(), &[&new[..], &copy, &more, &["--dry-run"]].concat()).exits(0);
    assert!(shown.out.contains("lossLimit: 7\n"), "{shown:?}");
    assert_eq!(tasks(&site), before);

    let made = annals(site.path(), &[&new[..], &copy, &more, &["--execute"]].concat()).exits(0);
    let paths: Vec<&str> = made.out.lines().take(2).collect();
    assert!(
        paths[0].ends_with("extract/People.yaml") && paths[1].ends_with("tasks/People---all.yaml"),
        "{made:?}"
    );
    let task = tasks(&site).into_iter().find(|task| task["task"] == "People: \"all\"").unwrap();
    assert_eq!((&task["description"], &task["extractConfiguration"]), (&json!("Who: yes"), &json!("People")));
    assert!(task["schedule"].as_str().unwrap().contains("Europe/Berlin"), "{task}");
    let run = annals(site.path(), &["runs", "show", "-o", "json"]).exits(0).json();
    assert_eq!((&run["run"]["task"], &run["run"]["status"]), (&json!("People: \"all\""), &json!("success")));
    assert!(run["counters"]["totalExtractedObjectsPublished"].as_u64().unwrap() > 0);
    annals(site.path(), &["check"]).exits(0);

    // A name that leaves nothing for a file's name is a name all the same.
    let made = ["task", "new", "?!", "--extract-configuration", "Third", "--copy-extract", "People"];
    annals(site.path(), &made).exits(0).tells("annals run \"?!\"");
    assert!(tasks(&site).iter().any(|task| task["task"] == "?!"));
}

/// A name or an extract configuration that another task has is refused, as is whatever the configuration would not be
/// sound with; nothing of it stays.
#[tokio::test]
async fn a_task_that_does_not_fit_is_not_made() {
    let site = Site::small().await;
    let before = (tasks(&site), files(&site));
    let copy = ["--extract-configuration", "Mine", "--copy-extract", "AccessHistoryExportConfig"];
    for (arguments, told) in [
        (vec!["dispatch ACCESS history"], "there is a task `dispatch ACCESS history` already"),
        (vec!["Mine"], "is that of the task `Dispatch Access History`"),
        (vec!["Mine", "--extract-configuration", "Nowhere"], "There are: AccessHistoryExportConfig"),
        (
            [&["Mine"][..], &copy, &["--cron", "61 * * * *"]].concat(),
            "the cron line `61 * * * *` cannot be read",
        ),
        ([&["Mine"][..], &copy, &["--argument", "lossLimit=many"]].concat(), "lossLimit"),
        ([&["Mine"][..], &copy, &["--argument", "lossLimits=1"]].concat(), "lossLimits"),
        (vec!["Mine", "--argument", "lossLimit"], "write NAME=VALUE"),
        (vec![""], "a value is required"),
    ] {
        annals(site.path(), &[&["task", "new"][..], &arguments].concat()).exits(2).tells(told);
        assert_eq!((tasks(&site), files(&site)), before, "{arguments:?}");
    }
}

fn files(site: &Site) -> Vec<String> {
    let mut names: Vec<String> = ["tasks", "extract"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(site.path().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    names.sort();
    names
}
