//! `annals rebuild intervals`: access intervals made again from captures alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use annals_config::Config;
use annals_history::{AccessRebuild, Rebuilt};
use annals_model::error_chain;
use annals_sql::Db;
use serde_json::json;

use crate::cli::{Global, RebuildArgs};
use crate::context::open_history;
use crate::exit::{Exit, Failure};
use crate::output::Listing;
use crate::pipeline::Done;
use crate::progress::Progress;

/// Captures that cannot be read are named up to so many; the others are counted.
const NAMED_MAX: usize = 1_000;

pub(crate) async fn intervals(
    global: &Global,
    config: &Config,
    arguments: &RebuildArgs,
) -> Result<Exit, Failure> {
    let history = open_history(config).await?;
    let began = Instant::now();
    let done = Arc::new(Done::default());
    let progress = Progress::show(Arc::clone(&done), "identities", global.quiet);
    let rebuilt = rebuild(&history, arguments, &done).await;
    progress.end().await;
    let (rebuilt, unreadable) = rebuilt?;
    let mut listing =
        Listing::new(&["identities", "captures", "intervals", "grants", "changed", "kept", "unreadable"]);
    listing.push(vec![
        json!(rebuilt.identities),
        json!(rebuilt.captures),
        json!(rebuilt.rows),
        json!(rebuilt.grants),
        json!(rebuilt.changed),
        json!(rebuilt.kept),
        json!(unreadable),
    ]);
    let named: Vec<_> = rebuilt
        .unreadable
        .iter()
        .map(|error| json!({"captureId": error.capture_id, "error": error_chain(error)}))
        .collect();
    for error in &rebuilt.unreadable {
        eprintln!("warning: {}", error_chain(error));
    }
    listing.more.insert("unreadable".to_owned(), json!(named));
    listing.print(global.output)?;
    eprintln!(
        "Done. identities={} changed={} unreadable={unreadable} time={:.1}s",
        rebuilt.identities,
        rebuilt.changed,
        began.elapsed().as_secs_f64()
    );
    Ok(if unreadable > 0 { Exit::VerificationFailed } else { Exit::Ok })
}

/// What it came to, and how many captures cannot be read, named or not.
async fn rebuild(history: &Db, arguments: &RebuildArgs, done: &Done) -> Result<(Rebuilt, usize), Failure> {
    let mut tx = history.begin_read().await?;
    let mut rebuild = AccessRebuild::begin(&mut tx, arguments.anew).await?;
    tx.rollback().await?;
    if rebuild.resumed {
        eprintln!("Going on where another one was interrupted; --anew begins with the first identity.");
    }
    done.total.fetch_add(rebuild.identities, Ordering::Relaxed);
    let (mut rebuilt, mut unreadable) = (Rebuilt::default(), 0);
    while let Some(mut batch) = rebuild.batch(history, arguments.batch).await? {
        done.written.fetch_add(batch.identities, Ordering::Relaxed);
        unreadable += batch.unreadable.len();
        batch.unreadable.truncate(NAMED_MAX.saturating_sub(rebuilt.unreadable.len()));
        rebuilt.add(batch);
    }
    Ok((rebuilt, unreadable))
}
