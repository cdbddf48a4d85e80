//! `annals hosts`.

use annals_config::Config;
use annals_runs::hosts;
use serde_json::json;

use crate::cli::Global;
use crate::context::{open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::Listing;
use crate::times;

pub(crate) async fn execute(global: &Global, config: &Config) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let mut listing = Listing::new(&[
        "host",
        "name",
        "pid",
        "roles",
        "state",
        "started",
        "heartbeat",
        "lease ms",
        "clock skew ms",
        "runs",
    ]);
    for host in hosts::list(&mut tx).await? {
        listing.push(vec![
            json!(host.id),
            json!(host.name),
            json!(host.pid),
            json!(host.roles),
            json!(host.state.as_str()),
            json!(times::show(host.started_ms, &zone)),
            json!(times::show(host.heartbeat_ms, &zone)),
            json!(host.lease_ms),
            json!(host.clock_skew_ms),
            json!(host.runs),
        ]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}
