//! Messages that could not be written: delivered again, given up, delivered once more.

use annals_model::{Message, ObjectType};
use annals_runs::dead::{self, LetterFilter, StoredLetter};
use annals_writer::{Redelivered, WriterSettings};
use serde_json::{Value, json};

use crate::world::{FULL, World, ann, capture, identity, state, worlds};

const PATIENT: WriterSettings = WriterSettings {
    redeliveries_max: 2,
    redelivery_delay_ms: 60_000,
    discarded_message_event: true,
    ..FULL
};

/// Two people of one display name are refused, while this holds.
fn refuse(world: &World) {
    world.sql("create unique index refuse on spt_hist_identity_capture (display_name) where display_name = 'twice';");
}

fn allow(world: &World) {
    world.sql("drop index refuse;");
}

fn twice(object_id: &str, occurred_ms: i64) -> Message {
    capture(object_id, json!({"name": object_id, "displayName": "twice"}), occurred_ms, occurred_ms + 1)
}

/// The delay passes.
fn time_passes(world: &World) {
    world.sql("update annals_parked_message set due = due - 60000;");
}

async fn redelivered(world: &World) -> Redelivered {
    world.writer.redeliver(&world.db).await.unwrap()
}

async fn dead_letters(world: &World) -> Vec<StoredLetter> {
    let mut tx = world.db.begin_read().await.unwrap();
    dead::list(&mut tx, &LetterFilter::default(), 100).await.unwrap()
}

/// IIQ-57: a message that could not be written waits alone, is delivered again after the delay and not before, and finds
/// its place among what came meanwhile.
#[tokio::test]
async fn a_parked_message_is_delivered_again_after_a_while() {
    for world in worlds(&PATIENT).await {
        world.write(vec![twice("i0", 100)]).await;
        refuse(&world);
        let summary = world
            .deliver(vec![capture("i2", ann("A"), 100, 101), twice("i1", 100)], Some(state(1, 2)))
            .await
            .unwrap();
        assert_eq!(summary.failures.len(), 1);
        assert_eq!(
            world.sql("select object_id, attempts, run_id from annals_parked_message;"),
            format!("i1|1|{}", world.lease.run_id)
        );
        assert_eq!(world.sql("select object_id, stage from annals_run_failure;"), "i1|write");
        assert_eq!(dead_letters(&world).await, []);
        world.write(vec![capture("i1", json!({"name": "i1", "displayName": "once"}), 200, 201)]).await;
        allow(&world);
        assert_eq!(redelivered(&world).await, Redelivered::default());
        time_passes(&world);
        let done = redelivered(&world).await;
        assert_eq!(
            (done.written, done.parked, done.dead, done.counts[&ObjectType::Identity].late),
            (1, 0, 0, 1)
        );
        assert_eq!(world.sql("select count(*) from annals_parked_message;"), "0");
        assert_eq!(world.as_of(&identity("i1"), 150).await.unwrap()["displayName"], "twice");
        assert_eq!(world.as_of(&identity("i1"), 250).await.unwrap()["displayName"], "once");
    }
}

/// IIQ-58: while nothing at all can be written, no message has had its chance.
#[tokio::test]
async fn a_fault_of_the_surroundings_is_no_redelivery() {
    for world in worlds(&PATIENT).await {
        world.write(vec![twice("i0", 100)]).await;
        refuse(&world);
        world.write(vec![capture("i2", ann("A"), 100, 101), twice("i1", 100)]).await;
        allow(&world);
        time_passes(&world);
        world.sql("alter table spt_hist_identity_capture rename to gone;");
        world.writer.redeliver(&world.db).await.unwrap_err();
        world.sql("alter table gone rename to spt_hist_identity_capture;");
        assert_eq!(world.sql("select attempts from annals_parked_message;"), "1");
        assert_eq!(redelivered(&world).await.written, 1);
    }
}

/// IIQ-58, IIQ-60: after the greatest number of redeliveries it is a dead letter, and an event says so.
#[tokio::test]
async fn a_message_is_given_up_after_the_greatest_number_of_redeliveries() {
    for world in worlds(&PATIENT).await {
        world.write(vec![twice("i0", 100), capture("i1", ann("A"), 10, 20)]).await;
        refuse(&world);
        world.write(vec![capture("i2", ann("A"), 100, 101), twice("i1", 100)]).await;
        let mut told = Vec::new();
        for _ in 0..3 {
            time_passes(&world);
            let done = redelivered(&world).await;
            told.push((done.written, done.parked, done.dead));
        }
        assert_eq!(told, [(0, 1, 0), (0, 0, 1), (0, 0, 0)]);
        let letters = dead_letters(&world).await;
        assert_eq!(letters.len(), 1);
        let letter = &letters[0].letter;
        assert_eq!((letter.attempts, letter.occurred_ms, letter.name.as_str()), (3, 100, "i1"));
        let discarded = world.timeline(&identity("i1")).await.pop().unwrap();
        assert_eq!((discarded.event_type.as_str(), discarded.event_date_ms), ("DiscardedMessage", 100));
        assert_eq!((discarded.source_type.as_str(), discarded.capture_id), ("DISCARDED_MESSAGE", None));
        assert_eq!(discarded.detail.unwrap()["deadLetter"], Value::from(letter.id.as_str()));
    }
}

/// IIQ-59: what is wrong with the message itself does not pass by waiting.
#[tokio::test]
async fn a_message_that_cannot_be_processed_is_given_up_at_once() {
    for world in worlds(&PATIENT).await {
        world.write(vec![capture("i1", ann("A"), 100, 101), capture("i1", ann("B"), 300, 301)]).await;
        world.sql("update spt_hist_identity_capture set full_hash = 'DAMAGED' where effective_date = 100;");
        world.write(vec![capture("i1", ann("C"), 200, 201)]).await;
        assert_eq!(world.sql("select count(*) from annals_parked_message;"), "0");
        assert_eq!(dead_letters(&world).await.len(), 1);
        assert_eq!(world.sql("select dead from annals_run_write;"), "1");
    }
}

/// A dead letter that is delivered once more is gone when it was written, stays when not, and either is noted.
#[tokio::test]
async fn a_dead_letter_is_delivered_once_more() {
    for world in worlds(&FULL).await {
        world.write(vec![twice("i0", 100)]).await;
        refuse(&world);
        world.write(vec![capture("i2", ann("A"), 100, 101), twice("i1", 100)]).await;
        let letter = dead_letters(&world).await.remove(0).letter;
        world.writer.redrive(&world.db, &letter, "try", "ann@host").await.unwrap_err();
        assert_eq!(dead_letters(&world).await.len(), 1);
        allow(&world);
        let counts = world.writer.redrive(&world.db, &letter, "mended", "ann@host").await.unwrap().unwrap();
        assert_eq!(counts[&ObjectType::Identity].full_captures, 1);
        assert_eq!(dead_letters(&world).await, []);
        assert_eq!(world.writer.redrive(&world.db, &letter, "again", "ann@host").await.unwrap(), None);
        let mut tx = world.db.begin_read().await.unwrap();
        let acts = dead::acts(&mut tx, &letter.id).await.unwrap();
        let acts: Vec<(&str, &str, &str)> =
            acts.iter().map(|act| (act.act.as_str(), act.reason.as_str(), act.outcome.as_str())).collect();
        assert_eq!((acts.len(), acts[0].1, acts[1]), (2, "try", ("redrive", "mended", "written")));
        assert!(acts[0].2.starts_with("failed: "), "{acts:?}");
    }
}
