//! Access intervals: what identities hold, from when until when, and as known when (`annals_access_interval`). They are
//! made of the captures of identities alone, in the transaction that writes those.

mod access;
mod items;
mod rebuild;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use annals_model::text::searchable;
use annals_model::{
    AccessInterval, AccessItem, AccessState, Acquired, Holding, IntervalEnd, Ledger, LedgerRow, ObjectKey,
    holdings,
};
use annals_sql::{Batch, Column, ColumnData, Engine, OnConflict, Row, Stmt, Tx, Value};

use crate::head::{Case, ID_BYTES, pack, unpack};
use crate::{Error, NewCapture};

pub use access::{AccessQuestion, HeldAccess, access};
pub use items::AccessItems;
pub use rebuild::{AccessCheck, AccessRebuild, Rebuilt, access_check, has_intervals};

pub(crate) const TABLE: &str = "annals_access_interval";

const REMOVE: Stmt = Stmt::new(
    "history.remove_intervals",
    "delete from annals_access_interval where identity_id = ? and seq {in}",
);

/// Rows that are still held.
const OPEN: &str = "identity_id = listed.value and recorded_to is null and valid_to is null";
/// Rows that are what is known, or were until an instant.
const KNOWN: &str = "identity_id = listed.value and (recorded_to is null or recorded_to = ?)";

/// The rows of a list of identities, each of which is there once at least, with the number of its last row and whether its
/// captures have become intervals at all.
fn rows_stmt(engine: Engine, name: &'static str, which: &str) -> Result<Stmt, annals_sql::Error> {
    let besides =
        "(select max(m.seq) from annals_access_interval m where m.identity_id = given.value) as last,
         (select count(*) from annals_access_build where complete = 1 or position >= given.value) as built";
    let (with, from) = engine.all_listed(besides, TABLE, "a", which)?;
    Ok(Stmt::built(
        name,
        format!(
            "{with} select listed.value, listed.last, listed.built, a.seq, a.valid_from, a.valid_to, a.recorded_from,
                a.end_recorded, a.recorded_to, a.item, a.acquired, a.opened_by, a.closed_by, a.request_item_id,
                a.native_identity, a.cause, a.assigner
             from {from}"
        ),
    ))
}

#[cfg(test)]
pub(crate) fn statements(engine: Engine) -> Vec<Stmt> {
    let mut statements = vec![REMOVE];
    for (name, which) in [("open", OPEN), ("known", KNOWN), ("all", rebuild::ALL), ("asked", access::ASKED)] {
        statements.extend(rows_stmt(engine, name, which));
    }
    statements.extend(items::STATEMENTS);
    statements.extend(rebuild::STATEMENTS);
    statements
}

/// How identities are named in the table: as heads name them.
fn identity_id(key: &ObjectKey) -> String {
    searchable(&key.object_id).into_owned()
}

/// What the captures of a transaction say that identities hold.
#[derive(Debug, Default)]
pub(crate) struct AccessWrites {
    identities: BTreeMap<String, Told>,
    items: BTreeMap<i64, AccessItem>,
}

#[derive(Debug)]
struct Told {
    /// History had no capture of the identity before.
    is_new: bool,
    /// Each with the instant at which it is recorded.
    states: Vec<(i64, AccessState)>,
}

impl AccessWrites {
    /// Takes note of an identity's newest capture.
    pub(crate) fn take(&mut self, capture: &NewCapture<'_>) {
        let mut held = Vec::new();
        for (item, holding) in capture.image.map(holdings).into_iter().flatten() {
            self.items.entry(holding.item).or_insert(item);
            held.push(holding);
        }
        let told = self
            .identities
            .entry(identity_id(&capture.key))
            .or_insert_with(|| Told { is_new: !capture.known, states: Vec::with_capacity(1) });
        let state = AccessState {
            capture_id: capture.id.as_str().into(),
            effective_ms: capture.effective_ms,
            holdings: held,
        };
        told.states.push((capture.recorded_ms, state));
    }

    pub(crate) fn take_items(&mut self) -> BTreeMap<i64, AccessItem> {
        std::mem::take(&mut self.items)
    }

    /// Writes the rows; how many. What is new needs no look at what is there.
    pub(crate) async fn write(mut self, tx: &mut Tx) -> Result<usize, Error> {
        let known: Vec<String> =
            self.identities.iter().filter(|(_, told)| !told.is_new).map(|(id, _)| id.clone()).collect();
        let mut open = if known.is_empty() {
            HashMap::new()
        } else {
            let stmt = rows_stmt(tx.engine(), "history.open_intervals", OPEN)?;
            ledgers(tx, &stmt, vec![Value::from(known)]).await?
        };
        let mut written = Vec::with_capacity(self.identities.len());
        for (identity, told) in self.identities {
            let ledger = if told.is_new { Some(Ledger::default()) } else { open.remove(&identity) };
            // Else a rebuilding has not come to it yet, and will read these captures too.
            if let Some(mut ledger) = ledger {
                for (recorded_ms, state) in &told.states {
                    ledger.advance(state, *recorded_ms);
                }
                written.push((identity, ledger));
            }
        }
        if !self.items.is_empty() {
            let added = written.iter().flat_map(|(_, ledger)| ledger.added());
            let named: HashSet<i64> = added.map(|row| row.interval.holding.item).collect();
            self.items.retain(|number, _| named.contains(number));
        }
        items::add(tx, self.items).await?;
        write(tx, &written).await
    }
}

/// The access intervals of an identity as they are known, to put a late capture among them, with those that were
/// withdrawn at this very instant; none where its captures have not become intervals yet: a rebuilding will read them all.
///
/// # Errors
/// As any call.
pub async fn access_ledger(tx: &mut Tx, key: &ObjectKey, recorded_ms: i64) -> Result<Option<Ledger>, Error> {
    let identity = identity_id(key);
    let stmt = rows_stmt(tx.engine(), "history.known_intervals", KNOWN)?;
    let params = vec![Value::from(vec![identity.clone()]), Value::from(recorded_ms)];
    Ok(ledgers(tx, &stmt, params).await?.remove(&identity))
}

/// Writes what has become of an identity's access intervals; `items` has those that new rows may name.
///
/// # Errors
/// As any call.
pub async fn write_access(
    tx: &mut Tx,
    key: &ObjectKey,
    ledger: Ledger,
    items: Vec<AccessItem>,
) -> Result<(), Error> {
    items::add(tx, items.into_iter().map(|item| (item.number(), item)).collect()).await?;
    write(tx, &[(identity_id(key), ledger)]).await.map(drop)
}

/// The ledgers of those of these identities whose captures have become intervals.
async fn ledgers(tx: &mut Tx, stmt: &Stmt, params: Vec<Value>) -> Result<HashMap<String, Ledger>, Error> {
    let mut rows: HashMap<String, (i64, Vec<LedgerRow>)> = HashMap::new();
    for row in tx.fetch_all(stmt, params).await? {
        if row.required_int(2)? == 0 {
            continue;
        }
        let next_seq = row.int(1)?.map_or(0, |last| last + 1);
        let (_, of_identity) =
            rows.entry(row.required_text(0)?.to_owned()).or_insert_with(|| (next_seq, Vec::new()));
        of_identity.extend(read(&row)?);
    }
    Ok(rows.into_iter().map(|(identity, (next_seq, rows))| (identity, Ledger::of(rows, next_seq))).collect())
}

/// A row; none where the identity has none.
fn read(row: &Row) -> Result<Option<LedgerRow>, annals_sql::Error> {
    let Some(seq) = row.int(3)? else { return Ok(None) };
    let capture = |index| {
        row.bytes(index).map(|bytes| bytes.map(|bytes| Arc::from(unpack(bytes, ID_BYTES, Case::Lower))))
    };
    let text = |index| row.text(index).map(|text| text.map(str::to_owned));
    let end = match (row.int(5)?, row.int(7)?, capture(12)?) {
        (Some(valid_to_ms), Some(recorded_ms), Some(closed_by)) => {
            Some(IntervalEnd { valid_to_ms, closed_by, recorded_ms })
        }
        _ => None,
    };
    Ok(Some(LedgerRow {
        seq,
        interval: AccessInterval {
            holding: Holding {
                item: row.required_int(9)?,
                native_identity: text(14)?,
                acquired: Acquired::of_number(row.required_int(10)?),
                cause: text(15)?,
                assigner: text(16)?,
                request_item_id: text(13)?,
            },
            valid_from_ms: row.required_int(4)?,
            opened_by: capture(11)?.unwrap_or_default(),
            end,
        },
        recorded_from_ms: row.required_int(6)?,
        recorded_to_ms: row.int(8)?,
    }))
}

/// Writes what has become of rows; how many.
async fn write(tx: &mut Tx, ledgers: &[(String, Ledger)]) -> Result<usize, Error> {
    for (identity, ledger) in ledgers.iter().filter(|(_, ledger)| !ledger.removed().is_empty()) {
        let params = vec![Value::from(identity.as_str()), Value::from(ledger.removed().to_vec())];
        tx.execute(&REMOVE, params).await?;
    }
    let of = |rows: fn(&Ledger) -> Vec<&LedgerRow>| {
        let all =
            ledgers.iter().flat_map(move |(id, ledger)| rows(ledger).into_iter().map(move |row| (id, row)));
        batch(all.map(|(id, row)| (id.as_str(), row)).collect())
    };
    let (changed, added) = (of(|ledger| ledger.changed().collect()), of(|ledger| ledger.added().collect()));
    let rows = changed.len() + added.len();
    tx.insert(TABLE, changed, OnConflict::Replace { key: &["identity_id", "seq"] }).await?;
    tx.insert(TABLE, added, OnConflict::Fail).await?;
    Ok(rows)
}

fn batch(rows: Vec<(&str, &LedgerRow)>) -> Batch {
    let numbers = |name, value: &dyn Fn(&LedgerRow) -> Option<i64>| Column {
        name,
        data: ColumnData::Int(rows.iter().map(|(_, row)| value(row)).collect()),
    };
    let texts = |name, value: &dyn Fn(&Holding) -> &Option<String>| Column {
        name,
        data: ColumnData::Text(rows.iter().map(|(_, row)| value(&row.interval.holding).clone()).collect()),
    };
    let captures = |name, value: &dyn Fn(&AccessInterval) -> Option<Arc<str>>| Column {
        name,
        data: ColumnData::Bytes(
            rows.iter().map(|(_, row)| Some(pack(&value(&row.interval)?, ID_BYTES))).collect(),
        ),
    };
    let end = |row: &LedgerRow, value: fn(&IntervalEnd) -> i64| row.interval.end.as_ref().map(value);
    let identities = rows.iter().map(|(identity, _)| Some((*identity).to_owned())).collect();
    Batch::new(vec![
        numbers("valid_from", &|row| Some(row.interval.valid_from_ms)),
        numbers("valid_to", &|row| end(row, |end| end.valid_to_ms)),
        numbers("recorded_from", &|row| Some(row.recorded_from_ms)),
        numbers("end_recorded", &|row| end(row, |end| end.recorded_ms)),
        numbers("recorded_to", &|row| row.recorded_to_ms),
        numbers("item", &|row| Some(row.interval.holding.item)),
        numbers("seq", &|row| Some(row.seq)),
        numbers("acquired", &|row| Some(row.interval.holding.acquired.number())),
        Column { name: "identity_id", data: ColumnData::Text(identities) },
        captures("opened_by", &|interval| Some(Arc::clone(&interval.opened_by))),
        captures("closed_by", &|interval| interval.end.as_ref().map(|end| Arc::clone(&end.closed_by))),
        texts("request_item_id", &|holding| &holding.request_item_id),
        texts("native_identity", &|holding| &holding.native_identity),
        texts("cause", &|holding| &holding.cause),
        texts("assigner", &|holding| &holding.assigner),
    ])
}
