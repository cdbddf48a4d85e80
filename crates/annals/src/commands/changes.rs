//! `annals changes`: what changed in what a population holds; `annals orphans`: accounts whose owner is gone.

use annals_config::Config;
use annals_history::{Page, PageRequest};
use annals_model::{Clock as _, ObjectType};
use annals_questions::{
    AccessChange, ChangeGroup, ChangesQuestion, OrphanAccount, Row, change_group_pages, change_pages,
    orphan_pages,
};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cli::{ChangesArgs, Global, OrphansArgs};
use crate::commands::export::ToFile;
use crate::commands::find::read_filter;
use crate::context::{SystemClock, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing};
use crate::times;

pub(crate) async fn execute(
    global: &Global,
    config: &Config,
    arguments: &ChangesArgs,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let instant = |text: &str| read(text, &zone, "See `annals changes --help`.");
    let filter = arguments.filter.as_deref().map(|text| read_filter(ObjectType::Identity, text));
    let question = ChangesQuestion {
        from_ms: instant(&arguments.from)?,
        to_ms: instant(&arguments.to)?,
        known_at_ms: arguments.known_as_of.as_deref().map(instant).transpose()?,
        condition: filter.transpose()?,
        within: None,
        unexplained_only: arguments.unexplained,
    };
    if question.from_ms > question.to_ms {
        return Err(Failure::usage("--from is later than --to", "Name the earlier instant with --from."));
    }
    let to_file = ToFile::asked(&arguments.file, global.quiet)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    if let Some(file) = to_file {
        let asked = match arguments.group {
            Some(by) => ("exportChangeCounts", change_group_pages(question, by)),
            None => ("exportChanges", change_pages(question)),
        };
        return file.write(&history, tx, asked, &zone).await;
    }
    let request = PageRequest { limit: arguments.limit, after: None };
    let [from, to] = [question.from_ms, question.to_ms].map(|ms| times::show(ms, &zone));
    let span = format!("after {from}, up to {to}");
    let mut listing = match arguments.group {
        Some(by) => {
            let found = annals_questions::change_groups(&mut tx, &question, by, &request).await?;
            let totals = found.totals;
            if global.output != Format::Json {
                let held = totals.held_before.zip(totals.held_after);
                let held = held.map(|(before, after)| format!("; held before: {before}, after: {after}"));
                let (added, removed) = (totals.added, totals.removed);
                eprintln!("{span}: {added} added, {removed} removed{}", held.unwrap_or_default());
            }
            let mut listing = listing::<ChangeGroup>(found.page, arguments.limit, global, &zone);
            listing.more.insert("totals".to_owned(), totals.told());
            listing
        }
        None => {
            let found = annals_questions::changes(&mut tx, &question, &request).await?;
            listing::<AccessChange>(found, arguments.limit, global, &zone)
        }
    };
    listing.more.insert("from".to_owned(), json!(from));
    listing.more.insert("to".to_owned(), json!(to));
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

pub(crate) async fn orphans(
    global: &Global,
    config: &Config,
    arguments: &OrphansArgs,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let instant = |text: &str| read(text, &zone, "See `annals orphans --help`.");
    let at_ms = instant(&arguments.at)?;
    let known_at_ms = arguments.known_as_of.as_deref().map(instant).transpose()?;
    let to_file = ToFile::asked(&arguments.file, global.quiet)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    if let Some(file) = to_file {
        return file
            .write(&history, tx, ("exportOrphanAccounts", orphan_pages(at_ms, known_at_ms)), &zone)
            .await;
    }
    let request = PageRequest { limit: arguments.limit, after: None };
    let found = annals_questions::orphan_accounts(&mut tx, at_ms, known_at_ms, None, &request).await?;
    let mut listing = listing::<OrphanAccount>(found, arguments.limit, global, &zone);
    listing.more.insert("at".to_owned(), json!(times::show(at_ms, &zone)));
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

fn read(text: &str, zone: &TimeZone, help: &str) -> Result<i64, Failure> {
    times::read(text, zone, SystemClock.now_ms()).map_err(|error| Failure::usage(error, help))
}

fn listing<R: Row>(page: Page<R>, limit: u32, global: &Global, zone: &TimeZone) -> Listing {
    let mut listing = Listing::of(&page.rows, zone).for_readers::<R>(global.output);
    if page.next.is_some() {
        listing.cut = Some(format!("There are more than {limit}; see the rest with --limit."));
    }
    listing
}
