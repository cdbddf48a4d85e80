//! Messages in any order end in the same tables.

use annals_model::{JsonFormat, Message, ObjectType, Operation};
use annals_writer::WriterSettings;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use serde_json::{Value, json};

use crate::world::{FULL, World, ann, capture, capture_of, deletion, deletion_of, identity, worlds};

fn settings(max_allowed_patches: u32) -> WriterSettings {
    WriterSettings { max_allowed_patches, json_format: JsonFormat::Minified, ..FULL }
}

/// IIQ-61, TRAP-01: what comes between two captures parts them: the events between the two are removed and noted, and
/// made anew for both gaps.
#[tokio::test]
async fn a_late_capture_is_put_between_its_neighbours() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i1", ann("A"), 100, 101)]).await;
        world.write(vec![capture("i1", ann("C"), 300, 301)]).await;
        world.clock.advance(1_000);
        let counts = world.counts(vec![capture("i1", ann("B"), 200, 201)]).await;
        assert_eq!((counts.late, counts.full_captures, counts.events), (1, 1, 2));
        assert_eq!(
            world.told(&identity("i1")).await,
            [
                ["IdentityDiscovered", "-", "-", "-"],
                ["IdentityChanged", "department", "A", "B"],
                ["IdentityChanged", "department", "B", "C"],
            ]
        );
        assert_eq!(
            world.sql("select effective_date, created, latest from spt_hist_identity_capture order by 1;"),
            "100|1000000|0\n200|1001000|0\n300|1000000|1"
        );
        for (at, department) in [(100, "A"), (199, "A"), (200, "B"), (299, "B"), (300, "C")] {
            assert_eq!(world.as_of(&identity("i1"), at).await.unwrap()["department"], department, "at {at}");
        }
        let removed = world
            .sql("select removed, event_table, object_type, object_id, event from annals_removed_event;");
        let (row, event) = removed.split_at(removed.find('{').unwrap());
        assert_eq!(row, "1001000|spt_hist_identity_event|identity|i1|");
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(
            [&event["event_date"], &event["old_value"], &event["new_value"]],
            [&json!(300), &json!("A"), &json!("C")]
        );
    }
}

/// IIQ-61: the configuration can switch the audit off.
#[tokio::test]
async fn removed_events_are_not_noted_where_that_is_switched_off() {
    for world in worlds(&WriterSettings { audit_removed_events: false, ..FULL }).await {
        for (department, at) in [("A", 100), ("C", 300), ("B", 200)] {
            world.write(vec![capture("i1", ann(department), at, at + 1)]).await;
        }
        assert_eq!(world.told(&identity("i1")).await.len(), 3);
        assert_eq!(world.sql("select count(*) from annals_removed_event;"), "0");
    }
}

/// The newer neighbour of a late capture is a patch of it from then on, with the hashes that it had; what cannot be read
/// back is never guessed: the message is given up.
#[tokio::test]
async fn the_newer_neighbour_is_rebased() {
    for world in worlds(&settings(9)).await {
        let fields = |n: i64| json!({"name": "ann", "description": "x".repeat(300), "n": n});
        for n in [1, 3, 4] {
            world.write(vec![capture("i1", fields(n), 100 * n, 100 * n + 1)]).await;
        }
        let hashes =
            "select full_hash, smart_hash from spt_hist_identity_capture where effective_date = 300;";
        let before = world.sql(hashes);
        world.write(vec![capture("i1", fields(2), 200, 201)]).await;
        assert_eq!(world.sql(hashes), before);
        assert_eq!(
            world.sql(
                "select c.effective_date, p.effective_date from spt_hist_identity_capture c
                 left join spt_hist_identity_capture p on p.id = c.patch_doc_parent order by 1;"
            ),
            "100|\n200|100\n300|200\n400|300"
        );
        for n in 1..5 {
            assert_eq!(world.as_of(&identity("i1"), 100 * n).await, Some(fields(n)));
        }
        world.sql("update spt_hist_identity_capture set full_hash = 'DAMAGED' where effective_date = 200;");
        let summary = world.write(vec![capture("i1", fields(7), 250, 251)]).await;
        assert!(summary.failures[0].error.contains("cannot be read back"), "{:?}", summary.failures);
        assert_eq!(world.sql("select count(*) from spt_hist_identity_capture;"), "4");
    }
}

/// A late capture with the state of its older neighbour was seen there once more; one with the state of its newer
/// neighbour says that this began earlier.
#[tokio::test]
async fn a_late_capture_may_be_the_state_of_a_neighbour() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i1", ann("A"), 100, 101), capture("i1", ann("B"), 500, 501)]).await;
        let counts = world.counts(vec![capture("i1", ann("A"), 300, 301)]).await;
        assert_eq!((counts.unchanged, counts.late, counts.events), (1, 0, 0));
        let dates =
            "select effective_date, extended_to_date, latest from spt_hist_identity_capture order by 1;";
        assert_eq!(world.sql(dates), "100|300|0\n500||1");
        let counts = world.counts(vec![capture("i1", ann("B"), 400, 401)]).await;
        assert_eq!((counts.late, counts.full_captures), (1, 1));
        assert_eq!(world.sql(dates), "100|300|0\n400|500|1");
        assert_eq!(world.told(&identity("i1")).await.len(), 2);
        // It comes again, and changes nothing.
        let before = world.everything().await;
        let counts =
            world.counts(vec![capture("i1", ann("A"), 300, 301), capture("i1", ann("B"), 400, 401)]).await;
        assert_eq!(counts.duplicates, 2);
        assert_eq!(world.everything().await, before);
    }
}

/// A deletion that comes late is told from a capture of its very time, also where captures are kept without hashes.
#[tokio::test]
async fn a_late_deletion_is_no_capture() {
    let unhashed = |display: &str, at_ms: i64| {
        let mut message = capture("i1", ann(display), at_ms, at_ms + 1);
        if let Operation::Capture(captured) = &mut message.operation {
            captured.include_hash = false;
        }
        message
    };
    for world in worlds(&FULL).await {
        for (display, at_ms) in [("A", 100), ("B", 300), ("C", 500)] {
            world.write(vec![unhashed(display, at_ms)]).await;
        }
        let counts = world.counts(vec![deletion("i1", 300, 310)]).await;
        assert_eq!((counts.late, counts.deleted, counts.duplicates), (1, 1, 0));
        let dates = "select effective_date from spt_hist_identity_capture order by 1;";
        assert_eq!(world.sql(dates), "100\n300\n310\n500");
        assert_eq!(world.as_of(&identity("i1"), 400).await, None);
        let counts = world.counts(vec![deletion("i1", 300, 310)]).await;
        assert_eq!((counts.late, counts.duplicates), (0, 1), "it comes twice");
    }
}

/// A history from before sightings were kept tells by its dates where a late message belongs.
#[tokio::test]
async fn an_older_history_is_put_in_order_by_its_dates() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i1", ann("A"), 100, 101)]).await;
        world.write(vec![capture("i1", ann("A"), 150, 151)]).await;
        world.write(vec![capture("i1", ann("C"), 300, 301)]).await;
        world.write(vec![capture("i1", ann("C"), 350, 351)]).await;
        world.sql(
            "delete from annals_reading; delete from annals_sighting; update annals_head set seen = null;",
        );
        let late = capture("i1", ann("B"), 200, 201);
        assert_eq!(world.counts(vec![late.clone()]).await.late, 1);
        assert_eq!(world.counts(vec![late]).await.duplicates, 1);
        assert_eq!(world.counts(vec![capture("i1", ann("D"), 320, 321)]).await.late, 1);
        assert_eq!(
            world.sql(
                "select effective_date, extended_to_date, latest from spt_hist_identity_capture order by 1;"
            ),
            "100|150|0\n200||0\n300||0\n320||0\n350||1"
        );
        let told = world.told(&identity("i1")).await;
        assert_eq!(
            told[1..].iter().map(|event| [event[2].as_str(), event[3].as_str()]).collect::<Vec<_>>(),
            [["A", "B"], ["B", "C"], ["C", "D"], ["D", "C"]]
        );
    }
}

/// On a first load, where nothing is looked up, as well.
#[tokio::test]
async fn a_first_load_puts_late_messages_in_their_places() {
    for world in worlds(&WriterSettings { expects_new: true, ..FULL }).await {
        let messages = [("A", 300), ("B", 100), ("C", 200)];
        let messages = messages.map(|(department, at)| capture("i1", ann(department), at, at + 1));
        world.write([messages.as_slice(), &[capture("i2", ann("A"), 100, 101)]].concat()).await;
        assert_eq!(
            world.sql(
                "select identity_id, effective_date, latest from spt_hist_identity_capture order by 1, 2;"
            ),
            "i1|100|0\ni1|200|0\ni1|300|1\ni2|100|1"
        );
    }
}

/// States of a person and of the account and the managed attribute beside it: with A-B-A, with a role that comes, goes,
/// comes and goes, with an end and a second life, with something that vanishes without a trace.
fn lives(max: usize) -> impl Strategy<Value = Vec<Message>> {
    let step = (prop::sample::select(vec![0_u8, 1, 2, 3, 9]), 1..5_i64, prop::bool::weighted(0.15));
    let life = |object_type: ObjectType| {
        prop::collection::vec(step.clone(), 1..=max).prop_map(move |steps| life(object_type, &steps))
    };
    let identity = prop_oneof![
        3 => life(ObjectType::Identity),
        1 => Just(life_of(ObjectType::Identity, [0, 1, 0, 1, 0])),
        1 => Just(life_of(ObjectType::Identity, [2, 3, 2, 3, 2])),
    ];
    (identity, life(ObjectType::Account), life(ObjectType::ManagedAttribute))
        .prop_map(|(one, two, three)| [one, two, three].concat())
}

fn life_of<const N: usize>(object_type: ObjectType, states: [u8; N]) -> Vec<Message> {
    life(object_type, &states.map(|state| (state, 2, false)))
}

fn life(object_type: ObjectType, steps: &[(u8, i64, bool)]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut states = Vec::new();
    let (mut now_ms, mut last_ms) = (0, 0);
    for (state, pause_ms, untraced) in steps {
        let occurred_ms = if *untraced && last_ms > 0 { last_ms } else { now_ms + 10 * pause_ms };
        now_ms = now_ms.max(occurred_ms) + 7;
        last_ms = occurred_ms;
        if states.contains(&(*state, occurred_ms)) {
            continue;
        }
        states.push((*state, occurred_ms));
        messages.push(if *state == 9 {
            deletion_of(object_type, "o1", occurred_ms, now_ms)
        } else {
            capture_of(object_type, "o1", fields(*state), occurred_ms, now_ms)
        });
    }
    messages
}

/// One of four states: a department, and a role that is there or not.
fn fields(state: u8) -> Value {
    let roles: Vec<Value> =
        (0..=state / 2).map(|id| json!({"id": format!("r{id}"), "name": format!("R{id}")})).collect();
    json!({"name": format!("name {}", state % 2), "displayName": format!("n {}", state % 2), "hash": "h",
           "department": state % 2, "assignedRoles": roles, "description": "x".repeat(200)})
}

/// Permutations on each engine; fewer with `ANNALS_ORDERS=100`.
fn orders() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "how much is tested is said from outside")]
    let asked = std::env::var("ANNALS_ORDERS").ok().and_then(|orders| orders.parse().ok());
    asked.unwrap_or(1_000)
}

async fn written(world: &World, deliveries: Vec<Vec<Message>>) -> Vec<String> {
    clear(world);
    for delivery in deliveries {
        let summary = world.write(delivery).await;
        assert_eq!(summary.failures, []);
    }
    world.canonical()
}

/// Empties what messages fill.
fn clear(world: &World) {
    let tables = [
        "spt_hist_identity_capture",
        "spt_hist_account_capture",
        "spt_hist_mattr_capture",
        "spt_hist_assigned_roles",
        "spt_hist_identity",
        "spt_hist_mattr",
        "spt_hist_identity_event",
        "spt_hist_mattr_event",
        "annals_head",
        "annals_sighting",
        "annals_reading",
        "annals_access_interval",
    ];
    world.sql(&tables.map(|table| format!("delete from {table};")).concat());
}

/// IIQ-10, IIQ-56, IIQ-61, TRAP-01, TRAP-02: messages in any order, some of them twice, one by one or several in a
/// delivery, end in the same captures, documents' forms, child rows, entity rows, events, heads and known access intervals
/// as in their own order.
/// 1,000 permutations on each engine; fewer with `ANNALS_ORDERS=100`.
#[test]
fn any_order_of_messages_ends_in_the_same_tables() {
    const ORDERS_A_CASE: usize = 4;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let worlds: Vec<Vec<World>> = runtime.block_on(async {
        vec![worlds(&settings(0)).await, worlds(&settings(1)).await, worlds(&settings(2)).await]
    });
    let cases = orders().div_ceil(u32::try_from(ORDERS_A_CASE).unwrap());
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let order = |messages: Vec<Message>| {
        let again = prop::collection::vec(prop::sample::select(messages.clone()), 0..3);
        let order = again.prop_flat_map({
            let messages = messages.clone();
            move |again| Just([messages.clone(), again].concat()).prop_shuffle()
        });
        let order = (order, 1..4_usize).prop_map(|(order, together)| {
            order.chunks(together).map(<[Message]>::to_vec).collect::<Vec<_>>()
        });
        (Just(messages), prop::collection::vec(order, ORDERS_A_CASE))
    };
    let strategy = (0..worlds.len(), lives(6).prop_flat_map(order));
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&strategy, |(settings, (messages, orders))| {
        runtime.block_on(async {
            for world in &worlds[settings] {
                let in_order =
                    written(world, messages.iter().map(|message| vec![message.clone()]).collect()).await;
                for order in orders.clone() {
                    let shown: Vec<_> =
                        order.iter().flatten().map(|m| (m.key.object_type, m.occurred_ms)).collect();
                    let out_of_order = written(world, order).await;
                    let differ: Vec<_> = in_order.iter().filter(|row| !out_of_order.contains(row)).collect();
                    let beyond: Vec<_> = out_of_order.iter().filter(|row| !in_order.contains(row)).collect();
                    prop_assert!(in_order == out_of_order, "{shown:?}: lacks {differ:#?}, has {beyond:#?}");
                }
            }
            Ok(())
        })
    });
    // The messages themselves, images and all, would fill the screen.
    if let Err(error) = outcome {
        match error {
            TestError::Fail(reason, _) => panic!("{reason}"),
            TestError::Abort(reason) => panic!("{reason}"),
        }
    }
}
