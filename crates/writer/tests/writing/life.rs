//! What becomes of an object's states: initial, unchanged, duplicate, change, deletion, second life.

use annals_model::JsonFormat;
use annals_runs::WriteCounts;
use annals_writer::WriterSettings;
use serde_json::json;

use crate::world::{FULL, ann, capture, deletion, identity, state, worlds};

fn counted(count: impl FnOnce(&mut WriteCounts)) -> WriteCounts {
    let mut counts = WriteCounts::default();
    count(&mut counts);
    counts
}

/// IIQ-10, IIQ-11, IIQ-12
#[tokio::test]
async fn initial_unchanged_duplicate_change() {
    for world in worlds(&FULL).await {
        let initial = counted(|c| (c.full_captures, c.events) = (1, 1));
        assert_eq!(world.counts(vec![capture("i1", ann("IT"), 100, 200)]).await, initial);
        let duplicate = counted(|c| c.duplicates = 1);
        assert_eq!(world.counts(vec![capture("i1", ann("IT"), 100, 300)]).await, duplicate);
        let unchanged = counted(|c| c.unchanged = 1);
        assert_eq!(world.counts(vec![capture("i1", ann("IT"), 400, 500)]).await, unchanged);
        world.clock.advance(1_000);
        let change = counted(|c| (c.full_captures, c.events) = (1, 1));
        assert_eq!(world.counts(vec![capture("i1", ann("HR"), 600, 700)]).await, change);
        assert_eq!(
            world.told(&identity("i1")).await,
            [["IdentityDiscovered", "-", "-", "-"], ["IdentityChanged", "department", "IT", "HR"]]
        );
        assert_eq!(
            world.sql(
                "select effective_date, extended_to_date, created, latest, transform_type
                 from spt_hist_identity_capture order by effective_date;"
            ),
            "100|400|1000000|0|full\n600||1001000|1|full"
        );
        assert_eq!(world.sql("select name, display_name, deleted from spt_hist_identity;"), "ann|Ann Lee|0");
        assert_eq!(world.as_of(&identity("i1"), 599).await.unwrap()["department"], "IT");
        assert_eq!(world.as_of(&identity("i1"), 600).await.unwrap()["department"], "HR");
        assert_eq!(world.as_of(&identity("i1"), 99).await, None);
    }
}

/// IIQ-03, IIQ-12: a change of insignificant fields alone makes no capture and no event.
#[tokio::test]
async fn an_insignificant_touch_writes_no_capture_and_no_event() {
    for world in worlds(&FULL).await {
        let touched = |at: i64| json!({"name": "ann", "lastRefresh": at});
        world.write(vec![capture("i1", touched(1), 100, 200)]).await;
        let counts = world.counts(vec![capture("i1", touched(2), 300, 400)]).await;
        assert_eq!(counts, counted(|c| c.unchanged = 1));
        assert_eq!(
            world.sql("select count(*), max(extended_to_date) from spt_hist_identity_capture;"),
            "1|300"
        );
        assert_eq!(world.told(&identity("i1")).await.len(), 1);
        // The touch itself comes again, and so does the first reading.
        let before = world.everything().await;
        let again = world
            .counts(vec![capture("i1", touched(2), 300, 400), capture("i1", touched(1), 100, 200)])
            .await;
        assert_eq!(again, counted(|c| (c.unchanged, c.duplicates) = (1, 1)));
        assert_eq!(world.everything().await, before);
    }
}

/// TRAP-01: a value goes A, B, A: three states, three captures.
#[tokio::test]
async fn a_value_that_comes_back_is_a_third_capture() {
    for world in worlds(&FULL).await {
        for (department, at) in [("A", 100), ("B", 200), ("A", 300)] {
            world.write(vec![capture("i1", ann(department), at, at + 1)]).await;
        }
        assert_eq!(
            world.sql("select count(*), count(distinct full_hash) from spt_hist_identity_capture;"),
            "3|2"
        );
        assert_eq!(
            world.told(&identity("i1")).await[1..],
            [["IdentityChanged", "department", "A", "B"], ["IdentityChanged", "department", "B", "A"]]
        );
        for (at, department) in [(100, "A"), (199, "A"), (200, "B"), (299, "B"), (300, "A"), (999, "A")] {
            assert_eq!(world.as_of(&identity("i1"), at).await.unwrap()["department"], department, "at {at}");
        }
    }
}

/// TRAP-01 within one delivery: states of one object follow each other in memory as they do in the database.
#[tokio::test]
async fn several_states_of_one_object_may_come_in_one_delivery() {
    for world in worlds(&FULL).await {
        let states = [("A", 100), ("B", 200), ("A", 300)];
        let messages: Vec<_> =
            states.map(|(department, at)| capture("i1", ann(department), at, at + 1)).into();
        let counts = world.counts(messages.clone()).await;
        assert_eq!(counts, counted(|c| (c.full_captures, c.events) = (3, 3)));
        assert_eq!(
            world.sql("select effective_date, latest from spt_hist_identity_capture order by 1;"),
            "100|0\n200|0\n300|1"
        );
        assert_eq!(
            world.told(&identity("i1")).await,
            [
                ["IdentityDiscovered", "-", "-", "-"],
                ["IdentityChanged", "department", "A", "B"],
                ["IdentityChanged", "department", "B", "A"],
            ]
        );
        let before = world.everything().await;
        assert_eq!(world.counts(messages).await, counted(|c| c.duplicates = 3));
        assert_eq!(world.everything().await, before);
    }
}

/// TRAP-02: added, removed, added, removed: four events, and every date is right.
#[tokio::test]
async fn a_set_member_that_comes_and_goes_twice_is_four_events() {
    for world in worlds(&FULL).await {
        let with = |roles: &[&str]| {
            let roles: Vec<_> =
                roles.iter().map(|id| json!({"id": id, "name": format!("Role {id}")})).collect();
            json!({"name": "ann", "assignedRoles": roles})
        };
        let steps = [
            (100, vec!["r1"]),
            (200, vec!["r1", "r2"]),
            (300, vec!["r1"]),
            (400, vec!["r1", "r2"]),
            (500, vec!["r1"]),
        ];
        for (at, roles) in &steps {
            world.write(vec![capture("i1", with(roles), *at, at + 1)]).await;
        }
        let timeline = world.timeline(&identity("i1")).await;
        let told: Vec<_> =
            timeline[1..].iter().map(|event| (event.event_date_ms, event.event_type.as_str())).collect();
        assert_eq!(
            told,
            [
                (200, "AssignedRoleAdded"),
                (300, "AssignedRoleRemoved"),
                (400, "AssignedRoleAdded"),
                (500, "AssignedRoleRemoved"),
            ]
        );
        for (at, count) in [(150, 1), (250, 2), (350, 1), (450, 2), (550, 1)] {
            let image = world.as_of(&identity("i1"), at).await.unwrap();
            assert_eq!(image["assignedRoles"].as_array().unwrap().len(), count, "at {at}");
        }
    }
}

/// A part that vanished without a trace: the source's own time says that nothing happened since.
#[tokio::test]
async fn a_change_that_the_source_does_not_date_is_dated_to_when_it_was_seen() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i1", ann("A"), 100, 200)]).await;
        let vanished = capture("i1", ann("B"), 100, 900);
        world.write(vec![vanished.clone()]).await;
        assert_eq!(world.as_of(&identity("i1"), 899).await.unwrap()["department"], "A");
        assert_eq!(world.as_of(&identity("i1"), 900).await.unwrap()["department"], "B");
        world.write(vec![capture("i1", ann("C"), 1_000, 1_100)]).await;
        let before = world.everything().await;
        assert_eq!(world.counts(vec![vanished]).await, counted(|c| c.duplicates = 1));
        assert_eq!(world.everything().await, before);
    }
}

/// TRAP-16: a deleted object's past is still answered at every date, and it may live again.
#[tokio::test]
async fn deletion_and_second_life() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i1", ann("A"), 100, 200)]).await;
        let counts = world.counts(vec![deletion("i1", 300, 400)]).await;
        assert_eq!(counts, counted(|c| (c.deleted, c.events) = (1, 1)));
        assert_eq!(world.sql("select name, deleted from spt_hist_identity;"), "ann|1");
        assert_eq!(world.sql("select name, deleted from annals_head;"), "ann|1");
        assert_eq!(world.counts(vec![deletion("i1", 300, 400)]).await, counted(|c| c.duplicates = 1));
        let again = world.counts(vec![capture("i1", ann("B"), 500, 600)]).await;
        assert_eq!(again, counted(|c| (c.full_captures, c.events) = (1, 1)));
        assert_eq!(world.sql("select name, deleted from spt_hist_identity;"), "ann|0");

        let timeline = world.timeline(&identity("i1")).await;
        let told: Vec<_> = timeline
            .iter()
            .map(|event| {
                (
                    event.event_date_ms,
                    event.event_type.as_str(),
                    event.source_type.as_str(),
                    event.entity_name.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (100, "IdentityDiscovered", "INITIAL_CAPTURE", "ann"),
                (300, "IdentityDeleted", "DELETE_CAPTURE", "ann"),
                (500, "IdentityDiscovered", "INITIAL_CAPTURE", "ann"),
            ]
        );
        assert_eq!(timeline[0].prev_capture_id, None);
        assert_eq!(timeline[2].prev_capture_id, timeline[1].capture_id);
        assert_eq!(world.as_of(&identity("i1"), 250).await.unwrap()["department"], "A");
        assert_eq!(world.as_of(&identity("i1"), 450).await, None);
        assert_eq!(world.as_of(&identity("i1"), 500).await.unwrap()["department"], "B");
    }
}

/// A deletion of an object that history never saw is kept: a capture that was read before does not bring it to life.
#[tokio::test]
async fn a_deletion_before_any_capture_stands() {
    for world in worlds(&FULL).await {
        world.write(vec![deletion("i1", 300, 400)]).await;
        let late = capture("i1", ann("A"), 100, 200);
        assert_eq!(
            world.counts(vec![late]).await,
            counted(|c| (c.late, c.full_captures, c.events) = (1, 1, 2))
        );
        assert_eq!(world.sql("select name, deleted from annals_head;"), "ann|1");
        assert_eq!(world.sql("select name, display_name, deleted from spt_hist_identity;"), "ann|Ann Lee|1");
        assert_eq!(
            world.sql(
                "select effective_date, identity_name, latest from spt_hist_identity_capture order by 1;"
            ),
            "100|ann|0\n300|ann|1"
        );
        assert_eq!(world.as_of(&identity("i1"), 299).await.unwrap()["department"], "A");
        assert_eq!(world.as_of(&identity("i1"), 300).await, None);
    }
}

/// IIQ-10: publishing a whole delivery once more, its state included, changes no row.
#[tokio::test]
async fn a_delivery_that_comes_again_changes_no_row() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i0", ann("A"), 10, 20), capture("i2", ann("A"), 10, 20)]).await;
        world.clock.advance(5);
        let mut messages: Vec<_> =
            (1..40).map(|n| capture(&format!("i{n}"), ann("B"), 100 + n, 200)).collect();
        messages.push(deletion("i0", 150, 200));
        messages.push(capture("i3", ann("C"), 180, 200));
        let first = world.deliver(messages.clone(), Some(state(1, 41))).await.unwrap();
        let counts = first.counts.values().next().unwrap();
        assert_eq!((counts.full_captures, counts.deleted), (40, 1));

        world.clock.advance(1_000);
        let before = world.everything().await;
        let counts = world.counts(messages.clone()).await;
        assert_eq!((counts.duplicates, counts.full_captures, counts.events), (41, 0, 0));
        assert_eq!(world.everything().await, before);

        world.deliver(messages, Some(state(1, 41))).await.unwrap();
        assert_eq!(world.everything().await, before);
        assert_eq!(world.sql("select count(*) from annals_request_state;"), "1");
    }
}

/// Counters of the run: by type, and by attribute the objects in which it changed (IIQ-33).
#[tokio::test]
async fn a_run_counts_what_it_wrote_and_which_attributes_changed() {
    for world in worlds(&FULL).await {
        let with = |department: &str, groups: &[&str]| json!({"name": "x", "department": department, "attributes": {"groups": groups}, "lastRefresh": groups.len()});
        world
            .write(vec![capture("i1", with("A", &["g"]), 10, 20), capture("i2", with("A", &["g"]), 10, 20)])
            .await;
        world
            .write(vec![
                capture("i1", with("B", &["g", "h"]), 30, 40),
                capture("i2", with("A", &["h"]), 30, 40),
                capture("i3", with("A", &[]), 30, 40),
            ])
            .await;
        assert_eq!(
            world.sql("select attribute, changed from annals_run_attribute where object_type = 'identity' order by attribute;"),
            "attributes.groups|2\ndepartment|1"
        );
        // 3 discovered; i1: department and one group; i2: a group replaced as the only value.
        assert_eq!(
            world.sql(
                "select object_type, full_captures, patch_captures, duplicates, events from annals_run_write;"
            ),
            "identity|5|0|0|6"
        );
    }
}

/// IIQ-40: rows written under different settings stay readable, patches across formats too.
#[tokio::test]
async fn rows_of_mixed_formats_are_read_back() {
    let formats = [
        JsonFormat::Zipped,
        JsonFormat::Pretty,
        JsonFormat::Compact,
        JsonFormat::Minified,
        JsonFormat::Zipped,
    ];
    for world in worlds(&FULL).await {
        let long = "a department with a name long enough for a patch to be the smaller one ".repeat(4);
        let fields = |n: usize| json!({"name": "ann", "description": long, "n": n});
        for (n, format) in formats.into_iter().enumerate() {
            let at = 100 * i64::try_from(n + 1).unwrap();
            let settings = WriterSettings { json_format: format, max_allowed_patches: 9, ..FULL };
            world.write_as(settings, capture("i1", fields(n), at, at + 1)).await;
        }
        assert_eq!(
            world.sql(
                "select json_format, transform_type from spt_hist_identity_capture order by effective_date;"
            ),
            "ZIPPED|full\nPRETTY|patch\nCOMPACT|patch\nMINIFIED|patch\nZIPPED|patch"
        );
        for n in 0..formats.len() {
            let at = 100 * i64::try_from(n + 1).unwrap();
            assert_eq!(world.as_of(&identity("i1"), at).await, Some(fields(n)));
        }
    }
}
