//! `annals timeline`: the events of an object.

use annals_config::Config;
use annals_history::{EventRow, PageRequest, TimelineRange};
use annals_model::Clock as _;
use annals_questions::timeline_pages;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::{Global, TimelineArgs};
use crate::commands::as_of::find_one;
use crate::commands::export::ToFile;
use crate::context::{SystemClock, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::Listing;
use crate::times;

pub(crate) async fn execute(
    global: &Global,
    config: &Config,
    arguments: &TimelineArgs,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let instant = |text: &String| {
        times::read(text, &zone, SystemClock.now_ms())
            .map_err(|error| Failure::usage(error, "See `annals timeline --help`."))
    };
    let range = TimelineRange {
        from_ms: arguments.from.as_ref().map(instant).transpose()?,
        // A range of history is half open; people mean the instant they name as well.
        to_ms: arguments.to.as_ref().map(instant).transpose()?.map(|ms| ms.saturating_add(1)),
    };
    let to_file = ToFile::asked(&arguments.file, global.quiet)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let object = find_one(&mut tx, &arguments.object).await?;
    if let Some(file) = to_file {
        let pages = timeline_pages(object.key, range);
        return file.write(&history, tx, ("exportTimeline", pages), &zone).await;
    }
    let request = PageRequest { limit: arguments.limit, after: None };
    let page = annals_history::timeline(&mut tx, &object.key, range, &request).await?;
    let mut listing = listing(&page.rows, &zone);
    listing.more.insert("objectId".to_owned(), json!(object.key.object_id));
    listing.more.insert("name".to_owned(), json!(object.name));
    if page.next.is_some() {
        listing.cut =
            Some(format!("There are more than {} events; see the rest with --limit.", arguments.limit));
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// Events as lines.
pub(crate) fn listing(events: &[EventRow], zone: &TimeZone) -> Listing {
    let mut listing = Listing::new(&[
        "occurred",
        "recorded",
        "event",
        "about",
        "property",
        "old value",
        "new value",
        "account",
        "source",
    ]);
    for event in events {
        let account = event.account.as_ref().map(|account| {
            [account.app_name.as_deref(), account.native_id.as_deref()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" / ")
        });
        // What kind of governance it is and what became of it; docs/events.md tells what else these columns hold.
        let about = match event.event_type.as_str() {
            "GovernanceEvent" => {
                [&event.qry[8], &event.qry[9]].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ")
            }
            _ => String::new(),
        };
        listing.push(vec![
            json!(times::show(event.event_date_ms, zone)),
            json!(times::show(event.recorded_ms, zone)),
            json!(event.event_type),
            json!(about),
            json!(event.property_name),
            json!(event.old_value),
            json!(event.new_value),
            account.map_or(Value::Null, Value::String),
            json!(event.source_type),
        ]);
    }
    listing
}
