//! This program beside another one, taken in turn: each run against the other's run next to it.

use super::figures::{Step, ratio};
use super::grid::{Figure, Grid};
use super::report::Taken;

/// What each step costs as a multiple of what it costs the other program, run by run.
pub(super) fn compare(ours: &[Taken], others: &[Taken]) -> Grid {
    let steps: Vec<&Step> = ours.iter().flat_map(|run| &run.steps).filter(|step| !step.is_floor()).collect();
    let mut columns: Vec<String> = Vec::new();
    for step in steps {
        if !columns.iter().any(|name| name == step.name) {
            columns.push(step.name.to_owned());
        }
    }
    let figure = |key, heading, of: fn(&Step) -> f64| {
        let values = columns.iter().map(|name| {
            let taken = |run: &Taken| Some(of(run.steps.iter().find(|step| step.name == name)?));
            let pairs = ours.iter().zip(others);
            pairs.filter_map(|(our, other)| ratio(taken(our)?, taken(other)?)).collect()
        });
        Figure { key, heading, decimals: 2, values: values.collect() }
    };
    let figures = vec![
        figure("wallOfOther", "wall time, of the other's", |step| step.cost.usage.wall.as_secs_f64()),
        figure("cpuOfOther", "CPU of program and server, of the other's", |step| {
            (step.cost.usage.cpu + step.cost.server_cpu).as_secs_f64()
        }),
        figure("peakOfOther", "peak memory, of the other's", |step| step.cost.usage.peak_bytes as f64),
    ];
    Grid { columns, figures }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::figures::{COPY, Cost, Done};
    use super::super::meter::Usage;
    use super::*;

    fn taken(initial_s: u64, night_s: u64) -> Taken {
        let step = |name, wall_s| {
            let wall = Duration::from_secs(wall_s);
            let usage = Usage { wall, cpu: wall, peak_bytes: 100 };
            let cost = Cost {
                usage,
                server_cpu: Duration::from_secs(2),
                other_cpu: Duration::ZERO,
                wal_bytes: None,
            };
            Step { name, cost, done: Done::default() }
        };
        Taken {
            steps: vec![step(COPY, 1), step("initial", initial_s), step("night", night_s)],
            sizes: vec![],
        }
    }

    /// 12 s beside 10 s and 11 s beside 10 s; both with 2 s of the server: 14 of 12, 13 of 12.
    #[test]
    fn each_run_is_compared_with_the_one_next_to_it() {
        let table = compare(&[taken(12, 4), taken(11, 4)], &[taken(10, 8), taken(10, 4)]).table();
        let rows: Vec<&str> = table.lines().collect();
        assert!(rows[0].contains("initial") && !rows[0].contains(COPY), "{table}");
        assert!(rows[2].contains("| 1.15 (1.10–1.20) | 0.75 (0.50–1.00) |"), "{table}");
        assert!(rows[3].contains("| 1.12 (1.08–1.17) | 0.80 (0.60–1.00) |"), "{table}");
        assert!(rows[4].contains("1.00"), "{table}");
    }
}
