//! `annals failures`: a task's list of failed objects, and what people decide about them (IIQ-26, IIQ-55).

use std::collections::BTreeMap;

use annals_config::Config;
use annals_model::ObjectType;
use annals_runs::{FailedObject, failures};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cli::{FailuresChoice, FailuresFilter, Global, TaskArg};
use crate::context::{find_task, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::Listing;
use crate::times;

/// What is to become of failed objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They have all their attempts again.
    Retry,
    /// They are read again only once they change.
    Drop,
}

pub(crate) async fn list(
    global: &Global,
    config: &Config,
    task: &TaskArg,
    filter: &FailuresFilter,
) -> Result<Exit, Failure> {
    let task = find_task(config, task.task.as_deref())?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let found = matching(failures::of_task(&mut tx, &task.name).await?, filter);
    listing(&task.name, &found, &time_zone(global, Some(config))?).print(global.output)?;
    Ok(Exit::Ok)
}

/// Decides about objects and shows which they were, as they were.
pub(crate) async fn decide(
    global: &Global,
    config: &Config,
    choice: &FailuresChoice,
    verdict: Verdict,
) -> Result<Exit, Failure> {
    let task = find_task(config, choice.task.task.as_deref())?;
    let FailuresFilter { object_type, stage, ids } = &choice.filter;
    if !choice.all && object_type.is_none() && stage.is_none() && ids.is_empty() {
        return Err(Failure::usage(
            "it was not said which failed objects",
            "Choose them by --type, --stage or --id, or take --all; `annals failures list` shows them.",
        ));
    }
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin().await?;
    let listed = failures::of_task(&mut tx, &task.name).await?;
    let found = matching(listed, &choice.filter);
    if let Some(id) = ids.iter().find(|id| !found.iter().any(|object| object.failure.object_id == **id)) {
        return Err(Failure::not_found(
            format!("`{id}` on the list of failed objects of task `{}`", task.name),
            "`annals failures list` shows who is; `annals capture TYPE NAME` reads any one object now.",
        ));
    }
    if found.is_empty() {
        return Err(Failure::not_found(
            format!("a failed object of task `{}` like this", task.name),
            "`annals failures list` shows them.",
        ));
    }
    let mut by_type: BTreeMap<ObjectType, Vec<String>> = BTreeMap::new();
    for FailedObject { failure, .. } in &found {
        by_type.entry(failure.object_type).or_default().push(failure.object_id.clone());
    }
    for (object_type, ids) in by_type {
        match verdict {
            Verdict::Retry => failures::retry(&mut tx, &task.name, object_type, &ids).await?,
            Verdict::Drop => failures::drop(&mut tx, &task.name, object_type, &ids).await?,
        };
    }
    tx.commit().await?;
    listing(&task.name, &found, &zone).print(global.output)?;
    match verdict {
        Verdict::Retry => {
            eprintln!("The next run of task `{}` tries these {} objects again.", task.name, found.len())
        }
        Verdict::Drop => {
            eprintln!(
                "These {} objects are off the list of task `{}`; they are read again once they change.",
                found.len(),
                task.name
            )
        }
    }
    Ok(Exit::Ok)
}

fn matching(listed: Vec<FailedObject>, filter: &FailuresFilter) -> Vec<FailedObject> {
    let FailuresFilter { object_type, stage, ids } = filter;
    let is_meant = |object: &FailedObject| {
        object_type.is_none_or(|wanted| wanted == object.failure.object_type)
            && stage.is_none_or(|wanted| wanted == object.failure.stage)
            && (ids.is_empty() || ids.contains(&object.failure.object_id))
    };
    listed.into_iter().filter(is_meant).collect()
}

fn listing(task: &str, found: &[FailedObject], zone: &TimeZone) -> Listing {
    let mut listing = Listing::new(&[
        "object type",
        "object id",
        "stage",
        "attempts",
        "first failed",
        "last failed",
        "run",
        "error",
    ]);
    for FailedObject { failure, attempts, first_failed_ms, last_failed_ms, run_id, .. } in found {
        listing.push(vec![
            json!(failure.object_type.as_str()),
            json!(failure.object_id),
            json!(failure.stage.as_str()),
            json!(attempts),
            json!(times::show(*first_failed_ms, zone)),
            json!(times::show(*last_failed_ms, zone)),
            json!(run_id),
            json!(failure.error),
        ]);
    }
    listing.more.insert("task".to_owned(), json!(task));
    listing
}
