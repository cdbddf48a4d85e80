//! Reads `tasks/*.yaml`.

use annals_model::TaskArguments;

use crate::fields::Fields;
use crate::node::Position;
use crate::read::schedule;
use crate::task::{EXTRACT_DEFAULT, Task};
use crate::value::Value;

/// A task and the places that checks between tasks point at.
pub(crate) struct TaskFile {
    pub(crate) task: Task,
    pub(crate) name_at: Position,
    pub(crate) extract_at: Position,
}

/// Reads the tree of a task file.
pub(crate) fn task(root: &Value<'_>, default_zone: &str) -> Option<TaskFile> {
    let mut fields = root.fields("the task")?;
    let name = fields.get("name").and_then(|value| value.placed());
    let name_at = name.as_ref().map_or(fields.at, |name| name.at);
    let description = fields.text("description").unwrap_or_default();
    let schedule = fields.get("schedule").and_then(|value| schedule::schedule(&value, default_zone));
    let reconcile = fields.get("reconcile").and_then(|value| schedule::schedule(&value, default_zone));
    let extract = fields.get("extractConfiguration").and_then(|value| value.placed());
    let extract_at = extract.as_ref().map_or(fields.at, |extract| extract.at);
    let arguments = arguments(&mut fields);
    let task = Task {
        name: name.map_or_else(|| root.file.stem().to_owned(), |name| name.text),
        description,
        schedule,
        reconcile,
        extract_configuration: extract.map_or_else(|| EXTRACT_DEFAULT.to_owned(), |extract| extract.text),
        arguments,
    };
    fields.finish();
    Some(TaskFile { task, name_at, extract_at })
}

/// The seven arguments (IIQ-25 to IIQ-31).
fn arguments(fields: &mut Fields<'_>) -> TaskArguments {
    let mut arguments = TaskArguments::default();
    let Some(value) = fields.get("arguments") else { return arguments };
    let Some(mut fields) = value.fields("`arguments`") else { return arguments };
    let mut set = |key, range, target: &mut u32| {
        if let Some(number) = fields.get(key).and_then(|value| value.whole_u32(range)) {
            *target = number;
        }
    };
    set("lossLimit", 1..=1_000_000, &mut arguments.loss_limit);
    set("maxObjectAttempts", 1..=1_000, &mut arguments.max_object_attempts);
    set("maxFailuresAbsolute", 0..=u32::MAX, &mut arguments.max_failures_absolute);
    set("minExtractPartitions", 1..=10_000, &mut arguments.min_extract_partitions);
    set("maxExtractPartitions", 1..=10_000, &mut arguments.max_extract_partitions);
    let objects = fields.either("maxObjectsPerExtractPartition", "maxObjectsPerPartition");
    if let Some(number) = objects.and_then(|value| value.whole_u32(1..=100_000_000)) {
        arguments.max_objects_per_extract_partition = number;
    }
    if let Some(percent) = fields.get("maxFailuresPercent").and_then(|value| value.percent()) {
        arguments.max_failures_percent = percent;
    }
    let (least, most) = (arguments.min_extract_partitions, arguments.max_extract_partitions);
    if least > most {
        let message =
            format!("`minExtractPartitions` ({least}) is larger than `maxExtractPartitions` ({most})");
        value.error(message, "raise the second or lower the first; the defaults are 5 and 50");
    }
    fields.finish();
    arguments
}
