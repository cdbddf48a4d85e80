//! What happens when something cannot be written.

use annals_model::{Delivery, JsonFormat, Message};
use annals_queue::in_process;
use annals_runs::Leases;
use annals_sql::Engine;
use annals_writer::{Error, Treatment, WriterSettings};
use serde_json::json;

use crate::world::{FULL, World, ann, capture, deletion, identity, state, worlds};

/// A column that refuses one value, standing in for whatever a database may refuse.
fn refuse_second_poison(world: &World) {
    world.sql("create unique index poison on spt_hist_identity_capture (display_name) where display_name = 'poison';");
}

fn poison(object_id: &str) -> Message {
    capture(object_id, json!({"name": "ann", "displayName": "poison"}), 100, 200)
}

/// One bad message of many parks alone: its neighbours, the counters and the state are written, its object has failed.
#[tokio::test]
async fn a_bad_message_parks_alone() {
    for world in worlds(&FULL).await {
        world.write(vec![poison("i0")]).await;
        refuse_second_poison(&world);
        let mut messages: Vec<_> = (1..20).map(|n| capture(&format!("i{n}"), ann("A"), 100, 200)).collect();
        messages[11] = poison("bad");
        let summary = world.deliver(messages, Some(state(1, 20))).await.unwrap();
        assert_eq!(summary.failures.len(), 1);
        assert_eq!(world.sql("select count(*) from spt_hist_identity_capture;"), "19");
        assert_eq!(
            world.sql("select object_type, object_id, partition_no, run_id from annals_dead_letter;"),
            format!("identity|bad|0|{}", world.lease.run_id)
        );
        assert_eq!(world.sql("select object_id, stage from annals_run_failure;"), "bad|write");
        assert_eq!(world.sql("select full_captures, dead from annals_run_write;"), "19|1");
        let saved = world.sql("select state from annals_request_state;");
        let saved: serde_json::Value = serde_json::from_str(&saved).unwrap();
        assert_eq!(saved["counters"]["totalExtractedObjectsPublished"], 19);
        assert_eq!(saved["counters"]["totalPublishingFails"], 1);
    }
}

/// A message parked early in a chunk is counted in the state that ends the chunk, and in every later one.
#[tokio::test]
async fn what_was_parked_before_the_checkpoint_is_counted_in_it() {
    for world in worlds(&FULL).await {
        world.write(vec![poison("i0")]).await;
        refuse_second_poison(&world);
        world.write(vec![poison("bad"), capture("i1", ann("A"), 100, 200)]).await;
        world.deliver(vec![capture("i2", ann("A"), 100, 200)], Some(state(1, 3))).await.unwrap();
        world.deliver(vec![capture("i3", ann("A"), 100, 200)], Some(state(2, 4))).await.unwrap();
        let saved = world.sql("select state from annals_request_state order by seq;");
        let counters: Vec<(u64, u64)> = saved
            .lines()
            .map(|state| {
                let state: annals_model::RequestState = serde_json::from_str(state).unwrap();
                (state.counters.total_extracted_objects_published, state.counters.total_publishing_fails)
            })
            .collect();
        assert_eq!(counters, [(2, 1), (3, 1)]);
        assert_eq!(world.sql("select count(*) from annals_run_failure;"), "1");
    }
}

#[tokio::test]
async fn when_every_message_is_bad_each_parks() {
    for world in worlds(&FULL).await {
        world.write(vec![poison("i0")]).await;
        refuse_second_poison(&world);
        let summary = world.deliver(vec![poison("b1"), poison("b2")], Some(state(1, 2))).await.unwrap();
        assert_eq!(summary.failures.len(), 2);
        assert_eq!(world.sql("select count(*) from annals_dead_letter;"), "2");
        assert_eq!(world.sql("select count(*) from annals_request_state;"), "1");
    }
}

/// Refuses rows for a reason that says nothing about the message.
fn refuse(world: &World, condition: &str) {
    let script = match world.db.engine() {
        Engine::Sqlite => format!(
            "create trigger refuse before insert on spt_hist_identity_capture when {condition}
             begin select raise(abort, 'no'); end;"
        ),
        _ => format!(
            "create function refuse() returns trigger language plpgsql as
             $$ begin if {condition} then raise exception 'no'; end if; return new; end $$;
             create trigger refuse before insert on spt_hist_identity_capture
             for each row execute function refuse();"
        ),
    };
    world.sql(&script);
}

/// A refusal that may have any reason counts as the message's own only where other messages can be written, or there is
/// no other: a run that has nothing but the one must not fail of it night by night.
#[tokio::test]
async fn a_refusal_without_a_reason_parks_a_message_beside_good_ones_or_alone() {
    for world in worlds(&FULL).await {
        refuse(&world, "new.display_name = 'poison'");
        let messages =
            vec![capture("i1", ann("A"), 100, 200), poison("bad"), capture("i2", ann("A"), 100, 200)];
        let summary = world.write(messages).await;
        assert_eq!(summary.failures[0].object_id, "bad");
        assert_eq!(world.sql("select count(*) from spt_hist_identity_capture;"), "2");

        let error = world.deliver(vec![poison("b1"), poison("b2")], Some(state(1, 2))).await.unwrap_err();
        assert_eq!(error.treatment(), Treatment::TryApart);
        assert_eq!(world.sql("select count(*) from annals_dead_letter;"), "1");
        assert_eq!(world.sql("select count(*) from annals_request_state;"), "0");

        let summary = world.deliver(vec![poison("b1")], Some(state(1, 1))).await.unwrap();
        assert_eq!(summary.failures[0].object_id, "b1");
        assert_eq!(world.sql("select count(*) from annals_request_state;"), "1");
    }
}

/// A conflict passes: the same delivery is written when tried again. PostgreSQL only: on SQLite nobody conflicts with
/// the one writer.
#[tokio::test]
async fn a_conflict_is_tried_again() {
    let worlds = worlds(&FULL).await;
    let world = worlds.iter().find(|world| world.db.engine() == Engine::Postgres).unwrap();
    world.sql(
        "create sequence attempts;
         create function conflict() returns trigger language plpgsql as
         $$ begin
           if nextval('attempts') < 3 then raise exception 'no' using errcode = 'serialization_failure'; end if;
           return new;
         end $$;
         create trigger conflict before insert on spt_hist_identity_capture
         for each row execute function conflict();",
    );
    let summary = world.deliver(vec![capture("i1", ann("A"), 100, 200)], Some(state(1, 1))).await.unwrap();
    assert!(summary.failures.is_empty());
    assert_eq!(world.sql("select last_value from attempts;"), "3");
    assert_eq!(world.sql("select count(*) from spt_hist_identity_capture;"), "1");
    assert_eq!(world.sql("select full_captures, dead from annals_run_write;"), "1|0");
}

/// TRAP-06, TRAP-07: whoever lost the lease writes nothing, be it product, counters or state.
#[tokio::test]
async fn a_stale_lease_rolls_everything_back() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i1", ann("A"), 100, 200)]).await;
        world.sql("update annals_partition set lease_epoch = lease_epoch + 1;");
        let before = (world.everything().await, world.sql("select * from annals_run_write;"));
        let messages = vec![
            capture("i1", ann("B"), 300, 400),
            capture("i2", ann("A"), 300, 400),
            deletion("i3", 300, 400),
        ];
        for checkpoint in [Some(state(1, 3)), None] {
            let error = world.deliver(messages.clone(), checkpoint).await.unwrap_err();
            assert!(matches!(error, Error::Runs(annals_runs::Error::StaleLease { .. })), "{error:?}");
            assert_eq!(error.treatment(), Treatment::GiveUp);
        }
        assert_eq!((world.everything().await, world.sql("select * from annals_run_write;")), before);
        assert_eq!(world.sql("select count(*) from annals_request_state;"), "0");

        let ((queue, lane), leases) = (in_process(1, 1 << 20), Leases::default());
        let asking = async {
            let delivery = Delivery { lease: world.lease.clone(), number: None, messages, checkpoint: None };
            let receipt = queue.publish(delivery).await.unwrap();
            drop(queue);
            receipt.written().await.unwrap_err()
        };
        let ((), refused) = tokio::join!(world.writer.serve(&world.db, lane, &leases, |_| {}), asking);
        assert!(matches!(refused, annals_queue::Error::Refused(_)), "{refused:?}");
        assert_eq!(leases.fenced_writes(), 1);
    }
}

/// IIQ-25, TRAP-13: an empty delivery saves its state; the last chunk's ends the partition.
#[tokio::test]
async fn a_delivery_without_messages_saves_its_state() {
    for world in worlds(&FULL).await {
        world.deliver(Vec::new(), Some(state(1, 0))).await.unwrap();
        world.deliver(Vec::new(), Some(state(5, 0))).await.unwrap();
        assert_eq!(world.sql("select seq, lease_epoch from annals_request_state order by seq;"), "1|1\n5|1");
        assert_eq!(world.sql("select state from annals_partition;"), "done");
        // It comes again when only the answer was lost.
        world.deliver(Vec::new(), Some(state(5, 0))).await.unwrap();
        assert_eq!(world.sql("select count(*) from annals_request_state;"), "2");
    }
}

/// Names and values that a database cannot hold as text are no reason to lose a message.
#[tokio::test]
async fn awkward_text_is_written() {
    for world in worlds(&FULL).await {
        let long = "ü".repeat(5_000);
        let fields = json!({"name": format!("nul\u{0}{long}"), "displayName": "\u{0}", "attributes": {long.clone(): "😀"}});
        world.write(vec![capture("i1", fields.clone(), 100, 200)]).await;
        let mut next = fields.clone();
        next["attributes"][&long] = json!("\u{0}b");
        let summary = world.write(vec![capture("i1", next, 300, 400)]).await;
        assert!(summary.failures.is_empty());
        assert_eq!(world.sql("select count(*) from spt_hist_identity_event;"), "2");
        assert_eq!(world.as_of(&crate::world::identity("i1"), 200).await, Some(fields));
    }
}

/// The images of the first delivery make a dictionary, in the delivery's own transaction; the next one, of the same
/// writer or another, finds it. One that was trained in vain, because a message could not be written, is forgotten.
#[tokio::test]
async fn the_first_delivery_makes_a_dictionary() {
    let settings = WriterSettings { json_format: JsonFormat::Compact, max_allowed_patches: 9, ..FULL };
    let fields =
        |n: usize, day: i64| json!({"name": format!("person {}", n * 7919), "employee": true, "day": day});
    let delivery = |day: i64| -> Vec<Message> {
        (0..150).map(|n| capture(&format!("i{n}"), fields(n, day), day * 100, day * 100 + 1)).collect()
    };
    for world in worlds(&settings).await {
        world.write(vec![poison("i150")]).await;
        refuse_second_poison(&world);
        let mut first = delivery(1);
        first.push(poison("bad"));
        assert_eq!(world.write(first).await.failures.len(), 1);
        world.write(delivery(2)).await;
        world.write_as(settings.clone(), delivery(3).remove(0)).await;
        assert_eq!(world.sql("select object_type, version from annals_dictionary;"), "identity|1");
        assert_eq!(world.sql("select distinct json_format from spt_hist_identity_capture;"), "COMPACT");
        // Without it a patch of 64 bytes takes 74.
        let largest =
            "select max(length(json)) from spt_hist_identity_capture where patch_doc_parent is not null;";
        let largest: usize = world.sql(largest).parse().unwrap();
        assert!(largest < 50, "{largest}");
        for (n, day) in [(0, 1), (0, 2), (0, 3), (149, 1), (149, 2)] {
            assert_eq!(world.as_of(&identity(&format!("i{n}")), day * 100).await, Some(fields(n, day)));
        }
    }
}

/// On a first load nothing is looked up, and yet what is there already is found: a delivery that comes twice is known,
/// a change is a change, a deletion ends what it is about.
#[tokio::test]
async fn what_was_taken_for_new_and_is_not_is_written_as_it_should_be() {
    for world in worlds(&WriterSettings { expects_new: true, ..FULL }).await {
        let first = vec![capture("i1", ann("A"), 100, 200), capture("i2", ann("A"), 100, 200)];
        world.deliver(first.clone(), None).await.unwrap();
        world.deliver(first, None).await.unwrap();
        let next = vec![capture("i2", ann("B"), 300, 400), capture("i3", ann("A"), 300, 400)];
        world.deliver(next, None).await.unwrap();
        world.deliver(vec![deletion("i3", 500, 600)], None).await.unwrap();
        assert_eq!(
            world.sql("select sum(full_captures), sum(duplicates), sum(deleted) from annals_run_write;"),
            "4|2|1"
        );
        assert_eq!(
            world.sql("select object_id, deleted from annals_head order by object_id;"),
            "i1|0\ni2|0\ni3|1"
        );
    }
}

/// Without the key of heads nothing but the first lease's order keeps objects apart: who takes a partition over makes
/// the key and finds what its predecessor has written.
#[tokio::test]
async fn who_takes_over_a_first_load_finds_what_is_there() {
    for mut world in worlds(&WriterSettings { expects_new: true, ..FULL }).await {
        let mut tx = world.db.begin().await.unwrap();
        annals_history::defer_indexes(&mut tx, world.lease.run_id).await.unwrap();
        tx.commit().await.unwrap();
        let first = vec![capture("i1", ann("A"), 100, 200), capture("i2", ann("A"), 100, 200)];
        world.deliver(first.clone(), None).await.unwrap();
        world.sql("update annals_partition set lease_epoch = 2;");
        world.lease.epoch = 2;
        let again = [first, vec![capture("i3", ann("A"), 100, 200)]].concat();
        world.deliver(again, None).await.unwrap();
        assert_eq!(world.sql("select sum(full_captures), sum(duplicates) from annals_run_write;"), "3|2");
        assert_eq!(world.sql("select object_id from annals_head order by object_id;"), "i1\ni2\ni3");
        let left_away = "select count(*) from annals_deferred_index where name = 'annals_head_pkey';";
        assert_eq!(world.sql(left_away), "0");
    }
}

/// The state that a later delivery of the lease saves would pass over the one that is missing.
#[tokio::test]
async fn nothing_is_written_after_a_delivery_that_was_not() {
    for world in worlds(&FULL).await {
        let ((queue, lane), leases) = (in_process(1, 1 << 20), Leases::default());
        let asking = async {
            let publish = async |object_id, checkpoint| {
                let messages = vec![capture(object_id, ann("A"), 100, 200)];
                let delivery = Delivery { lease: world.lease.clone(), number: None, messages, checkpoint };
                queue.publish(delivery).await.unwrap().written().await
            };
            world.sql("alter table spt_hist_identity_capture rename to gone;");
            let first = publish("i1", None).await;
            world.sql("alter table gone rename to spt_hist_identity_capture;");
            let second = publish("i2", Some(state(1, 2))).await;
            drop(queue);
            (first, second)
        };
        let ((), (first, second)) =
            tokio::join!(world.writer.serve(&world.db, lane, &leases, |_| {}), asking);
        assert!(matches!(&first, Err(annals_queue::Error::Refused(_))), "{first:?}");
        assert_eq!(second, first);
        assert_eq!(leases.fenced_writes(), 0, "the lease had no part in it");
        let rows = "select (select count(*) from annals_head), (select count(*) from annals_request_state);";
        assert_eq!(world.sql(rows), "0|0");
    }
}
