//! The log of discarded messages: a file of its own, whatever is logged elsewhere (IIQ-59).

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Known once the configuration is read, which is after the first line may have been logged.
static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Names the file; the first one that is named counts. One that cannot be written is told of now, not when it is needed.
pub(crate) fn log_to(file: Option<&Path>) {
    let Some(file) = file else { return };
    FILE.get_or_init(|| {
        if let Err(error) = OpenOptions::new().create(true).append(true).open(file) {
            tracing::warn!(
                "messages that are given up cannot be logged in {}: {error}; name another file (`log.discardedMessages`)",
                file.display()
            );
        }
        file.to_owned()
    });
}

/// Writes discarded messages, one a line, to the file that the configuration names.
pub fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let is_discarded = |metadata: &Metadata<'_>| {
        metadata.target() == annals_writer::DISCARDED && *metadata.level() <= Level::INFO
    };
    tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(|| Appending)
        // With the hint, what is more detailed is passed over as quickly as before.
        .with_filter(filter_fn(is_discarded).with_max_level_hint(Level::INFO))
}

/// Opens the file for each line: there are few, and a file that was moved away meanwhile is made anew.
struct Appending;

impl Write for Appending {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(file) = FILE.get() {
            OpenOptions::new().create(true).append(true).open(file)?.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
