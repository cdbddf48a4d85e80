//! The role `extract`: with the role `writer` beside it, unless a broker carries deliveries to other hosts.

use std::sync::Arc;
use std::time::Duration;

use super::{Context, Stopping};
use crate::context::open_source;
use crate::extracting;

/// How often a source that is away is tried.
const TRY_EVERY: Duration = Duration::from_secs(5);

/// Works on the partitions of any run until it is told to stop, from when the source can be reached.
///
/// # Errors
/// Where a part of the role was lost.
pub(super) async fn serve(context: Arc<Context>, stopping: Stopping) -> anyhow::Result<()> {
    let mut told = false;
    let source = loop {
        match open_source(&context.config).await {
            Ok(source) => break source,
            Err(failure) if told => tracing::debug!("the source is still away: {:#}", failure.error),
            Err(failure) => tracing::error!("no partition is worked on here: {:#}", failure.error),
        }
        told = true;
        tokio::select! {
            () = stopping.asked() => return Ok(()),
            () = tokio::time::sleep(TRY_EVERY) => {}
        }
    };
    let source = Arc::clone(context.source.get_or_init(|| Arc::new(source)));
    extracting::serve(&context.pipeline(source, &stopping)).await
}
