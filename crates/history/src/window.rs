//! How sure a state is: until when it was surely so, and from when surely not.

use annals_model::{ObjectKey, Sighting};
use annals_sql::{Stmt, Tx, Value as Param};

use crate::layout::layout;
use crate::text::stored_id;
use crate::{AsOf, Error, heads, sighting};

pub(crate) const READ: Stmt = Stmt::new(
    "history.read_when",
    "select observed_date from annals_reading where last_id >= ?
        and first_id = (select max(first_id) from annals_reading where first_id <= ?)",
);

/// Between which instants a state is known to have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The last instant at which the object was seen to be so: read, or changed in something that does not count, epoch
    /// milliseconds.
    pub last_seen_ms: i64,
    /// From when on it was seen to be otherwise; none where it was not.
    pub next_seen_ms: Option<i64>,
}

/// How sure an object's state is, as known at an instant.
///
/// # Errors
/// As any call.
pub async fn window(
    tx: &mut Tx,
    key: &ObjectKey,
    state: &AsOf,
    known_at_ms: Option<i64>,
) -> Result<Window, Error> {
    let known_ms = known_at_ms.unwrap_or(i64::MAX);
    let params =
        vec![Param::from(&*stored_id(&key.object_id)), Param::from(state.effective_ms), known_ms.into()];
    let next_seen_ms = tx.fetch_one(&layout(key.object_type).next, params).await?.int(0)?;
    let mut seen: Vec<i64> = state.extended_to_ms.into_iter().collect();
    let id = Param::from(state.capture_id.as_str());
    if let Some(read) = tx.fetch_optional(&READ, vec![id.clone(), id]).await? {
        seen.push(read.required_int(0)?);
    }
    let of_capture = Param::TextList(vec![state.capture_id.clone()]);
    let mut sightings: Vec<Sighting> = Vec::new();
    for row in tx.fetch_all(&sighting::OF_CAPTURES, vec![of_capture]).await? {
        sightings.extend(row.bytes(1)?.map(sighting::unpack).unwrap_or_default());
    }
    // Of the newest state the head tells it.
    if let Some(head) = heads(tx, std::slice::from_ref(key)).await?.remove(key)
        && head.capture_id == state.capture_id
    {
        seen.push(head.observed_ms);
        sightings.extend(head.seen);
    }
    seen.extend(sightings.iter().flat_map(|sighting| [sighting.occurred_ms, sighting.observed_ms]));
    // What was read before the next state was known may name it all the same, if that one came late.
    let end_ms = next_seen_ms.map_or(i64::MAX, |next_ms| next_ms - 1).min(known_ms);
    let last = seen.into_iter().filter(|seen_ms| *seen_ms <= end_ms).max();
    let last_seen_ms = last.unwrap_or(state.effective_ms).max(state.effective_ms);
    Ok(Window { last_seen_ms, next_seen_ms })
}
