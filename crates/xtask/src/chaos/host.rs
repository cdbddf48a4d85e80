//! A host that runs the daemon, with ways to its databases and a clock that can be told to fail.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::proxy::Proxy;

/// How far clocks may be off, both ways.
const CLOCK_OFF_S: i64 = 600;

/// One host: its daemon is started again by whoever holds this value.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    clock: Option<Clock>,
    /// The ways to history and to the source.
    pub(super) history: Proxy,
    pub(super) source: Proxy,
    daemon: Option<Child>,
    pub(super) stands_still: bool,
}

/// A clock that is off by what stands in a file.
#[derive(Debug, Clone)]
struct Clock {
    file: PathBuf,
    library: String,
}

/// Where things of hosts are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'p> {
    pub(super) program: &'p Path,
    pub(super) folder: &'p Path,
    pub(super) history_port: u16,
    pub(super) source_port: u16,
}

impl Host {
    /// The host of this number, which is not serving yet. Its clock is off by so many seconds; nothing: it is right.
    pub(super) fn new(number: usize, places: Places<'_>, clock_off_s: Option<i64>) -> Result<Self> {
        let name = format!("host{number}");
        let clock = clock_off_s.map(|off_s| -> Result<Clock> {
            let clock =
                Clock { file: places.folder.join(format!("{name}.clock")), library: faketime_library()? };
            clock.set(off_s)?;
            Ok(clock)
        });
        Ok(Self {
            program: places.program.to_owned(),
            config: places.folder.join(&name),
            log: places.folder.join(format!("{name}.log")),
            clock: clock.transpose()?,
            history: Proxy::start(places.history_port)?,
            source: Proxy::start(places.source_port)?,
            daemon: None,
            stands_still: false,
            name,
        })
    }

    /// The folder of its configuration.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Starts the daemon, which ends with the thread that calls this.
    pub(super) fn start(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot open {}", self.log.display()))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "--"]).arg(&self.program);
        command.args(["daemon", "--host", &self.name, "--config"]).arg(&self.config);
        command.env_remove("ANNALS_LOG").env_remove("ANNALS_CONFIG").stdin(Stdio::null());
        command.stdout(log.try_clone().context("cannot share a log")?).stderr(log);
        if let Some(clock) = &self.clock {
            command.env("LD_PRELOAD", &clock.library).env("FAKETIME_TIMESTAMP_FILE", &clock.file);
            // The clock on the wall alone; what is measured with the other one stays true, as on a real host. No shared
            // memory, which a killed process would leave behind.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_DISABLE_SHM", "1");
            command.env("FAKETIME_CACHE_DURATION", "1");
        }
        self.daemon = Some(command.spawn().context("cannot start a daemon")?);
        self.stands_still = false;
        Ok(())
    }

    /// Its process, where it has one.
    pub(super) fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Child::id)
    }

    /// Whether it serves, as far as one can tell from outside.
    pub(super) fn serves(&self) -> bool {
        self.daemon.is_some() && !self.stands_still
    }

    /// How the daemon ended, if it has since the last look.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(daemon) = &mut self.daemon else { return Ok(None) };
        let ended = daemon.try_wait().context("cannot look after a daemon")?;
        if ended.is_some() {
            self.daemon = None;
        }
        Ok(ended)
    }

    /// Ends it without a word.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().and_then(|()| daemon.wait()).context("cannot kill a daemon")?;
        }
        Ok(())
    }

    /// Asks it to stop; [`ended`](Self::ended) says when it has.
    pub(super) fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Lets it stand still.
    pub(super) fn freeze(&mut self) {
        self.signal(Signal::STOP);
        self.stands_still = true;
    }

    /// Lets it go on.
    pub(super) fn thaw(&mut self) {
        self.signal(Signal::CONT);
        self.stands_still = false;
    }

    /// Whether its clock can be set.
    pub(super) fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// Sets its clock, off by so many seconds.
    pub(super) fn set_clock(&self, off_s: i64) -> Result<()> {
        self.clock.as_ref().map_or(Ok(()), |clock| clock.set(off_s.clamp(-CLOCK_OFF_S, CLOCK_OFF_S)))
    }

    /// Both ways, whole again.
    pub(super) fn heal(&self) {
        self.history.heal();
        self.source.heal();
    }

    /// All that its daemons have said.
    pub(super) fn said(&self) -> Result<String> {
        let bytes = fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn signal(&self, signal: Signal) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        // One that has ended meanwhile gets no signal, and is started again.
        pid.map_or(Ok(()), |pid| kill_process(pid, signal)).unwrap_or_default();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill().unwrap_or_default();
    }
}

impl Clock {
    fn set(&self, off_s: i64) -> Result<()> {
        // In one piece: the other side may be reading.
        let draft = self.file.with_extension("draft");
        fs::write(&draft, format!("{off_s:+}\n")).context("cannot write a clock's file")?;
        fs::rename(&draft, &self.file).context("cannot name a clock's file")
    }
}

/// Where libfaketime is: what its own program would load.
fn faketime_library() -> Result<String> {
    let shown = crate::bench::printed(Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]))?;
    Ok(shown.trim().to_owned())
}

/// A program beside the hosts that goes on until it is told to stop.
#[derive(Debug)]
pub(super) struct Helper {
    name: &'static str,
    child: Child,
}

impl Helper {
    /// Starts it, with what it says in a file.
    pub(super) fn start(name: &'static str, mut command: Command, out: &Path) -> Result<Self> {
        let out = File::create(out).with_context(|| format!("cannot make {}", out.display()))?;
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        let child = command.spawn().with_context(|| format!("cannot start the {name}"))?;
        Ok(Self { name, child })
    }

    /// An error where it has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        let ended = self.child.try_wait().with_context(|| format!("cannot look after the {}", self.name))?;
        anyhow::ensure!(ended.is_none(), "the {} ended by itself", self.name);
        Ok(())
    }

    /// Asks it to stop and waits until it has, for a time.
    pub(super) fn stop(mut self, within: Duration) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process")?, Signal::TERM)
            .with_context(|| format!("cannot stop the {}", self.name))?;
        let begun = std::time::Instant::now();
        while begun.elapsed() < within {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "the {} failed ({status})", self.name);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("the {} does not stop", self.name)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().and_then(|()| self.child.wait()).map(drop).unwrap_or_default();
        }
    }
}
