//! A daemon that answers over REST.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::bench::server::printed;

/// Ends with this value.
pub(super) struct Service {
    daemon: Child,
    /// `127.0.0.1:port`.
    pub(super) address: String,
    pub(super) token: String,
    _folder: TempDir,
}

impl Service {
    pub(super) fn start(annals: &Path, history_url: &str) -> Result<Self> {
        let folder = TempDir::with_prefix("annals-bench-rest-")?;
        let command = |arguments: &[&str]| {
            let mut command = Command::new(annals);
            command.args(arguments).arg("--config").arg(folder.path());
            command.env_remove("ANNALS_LOG").env_remove("ANNALS_CONFIG").env_remove("ANNALS_LOCK_FILE");
            command
        };
        printed(Command::new(annals).arg("init").arg(folder.path()))?;
        let text = format!(
            "accessHistoryEnabled: true\nsecretHashKey: a-key-for-benchmarks-alone\n\
             source: {{profile: identityiq, url: \"sqlite:none.db\"}}\nhistory: {{url: \"{history_url}\"}}\n\
             api: {{listen: \"127.0.0.1:0\", requestsPerSecond: 1000000}}\n"
        );
        fs::write(folder.path().join("annals.yaml"), text).context("cannot write annals.yaml")?;
        let name = format!("bench-{}", std::process::id());
        let token =
            printed(&mut command(&["token", "create", &name, "--role", "auditor"]))?.trim().to_owned();
        let mut daemon = command(&["daemon", "--role", "api", "--log", "info"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the daemon does not start")?;
        let mut said = BufReader::new(daemon.stderr.take().context("the daemon has no stderr")?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                anyhow::bail!("the daemon ended before it answered");
            }
            if let Some((_, rest)) = line.split_once("REST at http://") {
                break rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
            }
        };
        // Whatever it says later is read, so that it never waits for a reader.
        std::thread::spawn(move || said.lines().map_while(Result::ok).for_each(drop));
        Ok(Self { daemon, address, token, _folder: folder })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}
