//! Objects that cannot be read, transformed or published, that vanish, and that are deleted: every counter of a run.

use std::sync::Arc;

use annals::pipeline::Done;
use annals_dispatcher::{Begun, Scope};
use annals_model::{Counters, TaskStatus};
use annals_runs::{RunState, Trigger};
use annals_world::Release;

use crate::ran::Ran;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, task};

/// An attribute column that ends in the middle of an element.
const BROKEN: &str = "<Attributes><Map><entry key=\"secret-value";

/// IIQ-53.
const BREACHED: &str = "The task will fail with an error, and the NamedTimestamp will not be updated (neither the date nor the list of failures).";
/// IIQ-54.
const BELOW: &str = "The NamedTimestamp will be updated with both the date and the list of failed objects.";

/// The ids of the first people.
fn people(site: &Site, count: usize) -> Vec<String> {
    let ids = site.ask(&format!(
        "select id from spt_identity where coalesce(workgroup, {{false}}) = {{false}} order by id limit {count};"
    ));
    assert_eq!(ids.len(), count);
    ids
}

fn in_list(ids: &[String]) -> String {
    format!("'{}'", ids.join("', '"))
}

/// Breaks people's attributes, keeping what they were.
fn break_attributes(site: &Site, ids: &[String]) {
    site.change(&format!(
        "update spt_identity set description = attributes, attributes = '{BROKEN}' where id in ({});",
        in_list(ids)
    ));
}

/// Repairs them without a trace in the change columns.
fn repair_attributes(site: &Site, ids: &[String]) {
    site.change(&format!("update spt_identity set attributes = description where id in ({});", in_list(ids)));
}

/// The task's list of failed objects: type, id, attempts, stage.
fn failed_list(site: &Site) -> Vec<String> {
    site.look("select object_type, object_id, attempts, stage from annals_failed_object order by object_id;")
}

/// The results that are shown, by variable.
fn shown(ran: &Ran) -> Vec<(&'static str, u64)> {
    ran.counters().shown().into_iter().map(|result| (result.variable, result.value)).collect()
}

/// IIQ-34, IIQ-35: what is gone at extraction counts as not found, which is no failure.
#[tokio::test]
async fn objects_that_vanish_before_they_are_read_are_not_found() {
    for site in Site::on_each_history(20).await {
        site.extracts("entitlement: {}");
        let pipeline = site.pipeline(START_MS).await;
        let begun = site.begin(&pipeline).await;
        let Begun::Running { objects, .. } = begun else { panic!("nothing to do") };
        site.change(
            "delete from spt_identity_entitlement where id in
            (select id from spt_identity_entitlement order by id limit 3);",
        );
        let ran = site.complete(&pipeline, &begun).await.succeeds();
        assert_eq!(
            shown(&ran),
            [
                ("totalObjectMessages", objects),
                ("totalSeenObjects", objects),
                ("totalExtractedObjects", objects - 3),
                ("totalExtractedObjectsNotFound", 3),
                ("totalExtractedObjectsPublished", objects - 3),
            ]
        );
        assert_eq!(site.count("select count(*) from spt_hist_entitlement_capture;"), objects - 3);
        assert!(site.timestamp().is_some());
    }
}

/// IIQ-26, IIQ-34, IIQ-52, IIQ-54, IIQ-55: an object that cannot be read fails alone and by name; the next run tries it
/// again although it has not changed, and once it succeeds it leaves the list.
#[tokio::test]
async fn a_failed_object_is_tried_again_until_it_succeeds() {
    for site in Site::on_each_history(20).await {
        let ids = people(&site, 1);
        break_attributes(&site, &ids);
        let first = site.run(START_MS).await;
        assert_eq!(first.run.status, Some(TaskStatus::Warning));
        assert_eq!(first.run.result.as_deref(), Some("Partial"));
        let Counters { total_object_messages: all, .. } = first.counters();
        assert_eq!(
            shown(&first),
            [
                ("totalObjectMessages", all),
                ("totalSeenObjects", all),
                ("totalExtractedObjects", all - 1),
                ("totalExtractedObjectsFailed", 1),
                ("totalExtractedObjectsPublished", all - 1),
            ]
        );
        let texts = first.texts();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].starts_with("The processor of partition "), "{texts:?}");
        assert!(
            texts[0].ends_with("The list of failed objects is written to the task's NamedTimestamp object.")
        );
        assert_eq!(texts[1], BELOW);
        assert!(first.messages.iter().all(|message| message.status == TaskStatus::Warning));
        assert_eq!(failed_list(&site), [format!("identity|{}|1|load", ids[0])]);
        let error = site.look("select error from annals_run_failure;").remove(0);
        assert!(error.contains("spt_identity") && error.contains("attributes"), "{error}");
        assert!(!error.contains("secret-value"), "{error}");

        repair_attributes(&site, &ids);
        let now_ms = START_MS + DAY_MS;
        let second = site.run(now_ms).await.succeeds();
        assert_eq!(
            shown(&second),
            [
                ("totalObjectMessages", 1),
                ("totalModifiedObjectMessages", 0),
                ("totalReattemptObjectMessages", 1),
                ("totalSeenObjects", 1),
                ("totalExtractedObjects", 1),
                ("totalExtractedObjectsPublished", 1),
            ]
        );
        assert_eq!(site.captured_at(now_ms)["identity"], ids);
        assert!(failed_list(&site).is_empty());
    }
}

/// IIQ-26: after `maxObjectAttempts` failures an object leaves the list and counts as dropped. Failing again is no new
/// failure, so it breaches no threshold.
#[tokio::test]
async fn an_object_that_fails_too_often_is_dropped() {
    for site in Site::on_each_history(20).await {
        let ids = people(&site, 1);
        break_attributes(&site, &ids);
        for (night, (attempts, dropped)) in [(1, 0), (2, 0), (3, 0), (4, 0), (0, 1)].into_iter().enumerate() {
            let ran = site.run(START_MS + DAY_MS * i64::try_from(night).unwrap()).await;
            assert_eq!(ran.run.status, Some(TaskStatus::Warning), "{ran:#?}");
            assert_eq!(ran.counters().total_dropped_objects, dropped);
            assert_eq!(ran.counters().total_extracted_objects_failed, 1);
            let expected = format!("identity|{}|{attempts}|load", ids[0]);
            assert_eq!(failed_list(&site), if attempts > 0 { vec![expected] } else { vec![] });
        }
        let after = site.run(START_MS + 5 * DAY_MS).await.succeeds();
        assert_eq!(after.counters().total_object_messages, 0);
    }
}

/// IIQ-55: an object that failed and has changed since is read once and counts as changed.
#[tokio::test]
async fn a_failed_object_that_changed_counts_as_changed() {
    let site = Site::small().await;
    let ids = people(&site, 1);
    break_attributes(&site, &ids);
    site.run(START_MS).await;
    let changed_ms = START_MS + HOUR_MS;
    site.change(&format!(
        "update spt_identity set significant_modified = {changed_ms} where id = '{}';",
        ids[0]
    ));
    let again = site.run(START_MS + DAY_MS).await;
    let workgroups = again.by_type("qualifiedByChange").get("workgroup").copied().unwrap_or_default();
    assert_eq!(again.by_type("qualifiedByChange")["identity"], 1);
    assert_eq!(again.counters().total_modified_object_messages, 1 + workgroups);
    assert_eq!(again.counters().total_reattempt_object_messages, 0);
    assert_eq!(failed_list(&site), [format!("identity|{}|2|load", ids[0])]);
}

/// IIQ-27, IIQ-53, IIQ-54: as many new failures as a threshold says pass, one more fails the run: the named timestamp
/// and the list of failures stay as they were, and the next run does all of it again.
#[tokio::test]
async fn one_failure_above_a_threshold_fails_the_run() {
    for thresholds in ["maxFailuresAbsolute: 2, maxFailuresPercent: 100", "maxFailuresPercent: 10"] {
        for site in Site::on_each_history(30).await {
            site.arguments(thresholds);
            site.extracts("identity: {limit: 20}");
            site.run(START_MS).await.succeeds();
            let before = site.timestamp();
            let ids = people(&site, 20);
            let touch = |at_ms: i64| {
                let ids = in_list(&ids);
                site.change(&format!(
                    "update spt_identity set significant_modified = {at_ms} where id in ({ids});
                     update spt_identity set significant_modified = 1 where id not in ({ids});"
                ));
            };
            touch(START_MS + HOUR_MS);
            break_attributes(&site, &ids[..3]);

            let second = site.run(START_MS + DAY_MS).await;
            assert_eq!(second.run.status, Some(TaskStatus::Error), "{second:#?}");
            assert_eq!(second.run.result.as_deref(), Some("Failure"));
            assert_eq!(second.counters().total_object_messages, 20);
            assert_eq!(second.counters().total_extracted_objects_failed, 3);
            assert_eq!(second.texts().last(), Some(&BREACHED));
            assert!(!second.texts().contains(&BELOW));
            assert_eq!(site.timestamp(), before);
            assert!(failed_list(&site).is_empty());

            repair_attributes(&site, &ids[..1]);
            let third = site.run(START_MS + 2 * DAY_MS).await;
            assert_eq!(third.run.status, Some(TaskStatus::Warning), "{third:#?}");
            assert_eq!(third.counters().total_object_messages, 20);
            // What the failed run had not seen when its partitions ended early is seen to be unchanged only now.
            assert_eq!(third.total("duplicates"), second.total("unchanged"));
            assert_eq!(third.total("duplicates") + third.total("unchanged"), 17);
            assert_eq!(third.texts().last(), Some(&BELOW));
            assert_eq!(site.timestamp(), Some(third.run.horizon_ms));
            let expected: Vec<String> = ids[1..3].iter().map(|id| format!("identity|{id}|1|load")).collect();
            assert_eq!(failed_list(&site), expected);
        }
    }
}

/// IIQ-34: what the queue does not take fails to publish; its neighbours are published.
#[tokio::test]
async fn a_message_too_large_for_the_queue_fails_to_publish() {
    for site in Site::on_each_history(20).await {
        let ids = people(&site, 1);
        let long = "x".repeat(60_000);
        site.change(&format!(
            "update spt_identity set attributes = '<Attributes><Map><entry key=\"note\" value=\"{long}\"/></Map></Attributes>'
             where id = '{}';",
            ids[0]
        ));
        // A document as large as the cap passes, but not with what a message has beside it.
        let bytes = image_bytes(&site, &ids[0]).await;
        site.service(&format!(
            "queue: {{messageBytesMax: {bytes}}}\nlimits: {{documentBytesMax: {bytes}}}\n"
        ));
        let ran = site.run(START_MS).await;
        assert_eq!(ran.run.status, Some(TaskStatus::Warning), "{ran:#?}");
        let counters = ran.counters();
        assert_eq!(counters.total_publishing_fails, 1);
        assert_eq!(counters.total_extracted_objects, counters.total_object_messages);
        assert_eq!(counters.total_extracted_objects_published, counters.total_object_messages - 1);
        assert_eq!(failed_list(&site), [format!("identity|{}|1|publish", ids[0])]);

        // One byte less, and no image is made of it.
        let bytes = bytes - 1;
        site.service(&format!(
            "queue: {{messageBytesMax: {bytes}}}\nlimits: {{documentBytesMax: {bytes}}}\n"
        ));
        let ran = site.run(START_MS + DAY_MS).await;
        assert_eq!(ran.counters().total_extracted_objects_failed, 1);
        assert_eq!(failed_list(&site), [format!("identity|{}|2|transform", ids[0])]);
        site.service("");
        site.run(START_MS + 2 * DAY_MS).await.succeeds();
        assert!(failed_list(&site).is_empty());
    }
}

/// How large an identity's image is.
async fn image_bytes(site: &Site, id: &str) -> usize {
    let said = crate::program::annals(site.path(), &["transform", "identity", id]).exits(0);
    usize::try_from(said.json()["bytes"].as_u64().unwrap()).unwrap()
}

/// IIQ-34: what IdentityIQ notes as deleted, or what the sweep misses, counts as deletion objects and ends in history.
#[tokio::test]
async fn deleted_objects_are_counted_and_end_in_history() {
    for site in Site::on_each_history(20).await {
        site.edit(
            "sources/identityiq.yaml",
            "        element: {id: child_id, name: child.name}\n    deletions: intercepted",
            "        element: {id: child_id, name: child.name}\n    deletions: sweep",
        );
        site.run(START_MS).await.succeeds();
        let gone_ms = START_MS + HOUR_MS;
        let role = site.ask_one("select id from spt_bundle order by id desc limit 1;");
        let capability = site.ask_one("select id from spt_capability order by id desc limit 1;");
        site.change(&format!(
            "delete from spt_bundle where id = '{role}';
             delete from spt_capability where id = '{capability}';
             insert into spt_intercepted_delete
               (id, created, object_id, object_type, object_deleted_date, extract_config_name, transform_config_name,
                extracted_object_json)
               values ('gone-1', {gone_ms}, '{role}', 'Bundle', {gone_ms}, 'e', 't', '{{}}'),
                      ('gone-2', {gone_ms}, 'never-seen', 'Bundle', {gone_ms}, 'e', 't', '{{}}');"
        ));
        let now_ms = START_MS + DAY_MS;
        let ran = site.run(now_ms).await.succeeds();
        assert_eq!(
            shown(&ran),
            [
                ("totalObjectMessages", 0),
                ("totalDeletionExtractedObjects", 2),
                ("totalDeletionExtractedObjectsDispatched", 2),
            ]
        );
        let deleted = site.look(
            "select object_type, object_id, effective_date from annals_head join annals_object_kind k on k.id = kind where deleted <> 0 order by object_type;",
        );
        assert_eq!(deleted, [format!("capability|{capability}|{now_ms}"), format!("role|{role}|{gone_ms}")]);
        assert_eq!(site.count(&format!("select deleted from spt_hist_role where role_id = '{role}';")), 1);
        assert_eq!(
            site.count(&format!(
                "select deleted from spt_hist_capability where capability_id = '{capability}';"
            )),
            1
        );
        // The rows stay where they are and are read once more; nothing comes of it.
        let before = site.everything().await;
        let again = site.run(now_ms + HOUR_MS).await.succeeds();
        assert_eq!(again.total("deleted"), 0);
        assert_eq!(site.everything().await, before);
    }
}

/// A release that notes no deletions is swept: they are dated to when they were missed.
#[tokio::test]
async fn an_earlier_release_is_swept_for_deletions() {
    let site = Site::of_release(Release::V8_3).await;
    site.run(START_MS).await.succeeds();
    let account = site.ask_one("select id from spt_link order by id desc limit 1;");
    site.change(&format!("delete from spt_link where id = '{account}';"));
    let now_ms = START_MS + DAY_MS;
    let ran = site.run(now_ms).await.succeeds();
    assert_eq!(ran.counters().total_deletion_extracted_objects, 1);
    let deleted =
        site.look("select object_type, object_id, effective_date from annals_head join annals_object_kind k on k.id = kind where deleted <> 0;");
    assert_eq!(deleted, [format!("account|{account}|{now_ms}")]);
}

/// IIQ-34, IIQ-35: a run that is stopped leaves objects unseen, fails, and the next one reads them.
#[tokio::test]
async fn a_stopped_run_leaves_objects_unseen_and_the_next_one_reads_them() {
    for site in Site::on_each_history(20).await {
        let pipeline = site.pipeline(START_MS).await;
        pipeline.stop.ask();
        let stopped = site.execute(&pipeline).await;
        let all = stopped.counters().total_object_messages;
        assert_eq!(stopped.run.status, Some(TaskStatus::Error), "{stopped:#?}");
        assert_eq!(shown(&stopped), [("totalObjectMessages", all), ("totalUnseenObjects", all)]);
        assert_eq!(site.timestamp(), None);
        let next = site.run(START_MS + HOUR_MS).await.succeeds();
        assert_eq!(next.counters().total_object_messages, all);
        assert_eq!(next.counters().total_unseen_objects, 0);
        assert_eq!(next.total("fullCaptures"), all);
    }
}

/// IIQ-34, IIQ-35, TRAP-15: a source that breaks in the middle of a run fails it; what was written stays, what was not
/// seen is counted, and the next run goes through all of it.
#[tokio::test]
async fn a_source_that_breaks_in_the_middle_fails_the_run() {
    for site in Site::on_each_history(20).await {
        let pipeline = site.pipeline(START_MS).await;
        let begun = site.begin(&pipeline).await;
        site.change("alter table spt_identity_request rename to elsewhere;");
        let broken = site.complete(&pipeline, &begun).await;
        assert_eq!(broken.run.status, Some(TaskStatus::Error), "{broken:#?}");
        let counters = broken.counters();
        assert!(counters.total_unseen_objects > 0, "{counters:?}");
        let text = broken.texts().concat();
        assert!(text.contains("spt_identity_request"), "{text}");
        assert_eq!(site.timestamp(), None);

        site.change("alter table elsewhere rename to spt_identity_request;");
        let next = site.run(START_MS + HOUR_MS).await.succeeds();
        assert_eq!(next.counters().total_object_messages, counters.total_object_messages);
        assert_eq!(next.total("fullCaptures") + next.total("duplicates"), counters.total_object_messages);
        assert_eq!(next.total("duplicates"), broken.total("fullCaptures"));
    }
}

/// A source that breaks while a run looks for what changed: the run's record says so, the lock is free, and the next run
/// does its work.
#[tokio::test]
async fn a_source_that_breaks_while_it_is_searched_ends_the_run() {
    for site in Site::on_each_history(20).await {
        let pipeline = site.pipeline(START_MS).await;
        site.change("alter table spt_link rename to elsewhere;");
        let done = Arc::new(Done::default());
        let outcome = pipeline.execute(task(&pipeline.config), Trigger::Adhoc, Scope::Task, done).await;
        assert!(outcome.is_err());
        let ran = site.ran(1).await;
        assert_eq!((ran.run.state, ran.run.status), (RunState::Ended, Some(TaskStatus::Error)));
        assert!(ran.texts().concat().contains("spt_link"), "{ran:#?}");
        assert_eq!(site.timestamp(), None);
        assert_eq!(site.count("select count(*) from annals_partition;"), 0);
        site.change("alter table elsewhere rename to spt_link;");
        site.run(START_MS + HOUR_MS).await.succeeds();
    }
}
