//! `annals plan`: what a run would select.

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_model::partition_count;
use annals_runs::{failures, timestamp};
use serde_json::json;

use crate::cli::{Global, TaskArg};
use crate::context::{find_task, open_history, open_source, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::Listing;
use crate::times;

pub(crate) async fn execute(global: &Global, config: &Config, arguments: &TaskArg) -> Result<Exit, Failure> {
    let task = find_task(config, arguments.task.as_deref())?;
    let zone = time_zone(global, Some(config))?;
    let banners = run_banners(config, task);
    for banner in &banners.banners {
        eprintln!("{}: {}", banner.status.as_str(), banner.text);
    }
    let history = open_history(config).await?;
    let source = open_source(config).await?;
    let (since_ms, failed) = {
        let mut tx = history.begin_read().await?;
        (timestamp::get(&mut tx, &task.name).await?, failures::of_task(&mut tx, &task.name).await?)
    };
    let mut listing = Listing::new(&["object type", "qualified by change", "failed before"]);
    let mut total = 0;
    for object_type in &banners.objects {
        let settings = banners.extract.and_then(|extract| extract.objects.get(object_type));
        let filter = settings.and_then(|settings| settings.filter.as_ref());
        let limit = settings.and_then(|settings| settings.limit).unwrap_or(u64::MAX);
        let modified = source.count_qualified(*object_type, since_ms, filter).await?.min(limit);
        let before = failed.iter().filter(|object| object.failure.object_type == *object_type).count();
        total += modified;
        listing.push(vec![json!(object_type.as_str()), json!(modified), json!(before)]);
    }
    let partitions = partition_count(total, config.service.worker_slots, &task.arguments);
    let since = since_ms.map_or_else(|| "the beginning".to_owned(), |ms| times::show(ms, &zone));
    eprintln!(
        "Task `{}` would read {total} objects changed since {since}, in {partitions} partitions.",
        task.name
    );
    listing.more.insert("task".to_owned(), json!(task.name));
    listing.more.insert("since".to_owned(), json!(since_ms.map(|ms| times::show(ms, &zone))));
    listing.more.insert("total".to_owned(), json!(total));
    listing.more.insert("partitions".to_owned(), json!(partitions));
    listing.print(global.output)?;
    Ok(Exit::Ok)
}
