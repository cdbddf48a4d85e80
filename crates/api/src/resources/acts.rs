//! What people do about tasks.

use annals_config::task::Timed;
use annals_model::ObjectType;
use annals_runs::schedule::{self, Entry};
use annals_runs::{Error, failures};
use annals_sql::Tx;
use serde_json::json;

use super::schedules::timed;
use crate::ask::{Answer, Question};
use crate::instant::told;
use crate::odata::ParseError;
use crate::problem::Problem;

/// Makes a fire of a task due now.
pub(crate) async fn trigger(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let name = timed(question)?.name();
    let planned_ms = schedule::trigger(tx, &name, &question.api.host).await?;
    Ok(Answer::one(json!({"task": name, "changed": true, "planned": told(planned_ms)})))
}

/// Skips what is planned of a task.
pub(crate) async fn pause(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let name = timed(question)?.name();
    let note = question.options.own.get("note").map_or("", String::as_str);
    let changed = schedule::pause(tx, &name, note).await?;
    Ok(Answer::one(json!({"task": name, "changed": changed})))
}

/// Lets a paused task go on.
pub(crate) async fn resume(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let timed: Timed<'_> = timed(question)?;
    let name = timed.name();
    let entry = Entry { name: &name, task: &timed.task.name };
    let changed = schedule::resume(tx, entry, timed.schedule(), &question.api.host).await?;
    Ok(Answer::one(json!({"task": name, "changed": changed})))
}

/// Gives a failed object all its attempts again.
pub(crate) async fn retry(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let (task, object_type, id) = failed_object(question)?;
    let count = failures::retry(tx, task, object_type, &[id.to_owned()]).await;
    decided(task, object_type, id, count)
}

/// Gives a failed object up until it changes.
pub(crate) async fn drop(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let (task, object_type, id) = failed_object(question)?;
    let count = failures::drop(tx, task, object_type, &[id.to_owned()]).await;
    decided(task, object_type, id, count)
}

/// Which object of which task.
fn failed_object<'q>(question: &'q Question<'_>) -> Result<(&'q str, ObjectType, &'q str), Problem> {
    let task = question.place("task")?;
    if !question.api.tasks.contains_key(task) {
        return Err(Problem::not_found(format!("task `{task}`")));
    }
    let needed = |option: &str, what: &str| {
        let message = format!("expected {what}");
        Problem::option(option, ParseError { position: 0, message })
    };
    let class = question.options.own.get("class").and_then(|word| word.parse().ok());
    let object_type = class.ok_or_else(|| needed("class", "a class such as identity or role"))?;
    let id = question.options.own.get("object").filter(|id| !id.is_empty());
    Ok((task, object_type, id.ok_or_else(|| needed("object", "the id of an object"))?))
}

fn decided(
    task: &str,
    object_type: ObjectType,
    id: &str,
    count: Result<u64, Error>,
) -> Result<Answer, Problem> {
    if count? == 0 {
        return Err(Problem::not_found(format!("failed {object_type} `{id}` of task `{task}`")));
    }
    Ok(Answer::one(json!({"task": task, "changed": true})))
}
