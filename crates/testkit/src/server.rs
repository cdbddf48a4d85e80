//! What the throw-away servers have in common: a folder, a port, a log, and an end.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::TestkitError;
use crate::account::ServerAccount;

/// How long a server may take to say that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// How often a starting server's log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Lines of a server's log that an error quotes.
const LOG_LINES_QUOTED: usize = 15;

/// How many ports are tried.
const ATTEMPTS_MAX: u32 = 3;

/// What every server's log says when its port is not free.
const PORT_TAKEN: &str = "Address already in use";

/// Name of the file whose lock says that the folder's owner is alive.
const LOCK_FILE: &str = "owner.lock";

/// The temporary folder that a server lives in; removed when dropped.
#[derive(Debug)]
pub(crate) struct ServerFolder {
    folder: TempDir,
    _lock: File,
}

impl ServerFolder {
    /// Makes the folder for the account, after removing folders of the same prefix that killed processes left behind.
    pub(crate) fn make(prefix: &str, account: ServerAccount) -> Result<Self, TestkitError> {
        let parent = std::env::temp_dir();
        sweep(&parent, prefix);
        let folder = TempDir::with_prefix_in(prefix, &parent)
            .map_err(TestkitError::io("cannot make a folder for a database server"))?;
        // Locked before it has the name that a sweep looks for: no sweep ever sees it unlocked while we live.
        let draft = folder.path().join("owner.draft");
        let lock = File::create(&draft).map_err(TestkitError::io("cannot make a lock file"))?;
        lock.try_lock().map_err(|error| TestkitError::io("cannot take a lock")(error.into()))?;
        fs::rename(&draft, folder.path().join(LOCK_FILE))
            .map_err(TestkitError::io("cannot name a lock file"))?;
        account.own(folder.path())?;
        Ok(Self { folder, _lock: lock })
    }

    /// A path inside the folder.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Removes the folders whose owners are gone: the operating system has released their locks. What cannot be removed
/// belongs to somebody else and stays.
fn sweep(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)) {
        let Ok(lock) = File::open(entry.path().join(LOCK_FILE)) else { continue };
        if lock.try_lock().is_ok() {
            fs::remove_dir_all(entry.path()).unwrap_or_default();
        }
    }
}

/// Starts a server on a free port, and on another one when somebody took that meanwhile. The command is made for the
/// port; the server is ready when its log holds `ready_mark`.
pub(crate) fn start(
    server: &'static str,
    command: impl Fn(u16) -> Result<Command, TestkitError>,
    log_path: &Path,
    ready_mark: &str,
) -> Result<(Child, u16), TestkitError> {
    let mut attempt = 1;
    loop {
        let port = free_port()?;
        match start_once(server, command(port)?, log_path, ready_mark) {
            Err(TestkitError::NotReady { log, .. }) if attempt < ATTEMPTS_MAX && log.contains(PORT_TAKEN) => {
                attempt += 1;
            }
            outcome => return outcome.map(|child| (child, port)),
        }
    }
}

/// A port on 127.0.0.1 that nobody listened on a moment ago.
pub(crate) fn free_port() -> Result<u16, TestkitError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(TestkitError::io("cannot find a free port"))?;
    let address = listener.local_addr().map_err(TestkitError::io("cannot find a free port"))?;
    Ok(address.port())
}

/// Starts the command with its output in a log file and waits until the log holds `ready_mark`.
pub(crate) fn start_once(
    server: &'static str,
    mut command: Command,
    log_path: &Path,
    ready_mark: &str,
) -> Result<Child, TestkitError> {
    let log = File::create(log_path).map_err(TestkitError::io("cannot make a log file"))?;
    let log_again = log.try_clone().map_err(TestkitError::io("cannot make a log file"))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_again)
        .spawn()
        .map_err(TestkitError::io(format!("cannot start the {server} server")))?;
    let begun = Instant::now();
    let reason = loop {
        let text = fs::read_to_string(log_path).unwrap_or_default();
        if text.contains(ready_mark) {
            return Ok(child);
        }
        if let Ok(Some(status)) = child.try_wait() {
            break format!("it ended ({status})");
        }
        if begun.elapsed() > READY_WITHIN {
            child.kill().and_then(|()| child.wait()).map_err(TestkitError::io("cannot stop a server"))?;
            break format!("it took more than {} s", READY_WITHIN.as_secs());
        }
        thread::sleep(LOOK_EVERY);
    };
    let log = last_lines(&fs::read_to_string(log_path).unwrap_or_default(), LOG_LINES_QUOTED);
    Err(TestkitError::NotReady { server, reason, log })
}

/// The last lines of a text.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// A server that needs more attempts than it gets, or just as many, by way of a count kept in a file.
    fn taken_at_first(times: u32) -> Result<(), TestkitError> {
        let folder = TempDir::new().unwrap();
        let count = folder.path().join("count").display().to_string();
        let script = format!(
            "echo x >> {count}; if [ $(wc -l < {count}) -le {times} ]; then echo bind: {PORT_TAKEN}; exit 1; fi; \
             echo at your service; exec tail -f /dev/null"
        );
        let (mut child, _) =
            start("test", |_| Ok(shell(&script)), &folder.path().join("log"), "at your service")?;
        child.kill().unwrap();
        child.wait().unwrap();
        Ok(())
    }

    #[test]
    fn a_taken_port_is_exchanged_for_another_but_not_for_ever() {
        taken_at_first(2).unwrap();
        assert!(taken_at_first(3).unwrap_err().to_string().contains(PORT_TAKEN));
    }

    #[test]
    fn a_server_that_ends_at_once_is_reported_with_its_log() {
        let folder = TempDir::new().unwrap();
        let log_path = folder.path().join("log");
        let error = start_once("test", shell("echo no luck; exit 4"), &log_path, "ready").unwrap_err();
        let TestkitError::NotReady { reason, log, .. } = error else { panic!("another error: {error}") };
        assert_eq!((reason.as_str(), log.as_str()), ("it ended (exit status: 4)", "no luck"));
    }

    #[test]
    fn a_server_that_says_ready_is_handed_over_alive() {
        let folder = TempDir::new().unwrap();
        let log_path = folder.path().join("log");
        let mut child =
            start_once("test", shell("echo ready >&2; exec tail -f /dev/null"), &log_path, "ready").unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_sweep_takes_what_the_dead_left_and_nothing_else() {
        let parent = TempDir::new().unwrap();
        let make = |name: &str| {
            let folder = parent.path().join(name);
            fs::create_dir(&folder).unwrap();
            (File::create(folder.join(LOCK_FILE)).unwrap(), folder)
        };
        let (_, dead) = make("annals-x-dead");
        let (alive_lock, alive) = make("annals-x-alive");
        alive_lock.try_lock().unwrap();
        let (_, stranger) = make("other-dead");
        let unlocked = parent.path().join("annals-x-starting");
        fs::create_dir(&unlocked).unwrap();

        sweep(parent.path(), "annals-x-");

        assert!(!dead.exists());
        assert!(alive.exists() && stranger.exists() && unlocked.exists());
    }

    #[test]
    fn the_end_of_a_log_is_quoted() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
