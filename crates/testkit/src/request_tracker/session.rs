//! Request Tracker's own code in a process of its own, which waits for acts: loading it takes a second, an act none.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::TestkitError;

/// The program, in Request Tracker's language.
const PROGRAM: &str = include_str!("acts.pl");

/// A running program that does acts.
#[derive(Debug)]
pub(super) struct Session {
    perl: Child,
    /// Taken when the session ends: the program ends when it can read no more.
    acts: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log_path: PathBuf,
}

impl Session {
    /// Starts the program by this command of Perl, its complaints going to a file.
    pub(super) fn open(mut perl: Command, log_path: &Path) -> Result<Self, TestkitError> {
        let starting = "cannot start Request Tracker's program";
        let log = File::create(log_path).map_err(TestkitError::io(starting))?;
        let mut perl = perl
            .args(["-e", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(TestkitError::io(starting))?;
        let (acts, answers) = (perl.stdin.take(), perl.stdout.take());
        let answers =
            answers.ok_or_else(|| TestkitError::io(starting)(std::io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self { perl, acts, answers: BufReader::new(answers), log_path: log_path.to_owned() })
    }

    /// Does an act, given in JSON on one line.
    pub(super) fn act(&mut self, act: &str) -> Result<(), TestkitError> {
        let mut answer = String::new();
        // A program that has died is found out by its silence; its last words are in the log.
        if let Some(acts) = &mut self.acts
            && acts.write_all(format!("{act}\n").as_bytes()).and_then(|()| acts.flush()).is_ok()
        {
            let reading = TestkitError::io("cannot read Request Tracker's answer");
            self.answers.read_line(&mut answer).map_err(reading)?;
        }
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        if answer["ok"] == true {
            return Ok(());
        }
        let reason = match answer["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("no answer; its log: {}", fs::read_to_string(&self.log_path).unwrap_or_default()),
        };
        Err(TestkitError::Refused { act: act.to_owned(), reason })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.acts = None;
        self.perl.wait().map(|_| ()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that cannot start says why, instead of leaving the test to wait.
    #[test]
    fn a_program_that_dies_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo no such module >&2; exit 2"]);
        let mut session = Session::open(shell, &folder.path().join("log")).unwrap();
        let error = session.act(r#"{"act":"begin"}"#).unwrap_err().to_string();
        assert!(
            error.contains(r#"refused `{"act":"begin"}`"#) && error.contains("no such module"),
            "{error}"
        );
    }
}
