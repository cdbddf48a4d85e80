//! Access intervals around a late message: what the captures of an identity say that it holds, put in order anew.

use std::sync::Arc;

use annals_history::{KeptCapture, access_ledger, write_access};
use annals_model::{AccessState, Message, ObjectType, Operation, Origin, Placed, holdings};
use annals_sql::Tx;

use crate::Error;

/// A capture of the sequence in which a late message has found its place.
pub(crate) struct PlacedCapture {
    /// What it is made of.
    origin: Origin,
    capture_id: Arc<str>,
    effective_ms: i64,
}

impl PlacedCapture {
    pub(crate) fn new(placed: &Placed, capture_id: &str) -> Self {
        Self { origin: placed.origin, capture_id: capture_id.into(), effective_ms: placed.effective_ms }
    }
}

/// Corrects the access intervals of the identity that a late message is about; nothing for other types. `kept` are the
/// captures as they were before. What they say is told by the intervals that were known, so that none of them is read
/// back.
pub(crate) async fn correct(
    tx: &mut Tx,
    message: &Message,
    kept: &[KeptCapture],
    placed: Vec<PlacedCapture>,
    recorded_ms: i64,
) -> Result<(), Error> {
    if message.key.object_type != ObjectType::Identity {
        return Ok(());
    }
    let Some(mut ledger) = access_ledger(tx, &message.key, recorded_ms).await? else { return Ok(()) };
    let (items, late): (Vec<_>, Vec<_>) = match &message.operation {
        Operation::Capture(captured) => holdings(&captured.image).into_iter().unzip(),
        Operation::Delete => Default::default(),
    };
    let mut states = Vec::with_capacity(placed.len());
    for PlacedCapture { origin, capture_id, effective_ms } in placed {
        let holdings = match origin.kept().and_then(|index| kept.get(index)) {
            Some(kept) => ledger.held_at(kept.effective_ms),
            None => late.clone(),
        };
        states.push(AccessState { capture_id, effective_ms, holdings });
    }
    ledger.revise(&states, recorded_ms);
    Ok(write_access(tx, &message.key, ledger, items).await?)
}
