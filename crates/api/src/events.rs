//! A run's progress as server-sent events: one when it is asked for, one for each change, and a last one when the run
//! has ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use annals_runs::{RunState, partitions, run};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::Api;
use crate::ask::Asked;
use crate::operation::Operation;
use crate::problem::{OF_ALL_ANSWERS, Problem};
use crate::right::reach;
use crate::who::known;

/// A run is looked at so often.
const EVERY: Duration = Duration::from_secs(1);
/// A client that reads no faster than this many looks is waited for.
const EVENTS_MAX: usize = 4;

/// Follows a run for who asked. The looking is a task of its own, for a client that hangs up would cut a transaction off
/// midway; it ends with the run, with the client, with the daemon, and when the token is no good any more.
pub(crate) fn follow(api: Arc<Api>, operation: &'static Operation, asked: Asked, run_id: i64) -> Response {
    let Ok(permit) = Arc::clone(&api.followers).try_acquire_owned() else {
        let detail = "too many runs are being followed";
        return Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
    };
    let (tell, told) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(async move {
        let _permit = permit;
        if let Err(problem) = look(&api, operation, &asked, run_id, &tell).await {
            tracing::debug!(run = run_id, "a run is not followed any more: {problem:?}");
        }
    });
    let events = stream::unfold(told, |mut told| async move {
        let event: Event = told.recv().await?;
        Some((Ok::<_, Infallible>(event), told))
    });
    (OF_ALL_ANSWERS, Sse::new(events).keep_alive(KeepAlive::default())).into_response()
}

async fn look(
    api: &Api,
    operation: &'static Operation,
    asked: &Asked,
    run_id: i64,
    tell: &mpsc::Sender<Event>,
) -> Result<(), Problem> {
    let mut stopping = api.stopping.subscribe();
    let mut last = Value::Null;
    loop {
        let principal = known(api, &asked.headers).await?;
        if !principal.is_ok_and(|principal| reach(operation, &principal).is_some()) {
            return Ok(());
        }
        let mut tx = api.history.begin_read().await?;
        let looked = progress(&mut tx, run_id).await;
        tx.rollback().await?;
        let (state, progress) = looked?;
        let name = if state == RunState::Ended { "end" } else { "progress" };
        if progress != last {
            let event = Event::default().event(name).data(progress.to_string());
            if tell.send(event).await.is_err() {
                return Ok(());
            }
            last = progress;
        }
        if state == RunState::Ended {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = tell.closed() => return Ok(()),
            _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
        }
    }
}

/// How far a run is.
async fn progress(tx: &mut annals_sql::Tx, run_id: i64) -> Result<(RunState, Value), Problem> {
    let run = run::get(tx, run_id).await?;
    let partitions = partitions::list(tx, run_id).await?;
    let of_state = |state: &str| partitions.iter().filter(|partition| partition.state == state).count();
    let sum = |count: fn(&partitions::Partition) -> i64| partitions.iter().map(count).sum::<i64>();
    let progress = json!({
        "run": run.id,
        "state": run.state.as_str(),
        "status": run.status.map(annals_model::TaskStatus::as_str),
        "result": run.result,
        "partitions": partitions.len(),
        "partitionsDone": of_state("done"),
        "partitionsFailed": of_state("failed"),
        "objects": sum(|partition| partition.objects),
        "chunks": sum(|partition| partition.chunks),
        "chunksDone": sum(|partition| partition.chunks_done),
    });
    Ok((run.state, progress))
}
