//! The end of a run: sums, invariants, thresholds, named timestamp and failures together or neither.

use std::collections::{BTreeMap, HashMap, HashSet};

use annals_config::task::Task;
use annals_model::{
    Counters, ObjectFailure, ObjectType, Stage, TaskStatus, settle_failures, thresholds_breached,
};
use annals_runs::{
    ChunkKind, FailedObject, Run, RunLease, RunMessage, RunState, driver, failures, partitions, run, state,
    suspects, tasks, timestamp, writes,
};
use annals_sql::fault::{self, Defect};
use annals_sql::{Db, Tx};
use serde_json::{Value, json};

use crate::Error;
use crate::banner::{BELOW_THRESHOLD, ROW_REMAINS, THRESHOLD_BREACHED, in_quarantine, partition_failures};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Its status.
    pub status: TaskStatus,
    /// Its results.
    pub counters: Counters,
}

/// Ends a run whose partitions have all ended, or none of whose workers is left; `None` if it has another driver by now,
/// or has ended. `problem` says what stopped the workers, if anything did: then the named timestamp stays where it is,
/// as it does after a run that read single objects.
///
/// # Errors
/// From the database; nothing is saved then.
pub async fn finish(
    history: &Db,
    task: &Task,
    lease: RunLease,
    problem: Option<String>,
) -> Result<Option<Finished>, Error> {
    annals_history::make_deferred_indexes(history).await?;
    fault::point("dispatcher.ending")?;
    let mut tx = history.begin().await?;
    annals_history::settle_request_items(&mut tx).await?;
    // Not before: the row is not to be held while all request items are looked through.
    if !driver::lock_to_finish(&mut tx, &lease).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    fault::point("dispatcher.finishing")?;
    let run_id = lease.run_id;
    let run = run::get(&mut tx, run_id).await?;
    let mut counters = summed(&mut tx, &run).await?;
    let failed = failures::of_run(&mut tx, run_id).await?;
    let before = failures::of_task(&mut tx, &task.name).await?;
    let listed = by_object(&before);
    let newly_failed =
        failed.iter().filter(|failure| !listed.contains_key(&object_of(failure))).count() as u64;
    let breached = thresholds_breached(newly_failed, counters.total_object_messages, &task.arguments);

    let mut messages: Vec<RunMessage> = Vec::new();
    if !failed.is_empty() {
        for partition in failed_partitions(&mut tx, run_id).await? {
            messages.push(warning(partition_failures(partition)));
        }
        messages.push(warning(if breached { THRESHOLD_BREACHED } else { BELOW_THRESHOLD }.to_owned()));
    }
    if counters.total_deletion_extracted_objects_dispatched < counters.total_deletion_extracted_objects {
        messages.push(warning(ROW_REMAINS.to_owned()));
    }
    let given_up = partitions::failed(&mut tx, run_id).await?;
    let unfinished = partitions::open(&mut tx, run_id).await?;
    if problem.is_none() && unfinished > 0 {
        messages.push(error(format!("{unfinished} partitions were left unfinished.")));
    }
    messages.extend(problem.map(error));
    if unfinished > 0 {
        // Nobody is to go on with a run that has ended.
        partitions::close(&mut tx, run_id).await?;
    }
    messages.extend(counters.violated_invariants().into_iter().map(error));
    let failed_run =
        breached || given_up > 0 || messages.iter().any(|message| message.status == TaskStatus::Error);
    if breached && fault::defect(Defect::FailuresCleared) {
        failures::replace(&mut tx, &task.name, &[]).await?;
    }
    if !failed_run && run.scope.is_none() {
        if fault::defect(Defect::TimestampApart) {
            let mut apart = history.begin().await?;
            timestamp::set(&mut apart, &task.name, run.horizon_ms, run_id).await?;
            apart.commit().await?;
        }
        let (list, dropped) = new_list(&mut tx, task, &run, &failed, &before).await?;
        counters.total_dropped_objects = dropped;
        let apart = list.iter().filter(|object| object.failure.stage == Stage::Quarantine).count();
        if apart > 0 {
            messages.push(warning(in_quarantine(apart)));
        }
        failures::replace(&mut tx, &task.name, &list).await?;
        suspects::acquit_all(&mut tx, &task.name).await?;
        fault::point("dispatcher.listed")?;
        timestamp::set(&mut tx, &task.name, run.horizon_ms, run_id).await?;
    }
    run::add_messages(&mut tx, run_id, &messages).await?;
    let stored = run::messages(&mut tx, run_id).await?;
    let status = if failed_run {
        TaskStatus::Error
    } else {
        stored.iter().map(|message| message.status).max().unwrap_or(TaskStatus::Success)
    };
    let totals = by_type(&mut tx, run_id).await?;
    end(&mut tx, task, run_id, status, &counters, &totals).await?;
    fault::point("dispatcher.finish")?;
    tx.commit().await?;
    fault::point("dispatcher.finished")?;
    Ok(Some(Finished { status, counters }))
}

/// Ends a run that is under way, as somebody wishes: workers are fenced off, what is written stays, the named timestamp
/// stays where it is. `None` if it has ended already.
///
/// # Errors
/// `NotFound`; from the database.
pub async fn cancel(tx: &mut Tx, run_id: i64, why: &str) -> Result<Option<Finished>, Error> {
    run::lock(tx, run_id).await?;
    terminate(tx, run_id, why).await
}

/// Ends a run that nobody drives, for another one to read what it was to read. `None` if it has ended already, or
/// somebody drives it again.
///
/// # Errors
/// `NotFound`; from the database.
pub async fn give_up(history: &Db, run_id: i64, why: &str) -> Result<Option<Finished>, Error> {
    let mut tx = history.begin().await?;
    run::lock(&mut tx, run_id).await?;
    if !driver::standing(&mut tx, run_id).await?.orphaned {
        tx.rollback().await?;
        return Ok(None);
    }
    let ended = terminate(&mut tx, run_id, why).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Ends a run whose row is locked; none if it has ended already.
async fn terminate(tx: &mut Tx, run_id: i64, why: &str) -> Result<Option<Finished>, Error> {
    let run = run::get(tx, run_id).await?;
    if run.state == RunState::Ended {
        return Ok(None);
    }
    partitions::close(tx, run_id).await?;
    let counters = summed(tx, &run).await?;
    let status = TaskStatus::Terminated;
    run::add_messages(tx, run_id, &[RunMessage { status, text: why.to_owned() }]).await?;
    let totals = by_type(tx, run_id).await?;
    run::end(tx, run_id, status, result(status, &counters), &counters, &totals).await?;
    tasks::unlock(tx, &run.task, run_id).await?;
    Ok(Some(Finished { status, counters }))
}

/// What a run has counted and its partitions have saved; what they have not seen is unseen.
pub(crate) async fn summed(tx: &mut Tx, run: &Run) -> Result<Counters, Error> {
    let mut counters = run.counters;
    for state in state::of_run(tx, run.id).await? {
        counters.add_partition(&state.counters);
    }
    counters.total_unseen_objects =
        counters.total_object_messages.saturating_sub(counters.total_seen_objects);
    Ok(counters)
}

/// What a task's list of failed objects becomes by a run (IIQ-26, IIQ-55), and how many objects were given up.
async fn new_list(
    tx: &mut Tx,
    task: &Task,
    run: &Run,
    failed: &[ObjectFailure],
    before: &[FailedObject],
) -> Result<(Vec<FailedObject>, u64), Error> {
    let listed = by_object(before);
    let earlier = |failure: &ObjectFailure| listed.get(&object_of(failure)).copied();
    let settled = settle_failures(
        failed,
        |failure| earlier(failure).map_or(0, |object| object.attempts),
        task.arguments.max_object_attempts,
    );
    let now_ms = run.horizon_ms;
    let mut list: Vec<FailedObject> = settled
        .kept
        .into_iter()
        .map(|(failure, attempts)| FailedObject {
            failure: failure.clone(),
            attempts,
            first_failed_ms: earlier(failure).map_or(now_ms, |object| object.first_failed_ms),
            last_failed_ms: now_ms,
            run_id: run.id,
            retried_ms: None,
        })
        .collect();
    let failed: HashSet<_> = failed.iter().map(object_of).collect();
    let others =
        not_attempted(tx, run, before).await?.filter(|object| !failed.contains(&object_of(&object.failure)));
    list.extend(others.cloned());
    Ok((list, settled.dropped))
}

fn object_of(failure: &ObjectFailure) -> (ObjectType, &str) {
    (failure.object_type, failure.object_id.as_str())
}

fn by_object(list: &[FailedObject]) -> HashMap<(ObjectType, &str), &FailedObject> {
    list.iter().map(|object| (object_of(&object.failure), object)).collect()
}

/// Objects on the list that this run did not read, by their type or because they were in quarantine when it began: they
/// stay.
async fn not_attempted<'b>(
    tx: &mut Tx,
    run: &Run,
    before: &'b [FailedObject],
) -> Result<impl Iterator<Item = &'b FailedObject>, Error> {
    let read: Vec<ObjectType> =
        partitions::by_type(tx, run.id).await?.into_iter().map(|(object_type, _, _)| object_type).collect();
    let started_ms = run.started_ms;
    Ok(before.iter().filter(move |object| {
        object.failure.stage == Stage::Quarantine
            || object.retried_ms.is_some_and(|retried_ms| retried_ms >= started_ms)
            || !read.contains(&object.failure.object_type)
    }))
}

async fn failed_partitions(tx: &mut Tx, run_id: i64) -> Result<Vec<i32>, Error> {
    Ok(failures::partitions_of_run(tx, run_id).await?)
}

/// Ends a run and gives the task's lock back.
pub(crate) async fn end(
    tx: &mut Tx,
    task: &Task,
    run_id: i64,
    status: TaskStatus,
    counters: &Counters,
    by_type: &Value,
) -> Result<(), Error> {
    let result = result(status, counters);
    if run::end(tx, run_id, status, result, counters, by_type).await? {
        tasks::unlock(tx, &task.name, run_id).await?;
    }
    Ok(())
}

/// The result beside the status (BRV-14).
fn result(status: TaskStatus, counters: &Counters) -> &'static str {
    let failed = counters.total_extracted_objects_failed + counters.total_publishing_fails;
    if status >= TaskStatus::Error || failed > 0 && counters.total_extracted_objects_published == 0 {
        "Failure"
    } else if failed > 0 {
        "Partial"
    } else {
        "Success"
    }
}

/// Totals by object type: what qualified, and what the writer made of it.
pub(crate) async fn by_type(tx: &mut Tx, run_id: i64) -> Result<Value, Error> {
    let mut totals: BTreeMap<ObjectType, serde_json::Map<String, Value>> = BTreeMap::new();
    for (object_type, kind, objects) in partitions::by_type(tx, run_id).await? {
        let name = match kind {
            ChunkKind::Modified => "qualifiedByChange",
            ChunkKind::Reattempt => "qualifiedByReattempt",
            ChunkKind::Deleted => "deletions",
        };
        totals.entry(object_type).or_default().insert(name.to_owned(), json!(objects));
    }
    for (object_type, counts) in writes::of_run(tx, run_id).await? {
        if let Ok(Value::Object(counts)) = serde_json::to_value(counts) {
            totals.entry(object_type).or_default().extend(counts);
        }
    }
    Ok(totals
        .into_iter()
        .map(|(object_type, counts)| (object_type.as_str().to_owned(), Value::Object(counts)))
        .collect())
}

fn warning(text: String) -> RunMessage {
    RunMessage { status: TaskStatus::Warning, text }
}

fn error(text: String) -> RunMessage {
    RunMessage { status: TaskStatus::Error, text }
}
