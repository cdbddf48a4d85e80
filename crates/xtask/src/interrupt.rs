//! Running programs so that Ctrl-C still leaves time to clean up.

use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often a running program and the signals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long an interrupted program may take to end by itself: Ctrl-C reaches it as it reaches us.
const END_WITHIN: Duration = Duration::from_secs(5);

/// A program ended with this status, which becomes ours; or a signal ended us.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What a shell would show: the status, or 128 and the signal's number.
    pub(crate) code: u8,
    what: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Ended {}

/// Notes SIGINT, SIGTERM and SIGHUP, which then no longer end this process by themselves.
#[derive(Debug)]
pub(crate) struct Interrupts {
    signal: Arc<AtomicUsize>,
}

impl Interrupts {
    /// Begins to note signals.
    pub(crate) fn watch() -> Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_usize(number, Arc::clone(&signal), usize::try_from(number)?)
                .context("cannot watch for signals")?;
        }
        Ok(Self { signal })
    }

    /// One that notes nothing, for tests: some of them send signals to this very process.
    #[cfg(test)]
    pub(crate) fn deaf() -> Self {
        Self { signal: Arc::default() }
    }

    /// The signal that came, if one did.
    pub(crate) fn noted(&self) -> Option<Ended> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            number => Some(Ended {
                code: u8::try_from(128 + number).unwrap_or(1),
                what: format!("interrupted by signal {number}"),
            }),
        }
    }

    /// Waits for a signal.
    pub(crate) fn wait(&self) {
        while self.noted().is_none() {
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Runs a program to its end. An error when it fails, and when a signal came before or comes meanwhile.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        if let Some(interrupted) = self.noted() {
            bail!(interrupted);
        }
        let name = name_of(command);
        let mut child = command.spawn().with_context(|| format!("cannot start `{name}`"))?;
        let mut interrupted_at: Option<Instant> = None;
        let status = loop {
            if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for `{name}`"))? {
                break status;
            }
            if self.noted().is_some()
                && interrupted_at.get_or_insert_with(Instant::now).elapsed() > END_WITHIN
            {
                child.kill().with_context(|| format!("cannot stop `{name}`"))?;
            }
            thread::sleep(LOOK_EVERY);
        };
        match (self.noted(), failure(&name, status)) {
            (Some(interrupted), _) => bail!(interrupted),
            (None, Some(failed)) => bail!(failed),
            (None, None) => Ok(()),
        }
    }
}

/// What a program's status means for ours.
pub(crate) fn failure(name: &str, status: ExitStatus) -> Option<Ended> {
    if status.success() {
        return None;
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Some(Ended { code, what: format!("`{name}` failed ({status})") })
}

/// The command as one would type it.
pub(crate) fn name_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn ended(error: &anyhow::Error) -> &Ended {
        error.downcast_ref::<Ended>().unwrap()
    }

    #[test]
    fn a_programs_status_is_passed_on() {
        let interrupts = Interrupts::deaf();
        interrupts.run(&mut shell("exit 0")).unwrap();
        let error = interrupts.run(&mut shell("exit 101")).unwrap_err();
        assert_eq!(ended(&error).code, 101);
        assert_eq!(error.to_string(), "`sh -c exit 101` failed (exit status: 101)");
    }

    #[test]
    fn after_a_signal_nothing_is_started() {
        let interrupts = Interrupts { signal: Arc::new(AtomicUsize::new(2)) };
        let error = interrupts.run(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!((ended(&error).code, error.to_string().as_str()), (130, "interrupted by signal 2"));
    }

    /// A program that a signal reaches too, as Ctrl-C does, is waited for; that it then succeeds changes nothing.
    #[test]
    fn a_signal_counts_even_when_the_program_succeeds() {
        let interrupts = Interrupts::watch().unwrap();
        let us = std::process::id();
        let error = interrupts.run(&mut shell(&format!("kill -HUP {us}; exit 0"))).unwrap_err();
        assert_eq!((ended(&error).code, error.to_string().as_str()), (129, "interrupted by signal 1"));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let interrupts = Interrupts::deaf();
        let error = interrupts.run(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `no-such-program`");
    }
}
