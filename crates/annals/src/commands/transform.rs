//! `annals transform`: the image that would be made of one object now.

use annals_config::Config;
use annals_config::task::Task;
use annals_model::ObjectType;
use annals_source::{Selection, Source};
use serde_json::json;

use crate::cli::ObjectArgs;
use crate::context::{find_task, open_source};
use crate::exit::{Exit, Failure};
use crate::output::print_json;
use crate::slots::image_plans;

/// More objects of one name than a person means.
const SAME_NAME_MAX: usize = 10;

pub(crate) async fn execute(config: &Config, arguments: &ObjectArgs) -> Result<Exit, Failure> {
    let task = find_task(config, None)?;
    let source = open_source(config).await?;
    let id = find_one(&source, arguments).await?;
    let plans = image_plans(config, task);
    let plan =
        plans.get(&arguments.object_type).ok_or_else(|| not_configured(task, arguments.object_type))?;
    let selection = Selection::Properties(plan.properties().clone());
    let batch = source.load(arguments.object_type, std::slice::from_ref(&id), &selection).await?;
    if let Some((_, error)) = batch.failed.first() {
        return Err(Failure::new(
            Exit::Unexpected,
            anyhow::anyhow!("{} {} cannot be read: {error}", arguments.object_type, arguments.name),
            "Mend the object in the identity system, or raise the cap that it names under `limits`.",
        ));
    }
    let object = batch.objects.into_iter().next().ok_or_else(|| {
        Failure::not_found(format!("{} {}", arguments.object_type, arguments.name), "It vanished just now.")
    })?;
    let limits = &config.service.limits;
    let made = plan.make(
        &object.id,
        object.properties,
        source.secrets(),
        limits.document_bytes_max,
        limits.nesting_max,
    )?;
    print_json(&json!({
        "objectType": arguments.object_type.as_str(),
        "objectId": object.id,
        "name": object.name,
        "bytes": made.bytes.len(),
        "fullHash": made.hashes.full,
        "smartHash": made.hashes.smart,
        "eventImage": made.image,
    }))?;
    Ok(Exit::Ok)
}

/// The id of the one object in the source that is meant.
pub(crate) async fn find_one(source: &Source, arguments: &ObjectArgs) -> Result<String, Failure> {
    let ObjectArgs { object_type, name } = arguments;
    let mut ids = source.ids_by_name(*object_type, name, SAME_NAME_MAX).await?;
    match ids.len() {
        0 => Err(Failure::not_found(
            format!("{object_type} `{name}`"),
            "Give its name or id as the identity system has it.",
        )),
        1 => Ok(ids.remove(0)),
        _ => Err(Failure::usage(
            format!("several objects are named `{name}`"),
            format!("Give the id of one of them: {}.", ids.join(", ")),
        )),
    }
}

pub(crate) fn not_configured(task: &Task, object_type: ObjectType) -> Failure {
    Failure::usage(
        format!("task `{}` does not read objects of type {object_type}", task.name),
        format!(
            "Add the type to extract/{}.yaml and to its transform configuration; `annals plan` lists what is read.",
            task.extract_configuration
        ),
    )
}
