//! What brings an access item, between two instants and as known at another.

use annals_model::{AccessInterval, Grant};
use annals_sql::{Stmt, Tx, Value};

use super::fact::AccessFact as _;
use super::holders::{IN_SPAN, Span};
use super::rebuild::position;
use super::{columns, read};
use crate::Error;

fn of_items_stmt() -> Stmt {
    Stmt::built(
        "history.grants_of_items",
        format!(
            "select a.granter, 0, 1, {} from {} a where a.item {{in}} and {IN_SPAN} order by a.granter, a.seq",
            columns::<Grant>(),
            Grant::TABLE
        ),
    )
}

#[cfg(test)]
pub(super) fn statements() -> Vec<Stmt> {
    vec![of_items_stmt()]
}

/// What brings any of these items at some time of a span, as far as was known; an end that was not known is left away.
///
/// # Errors
/// `NoIntervals` where the captures of roles and groups have not become rows yet; else as any call.
pub async fn grants_of(
    tx: &mut Tx,
    items: Vec<i64>,
    span: Span,
) -> Result<Vec<AccessInterval<Grant>>, Error> {
    if !position::<Grant>(tx).await?.0 {
        return Err(Error::NoIntervals);
    }
    let mut grants = Vec::new();
    let params = [vec![Value::from(items)], span.params()].concat();
    for row in tx.fetch_all(&of_items_stmt(), params).await? {
        grants.extend(read::<Grant>(&row)?.map(|row| span.as_known(row.interval)));
    }
    Ok(grants)
}
