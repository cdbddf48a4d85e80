//! What people do about dead letters and runs.

use annals_runs::dead::{self, Act, StoredLetter};
use annals_runs::{parked, run};
use annals_sql::Tx;
use axum::http::StatusCode;
use serde_json::json;

use crate::ask::{Answer, Question};
use crate::odata::ParseError;
use crate::problem::Problem;

/// Gives a letter up for good; why is kept.
pub(crate) async fn discard(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    settle(question, tx, "discard", "discarded").await.map(|(_, answer)| answer)
}

/// Puts a letter back among the messages that the next run delivers before it reads anything: a host that answers has no
/// writer of its own.
pub(crate) async fn redrive(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let (stored, answer) = settle(question, tx, "redrive", "waits for the next run").await?;
    parked::park(tx, stored.from, &stored.letter, 0).await?;
    Ok(answer)
}

/// Takes a letter away, and notes what for.
async fn settle(
    question: &Question<'_>,
    tx: &mut Tx,
    act: &'static str,
    outcome: &str,
) -> Result<(StoredLetter, Answer), Problem> {
    let id = question.place("letter")?;
    let reason = question.options.own.get("reason").filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or_else(|| {
        let message = "expected a reason, which is kept".to_owned();
        Problem::option("reason", ParseError { position: 0, message })
    })?;
    let absent = || Problem::not_found(format!("dead letter `{id}`"));
    let stored = dead::get(tx, &[id.to_owned()]).await?.pop().ok_or_else(absent)?;
    if !dead::remove(tx, id).await? {
        return Err(absent());
    }
    let actor = question.principal.name.clone();
    let act = Act { act, outcome: outcome.to_owned(), reason: reason.clone(), actor };
    dead::note(tx, &stored.letter, &act).await?;
    Ok((stored, Answer::one(json!({"letter": id, "changed": true}))))
}

/// Ends a run that is under way: what it has written stays.
pub(crate) async fn cancel(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let run_id = question.number("run")?;
    let task = run::get(tx, run_id).await?.task;
    let why = format!("It was cancelled by {}; what it had written stays.", question.principal.name);
    match annals_dispatcher::cancel(tx, run_id, &why).await? {
        Some(_) => Ok(Answer::one(json!({"run": run_id, "task": task, "changed": true}))),
        None => Err(Problem::new(StatusCode::CONFLICT, format!("run {run_id} has ended already"))),
    }
}
