//! What becomes of the fires that wait to be started.

use super::plan::paused;
use super::{Kind, Overlap, Pause, Waiting};

/// What is to be done with the fires of a task that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Start this one.
    pub start: Option<Waiting>,
    /// Skip these, each with the reason.
    pub skip: Vec<(Waiting, String)>,
}

/// Decides on the fires of a task that wait, given in the order of their planned instants.
///
/// The oldest one that is due is started unless a run of the task, `running`, is under way. What was asked for, or is
/// caught up, waits for its turn; what the schedule planned follows `overlap`. Of a paused task only what somebody asks
/// for is started.
#[must_use]
pub fn due(
    waiting: &[Waiting],
    running: Option<i64>,
    pause: Option<&Pause>,
    overlap: Overlap,
    now_ms: i64,
) -> Due {
    let mut due = Due::default();
    let mut before = running.map(|run| format!("run {run} was under way"));
    let mut buffered = false;
    for fire in waiting.iter().filter(|fire| fire.due_ms <= now_ms) {
        if let Some(pause) = pause.filter(|_| fire.kind != Kind::Asked) {
            due.skip.push((*fire, paused(pause)));
            continue;
        }
        let Some(reason) = &before else {
            due.start = Some(*fire);
            before = Some("an earlier fire waited".to_owned());
            continue;
        };
        if fire.kind != Kind::OnTime {
            continue;
        }
        if overlap == Overlap::BufferOne && !buffered {
            buffered = true;
            continue;
        }
        let also = if buffered { ", and one fire waited for its end" } else { "" };
        due.skip.push((*fire, format!("{reason}{also}")));
    }
    due
}
