//! Figures of a step, and what is worked out of them.

use std::time::Duration;

use super::meter::Usage;

/// What a step has used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// Of the programs that did it; no peak where it would be that of more than the step.
    pub(crate) usage: Usage,
    /// Of the database server.
    pub(crate) server_cpu: Duration,
    /// CPU time that the machine spent on anything else meanwhile: how far the figures are to be trusted.
    pub(crate) other_cpu: Duration,
    /// Bytes written to the write-ahead log; nothing where history is not on the server.
    pub(crate) wal_bytes: Option<u64>,
}

/// What a step has done.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Done {
    /// Objects gone through.
    pub(crate) objects: u64,
    /// Captures written: full ones, patches, and those that mark an object as deleted.
    pub(crate) captures: u64,
    /// Events written.
    pub(crate) events: u64,
    /// Bytes by which history's tables have grown.
    pub(crate) table_bytes: u64,
    /// Bytes by which their indexes have grown.
    pub(crate) index_bytes: u64,
}

/// The floor that every step is compared with: copying the source's rows.
pub(crate) const COPY: &str = "floor: COPY";

/// The floor of writing to a file: inserting the rows that an initial run has made.
pub(crate) const INSERTS: &str = "floor: prepared inserts";

/// A step of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// What people call it.
    pub(crate) name: &'static str,
    /// What it has used.
    pub(crate) cost: Cost,
    /// What it has done.
    pub(crate) done: Done,
}

impl Step {
    /// Whether it is what others are compared with, and no work of the program's.
    pub(crate) fn is_floor(&self) -> bool {
        [COPY, INSERTS].contains(&self.name)
    }
}

/// A step beside those that it is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared<'s> {
    step: &'s Step,
    floor: &'s Step,
    initial: &'s Step,
    inserts: Option<&'s Step>,
}

/// A figure that is shown for each step.
pub(crate) struct Measure {
    /// Its name in JSON.
    pub(crate) key: &'static str,
    /// What people read, with the unit.
    pub(crate) heading: &'static str,
    /// Digits after the point.
    pub(crate) decimals: usize,
    /// Works it out; nothing where it makes no sense for the step.
    of: fn(Compared<'_>) -> Option<f64>,
}

const MIB: f64 = 1024.0 * 1024.0;

/// All figures, in the order in which they are shown.
pub(crate) const MEASURES: [Measure; 19] = [
    measure("wallSeconds", "wall time, s", 2, |at| Some(at.wall())),
    measure("timesFloor", "wall time, floors", 2, |at| ratio(at.wall(), at.floor.cost.wall())),
    measure("percentOfInitial", "wall time, % of the initial run", 1, |at| {
        Some(100.0 * ratio(at.wall(), at.initial.cost.wall())?)
    }),
    measure("percentOfInserts", "speed, % of prepared inserts", 1, |at| at.speed_of_inserts()),
    measure("objects", "objects", 0, |at| Some(at.step.done.objects as f64)),
    measure("objectsPerSecond", "objects/s", 0, |at| above_zero(ratio(at.objects()?, at.wall())?)),
    measure("ownCpuSeconds", "own CPU, s", 2, |at| Some(at.step.cost.usage.cpu.as_secs_f64())),
    measure("serverCpuSeconds", "server's CPU, s", 2, |at| Some(at.step.cost.server_cpu.as_secs_f64())),
    measure("otherCpuSeconds", "CPU of anything else, s", 2, |at| Some(at.step.cost.other_cpu.as_secs_f64())),
    measure("ownCpuMicrosPerObject", "own CPU, us/object", 1, |at| at.per_object(at.step.cost.usage.cpu)),
    measure("serverCpuMicrosPerObject", "server's CPU, us/object", 1, |at| {
        at.per_object(at.step.cost.server_cpu)
    }),
    measure("cpuMicrosPerObject", "both CPU, us/object", 1, |at| {
        at.per_object(at.step.cost.usage.cpu + at.step.cost.server_cpu)
    }),
    measure("peakMebibytes", "peak memory, MiB", 1, |at| {
        above_zero(at.step.cost.usage.peak_bytes as f64 / MIB)
    }),
    measure("captures", "captures", 0, |at| Some(at.step.done.captures as f64)),
    measure("events", "events", 0, |at| Some(at.step.done.events as f64)),
    measure("walMebibytes", "WAL, MiB", 1, |at| Some(at.step.cost.wal_bytes? as f64 / MIB)),
    measure("walBytesPerCapture", "WAL, bytes/capture", 0, |at| at.per_capture(at.step.cost.wal_bytes?)),
    measure("tableBytesPerCapture", "tables, bytes/capture", 0, |at| {
        at.per_capture(at.step.done.table_bytes)
    }),
    measure("indexBytesPerCapture", "indexes, bytes/capture", 0, |at| {
        at.per_capture(at.step.done.index_bytes)
    }),
];

const fn measure(
    key: &'static str,
    heading: &'static str,
    decimals: usize,
    of: fn(Compared<'_>) -> Option<f64>,
) -> Measure {
    Measure { key, heading, decimals, of }
}

impl Measure {
    /// The figure for a step of a run. Runs begin with the floor; the step that is the initial run is named.
    pub(crate) fn of(&self, steps: &[Step], index: usize, initial: &str) -> Option<f64> {
        let compared = Compared {
            step: steps.get(index)?,
            floor: steps.first()?,
            initial: steps.iter().find(|step| step.name == initial)?,
            inserts: steps.iter().find(|step| step.name == INSERTS),
        };
        (self.of)(compared)
    }
}

impl Cost {
    fn wall(&self) -> f64 {
        self.usage.wall.as_secs_f64()
    }
}

impl Compared<'_> {
    fn wall(self) -> f64 {
        self.step.cost.wall()
    }

    /// The same rows in so much of the time: of the inserts themselves and of the initial run, which made the rows.
    fn speed_of_inserts(self) -> Option<f64> {
        let inserts = self.inserts?;
        let same_rows = [inserts.name, self.initial.name].contains(&self.step.name);
        if same_rows { Some(100.0 * ratio(inserts.cost.wall(), self.wall())?) } else { None }
    }

    fn objects(self) -> Option<f64> {
        above_zero(self.step.done.objects as f64)
    }

    fn per_object(self, cpu: Duration) -> Option<f64> {
        Some(cpu.as_secs_f64() * 1e6 / self.objects()?)
    }

    fn per_capture(self, bytes: u64) -> Option<f64> {
        ratio(bytes as f64, above_zero(self.step.done.captures as f64)?)
    }
}

/// So much of the whole; nothing where there is no whole.
pub(crate) fn ratio(part: f64, whole: f64) -> Option<f64> {
    Some(part / above_zero(whole)?)
}

fn above_zero(value: f64) -> Option<f64> {
    (value > 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &'static str, wall_s: u64, done: Done) -> Step {
        let usage =
            Usage { wall: Duration::from_secs(wall_s), cpu: Duration::from_secs(3), peak_bytes: 3 << 20 };
        let (server_cpu, other_cpu) = (Duration::from_secs(1), Duration::ZERO);
        Step { name, cost: Cost { usage, server_cpu, other_cpu, wal_bytes: Some(1 << 21) }, done }
    }

    /// A floor of 2 s, an initial run of 16 s with 80,000 objects and 40,000 captures, a night of 4 s with nothing.
    fn steps() -> Vec<Step> {
        let done = Done {
            objects: 80_000,
            captures: 40_000,
            events: 7,
            table_bytes: 20_000_000,
            index_bytes: 4_000_000,
        };
        vec![
            step("floor", 2, Done { objects: 80_000, ..Done::default() }),
            step("initial", 16, done),
            step("night", 4, Done::default()),
        ]
    }

    fn figure(key: &str, index: usize) -> Option<f64> {
        figure_of(&steps(), key, index)
    }

    fn figure_of(steps: &[Step], key: &str, index: usize) -> Option<f64> {
        MEASURES.iter().find(|measure| measure.key == key).unwrap().of(steps, index, "initial")
    }

    #[test]
    fn steps_are_compared_with_the_floor_and_the_initial_run() {
        assert_eq!([0, 1, 2].map(|index| figure("timesFloor", index).unwrap()), [1.0, 8.0, 2.0]);
        assert_eq!([0, 1, 2].map(|index| figure("percentOfInitial", index).unwrap()), [12.5, 100.0, 25.0]);
    }

    /// Inserts of 12 s for rows that the initial run took 16 s to make: three quarters of their speed. Other steps make
    /// other rows.
    #[test]
    fn the_initial_run_is_compared_with_prepared_inserts() {
        let mut steps = steps();
        steps.insert(2, step(INSERTS, 12, Done::default()));
        let speed = |index| figure_of(&steps, "percentOfInserts", index);
        assert_eq!([0, 1, 2, 3].map(speed), [None, Some(75.0), Some(100.0), None]);
        assert_eq!(figure("percentOfInserts", 1), None);
    }

    #[test]
    fn costs_are_told_by_the_object_and_by_the_capture() {
        assert_eq!(figure("objectsPerSecond", 1), Some(5_000.0));
        assert_eq!(figure("ownCpuMicrosPerObject", 1), Some(37.5));
        assert_eq!(figure("serverCpuMicrosPerObject", 1), Some(12.5));
        assert_eq!(figure("cpuMicrosPerObject", 1), Some(50.0));
        assert_eq!(figure("peakMebibytes", 1), Some(3.0));
        assert_eq!(figure("walMebibytes", 1), Some(2.0));
        assert_eq!(figure("tableBytesPerCapture", 1), Some(500.0));
        assert_eq!(figure("indexBytesPerCapture", 1), Some(100.0));
    }

    /// A night without change has no objects to share its cost among, and the floor no captures.
    #[test]
    fn what_makes_no_sense_has_no_figure() {
        for key in ["objectsPerSecond", "cpuMicrosPerObject", "walBytesPerCapture", "tableBytesPerCapture"] {
            assert_eq!(figure(key, 2), None, "{key}");
        }
        assert_eq!(figure("indexBytesPerCapture", 0), None);
        let mut unknown = steps();
        unknown[1].cost.usage.peak_bytes = 0;
        assert_eq!(figure_of(&unknown, "peakMebibytes", 1), None);
        assert_eq!((figure("objects", 2), figure("captures", 2)), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn keys_are_unique() {
        let keys: std::collections::BTreeSet<&str> = MEASURES.iter().map(|measure| measure.key).collect();
        assert_eq!(keys.len(), MEASURES.len());
    }
}
