//! The history that is asked, by the engine's own program.

use std::process::Command;

use anyhow::Result;

use crate::bench::server::printed;

/// A database by its URL.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) url: String,
}

impl Database {
    pub(super) fn named(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Runs statements; what they print, a line a row, columns parted by tabs.
    pub(super) fn sql(&self, statements: &str) -> Result<String> {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]).arg(&self.url);
        printed(psql.args(["-c", statements]))
    }
}
