//! Tasks with their schedules, what became of fires, hosts, and the description of it all.

use annals_config::task::{Task, Timed};
use annals_runs::hosts;
use annals_runs::schedule::{self, Listed};
use annals_sql::Tx;
use serde_json::json;

use super::{cut, page, top};
use crate::ask::{Answer, Question};
use crate::instant::{told, told_if};
use crate::problem::Problem;
use crate::right::Right;
use crate::skip_token;

/// The tasks that there are, and when they come next.
pub(crate) async fn tasks(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let now_ms = schedule::now_ms(tx).await?;
    let mut rows = Vec::new();
    for timed in question.api.tasks.values().flat_map(Task::timed) {
        let name = timed.name();
        let pause = schedule::state(tx, &name).await?.and_then(|state| state.pause);
        let settings = timed.schedule();
        let next = settings.filter(|_| pause.is_none()).and_then(|settings| settings.cadence.next(now_ms));
        rows.push(json!({
            "task": name,
            "schedule": settings.map(|settings| settings.cadence.to_string()),
            "paused": pause.is_some(),
            "note": pause.map(|pause| pause.note),
            "next": told_if(next),
        }));
    }
    Ok(page(question, rows, None))
}

/// The task, or the sweep of one, that the path names.
pub(crate) fn timed<'q>(question: &'q Question<'_>) -> Result<Timed<'q>, Problem> {
    let task = question.place("task")?;
    let mut known = question.api.tasks.values().flat_map(Task::timed);
    known.find(|timed| timed.name() == task).ok_or_else(|| Problem::not_found(format!("task `{task}`")))
}

/// What became of a task's planned fires, the newest first.
pub(crate) async fn fires(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let task = &timed(question)?.name();
    let before = question.options.skip_token.as_deref().map(skip_token::number).transpose()?;
    let limit = top(question);
    let listed =
        Listed { task: Some(task), outcome: None, before_ms: before.unwrap_or(i64::MAX), limit: limit + 1 };
    let mut found = schedule::list(tx, listed).await?;
    let next = cut(&mut found, limit, |fire| skip_token::of_number(fire.fire.planned_ms));
    let rows = found.iter().map(|fire| {
        json!({
            "task": fire.task,
            "planned": told(fire.fire.planned_ms),
            "due": told(fire.fire.due_ms),
            "outcome": fire.outcome.as_str(),
            "decided": told(fire.decided_ms),
            "latenessMs": fire.lateness_ms,
            "run": fire.run_id,
            "host": fire.host,
            "note": fire.note,
        })
    });
    Ok(page(question, rows.collect(), next))
}

/// The processes that work on runs.
pub(crate) async fn hosts(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let found = hosts::list(tx).await?;
    let rows = found.iter().map(|host| {
        json!({
            "id": host.id,
            "name": host.name,
            "roles": host.roles.split(',').collect::<Vec<_>>(),
            "state": host.state.as_str(),
            "started": told(host.started_ms),
            "heartbeat": told(host.heartbeat_ms),
            "clockSkewMs": host.clock_skew_ms,
            "runs": host.runs,
        })
    });
    Ok(page(question, rows.collect(), None))
}

/// What can be asked.
pub(crate) async fn description(_question: &Question<'_>, _tx: &mut Tx) -> Result<Answer, Problem> {
    Ok(Answer { body: crate::openapi(), rows: None })
}

/// Who asks, as he is known here.
pub(crate) async fn myself(question: &Question<'_>, _tx: &mut Tx) -> Result<Answer, Problem> {
    let principal = question.principal;
    let rights = Right::ALL.into_iter().filter(|right| principal.may(*right)).map(Right::as_str);
    let body = json!({
        "name": principal.name,
        "roles": principal.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        "authentication": principal.authentication,
        "rights": rights.collect::<Vec<_>>(),
        "scope": principal.scope,
    });
    Ok(Answer::one(body))
}
