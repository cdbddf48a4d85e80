//! A throw-away MariaDB server.

use std::fs;
use std::process::Child;

use crate::account::ServerAccount;
use crate::server::{self, ServerFolder};
use crate::{TestkitError, program};

/// A MariaDB server of its own, on a free port of 127.0.0.1, whose data lasts as long as this value. The server also
/// ends when the thread that started it ends, however that happens.
#[derive(Debug)]
pub struct MariaDb {
    child: Child,
    _folder: ServerFolder,
    admin_url: String,
}

/// Makes the administrator, who has no password, for the server listens on 127.0.0.1 alone. A statement a line.
const INIT_SQL: &str = "create user if not exists annals@'127.0.0.1';\n\
                        grant all privileges on *.* to annals@'127.0.0.1' with grant option;\n";

/// Settings for tests: nothing needs to survive a power cut, and two cores are shared with the tests themselves.
const SETTINGS: [&str; 11] = [
    "--bind-address=127.0.0.1",
    // Relative to the data folder: an absolute path may be longer than a socket's name can be.
    "--socket=mariadb.sock",
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=32M",
    "--innodb-buffer-pool-size=128M",
    "--max-connections=200",
    "--character-set-server=utf8mb4",
    "--default-time-zone=+00:00",
    "--skip-log-bin",
];

impl MariaDb {
    /// Makes and starts a server and waits until it takes connections: about a second.
    ///
    /// # Errors
    /// When MariaDB's programs are missing or the server does not become ready.
    pub fn start() -> Result<Self, TestkitError> {
        Self::start_with(&[])
    }

    /// The same for a server that others can follow.
    ///
    /// # Errors
    /// When MariaDB's programs are missing or the server does not become ready.
    pub fn start_primary() -> Result<Self, TestkitError> {
        Self::start_with(&["--log-bin=changes", "--server-id=1"])
    }

    /// The same for one that can follow such a server, and does not yet.
    ///
    /// # Errors
    /// When MariaDB's programs are missing or the server does not become ready.
    pub fn start_replica() -> Result<Self, TestkitError> {
        Self::start_with(&["--server-id=2", "--skip-slave-start"])
    }

    fn start_with(settings: &[&str]) -> Result<Self, TestkitError> {
        let account = ServerAccount::for_server("mysql")?;
        let folder = ServerFolder::make("annals-mariadb-", account)?;
        // Its own folder for temporary files as well: the usual one need not be writable for its account.
        let data = format!("--datadir={}", folder.join("data").display());
        let temporary = format!("--tmpdir={}", folder.join("").display());
        let mut install = account.command(&program::find("mariadb-install-db")?, "KILL")?;
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        program::run(install.args([&data, &temporary, "--innodb-log-file-size=32M"]).current_dir("/"), "")?;

        let init_path = folder.join("init.sql");
        fs::write(&init_path, INIT_SQL)
            .map_err(TestkitError::io("cannot write MariaDB's first statements"))?;
        account.own(&init_path)?;
        let init = format!("--init-file={}", init_path.display());
        let program = program::find("mariadbd")?;
        let command = |port: u16| {
            let mut mariadbd = account.command(&program, "KILL")?;
            mariadbd.args(["--no-defaults", &data, &temporary, &init]).args(SETTINGS).args(settings);
            mariadbd.current_dir("/");
            mariadbd.arg(format!("--port={port}"));
            Ok(mariadbd)
        };
        let ready = "ready for connections";
        let (child, port) = server::start("MariaDB", command, &folder.join("server.log"), ready)?;
        Ok(Self { child, _folder: folder, admin_url: format!("mysql://annals@127.0.0.1:{port}/mysql") })
    }

    /// URL of the administrator's database, for [`MARIADB_VARIABLE`](crate::MARIADB_VARIABLE).
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        // One process with nothing to keep: killing it leaves no more behind than a shutdown would, and is quicker.
        self.child.kill().unwrap_or_default();
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
        let server = MariaDb::start().unwrap();
        let port = Url::parse(server.admin_url()).unwrap().port().unwrap();
        let folder = server._folder.join("");
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(folder.exists());

        drop(server);

        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!folder.exists());
    }
}
