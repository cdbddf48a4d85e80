//! `annals reconcile`: what slipped by the runs and what is gone, reported and captured.

use std::sync::Arc;

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_dispatcher::{Differing, Findings};
use annals_extract::Stop;
use annals_runs::Trigger;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cli::{Global, ReconcileArgs};
use crate::commands::run;
use crate::commands::transform::not_configured;
use crate::context::{SystemClock, find_task, open_history, open_source, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::Listing;
use crate::pipeline::{Done, Pipeline};
use crate::progress::Progress;
use crate::times;

pub(crate) async fn execute(
    global: &Global,
    config: Config,
    arguments: &ReconcileArgs,
) -> Result<Exit, Failure> {
    let config = Arc::new(config);
    let task = find_task(&config, arguments.task.task.as_deref())?;
    let zone = time_zone(global, Some(&config))?;
    let only = arguments.object_type;
    if let Some(only) = only
        && run_banners(&config, task).objects.iter().all(|object_type| *object_type != only)
    {
        return Err(not_configured(task, only));
    }
    let pipeline = Pipeline {
        source: Arc::new(open_source(&config).await?),
        history: open_history(&config).await?,
        config: Arc::clone(&config),
        clock: Arc::new(SystemClock),
        host: run::host_name(),
        stop: Stop::default(),
    };
    if arguments.dry_run {
        let findings = pipeline.compare(task, only).await?;
        print(global, &findings, &zone, None)?;
        return Ok(Exit::Ok);
    }
    run::stop_on_signal(&pipeline.stop);
    let began = std::time::Instant::now();
    let done = Arc::new(Done::default());
    let progress = Progress::show(Arc::clone(&done), "objects", global.quiet);
    let reconciled = pipeline.reconcile(task, Trigger::Adhoc, only, done).await;
    progress.end().await;
    let (outcome, findings) = reconciled?;
    let (run, messages) = run::ended(&pipeline.history, outcome.run_id).await?;
    print(global, &findings, &zone, Some(outcome.run_id))?;
    run::say_end(&run, &messages, began);
    Ok(run::exit_of(&run, pipeline.stop.asked()))
}

fn print(global: &Global, findings: &Findings, zone: &TimeZone, run_id: Option<i64>) -> Result<(), Failure> {
    let mut listing = Listing::new(&["object type", "object id", "finding", "at"]);
    for Differing { object_type, object_id, difference, at_ms } in &findings.objects {
        let at = times::show(*at_ms, zone);
        listing.push(vec![
            json!(object_type.as_str()),
            json!(object_id),
            json!(difference.as_str()),
            json!(at),
        ]);
    }
    let (slipped, gone) = findings.count();
    let found = slipped + gone;
    if found > findings.objects.len() as u64 {
        listing.cut = Some(format!("{} of {found} objects; all of them are counted", findings.objects.len()));
    }
    let of_type = |(object_type, of): (&annals_model::ObjectType, &annals_dispatcher::Totals)| {
        let counts = json!({"compared": of.compared, "slipped": of.slipped, "gone": of.gone});
        (object_type.as_str().to_owned(), counts)
    };
    let totals: serde_json::Map<String, serde_json::Value> = findings.totals.iter().map(of_type).collect();
    let compared: u64 = findings.totals.values().map(|of| of.compared).sum();
    listing.more.insert("totals".to_owned(), json!(totals));
    listing.more.insert("run".to_owned(), json!(run_id));
    listing.print(global.output)?;
    eprintln!("Compared {compared} objects: {slipped} had slipped by, {gone} are gone without a note.");
    Ok(())
}
