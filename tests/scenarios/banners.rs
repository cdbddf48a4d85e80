//! What a run says when its configuration does not let it do its work, word for word, through the program.

use annals_testkit::Engine;
use serde_json::{Value, json};

use crate::program::{Said, annals, annals_with};
use crate::site::{Site, ready_made};

const EXTRACT: &str = "extract/AccessHistoryExportConfig.yaml";
const TRANSFORM: &str = "transform/AccessHistoryImageConfig.yaml";

/// Executes the task; what it said, and what the run's record says: status, result, messages.
fn run(site: &Site) -> (Said, Value) {
    let said = annals(site.path(), &["run"]);
    let shown = annals(site.path(), &["runs", "show", "-o", "json"]).exits(0).json();
    (said, shown)
}

/// A run that says one thing and reads nothing.
#[track_caller]
fn ends_with(site: &Site, code: i32, status: &str, text: &str) {
    let (said, shown) = run(site);
    said.exits(code)
        .tells(&format!("{status}: {text}\n"))
        .tells(&format!("Done. status={status} qualified=0"));
    assert_eq!(shown["run"]["status"], status);
    assert_eq!(shown["run"]["state"], "ended");
    assert_eq!(shown["messages"], json!([{"status": status, "text": text}]));
    assert_eq!(shown["results"].as_array().unwrap().len(), 1);
    assert_eq!(site.timestamp(), None);
    // The lock is free: the next run is not turned away.
    assert_eq!(site.look("select count(*) from annals_task where locked_by_run is not null;"), ["0"]);
}

/// A run that says one thing and goes on with the other objects.
#[track_caller]
fn goes_on_with(site: &Site, text: &str, objects: &[&str]) {
    let (said, shown) = run(site);
    said.exits(0).tells(&format!("warning: {text}\n")).tells("Done. status=warning ");
    assert_eq!(shown["run"]["status"], "warning");
    assert_eq!(shown["messages"], json!([{"status": "warning", "text": text}]));
    let read: Vec<&String> = shown["byType"].as_object().unwrap().keys().collect();
    assert_eq!(read, objects);
    assert!(site.timestamp().is_some());
}

/// IIQ-45
#[tokio::test]
async fn a_run_says_that_the_feature_is_off() {
    for site in Site::on_each_history(20).await {
        site.edit("annals.yaml", "accessHistoryEnabled: true", "accessHistoryEnabled: false");
        ends_with(
            &site,
            0,
            "warning",
            "The Access History feature must be enabled in order to support history events.",
        );
    }
}

/// IIQ-46
#[tokio::test]
async fn a_run_says_that_the_transform_is_not_named() {
    let site = Site::small().await;
    site.write(EXTRACT, "extractedObjects: {identity: {}}\n");
    ends_with(&site, 4, "error", "No transformation configuration name was found in the Export YAMLConfig.");
}

/// IIQ-47
#[tokio::test]
async fn a_run_says_that_the_transform_is_not_there() {
    let site = Site::small().await;
    site.write(
        EXTRACT,
        "transformConfigurationName: AccessHistoryImageConfig2\nextractedObjects: {identity: {}}\n",
    );
    ends_with(&site, 4, "error", "Unable to find YAMLConfig AccessHistoryImageConfig2.");
}

/// IIQ-48
#[tokio::test]
async fn a_run_says_that_no_objects_are_named() {
    let site = Site::small().await;
    for objects in ["", "extractedObjects: {}\n", "exportedObjects: {}\n"] {
        site.write(EXTRACT, &format!("transformConfigurationName: AccessHistoryImageConfig\n{objects}"));
        ends_with(
            &site,
            0,
            "warning",
            "The selected Export YAMLConfig is missing entry for exportedObjects.",
        );
    }
}

/// IIQ-49: the other objects are still processed.
#[tokio::test]
async fn a_run_says_which_object_there_is_no_such_thing_as() {
    for site in Site::on_each_history(20).await {
        site.extracts("capability: {}, Spaceship: {}, workgroup: {}");
        goes_on_with(
            &site,
            "The Transform YAMLConfig is missing imageConfigDescriptor for exportedObject [Spaceship].",
            &["capability", "workgroup"],
        );
    }
}

/// IIQ-50
#[tokio::test]
async fn a_run_says_which_object_the_transform_lacks() {
    for site in Site::on_each_history(20).await {
        site.extracts("capability: {}, certification: {}");
        let text = std::fs::read_to_string(ready_made(TRANSFORM)).unwrap();
        let start = text.find("  - objectClassName: certification\n").unwrap();
        let end = text.find("  - objectClassName: certificationRemediation\n").unwrap();
        site.write(TRANSFORM, &format!("{}{}", &text[..start], &text[end..]));
        goes_on_with(
            &site,
            "The Transform YAMLConfig is missing ImageConfigDescriptor for importedObject Certification.",
            &["capability"],
        );
    }
}

/// IIQ-13, IIQ-16: as shipped the feature is off; even so the history database must be there and up to date.
#[tokio::test]
async fn as_shipped_the_feature_is_off_and_history_is_needed_all_the_same() {
    let site = Site::without_history(Engine::Sqlite, Engine::Sqlite, 20).await;
    let dir = tempfile::tempdir().unwrap();
    annals(dir.path(), &["init", "."]).exits(0);
    let variables =
        [("ANNALS_SOURCE_URL", site.source.url()), ("ANNALS_SECRET_HASH_KEY", "a-key-for-tests-alone")];
    let call = |arguments: &[&str]| annals_with(dir.path(), &variables, arguments);
    call(&["check"]).exits(0);
    call(&["run"])
        .exits(9)
        .tells("the history database is not ready")
        .tells("help: Bring it up to date: `annals migrate`.");
    call(&["migrate"]).exits(0);
    call(&["run"])
        .exits(0)
        .tells("warning: The Access History feature must be enabled in order to support history events.");
    let listed = call(&["runs", "list", "-o", "json"]).exits(0).json();
    assert_eq!(listed["items"][0]["status"], "warning");
    assert_eq!(listed["items"][0]["qualified"], 0);
}

/// IIQ-16: a history database that is not there, cannot be reached, or was never migrated is an error with a way out,
/// whether the feature is on or off.
#[tokio::test]
async fn a_missing_history_database_is_an_error() {
    for history in annals_testkit::history_engines() {
        let site = Site::without_history(Engine::Sqlite, history, 20).await;
        for enabled in ["true", "false"] {
            for command in [&["run"][..], &["plan"], &["runs", "list"], &["as-of", "identity", "x"]] {
                annals(site.path(), command).exits(9).tells("help: Bring it up to date: `annals migrate`.");
            }
            if enabled == "true" {
                site.edit("annals.yaml", "accessHistoryEnabled: true", "accessHistoryEnabled: false");
            }
        }
        // Nobody listens on port 1.
        site.edit("annals.yaml", site.history.url(), "postgres://nobody@127.0.0.1:1/nothing");
        annals(site.path(), &["run"]).exits(9).tells("opening the history database").tells(
            "help: See that the history database runs and that `history.url` in annals.yaml names it.",
        );
    }
}
