//! The question `access`: all that an identity held at an instant, as known then or at another.

use std::cmp::Ordering;

use annals_model::{
    AccessInterval, AccessItem, AccessKind, Acquired, Holding, LedgerRow, ObjectKey, ObjectType,
};
use annals_sql::{Tx, Value};

use super::fact::AccessFact as _;
use super::items::by_number;
use super::{ledgers, rows_stmt};
use crate::Error;
use crate::layout::layout;
use crate::page::{Page, PageRequest, Position};
use crate::text::stored_id;

/// Rows of an identity that began by an instant, as known at another.
pub(super) const ASKED: &str = "{owner} = listed.value and valid_from <= ? and recorded_from <= ?
    and (recorded_to is null or recorded_to > ?)";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessQuestion {
    /// The instant, epoch milliseconds.
    pub at_ms: i64,
    /// Only what history knew at this instant; none: what it knows now.
    pub known_at_ms: Option<i64>,
    /// Only what was not granted through roles.
    pub additional_only: bool,
}

/// Something that an identity held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAccess {
    /// What.
    pub item: AccessItem,
    /// Since when it was held without a break, by the same account, under whatever name and however come by, epoch
    /// milliseconds.
    pub since_ms: i64,
    /// The interval: under this name and come by so. It has no end where none was known.
    pub interval: AccessInterval,
    /// Since when history has known of the interval.
    pub recorded_ms: i64,
    /// Number of the interval's row among those of the identity.
    pub seq: i64,
}

/// All that an identity held at an instant. Pages follow the order of recording; within a page rows stand by kind,
/// application and name. None where history knows nothing of the identity at that instant.
///
/// # Errors
/// `NoIntervals` where the identity's captures have not become intervals yet; else as any call.
pub async fn access(
    tx: &mut Tx,
    key: &ObjectKey,
    question: AccessQuestion,
    page: &PageRequest,
) -> Result<Option<Page<HeldAccess>>, Error> {
    let AccessQuestion { at_ms, known_at_ms, additional_only } = question;
    let known_at_ms = known_at_ms.unwrap_or(i64::MAX);
    let identity = Holding::owner(key);
    let stmt = rows_stmt::<Holding>(tx.engine(), "asked", ASKED)?;
    let params = vec![
        Value::from(vec![identity.clone()]),
        Value::from(at_ms),
        Value::from(known_at_ms),
        Value::from(known_at_ms),
    ];
    let Some(ledger) = ledgers::<Holding>(tx, &stmt, params).await?.remove(&identity) else {
        return Err(Error::NoIntervals);
    };
    let mut rows: Vec<LedgerRow> = ledger.rows().cloned().collect();
    for row in &mut rows {
        row.interval.end.take_if(|end| end.recorded_ms > known_at_ms);
    }
    if rows.is_empty() {
        let params =
            vec![Value::from(&*stored_id(&key.object_id)), Value::from(at_ms), Value::from(known_at_ms)];
        let capture = tx.fetch_optional(&layout(ObjectType::Identity).at, params).await?;
        return Ok(capture.map(|_| Page { rows: Vec::new(), next: None }));
    }
    let mut items = by_number(tx, rows.iter().map(|row| row.interval.holding.item).collect()).await?;
    let item = |row: &LedgerRow| {
        items.get(&row.interval.holding.item).ok_or_else(|| {
            let number = row.interval.holding.item;
            annals_sql::Error::data(format!(
                "annals_access_item lacks {number}, an item of identity {identity}"
            ))
        })
    };
    let known = rows.iter().map(|row| Ok((row, item(row)?))).collect::<Result<Vec<_>, Error>>()?;
    let mut held = Vec::new();
    for &(row, item) in &known {
        let is_held = row.interval.end.as_ref().is_none_or(|end| end.valid_to_ms > at_ms);
        if is_held && !(additional_only && row.interval.holding.acquired.has(Acquired::GRANTED)) {
            held.push(HeldAccess {
                item: item.clone(),
                since_ms: since(row, item, &known),
                interval: row.interval.clone(),
                recorded_ms: row.recorded_from_ms,
                seq: row.seq,
            });
        }
    }
    drop(known);
    items.clear();
    held.sort_by_key(place);
    if let Some(after) = &page.after {
        let after = (after.recorded_ms, after.id.parse().unwrap_or(i64::MAX));
        held.retain(|one| place(one) > after);
    }
    let mut page = page.cut(held, |one| Position { recorded_ms: one.recorded_ms, id: one.seq.to_string() });
    page.rows.sort_by(for_people);
    Ok(Some(page))
}

fn place(held: &HeldAccess) -> (i64, i64) {
    (held.recorded_ms, held.seq)
}

/// Since when the same access had been held, by the same account: intervals without a gap between them count as one.
fn since(row: &LedgerRow, item: &AccessItem, known: &[(&LedgerRow, &AccessItem)]) -> i64 {
    let account = &row.interval.holding.native_identity;
    let mut since_ms = row.interval.valid_from_ms;
    loop {
        let before = known.iter().find(|(earlier, of)| {
            earlier.interval.end.as_ref().is_some_and(|end| end.valid_to_ms == since_ms)
                && earlier.interval.valid_from_ms < since_ms
                && earlier.interval.holding.native_identity == *account
                && of.is_same_access(item)
        });
        match before {
            Some((before, _)) => since_ms = before.interval.valid_from_ms,
            None => return since_ms,
        }
    }
}

fn for_people(one: &HeldAccess, two: &HeldAccess) -> Ordering {
    let kind = |held: &HeldAccess| AccessKind::ALL.iter().position(|kind| *kind == held.item.kind);
    let texts = |held: &HeldAccess| {
        let AccessItem { application, attribute, name, value, .. } = held.item.clone();
        (application, attribute, name, value, held.interval.holding.native_identity.clone())
    };
    kind(one).cmp(&kind(two)).then_with(|| texts(one).cmp(&texts(two))).then(one.seq.cmp(&two.seq))
}
