//! Random histories of what identities hold, and a model of them that is written from the definitions alone.

use std::collections::{BTreeMap, BTreeSet};

use annals_model::Message;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::world::{START_MS, World, capture, deletion};

/// What an identity may hold in a random history: a word for the access, what it is called, its account, ways, request.
type Access = (&'static str, &'static str, &'static str, &'static str);

/// Of two entries about one access and account, both may be there: then all their ways count.
const POOL: [(Access, &str); 9] = [
    (
        ("account", "AD", "ann", ""),
        r#"accounts {"id": "l1", "applicationId": "a1", "applicationName": "AD", "nativeIdentity": "ann"}"#,
    ),
    (
        ("entitlement", "g1", "ann", "assigned+requested"),
        r#"entitlements {"id": "e1", "applicationId": "a1", "nativeIdentity": "ann", "name": "m", "value": "g1", "assigned": true, "requestItemId": "ri1", "source": "LCM"}"#,
    ),
    (
        ("entitlement", "g1", "ann", "granted"),
        r#"entitlements {"id": "e2", "applicationId": "a1", "nativeIdentity": "ann", "name": "m", "value": "g1", "grantedByRole": true, "source": "Rule"}"#,
    ),
    (
        ("entitlement", "g2", "ann", "detected"),
        r#"entitlements {"id": "e3", "applicationId": "a1", "nativeIdentity": "ann", "name": "m", "value": "g2", "source": "Aggregation"}"#,
    ),
    (
        ("entitlement", "g1", "ann2", "detected"),
        r#"entitlements {"id": "e4", "applicationId": "a1", "nativeIdentity": "ann2", "name": "m", "value": "g1"}"#,
    ),
    (("assignedRole", "R", "-", "assigned"), r#"assignedRoles {"id": "r1", "name": "R"}"#),
    (("detectedRole", "R", "-", "detected"), r#"detectedRoles {"id": "r1", "name": "R"}"#),
    (("capability", "C", "-", "assigned"), r#"capabilities {"id": "c1", "name": "C"}"#),
    (("workgroup", "W", "-", "assigned"), r#"workgroups {"id": "w1", "name": "W"}"#),
];

/// What brought what some entries say: of two causes of one access the greater one.
fn cause(entries: &[usize]) -> Option<&'static str> {
    let source = |entry: &usize| {
        let (_, rest) = POOL[*entry].1.split_once(r#""source": ""#)?;
        rest.split('"').next()
    };
    entries.iter().filter_map(source).max()
}

/// Kind, name and account of everything that may be held.
pub(crate) fn everything() -> BTreeSet<(&'static str, &'static str, &'static str)> {
    POOL.iter().map(|((kind, name, account, _), _)| (*kind, *name, *account)).collect()
}

/// A state in a random history: which entries of the pool are there; none where the identity is gone.
pub(crate) type State = Option<u16>;

/// One message of a random history: its state, and when that came about.
pub(crate) type Happened = (State, i64);

fn entries(state: u16) -> impl Iterator<Item = usize> {
    (0..POOL.len()).filter(move |entry| state & (1 << entry) != 0)
}

fn message(id: &str, (state, occurred_ms): Happened) -> Message {
    let Some(state) = state else { return deletion(id, occurred_ms, occurred_ms + 3) };
    let mut fields: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for entry in entries(state) {
        let (field, element) = POOL[entry].1.split_once(' ').unwrap();
        fields.entry(field).or_default().push(serde_json::from_str(element).unwrap());
    }
    let mut image = json!({"name": "ann"});
    for (field, elements) in fields {
        image[field] = elements.into();
    }
    capture(id, image, occurred_ms, occurred_ms + 3)
}

/// The model: what messages say of an instant, as far as they had come at another. What was held is what the newest state
/// up to the instant says; since when, how far back each state says so.
pub(crate) fn model(told: &[(i64, Happened)], at_ms: i64, known_ms: i64) -> Vec<String> {
    let mut states: Vec<Happened> =
        told.iter().filter(|(came_ms, _)| *came_ms <= known_ms).map(|(_, happened)| *happened).collect();
    states.retain(|(_, occurred_ms)| *occurred_ms <= at_ms);
    states.sort_by_key(|(_, occurred_ms)| *occurred_ms);
    states.dedup();
    let Some((Some(newest), _)) = states.last().copied() else { return Vec::new() };
    let access = |entry: usize| (POOL[entry].0.0, POOL[entry].0.1, POOL[entry].0.2);
    let held: BTreeSet<_> = entries(newest).map(access).collect();
    let mut shown = Vec::new();
    for (kind, name, account) in held {
        let of =
            |state: u16| entries(state).filter(|entry| access(*entry) == (kind, name, account)).collect();
        let says = |(state, _): &&Happened| !state.map(of).unwrap_or_else(Vec::new).is_empty();
        let since_ms = states.iter().rev().take_while(says).last().unwrap().1;
        let mut ways: Vec<&str> =
            of(newest).into_iter().flat_map(|entry: usize| POOL[entry].0.3.split('+')).collect();
        let order = ["assigned", "detected", "granted", "requested", ""];
        ways.sort_by_key(|way| order.iter().position(|known| known == way));
        let request = if ways.contains(&"requested") { "ri1" } else { "-" };
        shown.push(format!("{kind} {name} {account} {} {request} since {since_ms}", ways.join("+")));
    }
    shown.sort();
    shown
}

/// Kind, name and account of something that is held, and how it was come by.
pub(crate) type Held =
    BTreeMap<(&'static str, &'static str, &'static str), (BTreeSet<&'static str>, Option<&'static str>)>;

/// The model once more: all that was held at an instant as far as messages had come at another, with its ways and cause.
pub(crate) fn held(told: &[(i64, Happened)], at_ms: i64, known_ms: i64) -> Held {
    let known =
        told.iter().filter(|(came_ms, (_, occurred_ms))| *came_ms <= known_ms && *occurred_ms <= at_ms);
    let newest = known.map(|(_, happened)| *happened).max_by_key(|(_, occurred_ms)| *occurred_ms);
    let Some((Some(state), _)) = newest else { return Held::new() };
    let mut by_access: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for entry in entries(state) {
        let (kind, name, account, _) = POOL[entry].0;
        by_access.entry((kind, name, account)).or_default().push(entry);
    }
    let told = |entries: Vec<usize>| {
        let ways = entries.iter().flat_map(|entry| POOL[*entry].0.3.split('+'));
        (ways.filter(|way| !way.is_empty()).collect(), cause(&entries))
    };
    by_access.into_iter().map(|(access, entries)| (access, told(entries))).collect()
}

/// Histories of one identity: up to seven messages, and the rounds in which they come, several perhaps in one, or again.
fn histories() -> impl Strategy<Value = Vec<(usize, Happened)>> {
    // What differs from the state before, how long after it; now and then the identity is gone.
    let step = (0..1_u16 << POOL.len(), 0..1_u16 << POOL.len(), 1..4_i64, prop::bool::weighted(0.15));
    prop::collection::vec(step, 1..8).prop_flat_map(|steps| {
        let (mut state, mut now_ms) = (0, 100);
        let mut happened: Vec<Happened> = Vec::new();
        for (one, two, pause, gone) in steps {
            // A quarter of the entries, on average.
            state ^= one & two;
            now_ms += 10 * pause;
            happened.push(((!gone).then_some(state), now_ms));
        }
        let count = happened.len();
        let again = prop::collection::vec(prop::sample::select(happened.clone()), 0..2);
        let order = again.prop_flat_map(move |again| Just([happened.clone(), again].concat()).prop_shuffle());
        (order, prop::collection::vec(0..=count, count + 1)).prop_map(|(order, mut rounds)| {
            rounds.sort_unstable();
            order.into_iter().zip(rounds).map(|(happened, round)| (round, happened)).collect()
        })
    })
}

/// Random histories through the writer.
pub(crate) struct Histories {
    /// By identity: when each message came, and what it says.
    pub(crate) told: Vec<(String, Vec<(i64, Happened)>)>,
    pub(crate) rounds: i64,
}

impl Histories {
    pub(crate) async fn write(world: &World, wanted: usize) -> Self {
        let config = Config { failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let mut told: Vec<(String, Vec<(i64, Happened)>)> = Vec::new();
        let mut deliveries: BTreeMap<usize, Vec<Message>> = BTreeMap::new();
        for number in 0..wanted {
            let id = format!("i{number:05}");
            let history = histories().new_tree(&mut runner).unwrap().current();
            for (round, happened) in &history {
                deliveries.entry(*round).or_default().push(message(&id, *happened));
            }
            let came_ms = |round: usize| START_MS + 1_000 * i64::try_from(round).unwrap();
            told.push((
                id,
                history.into_iter().map(|(round, happened)| (came_ms(round), happened)).collect(),
            ));
        }
        let rounds = i64::try_from(deliveries.keys().last().unwrap() + 1).unwrap();
        for round in 0..usize::try_from(rounds).unwrap() {
            for delivery in deliveries.remove(&round).unwrap_or_default().chunks(40) {
                assert_eq!(world.write(delivery.to_vec()).await.failures, []);
            }
            world.clock.advance(1_000);
        }
        Self { told, rounds }
    }
}
