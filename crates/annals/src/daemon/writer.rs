//! The role `writer`: over a broker a role of its own, in process one with `extract`, whose workers have writers beside them.

use std::sync::Arc;

use super::{Context, Stopping};
use crate::writing::{self, Writing};

/// Writes what comes over the broker until it is told to stop; without a broker there is nothing to do here.
///
/// # Errors
/// Where a part of the role was lost.
pub(super) async fn serve(context: Arc<Context>, stopping: Stopping) -> anyhow::Result<()> {
    let Some(broker) = context.presence.broker() else {
        stopping.asked().await;
        return Ok(());
    };
    writing::serve(Writing {
        config: Arc::clone(&context.config),
        history: context.history.clone(),
        clock: Arc::clone(&context.clock),
        leases: context.presence.leases().clone(),
        broker: broker.clone(),
    })
    .await
}
