//! Runs, their partitions and failures, dead letters, and the log of who asked.

use annals_audit::AccessFilter;
use annals_model::{ObjectFailure, TaskStatus};
use annals_runs::dead::{LetterFilter, StoredLetter};
use annals_runs::{Run, dead, failures, partitions, run, writes};
use annals_sql::Tx;
use serde_json::{Value, json};

use super::{cut, page, top};
use crate::ask::{Answer, Question};
use crate::instant::{self, told, told_if};
use crate::odata::ParseError;
use crate::problem::Problem;
use crate::skip_token;

/// Runs, the newest first.
pub(crate) async fn list(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let below = question.options.skip_token.as_deref().map(skip_token::number).transpose()?;
    let task = question.options.own.get("task").map(String::as_str);
    let limit = top(question);
    let mut found = run::list(tx, task, below, limit + 1).await?;
    let next = cut(&mut found, limit, |run| skip_token::of_number(run.id));
    Ok(page(question, found.iter().map(run_told).collect(), next))
}

/// A run, with its messages and what it wrote.
pub(crate) async fn get(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let run = run::get(tx, question.number("run")?).await?;
    let mut body = run_told(&run);
    let messages = run::messages(tx, run.id).await?;
    body["messages"] = messages
        .iter()
        .map(|message| json!({"status": message.status.as_str(), "text": message.text}))
        .collect();
    let written = writes::of_run(tx, run.id).await?;
    body["written"] = written
        .iter()
        .map(|(object_type, counts)| json!({"class": object_type.as_str(), "counts": counts}))
        .collect();
    Ok(Answer::one(body))
}

/// That there is a run to follow.
pub(crate) async fn followed(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let run = run::get(tx, question.number("run")?).await?;
    Ok(Answer { body: run_told(&run), rows: None })
}

fn run_told(run: &Run) -> Value {
    json!({
        "run": run.id,
        "task": run.task,
        "trigger": run.trigger,
        "host": run.host,
        "state": run.state.as_str(),
        "status": run.status.map(TaskStatus::as_str),
        "result": run.result,
        "started": told(run.started_ms),
        "ended": told_if(run.ended_ms),
        "since": told_if(run.since_ms),
        "horizon": told(run.horizon_ms),
        "configurationVersion": run.config_version,
        "follows": run.follows,
        "counters": run.counters,
        "byClass": run.by_type,
    })
}

/// The partitions of a run.
pub(crate) async fn partitions(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let run = run::get(tx, question.number("run")?).await?;
    let found = partitions::list(tx, run.id).await?;
    let rows = found.iter().map(|partition| {
        json!({
            "partition": partition.number,
            "objects": partition.objects,
            "state": partition.state,
            "chunks": partition.chunks,
            "chunksDone": partition.chunks_done,
            "epoch": partition.epoch,
            "owner": partition.leased_by,
        })
    });
    Ok(page(question, rows.collect(), None))
}

/// What failed in a run.
pub(crate) async fn failures(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let run = run::get(tx, question.number("run")?).await?;
    let found = failures::of_run(tx, run.id).await?;
    Ok(page(question, found.iter().map(failure).collect(), None))
}

fn failure(failure: &ObjectFailure) -> Value {
    json!({
        "class": failure.object_type.as_str(),
        "objectId": failure.object_id,
        "stage": failure.stage,
        "error": failure.error,
    })
}

/// Objects of a task that failed and are to be tried again.
pub(crate) async fn failed_objects(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let task = question.place("task")?;
    if !question.api.tasks.contains_key(task) {
        return Err(Problem::not_found(format!("task `{task}`")));
    }
    let found = failures::of_task(tx, task).await?;
    let rows = found.iter().map(|failed| {
        let mut row = failure(&failed.failure);
        row["attempts"] = json!(failed.attempts);
        row["firstFailed"] = told(failed.first_failed_ms);
        row["lastFailed"] = told(failed.last_failed_ms);
        row["run"] = json!(failed.run_id);
        row
    });
    Ok(page(question, rows.collect(), None))
}

/// Messages that were given up.
pub(crate) async fn dead_letters(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let own = &question.options.own;
    let wrong = |option: &str, message: &str| {
        Problem::option(option, ParseError { position: 0, message: message.to_owned() })
    };
    let object_type = own.get("class").map(|word| word.parse()).transpose();
    let run_id = own.get("run").map(|text| text.parse()).transpose();
    if own.get("object").is_some_and(String::is_empty) {
        return Err(wrong("object", "expected an id or a name"));
    }
    let filter = LetterFilter {
        object_type: object_type.map_err(|_| wrong("class", "expected a class such as identity or role"))?,
        object: own.get("object").cloned(),
        run_id: run_id.map_err(|_| wrong("run", "expected the number of a run"))?,
    };
    let found = dead::list(tx, &filter, top(question)).await?;
    Ok(page(question, found.iter().map(letter).collect(), None))
}

fn letter(stored: &StoredLetter) -> Value {
    let letter = &stored.letter;
    json!({
        "id": letter.id,
        "class": letter.key.object_type.as_str(),
        "objectId": letter.key.object_id,
        "name": letter.name,
        "occurred": told(letter.occurred_ms),
        "observed": told(letter.observed_ms),
        "created": told(stored.created_ms),
        "attempts": letter.attempts,
        "reason": letter.reason,
        "run": stored.from.map(|(run_id, _)| run_id),
        "partition": stored.from.map(|(_, partition)| partition),
    })
}

/// Who asked (AQL-07).
pub(crate) async fn accesses(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let own = &question.options.own;
    let before = question.options.skip_token.as_deref().map(skip_token::position).transpose()?;
    let filter = AccessFilter {
        principal: own.get("who").cloned(),
        from_ms: instant::option(question, "from")?,
        to_ms: instant::option(question, "to")?.map(|ms| ms.saturating_add(1)),
        what: own.get("what").cloned(),
        before: before.map(|place| (place.recorded_ms, place.id)),
    };
    let limit = top(question);
    let mut found = annals_audit::accesses(tx, &filter, limit + 1).await?;
    let next = cut(&mut found, limit, |access| skip_token::of_position(access.at_ms, &access.id));
    let rows = found.iter().map(|access| {
        json!({
            "id": access.id,
            "at": told(access.at_ms),
            "who": access.principal,
            "roles": access.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
            "authentication": access.authentication,
            "address": access.address,
            "host": access.host,
            "method": access.method,
            "path": access.path,
            "operation": access.operation,
            "query": access.query,
            "rows": access.rows,
            "success": access.success,
            "status": access.status,
        })
    });
    Ok(page(question, rows.collect(), next))
}
