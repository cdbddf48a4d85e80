//! `annals run`: executes a task now.

use std::sync::Arc;
use std::time::Instant;

use annals_config::Config;
use annals_config::task::Task;
use annals_dispatcher::{Scope, record_unread};
use annals_extract::Stop;
use annals_model::TaskStatus;
use annals_runs::{Run, RunMessage, Trigger, run as runs};
use annals_source::Source;
use annals_sql::Db;
use serde_json::json;

use crate::cli::{Global, RunArgs};
use crate::context::{SystemClock, find_task, open_history, open_source};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing};
use crate::pipeline::{Done, Pipeline};
use crate::progress::Progress;

/// A run that was executed.
pub(crate) struct Executed {
    /// What the process says.
    pub(crate) exit: Exit,
}

pub(crate) async fn execute(global: &Global, config: Config, arguments: &RunArgs) -> Result<Exit, Failure> {
    let config = Arc::new(config);
    let task = find_task(&config, arguments.task.task.as_deref())?;
    let source = Arc::new(source_or_record(&config, task).await?);
    Ok(execute_with(global, &config, source, task, Scope::Task).await?.exit)
}

/// Opens the identity system for a run; where that fails, the run is recorded as one that could not begin.
///
/// # Errors
/// As [`open_source`]; what went wrong with the record is only logged.
pub(crate) async fn source_or_record(config: &Config, task: &Task) -> Result<Source, Failure> {
    let failure = match open_source(config).await {
        Ok(source) => return Ok(source),
        Err(failure) => failure,
    };
    let recorded = async {
        let history = open_history(config).await.map_err(|failure| failure.error)?;
        record_unread(&history, config, task, Trigger::Adhoc, &host_name(), failure.error.as_ref()).await?;
        anyhow::Ok(())
    };
    if let Err(error) = recorded.await {
        tracing::warn!("the run is not recorded: {error:#}");
    }
    Err(failure)
}

/// Executes a run, shows its progress and prints its results.
pub(crate) async fn execute_with(
    global: &Global,
    config: &Arc<Config>,
    source: Arc<Source>,
    task: &Task,
    scope: Scope<'_>,
) -> Result<Executed, Failure> {
    let history = open_history(config).await?;
    let pipeline = Pipeline {
        config: Arc::clone(config),
        history: history.clone(),
        source,
        clock: Arc::new(SystemClock),
        host: host_name(),
        stop: Stop::default(),
    };
    stop_on_signal(&pipeline.stop);
    let began = Instant::now();
    let done = Arc::new(Done::default());
    let progress = Progress::show(Arc::clone(&done), "objects", global.quiet);
    let outcome = pipeline.execute(task, Trigger::Adhoc, scope, done).await;
    progress.end().await;
    let run_id = outcome?.run_id;
    let (run, messages) = ended(&history, run_id).await?;
    print_results(global, &run)?;
    say_end(&run, &messages, began);
    Ok(Executed { exit: exit_of(&run, pipeline.stop.asked()) })
}

/// Tells people how a run ended.
pub(crate) fn say_end(run: &Run, messages: &[RunMessage], began: Instant) {
    for message in messages {
        eprintln!("{}: {}", message.status.as_str(), message.text);
    }
    eprintln!("{}", done_line(run, began.elapsed().as_secs_f64()));
}

pub(crate) async fn ended(history: &Db, run_id: i64) -> Result<(Run, Vec<RunMessage>), Failure> {
    let mut tx = history.begin_read().await?;
    Ok((runs::get(&mut tx, run_id).await?, runs::messages(&mut tx, run_id).await?))
}

/// The results of a run by their display rules (IIQ-34).
fn print_results(global: &Global, run: &Run) -> Result<(), Failure> {
    let mut listing = Listing::new(&["result", "variable", "value"]);
    for shown in run.counters.shown() {
        listing.push(vec![json!(shown.label), json!(shown.variable), json!(shown.value)]);
    }
    listing.more.insert("run".to_owned(), json!(run.id));
    listing.more.insert("status".to_owned(), json!(run.status.map(TaskStatus::as_str)));
    if global.output == Format::Table && global.quiet {
        return Ok(());
    }
    listing.print(global.output)?;
    Ok(())
}

/// The one line in which a run ends.
pub(crate) fn done_line(run: &Run, seconds: f64) -> String {
    let counters = &run.counters;
    format!(
        "Done. status={} qualified={} extracted={} published={} failed={} abandoned={} time={seconds:.1}s run={}",
        run.status.map_or("unknown", TaskStatus::as_str),
        counters.total_object_messages,
        counters.total_extracted_objects,
        counters.total_extracted_objects_published,
        counters.total_extracted_objects_failed + counters.total_publishing_fails,
        counters.total_dropped_objects,
        run.id
    )
}

pub(crate) fn exit_of(run: &Run, interrupted: bool) -> Exit {
    let failed = run.counters.total_extracted_objects_failed + run.counters.total_publishing_fails;
    match run.status {
        _ if interrupted => Exit::Interrupted,
        _ if run.result.as_deref() == Some("LockTimeout") => Exit::LockHeld,
        Some(TaskStatus::Success | TaskStatus::Warning) if failed > 0 => Exit::ObjectFailures,
        Some(TaskStatus::Success | TaskStatus::Warning) => Exit::Ok,
        _ => Exit::RunFailed,
    }
}

/// The first signal asks the workers to stop after the batch in hand, a second one ends the process.
pub(crate) fn stop_on_signal(stop: &Stop) {
    let stop = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("Stopping after the batch in hand; what is done is saved. Once more to stop at once.");
            stop.ask();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    });
}

/// This host's name.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}
