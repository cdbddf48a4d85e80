//! The database servers end with the chore that started them, however it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long servers may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// A folder for servers, which run as another user when we are root, that goes even if they leave something there.
fn place() -> TempDir {
    let readable = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().permissions(readable).tempdir().unwrap()
}

/// Starts `cargo x databases` and returns it with the ports of its two servers, both of which answer.
fn databases(place: &TempDir) -> (Child, Vec<u16>) {
    let mut chore = Command::new(env!("CARGO_BIN_EXE_annals-xtask"))
        .arg("databases")
        .env("TMPDIR", place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(chore.stdout.take().unwrap()).lines().take(2);
    let ports: Vec<u16> = lines.map(|line| port(&line.unwrap())).collect();
    assert_eq!(ports.len(), 2);
    for port in &ports {
        TcpStream::connect(("127.0.0.1", *port)).unwrap();
    }
    (chore, ports)
}

/// The port in a line like `export NAME=postgres://annals@127.0.0.1:5432/postgres`.
fn port(line: &str) -> u16 {
    assert!(line.starts_with("export ANNALS_TEST_"), "{line}");
    line.rsplit_once(':').unwrap().1.split_once('/').unwrap().0.parse().unwrap()
}

/// Waits until nobody answers at these ports.
fn wait_until_gone(ports: &[u16]) {
    let begun = Instant::now();
    while ports.iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
        assert!(begun.elapsed() < GONE_WITHIN, "a server outlives its parent");
        // There is no event to wait for: the servers are nobody's children any more.
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn killing_the_chore_outright_leaves_no_server() {
    let place = place();
    let (mut chore, ports) = databases(&place);
    chore.kill().unwrap();
    chore.wait().unwrap();
    wait_until_gone(&ports);
}

#[test]
fn interrupting_the_chore_ends_the_servers_and_takes_their_files_away() {
    let place = place();
    let (mut chore, ports) = databases(&place);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
    let interrupted = Command::new("sh").args(["-c", &format!("kill -INT {}", chore.id())]).status().unwrap();
    assert!(interrupted.success());
    assert!(chore.wait().unwrap().success());
    for port in ports {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
