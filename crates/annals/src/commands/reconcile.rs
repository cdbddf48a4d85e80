//! `annals reconcile`: what slipped by the runs and what is gone, reported and captured.

use std::sync::Arc;

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_dispatcher::{Differing, Findings};
use annals_runs::Trigger;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cli::{Global, ReconcileArgs};
use crate::commands::run::Executing;
use crate::commands::transform::not_configured;
use crate::context::{find_task, open_source, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::Listing;
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
    let source = Arc::new(open_source(&config).await?);
    let executing = Executing::begin(global, &config, source).await?;
    if arguments.dry_run {
        let found = executing.pipeline.compare(task, only).await;
        executing.end().await;
        print(global, &found?, &zone, None)?;
        return Ok(Exit::Ok);
    }
    let reconciled = executing.pipeline.reconcile(task, Trigger::Adhoc, only, executing.done()).await;
    let executed = executing.end().await;
    let (outcome, findings) = reconciled?;
    print(global, &findings, &zone, Some(outcome.run_id))?;
    executed.tell(outcome.run_id).await
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
    listing.more.insert("totals".to_owned(), json!(totals));
    listing.more.insert("run".to_owned(), json!(run_id));
    listing.print(global.output)?;
    // A run has it among its messages.
    if run_id.is_none() {
        eprintln!("{findings}");
    }
    Ok(())
}
