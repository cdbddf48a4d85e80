//! What can go wrong, and how often it does.

use std::time::Duration;

use super::dice::Dice;
use super::site::{LEASE_S, Server};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    KillHost,
    FreezeHost,
    StopHost,
    EndBackends,
    CrashHistory,
    CrashSource,
    CutConnections,
    BreakOff,
    Hush,
    SetClock,
    KillByHand,
}

/// Each kind, its name, and its share of all faults. What takes the whole site away is rarer than what one host feels.
pub(super) const KINDS: [(Kind, &str, u64); 11] = [
    (Kind::KillHost, "kill -9 of a daemon", 16),
    (Kind::FreezeHost, "daemon stands still past its lease", 9),
    (Kind::StopHost, "SIGTERM of a daemon", 6),
    (Kind::EndBackends, "backends terminated", 14),
    (Kind::CrashHistory, "immediate restart of the history server", 4),
    (Kind::CrashSource, "immediate restart of the source server", 4),
    (Kind::CutConnections, "connections of a host cut", 14),
    (Kind::BreakOff, "connections cut in the middle of an answer", 14),
    (Kind::Hush, "network of a host silent", 8),
    (Kind::SetClock, "clock of a host set by up to ten minutes", 6),
    (Kind::KillByHand, "kill -9 of a run by hand", 5),
];

impl Kind {
    /// As people read it.
    pub(super) fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _, _)| *kind == self).map_or("", |(_, name, _)| name)
    }
}

/// One fault, all that chance has a part in decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// Which host it hits, where it hits one.
    pub(super) host: usize,
    /// Which database, where it is about one.
    pub(super) server: Server,
    /// How long it lasts, or until a daemon is started again.
    pub(super) span: Duration,
    /// Of 100: how many of the backends, or how far off the clock is.
    pub(super) percent: u64,
    /// What passes until the next one.
    pub(super) pause: Duration,
}

impl Fault {
    /// The next fault that the dice decide on.
    pub(super) fn next(dice: &mut Dice, hosts: usize, mean_pause_ms: u64) -> Self {
        let mut throw = dice.below(KINDS.iter().map(|(_, _, share)| share).sum());
        let mut kind = Kind::KillHost;
        for (candidate, _, share) in KINDS {
            kind = candidate;
            if throw < share {
                break;
            }
            throw -= share;
        }
        let lease_ms = LEASE_S * 1_000;
        let span = match kind {
            Kind::FreezeHost => dice.span(lease_ms + 300, lease_ms * 2),
            Kind::Hush => dice.span(300, lease_ms * 2),
            Kind::KillByHand => dice.span(200, 2_500),
            _ => dice.span(100, 2_500),
        };
        Self {
            kind,
            host: dice.index(hosts),
            server: Server::BOTH[dice.index(2)],
            span,
            percent: dice.below(101),
            pause: dice.span(mean_pause_ms / 4, mean_pause_ms * 7 / 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed decides which faults come, in which order; all kinds come.
    #[test]
    fn a_seed_decides_on_the_faults() {
        let faults = |seed| {
            let mut dice = Dice::new(seed);
            (0..400).map(|_| format!("{:?}", Fault::next(&mut dice, 3, 1_000))).collect::<Vec<_>>()
        };
        assert_eq!(faults(1), faults(1));
        assert_ne!(faults(1), faults(2));
        for (kind, name, _) in KINDS {
            assert!(faults(1).iter().any(|fault| fault.contains(&format!("{kind:?}"))), "{name}");
        }
    }
}
