//! The thresholds as they are shipped, at their edges, and partitions that end early past them.

use annals_model::TaskStatus;

use crate::ran::Ran;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

/// IIQ-52.
const WRITTEN_TO_LIST: &str =
    " had failures. The list of failed objects is written to the task's NamedTimestamp object.";
/// IIQ-53.
const BREACHED: &str = "The task will fail with an error, and the NamedTimestamp will not be updated (neither the date nor the list of failures).";
/// IIQ-54.
const BELOW: &str = "The NamedTimestamp will be updated with both the date and the list of failed objects.";

/// Adds people whose attributes end in the middle of an element, or who have none.
fn add_people(site: &Site, prefix: &str, count: u32, attributes: &str, created_ms: i64) {
    site.change(&format!(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < {count})
         insert into spt_identity (id, created, name, inactive, workgroup, attributes)
         select '{prefix}-' || i, {created_ms}, '{prefix}-' || i, {{false}}, {{false}}, {attributes} from n;"
    ));
}

fn add_broken(site: &Site, prefix: &str, count: u32, created_ms: i64) {
    add_people(site, prefix, count, "'<Attributes><Map><entry key=\"x'", created_ms);
}

fn people(site: &Site) -> u64 {
    let count = "select count(*) from spt_identity where coalesce(workgroup, {false}) = {false};";
    site.ask_one(count).parse().unwrap()
}

/// The task's list: how many objects have failed how often.
fn attempts(site: &Site) -> Vec<String> {
    site.look("select attempts, count(*) from annals_failed_object group by attempts order by attempts;")
}

/// A run that ended below its thresholds: everything was seen, date and list are saved.
#[track_caller]
fn passes(site: &Site, ran: &Ran, failed: u64) {
    assert_eq!(ran.run.status, Some(TaskStatus::Warning), "{ran:#?}");
    assert_eq!(ran.run.result.as_deref(), Some("Partial"));
    assert_eq!(ran.counters().total_extracted_objects_failed, failed);
    assert_eq!(ran.counters().total_unseen_objects, 0);
    told(ran, BELOW);
    assert_eq!(site.timestamp(), Some(ran.run.horizon_ms));
}

/// A run that failed: date and list are as they were.
#[track_caller]
fn fails(site: &Site, ran: &Ran, before: (Option<i64>, Vec<String>)) {
    assert_eq!(ran.run.status, Some(TaskStatus::Error), "{ran:#?}");
    assert_eq!(ran.run.result.as_deref(), Some("Failure"));
    told(ran, BREACHED);
    assert_eq!((site.timestamp(), attempts(site)), before);
}

/// What is said: each partition that had failures, then what becomes of them.
#[track_caller]
fn told(ran: &Ran, last: &str) {
    let texts = ran.texts();
    let (end, partitions) = texts.split_last().unwrap();
    assert_eq!(*end, last);
    assert!(!partitions.is_empty());
    for text in partitions {
        let number = text.strip_prefix("The processor of partition ");
        let number = number.and_then(|rest| rest.strip_suffix(WRITTEN_TO_LIST)).expect(text);
        number.parse::<u32>().expect(text);
    }
}

/// IIQ-27, IIQ-52 to IIQ-54: `maxFailuresAbsolute` is 500 as shipped. 500 objects that fail newly pass, beside 500
/// that fail again; with 501 the run fails, and date and list stay as they were.
#[tokio::test]
async fn five_hundred_new_failures_pass_and_one_more_fails_the_run() {
    for site in Site::on_each_history(20).await {
        site.arguments("maxFailuresPercent: 100");
        site.extracts("identity: {}");
        add_broken(&site, "first", 500, START_MS - HOUR_MS);
        let ran = site.run(START_MS).await;
        passes(&site, &ran, 500);
        assert_eq!(attempts(&site), ["1|500"]);

        add_broken(&site, "second", 500, START_MS + HOUR_MS);
        add_people(&site, "sound", 1, "null", START_MS + HOUR_MS);
        let ran = site.run(START_MS + DAY_MS).await;
        passes(&site, &ran, 1_000);
        assert_eq!(attempts(&site), ["1|500", "2|500"]);

        add_broken(&site, "third", 501, START_MS + DAY_MS + HOUR_MS);
        let before = (site.timestamp(), attempts(&site));
        let ran = site.run(START_MS + 2 * DAY_MS).await;
        fails(&site, &ran, before);
        assert_eq!(ran.counters().total_object_messages, 1_501);
    }
}

/// IIQ-27: `maxFailuresPercent` is 5 as shipped. 100 of 1,999 are 5.0025 %, which fails; 100 of 2,000 are 5 %, which
/// passes.
#[tokio::test]
async fn five_percent_pass_and_just_above_fails() {
    for site in Site::on_each_history(20).await {
        site.extracts("identity: {}");
        add_broken(&site, "broken", 100, START_MS - HOUR_MS);
        let missing = 1_999 - people(&site);
        add_people(&site, "sound", missing.try_into().unwrap(), "null", START_MS - HOUR_MS);
        let ran = site.run(START_MS).await;
        assert_eq!(ran.counters().total_object_messages, 1_999);
        fails(&site, &ran, (None, vec![]));

        add_people(&site, "another", 1, "null", START_MS - HOUR_MS);
        let ran = site.run(START_MS + DAY_MS).await;
        assert_eq!(ran.counters().total_object_messages, 2_000);
        passes(&site, &ran, 100);
        assert_eq!(attempts(&site), ["1|100"]);
    }
}

/// IIQ-27, IIQ-34: past a threshold a run is not gone through to its end: its partitions stop before their next chunk,
/// and what they did not see is counted. Two workers see at most one chunk each past it.
#[tokio::test]
async fn partitions_end_early_past_a_threshold() {
    for site in Site::on_each_history(20).await {
        site.arguments("lossLimit: 10, maxFailuresAbsolute: 15, maxFailuresPercent: 100");
        site.extracts("identity: {filter: 'name.startsWith(\"broken\")'}");
        add_broken(&site, "broken", 300, START_MS - HOUR_MS);
        let ran = site.run(START_MS).await;
        fails(&site, &ran, (None, vec![]));
        let counters = ran.counters();
        assert_eq!(counters.total_object_messages, 300);
        assert!((16..=35).contains(&counters.total_extracted_objects_failed), "{counters:?}");
        assert_eq!(counters.total_seen_objects, counters.total_extracted_objects_failed);
        assert_eq!(counters.total_unseen_objects, 300 - counters.total_seen_objects);
        let states = site.look("select distinct state from annals_partition;");
        assert_eq!(states, ["failed"], "every partition had chunks left");

        // The next run is a redo, and meets no trace of the one that failed.
        site.arguments("lossLimit: 10, maxFailuresAbsolute: 300, maxFailuresPercent: 100");
        let ran = site.run(START_MS + DAY_MS).await;
        assert_eq!(ran.counters().total_reattempt_object_messages, 0);
        assert_eq!(ran.counters().total_extracted_objects_failed, 300);
        assert_eq!(attempts(&site), ["1|300"]);
    }
}
