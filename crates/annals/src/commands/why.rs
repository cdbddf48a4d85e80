//! `annals why`: every path by which an identity held something at an instant, and what is behind it.

use annals_config::Config;
use annals_history::Hidden;
use annals_model::{Clock as _, ObjectType};
use annals_questions::export::rows;
use annals_questions::{Reason, Why};
use serde_json::json;

use crate::cli::{Global, ObjectArgs, WhyArgs};
use crate::commands::as_of::find_one;
use crate::commands::export::ToFile;
use crate::context::{SystemClock, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing};
use crate::times;

pub(crate) async fn execute(global: &Global, config: &Config, arguments: &WhyArgs) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let instant = |text: &str| {
        times::read(text, &zone, SystemClock.now_ms())
            .map_err(|error| Failure::usage(error, "See `annals why --help`."))
    };
    let at_ms = instant(&arguments.as_of)?;
    let known_at_ms = arguments.known_as_of.as_deref().map(instant).transpose()?;
    let to_file = ToFile::asked(&arguments.file, global.quiet)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let named = ObjectArgs { object_type: ObjectType::Identity, name: arguments.identity.clone() };
    let object = find_one(&mut tx, &named).await?;
    let question =
        Why { identity: &object.key, item: &arguments.item, at_ms, known_at_ms, hidden: &Hidden::default() };
    let reasons = annals_questions::why(&mut tx, &question).await.map_err(Failure::of_question)?;
    if let Some(file) = to_file {
        return file.write(&history, tx, ("exportReasons", rows(reasons)), &zone).await;
    }
    let at = times::show(at_ms, &zone);
    if global.output != Format::Json {
        let paths = match reasons.len() {
            0 => "not held".to_owned(),
            1 => "1 path".to_owned(),
            several => format!("{several} paths"),
        };
        eprintln!(
            "identity {} ({}), {} as of {at}: {paths}",
            object.name, object.key.object_id, arguments.item
        );
    }
    let mut listing = Listing::of(&reasons, &zone).for_readers::<Reason>(global.output);
    listing.more.insert("objectId".to_owned(), json!(object.key.object_id));
    listing.more.insert("name".to_owned(), json!(object.name));
    listing.more.insert("item".to_owned(), json!(arguments.item));
    listing.more.insert("at".to_owned(), json!(at));
    listing.print(global.output)?;
    Ok(Exit::Ok)
}
