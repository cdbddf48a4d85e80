//! `annals who-had`: the holders of an access item in a span of time.

use annals_config::Config;
use annals_history::{PageRequest, Span};
use annals_model::Clock as _;
use annals_questions::{Holder, Mode, WhoHad, holder_pages, who_had};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cli::{Global, ModeArg, WhoHadArgs};
use crate::commands::export::ToFile;
use crate::context::{SystemClock, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing};
use crate::times;

/// Rows that are read and, as CSV, printed at a time.
const PAGE_ROWS: u32 = 20_000;

pub(crate) async fn execute(
    global: &Global,
    config: &Config,
    arguments: &WhoHadArgs,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let question = WhoHad {
        item: &arguments.item,
        span: span(arguments, &zone)?,
        mode: match arguments.mode {
            ModeArg::Any => Mode::Any,
            ModeArg::All => Mode::All,
            ModeArg::AtEnd => Mode::AtEnd,
        },
        direct_only: arguments.direct_only,
        within: None,
    };
    let to_file = ToFile::asked(&arguments.file, global.quiet)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    if let Some(file) = to_file {
        let pages = holder_pages(arguments.item.clone(), question.span, question.mode, question.direct_only);
        return file.write(&history, tx, ("exportHolders", pages), &zone).await;
    }
    let mut listing = Listing::of::<Holder>(&[], &zone).for_readers::<Holder>(global.output);
    listing.more.insert("item".to_owned(), json!(arguments.item));
    let mut left = arguments.limit.unwrap_or(u32::MAX);
    let mut after = None;
    loop {
        let request = PageRequest { limit: left.min(PAGE_ROWS), after };
        let page = who_had(&mut tx, &question, &request).await.map_err(Failure::of_question)?;
        left = left.saturating_sub(u32::try_from(page.rows.len()).unwrap_or(u32::MAX));
        listing.rows.extend(Listing::of(&page.rows, &zone).for_readers::<Holder>(global.output).rows);
        after = page.next;
        if after.is_none() || left == 0 {
            break;
        }
        if global.output == Format::Csv {
            listing.print_part()?;
        }
    }
    if let (Some(limit), Some(_)) = (arguments.limit, &after) {
        listing.cut = Some(format!("There are more than {limit} rows; see the rest with --limit."));
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

fn span(arguments: &WhoHadArgs, zone: &TimeZone) -> Result<Span, Failure> {
    let now_ms = SystemClock.now_ms();
    let instant = |text: &Option<String>| {
        let read = |text: &String| {
            times::read(text, zone, now_ms)
                .map_err(|error| Failure::usage(error, "See `annals who-had --help`."))
        };
        text.as_ref().map(read).transpose()
    };
    let known_at_ms = instant(&arguments.known_as_of)?;
    if let Some(at_ms) = instant(&arguments.at)? {
        return Ok(Span::at(at_ms, known_at_ms));
    }
    Ok(Span {
        from_ms: instant(&arguments.from)?.unwrap_or(i64::MIN),
        // A span is half open; people mean the instant they name as well.
        to_ms: instant(&arguments.to)?.map_or(i64::MAX, |to_ms| to_ms.saturating_add(1)),
        known_at_ms,
    })
}
