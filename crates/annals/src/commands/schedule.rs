//! `annals schedule`: the schedules of tasks, and what became of their fires.

use annals_config::Config;
use annals_config::task::{Task, Timed};
use annals_model::schedule::Outcome;
use annals_runs::schedule::{self, Entry, Fire, Listed};
use annals_sql::Tx;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::{Global, LedgerArgs, ScheduleCommand};
use crate::commands::run::host_name;
use crate::context::{find_timed, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, print_json, say};
use crate::times;

pub(crate) async fn execute(
    global: &Global,
    config: &Config,
    command: ScheduleCommand,
) -> Result<Exit, Failure> {
    match command {
        ScheduleCommand::List => list(global, config).await,
        ScheduleCommand::Next { task, count } => next(global, config, task.as_deref(), count).await,
        ScheduleCommand::Pause { task, note } => pause(global, config, &task, &note).await,
        ScheduleCommand::Resume { task } => resume(global, config, &task).await,
        ScheduleCommand::Trigger { task } => trigger(global, config, &task).await,
        ScheduleCommand::Ledger(arguments) => ledger(global, config, &arguments).await,
    }
}

/// IIQ-20: the tasks and when they run.
async fn list(global: &Global, config: &Config) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let now_ms = schedule::now_ms(&mut tx).await?;
    let mut listing = Listing::new(&[
        "task",
        "schedule",
        "catch up",
        "overlap",
        "jitter seconds",
        "state",
        "note",
        "next",
        "last",
        "outcome",
        "run",
    ]);
    for timed in config.tasks.values().flat_map(Task::timed) {
        let name = timed.name();
        let pause = schedule::state(&mut tx, &name).await?.and_then(|state| state.pause);
        let last = last(&mut tx, &name).await?;
        let settings = timed.schedule();
        let state = match (settings, &pause) {
            (_, Some(_)) => "paused",
            (Some(_), None) => "active",
            (None, None) => "on request",
        };
        let next = settings.filter(|_| pause.is_none()).and_then(|settings| settings.cadence.next(now_ms));
        listing.push(vec![
            json!(name),
            json!(settings.map(|settings| settings.cadence.to_string())),
            json!(settings.map(|settings| settings.catch_up.as_str())),
            json!(settings.map(|settings| settings.overlap.as_str())),
            json!(settings.map(|settings| settings.jitter_ms / 1_000)),
            json!(state),
            json!(pause.map(|pause| pause.note)),
            shown(next, &zone),
            shown(last.as_ref().map(|last| last.fire.planned_ms), &zone),
            json!(last.as_ref().map(|last| last.outcome.as_str())),
            json!(last.as_ref().and_then(|last| last.run_id)),
        ]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

async fn last(tx: &mut Tx, task: &str) -> Result<Option<Fire>, Failure> {
    let listed = Listed { task: Some(task), outcome: None, before_ms: i64::MAX, limit: 1 };
    Ok(schedule::list(tx, listed).await?.pop())
}

async fn next(global: &Global, config: &Config, task: Option<&str>, count: u32) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let tasks: Vec<Timed<'_>> = match task {
        Some(name) => vec![find_timed(config, name)?],
        None => config.tasks.values().flat_map(Task::timed).collect(),
    };
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let now_ms = schedule::now_ms(&mut tx).await?;
    let mut fires = Vec::new();
    for timed in tasks {
        let name = timed.name();
        let paused = schedule::state(&mut tx, &name).await?.is_some_and(|state| state.pause.is_some());
        let Some(settings) = timed.schedule() else { continue };
        let planned = std::iter::successors(settings.cadence.next(now_ms), |ms| settings.cadence.next(*ms));
        fires.extend(planned.take(count as usize).map(|planned_ms| (planned_ms, name.clone(), paused)));
    }
    fires.sort_by_key(|(planned_ms, ..)| *planned_ms);
    let mut listing = Listing::new(&["planned", "in seconds", "task", "paused"]);
    for (planned_ms, task, paused) in fires {
        let seconds = (planned_ms - now_ms) / 1_000;
        listing.push(vec![json!(times::show(planned_ms, &zone)), json!(seconds), json!(task), json!(paused)]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

async fn pause(global: &Global, config: &Config, task: &str, note: &str) -> Result<Exit, Failure> {
    let task = &find_timed(config, task)?.name();
    let history = open_history(config).await?;
    let mut tx = history.begin().await?;
    let paused = schedule::pause(&mut tx, task, note).await?;
    tx.commit().await?;
    if paused {
        tell(global, task, "paused", "what is planned of it is skipped until `annals schedule resume`")
    } else {
        tell(global, task, "paused", "it was paused already, and its note stays")
    }
}

async fn resume(global: &Global, config: &Config, task: &str) -> Result<Exit, Failure> {
    let timed = find_timed(config, task)?;
    let entry = Entry { name: task, task: &timed.task.name };
    let history = open_history(config).await?;
    let mut tx = history.begin().await?;
    let resumed = schedule::resume(&mut tx, entry, timed.schedule(), &host_name()).await?;
    tx.commit().await?;
    if resumed {
        tell(global, task, "active", "what was planned while it was paused stays skipped")
    } else {
        tell(global, task, "active", "it was not paused")
    }
}

async fn trigger(global: &Global, config: &Config, task: &str) -> Result<Exit, Failure> {
    let task = &find_timed(config, task)?.name();
    let history = open_history(config).await?;
    let mut tx = history.begin().await?;
    let planned_ms = schedule::trigger(&mut tx, task, &host_name()).await?;
    tx.commit().await?;
    if global.output == Format::Json {
        print_json(&json!({"task": task, "plannedMs": planned_ms}))?;
    } else {
        say(format_args!("{task} is due"))?;
    }
    eprintln!("A daemon executes it when no run of the task is under way; see `annals schedule ledger`.");
    Ok(Exit::Ok)
}

/// Says what a task is now as data, and what that means to people.
fn tell(global: &Global, task: &str, state: &str, meaning: &str) -> Result<Exit, Failure> {
    if global.output == Format::Json {
        print_json(&json!({"task": task, "state": state}))?;
    } else {
        say(format_args!("{task} is {state}"))?;
    }
    eprintln!("Task `{task}`: {meaning}.");
    Ok(Exit::Ok)
}

async fn ledger(global: &Global, config: &Config, arguments: &LedgerArgs) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let now_ms = schedule::now_ms(&mut tx).await?;
    let before_ms = match &arguments.before {
        Some(text) => times::read(text, &zone, now_ms)
            .map_err(|wrong| Failure::usage(wrong, "See `annals help schedule ledger`."))?,
        None => i64::MAX,
    };
    let limit = arguments.limit as usize;
    let listed = Listed {
        task: arguments.task.as_deref(),
        outcome: arguments.outcome,
        before_ms,
        limit: arguments.limit.saturating_add(1),
    };
    let mut fires = schedule::list(&mut tx, listed).await?;
    if fires.is_empty()
        && let Some(task) = &arguments.task
    {
        // The past of a task that the configuration has no more can still be asked for.
        find_timed(config, task)?;
    }
    let mut listing = Listing::new(&[
        "planned",
        "task",
        "outcome",
        "kind",
        "late seconds",
        "run",
        "host",
        "decided",
        "note",
    ]);
    if fires.len() > limit {
        cut(&mut fires, limit);
        listing.cut = fires
            .last()
            .and_then(|last| Timestamp::from_millisecond(last.fire.planned_ms).ok())
            .map(|planned| format!("There are more: --before {planned}"));
    }
    for fire in &fires {
        listing.push(row(fire, &zone));
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// Leaves so many fires, and none of an instant of which others are cut off, so that nothing is passed over where the
/// next page begins.
fn cut(fires: &mut Vec<Fire>, limit: usize) {
    let Some(beyond_ms) = fires.get(limit).map(|fire| fire.fire.planned_ms) else { return };
    let whole = fires.iter().position(|fire| fire.fire.planned_ms == beyond_ms).unwrap_or(limit);
    fires.truncate(if whole == 0 { limit } else { whole });
}

fn row(fire: &Fire, zone: &TimeZone) -> Vec<Value> {
    let seconds = fire.lateness_ms.map(|ms| json!(ms as f64 / 1_000.0));
    vec![
        json!(times::show(fire.fire.planned_ms, zone)),
        json!(fire.task),
        json!(fire.outcome.as_str()),
        json!(fire.fire.kind.as_str()),
        seconds.unwrap_or(Value::Null),
        json!(fire.run_id),
        json!(fire.host),
        shown((fire.outcome != Outcome::Waiting).then_some(fire.decided_ms), zone),
        json!(fire.note),
    ]
}

fn shown(ms: Option<i64>, zone: &TimeZone) -> Value {
    ms.map_or(Value::Null, |ms| json!(times::show(ms, zone)))
}
