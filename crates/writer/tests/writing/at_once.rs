//! Two hosts that write the same objects at the same time.

use annals_model::{Delivery, Message, ObjectType};
use annals_sql::{Engine, Stmt};
use annals_writer::{Writer, WriterSettings};
use serde_json::{Value, json};

use crate::world::{FULL, World, capture_of, deletion_of, worlds};

const TYPE: ObjectType = ObjectType::ManagedAttribute;

fn fields(state: &str) -> Value {
    json!({"displayName": state, "hash": state, "description": "x".repeat(200)})
}

fn state(state: &str, at_ms: i64) -> Message {
    capture_of(TYPE, "o1", fields(state), at_ms, at_ms + 1)
}

fn end(at_ms: i64) -> Message {
    deletion_of(TYPE, "o1", at_ms, at_ms + 1)
}

/// Writes each delivery by a writer of its own, all of which have read the object before the first of them writes it.
/// On SQLite there is one writer at a time anyhow.
async fn at_once(world: &World, settings: &WriterSettings, deliveries: Vec<Vec<Message>>) {
    let count = deliveries.len();
    let held = match world.db.engine() {
        Engine::Postgres => {
            let mut held = world.db.begin().await.unwrap();
            let hold = Stmt::new("test.hold", "update annals_head set deleted = deleted");
            assert_eq!(held.execute(&hold, Vec::new()).await.unwrap(), 1);
            Some(held)
        }
        _ => None,
    };
    let mut writers = tokio::task::JoinSet::new();
    for messages in deliveries {
        let (db, lease) = (world.db.clone(), world.lease.clone());
        let writer = Writer::new(settings.clone(), world.clock.clone());
        writers.spawn(async move {
            let delivery = Delivery { lease, number: None, messages, checkpoint: None };
            assert_eq!(writer.write(&db, delivery).await.unwrap().failures, []);
        });
    }
    if let Some(held) = held {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock';";
        while world.sql(waiting) != count.to_string() {
            assert!(!writers.is_empty());
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        held.commit().await.unwrap();
    }
    writers.join_all().await;
}

async fn as_in_order(settings: WriterSettings, known: &[Message], meanwhile: [Message; 2]) {
    let mut in_order: Vec<Message> = [known, &meanwhile].concat();
    in_order.sort_by_key(|message| message.observed_ms);
    for (expected, world) in worlds(&settings).await.into_iter().zip(worlds(&settings).await) {
        for message in &in_order {
            expected.write(vec![message.clone()]).await;
        }
        for message in known {
            world.write(vec![message.clone()]).await;
        }
        at_once(&world, &settings, meanwhile.iter().map(|message| vec![message.clone()]).collect()).await;
        assert_eq!(world.canonical(), expected.canonical(), "{:?}", world.db.engine());
    }
}

/// TRAP-16: the end of an object's first life and the beginning of its second one, both of which follow the same head:
/// whichever is written first, the second life is discovered.
#[tokio::test]
async fn an_end_and_a_second_life_are_both_kept() {
    let settings = WriterSettings { max_allowed_patches: 9, ..FULL };
    as_in_order(settings, &[state("A", 100)], [state("B", 300), end(200)]).await;
}

/// Two changes of the same state.
#[tokio::test]
async fn of_two_changes_none_is_lost() {
    let settings = WriterSettings { max_allowed_patches: 9, ..FULL };
    as_in_order(settings, &[state("A", 100)], [state("B", 200), state("C", 300)]).await;
}

/// IIQ-61: two late states between the same captures, which leave the newest one as it is.
#[tokio::test]
async fn of_two_late_states_none_is_lost() {
    let known = [state("A", 100), state("D", 400), state("E", 500)];
    as_in_order(FULL, &known, [state("B", 200), state("C", 300)]).await;
}

/// A late state and a change behind it, both of which are put beside the same capture: its sightings, which the late
/// state parts, are not those that were read before.
#[tokio::test]
async fn of_a_late_state_and_a_change_none_is_lost() {
    let known = [state("A", 100), state("A", 300), state("A", 350)];
    as_in_order(FULL, &known, [state("B", 200), state("C", 400)]).await;
}
