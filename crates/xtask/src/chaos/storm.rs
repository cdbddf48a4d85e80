//! The faults as they come down, and the hosts that are started again meanwhile.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::dice::Dice;
use super::fault::{Fault, Kind};
use super::site::{Server, Site, TASKS};
use crate::interrupt::Interrupts;

/// How often processes are looked after.
const TICK: Duration = Duration::from_millis(20);

/// How long a daemon that ended by itself stays away: what a supervisor would wait.
const RESTARTED_AFTER: Duration = Duration::from_millis(1_000);

/// Something is done by hand after so long: mostly what reads everything again, so that faults find work under way.
const BY_HAND_MS: (u64, u64) = (1_000, 4_000);

/// How long the storm lasts: whichever comes first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) lasts: Duration,
    pub(super) faults: u64,
    pub(super) mean_pause_ms: u64,
}

/// What the storm has done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) faults: BTreeMap<Kind, u64>,
    pub(super) runs_by_hand: u64,
    /// Daemons that ended without being told to: while a database was away, say.
    pub(super) gave_up: u64,
}

impl Done {
    pub(super) fn faults_in_all(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// What is to happen later.
#[derive(Debug, Clone, Copy)]
enum Later {
    Start(usize),
    Thaw(usize),
    CutAfterSilence(usize, Server),
    KillByHand,
}

/// A storm under way.
pub(super) struct Storm<'s> {
    site: &'s mut Site,
    dice: Dice,
    /// For what must not shift the faults: what is done by hand.
    hand: Dice,
    later: Vec<(Instant, Later)>,
    by_hand: Option<Child>,
    next_by_hand: Instant,
    journal: File,
    begun: Instant,
    done: Done,
}

impl<'s> Storm<'s> {
    /// A storm of this seed, over hosts that serve.
    pub(super) fn new(site: &'s mut Site, seed: u64) -> Result<Self> {
        let journal = File::create(site.file("faults.log")).context("cannot make the log of faults")?;
        let now = Instant::now();
        Ok(Self {
            site,
            dice: Dice::new(seed),
            hand: Dice::new(!seed),
            later: Vec::new(),
            by_hand: None,
            next_by_hand: now,
            journal,
            begun: now,
            done: Done::default(),
        })
    }

    /// Lets it rage; afterwards all hosts serve, and nothing is in their way.
    pub(super) fn rage(mut self, extent: Extent, interrupts: &Interrupts) -> Result<Done> {
        let hosts = self.site.hosts.len();
        let mut next = Instant::now();
        while self.begun.elapsed() < extent.lasts && self.done.faults_in_all() < extent.faults {
            if let Some(interrupted) = interrupts.noted() {
                bail!(interrupted);
            }
            self.look_after()?;
            if Instant::now() >= next {
                let fault = Fault::next(&mut self.dice, hosts, extent.mean_pause_ms);
                self.strike(fault)?;
                next = Instant::now() + fault.pause;
            }
            thread::sleep(TICK);
        }
        self.calm()
    }

    /// One fault. One that finds nothing to hit is no fault: it is not counted.
    fn strike(&mut self, fault: Fault) -> Result<()> {
        let Fault { kind, host: number, server, span, percent, .. } = fault;
        let now = Instant::now();
        let host = &mut self.site.hosts[number];
        let way = if server == Server::History { &host.history } else { &host.source };
        let mut about = host.name.clone();
        match kind {
            Kind::KillHost | Kind::FreezeHost | Kind::StopHost if !host.serves() => return Ok(()),
            Kind::KillHost => {
                host.kill()?;
                self.later.push((now + span, Later::Start(number)));
            }
            Kind::StopHost => host.ask_to_stop(),
            Kind::FreezeHost => {
                host.freeze();
                self.later.push((now + span, Later::Thaw(number)));
            }
            Kind::CutConnections => way.cut(),
            Kind::BreakOff => way.break_off(),
            Kind::Hush => {
                way.hush(span);
                if percent < 50 {
                    self.later.push((now + span, Later::CutAfterSilence(number, server)));
                }
            }
            Kind::SetClock if !host.has_clock() => return Ok(()),
            Kind::SetClock => host.set_clock((i64::try_from(percent)? - 50) * 12)?,
            Kind::EndBackends => {
                about = server.name().to_owned();
                self.end_backends(server, percent)?;
            }
            Kind::CrashHistory => self.site.crash(Server::History)?,
            Kind::CrashSource => self.site.crash(Server::Source)?,
            Kind::KillByHand => {
                if self.by_hand.is_some() {
                    return Ok(());
                }
                about = self.start_by_hand(0)?;
                self.later.push((now + span, Later::KillByHand));
            }
        }
        match kind {
            Kind::CutConnections | Kind::BreakOff | Kind::Hush => {
                about = format!("{about} to {}", server.name())
            }
            Kind::CrashHistory | Kind::CrashSource => about.clear(),
            _ => {}
        }
        self.tell(&format!("{} {about} ({} ms, {percent} %)", kind.name(), span.as_millis()))?;
        *self.done.faults.entry(kind).or_default() += 1;
        Ok(())
    }

    /// Ends some of the connections that a server has, as an administrator would.
    fn end_backends(&self, server: Server, percent: u64) -> Result<()> {
        let sql = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = '{}' and pid <> pg_backend_pid() and abs(hashtext(pid::text)) % 100 <= {percent}",
            server.name()
        );
        self.site.sql_in(server, "postgres", &sql).map(drop)
    }

    /// Starts and ends what is due; starts again what ended.
    fn look_after(&mut self) -> Result<()> {
        let now = Instant::now();
        let (due, later) = self.later.iter().partition(|(at, _)| *at <= now);
        self.later = later;
        let due: Vec<(Instant, Later)> = due;
        for (_, what) in due {
            self.happen(what)?;
        }
        for number in 0..self.site.hosts.len() {
            let Some(status) = self.site.hosts[number].ended()? else { continue };
            self.tell(&format!("{} ended: {status}", self.site.hosts[number].name))?;
            self.done.gave_up += u64::from(status.code().is_some_and(|code| code != 0));
            self.later.push((now + RESTARTED_AFTER, Later::Start(number)));
        }
        if let Some(run) = &mut self.by_hand
            && run.try_wait().context("cannot look after a run by hand")?.is_some()
        {
            self.by_hand = None;
        }
        if self.by_hand.is_none() && now >= self.next_by_hand {
            let percent = self.hand.below(100);
            let what = self.start_by_hand(percent)?;
            self.tell(&format!("by hand: {what}"))?;
            self.next_by_hand = now + self.hand.span(BY_HAND_MS.0, BY_HAND_MS.1);
        }
        Ok(())
    }

    fn happen(&mut self, what: Later) -> Result<()> {
        match what {
            Later::Start(number) if !self.site.hosts[number].serves() => self.site.hosts[number].start()?,
            Later::Start(_) => {}
            Later::Thaw(number) => self.site.hosts[number].thaw(),
            Later::CutAfterSilence(number, Server::History) => self.site.hosts[number].history.cut(),
            Later::CutAfterSilence(number, Server::Source) => self.site.hosts[number].source.cut(),
            Later::KillByHand => {
                if let Some(mut run) = self.by_hand.take() {
                    run.kill().and_then(|()| run.wait()).context("cannot kill a run by hand")?;
                }
            }
        }
        Ok(())
    }

    /// Does something by hand: a run of a task, mostly.
    fn start_by_hand(&mut self, percent: u64) -> Result<String> {
        let task = TASKS[self.hand.index(TASKS.len())].0;
        let first = ["runs", "rerun", "1"];
        let words: &[&str] = match percent {
            0..30 => &["run", task],
            30..75 => &first,
            75..90 => &["reconcile", task],
            _ => &["schedule", "trigger", task],
        };
        let log = File::options().create(true).append(true).open(self.site.file("by-hand.log"));
        let log = log.context("cannot open the log of what is done by hand")?;
        let mut command = self.site.by_hand(words);
        command.stdout(Stdio::null()).stderr(log);
        self.by_hand = Some(command.spawn().context("cannot start a run by hand")?);
        self.done.runs_by_hand += 1;
        Ok(words.join(" "))
    }

    /// Everything is whole again.
    fn calm(mut self) -> Result<Done> {
        self.tell("calm")?;
        self.happen(Later::KillByHand)?;
        for number in 0..self.site.hosts.len() {
            let host = &mut self.site.hosts[number];
            host.heal();
            if host.stands_still {
                host.thaw();
            }
            // It may be about to end by itself.
            if !host.serves() || host.ended()?.is_some() {
                host.start()?;
            }
        }
        Ok(self.done)
    }

    fn tell(&mut self, what: &str) -> Result<()> {
        let at_ms = self.begun.elapsed().as_millis();
        writeln!(self.journal, "{:>9.3} s  {what}", at_ms as f64 / 1_000.0)
            .context("cannot write the log of faults")
    }
}
