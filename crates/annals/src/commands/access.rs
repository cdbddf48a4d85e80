//! `annals access`: all that an identity held at an instant.

use annals_config::Config;
use annals_history::{AccessQuestion, HeldAccess, PageRequest};
use annals_model::{Clock as _, ObjectType};
use annals_questions::access_pages;
use serde_json::json;

use crate::cli::{AccessArgs, Global, ObjectArgs};
use crate::commands::as_of::find_one;
use crate::commands::export::ToFile;
use crate::context::{SystemClock, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing};
use crate::times;

pub(crate) async fn execute(
    global: &Global,
    config: &Config,
    arguments: &AccessArgs,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let instant = |text: &str| {
        times::read(text, &zone, SystemClock.now_ms())
            .map_err(|error| Failure::usage(error, "See `annals access --help`."))
    };
    let question = AccessQuestion {
        at_ms: instant(&arguments.at)?,
        known_at_ms: arguments.known_as_of.as_deref().map(instant).transpose()?,
        additional_only: arguments.additional_only,
    };
    let to_file = ToFile::asked(&arguments.file, global.quiet)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let named = ObjectArgs { object_type: ObjectType::Identity, name: arguments.identity.clone() };
    let object = find_one(&mut tx, &named).await?;
    let at = times::show(question.at_ms, &zone);
    let request = PageRequest { limit: arguments.limit, after: None };
    let Some(page) = annals_history::access(&mut tx, &object.key, question, &request).await? else {
        return Err(Failure::not_found(
            format!("a capture of identity {} as of {at}", object.name),
            "History begins later; `annals timeline` shows when.",
        ));
    };
    if let Some(file) = to_file {
        let pages = access_pages(object.key, question);
        return file.write(&history, tx, ("exportAccess", pages), &zone).await;
    }
    let mut listing = Listing::of(&page.rows, &zone).for_readers::<HeldAccess>(global.output);
    listing.more.insert("objectId".to_owned(), json!(object.key.object_id));
    listing.more.insert("name".to_owned(), json!(object.name));
    listing.more.insert("at".to_owned(), json!(at));
    let known = question.known_at_ms.map(|ms| times::show(ms, &zone));
    listing.more.insert("knownAsOf".to_owned(), json!(known));
    if page.next.is_some() {
        listing.cut =
            Some(format!("There are more than {} items; see the rest with --limit.", arguments.limit));
    }
    if global.output != Format::Json {
        let known = known.map(|known| format!(", as known {known}")).unwrap_or_default();
        let more = if page.next.is_some() { "at least " } else { "" };
        eprintln!(
            "identity {} ({}) as of {at}{known}: {more}{} items",
            object.name,
            object.key.object_id,
            page.rows.len()
        );
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}
