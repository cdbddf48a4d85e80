//! When states were seen, kept so that a message that comes late finds its place.
//!
//! Nearly every capture was seen once, on its effective date: of it nothing is kept but a row for all captures that were
//! read together.

use std::collections::HashMap;

use annals_model::Sighting;
use annals_sql::{Batch, Column, ColumnData, OnConflict, Stmt, Tx, Value};

use crate::Error;

pub(crate) const OF_CAPTURES: Stmt =
    Stmt::new("history.sightings", "select capture_id, seen from annals_sighting where capture_id {in}");
pub(crate) const DROP: Stmt =
    Stmt::new("history.drop_sightings", "delete from annals_sighting where capture_id {in}");

/// Bytes of a sighting.
const BYTES: usize = 16;

pub(crate) fn pack(seen: &[Sighting]) -> Vec<u8> {
    seen.iter()
        .flat_map(|one| [one.occurred_ms.to_le_bytes(), one.observed_ms.to_le_bytes()].concat())
        .collect()
}

pub(crate) fn unpack(bytes: &[u8]) -> Vec<Sighting> {
    let number = |bytes: &[u8]| bytes.try_into().map(i64::from_le_bytes).unwrap_or_default();
    bytes
        .chunks_exact(BYTES)
        .map(|one| Sighting { occurred_ms: number(&one[..8]), observed_ms: number(&one[8..]) })
        .collect()
}

/// The sightings of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    /// First id, last id, when they were read.
    readings: Vec<(String, String, i64)>,
    seen: Vec<(String, Vec<u8>)>,
}

impl Sightings {
    pub(crate) fn read(&mut self, capture_id: &str, observed_ms: i64) {
        match self.readings.last_mut() {
            Some((_, last, at_ms)) if *at_ms == observed_ms => capture_id.clone_into(last),
            _ => self.readings.push((capture_id.to_owned(), capture_id.to_owned(), observed_ms)),
        }
    }

    pub(crate) fn seen(&mut self, capture_id: &str, seen: &[Sighting]) {
        if !seen.is_empty() {
            self.seen.push((capture_id.to_owned(), pack(seen)));
        }
    }

    pub(crate) async fn write(self, tx: &mut Tx) -> Result<(), Error> {
        let (mut first, mut last, mut at) = (Vec::new(), Vec::new(), Vec::new());
        for (first_id, last_id, observed_ms) in self.readings {
            first.push(Some(first_id));
            last.push(Some(last_id));
            at.push(Some(observed_ms));
        }
        let readings = Batch::new(vec![
            Column { name: "first_id", data: ColumnData::Text(first) },
            Column { name: "last_id", data: ColumnData::Text(last) },
            Column { name: "observed_date", data: ColumnData::Int(at) },
        ]);
        tx.insert("annals_reading", readings, OnConflict::Fail).await?;
        let (ids, seen) = self.seen.into_iter().map(|(id, seen)| (Some(id), Some(seen))).unzip();
        let seen = Batch::new(vec![
            Column { name: "capture_id", data: ColumnData::Text(ids) },
            Column { name: "seen", data: ColumnData::Bytes(seen) },
        ]);
        Ok(tx.insert("annals_sighting", seen, OnConflict::Replace { key: &["capture_id"] }).await?)
    }
}

/// What is kept of when these captures were seen, by capture id; those are missing of which nothing is.
pub(crate) async fn of_captures(
    tx: &mut Tx,
    ids: Vec<String>,
) -> Result<HashMap<String, Vec<Sighting>>, Error> {
    let rows = tx.fetch_all(&OF_CAPTURES, vec![Value::from(ids)]).await?;
    rows.iter()
        .map(|row| Ok((row.required_text(0)?.to_owned(), unpack(row.bytes(1)?.unwrap_or_default()))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sightings_take_sixteen_bytes_each() {
        let seen = [(-1, 2), (1_767_225_600_123, i64::MAX)]
            .map(|(occurred_ms, observed_ms)| Sighting { occurred_ms, observed_ms });
        let packed = pack(&seen);
        assert_eq!(packed.len(), 32);
        assert_eq!(packed[..9], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]);
        assert_eq!(unpack(&packed), seen);
    }
}
