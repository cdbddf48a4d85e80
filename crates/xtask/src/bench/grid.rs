//! Figures in rows, with a column for each thing that has them, for people and for programs.

use serde_json::{Map, Value, json};

use super::spread::Spread;

/// A figure of each column.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Its name in JSON.
    pub(crate) key: &'static str,
    /// What people read, with the unit.
    pub(crate) heading: &'static str,
    /// Digits after the point.
    pub(crate) decimals: usize,
    /// What was taken, column by column: none where it makes no sense, several where it was taken several times.
    pub(crate) values: Vec<Vec<f64>>,
}

/// Figures of the same columns.
#[derive(Debug)]
pub(crate) struct Grid {
    /// Their names.
    pub(crate) columns: Vec<String>,
    /// In the order in which they are shown.
    pub(crate) figures: Vec<Figure>,
}

impl Grid {
    /// A Markdown table, without the figures that no column has.
    pub(crate) fn table(&self) -> String {
        let heading = std::iter::once(String::new()).chain(self.columns.iter().cloned());
        let mut rows: Vec<Vec<String>> = vec![heading.collect()];
        let figures =
            self.figures.iter().filter(|figure| figure.values.iter().any(|values| !values.is_empty()));
        rows.extend(figures.map(|figure| {
            let cells = figure.values.iter().map(|values| cell(values, figure.decimals));
            std::iter::once(figure.heading.to_owned()).chain(cells).collect()
        }));
        markdown(&rows)
    }

    /// An object for each column: its name under this key, and all values of its figures.
    pub(crate) fn json(&self, key: &str) -> Vec<Value> {
        let figures = |column: usize| -> Map<String, Value> {
            let spreads = self.figures.iter().filter_map(|figure| {
                let values = figure.values.get(column)?;
                let Spread { median, least, most } = Spread::of(values)?;
                let all = json!({ "median": median, "least": least, "most": most, "values": values });
                Some((figure.key.to_owned(), all))
            });
            spreads.collect()
        };
        let columns = self.columns.iter().enumerate();
        columns.map(|(column, name)| json!({ key: name, "figures": figures(column) })).collect()
    }

    /// A figure's medians, by column.
    pub(crate) fn medians(&self, key: &str) -> Vec<Option<f64>> {
        let figure = self.figures.iter().find(|figure| figure.key == key);
        let values = figure.into_iter().flat_map(|figure| &figure.values);
        values.map(|values| Some(Spread::of(values)?.median)).collect()
    }
}

/// The median, and how far the values lie apart where there are several; a dash where there is none.
fn cell(values: &[f64], decimals: usize) -> String {
    let show = |value| number(value, decimals);
    match Spread::of(values) {
        None => "–".to_owned(),
        Some(spread) if show(spread.least) == show(spread.most) => show(spread.median),
        Some(spread) => {
            format!("{} ({}–{})", show(spread.median), show(spread.least), show(spread.most))
        }
    }
}

/// A number with so many digits after the point, and a comma before each three before it.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

/// A Markdown table whose columns stand in line: the first one to the left, the others to the right.
pub(crate) fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(column, (cell, width))| {
                    if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if index == 0 {
            let rules: Vec<String> = widths
                .iter()
                .enumerate()
                .map(
                    |(column, width)| {
                        if column == 0 { "-".repeat(*width) } else { "-".repeat(width - 1) + ":" }
                    },
                )
                .collect();
            text.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let figure = |key, heading, values| Figure { key, heading, decimals: 1, values };
        Grid {
            columns: vec!["one".to_owned(), "two".to_owned()],
            figures: vec![
                figure("wall", "wall time, s", vec![vec![2.0, 4.0, 3.0], vec![]]),
                figure("none", "nobody has it", vec![vec![], vec![]]),
                figure("size", "size", vec![vec![1_000.0], vec![2.0, 2.0]]),
            ],
        }
    }

    /// Several values are shown as their median and spread, none as a dash; a figure without any is no row.
    #[test]
    fn the_table_has_a_row_for_each_figure() {
        let expected = "\
|              |           one | two |
| ------------ | ------------: | --: |
| wall time, s | 3.0 (2.0–4.0) |   – |
| size         |       1,000.0 | 2.0 |
";
        assert_eq!(grid().table(), expected);
    }

    #[test]
    fn json_has_an_object_for_each_column() {
        let columns = grid().json("step");
        let all = json!({"median": 3.0, "least": 2.0, "most": 4.0, "values": [2.0, 4.0, 3.0]});
        assert_eq!((&columns[0]["step"], &columns[0]["figures"]["wall"]), (&json!("one"), &all));
        let all = json!({"size": {"median": 2.0, "least": 2.0, "most": 2.0, "values": [2.0, 2.0]}});
        assert_eq!(columns[1], json!({"step": "two", "figures": all}));
        assert_eq!(grid().medians("wall"), [Some(3.0), None]);
    }

    #[test]
    fn numbers_have_commas() {
        for (value, decimals, expected) in [
            (0.0, 0, "0"),
            (999.4, 0, "999"),
            (1_000.0, 0, "1,000"),
            (1_234_567.891, 2, "1,234,567.89"),
            (-45_678.9, 1, "-45,678.9"),
            (0.046, 2, "0.05"),
        ] {
            assert_eq!(number(value, decimals), expected);
        }
    }

    #[test]
    fn columns_stand_in_line() {
        let rows = [["", "one"], ["some", "1–2"], ["x", "10,000"]].map(|row| row.map(str::to_owned).to_vec());
        let expected = "|      |    one |\n| ---- | -----: |\n| some |    1–2 |\n| x    | 10,000 |\n";
        assert_eq!(markdown(&rows), expected);
    }
}
