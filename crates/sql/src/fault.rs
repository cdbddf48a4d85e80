//! Faults on purpose, for tests of what outlives them. Without the feature `faults`, which is off by default, nothing of
//! this is in the program: a point is passed without a look, and no defect is there.
//!
//! With it, two variables of the environment say what goes wrong. `FAILPOINTS` is the crate `fail`'s: a point's name and
//! what happens there, such as `writer.commit=2*off->return(kill)` at its third hit and later ones; `kill` ends the
//! process on the spot, `stop` lets it stand still, `conflict` and `denied` are errors of the database of these kinds,
//! the first one worth trying again. `ANNALS_DEFECT` names a [`Defect`]. `ANNALS_FAULT_HITS` is a file that is told of
//! every hit, a line each: so a run tells which points there are, and how often it comes by. `ANNALS_ONE_THREAD`, set to
//! anything, has the program do everything on one thread.

/// A rule that the program is built to keep, and breaks where `ANNALS_DEFECT` says so: tests must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// `fence-removed`: who lost the lease of a partition goes on writing.
    FenceRemoved,
    /// `driver-fence-removed`: who lost a run finishes it all the same.
    DriverFenceRemoved,
    /// `checkpoint-apart`: a partition's request state is committed after what it tells of.
    CheckpointApart,
    /// `open-lower-bound`: what changed at the very instant of the named timestamp is taken for read.
    OpenLowerBound,
    /// `no-horizon`: the source is taken for read up to now, whatever transactions are open.
    NoHorizon,
    /// `host-clock`: leases are measured by each host's own clock.
    HostClock,
    /// `early-acknowledgement`: a delivery is acknowledged before it is written, and not missed when it is not.
    EarlyAcknowledgement,
    /// `failures-cleared`: the list of failed objects is forgotten by a run that breaches a threshold.
    FailuresCleared,
    /// `events-kept`: a late capture leaves the events of its neighbours as they were.
    EventsKept,
    /// `timestamp-apart`: the named timestamp is committed before the failed objects.
    TimestampApart,
    /// `heads-uncompared`: that another process has moved a head meanwhile goes unnoticed.
    HeadsUncompared,
    /// `lost-answer-ignored`: a delivery whose answer got lost is written again without a look.
    LostAnswerIgnored,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::FenceRemoved,
        Self::DriverFenceRemoved,
        Self::CheckpointApart,
        Self::OpenLowerBound,
        Self::NoHorizon,
        Self::HostClock,
        Self::EarlyAcknowledgement,
        Self::FailuresCleared,
        Self::EventsKept,
        Self::TimestampApart,
        Self::HeadsUncompared,
        Self::LostAnswerIgnored,
    ];

    /// As `ANNALS_DEFECT` names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FenceRemoved => "fence-removed",
            Self::DriverFenceRemoved => "driver-fence-removed",
            Self::CheckpointApart => "checkpoint-apart",
            Self::OpenLowerBound => "open-lower-bound",
            Self::NoHorizon => "no-horizon",
            Self::HostClock => "host-clock",
            Self::EarlyAcknowledgement => "early-acknowledgement",
            Self::FailuresCleared => "failures-cleared",
            Self::EventsKept => "events-kept",
            Self::TimestampApart => "timestamp-apart",
            Self::HeadsUncompared => "heads-uncompared",
            Self::LostAnswerIgnored => "lost-answer-ignored",
        }
    }
}

#[cfg(not(feature = "faults"))]
mod built {
    use super::Defect;
    use crate::Result;

    /// A step at which tests let the process die, stand still or fail; its name is `place.step`.
    ///
    /// # Errors
    /// What tests ask for.
    #[inline(always)]
    pub const fn point(_name: &'static str) -> Result<()> {
        Ok(())
    }

    /// Whether the program is to have this defect.
    #[inline(always)]
    #[must_use]
    pub const fn defect(_defect: Defect) -> bool {
        false
    }

    /// Whether the program is to do everything on one thread, so that its calls of the system come in one order.
    #[inline(always)]
    #[must_use]
    pub const fn on_one_thread() -> bool {
        false
    }

    #[inline(always)]
    pub(crate) const fn host_now_ms() -> Option<i64> {
        None
    }
}

#[cfg(feature = "faults")]
mod built {
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::sync::{Once, OnceLock};
    use std::time::{SystemTime, UNIX_EPOCH};

    use rustix::process::{Signal, getpid, kill_process};

    use super::Defect;
    use crate::{Error, ErrorKind, Result};

    static BEGUN: Once = Once::new();
    static DEFECT: OnceLock<Option<String>> = OnceLock::new();

    /// A step at which tests let the process die, stand still or fail; its name is `place.step`.
    ///
    /// # Errors
    /// What tests ask for.
    pub fn point(name: &'static str) -> Result<()> {
        // What `FAILPOINTS` says stays in force to the end of the process.
        BEGUN.call_once(|| std::mem::forget(fail::FailScenario::setup()));
        note(name);
        fail::fail_point!(name, |act| strike(name, act.as_deref()));
        Ok(())
    }

    /// Whether the program is to have this defect.
    #[must_use]
    pub fn defect(defect: Defect) -> bool {
        let asked = DEFECT.get_or_init(|| {
            let asked = variable("ANNALS_DEFECT");
            let known = |name: &String| Defect::ALL.iter().any(|defect| defect.as_str() == name);
            assert!(asked.as_ref().is_none_or(known), "ANNALS_DEFECT: there is no defect {asked:?}");
            asked
        });
        asked.as_deref() == Some(defect.as_str())
    }

    /// Whether the program is to do everything on one thread, so that its calls of the system come in one order.
    #[must_use]
    pub fn on_one_thread() -> bool {
        variable("ANNALS_ONE_THREAD").is_some()
    }

    /// What leases are measured by where that is the defect.
    pub(crate) fn host_now_ms() -> Option<i64> {
        #[expect(
            clippy::disallowed_methods,
            reason = "that nothing else may look at this clock is what it breaks"
        )]
        let now = || SystemTime::now().duration_since(UNIX_EPOCH);
        let asked = defect(Defect::HostClock).then(now)?;
        i64::try_from(asked.unwrap_or_default().as_millis()).ok()
    }

    fn strike(name: &str, act: Option<&str>) -> Result<()> {
        let failed = |kind| Err(Error::new(format!("the fault at {name}"), kind));
        match act {
            Some("kill") => signal(Signal::KILL),
            Some("stop") => signal(Signal::STOP),
            Some("conflict") => return failed(ErrorKind::Conflict),
            Some("denied") => return failed(ErrorKind::Denied),
            other => panic!("FAILPOINTS: nothing known is to happen at {name}: {other:?}"),
        }
        Ok(())
    }

    fn signal(signal: Signal) {
        if let Err(error) = kill_process(getpid(), signal) {
            panic!("FAILPOINTS: this process cannot send itself {signal:?}: {error}");
        }
    }

    fn note(name: &str) {
        let Some(path) = variable("ANNALS_FAULT_HITS") else { return };
        let noted = OpenOptions::new().create(true).append(true).open(&path);
        if let Err(error) = noted.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes())) {
            panic!("ANNALS_FAULT_HITS: {path}: {error}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "how tests tell a program what is to go wrong in it")]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

pub(crate) use built::host_now_ms;
pub use built::{defect, on_one_thread, point};
