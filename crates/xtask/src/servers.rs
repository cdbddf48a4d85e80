//! The database servers that all tests share.

use std::env;
use std::io::Write;

use annals_testkit::{MARIADB_VARIABLE, MariaDb, POSTGRES_VARIABLE, Postgres};
use anyhow::{Context, Result};

use crate::interrupt::Interrupts;
use crate::setup;

/// One PostgreSQL and one MariaDB server; they end with this value.
#[derive(Debug)]
pub(crate) struct Servers {
    postgres: Option<Postgres>,
    mariadb: Option<MariaDb>,
}

impl Servers {
    /// Starts those servers that the environment does not name already, as it does beside `cargo x databases`.
    pub(crate) fn missing() -> Result<Self> {
        Self::start(!is_named(POSTGRES_VARIABLE), !is_named(MARIADB_VARIABLE))
    }

    /// Whether the environment names all of them.
    pub(crate) fn are_named() -> bool {
        is_named(POSTGRES_VARIABLE) && is_named(MARIADB_VARIABLE)
    }

    /// Starts these servers: about two seconds for both.
    fn start(postgres: bool, mariadb: bool) -> Result<Self> {
        let postgres = postgres.then(Postgres::start).transpose();
        let mariadb = mariadb.then(MariaDb::start).transpose();
        Ok(Self {
            postgres: postgres.context("cannot start PostgreSQL for the tests")?,
            mariadb: mariadb.context("cannot start MariaDB for the tests")?,
        })
    }

    /// The variables that tell tests where these servers are.
    pub(crate) fn environment(&self) -> Vec<(&'static str, &str)> {
        let postgres = self.postgres.as_ref().map(|server| (POSTGRES_VARIABLE, server.admin_url()));
        let mariadb = self.mariadb.as_ref().map(|server| (MARIADB_VARIABLE, server.admin_url()));
        postgres.into_iter().chain(mariadb).collect()
    }
}

fn is_named(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Keeps servers up until a signal comes, and says what to set so that `cargo test` finds them.
pub(crate) fn hold() -> Result<()> {
    setup::run()?;
    let interrupts = Interrupts::watch()?;
    let servers = Servers::start(true, true)?;
    let mut stdout = std::io::stdout().lock();
    for (variable, url) in servers.environment() {
        writeln!(stdout, "export {variable}={url}")?;
    }
    stdout.flush()?;
    eprintln!(
        "the servers are up until Ctrl-C; set these variables in another shell, and `cargo test` uses them"
    );
    interrupts.wait();
    Ok(())
}
