//! The log: messages go to stderr, for data alone stands on stdout.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::discarded;

/// What the crate that ticks for the scheduler tells of itself; added to every filter that does not ask for it.
const TICKER: &str = "tokio_cron_scheduler";

/// Begins to log what the filter lets through, warnings if it cannot be read; as JSON lines or as text.
pub fn begin(filter: &str, json: bool) {
    let filter = if filter.contains(TICKER) { filter.to_owned() } else { format!("{filter},{TICKER}=warn") };
    let filter = EnvFilter::try_new(filter)
        .unwrap_or_else(|_| EnvFilter::default().add_directive(LevelFilter::WARN.into()));
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let stderr = if json { stderr.json().boxed() } else { stderr.boxed() };
    tracing_subscriber::registry().with(stderr.with_filter(filter)).with(discarded::layer()).init();
}
