//! Peak memory of the same steps in several sizes: it is meant to be the same.

use serde::Serialize;

use super::figures::{COPY, INSERTS};
use super::grid::{Grid, markdown, number};

/// The most that the program had resident in a step, by size.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Peaks {
    format: String,
    step: String,
    /// In the order in which they were measured.
    sizes: Vec<Peak>,
    /// The largest peak as a multiple of the smallest.
    most_of_least: f64,
}

/// The peak of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Peak {
    identities: u32,
    mebibytes: f64,
}

/// The program's steps out of figures by format and size; nothing where there is only one size.
pub(super) fn compare(grids: &[(&str, u32, Grid)]) -> Vec<Peaks> {
    let mut all: Vec<Peaks> = Vec::new();
    for (format, identities, grid) in grids {
        for (step, peak) in grid.columns.iter().zip(grid.medians("peakMebibytes")) {
            let (false, Some(mebibytes)) = ([COPY, INSERTS].contains(&step.as_str()), peak) else { continue };
            let size = Peak { identities: *identities, mebibytes };
            match all.iter_mut().find(|peaks| peaks.format == *format && peaks.step == *step) {
                Some(peaks) => peaks.sizes.push(size),
                None => {
                    let (format, step) = ((*format).to_owned(), step.clone());
                    all.push(Peaks { format, step, sizes: vec![size], most_of_least: 1.0 });
                }
            }
        }
    }
    all.retain(|peaks| peaks.sizes.len() > 1);
    for peaks in &mut all {
        let values = || peaks.sizes.iter().map(|size| size.mebibytes);
        peaks.most_of_least = values().fold(0.0, f64::max) / values().fold(f64::INFINITY, f64::min);
    }
    all
}

/// A Markdown table with a row for each step.
pub(super) fn table(all: &[Peaks]) -> String {
    let sizes = all.first().map_or(&[][..], |peaks| &peaks.sizes);
    let heading = sizes.iter().map(|size| format!("{}, MiB", number(size.identities.into(), 0)));
    let mut rows = vec![row("peak memory".to_owned(), heading, "most, of least".to_owned())];
    rows.extend(all.iter().map(|peaks| {
        let cells = peaks.sizes.iter().map(|size| number(size.mebibytes, 1));
        row(format!("{}, {}", peaks.format, peaks.step), cells, number(peaks.most_of_least, 2))
    }));
    markdown(&rows)
}

fn row(name: String, cells: impl Iterator<Item = String>, last: String) -> Vec<String> {
    std::iter::once(name).chain(cells).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::grid::Figure;
    use super::*;

    fn grid(peaks: [f64; 3]) -> Grid {
        let values = peaks.iter().map(|peak| vec![*peak]).collect();
        let figure = Figure { key: "peakMebibytes", heading: "peak memory, MiB", decimals: 1, values };
        Grid { columns: [COPY, "initial", "night"].map(str::to_owned).to_vec(), figures: vec![figure] }
    }

    /// 150 of 120 are 1.25 and 30 of 20 are 1.5; the floor's memory is not ours, and a format that was measured in one
    /// size alone is compared with nothing.
    #[test]
    fn peaks_are_compared_by_step_and_format() {
        let grids = [
            ("ZIPPED", 20_000, grid([9.0, 150.0, 20.0])),
            ("COMPACT", 20_000, grid([9.0, 1.0, 1.0])),
            ("ZIPPED", 100_000, grid([99.0, 120.0, 30.0])),
        ];
        let expected = "\
| peak memory     | 20,000, MiB | 100,000, MiB | most, of least |
| --------------- | ----------: | -----------: | -------------: |
| ZIPPED, initial |       150.0 |        120.0 |           1.25 |
| ZIPPED, night   |        20.0 |         30.0 |           1.50 |
";
        let peaks = compare(&grids);
        assert_eq!(table(&peaks), expected);
        assert_eq!(peaks[1].sizes[1], Peak { identities: 100_000, mebibytes: 30.0 });
        assert_eq!(compare(&grids[..2]), []);
    }
}
