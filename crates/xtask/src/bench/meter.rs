//! What running programs costs: time, CPU, memory.

use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4 as _;

use crate::interrupt::{Interrupts, failure, name_of};

/// How often a running program is looked at: what a measured time may be too long by.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What programs that ran together have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// From the start of the first to the end of the last.
    pub(crate) wall: Duration,
    /// User and system time, all of them together.
    pub(crate) cpu: Duration,
    /// The most memory that any one of them had resident, in bytes.
    pub(crate) peak_bytes: u64,
}

/// Programs on their way, named for messages.
#[derive(Debug)]
pub(crate) struct Running {
    begun: Instant,
    children: Vec<(String, Child)>,
}

impl Running {
    /// Starts a program.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut running = Self { begun: Instant::now(), children: Vec::new() };
        running.add(command)?;
        Ok(running)
    }

    /// Starts another one beside those that run.
    pub(crate) fn add(&mut self, command: &mut Command) -> Result<()> {
        let name = name_of(command);
        let child = command.spawn().with_context(|| format!("cannot start `{name}`"))?;
        self.children.push((name, child));
        Ok(())
    }

    /// The program that was started last.
    pub(crate) fn last(&mut self) -> Result<&mut Child> {
        self.children.last_mut().map(|(_, child)| child).context("no program was started")
    }

    /// Waits for all of them. When one fails, or a signal comes, the others are killed and that is the error.
    pub(crate) fn end(mut self, interrupts: &Interrupts) -> Result<Usage> {
        let mut usage = Usage { wall: Duration::ZERO, cpu: Duration::ZERO, peak_bytes: 0 };
        while !self.children.is_empty() {
            if let Some(interrupted) = interrupts.noted() {
                bail!(interrupted);
            }
            let mut index = 0;
            while let Some((name, child)) = self.children.get_mut(index) {
                let Some(ended) = child.try_wait4().with_context(|| format!("cannot wait for `{name}`"))?
                else {
                    index += 1;
                    continue;
                };
                // It is gone; its number may be another program's by the time that the others are killed.
                let (name, _) = self.children.swap_remove(index);
                if let Some(failed) = failure(&name, ended.status) {
                    bail!(failed);
                }
                usage.cpu += ended.rusage.utime + ended.rusage.stime;
                usage.peak_bytes = usage.peak_bytes.max(ended.rusage.maxrss);
            }
            usage.wall = self.begun.elapsed();
            thread::sleep(LOOK_EVERY);
        }
        Ok(usage)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            child.kill().unwrap_or_default();
            child.wait().map(|_| ()).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;
    use crate::interrupt::Ended;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// A program's children count as well, once it has waited for them.
    #[test]
    fn cpu_and_memory_are_the_programs_own() {
        let idle = Running::start(&mut shell("exit 0")).unwrap().end(&Interrupts::deaf()).unwrap();
        let script = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; exit 0";
        let busy = Running::start(&mut shell(script)).unwrap().end(&Interrupts::deaf()).unwrap();
        assert!(busy.cpu > idle.cpu, "{busy:?} {idle:?}");
        assert!(idle.peak_bytes > 100_000, "{idle:?}");
    }

    /// The second program reads what the first one writes, and a failure of either ends both.
    #[test]
    fn programs_joined_by_a_pipe_end_together() {
        let join = |from: &str, into: &str| {
            let mut running = Running::start(shell(from).stdout(Stdio::piped())).unwrap();
            let pipe = running.last().unwrap().stdout.take().unwrap();
            running.add(shell(into).stdin(pipe)).unwrap();
            running.end(&Interrupts::deaf())
        };
        join("echo 12", "read n; [ $n = 12 ]").unwrap();
        let error = join("exec sleep 600", "exit 3").unwrap_err();
        assert_eq!(error.downcast_ref::<Ended>().unwrap().code, 3);
        assert_eq!(error.to_string(), "`sh -c exit 3` failed (exit status: 3)");
        assert!(join("exit 4", "cat").is_err());
    }
}
