//! What was interrupted, point by point.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, ensure};

use super::case::{Case, Fault, Outcome, Place};

/// How often a point was struck, by fault.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: BTreeMap<String, Row>,
}

#[derive(Debug, Default)]
struct Row {
    struck: BTreeMap<&'static str, u32>,
    missed: u32,
}

impl Table {
    /// Counts a case.
    pub(crate) fn count(&mut self, case: &Case, outcome: Outcome) {
        let place = match &case.place {
            Place::Point(name) => name.clone(),
            Place::Send => "a send to the database".to_owned(),
        };
        let row = self.rows.entry(place).or_default();
        match outcome {
            Outcome::Struck => *row.struck.entry(case.fault.as_str()).or_default() += 1,
            Outcome::Missed => row.missed += 1,
        }
    }

    /// A point at which no process was ever killed shows nothing.
    pub(crate) fn every_point_was_struck(&self, is_part: bool) -> Result<()> {
        let unstruck: Vec<&String> =
            self.rows.iter().filter(|(_, row)| row.struck.is_empty()).map(|(name, _)| name).collect();
        ensure!(is_part || unstruck.is_empty(), "no process came by {unstruck:?}");
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.keys().map(String::len).max().unwrap_or_default();
        write!(f, "{:width$}", "point")?;
        for fault in Fault::ALL {
            write!(f, "  {:>8}", fault.as_str())?;
        }
        writeln!(f, "  {:>8}", "missed")?;
        for (name, row) in &self.rows {
            write!(f, "{name:width$}")?;
            for fault in Fault::ALL {
                let column = fault.as_str().len().max(8);
                write!(f, "  {:>column$}", row.struck.get(fault.as_str()).copied().unwrap_or_default())?;
            }
            writeln!(f, "  {:>8}", row.missed)?;
        }
        Ok(())
    }
}
