//! The throw-away PostgreSQL server that a benchmark runs on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use annals_testkit::Postgres;
use anyhow::{Context, Result, ensure};

use super::processes::Family;

/// What decides how much a write costs, printed beside the figures.
const SETTINGS: &str = "server_version, fsync, synchronous_commit, full_page_writes, wal_level, wal_compression, \
                        shared_buffers, work_mem, max_wal_size, checkpoint_timeout, autovacuum, jit, \
                        max_parallel_workers_per_gather";

/// How long the server may take to see that a client has gone.
const CLIENTS_GONE_WITHIN: Duration = Duration::from_secs(10);

/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What stands in the title of a process that serves a client; the client's port follows.
const CLIENT_MARK: &str = " 127.0.0.1(";

/// A server with PostgreSQL's own defaults. It ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    /// URL without a database.
    base: String,
    psql: PathBuf,
    pg_dump: PathBuf,
    processes: Family,
    _postgres: Postgres,
}

/// A place in the write-ahead log.
#[derive(Debug, Clone)]
pub(crate) struct WalPosition(String);

impl Server {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let postgres = Postgres::start_untuned().context("cannot start PostgreSQL for the benchmark")?;
        let (psql, pg_dump) = (postgres.program("psql")?, postgres.program("pg_dump")?);
        let admin_url = postgres.admin_url();
        // A process that lives as long as the server, whose parent is the server's first process.
        let checkpointer = "select pid from pg_stat_activity where backend_type = 'checkpointer'";
        let checkpointer = ask(&psql, admin_url, checkpointer)?.trim().parse();
        let processes = Family::of_parent_of(checkpointer.context("the server has no checkpointer")?)?;
        let base = admin_url.trim_end_matches("/postgres").to_owned();
        Ok(Self { base, psql, pg_dump, processes, _postgres: postgres })
    }

    /// URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Runs statements in a database and returns what they print: a line a row, columns parted by tabs.
    pub(crate) fn sql(&self, database: &str, statements: &str) -> Result<String> {
        ask(&self.psql, &self.url(database), statements)
    }

    /// Makes a database, empty or as another one is; one of this name is dropped first.
    pub(crate) fn make_database(&self, name: &str, like: Option<&str>) -> Result<()> {
        let template = like.map(|other| format!(" template {other}")).unwrap_or_default();
        self.sql("postgres", &format!("drop database if exists {name} with (force)"))?;
        self.sql("postgres", &format!("create database {name}{template}")).map(drop)
    }

    /// A command that runs `psql` on a database, not yet started.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut command = psql(&self.psql, &self.url(database));
        command.stdin(Stdio::null());
        command
    }

    /// A command that prints a database's tables as a script for `psql`: columns alone, without keys and indexes.
    pub(crate) fn table_definitions(&self, database: &str) -> Command {
        let mut command = Command::new(&self.pg_dump);
        command.args(["--section=pre-data", "--no-owner", "--dbname"]).arg(self.url(database));
        command.stdin(Stdio::null());
        command
    }

    /// The settings that the figures depend on.
    pub(crate) fn settings(&self) -> Result<BTreeMap<String, String>> {
        let list = format!("string_to_array('{SETTINGS}', ', ')");
        let query = format!("select name, current_setting(name) from unnest({list}) as name");
        let rows = self.sql("postgres", &query)?;
        let pairs = rows.lines().filter_map(|row| row.split_once('\t'));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Today's date by the server's clock.
    pub(crate) fn date(&self) -> Result<String> {
        Ok(self.sql("postgres", "select current_date")?.trim().to_owned())
    }

    /// Writes what earlier steps have left in memory, so that no step pays for another one.
    pub(crate) fn settle(&self) -> Result<()> {
        self.sql("postgres", "checkpoint").map(drop)
    }

    /// Waits until the processes that served clients have ended, for only then is their work on record.
    pub(crate) fn wait_for_clients(&self) -> Result<()> {
        let begun = Instant::now();
        while self.processes.titles()?.iter().any(|title| title.is_empty() || title.contains(CLIENT_MARK)) {
            ensure!(begun.elapsed() < CLIENTS_GONE_WITHIN, "a client of the server does not go away");
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// CPU time that the server has spent since it was started.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.processes.cpu()
    }

    /// Where the write-ahead log ends.
    pub(crate) fn wal_position(&self) -> Result<WalPosition> {
        Ok(WalPosition(self.sql("postgres", "select pg_current_wal_lsn()")?.trim().to_owned()))
    }

    /// Bytes that were added to the write-ahead log since.
    pub(crate) fn wal_bytes_since(&self, position: &WalPosition) -> Result<u64> {
        let query = format!("select pg_wal_lsn_diff(pg_current_wal_lsn(), '{}')", position.0);
        self.sql("postgres", &query)?.trim().parse().context("the server tells no position of its log")
    }
}

fn psql(program: &Path, url: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]).arg(url);
    command
}

fn ask(program: &Path, url: &str, statements: &str) -> Result<String> {
    printed(psql(program, url).args(["-c", statements]))
}

/// The standard output of a program that succeeds; what it says on its standard error is the error.
pub(crate) fn printed(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{name}`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{name}` failed ({}): {}", output.status, said.trim());
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` printed no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client does counts when it has gone, and its writes stand in the log.
    #[test]
    fn the_servers_work_is_on_record() {
        let server = Server::start().unwrap();
        assert_eq!(server.settings().unwrap()["fsync"], "on");
        server.make_database("one", None).unwrap();
        server.settle().unwrap();
        let wal = server.wal_position().unwrap();
        server.wait_for_clients().unwrap();
        let cpu = server.cpu().unwrap();
        let rows = "create table t as select n, md5(n::text) as m from generate_series(1, 200000) as n";
        server.sql("one", rows).unwrap();
        server.wait_for_clients().unwrap();
        assert!(server.cpu().unwrap() > cpu);
        // 200,000 rows of a number and 32 characters.
        assert!(server.wal_bytes_since(&wal).unwrap() > 200_000 * 36);

        server.make_database("two", Some("one")).unwrap();
        assert_eq!(server.sql("two", "select count(*) from t").unwrap(), "200000\n");
    }

    #[test]
    fn a_statement_that_fails_says_why() {
        let server = Server::start().unwrap();
        let error = server.sql("postgres", "select 1 from nowhere").unwrap_err().to_string();
        assert!(error.contains("relation \"nowhere\" does not exist"), "{error}");
    }
}
