//! The log: messages go to stderr, for data alone stands on stdout.

use tracing_subscriber::EnvFilter;

/// Begins to log what the filter lets through, warnings if it cannot be read; as JSON lines or as text.
pub fn begin(filter: &str, json: bool) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if json { log.json().init() } else { log.init() }
}
