//! What becomes of each message of a delivery, in order: heads move on in memory as the messages go by.

use std::collections::{HashMap, HashSet};

use annals_history::KeptState;
use annals_model::{Decision, Facts, Head, Message, ObjectKey, Operation, Sighting, Verdict, decide};

/// Hash of a tombstone: it has no image.
const NO_HASH: &str = "";

/// The states that may have to be looked for in history before anything can be decided.
pub(crate) fn questions(heads: &HashMap<ObjectKey, Head>, messages: &[Message]) -> Vec<KeptState> {
    if heads.is_empty() {
        return Vec::new();
    }
    let mut seen = HashSet::with_capacity(messages.len());
    let mut states = Vec::new();
    for message in messages {
        // Behind another message of the same object, the head in question is not known yet.
        let again = !seen.insert(&message.key);
        let verdict = decide(heads.get(&message.key), Facts::from(message));
        if heads.contains_key(&message.key) && (again || matches!(verdict, Verdict::UnlessKept(_))) {
            states.extend(states_of(message));
        }
    }
    states
}

/// The states in which history would keep a message: effective when it occurred or, where the source's time did not
/// tell that it changed, when it was read.
fn states_of(message: &Message) -> [KeptState; 2] {
    let state = |effective_ms| (message.key.clone(), effective_ms, full_hash(message).to_owned());
    [state(message.occurred_ms), state(message.observed_ms)]
}

fn full_hash(message: &Message) -> &str {
    match &message.operation {
        Operation::Capture(captured) => &captured.hashes.full,
        Operation::Delete => NO_HASH,
    }
}

/// Objects with more than one message.
pub(crate) fn repeated(messages: &[Message]) -> HashSet<&ObjectKey> {
    let mut seen = HashSet::with_capacity(messages.len());
    messages.iter().map(|message| &message.key).filter(|key| !seen.insert(*key)).collect()
}

/// Decides on all messages; `repeated` names the objects with more than one of them.
pub(crate) fn decisions(
    heads: &HashMap<ObjectKey, Head>,
    mut kept: HashSet<KeptState>,
    messages: &[Message],
    repeated: &HashSet<&ObjectKey>,
) -> Vec<Decision> {
    let mut moved: HashMap<&ObjectKey, Head> = HashMap::new();
    let mut decisions = Vec::with_capacity(messages.len());
    for message in messages {
        let head = moved.get(&message.key).or_else(|| heads.get(&message.key));
        let verdict = decide(head, Facts::from(message));
        // Of a late message only what was dated by the source is surely this one: where it belongs, the rest is seen. A
        // late deletion looks like any capture that was kept without hashes.
        let sure = match (verdict, &message.operation) {
            (Verdict::UnlessKept(Decision::Late), Operation::Delete) => 0,
            (Verdict::UnlessKept(Decision::Late), Operation::Capture(_)) => 1,
            _ => 2,
        };
        let is_kept = !kept.is_empty() && states_of(message)[..sure].iter().any(|state| kept.contains(state));
        let decision = verdict.settle(is_kept);
        if repeated.contains(&message.key)
            && let Some(head) = follow(head, message, decision, String::new)
        {
            kept.insert((message.key.clone(), head.effective_ms, head.full_hash.clone()));
            moved.insert(&message.key, head);
        }
        decisions.push(decision);
    }
    // What comes behind a late message of the same object is decided when that has found its place.
    let late: HashSet<&ObjectKey> = messages
        .iter()
        .zip(&decisions)
        .filter_map(|(message, decision)| (*decision == Decision::Late).then_some(&message.key))
        .collect();
    if !late.is_empty() {
        for (message, decision) in messages.iter().zip(&mut decisions) {
            if late.contains(&message.key) {
                *decision = Decision::Late;
            }
        }
    }
    decisions
}

/// The head after a decision, if it is another one; `capture_id` names a new capture, counted as a full one.
pub(crate) fn follow(
    head: Option<&Head>,
    message: &Message,
    decision: Decision,
    capture_id: impl FnOnce() -> String,
) -> Option<Head> {
    let sighting = Sighting { occurred_ms: message.occurred_ms, observed_ms: message.observed_ms };
    let effective_ms = match decision {
        Decision::Duplicate | Decision::Late => return None,
        Decision::Unchanged { extended_to_ms } => {
            let head = head.filter(|head| head.extended_to_ms < extended_to_ms)?.clone();
            let observed_ms = head.observed_ms.max(message.observed_ms);
            let mut seen = head.sightings();
            sighting.note(&mut seen);
            return Some(Head { extended_to_ms, observed_ms, seen, ..head });
        }
        Decision::First => message.occurred_ms,
        Decision::Recreate { effective_ms }
        | Decision::Change { effective_ms }
        | Decision::Delete { effective_ms } => effective_ms,
    };
    let hashes = match &message.operation {
        Operation::Capture(captured) => (captured.hashes.full.clone(), captured.hashes.smart.clone()),
        Operation::Delete => (NO_HASH.to_owned(), NO_HASH.to_owned()),
    };
    let capture_id = capture_id();
    Some(Head {
        full_capture_id: capture_id.clone(),
        capture_id,
        effective_ms,
        extended_to_ms: effective_ms.max(message.occurred_ms),
        observed_ms: message.observed_ms,
        full_hash: hashes.0,
        smart_hash: hashes.1,
        patches_since_full: 0,
        full_observed_ms: message.observed_ms,
        deleted: matches!(message.operation, Operation::Delete),
        name: name(head, message).to_owned(),
        seen: if effective_ms == message.occurred_ms { Vec::new() } else { vec![sighting] },
    })
}

/// The object's name: a deletion often knows no more than the id, and history knows better.
pub(crate) fn name<'n>(head: Option<&'n Head>, message: &'n Message) -> &'n str {
    match (head, &message.operation) {
        (Some(head), Operation::Delete) if message.name == message.key.object_id => &head.name,
        _ => &message.name,
    }
}

/// The objects whose head's image the changes will be compared with.
pub(crate) fn compared<'m>(
    heads: &'m HashMap<ObjectKey, Head>,
    messages: &'m [Message],
    decisions: &[Decision],
) -> Vec<(&'m ObjectKey, &'m Head)> {
    let mut replaced = HashSet::with_capacity(messages.len());
    let mut compared = Vec::new();
    for (message, decision) in messages.iter().zip(decisions) {
        let is_change = matches!(decision, Decision::Change { .. });
        let is_capture = is_change
            || matches!(decision, Decision::First | Decision::Recreate { .. } | Decision::Delete { .. });
        if is_capture
            && replaced.insert(&message.key)
            && is_change
            && let Some(head) = heads.get(&message.key)
        {
            compared.push((&message.key, head));
        }
    }
    compared
}
