//! `annals history repack`: captures that are there, in another form (IIQ-40).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use annals_config::Config;
use annals_history::{Repack, Repacked, Training};
use annals_model::{JsonFormat, ObjectType, error_chain};
use annals_sql::Db;
use serde_json::json;

use crate::cli::{Global, RepackArgs};
use crate::context::open_history;
use crate::exit::{Exit, Failure};
use crate::output::Listing;
use crate::pipeline::Done;
use crate::progress::Progress;

/// Captures that cannot be read are named up to so many; the others are counted.
const NAMED_MAX: usize = 1_000;

/// What one type's captures came to.
struct Total {
    object_type: ObjectType,
    repacked: Repacked,
    /// Captures that are not named in it for being too many.
    unnamed: usize,
}

pub(crate) async fn execute(
    global: &Global,
    config: &Config,
    arguments: &RepackArgs,
) -> Result<Exit, Failure> {
    if arguments.train && arguments.to != JsonFormat::Compact {
        return Err(Failure::usage(
            format!("--train is of no use for {}", arguments.to.as_str()),
            "Dictionaries belong to COMPACT alone: leave out --train, or say `--to COMPACT`.",
        ));
    }
    let history = open_history(config).await?;
    let began = Instant::now();
    let done = Arc::new(Done::default());
    let things = if arguments.dry_run { "captures looked at, none" } else { "captures" };
    let progress = Progress::show(Arc::clone(&done), things, global.quiet);
    let totals = repack(&history, arguments, &done).await;
    progress.end().await;
    print(global, arguments, &totals?, began)
}

async fn repack(history: &Db, arguments: &RepackArgs, done: &Done) -> Result<Vec<Total>, Failure> {
    let types = ObjectType::ALL.into_iter();
    let types = types.filter(|each| arguments.object_type.is_none_or(|wanted| wanted == *each));
    let training = if arguments.train { Training::Anew } else { Training::WhereNone };
    let mut repacks = Vec::new();
    for object_type in types {
        let mut tx = history.begin().await?;
        let repack = Repack::begin(&mut tx, object_type, arguments.to, training).await?;
        if arguments.dry_run {
            tx.rollback().await?
        } else {
            tx.commit().await?
        }
        done.total.fetch_add(repack.captures, Ordering::Relaxed);
        repacks.push((object_type, repack));
    }
    let mut totals = Vec::new();
    for (object_type, mut repack) in repacks {
        let mut total = Total { object_type, repacked: Repacked::default(), unnamed: 0 };
        loop {
            let mut tx = history.begin().await?;
            let Some(mut batch) = repack.batch(&mut tx, arguments.batch).await? else { break };
            if arguments.dry_run {
                tx.rollback().await?
            } else {
                tx.commit().await?
            }
            done.written.fetch_add(batch.captures, Ordering::Relaxed);
            let named = NAMED_MAX.saturating_sub(total.repacked.unreadable.len());
            total.unnamed += batch.unreadable.len().saturating_sub(named);
            batch.unreadable.truncate(named);
            total.repacked.add(batch);
        }
        totals.push(total);
    }
    Ok(totals)
}

fn print(global: &Global, arguments: &RepackArgs, totals: &[Total], began: Instant) -> Result<Exit, Failure> {
    let mut listing =
        Listing::new(&["object type", "captures", "rewritten", "bytes before", "bytes after", "unreadable"]);
    let (mut all, mut unreadable, mut named) = (Repacked::default(), 0, Vec::new());
    for Total { object_type, repacked, unnamed } in totals {
        let broken = repacked.unreadable.len() + unnamed;
        listing.push(vec![
            json!(object_type.as_str()),
            json!(repacked.captures),
            json!(repacked.rewritten),
            json!(repacked.bytes_before),
            json!(repacked.bytes_after),
            json!(broken),
        ]);
        unreadable += broken;
        for error in &repacked.unreadable {
            eprintln!("warning: {}", error_chain(error));
            named.push(
                json!({"table": error.table, "captureId": error.capture_id, "error": error_chain(error)}),
            );
        }
        all.captures += repacked.captures;
        all.rewritten += repacked.rewritten;
        all.bytes_before += repacked.bytes_before;
        all.bytes_after += repacked.bytes_after;
    }
    listing.more.insert("to".to_owned(), json!(arguments.to.as_str()));
    listing.more.insert("dryRun".to_owned(), json!(arguments.dry_run));
    listing.more.insert("captures".to_owned(), json!(all.captures));
    listing.more.insert("rewritten".to_owned(), json!(all.rewritten));
    listing.more.insert("bytesBefore".to_owned(), json!(all.bytes_before));
    listing.more.insert("bytesAfter".to_owned(), json!(all.bytes_after));
    listing.more.insert("unreadable".to_owned(), json!(named));
    listing.print(global.output)?;
    eprintln!(
        "{} to={} captures={} rewritten={} bytes={} before={} unreadable={unreadable} time={:.1}s",
        if arguments.dry_run { "Nothing was written." } else { "Done." },
        arguments.to.as_str(),
        all.captures,
        all.rewritten,
        all.bytes_after,
        all.bytes_before,
        began.elapsed().as_secs_f64()
    );
    Ok(if unreadable > 0 { Exit::VerificationFailed } else { Exit::Ok })
}
