//! What becomes of the fires that time has reached.

use sha2::{Digest as _, Sha256};

use super::{CatchUp, Kind, Outcome, Schedule, Waiting};

/// A fire that is seen so much after it was due, in milliseconds, was seen by nobody in time: no host was there.
const IN_TIME_MS: i64 = 60_000;

/// The most fires that one plan decides on; what is left is for the next one.
pub const FIRES_MAX: usize = 1_000;

/// A task that was paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Since when, epoch milliseconds.
    pub since_ms: i64,
    /// Why, in the words of whoever paused it.
    pub note: String,
}

/// A fire that time has reached, and what is decided of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The fire.
    pub fire: Waiting,
    /// `Waiting`, `Skipped` or `Missed`.
    pub outcome: Outcome,
    /// Why it was skipped or missed.
    pub note: Option<String>,
}

/// What became of the fires up to an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Each fire that was planned after the last plan, in their order.
    pub fires: Vec<Reached>,
    /// Fires that waited when the hosts went away, where something else is decided of them now.
    pub overtaken: Vec<Reached>,
    /// Up to where all fires are decided on, epoch milliseconds.
    pub until_ms: i64,
}

/// Decides on all fires of a task that were planned after `since_ms`, up to now; at most [`FIRES_MAX`] at a time.
///
/// `waiting` are the fires of the task that wait to be started.
#[must_use]
pub fn plan(
    task: &str,
    schedule: &Schedule,
    pause: Option<&Pause>,
    since_ms: i64,
    now_ms: i64,
    waiting: &[Waiting],
) -> Plan {
    let decide = |fire: Waiting| decide(schedule, pause, fire, now_ms);
    let mut fires = Vec::new();
    let mut until_ms = since_ms.max(now_ms);
    let mut after_ms = since_ms;
    while let Some(planned_ms) = schedule.cadence.next(after_ms).filter(|next| *next <= now_ms) {
        if fires.len() == FIRES_MAX {
            until_ms = after_ms;
            break;
        }
        let due_ms = planned_ms + jitter_ms(task, planned_ms, schedule.jitter_ms);
        fires.push(decide(Waiting { planned_ms, due_ms, kind: Kind::OnTime }));
        after_ms = planned_ms;
    }
    // Hosts that look at the schedule look at it all the time: if they did not, they were away, and what waited to be
    // started has waited for nobody.
    let away = now_ms - since_ms > IN_TIME_MS;
    let overtaken = waiting
        .iter()
        .filter(|fire| away && fire.kind == Kind::OnTime)
        .map(|fire| decide(*fire))
        .filter(|reached| reached.fire.kind != Kind::OnTime || reached.outcome != Outcome::Waiting)
        .collect();
    Plan { fires, overtaken, until_ms }
}

fn decide(schedule: &Schedule, pause: Option<&Pause>, mut fire: Waiting, now_ms: i64) -> Reached {
    if let Some(pause) = pause.filter(|pause| pause.since_ms <= fire.planned_ms) {
        return Reached { fire, outcome: Outcome::Skipped, note: Some(paused(pause)) };
    }
    if now_ms - fire.due_ms <= IN_TIME_MS {
        return Reached { fire, outcome: Outcome::Waiting, note: None };
    }
    fire.kind = Kind::Late;
    let missed = |note: &str| Reached { fire, outcome: Outcome::Missed, note: Some(note.to_owned()) };
    if schedule.catch_up == CatchUp::Skip {
        return missed("no host was there, and catchUp is skip");
    }
    if now_ms - fire.due_ms > schedule.catch_up_window_ms {
        return missed("no host was there within the catch-up window");
    }
    let newest = schedule.cadence.next(fire.planned_ms).is_none_or(|next| next > now_ms);
    if schedule.catch_up == CatchUp::One && !newest {
        return missed("no host was there, and a later fire stands for it");
    }
    Reached { fire, outcome: Outcome::Waiting, note: None }
}

/// Why a fire of a paused task is skipped.
pub(super) fn paused(pause: &Pause) -> String {
    if pause.note.is_empty() { "paused".to_owned() } else { format!("paused: {}", pause.note) }
}

/// By how much a fire is put off: the same on every host, and spread evenly over tasks and instants.
fn jitter_ms(task: &str, planned_ms: i64, jitter_ms: i64) -> i64 {
    let digest = Sha256::new().chain_update(task).chain_update(planned_ms.to_be_bytes()).finalize();
    let mut first = [0; 4];
    first.copy_from_slice(&digest[..4]);
    i64::from(u32::from_be_bytes(first)) % (jitter_ms + 1)
}
