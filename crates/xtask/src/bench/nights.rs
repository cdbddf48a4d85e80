//! What is stored after some nights with patches, in each format.

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};

use super::documents::Documents;
use super::figures::{Step, ratio};
use super::grid::{Figure, Grid, number};
use super::history::total;
use super::{Bench, FORMATS, INITIAL, announce, show};

/// Patches between two full captures of an object.
const MAX_ALLOWED_PATCHES: u32 = 5;

/// What one format has come to.
#[derive(Debug)]
struct Stored {
    format: String,
    documents: Documents,
    /// All tables of history.
    table_bytes: u64,
    /// All their indexes.
    index_bytes: u64,
    /// Wall time of the initial run, in seconds.
    initial_s: f64,
    /// That of each night.
    nights_s: Vec<f64>,
}

impl Bench<'_> {
    /// Measures each format in each size and shows the figures.
    pub(super) fn all_nights(&self, nights: u32) -> Result<Map<String, Value>> {
        let mut cases = Vec::new();
        for &identities in &self.options.identities {
            let source = self.make_world(identities)?;
            let stored = self.formats(&FORMATS).into_iter().map(|format| {
                announce(&format!("{format}, {nights} nights"));
                self.stored(format, nights)
            });
            let grid = grid(&stored.collect::<Result<Vec<_>>>()?);
            let identities_shown = number(identities.into(), 0);
            let heading = format!(
                "{identities_shown} identities after {nights} nights, maxAllowedPatches {MAX_ALLOWED_PATCHES}:"
            );
            show(&heading, &grid.table())?;
            cases.push(json!({ "identities": identities, "source": source, "formats": grid.json("format") }));
        }
        let found = json!({ "nights": nights, "maxAllowedPatches": MAX_ALLOWED_PATCHES, "cases": cases });
        Ok(found.as_object().cloned().unwrap_or_default())
    }

    /// An initial run, then so many days with a night each.
    fn stored(&self, format: &str, nights: u32) -> Result<Stored> {
        let capture = format!("jsonFormat: {format}, maxAllowedPatches: {MAX_ALLOWED_PATCHES}");
        let site = self.make_site(&self.annals, &capture)?;
        self.step("migrate", &site.history, &mut site.program.migrate())?;
        let initial = self.night(INITIAL, &site)?;
        let nights = (0..nights).map(|_| self.changed_night("night", &site));
        let nights = nights.collect::<Result<Vec<Step>>>()?;
        site.history.settle(&self.server)?;
        let documents = Documents::of(&site.history, &self.server)?;
        let told: u64 = std::iter::once(&initial).chain(&nights).map(|step| step.done.captures).sum();
        ensure!(
            documents.captures == told,
            "the runs tell {told} captures, {} are there",
            documents.captures
        );
        let (table_bytes, index_bytes) = total(&site.history.sizes(&self.server)?);
        let wall_s = |step: &Step| step.cost.usage.wall.as_secs_f64();
        let (initial_s, nights_s) = (wall_s(&initial), nights.iter().map(wall_s).collect());
        Ok(Stored { format: format.to_owned(), documents, table_bytes, index_bytes, initial_s, nights_s })
    }
}

/// The figures, with a column for each format.
fn grid(all: &[Stored]) -> Grid {
    let zipped = all.iter().find(|stored| stored.format == FORMATS[0]);
    let figures = MEASURES.iter().map(|measure| {
        let of = |stored| (measure.of)(stored, zipped);
        let Measure { key, heading, decimals, .. } = *measure;
        Figure { key, heading, decimals, values: all.iter().map(of).collect() }
    });
    Grid { columns: all.iter().map(|stored| stored.format.clone()).collect(), figures: figures.collect() }
}

/// A figure that is shown for each format.
struct Measure {
    key: &'static str,
    heading: &'static str,
    decimals: usize,
    /// Works it out, with what ZIPPED has come to beside it; several values where it was taken in each night.
    of: fn(&Stored, Option<&Stored>) -> Vec<f64>,
}

/// All figures, in the order in which they are shown.
const MEASURES: [Measure; 13] = [
    measure("captures", "captures", 0, |at, _| vec![at.documents.captures as f64]),
    measure("patches", "of them patches", 0, |at, _| vec![at.documents.patches as f64]),
    measure("tableBytesPerCapture", "tables, bytes/capture", 1, |at, _| at.per_capture(at.table_bytes)),
    measure("indexBytesPerCapture", "indexes, bytes/capture", 1, |at, _| at.per_capture(at.index_bytes)),
    measure("bytesPerCapture", "both, bytes/capture", 1, |at, _| {
        at.per_capture(at.table_bytes + at.index_bytes)
    }),
    measure("documentBytes", "documents, bytes", 0, |at, _| vec![at.documents.bytes as f64]),
    measure("documentBytesOfZipped", "documents, of ZIPPED", 3, |at, zipped| {
        zipped.map_or_else(Vec::new, |zipped| share(at.documents.bytes, zipped.documents.bytes))
    }),
    measure("documentBytesPerFull", "documents, bytes/full capture", 1, |at, _| {
        let Documents { captures, bytes, patches, patch_bytes, .. } = at.documents;
        share(bytes - patch_bytes, captures - patches)
    }),
    measure("documentBytesPerPatch", "documents, bytes/patch", 1, |at, _| {
        share(at.documents.patch_bytes, at.documents.patches)
    }),
    measure("patchesOfFull", "patches, of the full captures below them", 3, |at, _| {
        share(at.documents.patch_bytes, at.documents.patched_bytes)
    }),
    measure("initialSeconds", "wall time, initial run, s", 2, |at, _| vec![at.initial_s]),
    measure("nightSeconds", "wall time, a night, s", 2, |at, _| at.nights_s.clone()),
    measure("nightPercentOfInitial", "a night, % of the initial run", 1, |at, _| {
        at.nights_s.iter().filter_map(|night_s| ratio(100.0 * night_s, at.initial_s)).collect()
    }),
];

const fn measure(
    key: &'static str,
    heading: &'static str,
    decimals: usize,
    of: fn(&Stored, Option<&Stored>) -> Vec<f64>,
) -> Measure {
    Measure { key, heading, decimals, of }
}

impl Stored {
    fn per_capture(&self, bytes: u64) -> Vec<f64> {
        share(bytes, self.documents.captures)
    }
}

fn share(part: u64, whole: u64) -> Vec<f64> {
    ratio(part as f64, whole as f64).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1,000 captures, of which 100 are patches of 20 bytes, each on a full capture of 100 bytes; the other 900 take
    /// 90,000 bytes.
    fn stored(format: &str) -> Stored {
        let documents = Documents {
            captures: 1_000,
            bytes: 92_000,
            patches: 100,
            patch_bytes: 2_000,
            patched_bytes: 10_000,
        };
        let format = format.to_owned();
        let nights_s = vec![0.5, 0.25, 1.0];
        Stored { format, documents, table_bytes: 800_000, index_bytes: 200_000, initial_s: 10.0, nights_s }
    }

    fn figure(grid: &Grid, key: &str) -> Vec<Vec<f64>> {
        grid.figures.iter().find(|figure| figure.key == key).unwrap().values.clone()
    }

    #[test]
    fn documents_are_told_by_the_capture_and_beside_what_they_replace() {
        let small = Stored {
            documents: Documents { captures: 1_000, bytes: 23_000, ..Documents::default() },
            ..stored("COMPACT")
        };
        let grid = grid(&[stored("ZIPPED"), small]);
        assert_eq!(grid.columns, ["ZIPPED", "COMPACT"]);
        assert_eq!(figure(&grid, "bytesPerCapture")[0], [1_000.0]);
        assert_eq!(figure(&grid, "documentBytesOfZipped"), [[1.0], [0.25]]);
        assert_eq!(figure(&grid, "documentBytesPerFull"), [[100.0], [23.0]]);
        // One that has no patches has no figures of them.
        assert_eq!(figure(&grid, "documentBytesPerPatch"), [vec![20.0], vec![]]);
        assert_eq!(figure(&grid, "patchesOfFull"), [vec![0.2], vec![]]);
    }

    /// Each night is compared with the initial run; without ZIPPED there is nothing to compare its bytes with.
    #[test]
    fn every_night_counts() {
        let grid = grid(&[stored("PRETTY")]);
        assert_eq!(figure(&grid, "nightPercentOfInitial"), [[5.0, 2.5, 10.0]]);
        assert_eq!(grid.medians("nightSeconds"), [Some(0.5)]);
        assert_eq!(figure(&grid, "documentBytesOfZipped"), [Vec::<f64>::new()]);
    }
}
