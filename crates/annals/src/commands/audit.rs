//! `annals audit`: who asked.

use annals_audit::{AccessFilter, accesses, login_failures};
use annals_config::Config;
use annals_model::Clock as _;
use jiff::tz::TimeZone;
use serde_json::json;

use super::token::words;
use crate::cli::{AccessLogArgs, Global};
use crate::context::{SystemClock, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing};
use crate::times;

pub(crate) async fn access_log(
    global: &Global,
    config: &Config,
    arguments: &AccessLogArgs,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let (from_ms, to_ms) = range(arguments.from.as_deref(), arguments.to.as_deref(), &zone)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let filter = AccessFilter {
        principal: arguments.who.clone(),
        from_ms,
        to_ms,
        what: arguments.what.clone(),
        before: None,
    };
    let mut listing = Listing::new(&[
        "at",
        "who",
        "roles",
        "operation",
        "method",
        "path",
        "query",
        "rows",
        "status",
        "success",
        "address",
        "authentication",
        "host",
        "id",
    ]);
    let mut found = accesses(&mut tx, &filter, arguments.limit.saturating_add(1)).await?;
    listing.cut_at(&mut found, arguments.limit);
    for access in found {
        listing.push(vec![
            json!(times::show(access.at_ms, &zone)),
            json!(access.principal),
            words(&access.roles),
            json!(access.operation),
            json!(access.method),
            json!(access.path),
            json!(access.query),
            json!(access.rows),
            json!(access.status),
            json!(access.success),
            json!(access.address),
            json!(access.authentication),
            json!(access.host),
            json!(access.id),
        ]);
    }
    if global.output == Format::Table {
        listing = listing.without(&["method", "success", "authentication", "host", "id"]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

pub(crate) async fn failed_logins(
    global: &Global,
    config: &Config,
    (from, to): (Option<&str>, Option<&str>),
    limit: u32,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let (from_ms, to_ms) = range(from, to, &zone)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let mut listing =
        Listing::new(&["at", "reason", "whose token", "method", "path", "address", "host", "id"]);
    let mut found = login_failures(&mut tx, from_ms, to_ms, limit.saturating_add(1)).await?;
    listing.cut_at(&mut found, limit);
    for failure in found {
        listing.push(vec![
            json!(times::show(failure.at_ms, &zone)),
            json!(failure.reason),
            json!(failure.principal),
            json!(failure.method),
            json!(failure.path),
            json!(failure.address),
            json!(failure.host),
            json!(failure.id),
        ]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// A range of instants, half open; people mean the instant they name as well.
fn range(
    from: Option<&str>,
    to: Option<&str>,
    zone: &TimeZone,
) -> Result<(Option<i64>, Option<i64>), Failure> {
    let instant = |text: &str| {
        times::read(text, zone, SystemClock.now_ms())
            .map_err(|error| Failure::usage(error, "See `annals audit --help`."))
    };
    let from_ms = from.map(instant).transpose()?;
    let to_ms = to.map(instant).transpose()?;
    Ok((from_ms, to_ms.map(|ms| ms.saturating_add(1))))
}
