//! The seat of a daemon: a locked file that keeps a second one out, and tells how the first one is.
//!
//! The lock ends with the process, however it ends. The file lies beside a history database that is itself a file, so
//! that one daemon serves it, whatever configuration the second comes with; else beside the configuration, one a host.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// Who only looks holds the file for a moment: a daemon that comes at that moment tries again.
const TRIES: u32 = 10;
const TRY_EVERY: Duration = Duration::from_millis(50);

/// A daemon that has said nothing for so long, or got no answer from the history database, is not well; milliseconds.
const SILENT_MS: i64 = 30_000;

/// How far a daemon has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It gets ready.
    Starting,
    /// It serves.
    Serving,
    /// It finishes what it has in hand.
    Stopping,
}

/// The daemon that has a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occupant {
    /// Name of its host.
    pub host: String,
    /// Its process.
    pub process: u32,
    /// When it began; this and the other instants are epoch milliseconds of the host's clock.
    pub started_ms: i64,
    /// Its roles.
    pub roles: Vec<String>,
    /// How far it has come.
    pub standing: Standing,
    /// When it said this.
    pub said_ms: i64,
    /// When the history database last answered it.
    pub reached_ms: Option<i64>,
    /// Why it does not.
    pub trouble: Option<String>,
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the daemon of host `{}`, process {}", self.host, self.process)
    }
}

/// A seat that was taken.
pub struct Seat {
    file: File,
    path: PathBuf,
}

/// Why a seat could not be had.
#[derive(Debug)]
pub enum Refused {
    /// Another daemon has it; what it says of itself, if that could be read.
    Taken(Option<Box<Occupant>>),
    /// The file cannot be written.
    Unwritable(io::Error),
}

impl Seat {
    /// Takes the seat at this path.
    ///
    /// # Errors
    /// Who has it, or why the file cannot be written.
    pub async fn take(path: &Path) -> Result<Self, Refused> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false);
        let file = file.open(path).map_err(Refused::Unwritable)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file, path: path.to_owned() }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(TRY_EVERY).await,
                Err(TryLockError::Error(error)) => return Err(Refused::Unwritable(error)),
            }
        }
        Err(Refused::Taken(read(path).map(Box::new)))
    }

    /// Says how the daemon is.
    pub fn write(&self, occupant: &Occupant) {
        let written = serde_json::to_vec(occupant).map_err(io::Error::other).and_then(|mut text| {
            text.push(b'\n');
            self.file.write_all_at(&text, 0)?;
            self.file.set_len(text.len() as u64)
        });
        if let Err(error) = written {
            tracing::warn!("writing {}: {error}", self.path.display());
        }
    }
}

/// What the daemon at a path says of itself.
fn read(path: &Path) -> Option<Occupant> {
    let mut text = String::new();
    File::open(path).ok()?.take(1 << 16).read_to_string(&mut text).ok()?;
    // Of a text that is just being written over by a shorter one, the first line counts.
    serde_json::from_str(text.lines().next()?).ok()
}

/// How the daemon at a path is at an instant of the host's clock: an exit code for supervisors, and a line.
#[must_use]
pub fn check(path: &Path, now_ms: i64) -> (Exit, String) {
    let free = match File::open(path) {
        Ok(file) => file.try_lock_shared().is_ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return (Exit::Unexpected, format!("{} cannot be read: {error}", path.display())),
    };
    if free {
        return (Exit::NotFound, format!("no daemon runs ({} is not locked)", path.display()));
    }
    match read(path) {
        None => (Exit::Unexpected, format!("a daemon runs, and says nothing in {}", path.display())),
        Some(occupant) => verdict(&occupant, now_ms),
    }
}

fn verdict(occupant: &Occupant, now_ms: i64) -> (Exit, String) {
    let seconds = |since_ms: i64| (now_ms - since_ms).max(0) / 1_000;
    if now_ms - occupant.said_ms > SILENT_MS {
        return (Exit::Unexpected, format!("{occupant} is stuck since {} s", seconds(occupant.said_ms)));
    }
    let silent_since = occupant.reached_ms.unwrap_or(occupant.started_ms);
    if now_ms - silent_since > SILENT_MS {
        let trouble = occupant.trouble.as_deref().unwrap_or("no answer");
        let seconds = seconds(silent_since);
        let line = format!("{occupant} has not reached the history database for {seconds} s: {trouble}");
        return (Exit::HistoryUnreachable, line);
    }
    let word = match occupant.standing {
        Standing::Starting => "starts",
        Standing::Serving => "serves",
        Standing::Stopping => "stops",
    };
    let roles = occupant.roles.join(", ");
    (Exit::Ok, format!("{occupant} {word} as {roles} for {} s", seconds(occupant.started_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occupant() -> Occupant {
        Occupant {
            host: "a".to_owned(),
            process: 12,
            started_ms: 0,
            roles: vec!["scheduler".to_owned(), "writer".to_owned()],
            standing: Standing::Serving,
            said_ms: 100_000,
            reached_ms: Some(100_000),
            trouble: None,
        }
    }

    #[tokio::test]
    async fn a_seat_is_had_by_one_and_free_when_it_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seat");
        assert_eq!(check(&path, 0).0, Exit::NotFound);
        let seat = Seat::take(&path).await.unwrap_or_else(|_| panic!("it is free"));
        assert_eq!(check(&path, 0).0, Exit::Unexpected, "it has said nothing");
        seat.write(&Occupant { host: "a-long-name".to_owned(), ..occupant() });
        seat.write(&occupant());
        match Seat::take(&path).await {
            Err(Refused::Taken(Some(first))) => assert_eq!(*first, occupant()),
            _ => panic!("it is taken"),
        }
        let line = "the daemon of host `a`, process 12 serves as scheduler, writer for 101 s".to_owned();
        assert_eq!(check(&path, 101_000), (Exit::Ok, line));
        drop(seat);
        assert_eq!(check(&path, 101_000).0, Exit::NotFound);
        assert!(Seat::take(&path).await.is_ok());
    }

    #[test]
    fn a_daemon_that_is_stuck_or_cut_off_is_not_well() {
        let (exit, line) = verdict(&occupant(), 131_000);
        assert_eq!(
            (exit, line.as_str()),
            (Exit::Unexpected, "the daemon of host `a`, process 12 is stuck since 31 s")
        );
        let cut_off =
            Occupant { reached_ms: Some(50_000), trouble: Some("refused".to_owned()), ..occupant() };
        let (exit, line) = verdict(&cut_off, 101_000);
        assert_eq!(exit, Exit::HistoryUnreachable);
        assert!(line.ends_with("has not reached the history database for 51 s: refused"), "{line}");
        assert_eq!(verdict(&cut_off, 80_000).0, Exit::Ok, "not for long");
    }
}
