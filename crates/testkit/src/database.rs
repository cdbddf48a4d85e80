//! Databases to test on, each empty, each gone when its test ends.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use url::Url;

use crate::{Engine, MARIADB_VARIABLE, POSTGRES_VARIABLE, TestkitError, program};

/// A database of its own for one test, dropped with this value even while connections to it are open.
#[derive(Debug)]
pub struct TestDb {
    engine: Engine,
    url: Url,
    home: Home,
}

/// Where a database lives, which is what must be told to remove it.
#[derive(Debug)]
enum Home {
    /// A file in this folder.
    Folder(#[expect(dead_code, reason = "held because dropping it removes the folder")] TempDir),
    /// A database of the server with this administrator's URL.
    Server(Url),
}

/// Makes an empty database: `postgres://user@127.0.0.1:port/name`, `mysql://...` likewise, or `sqlite:///path/file.db`
/// for a file that does not exist yet.
///
/// # Panics
/// When the engine's server is missing (the message says how to get one) or refuses.
#[track_caller]
pub fn database(engine: Engine) -> TestDb {
    match make(engine) {
        Ok(db) => db,
        Err(error) => panic!("{error}"),
    }
}

/// Makes an empty database on the server that the environment names.
fn make(engine: Engine) -> Result<TestDb, TestkitError> {
    let variable = match engine {
        Engine::Sqlite => return make_file(),
        Engine::Postgres => POSTGRES_VARIABLE,
        Engine::MariaDb => MARIADB_VARIABLE,
    };
    make_on(engine, &admin_url(engine, variable, server_named_by(variable))?)
}

/// A folder for a database file.
fn make_file() -> Result<TestDb, TestkitError> {
    let folder = TempDir::with_prefix("annals-sqlite-")
        .map_err(TestkitError::io("cannot make a folder for a database file"))?;
    let text = format!("sqlite://{}", folder.path().join("test.db").display());
    let url = Url::parse(&text).map_err(|_| TestkitError::Url { url: text })?;
    Ok(TestDb { engine: Engine::Sqlite, url, home: Home::Folder(folder) })
}

/// An empty database on this server.
fn make_on(engine: Engine, admin: &Url) -> Result<TestDb, TestkitError> {
    let name = fresh_name();
    let statement = match engine {
        Engine::MariaDb => {
            format!("create database {name} character set utf8mb4 collate utf8mb4_general_ci;")
        }
        Engine::Sqlite | Engine::Postgres => format!("create database {name};"),
    };
    run_sql(engine, admin, &statement)?;
    let mut url = admin.clone();
    url.set_path(&name);
    Ok(TestDb { engine, url, home: Home::Server(admin.clone()) })
}

/// A copy of a database that nobody is connected to.
fn make_like(other: &TestDb) -> Result<TestDb, TestkitError> {
    let Home::Server(admin) = &other.home else {
        let copy = make_file()?;
        // With its log, which whoever was killed has left.
        for log in ["", "-wal"] {
            let file = format!("{}{log}", other.url.path());
            if std::path::Path::new(&file).exists() {
                std::fs::copy(&file, format!("{}{log}", copy.url.path()))
                    .map_err(TestkitError::io(format!("cannot copy {file}")))?;
            }
        }
        return Ok(copy);
    };
    let name = fresh_name();
    let template = other.url.path().trim_start_matches('/');
    run_sql(other.engine, admin, &format!("create database {name} template {template};"))?;
    let mut url = admin.clone();
    url.set_path(&name);
    Ok(TestDb { engine: other.engine, url, home: Home::Server(admin.clone()) })
}

/// What the environment says about the server.
#[expect(
    clippy::disallowed_methods,
    reason = "how `cargo x test` tells test processes where their servers are"
)]
fn server_named_by(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// The administrator's URL out of the variable's value.
fn admin_url(engine: Engine, variable: &'static str, value: Option<String>) -> Result<Url, TestkitError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Err(TestkitError::NoServer { variable, engine: engine.to_string() });
    };
    match Url::parse(&value) {
        Ok(url) if url.has_host() => Ok(url),
        _ => Err(TestkitError::Url { url: value }),
    }
}

/// A name that no other test has, in this process or another one.
fn fresh_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let nth = MADE.fetch_add(1, Ordering::Relaxed);
    // Process ids come round again, so a random part is added; hashing with fresh keys is the standard library's.
    let random = RandomState::new().build_hasher().finish();
    format!("annals_{}_{nth}_{random:016x}", std::process::id())
}

/// Runs statements by the engine's own program on the database of this URL.
fn run_sql(engine: Engine, url: &Url, sql: &str) -> Result<String, TestkitError> {
    let mut command = match engine {
        Engine::Sqlite => {
            let mut sqlite = Command::new(program::find("sqlite3")?);
            // Another connection may be folding its log into the file at this moment.
            sqlite.args(["-batch", "-bail", "-separator", "\t", "-cmd", ".timeout 20000"]).arg(url.path());
            sqlite
        }
        Engine::Postgres => {
            let mut psql = Command::new(program::find_postgres("psql")?);
            psql.args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-f", "-"])
                .arg(url.as_str());
            psql
        }
        Engine::MariaDb => {
            let mut mariadb = Command::new(program::find("mariadb")?);
            mariadb.args([
                "--no-defaults",
                "--default-character-set=utf8mb4",
                "--batch",
                "--skip-column-names",
            ]);
            mariadb.arg(format!("--host={}", url.host_str().unwrap_or("127.0.0.1")));
            mariadb.arg(format!("--port={}", url.port().unwrap_or(3306)));
            mariadb.arg(format!("--user={}", url.username()));
            if let Some(password) = url.password() {
                mariadb.env("MYSQL_PWD", password);
            }
            mariadb.arg(url.path().trim_start_matches('/'));
            mariadb
        }
    };
    program::run(&mut command, sql)
}

impl TestDb {
    /// The engine that holds it.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Another database that holds what this one holds, on SQLite and PostgreSQL. Nobody may be connected to this one.
    ///
    /// # Panics
    /// When the engine refuses; the message is its own.
    #[track_caller]
    pub fn copy(&self) -> Self {
        match make_like(self) {
            Ok(db) => db,
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs statements by the engine's own program and returns what it prints: a line a row, columns parted by tabs.
    /// A way to load a schema, and to look at what was written, that does not go through the code under test. NULL
    /// reads as nothing on SQLite and PostgreSQL and as `NULL` on MariaDB.
    ///
    /// # Panics
    /// When the program is missing or a statement fails; the message is the engine's.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        match run_sql(self.engine, &self.url, statements) {
            Ok(printed) => printed,
            Err(error) => panic!("{error}"),
        }
    }

    /// The URL in its parts, for tools that want them apart.
    pub(crate) fn parsed_url(&self) -> &Url {
        &self.url
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Home::Server(admin) = &self.home else { return };
        let name = self.url.path().trim_start_matches('/');
        let statements = match self.engine {
            // Somebody may have left a transaction open, and MariaDB waits for it: a day, were it not told otherwise.
            Engine::MariaDb => format!("set lock_wait_timeout = 1; drop database {name};"),
            Engine::Sqlite | Engine::Postgres => format!("drop database {name} with (force);"),
        };
        if let Err(error) = run_sql(self.engine, admin, &statements) {
            // The server goes away after the tests, and this database with it: worth a word, not a failure.
            eprintln!("database {name} stays until its server ends: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_engines;

    /// Each database is there, holds what is written, and is apart from the next one.
    #[test]
    fn a_database_is_one_tests_own() {
        for engine in source_engines() {
            let (one, two) = (database(engine), database(engine));
            assert_ne!(one.url(), two.url());
            one.sql("create table t (a integer, b varchar(20)); insert into t values (1, 'Zoë'), (2, 'b');");
            two.sql("create table t (a integer);");
            assert_eq!(one.sql("select a, b from t order by a;"), "1\tZoë\n2\tb\n", "{engine}");
            assert_eq!(two.sql("select count(*) from t;"), "0\n", "{engine}");
        }
    }

    #[test]
    fn a_url_has_the_form_that_drivers_take() {
        let starts = |engine, start: &str| {
            let db = database(engine);
            assert!(db.url().starts_with(start), "{}", db.url());
            assert_eq!(db.engine(), engine);
        };
        starts(Engine::Sqlite, "sqlite:///");
        starts(Engine::Postgres, "postgres://");
        starts(Engine::MariaDb, "mysql://");
    }

    /// A copy holds what was there, and goes its own way.
    #[test]
    fn a_copy_goes_its_own_way() {
        for engine in crate::history_engines() {
            let one = database(engine);
            one.sql("create table t (a integer); insert into t values (1);");
            let copy = one.copy();
            copy.sql("insert into t values (2);");
            assert_eq!(copy.sql("select a from t order by a;"), "1\n2\n", "{engine}");
            assert_eq!(one.sql("select a from t order by a;"), "1\n", "{engine}");
        }
    }

    /// Dropping the value drops the database, an open connection notwithstanding.
    #[test]
    fn a_database_is_gone_with_its_value() {
        for (engine, catalogue) in [
            (Engine::Postgres, "select count(*) from pg_database where datname = "),
            (Engine::MariaDb, "select count(*) from information_schema.schemata where schema_name = "),
        ] {
            let watcher = database(engine);
            let db = database(engine);
            let count = format!("{catalogue}'{}';", db.url.path().trim_start_matches('/'));
            assert_eq!(watcher.sql(&count), "1\n", "{engine}");
            drop(db);
            assert_eq!(watcher.sql(&count), "0\n", "{engine}");
        }
        let file = database(Engine::Sqlite);
        file.sql("create table t (a integer);");
        let path = std::path::PathBuf::from(file.url.path());
        assert!(path.exists());
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_missing_server_fails_and_says_what_to_run() {
        let error = admin_url(Engine::MariaDb, MARIADB_VARIABLE, None).unwrap_err().to_string();
        assert!(error.contains("ANNALS_TEST_MARIADB is not set"), "{error}");
        assert!(error.contains("MariaDB") && error.contains("cargo x test"), "{error}");
        let empty = admin_url(Engine::Postgres, POSTGRES_VARIABLE, Some(String::new()));
        assert!(matches!(empty, Err(TestkitError::NoServer { .. })));
    }

    #[test]
    fn a_url_without_a_server_is_refused() {
        let error = admin_url(Engine::Postgres, POSTGRES_VARIABLE, Some("postgres".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "postgres is not a URL of a database server");
    }

    #[test]
    #[should_panic(expected = "no_such_table")]
    fn a_failing_statement_fails_the_test() {
        database(Engine::Postgres).sql("select 1 from no_such_table;");
    }
}
