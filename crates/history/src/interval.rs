//! Access intervals: what identities hold, from when until when, and as known when (`annals_access_interval`), and in the
//! same form what roles and groups bring with them (`annals_access_grant`). They are made of the captures of identities,
//! roles and managed attributes alone, in the transaction that writes those.

mod access;
mod fact;
mod grant;
mod holders;
mod items;
mod rebuild;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use annals_model::{
    AccessInterval, AccessItem, AccessState, Grant, Holding, IntervalEnd, Ledger, LedgerRow, ObjectKey,
    ObjectType,
};
use annals_sql::{Batch, Column, ColumnData, Engine, OnConflict, Row, Stmt, Tx, Value};

use crate::head::{Case, ID_BYTES, pack, unpack};
use crate::{Error, NewCapture};

pub use access::{AccessQuestion, HeldAccess, access};
pub use fact::AccessFact;
pub use grant::grants_of;
pub use holders::{HolderRow, HoldersQuestion, Span, holders};
pub use items::{AccessItems, ItemText, access_items, access_items_with};
pub use rebuild::{AccessCheck, AccessRebuild, Rebuilt, access_check, has_intervals};

/// The tables whose indexes a first load leaves away.
pub(crate) const TABLE: &str = Holding::TABLE;

/// Rows that are still held.
const OPEN: &str = "{owner} = listed.value and recorded_to is null and valid_to is null";
/// Rows that are what is known, or were until an instant.
const KNOWN: &str = "{owner} = listed.value and (recorded_to is null or recorded_to = ?)";

/// The columns of a row from the fourth on, as [`read`] reads them.
fn columns<F: AccessFact>() -> String {
    format!(
        "a.seq, a.valid_from, a.valid_to, a.recorded_from, a.end_recorded, a.recorded_to, a.opened_by, a.closed_by, {}",
        F::COLUMNS
    )
}

/// The rows of a list of owners, each of whom is there once at least, with the number of its last row and whether its
/// captures have become rows at all.
fn rows_stmt<F: AccessFact>(
    engine: Engine,
    name: &'static str,
    which: &str,
) -> Result<Stmt, annals_sql::Error> {
    let (table, owner, build) = (F::TABLE, F::OWNER, F::BUILD);
    let besides = format!(
        "(select max(m.seq) from {table} m where m.{owner} = given.value) as last,
         (select count(*) from {build} where complete = 1 or position >= given.value) as built"
    );
    let (with, from) = engine.all_listed(&besides, table, "a", &which.replace("{owner}", owner))?;
    Ok(Stmt::built(
        format!("history.{name} {table}"),
        format!("{with} select listed.value, listed.last, listed.built, {} from {from}", columns::<F>()),
    ))
}

fn remove_stmt<F: AccessFact>() -> Stmt {
    let (table, owner) = (F::TABLE, F::OWNER);
    Stmt::built(
        format!("history.remove {table}"),
        format!("delete from {table} where {owner} = ? and seq {{in}}"),
    )
}

#[cfg(test)]
pub(crate) fn statements(engine: Engine) -> Vec<Stmt> {
    let mut statements = vec![remove_stmt::<Holding>(), remove_stmt::<Grant>()];
    for (name, which) in [("open", OPEN), ("known", KNOWN), ("all", rebuild::ALL)] {
        statements.extend(rows_stmt::<Holding>(engine, name, which));
        statements.extend(rows_stmt::<Grant>(engine, name, which));
    }
    statements.extend(rows_stmt::<Holding>(engine, "asked", access::ASKED));
    statements.extend(items::STATEMENTS);
    statements.extend(rebuild::statements());
    statements.extend(grant::statements());
    statements.extend(holders::statements(engine));
    statements
}

/// What the captures of a transaction say that identities hold, and that roles and groups bring.
#[derive(Debug, Default)]
pub(crate) struct AccessWrites {
    identities: Taken<Holding>,
    granters: Taken<Grant>,
    items: BTreeMap<i64, AccessItem>,
}

/// What captures say, by owner.
#[derive(Debug)]
struct Taken<F>(BTreeMap<String, Told<F>>);

#[derive(Debug)]
struct Told<F> {
    /// History had no capture of the owner before.
    is_new: bool,
    /// Each with the instant at which it is recorded.
    states: Vec<(i64, AccessState<F>)>,
}

impl<F> Default for Taken<F> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl AccessWrites {
    /// Takes note of an object's newest capture.
    pub(crate) fn take(&mut self, capture: &NewCapture<'_>) {
        let items = match capture.key.object_type {
            ObjectType::Identity => self.identities.take(capture),
            ObjectType::Role | ObjectType::ManagedAttribute => self.granters.take(capture),
            _ => return,
        };
        for item in items {
            self.items.entry(item.number()).or_insert(item);
        }
    }

    pub(crate) fn take_items(&mut self) -> BTreeMap<i64, AccessItem> {
        std::mem::take(&mut self.items)
    }

    /// Writes the rows; how many. What is new needs no look at what is there.
    pub(crate) async fn write(mut self, tx: &mut Tx) -> Result<usize, Error> {
        let identities = self.identities.ledgers(tx).await?;
        let granters = self.granters.ledgers(tx).await?;
        if !self.items.is_empty() {
            let named: HashSet<i64> = named(&identities).chain(named(&granters)).collect();
            self.items.retain(|number, _| named.contains(number));
        }
        items::add(tx, self.items).await?;
        Ok(write(tx, &identities).await? + write(tx, &granters).await?)
    }
}

/// The items that rows name which are not stored yet.
fn named<F: AccessFact>(ledgers: &[(String, Ledger<F>)]) -> impl Iterator<Item = i64> {
    let added = ledgers.iter().flat_map(|(_, ledger)| ledger.added());
    added.flat_map(|row| row.interval.holding.items())
}

impl<F: AccessFact> Taken<F> {
    /// Takes note of a capture; the items that it names.
    fn take(&mut self, capture: &NewCapture<'_>) -> Vec<AccessItem> {
        let (items, holdings) = capture.image.map(|image| F::told(&capture.key, image)).unwrap_or_default();
        // Most roles and groups bring nothing and never did: there is no row to be looked for.
        let owner = F::owner(&capture.key);
        if holdings.is_empty() && F::MOST_ARE_EMPTY && !capture.known && !self.0.contains_key(&owner) {
            return items;
        }
        let told = self
            .0
            .entry(owner)
            .or_insert_with(|| Told { is_new: !capture.known, states: Vec::with_capacity(1) });
        let state = AccessState {
            capture_id: capture.id.as_str().into(),
            effective_ms: capture.effective_ms,
            holdings,
        };
        told.states.push((capture.recorded_ms, state));
        items
    }

    /// The ledgers, with the captures in them.
    async fn ledgers(&mut self, tx: &mut Tx) -> Result<Vec<(String, Ledger<F>)>, Error> {
        let taken = std::mem::take(&mut self.0);
        let known: Vec<String> =
            taken.iter().filter(|(_, told)| !told.is_new).map(|(id, _)| id.clone()).collect();
        let mut open = if known.is_empty() {
            HashMap::new()
        } else {
            let stmt = rows_stmt::<F>(tx.engine(), "open", OPEN)?;
            ledgers(tx, &stmt, vec![Value::from(known)]).await?
        };
        let mut written = Vec::with_capacity(taken.len());
        for (owner, told) in taken {
            let ledger = if told.is_new { Some(Ledger::default()) } else { open.remove(&owner) };
            // Else a rebuilding has not come to it yet, and will read these captures too.
            if let Some(mut ledger) = ledger {
                for (recorded_ms, state) in &told.states {
                    ledger.advance(state, *recorded_ms);
                }
                written.push((owner, ledger));
            }
        }
        Ok(written)
    }
}

/// The rows of an identity, role or managed attribute as they are known, to put a late capture among them, with those that
/// were withdrawn at this very instant; none where its captures have not become rows yet: a rebuilding will read them all.
///
/// # Errors
/// As any call.
pub async fn access_ledger<F: AccessFact>(
    tx: &mut Tx,
    key: &ObjectKey,
    recorded_ms: i64,
) -> Result<Option<Ledger<F>>, Error> {
    let owner = F::owner(key);
    let stmt = rows_stmt::<F>(tx.engine(), "known", KNOWN)?;
    let params = vec![Value::from(vec![owner.clone()]), Value::from(recorded_ms)];
    Ok(ledgers(tx, &stmt, params).await?.remove(&owner))
}

/// Writes what has become of the rows of an identity, role or managed attribute; `items` has those that new ones may name.
///
/// # Errors
/// As any call.
pub async fn write_access<F: AccessFact>(
    tx: &mut Tx,
    key: &ObjectKey,
    ledger: Ledger<F>,
    items: Vec<AccessItem>,
) -> Result<(), Error> {
    items::add(tx, items.into_iter().map(|item| (item.number(), item)).collect()).await?;
    write(tx, &[(F::owner(key), ledger)]).await.map(drop)
}

/// The ledgers of those of these owners whose captures have become rows.
async fn ledgers<F: AccessFact>(
    tx: &mut Tx,
    stmt: &Stmt,
    params: Vec<Value>,
) -> Result<HashMap<String, Ledger<F>>, Error> {
    let mut rows: HashMap<String, (i64, Vec<LedgerRow<F>>)> = HashMap::new();
    for row in tx.fetch_all(stmt, params).await? {
        if row.required_int(2)? == 0 {
            continue;
        }
        let next_seq = row.int(1)?.map_or(0, |last| last + 1);
        let (_, of_owner) =
            rows.entry(row.required_text(0)?.to_owned()).or_insert_with(|| (next_seq, Vec::new()));
        of_owner.extend(read(&row)?);
    }
    Ok(rows.into_iter().map(|(owner, (next_seq, rows))| (owner, Ledger::of(rows, next_seq))).collect())
}

/// A row, of the columns from the fourth on; none where its owner has none.
fn read<F: AccessFact>(row: &Row) -> Result<Option<LedgerRow<F>>, annals_sql::Error> {
    let Some(seq) = row.int(3)? else { return Ok(None) };
    let capture = |index| {
        row.bytes(index).map(|bytes| bytes.map(|bytes| Arc::from(unpack(bytes, ID_BYTES, Case::Lower))))
    };
    let end = match (row.int(5)?, row.int(7)?, capture(10)?) {
        (Some(valid_to_ms), Some(recorded_ms), Some(closed_by)) => {
            Some(IntervalEnd { valid_to_ms, closed_by, recorded_ms })
        }
        _ => None,
    };
    Ok(Some(LedgerRow {
        seq,
        interval: AccessInterval {
            holding: F::read(row, 11)?,
            valid_from_ms: row.required_int(4)?,
            opened_by: capture(9)?.unwrap_or_default(),
            end,
        },
        recorded_from_ms: row.required_int(6)?,
        recorded_to_ms: row.int(8)?,
    }))
}

/// Writes what has become of rows; how many.
async fn write<F: AccessFact>(tx: &mut Tx, ledgers: &[(String, Ledger<F>)]) -> Result<usize, Error> {
    for (owner, ledger) in ledgers.iter().filter(|(_, ledger)| !ledger.removed().is_empty()) {
        let params = vec![Value::from(owner.as_str()), Value::from(ledger.removed().to_vec())];
        tx.execute(&remove_stmt::<F>(), params).await?;
    }
    let of = |rows: fn(&Ledger<F>) -> Vec<&LedgerRow<F>>| {
        let all =
            ledgers.iter().flat_map(move |(id, ledger)| rows(ledger).into_iter().map(move |row| (id, row)));
        batch(all.map(|(id, row)| (id.as_str(), row)).collect())
    };
    let (changed, added) = (of(|ledger| ledger.changed().collect()), of(|ledger| ledger.added().collect()));
    let rows = changed.len() + added.len();
    tx.insert(F::TABLE, changed, OnConflict::Replace { key: &[F::OWNER, "seq"] }).await?;
    tx.insert(F::TABLE, added, OnConflict::Fail).await?;
    Ok(rows)
}

fn batch<F: AccessFact>(rows: Vec<(&str, &LedgerRow<F>)>) -> Batch {
    let numbers = |name, value: &dyn Fn(&LedgerRow<F>) -> Option<i64>| Column {
        name,
        data: ColumnData::Int(rows.iter().map(|(_, row)| value(row)).collect()),
    };
    let captures = |name, value: &dyn Fn(&AccessInterval<F>) -> Option<Arc<str>>| Column {
        name,
        data: ColumnData::Bytes(
            rows.iter().map(|(_, row)| Some(pack(&value(&row.interval)?, ID_BYTES))).collect(),
        ),
    };
    let end = |row: &LedgerRow<F>, value: fn(&IntervalEnd) -> i64| row.interval.end.as_ref().map(value);
    let owners = rows.iter().map(|(owner, _)| Some((*owner).to_owned())).collect();
    let mut columns = vec![
        numbers("valid_from", &|row| Some(row.interval.valid_from_ms)),
        numbers("valid_to", &|row| end(row, |end| end.valid_to_ms)),
        numbers("recorded_from", &|row| Some(row.recorded_from_ms)),
        numbers("end_recorded", &|row| end(row, |end| end.recorded_ms)),
        numbers("recorded_to", &|row| row.recorded_to_ms),
        numbers("seq", &|row| Some(row.seq)),
        Column { name: F::OWNER, data: ColumnData::Text(owners) },
        captures("opened_by", &|interval| Some(Arc::clone(&interval.opened_by))),
        captures("closed_by", &|interval| interval.end.as_ref().map(|end| Arc::clone(&end.closed_by))),
    ];
    columns.extend(F::columns(&rows.iter().map(|(_, row)| &row.interval.holding).collect::<Vec<_>>()));
    Batch::new(columns)
}
