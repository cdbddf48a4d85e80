//! `annals as-of`: an object as it was at an instant.

use annals_config::Config;
use annals_history::{FoundObject, find_objects};
use annals_model::Clock as _;
use annals_sql::Tx;
use serde_json::json;

use crate::cli::{AsOfArgs, Global, ObjectArgs};
use crate::context::{SystemClock, open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, print_json};
use crate::times;

pub(crate) async fn execute(global: &Global, config: &Config, arguments: &AsOfArgs) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let instant = |text: &str| {
        times::read(text, &zone, SystemClock.now_ms())
            .map_err(|error| Failure::usage(error, "See `annals as-of --help`."))
    };
    let at_ms = instant(&arguments.at)?;
    let known_at_ms = arguments.known_as_of.as_deref().map(instant).transpose()?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let object = find_one(&mut tx, &arguments.object).await?;
    let at = times::show(at_ms, &zone);
    let Some(state) = annals_history::as_of(&mut tx, &object.key, at_ms, known_at_ms).await? else {
        return Err(Failure::not_found(
            format!("a capture of {} {} as of {at}", object.key.object_type, object.name),
            "History begins later; `annals timeline` shows when.",
        ));
    };
    let certainty = annals_questions::certainty(&mut tx, &object.key, &state, known_at_ms).await?;
    let [last_seen, next_seen] = [Some(certainty.window.last_seen_ms), certainty.window.next_seen_ms]
        .map(|ms| ms.map(|ms| times::show(ms, &zone)));
    let document = json!({
        "objectType": object.key.object_type.as_str(),
        "objectId": object.key.object_id,
        "name": object.name,
        "at": at,
        "deleted": state.deleted,
        "since": times::show(state.effective_ms, &zone),
        "lastSeen": last_seen,
        "nextSeen": next_seen,
        "failedRuns": certainty.failed_runs,
        "recorded": times::show(state.recorded_ms, &zone),
        "captureId": state.capture_id,
        "transformType": state.transform_type,
        "jsonFormat": state.json_format,
        "document": state.document,
    });
    if global.output == Format::Json {
        print_json(&document)?;
        return Ok(Exit::Ok);
    }
    let deleted = if state.deleted { ", deleted" } else { "" };
    eprintln!(
        "{} {} ({}) as of {at}: since {}{deleted}",
        object.key.object_type,
        object.name,
        object.key.object_id,
        times::show(state.effective_ms, &zone)
    );
    eprintln!(
        "last seen so {}, {}; runs that failed in between: {}",
        last_seen.unwrap_or_default(),
        next_seen.map_or("not seen otherwise".to_owned(), |next| format!("otherwise {next}")),
        certainty.failed_runs
    );
    let mut listing = Listing::new(&["field", "value"]);
    for (field, value) in state.image.iter().flat_map(|image| &image.image_fields) {
        match value {
            serde_json::Value::Array(elements) if elements.iter().any(serde_json::Value::is_object) => {
                for element in elements {
                    listing.push(vec![json!(field), element.clone()]);
                }
            }
            value => listing.push(vec![json!(field), value.clone()]),
        }
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// The one object of history that is meant.
pub(crate) async fn find_one(tx: &mut Tx, arguments: &ObjectArgs) -> Result<FoundObject, Failure> {
    let ObjectArgs { object_type, name } = arguments;
    let mut found = find_objects(tx, *object_type, name).await?;
    match found.len() {
        0 => Err(Failure::not_found(
            format!("{object_type} `{name}`"),
            "History holds no object of this name or id. `annals runs list` shows what was read.",
        )),
        1 => Ok(found.remove(0)),
        _ => {
            let ids: Vec<String> = found.into_iter().map(|object| object.key.object_id).collect();
            Err(Failure::usage(
                format!("{} objects of type {object_type} are named `{name}`", ids.len()),
                format!("Give the id of one of them: {}.", ids.join(", ")),
            ))
        }
    }
}
