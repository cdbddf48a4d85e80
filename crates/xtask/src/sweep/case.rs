//! One interruption: where, at which hit, how; what must hold of it, and of the history once others have gone on.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::str::FromStr;

use annals_testkit::Engine;
use anyhow::{Context, Result, bail, ensure};

use super::acts::{Act, Stage};
use super::dump::{NOTES, difference, dump};
use super::rules::{broken, does_not_add_up};
use super::sends;
use super::site::{Said, Settings, Site};

/// The signal that cannot be caught.
const SIGKILL: i32 = 9;

/// What happens to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is killed.
    Kill,
    /// The database is in its way once, as it is when two transactions meet.
    Conflict,
    /// The database refuses once what it asks for.
    Denied,
    /// The database refuses from then on, for ever.
    DeniedForEver,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Kill, Self::Conflict, Self::Denied, Self::DeniedForEver];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::DeniedForEver => "denied-for-ever",
        }
    }

    /// For `FAILPOINTS`: what happens at a point from this hit on.
    pub(crate) fn at(self, point: &str, hit: u32) -> String {
        let before = if hit > 1 { format!("{}*off->", hit - 1) } else { String::new() };
        let act = match self {
            Self::Kill => "return(kill)",
            Self::Conflict => "1*return(conflict)->off",
            Self::Denied => "1*return(denied)->off",
            Self::DeniedForEver => "return(denied)",
        };
        format!("{point}={before}{act}")
    }
}

/// Where a process is interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a failpoint.
    Point(String),
    /// When it is about to send something to the database; it is killed then.
    Send,
}

/// One interruption. As text, which names it for `--case`: `postgres/night/writer.commit/3/kill`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) engine: Engine,
    pub(crate) act: Act,
    pub(crate) place: Place,
    /// At which hit, from 1.
    pub(crate) hit: u32,
    pub(crate) fault: Fault,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engine = self.engine.to_string().to_lowercase();
        let place = match &self.place {
            Place::Point(name) => name,
            Place::Send => "send",
        };
        write!(f, "{}/{}/{place}/{}/{}", engine, self.act.as_str(), self.hit, self.fault.as_str())
    }
}

impl FromStr for Case {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [engine, act, place, hit, fault] = parts[..] else {
            bail!(
                "`{text}` is no case: one is ENGINE/ACT/POINT/HIT/FAULT, as in sqlite/night/writer.commit/3/kill"
            );
        };
        let engines = [Engine::Sqlite, Engine::Postgres];
        let engine = engines.into_iter().find(|known| known.to_string().to_lowercase() == engine);
        let act = Act::ALL.into_iter().find(|known| known.as_str() == act);
        let fault = Fault::ALL.into_iter().find(|known| known.as_str() == fault);
        let place = if place == "send" { Place::Send } else { Place::Point(place.to_owned()) };
        let unknown = |what| format!("`{text}`: there is no such {what}");
        Ok(Self {
            engine: engine.with_context(|| unknown("engine: sqlite, postgresql"))?,
            act: act.with_context(|| unknown("act: load, night, takeover"))?,
            place,
            hit: hit.parse().ok().filter(|hit| *hit > 0).with_context(|| unknown("hit: 1 or more"))?,
            fault: fault.with_context(|| unknown("fault: kill, conflict, denied, denied-for-ever"))?,
        })
    }
}

/// What became of a case that held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The process was interrupted.
    Struck,
    /// It did not come by so often: what it does at the same time as other things varies.
    Missed,
}

impl Case {
    /// Interrupts a process and lets others go on. An error says what did not hold.
    pub(crate) fn play(&self, stage: &Stage, defect: Option<&str>) -> Result<Outcome> {
        let site = stage.site()?;
        let before = Progress::of(&site);
        let said = self.interrupt(&site, defect)?;
        let struck = match self.fault {
            Fault::Kill => said.status.signal() == Some(SIGKILL),
            _ => true,
        };
        ensure!(
            struck || said.is_well(),
            "the process was not killed and ended with {}: {}",
            said.status,
            said.err
        );
        self.unharmed(stage, &site, &said, &before)?;
        let ended_all_the_same = stage.ended_well(&site)? >= 2;
        heal(stage, &site, defect, self.hit.is_multiple_of(2))?;
        let (mut found, mut expected) = (dump(&site, stage.after_run)?, stage.expected.clone());
        if ended_all_the_same {
            // With the fault in force to their end: what is left to do at the source is done by the next run.
            found.remove(NOTES);
            expected.remove(NOTES);
        }
        if let Some(difference) = difference(&found, &expected) {
            bail!("history is another one: {difference}");
        }
        if ended_all_the_same {
            site.call(&["run"], &[])?;
            let left = dump(&site, stage.after_run)?.remove(NOTES);
            ensure!(left.as_ref() == stage.expected.get(NOTES), "a run after the fault has left {left:?}");
        }
        self.told_of_each_message_once(stage, &site)?;
        Ok(if struck { Outcome::Struck } else { Outcome::Missed })
    }

    fn interrupt(&self, site: &Site, defect: Option<&str>) -> Result<Said> {
        let mut variables: Vec<(&str, &str)> =
            defect.map(|defect| ("ANNALS_DEFECT", defect)).into_iter().collect();
        match &self.place {
            Place::Send => sends::kill_at(site, self.hit),
            Place::Point(point) => {
                let fault = self.fault.at(point, self.hit);
                variables.push(("FAILPOINTS", &fault));
                site.call(&["run"], &variables)
            }
        }
    }

    /// Whatever happened, history is sound; what is saved at the end of a run is saved together or not at all; and a process
    /// that could not do its work says so.
    fn unharmed(&self, stage: &Stage, site: &Site, said: &Said, before: &Progress) -> Result<()> {
        if let Some(broken) = broken(site) {
            bail!("right after the fault {broken}");
        }
        let ended_well = stage.ended_well(site)? > 0;
        if !ended_well {
            let after = Progress::of(site);
            ensure!(after == *before, "no run has ended well, and yet {before:?} became {after:?}");
        }
        if self.fault == Fault::Kill {
            return Ok(());
        }
        if said.is_well() {
            return ensure_that(ended_well, || format!("it says that all went well: {}", said.err));
        }
        ensure!(
            said.status.code().is_some_and(|code| (1..=10).contains(&code)),
            "it ended with {}",
            said.status
        );
        ensure!(said.err.contains("the fault at"), "what it says does not tell what happened: {}", said.err);
        let Place::Point(point) = &self.place else { return Ok(()) };
        let passes =
            ["worker.", "writer.", "history.heads", "history.captures", "history.entities", "history.events"];
        let passes = self.fault == Fault::Conflict && passes.iter().any(|place| point.starts_with(place));
        ensure!(!passes, "a conflict that passes has failed the run: {}", said.err);
        Ok(())
    }

    /// Where a chunk is one delivery, each message is written once, whoever was killed. Objects over which a worker died are
    /// worked on in groups and may be written again, and a run that failed is read again.
    fn told_of_each_message_once(&self, stage: &Stage, site: &Site) -> Result<()> {
        if stage.act == Act::Takeover || !matches!(self.fault, Fault::Kill | Fault::Conflict) {
            return Ok(());
        }
        match does_not_add_up(site, stage.after_run)? {
            Some(problem) => bail!("what the runs tell does not add up: {problem}"),
            None => Ok(()),
        }
    }
}

fn ensure_that(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { bail!(what()) }
}

/// What the end of a run saves.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    timestamp: String,
    failed: String,
}

impl Progress {
    fn of(site: &Site) -> Self {
        Self {
            timestamp: site.history.sql("select task, timestamp_ms from annals_named_timestamp;"),
            failed: site.history.sql(
                "select object_type, object_id, attempts, stage from annals_failed_object order by 1, 2;",
            ),
        }
    }
}

/// Lets processes go on, with another number of workers, until two runs have ended well.
pub(crate) fn heal(stage: &Stage, site: &Site, defect: Option<&str>, resumes: bool) -> Result<()> {
    let settings = stage.act.settings();
    let worker_slots = if resumes { 1 } else { 3 };
    site.configure(Settings { worker_slots, ..settings })?;
    let variables: Vec<(&str, &str)> = defect.map(|defect| ("ANNALS_DEFECT", defect)).into_iter().collect();
    for _ in 0..6 {
        let ended_well = stage.ended_well(site)?;
        if ended_well >= 2 {
            return Ok(());
        }
        site.let_leases_run_out();
        // What could not be delivered again for the fault's sake waits for its time.
        site.history.sql("update annals_parked_message set due = 0 where reason like '%the fault at%';");
        let newest = site.history.sql(&format!(
            "select id from annals_run where id = (select max(id) from annals_run) and id > {}
               and coalesce(status, 'error') = 'error';",
            stage.after_run
        ));
        let newest = newest.trim();
        // Once a run has ended well, a process that takes up another one would begin a third.
        if (resumes || ended_well == 1) && !newest.is_empty() {
            let said = site.call(&["runs", "resume", newest], &variables)?;
            if said.is_well() {
                continue;
            }
            // A run that ended before it had partitions is executed again.
            ensure!(
                said.status.code() == Some(2),
                "run {newest} cannot be resumed ({}): {}",
                said.status,
                said.err
            );
        }
        let said = site.call(&["run"], &variables)?;
        ensure!(said.is_well(), "the process that went on failed ({}): {}", said.status, said.err);
    }
    bail!("after six more runs no two have ended well")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a failure prints is what `--case` reads.
    #[test]
    fn a_case_is_named_by_its_text() {
        for text in [
            "sqlite/night/writer.commit/3/kill",
            "postgresql/takeover/send/57/kill",
            "sqlite/load/a.b/1/denied",
        ] {
            assert_eq!(text.parse::<Case>().unwrap().to_string(), text);
        }
        for (text, wrong) in [
            ("sqlite/night/writer.commit/3", "is no case"),
            ("oracle/night/writer.commit/3/kill", "no such engine"),
            ("sqlite/noon/writer.commit/3/kill", "no such act"),
            ("sqlite/night/writer.commit/0/kill", "no such hit"),
            ("sqlite/night/writer.commit/3/maim", "no such fault"),
        ] {
            let error = text.parse::<Case>().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_fault_strikes_at_its_hit() {
        assert_eq!(Fault::Kill.at("a.b", 1), "a.b=return(kill)");
        assert_eq!(Fault::Conflict.at("a.b", 3), "a.b=2*off->1*return(conflict)->off");
        assert_eq!(Fault::DeniedForEver.at("a.b", 2), "a.b=1*off->return(denied)");
    }
}
