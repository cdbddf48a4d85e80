//! A throw-away PostgreSQL server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::account::ServerAccount;
use crate::server::{self, ServerFolder};
use crate::{TestkitError, program};

/// A PostgreSQL server of its own, on a free port of 127.0.0.1, whose data lasts as long as this value. The server
/// also ends when the thread that started it ends, however that happens.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    account: ServerAccount,
    folder: ServerFolder,
    admin_url: String,
    settings: &'static [&'static str],
}

/// The superuser that `initdb` makes; it has no password, for the server listens on 127.0.0.1 alone.
const SUPERUSER: &str = "annals";

/// Settings of every throw-away server: where it listens, and that it speaks the same everywhere.
const PLACE: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "timezone=UTC",
    "log_timezone=UTC",
    "lc_messages=C",
];

/// Settings for tests: nothing needs to survive a power cut, and two cores are shared with the tests themselves.
const HASTE: [&str; 9] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=200",
    "shared_buffers=128MB",
    "max_parallel_workers_per_gather=0",
    "jit=off",
];

/// The same for servers of which one follows the other.
const FOLLOWED: [&str; 8] = [
    "fsync=off",
    "synchronous_commit=off",
    "wal_level=replica",
    "max_wal_senders=4",
    "max_prepared_transactions=4",
    "shared_buffers=32MB",
    "max_parallel_workers_per_gather=0",
    "jit=off",
];

/// Settings for tests that end the server in the middle of its work: what was committed is there afterwards, because the
/// machine goes on.
const CRASHES: [&str; 7] = [
    "fsync=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=200",
    "shared_buffers=128MB",
    "max_parallel_workers_per_gather=0",
    "jit=off",
];

/// What the log says when the server takes connections.
const READY: &str = "database system is ready to accept connections";

/// What that of a standby says.
const READY_TO_READ: &str = "database system is ready to accept read-only connections";

impl Postgres {
    /// Makes and starts a server for tests and waits until it takes connections: about a second.
    ///
    /// # Errors
    /// When PostgreSQL's programs are missing or the server does not become ready.
    pub fn start() -> Result<Self, TestkitError> {
        Self::start_with(&HASTE)
    }

    /// Makes and starts a server that keeps PostgreSQL's own defaults, durability among them, so that what is
    /// measured on it is what a server costs that nobody has tuned.
    ///
    /// # Errors
    /// When PostgreSQL's programs are missing or the server does not become ready.
    pub fn start_untuned() -> Result<Self, TestkitError> {
        Self::start_with(&[])
    }

    /// Makes and starts a server for tests that [`crash`](Self::crash) it.
    ///
    /// # Errors
    /// When PostgreSQL's programs are missing or the server does not become ready.
    pub fn start_to_crash() -> Result<Self, TestkitError> {
        Self::start_with(&CRASHES)
    }

    /// Makes and starts a server for tests that others can follow, and that lets transactions be prepared.
    ///
    /// # Errors
    /// When PostgreSQL's programs are missing or the server does not become ready.
    pub fn start_primary() -> Result<Self, TestkitError> {
        Self::start_with(&FOLLOWED)
    }

    /// Makes and starts a standby of this server, which must be one that others can follow.
    ///
    /// # Errors
    /// When PostgreSQL's programs are missing or the server does not become ready.
    pub fn start_standby(&self) -> Result<Self, TestkitError> {
        let account = ServerAccount::for_server("postgres")?;
        let folder = ServerFolder::make("annals-postgres-", account)?;
        let mut copy = account.command(&program::find_postgres("pg_basebackup")?, "KILL")?;
        copy.arg("--pgdata").arg(folder.join("data")).args(["--dbname", &self.admin_url]);
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]).current_dir("/");
        program::run(&mut copy, "")?;
        Self::serve(account, folder, &FOLLOWED, READY_TO_READ)
    }

    fn start_with(settings: &'static [&'static str]) -> Result<Self, TestkitError> {
        let account = ServerAccount::for_server("postgres")?;
        let folder = ServerFolder::make("annals-postgres-", account)?;
        let data = folder.join("data");
        let mut initdb = account.command(&program::find_postgres("initdb")?, "KILL")?;
        initdb.arg("--pgdata").arg(&data).args(["--username", SUPERUSER, "--auth=trust", "--no-sync"]);
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]).current_dir("/");
        program::run(&mut initdb, "")?;

        Self::serve(account, folder, settings, READY)
    }

    /// Starts a server on the data of its folder.
    fn serve(
        account: ServerAccount,
        folder: ServerFolder,
        settings: &'static [&'static str],
        ready: &str,
    ) -> Result<Self, TestkitError> {
        let data = folder.join("data");
        let command = |port| server_command(account, &data, port, settings);
        let (child, port) = server::start("PostgreSQL", command, &folder.join("server.log"), ready)?;
        let admin_url = format!("postgres://{SUPERUSER}@127.0.0.1:{port}/postgres");
        Ok(Self { child, account, folder, admin_url, settings })
    }

    /// Ends the server as a fault would, without a word to its clients, and starts it again on the same port; it takes
    /// connections when this returns.
    ///
    /// # Errors
    /// When it cannot be stopped or does not become ready again.
    pub fn crash(&mut self) -> Result<(), TestkitError> {
        self.stop()?;
        self.child.wait().map_err(TestkitError::io("cannot wait for the PostgreSQL server"))?;
        let port = self.port()?;
        let (data, log) = (self.folder.join("data"), self.folder.join("server.log"));
        let command = |_| server_command(self.account, &data, port, self.settings);
        (self.child, _) = server::start("PostgreSQL", command, &log, READY)?;
        Ok(())
    }

    /// The port that it listens on.
    ///
    /// # Errors
    /// Never, for its URL has one.
    pub fn port(&self) -> Result<u16, TestkitError> {
        let port = url::Url::parse(&self.admin_url).ok().and_then(|url| url.port());
        port.ok_or_else(|| TestkitError::Url { url: self.admin_url.clone() })
    }

    /// Path of one of the programs that come with PostgreSQL, of the version that this server is of.
    ///
    /// # Errors
    /// When it is missing.
    pub fn program(&self, name: &str) -> Result<PathBuf, TestkitError> {
        program::find_postgres(name)
    }

    /// URL of the administrator's database, for [`POSTGRES_VARIABLE`](crate::POSTGRES_VARIABLE).
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// Stops the server without waiting for its clients.
    fn stop(&mut self) -> Result<(), TestkitError> {
        let mut pg_ctl = self.account.command(&program::find_postgres("pg_ctl")?, "KILL")?;
        pg_ctl.arg("stop").arg("--pgdata").arg(self.folder.join("data")).args(["--mode=immediate", "--wait"]);
        program::run(pg_ctl.current_dir("/"), "")?;
        Ok(())
    }
}

/// The command that serves this data on this port.
fn server_command(
    account: ServerAccount,
    data: &Path,
    port: u16,
    settings: &[&str],
) -> Result<Command, TestkitError> {
    let mut postgres = account.command(&program::find_postgres("postgres")?, "QUIT")?;
    postgres.arg("-D").arg(data).args(["-p", &port.to_string()]).current_dir("/");
    for setting in PLACE.iter().chain(settings) {
        postgres.args(["-c", setting]);
    }
    Ok(postgres)
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A killed postmaster leaves a shared-memory segment behind, hence the better-mannered way first.
        if self.stop().is_err() {
            self.child.kill().unwrap_or_default();
        }
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use url::Url;

    use super::*;

    /// The server answers while the value lives; when it is dropped, the port and the folder are gone.
    #[test]
    fn a_server_lives_as_long_as_its_value() {
        let server = Postgres::start().unwrap();
        let port = Url::parse(server.admin_url()).unwrap().port().unwrap();
        let folder = server.folder.join("");
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(folder.exists());

        drop(server);

        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!folder.exists());
    }

    /// What was committed before a crash is there after it, on the same port.
    #[test]
    fn a_crash_loses_nothing_that_was_committed() {
        let mut server = Postgres::start_to_crash().unwrap();
        let url = server.admin_url().to_owned();
        let ask = |server: &Postgres, sql: &str| {
            let mut psql = Command::new(server.program("psql").unwrap());
            psql.args(["-X", "-q", "-A", "-t", "-c", sql]).arg(&url);
            program::run(&mut psql, "").unwrap()
        };
        ask(&server, "create table t (a integer); insert into t values (42);");
        server.crash().unwrap();
        assert_eq!(ask(&server, "select a from t"), "42\n");
    }

    /// What is measured must be what an untuned server costs; what only tests wants to be quick.
    #[test]
    fn only_a_server_for_tests_risks_its_data() {
        for (server, fsync) in
            [(Postgres::start().unwrap(), "off\n"), (Postgres::start_untuned().unwrap(), "on\n")]
        {
            let mut psql = Command::new(server.program("psql").unwrap());
            psql.args(["-X", "-q", "-A", "-t", "-c", "show fsync"]).arg(server.admin_url());
            assert_eq!(program::run(&mut psql, "").unwrap(), fsync);
        }
    }
}
