//! `annals doctor`: what it finds, and how it says so.

use std::collections::BTreeMap;

use annals_testkit::Engine;

use crate::program::{Said, annals};
use crate::site::{START_MS, Site};

/// The worst verdict of each check.
fn verdicts(said: &Said) -> BTreeMap<String, String> {
    let listed = said.json();
    let text = |item: &serde_json::Value, member: &str| item[member].as_str().unwrap().to_owned();
    listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (text(item, "check"), text(item, "verdict")))
        .collect()
}

/// IIQ-14: database and tables, task, schedule, configuration are checked, each on a line of its own.
#[tokio::test]
async fn a_site_that_is_ready_is_found_ready() {
    for site in Site::on_each_history(20).await {
        let before = annals(site.path(), &["doctor", "-o", "json"]).exits(0);
        let found = verdicts(&before);
        // The site's key stands in its configuration in clear text.
        assert_eq!(found["configuration"], "warning");
        for check in ["feature", "task", "schedule", "history database", "source database"] {
            assert_eq!(found[check], "ok", "{check}: {before:#?}");
        }
        assert_eq!(found["last run"], "warning");
        site.run(START_MS).await.succeeds();
        let after = annals(site.path(), &["doctor", "-o", "json"]).exits(0);
        assert_eq!(verdicts(&after)["last run"], "ok");
        assert_eq!(verdicts(&after)["documents"], "ok");
        assert!(!before.out.contains("COMPACT") && after.out.contains("COMPACT would save "), "{after:#?}");
    }
}

/// IIQ-13, IIQ-14: what is missing is named, with the way out; a feature that is off is no error.
#[tokio::test]
async fn what_is_missing_is_named() {
    let site = Site::small().await;
    site.edit("annals.yaml", "accessHistoryEnabled: true", "accessHistoryEnabled: false");
    let off = annals(site.path(), &["doctor", "-o", "json"]).exits(0);
    assert_eq!(verdicts(&off)["feature"], "warning");

    site.change("alter table spt_link rename to spt_link_elsewhere;");
    let gone = annals(site.path(), &["doctor", "-o", "json"]).exits(8);
    assert_eq!(verdicts(&gone)["source database"], "error");
    assert!(gone.out.contains("spt_link"), "{gone:#?}");

    std::fs::remove_file(site.path().join("annals.yaml")).unwrap();
    let bare = annals(site.path(), &["doctor", "-o", "json"]).exits(2);
    assert_eq!(verdicts(&bare)["configuration"], "error");
    assert!(bare.out.contains("annals init"), "{bare:#?}");
}

/// IIQ-16: the history database is needed even while the feature is off.
#[tokio::test]
async fn history_without_tables_is_an_error() {
    let site = Site::without_history(Engine::Sqlite, Engine::Sqlite, 20).await;
    site.edit("annals.yaml", "accessHistoryEnabled: true", "accessHistoryEnabled: false");
    let said = annals(site.path(), &["doctor", "-o", "json"]).exits(9);
    assert_eq!(verdicts(&said)["history database"], "error");
    assert!(said.out.contains("annals migrate"), "{said:#?}");
}
