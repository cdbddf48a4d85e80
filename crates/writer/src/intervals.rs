//! Access intervals around a late message: what the captures of an identity say that it holds, or those of a role or group
//! that it brings, put in order anew.

use std::sync::Arc;

use annals_history::{AccessFact, KeptCapture, access_ledger, write_access};
use annals_model::{AccessState, Grant, Holding, Message, ObjectType, Operation, Origin, Placed};
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

/// Corrects the access intervals of the identity, or what is known of the role or group, that a late message is about;
/// nothing for other types. `kept` are the captures as they were before. What they say is told by the intervals that were
/// known, so that none of them is read back.
pub(crate) async fn correct(
    tx: &mut Tx,
    message: &Message,
    kept: &[KeptCapture],
    placed: Vec<PlacedCapture>,
    recorded_ms: i64,
) -> Result<(), Error> {
    match message.key.object_type {
        ObjectType::Identity => correct_of::<Holding>(tx, message, kept, placed, recorded_ms).await,
        ObjectType::Role | ObjectType::ManagedAttribute => {
            correct_of::<Grant>(tx, message, kept, placed, recorded_ms).await
        }
        _ => Ok(()),
    }
}

async fn correct_of<F: AccessFact>(
    tx: &mut Tx,
    message: &Message,
    kept: &[KeptCapture],
    placed: Vec<PlacedCapture>,
    recorded_ms: i64,
) -> Result<(), Error> {
    let Some(mut ledger) = access_ledger::<F>(tx, &message.key, recorded_ms).await? else { return Ok(()) };
    let (items, late) = match &message.operation {
        Operation::Capture(captured) => F::told(&message.key, &captured.image),
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
