//! `annals partitions` and `annals state`.

use annals_config::Config;
use annals_runs::{Run, partitions, state};
use annals_sql::Tx;
use serde_json::json;

use crate::cli::{Global, PartitionArg};
use crate::commands::runs::known_run;
use crate::context::{open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, print_json};
use crate::times;

pub(crate) async fn list(global: &Global, config: &Config, run_id: Option<i64>) -> Result<Exit, Failure> {
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let run = known_run(&mut tx, run_id).await?;
    still_there(&run)?;
    let mut listing = Listing::new(&[
        "partition",
        "objects",
        "state",
        "chunks",
        "chunks done",
        "epoch",
        "owner",
        "lease left ms",
    ]);
    for partition in partitions::list(&mut tx, run.id).await? {
        listing.push(vec![
            json!(partition.number),
            json!(partition.objects),
            json!(partition.state),
            json!(partition.chunks),
            json!(partition.chunks_done),
            json!(partition.epoch),
            json!(partition.leased_by),
            json!(partition.lease_left_ms.filter(|_| partition.state == "leased")),
        ]);
    }
    listing.more.insert("run".to_owned(), json!(run.id));
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// The numbers of a state that tell how far it is.
const COUNTED: [&str; 6] = ["chunks done", "seen", "extracted", "not found", "failed", "published"];

pub(crate) async fn show(global: &Global, config: &Config, which: PartitionArg) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let saved = log_of(&mut tx, which, 1).await?.pop();
    let Some(saved) = saved else {
        return Err(Failure::not_found(
            format!("a saved state of partition {} of run {}", which.partition, which.run),
            "It saves its first one after its first chunk.",
        ));
    };
    if global.output == Format::Json {
        print_json(&json!({
            "run": which.run,
            "partition": which.partition,
            "saved": times::show(saved.saved_ms, &zone),
            "epoch": saved.epoch,
            "state": saved.state,
        }))?;
        return Ok(Exit::Ok);
    }
    let mut listing = Listing::new(&["field", "value"]);
    for (field, value) in [
        ("run", json!(which.run)),
        ("partition", json!(which.partition)),
        ("saved", json!(times::show(saved.saved_ms, &zone))),
        ("epoch", json!(saved.epoch)),
        ("chunks done", json!(saved.state.chunks_done)),
    ] {
        listing.push(vec![json!(field), value]);
    }
    for shown in saved.state.counters.shown() {
        listing.push(vec![json!(shown.variable), json!(shown.value)]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

pub(crate) async fn log(
    global: &Global,
    config: &Config,
    which: PartitionArg,
    limit: u32,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let mut columns = vec!["saved", "epoch"];
    columns.extend(COUNTED);
    let mut listing = Listing::new(&columns);
    let mut log = log_of(&mut tx, which, limit.saturating_add(1)).await?;
    if log.len() > limit as usize {
        log.truncate(limit as usize);
        listing.cut = Some("There are more: --limit N".to_owned());
    }
    for saved in log {
        let counters = &saved.state.counters;
        listing.push(vec![
            json!(times::show(saved.saved_ms, &zone)),
            json!(saved.epoch),
            json!(saved.state.chunks_done),
            json!(counters.total_seen_objects),
            json!(counters.total_extracted_objects),
            json!(counters.total_extracted_objects_not_found),
            json!(counters.total_extracted_objects_failed + counters.total_publishing_fails),
            json!(counters.total_extracted_objects_published),
        ]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// Partitions of runs of long ago are removed.
fn still_there(run: &Run) -> Result<(), Failure> {
    match run.cleaned_up_ms {
        None => Ok(()),
        Some(_) => Err(Failure::not_found(
            format!("partitions of run {}: they were removed long after its end", run.id),
            "retention.runDetailsDays says how long they are kept. `annals runs show` shows what stays.",
        )),
    }
}

async fn log_of(tx: &mut Tx, which: PartitionArg, max: u32) -> Result<Vec<state::Saved>, Failure> {
    let run = known_run(tx, Some(which.run)).await?;
    still_there(&run)?;
    if partitions::list(tx, run.id).await?.iter().all(|partition| partition.number != which.partition) {
        return Err(Failure::not_found(
            format!("partition {} of run {}", which.partition, run.id),
            format!("`annals partitions {}` shows those there are.", run.id),
        ));
    }
    Ok(state::log(tx, run.id, which.partition, max).await?)
}
