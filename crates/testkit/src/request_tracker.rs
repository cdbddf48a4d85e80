//! Request Tracker 5, an identity system that nobody here designed: its databases, changed by its own program.
//!
//! Debian's packages hold the program; `cargo x setup` installs them. A database is made by `rt-setup-database-5`, and
//! everything that happens in it afterwards is done by Request Tracker's own Perl code, so that the rows, times,
//! transactions and cached memberships are those of a real installation. No web server runs, no file outside a
//! temporary folder is read or written.

mod acts;
mod session;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

pub use acts::{Acts, Principal, Scope};

use self::session::Session;
use crate::{Engine, TestDb, TestkitError, database, program};

/// The tool that makes a database, where Debian's package puts it: for root's path only.
const SETUP_TOOL: &str = "rt-setup-database-5";

/// Debian's Perl: the modules that Request Tracker needs are installed for this one.
const PERL: &str = "/usr/bin/perl";

/// A seeded Request Tracker database for one test. In it are the users `RT_System`, `Nobody` and `root`, who may do
/// everything, the queue `General`, and no group that an administrator made.
#[derive(Debug)]
pub struct RequestTracker {
    /// Begun by the first acts. Stands before the database, so that it is gone when that is dropped.
    session: Mutex<Option<Session>>,
    db: TestDb,
    site: TempDir,
}

impl RequestTracker {
    /// Makes a database of this engine and seeds it: a second or two.
    ///
    /// # Panics
    /// When Request Tracker or the engine's server is missing, or the tool fails.
    #[track_caller]
    pub fn start(engine: Engine) -> Self {
        match Self::make(engine) {
            Ok(tracker) => tracker,
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes the database and the configuration, and seeds.
    fn make(engine: Engine) -> Result<Self, TestkitError> {
        let site = TempDir::with_prefix("annals-request-tracker-")
            .map_err(TestkitError::io("cannot make a folder for Request Tracker"))?;
        let tracker = Self { session: Mutex::new(None), db: database(engine), site };
        let writing = "cannot write Request Tracker's configuration";
        fs::write(tracker.site.path().join("site.pm"), site_configuration(&tracker.db))
            .map_err(TestkitError::io(writing))?;
        fs::create_dir(tracker.site.path().join("site.d")).map_err(TestkitError::io(writing))?;
        let mut setup = tracker.command(&program::find(SETUP_TOOL)?);
        // The database is there already, and its owner is the user that Request Tracker connects as.
        setup.args(["--action", "init", "--skip-create"]);
        program::run(setup.args(["--dba", tracker.db.parsed_url().username(), "--dba-password", ""]), "")?;
        Ok(tracker)
    }

    /// URL of the database, as an administrator would give it to us.
    pub fn url(&self) -> &str {
        self.db.url()
    }

    /// The database, to look into it.
    pub fn db(&self) -> &TestDb {
        &self.db
    }

    /// A list of acts to be done one after another. The first of all takes a second, the others next to nothing.
    pub fn acts(&self) -> Acts<'_> {
        Acts::of(self)
    }

    /// Id of the user of this name: their own in `Users` and as a principal.
    ///
    /// # Panics
    /// When there is none.
    pub fn user_id(&self, name: &str) -> i64 {
        self.id_of("Users", &format!("Name = '{}'", quoted(name)))
    }

    /// Id of the group of this name that an administrator made.
    ///
    /// # Panics
    /// When there is none.
    pub fn group_id(&self, name: &str) -> i64 {
        self.id_of("Groups", &format!("Domain = 'UserDefined' and Name = '{}'", quoted(name)))
    }

    /// The one id that a condition leads to.
    fn id_of(&self, table: &str, condition: &str) -> i64 {
        let printed = self.db.sql(&format!("select id from {table} where {condition};"));
        let id = printed.trim().parse();
        id.unwrap_or_else(|_| panic!("no single row of {table} where {condition}: {printed:?}"))
    }

    /// Does acts, each in JSON on a line, up to the first that is refused.
    fn perform(&self, acts: &[String]) -> Result<(), TestkitError> {
        // A test that failed in the middle of an act has already said so.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match session.take() {
            Some(open) => open,
            None => Session::open(self.command(Path::new(PERL)), &self.site.path().join("acts.log"))?,
        };
        let open = session.insert(open);
        acts.iter().try_for_each(|act| open.act(act))
    }

    /// A command whose Request Tracker is the one of this database and none of `/etc`.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("RT_SITE_CONFIG", self.site.path().join("site.pm"));
        command.env("RT_SITE_CONFIG_DIR", self.site.path().join("site.d"));
        command
    }
}

/// Text for between quotation marks in SQL.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

/// Request Tracker's configuration for a database.
fn site_configuration(db: &TestDb) -> String {
    let url = db.parsed_url();
    let (kind, name) = match db.engine() {
        Engine::Sqlite => ("SQLite", url.path()),
        Engine::Postgres => ("Pg", url.path().trim_start_matches('/')),
        Engine::MariaDb => ("mysql", url.path().trim_start_matches('/')),
    };
    let port = url.port().map(|port| port.to_string()).unwrap_or_default();
    [
        ("DatabaseType", kind),
        ("DatabaseName", name),
        ("DatabaseHost", url.host_str().unwrap_or_default()),
        ("DatabasePort", &port),
        ("DatabaseUser", url.username()),
        ("DatabasePassword", url.password().unwrap_or_default()),
        ("rtname", "annals.test"),
        ("Organization", "annals.test"),
        ("Timezone", "UTC"),
        ("WebDomain", "localhost"),
        ("MailCommand", "testfile"),
        ("HTMLFormatter", "core"),
        ("LogToSTDERR", "error"),
        ("LogToSyslog", ""),
        ("LogToFile", ""),
    ]
    .iter()
    .map(|(name, value)| format!("Set(${name}, {});\n", perl_text(value)))
    .chain(["1;\n".to_owned()])
    .collect()
}

/// Text as Perl writes it: a path or password with a quotation mark in it must not end the string.
fn perl_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests;
