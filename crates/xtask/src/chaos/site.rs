//! What is tormented: two database servers, an identity system on one, history on the other, and hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use annals_testkit::Postgres;
use anyhow::{Context, Result};

use super::host::{Host, Places};
use crate::bench::printed;
use crate::root::Root;

/// How long a lease is.
pub(super) const LEASE_S: u64 = 3;

/// The tasks, each with the object types that it reads and how often it is planned.
pub(super) const TASKS: [(&str, &str, &str); 2] = [
    (
        "People",
        "identity account entitlement workgroup",
        "{everySeconds: 4, catchUp: all, overlap: buffer-one}",
    ),
    (
        "Governance",
        "role capability managedAttribute objectConfig identityRequest identityRequestItem certification \
         certificationRemediation policyViolation policyViolationRemediation",
        "{everySeconds: 5, catchUp: one, overlap: skip}",
    ),
];

/// Hosts, by how many seconds their clocks are off; nothing: the clock of the machine.
const CLOCKS_OFF_S: [Option<i64>; 3] = [None, Some(600), Some(-600)];

/// The key of masks, which the checker is told.
pub(super) const SECRET_HASH_KEY: &str = "a-key-for-chaos-alone";

/// When the generated identity system begins, long before now.
const START: &str = "2026-01-05T00:00:00Z";

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    History,
    Source,
}

impl Server {
    pub(super) const BOTH: [Self; 2] = [Self::History, Self::Source];

    /// Its name, and that of the database on it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Source => "source",
        }
    }
}

/// All of it. Hosts stand before servers, so that they end first.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) hosts: Vec<Host>,
    history: Postgres,
    source: Postgres,
    program: PathBuf,
    folder: PathBuf,
}

impl Site {
    /// Makes the identity system, an empty history and the hosts, which do not serve yet.
    pub(super) fn make(root: &Root, program: &Path, folder: &Path, size: u32, seed: u64) -> Result<Self> {
        let start = || Postgres::start_to_crash().context("cannot start PostgreSQL");
        let (history, source) = (start()?, start()?);
        let mut site = Self {
            hosts: Vec::new(),
            history,
            source,
            program: program.to_owned(),
            folder: folder.to_owned(),
        };
        for server in Server::BOTH {
            site.sql_in(server, "postgres", &format!("create database {}", server.name()))?;
        }
        let mut world = Command::new(program);
        world.args(["demo", "source", "--start", START, "--url", &site.url(Server::Source)]);
        printed(world.args(["--identities", &size.to_string(), "--seed", &seed.to_string()]))?;
        printed(site.python(root, "writer.py").args(["prepare", &site.url(Server::Source)]))?;
        let places =
            Places { program, folder, history_port: site.history.port()?, source_port: site.source.port()? };
        for (number, off_s) in CLOCKS_OFF_S.into_iter().enumerate() {
            let host = Host::new(number + 1, places, off_s)?;
            let urls = [
                url(host.history.port(), Server::History.name()),
                url(host.source.port(), Server::Source.name()),
            ];
            site.configure(host.config(), &urls)?;
            site.hosts.push(host);
        }
        let hand = site.by_hand_config();
        site.configure(&hand, &Server::BOTH.map(|server| site.url(server)))?;
        printed(&mut site.by_hand(&["migrate"]))?;
        Ok(site)
    }

    /// Writes a configuration.
    fn configure(&self, config: &Path, [history, source]: &[String; 2]) -> Result<()> {
        printed(Command::new(&self.program).arg("init").arg(config))?;
        let write = |name: &str, text: String| {
            fs::write(config.join(name), text).with_context(|| format!("cannot write {name}"))
        };
        for old in ["tasks/dispatch-access-history.yaml", "extract/AccessHistoryExportConfig.yaml"] {
            fs::remove_file(config.join(old)).with_context(|| format!("cannot remove {old}"))?;
        }
        for (task, types, schedule) in TASKS {
            let types: Vec<String> =
                types.split_whitespace().map(|name| format!("  {name}: {{}}\n")).collect();
            write(
                &format!("extract/{task}.yaml"),
                format!(
                    "name: {task}\ntransformConfigurationName: AccessHistoryImageConfig\nextractedObjects:\n{}",
                    types.concat()
                ),
            )?;
            write(
                &format!("tasks/{task}.yaml"),
                format!(
                    "name: {task}\nschedule: {schedule}\nextractConfiguration: {task}\narguments: {{lossLimit: 10}}\n"
                ),
            )?;
        }
        write(
            "annals.yaml",
            format!(
                "accessHistoryEnabled: true\n\
                 source: {{profile: identityiq, url: \"{source}\", overlapSeconds: 0}}\n\
                 history: {{url: \"{history}\"}}\n\
                 leaseSeconds: {LEASE_S}\nworkerSlots: 3\nsecretHashKey: {SECRET_HASH_KEY}\n\
                 capture: {{jsonFormat: ZIPPED, maxAllowedPatches: 3}}\n\
                 queue: {{batchObjectsMax: 5, redeliveryDelaySeconds: 1}}\n"
            ),
        )?;
        printed(Command::new(&self.program).arg("check").arg("--config").arg(config)).map(drop)
    }

    /// URL of a server's database, past all proxies.
    pub(super) fn url(&self, server: Server) -> String {
        self.url_in(server, server.name())
    }

    /// URL of this database of a server.
    pub(super) fn url_in(&self, server: Server, database: &str) -> String {
        let base = self.server(server).admin_url();
        format!("{}/{database}", base.trim_end_matches("/postgres"))
    }

    /// What statements on a server's own database print.
    pub(super) fn sql(&self, server: Server, sql: &str) -> Result<String> {
        self.sql_in(server, server.name(), sql)
    }

    /// What statements on this database of a server print.
    pub(super) fn sql_in(&self, server: Server, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.server(server).program("psql")?);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        Ok(printed(psql.arg(self.url_in(server, database)))?.trim_end().to_owned())
    }

    /// Ends a server as a fault would, and starts it again.
    pub(super) fn crash(&mut self, server: Server) -> Result<()> {
        match server {
            Server::History => self.history.crash(),
            Server::Source => self.source.crash(),
        }
        .with_context(|| format!("cannot restart the {} server", server.name()))
    }

    /// Writes both databases into the folder of this run, as SQL.
    pub(super) fn dump(&self) -> Result<()> {
        for server in Server::BOTH {
            let mut pg_dump = Command::new(self.server(server).program("pg_dump")?);
            pg_dump.arg("--file").arg(self.file(&format!("{}.sql", server.name())));
            printed(pg_dump.arg(self.url(server)))?;
        }
        Ok(())
    }

    /// The program as somebody calls it by hand, on a host whose ways and clock are right.
    pub(super) fn by_hand(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "--"]).arg(&self.program).args(arguments);
        command.arg("--config").arg(self.by_hand_config());
        command.env_remove("ANNALS_LOG").env_remove("ANNALS_CONFIG").stdin(Stdio::null());
        command
    }

    /// One of the programs in tests/chaos.
    pub(super) fn python(&self, root: &Root, program: &str) -> Command {
        // Debian's own, for which it has the driver.
        let mut python = Command::new("/usr/bin/python3");
        python.arg(root.folder().join("tests/chaos").join(program)).env("PYTHONDONTWRITEBYTECODE", "1");
        python
    }

    /// A file in the folder of this run.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn by_hand_config(&self) -> PathBuf {
        self.file("by-hand")
    }

    fn server(&self, server: Server) -> &Postgres {
        match server {
            Server::History => &self.history,
            Server::Source => &self.source,
        }
    }
}

/// URL of a database behind a port.
fn url(port: u16, database: &str) -> String {
    format!("postgres://annals@127.0.0.1:{port}/{database}")
}
