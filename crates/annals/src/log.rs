//! The log: messages go to stderr, for data alone stands on stdout.

use std::io::IsTerminal as _;

use annals_config::service::OtlpSettings;
use annals_extract::TRACED;
use opentelemetry_otlp::ExporterBuildError;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::{discarded, traces};

/// What the crate that ticks for the scheduler tells of itself; added to every filter that does not ask for it.
const TICKER: &str = "tokio_cron_scheduler";

/// Begins to log as text what the filter lets through; warnings where there is none.
pub fn begin(filter: Option<&str>) {
    start(filter.unwrap_or("warn"), false, None);
}

/// Begins to log, as JSON lines or as text, and sends spans to the collector that the configuration names.
///
/// # Errors
/// Where nothing can be sent to that collector.
pub fn begin_traced(
    filter: &str,
    json: bool,
    host: &str,
    traced: Option<&OtlpSettings>,
) -> Result<(), ExporterBuildError> {
    let traced = traced.map(|settings| traces::layer(settings, host)).transpose()?;
    start(filter, json, traced.map(|layer| layer.boxed()));
    Ok(())
}

/// A filter that cannot be read lets warnings through.
fn start(filter: &str, json: bool, traced: Option<Box<dyn Layer<Registry> + Send + Sync>>) {
    let filter = if filter.contains(TICKER) { filter.to_owned() } else { format!("{filter},{TICKER}=warn") };
    let filter = EnvFilter::try_new(format!("{filter},{TRACED}=off"))
        .unwrap_or_else(|_| EnvFilter::default().add_directive(LevelFilter::WARN.into()));
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let stderr = if json { stderr.json().boxed() } else { stderr.boxed() };
    tracing_subscriber::registry()
        .with(traced)
        .with(stderr.with_filter(filter))
        .with(discarded::layer())
        .init();
}
