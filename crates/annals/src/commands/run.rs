//! `annals run`: executes a task now.

use std::sync::Arc;
use std::time::Instant;

use annals_config::Config;
use annals_config::task::Task;
use annals_dispatcher::{Scope, record_unread};
use annals_extract::Stop;
use annals_model::TaskStatus;
use annals_queue::Broker;
use annals_runs::{Run, RunState, Trigger, run as runs};
use annals_source::Source;
use annals_sql::Db;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::broker::connect_with_writers;
use crate::cli::{Global, RunArgs};
use crate::commands::runs::what_to_do;
use crate::context::{SystemClock, find_task, open_history, open_source};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing};
use crate::pipeline::{Done, POLL, Pipeline};
use crate::presence::{Presence, leased};
use crate::progress::Progress;

/// This process while it executes runs.
pub(crate) struct Executing {
    pub(crate) pipeline: Pipeline,
    done: Arc<Done>,
    progress: Progress,
    began: Instant,
}

/// This process when it has executed them.
pub(crate) struct Executed {
    history: Db,
    interrupted: bool,
    seconds: f64,
}

impl Executing {
    /// Opens the history database, makes this process known, listens to signals, shows progress.
    pub(crate) async fn begin(
        global: &Global,
        config: &Arc<Config>,
        source: Arc<Source>,
    ) -> Result<Self, Failure> {
        let lease_ms = config.service.lease_ms;
        let history = leased(&open_history(config).await?, lease_ms);
        let broker = connect_with_writers(config, &host_name()).await?;
        let presence =
            Presence::begin(&history, Arc::new(SystemClock), &host_name(), "run", lease_ms).await?;
        let stop = Stop::default();
        if let Some(broker) = broker {
            end_with(&stop, broker.clone());
            presence.use_broker(Some(broker));
        }
        let pipeline = Pipeline {
            config: Arc::clone(config),
            history,
            source,
            clock: presence.clock(),
            host: host_name(),
            presence,
            stop,
        };
        stop_on_signal(&pipeline.stop);
        let done = Arc::new(Done::default());
        let progress = Progress::show(Arc::clone(&done), "objects", global.quiet);
        Ok(Self { pipeline, done, progress, began: Instant::now() })
    }

    /// Where progress is told.
    pub(crate) fn done(&self) -> Arc<Done> {
        Arc::clone(&self.done)
    }

    /// Shows no more progress, and says that this process ends.
    pub(crate) async fn end(self) -> Executed {
        self.progress.end().await;
        self.pipeline.presence.end().await;
        let interrupted = self.pipeline.stop.asked();
        let seconds = self.began.elapsed().as_secs_f64();
        Executed { history: self.pipeline.history, interrupted, seconds }
    }
}

impl Executed {
    /// Prints the results of a run and tells how it ended; what the process says about it.
    pub(crate) async fn report(&self, global: &Global, run_id: i64) -> Result<Exit, Failure> {
        let run = self.run(run_id).await?;
        if run.state == RunState::Ended {
            print_results(global, &run)?;
        }
        self.tell(run_id).await
    }

    /// Tells people how a run ended; what the process says about it.
    pub(crate) async fn tell(&self, run_id: i64) -> Result<Exit, Failure> {
        let run = self.run(run_id).await?;
        if run.state != RunState::Ended {
            eprintln!("Run {run_id} goes on in other processes: `annals partitions {run_id}` shows where.");
            return Ok(Exit::Interrupted);
        }
        let mut tx = self.history.begin_read().await?;
        for message in runs::messages(&mut tx, run_id).await? {
            eprintln!("{}: {}", message.status.as_str(), message.text);
        }
        if let Some(advice) = what_to_do(&mut tx, &run).await? {
            eprintln!("{advice}");
        }
        eprintln!("{}", done_line(&run, self.seconds));
        Ok(exit_of(&run, self.interrupted))
    }

    async fn run(&self, run_id: i64) -> Result<Run, Failure> {
        let mut tx = self.history.begin_read().await?;
        Ok(runs::get(&mut tx, run_id).await?)
    }
}

pub(crate) async fn execute(global: &Global, config: Config, arguments: &RunArgs) -> Result<Exit, Failure> {
    let config = Arc::new(config);
    let task = find_task(&config, arguments.task.task.as_deref())?;
    let source = Arc::new(source_or_record(&config, task).await?);
    let executing = Executing::begin(global, &config, source).await?;
    let outcome = if arguments.now {
        executing.pipeline.execute_now(task, executing.done()).await
    } else {
        executing.pipeline.execute(task, Trigger::Adhoc, Scope::Task, executing.done()).await
    };
    let executed = executing.end().await;
    executed.report(global, outcome?.run_id).await
}

/// Opens the identity system for a run; where it cannot be reached, the run is recorded as one that could not begin.
///
/// # Errors
/// As [`open_source`]; what went wrong with the record is only logged.
pub(crate) async fn source_or_record(config: &Config, task: &Task) -> Result<Source, Failure> {
    let failure = match open_source(config).await {
        Ok(source) => return Ok(source),
        Err(failure) => failure,
    };
    if failure.exit != Exit::SourceUnreachable {
        // A configuration that does not fit is for who called to mend, before there is a run.
        return Err(failure);
    }
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

fn exit_of(run: &Run, interrupted: bool) -> Exit {
    let failed = run.counters.total_extracted_objects_failed + run.counters.total_publishing_fails;
    match run.status {
        _ if interrupted => Exit::Interrupted,
        _ if run.result.as_deref() == Some("LockTimeout") => Exit::LockHeld,
        Some(TaskStatus::Success | TaskStatus::Warning) if failed > 0 => Exit::ObjectFailures,
        Some(TaskStatus::Success | TaskStatus::Warning) => Exit::Ok,
        _ => Exit::RunFailed,
    }
}

/// What waits for the broker does not wait for long once the workers are asked to stop.
fn end_with(stop: &Stop, broker: Broker) {
    let stop = stop.clone();
    tokio::spawn(async move {
        while !stop.asked() {
            tokio::time::sleep(POLL).await;
        }
        broker.end();
    });
}

/// The first signal asks the workers to stop after the batch in hand, a second one ends the process.
fn stop_on_signal(stop: &Stop) {
    let stop = stop.clone();
    tokio::spawn(async move {
        if signalled().await.is_ok() {
            eprintln!("Stopping after the batch in hand; what is done is saved. Once more to stop at once.");
            stop.ask();
        }
        if signalled().await.is_ok() {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    });
}

/// Waits for Ctrl-C, or for what supervisors send.
pub(crate) async fn signalled() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// This host's name.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}
