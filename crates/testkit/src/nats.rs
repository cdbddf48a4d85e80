//! A throw-away NATS server with JetStream, or a cluster of them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::account::ServerAccount;
use crate::server::{self, ServerFolder};
use crate::{TestkitError, program};

/// What a server's log says when it serves.
const READY: &str = "Server is ready";

/// Settings of every throw-away server, with the largest message that NATS takes.
const SETTINGS: &str = "host: 127.0.0.1\nmax_payload: 64MB\nmax_pending: 128MB\n";

/// A NATS server of its own, on a free port of 127.0.0.1, whose data lasts as long as this value, however often it is
/// killed and started again. The server also ends when the thread that started it ends, however that happens.
#[derive(Debug)]
pub struct Nats {
    child: Option<Child>,
    account: ServerAccount,
    folder: ServerFolder,
    port: u16,
}

impl Nats {
    /// Makes and starts a server and waits until it serves: a fraction of a second.
    ///
    /// # Errors
    /// When the program is missing or the server does not become ready.
    pub fn start() -> Result<Self, TestkitError> {
        Self::start_with("")
    }

    /// The same with these lines in its configuration.
    ///
    /// # Errors
    /// As [`Nats::start`].
    pub fn start_with(settings: &str) -> Result<Self, TestkitError> {
        let (account, folder) = Self::home("")?;
        let text = format!("{SETTINGS}{settings}\njetstream {{ store_dir: \"{}\" }}\n", store(&folder));
        let config = configured(&folder, &text)?;
        let log = folder.join("server.log");
        let (child, port) = server::start("NATS", |port| command(account, &config, port), &log, READY)?;
        Ok(Self { child: Some(child), account, folder, port })
    }

    /// Makes and starts so many servers that are one cluster. They serve; their leader is elected in the seconds to come.
    ///
    /// # Errors
    /// As [`Nats::start`].
    pub fn cluster(size: usize) -> Result<Vec<Self>, TestkitError> {
        let ports = (0..2 * size).map(|_| server::free_port()).collect::<Result<Vec<u16>, _>>()?;
        let (ports, routes) = ports.split_at(size);
        let mut servers = Vec::new();
        for (nth, (port, route)) in ports.iter().zip(routes).enumerate() {
            let (account, folder) = Self::home(&format!("{nth}-"))?;
            let mut text = format!(
                "{SETTINGS}server_name: n{nth}\njetstream {{ store_dir: \"{}\" }}\n\
                 cluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [",
                store(&folder)
            );
            for other in routes {
                write!(text, "\"nats://127.0.0.1:{other}\", ").unwrap_or_default();
            }
            text.push_str("] }\n");
            configured(&folder, &text)?;
            let mut server = Self { child: None, account, folder, port: *port };
            server.start_again()?;
            servers.push(server);
        }
        Ok(servers)
    }

    fn home(nth: &str) -> Result<(ServerAccount, ServerFolder), TestkitError> {
        let account = ServerAccount::for_server("nats")?;
        Ok((account, ServerFolder::make(&format!("annals-nats-{nth}"), account)?))
    }

    /// Path of the server's program.
    ///
    /// # Errors
    /// When it is missing.
    pub fn program() -> Result<PathBuf, TestkitError> {
        program::find("nats-server")
    }

    /// URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends the server at once, as a lost host would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap_or_default();
            child.wait().map(|_| ()).unwrap_or_default();
        }
    }

    /// Starts it again where it was, with what it had kept.
    ///
    /// # Errors
    /// As [`Nats::start`].
    pub fn start_again(&mut self) -> Result<(), TestkitError> {
        let config = self.folder.join("nats.conf");
        let command = command(self.account, &config, self.port)?;
        self.child = Some(server::start_once("NATS", command, &self.folder.join("server.log"), READY)?);
        Ok(())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

fn store(folder: &ServerFolder) -> String {
    folder.join("store").display().to_string()
}

fn configured(folder: &ServerFolder, text: &str) -> Result<PathBuf, TestkitError> {
    let path = folder.join("nats.conf");
    fs::write(&path, text).map_err(TestkitError::io("cannot write a server's configuration"))?;
    Ok(path)
}

fn command(account: ServerAccount, config: &Path, port: u16) -> Result<Command, TestkitError> {
    let mut command = account.command(&Nats::program()?, "KILL")?;
    command.arg("--config").arg(config).args(["--port", &port.to_string()]).current_dir("/");
    Ok(command)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    /// A server is where it was after it was killed, and gone with its folder when the value is.
    #[test]
    fn a_server_lives_as_long_as_its_value() {
        let mut server = Nats::start().unwrap();
        let (port, folder) = (server.port, server.folder.join(""));
        let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(answers());
        server.kill();
        assert!(!answers());
        server.start_again().unwrap();
        assert!(answers());
        drop(server);
        assert!(!answers() && !folder.exists());
    }
}
