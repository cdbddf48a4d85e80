//! What runs of long ago leave is removed, and what stays is seen, as is when that was done.

use serde_json::{Value, json};

use crate::program::annals;
use crate::site::{DAY_MS, START_MS, Site};

/// Ages a run, or the clean-up, by so many days.
fn age(site: &Site, update: &str) {
    site.history.sql(update);
}

/// What `annals doctor` says of the clean-up: verdict and finding.
fn doctor(site: &Site) -> (String, String) {
    let said = annals(site.path(), &["doctor", "-o", "json"]).json();
    let items = said["items"].as_array().unwrap().clone();
    let line = items.iter().find(|item| item["check"] == "clean-up").unwrap();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    (text("verdict"), text("found"))
}

/// TRAP-12: the end of a run removes, once a day, what runs left that ended long ago; that it was done is seen, and that
/// it was not.
#[tokio::test]
async fn what_runs_leave_is_removed_long_after() {
    let left =
        "select (select count(*) from annals_partition), (select count(*) from annals_partition_chunk),
                  (select count(*) from annals_request_state);";
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let last = doctor(&site);
        assert_eq!(last.0, "ok");
        assert!(last.1.ends_with("the partitions of 0 runs were removed"), "{last:?}");
        let of_first = site.look(left);
        age(&site, "update annals_run set ended = ended - 7862400000;");

        // Within a day of the last time nothing is removed.
        site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(site.count("select count(*) from annals_run where cleaned_up is not null;"), 0);
        age(&site, "update annals_clean_up set began = began - 86400000, ended = ended - 86400000;");
        let of_both = site.look(left);
        site.run(START_MS + 2 * DAY_MS).await.succeeds();
        assert_eq!(site.look("select id from annals_run where cleaned_up is not null;"), ["1"]);
        assert_ne!(of_first, ["0|0|0"]);
        let runs = |table: &str| site.look(&format!("select distinct run_id from {table} order by 1;"));
        for table in ["annals_partition", "annals_partition_chunk", "annals_request_state"] {
            assert!(!runs(table).contains(&"1".to_owned()), "{table}: {of_both:?}");
        }
        assert!(doctor(&site).1.ends_with("the partitions of 1 runs were removed"));

        // The run is there, and says what is not.
        let show = annals(site.path(), &["runs", "show", "1", "-o", "json"]).exits(0).json();
        assert_eq!(show["run"]["status"], json!("success"));
        assert!(show["counters"]["totalObjectMessages"].as_u64().unwrap() > 0);
        for command in [&["partitions", "1"][..], &["state", "show", "1", "0"]] {
            annals(site.path(), command).exits(5).tells("they were removed long after its end");
        }

        age(&site, "update annals_clean_up set began = began - 345600000;");
        assert_eq!(doctor(&site).0, "warning");
        age(&site, "update annals_run set ended = ended - 691200000 where id = 2;");
        let said: Value =
            annals(site.path(), &["runs", "clean-up", "--days", "7", "-o", "json"]).exits(0).json();
        assert_eq!(said, json!({"days": 7, "runs": 1}));
        assert_eq!(doctor(&site).0, "ok");
        age(&site, "update annals_clean_up set ended = null, error = 'disk full';");
        assert_eq!(doctor(&site).0, "warning");
        annals(site.path(), &["runs", "clean-up", "--days", "0"]).exits(2);
    }
}

/// Where nothing is to be removed, nothing is, and to ask for it is a mistake that is told.
#[tokio::test]
async fn runs_are_kept_for_ever_where_that_is_set() {
    for site in Site::on_each_history(20).await {
        site.service("retention: {runDetailsDays: 0}\n");
        site.run(START_MS).await.succeeds();
        age(&site, "update annals_run set ended = 1;");
        site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(site.count("select count(*) from annals_run where cleaned_up is not null;"), 0);
        annals(site.path(), &["runs", "clean-up"]).exits(2).tells("runs clean-up --days 90");
        annals(site.path(), &["runs", "clean-up", "--days", "90"]).exits(0).tells("");
        assert_eq!(site.count("select count(*) from annals_run where cleaned_up is not null;"), 1);
    }
}
