//! Deliveries that came over a broker: they may come twice, in another order, and to different writers.

use std::sync::Arc;

use annals_model::{Delivery, Message, RequestState};
use annals_runs::deliveries::{self, Standing};
use annals_writer::{Error, Treatment, WriteSummary, Writer, WriterSettings};

use crate::world::{FULL, World, ann, capture, deletion, state, worlds};

/// Writes the delivery of this number, by a writer of its own as on a host of its own.
async fn deliver(
    world: &World,
    settings: &WriterSettings,
    number: u64,
    messages: Vec<Message>,
    checkpoint: Option<RequestState>,
) -> Result<WriteSummary, Error> {
    let delivery = Delivery { lease: world.lease.clone(), number: Some(number), messages, checkpoint };
    Writer::new(settings.clone(), world.clock.clone()).write(&world.db, delivery).await
}

fn one(object_id: &str) -> Vec<Message> {
    vec![capture(object_id, ann("A"), 100, 200)]
}

async fn standing(world: &World, number: u64) -> Standing {
    let mut tx = world.db.begin_read().await.unwrap();
    deliveries::standing(&mut tx, &world.lease, number).await.unwrap()
}

/// TRAP-06: a delivery that comes again, with or without a state, has no second effect: not in history, not in what the
/// run counts, not in its states. That holds for a first load too, which looks nothing up.
#[tokio::test]
async fn what_comes_twice_is_written_once() {
    let first_load = WriterSettings { expects_new: true, ..FULL };
    for settings in [FULL, first_load] {
        for world in worlds(&settings).await {
            let twice = async |number, messages: Vec<Message>, checkpoint: Option<RequestState>| {
                for _ in 0..2 {
                    deliver(&world, &settings, number, messages.clone(), checkpoint.clone()).await.unwrap();
                }
            };
            twice(1, one("i1"), None).await;
            twice(2, vec![deletion("gone", 100, 200)], None).await;
            twice(3, one("i2"), Some(state(1, 3))).await;
            assert_eq!(
                world.sql("select sum(full_captures), sum(duplicates), sum(deleted) from annals_run_write;"),
                "2|0|1",
                "{}",
                world.db.engine().as_str()
            );
            assert_eq!(world.sql("select count(*) from spt_hist_identity_capture;"), "3");
            assert_eq!(world.sql("select seq, lease_epoch from annals_request_state;"), "1|1");
            assert_eq!(world.sql("select deliveries from annals_partition;"), "3");
            // The last one of a partition ends it, and is known when it comes again all the same.
            twice(4, one("i3"), Some(state(5, 4))).await;
            assert_eq!(world.sql("select state from annals_partition;"), "done");
            for number in 1..=4 {
                assert_eq!(standing(&world, number).await, Standing::Written);
            }
        }
    }
}

/// Two writers that have the same delivery at the same moment: one writes it, the other finds it written.
#[tokio::test(flavor = "multi_thread")]
async fn what_two_writers_have_at_once_is_written_once() {
    for world in worlds(&FULL).await {
        let world = Arc::new(world);
        let both = (0..2).map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(
                async move { deliver(&world, &FULL, 1, one("i1"), Some(state(1, 1))).await.map(|_| ()) },
            )
        });
        for written in both.collect::<Vec<_>>() {
            written.await.unwrap().unwrap();
        }
        assert_eq!(world.sql("select sum(full_captures), sum(duplicates) from annals_run_write;"), "1|0");
        assert_eq!(world.sql("select count(*) from annals_request_state;"), "1");
    }
}

/// One that comes before its turn is not written, for the state that it saves would pass over what is missing.
#[tokio::test]
async fn what_comes_before_its_turn_waits_for_another_time() {
    for world in worlds(&FULL).await {
        deliver(&world, &FULL, 1, one("i1"), None).await.unwrap();
        let early = deliver(&world, &FULL, 3, one("i3"), Some(state(1, 3))).await.unwrap_err();
        assert!(
            matches!(early, Error::Runs(annals_runs::Error::OutOfTurn { number: 3, written: 1, .. })),
            "{early:?}"
        );
        assert_eq!(early.treatment(), Treatment::GiveUp);
        assert_eq!(standing(&world, 3).await, Standing::Awaited(1));
        assert_eq!(world.sql("select count(*) from annals_head;"), "1");
        deliver(&world, &FULL, 2, one("i2"), None).await.unwrap();
        deliver(&world, &FULL, 3, one("i3"), Some(state(1, 3))).await.unwrap();
        assert_eq!(world.sql("select object_id from annals_head order by 1;"), "i1\ni2\ni3");
    }
}

/// TRAP-06, TRAP-07: what was sent under a lease that is over is not written, whatever its number; the next lease counts
/// anew.
#[tokio::test]
async fn the_lease_fences_off_what_the_broker_still_had() {
    for world in worlds(&FULL).await {
        deliver(&world, &FULL, 1, one("i1"), None).await.unwrap();
        world.sql("update annals_partition set state = 'pending';");
        let mut tx = world.db.begin().await.unwrap();
        let claimed =
            annals_runs::partitions::claim(&mut tx, world.lease.run_id, "w", 600_000).await.unwrap();
        tx.commit().await.unwrap();
        for number in [1, 2] {
            assert_eq!(standing(&world, number).await, Standing::Stale);
            let stale = deliver(&world, &FULL, number, one("i2"), None).await.unwrap_err();
            assert!(matches!(stale, Error::Runs(annals_runs::Error::StaleLease { .. })), "{stale:?}");
        }
        let lease = claimed.unwrap().lease;
        let next = World { lease, ..world };
        deliver(&next, &FULL, 1, one("i2"), None).await.unwrap();
        assert_eq!(next.sql("select object_id from annals_head order by 1;"), "i1\ni2");
    }
}

/// A message that one writer parks is counted in the states that other writers save later, once.
#[tokio::test]
async fn what_one_writer_parks_is_counted_by_all() {
    for world in worlds(&FULL).await {
        world.sql("create unique index poison on spt_hist_identity_capture (display_name) where display_name = 'poison';");
        let poison =
            |id: &str| capture(id, serde_json::json!({"name": "ann", "displayName": "poison"}), 100, 200);
        deliver(&world, &FULL, 1, vec![poison("i0")], None).await.unwrap();
        for _ in 0..2 {
            deliver(&world, &FULL, 2, [vec![poison("bad")], one("i1")].concat(), None).await.unwrap();
        }
        deliver(&world, &FULL, 3, one("i2"), Some(state(1, 4))).await.unwrap();
        deliver(&world, &FULL, 4, [vec![poison("worse")], one("i3")].concat(), Some(state(2, 6)))
            .await
            .unwrap();
        let saved = world.sql("select state from annals_request_state order by seq;");
        let counters: Vec<(u64, u64)> = saved
            .lines()
            .map(|state| {
                let state: RequestState = serde_json::from_str(state).unwrap();
                (state.counters.total_extracted_objects_published, state.counters.total_publishing_fails)
            })
            .collect();
        assert_eq!(counters, [(3, 1), (4, 2)]);
        assert_eq!(world.sql("select object_id from annals_run_failure order by 1;"), "bad\nworse");
        assert_eq!(world.sql("select sum(full_captures), sum(dead) from annals_run_write;"), "4|2");
    }
}

/// A delivery that no writer lived to answer for is given up whole: its messages are dead letters, their objects have
/// failed, and the partition goes on after it.
#[tokio::test]
async fn a_delivery_that_kills_its_writers_is_given_up() {
    for world in worlds(&FULL).await {
        let messages = [one("i1"), one("i2")].concat();
        let delivery =
            Delivery { lease: world.lease.clone(), number: Some(1), messages, checkpoint: Some(state(1, 2)) };
        let given_up = world.writer.abandon(&world.db, delivery, 10).await.unwrap();
        assert_eq!(given_up.failures.len(), 2);
        assert!(given_up.failures[0].error.starts_with("10 writers took its delivery up"), "{given_up:?}");
        assert_eq!(world.sql("select object_id from annals_dead_letter order by 1;"), "i1\ni2");
        assert_eq!(world.sql("select count(*) from annals_head;"), "0");
        let saved: RequestState =
            serde_json::from_str(&world.sql("select state from annals_request_state;")).unwrap();
        assert_eq!((saved.chunks_done, saved.counters.total_publishing_fails), (1, 2));
        deliver(&world, &FULL, 2, one("i3"), Some(state(2, 3))).await.unwrap();
    }
}
