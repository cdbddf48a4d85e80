//! Who held an access item, between two instants and as known at another.

use annals_model::{AccessInterval, Holding, LedgerRow};
use annals_sql::{Engine, Stmt, Tx, Value};

use super::fact::AccessFact as _;
use super::rebuild::has_intervals;
use super::{columns, read};
use crate::Error;

/// Rows that overlap a span, as known at an instant.
pub(super) const IN_SPAN: &str = "a.valid_from < ? and a.recorded_from <= ?
    and (a.recorded_to is null or a.recorded_to > ?)
    and (a.valid_to is null or a.valid_to > ? or a.end_recorded > ?)";

/// A span of time, as known at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first instant, epoch milliseconds.
    pub from_ms: i64,
    /// The instant after its last one.
    pub to_ms: i64,
    /// Only what history knew at this instant; none: what it knows now.
    pub known_at_ms: Option<i64>,
}

impl Span {
    /// An instant.
    #[must_use]
    pub const fn at(at_ms: i64, known_at_ms: Option<i64>) -> Self {
        Self { from_ms: at_ms, to_ms: at_ms.saturating_add(1), known_at_ms }
    }

    fn known_ms(&self) -> i64 {
        self.known_at_ms.unwrap_or(i64::MAX)
    }

    /// The parameters of [`IN_SPAN`].
    pub(super) fn params(&self) -> Vec<Value> {
        let known_ms = self.known_ms();
        [self.to_ms, known_ms, known_ms, self.from_ms, known_ms].map(Value::from).to_vec()
    }

    /// An interval without an end that was not known.
    pub(super) fn as_known<H>(&self, mut interval: AccessInterval<H>) -> AccessInterval<H> {
        interval.end.take_if(|end| end.recorded_ms > self.known_ms());
        interval
    }
}

/// Who is asked for.
#[derive(Debug, Clone, Copy)]
pub struct HoldersQuestion<'q> {
    /// Numbers of access items.
    pub items: &'q [i64],
    /// When.
    pub span: Span,
    /// Only these identities; none: all.
    pub within: Option<&'q [String]>,
    /// From this identity on, by id.
    pub from_identity: &'q str,
    /// At most so many rows.
    pub rows_max: u32,
}

/// That an identity held an access item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderRow {
    /// Id of the identity.
    pub identity_id: String,
    /// The interval, and when it was known. It has no end where none was known.
    pub row: LedgerRow<Holding>,
}

fn stmt(engine: Engine, within: bool) -> Result<Stmt, annals_sql::Error> {
    const ORDER: &str = "a.identity_id, a.seq";
    let within = if within { " and a.identity_id {in}" } else { "" };
    let condition = format!("a.identity_id >= ? and {IN_SPAN}{within}");
    let from = engine.first_of_each_listed((Holding::TABLE, "a"), "item", &condition, ORDER)?;
    Ok(Stmt::built(
        if within.is_empty() { "history.holders" } else { "history.holders_within" },
        format!("select a.identity_id, 0, 1, {} from {from} order by {ORDER} limit ?", columns::<Holding>()),
    ))
}

#[cfg(test)]
pub(super) fn statements(engine: Engine) -> Vec<Stmt> {
    [stmt(engine, false), stmt(engine, true)].into_iter().flatten().collect()
}

/// Who held any of these items at some time of a span, in the order of identities and their rows.
///
/// # Errors
/// `NoIntervals` where the captures of identities have not become intervals yet; else as any call.
pub async fn holders(tx: &mut Tx, question: HoldersQuestion<'_>) -> Result<Vec<HolderRow>, Error> {
    if !has_intervals(tx).await? {
        return Err(Error::NoIntervals);
    }
    let HoldersQuestion { items, span, within, from_identity, rows_max } = question;
    let mut params = vec![Value::from(items.to_vec()), Value::from(from_identity)];
    params.extend(span.params());
    params.extend(within.map(|within| Value::from(within.to_vec())));
    params.extend([Value::from(rows_max), Value::from(rows_max)]);
    let mut holders = Vec::new();
    for row in tx.fetch_all(&stmt(tx.engine(), within.is_some())?, params).await? {
        if let Some(found) = read::<Holding>(&row)? {
            let interval = span.as_known(found.interval);
            let identity_id = row.required_text(0)?.to_owned();
            holders.push(HolderRow { identity_id, row: LedgerRow { interval, ..found } });
        }
    }
    Ok(holders)
}
