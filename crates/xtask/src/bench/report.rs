//! The figures of all runs, for people and for programs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::figures::{MEASURES, Step};
use super::grid::{Figure, Grid, markdown, number};
use super::history::{TableSize, total};

/// Tables below this share of everything are shown together.
const SHOWN_SHARE_MIN: f64 = 0.005;

/// One run: its steps in their order, and how large history's tables were at its end.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Beginning with the floor.
    pub(crate) steps: Vec<Step>,
    /// By table.
    pub(crate) sizes: Vec<TableSize>,
}

/// Everything that was found out.
#[derive(Debug)]
pub(crate) struct Report {
    /// What was measured and on what, as a JSON object.
    pub(crate) about: Map<String, Value>,
    /// Name of the step that nights are compared with.
    pub(crate) initial: &'static str,
    /// At least one.
    pub(crate) runs: Vec<Taken>,
}

impl Report {
    /// One document: what was measured, then each figure of each step with all its values.
    pub(crate) fn json(&self) -> Value {
        let mut document = self.about.clone();
        document.insert("steps".to_owned(), Value::Array(self.grid().json("step")));
        document.insert("tables".to_owned(), json!(self.sizes()));
        Value::Object(document)
    }

    /// The figures as two Markdown tables: by step, and by history table.
    pub(crate) fn tables(&self) -> String {
        format!("{}\n{}", self.grid().table(), markdown(&self.sizes_table()))
    }

    /// All figures, by step.
    pub(crate) fn grid(&self) -> Grid {
        let steps = self.runs.first().map_or(&[][..], |run| &run.steps);
        let figures = MEASURES.iter().map(|measure| {
            let of = |step| {
                self.runs.iter().filter_map(|run| measure.of(&run.steps, step, self.initial)).collect()
            };
            let (key, heading, decimals) = (measure.key, measure.heading, measure.decimals);
            Figure { key, heading, decimals, values: (0..steps.len()).map(of).collect() }
        });
        Grid { columns: steps.iter().map(|step| step.name.to_owned()).collect(), figures: figures.collect() }
    }

    fn sizes(&self) -> &[TableSize] {
        self.runs.last().map_or(&[], |run| &run.sizes)
    }

    fn sizes_table(&self) -> Vec<Vec<String>> {
        let steps = self.runs.last().map_or(&[][..], |run| &run.steps);
        let written = steps.iter().filter(|step| !step.is_floor()).map(|step| step.done.captures);
        let captures = written.sum::<u64>() as f64;
        let row = |name: String, table_bytes: u64, index_bytes: u64| {
            let of_all = |bytes: u64| number(bytes as f64 / captures, 1);
            let both = table_bytes + index_bytes;
            vec![name, number(table_bytes as f64, 0), number(index_bytes as f64, 0), of_all(both)]
        };
        let heading = ["history table", "rows, bytes", "indexes, bytes", "bytes/capture of all"];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        let (all_tables, all_indexes) = total(self.sizes());
        let least = (all_tables + all_indexes) as f64 * SHOWN_SHARE_MIN;
        let (mut shown, small): (Vec<&TableSize>, Vec<&TableSize>) =
            self.sizes().iter().partition(|size| size.bytes() as f64 >= least);
        shown.sort_by_key(|size| std::cmp::Reverse(size.bytes()));
        rows.extend(shown.iter().map(|size| row(size.table.clone(), size.table_bytes, size.index_bytes)));
        let (tables, indexes) = total(small.iter().copied());
        rows.push(row(format!("{} others", small.len()), tables, indexes));
        rows.push(row("all".to_owned(), all_tables, all_indexes));
        rows
    }
}

impl TableSize {
    fn bytes(&self) -> u64 {
        self.table_bytes + self.index_bytes
    }
}

/// The settings in one line.
pub(crate) fn settings_line(settings: &BTreeMap<String, String>) -> String {
    settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::figures::{Cost, Done};
    use super::super::meter::Usage;
    use super::*;

    fn taken(wall_s: [u64; 2]) -> Taken {
        let step = |name, wall_s, done| {
            let usage = Usage { wall: Duration::from_secs(wall_s), cpu: Duration::ZERO, peak_bytes: 0 };
            let zero = Duration::ZERO;
            Step { name, cost: Cost { usage, server_cpu: zero, other_cpu: zero, wal_bytes: None }, done }
        };
        let size = |table: &str, table_bytes, index_bytes| TableSize {
            table: table.to_owned(),
            table_bytes,
            index_bytes,
        };
        Taken {
            steps: vec![
                step("floor", wall_s[0], Done::default()),
                step("initial", wall_s[1], Done { captures: 1_000, ..Done::default() }),
            ],
            sizes: vec![
                size("small", 4, 5),
                size("a", 60_000, 20_000),
                size("b", 1_000_000, 0),
                size("none", 1, 0),
            ],
        }
    }

    fn report() -> Report {
        let about = json!({"identities": 500}).as_object().unwrap().clone();
        Report { about, initial: "initial", runs: vec![taken([2, 10]), taken([2, 20]), taken([4, 14])] }
    }

    /// Ratios are taken within a run, then their median: 5, 10 and 3.5 have 5 in the middle, while the medians of the
    /// times would make 14 / 2.
    #[test]
    fn json_has_every_value_and_its_spread() {
        let document = report().json();
        assert_eq!(document["identities"], 500);
        let initial = &document["steps"][1];
        assert_eq!(initial["step"], "initial");
        let expected = json!({"median": 5.0, "least": 3.5, "most": 10.0, "values": [5.0, 10.0, 3.5]});
        assert_eq!(initial["figures"]["timesFloor"], expected);
        assert!(initial["figures"].get("walMebibytes").is_none());
        assert_eq!(document["tables"][1], json!({"table": "a", "tableBytes": 60_000, "indexBytes": 20_000}));
    }

    #[test]
    fn the_table_shows_medians_with_their_spread() {
        let text = report().tables();
        let line = |start: &str| {
            let found = text.lines().find(|line| line.starts_with(start)).unwrap();
            found.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(line("| wall time, s"), ["wall time, s", "2.00 (2.00–4.00)", "14.00 (10.00–20.00)"]);
        assert_eq!(line("| captures"), ["captures", "0", "1,000"]);
        assert_eq!(line("| tables, bytes/capture"), ["tables, bytes/capture", "–", "0"]);
        // Nothing was measured of the log.
        assert!(!text.contains("WAL"), "{text}");
    }

    /// 1,000 captures, 1,080,010 bytes: below 5,400 a table is among the others.
    #[test]
    fn sizes_are_shown_by_table_the_largest_first() {
        let rows = report().sizes_table();
        let shown: Vec<[&str; 4]> =
            rows.iter().map(|row| std::array::from_fn(|column| row[column].as_str())).collect();
        assert_eq!(
            shown[1..],
            [
                ["b", "1,000,000", "0", "1,000.0"],
                ["a", "60,000", "20,000", "80.0"],
                ["2 others", "5", "5", "0.0"],
                ["all", "1,060,005", "20,005", "1,080.0"],
            ]
        );
    }
}
