//! What answers consist of, described.

use annals_history::find::{PropertyKind, properties};
use annals_history::{CaptureSummary, EventRow, HeldAccess};
use annals_model::ObjectType;
use annals_questions::{
    AccessChange, ChangeGroup, Column, Difference, Holder, Kind, OrphanAccount, Reason, Row,
};
use serde_json::{Map, Value, json};

use crate::operation::operations;

/// What things other than objects have: members with their kinds, of which those with a question mark may be null.
const THINGS: [(&str, &str); 15] = [
    (
        "State",
        "id:text captureId:text since:instant lastSeen:instant nextSeen:instant? failedRuns:number recorded:instant deleted:flag image:object?",
    ),
    (
        "Run",
        "run:number task:text trigger:text host:text state:text status:text? result:text? started:instant ended:instant?
         since:instant? horizon:instant configurationVersion:number follows:number? counters:object byClass:any
         messages:list written:list",
    ),
    (
        "Partition",
        "partition:number objects:number state:text chunks:number chunksDone:number epoch:number owner:text?",
    ),
    ("PatchOperation", "op:text path:text value:any"),
    ("Act", "task:text run:number letter:text changed:flag planned:instant"),
    ("Myself", "name:text roles:list authentication:text rights:list scope:object?"),
    (
        "SessionLog",
        "id:text operation:text batchId:text? status:text? identity:object metadata:object requester:object data:object",
    ),
    ("OperationCode", "code:text name:text"),
    ("Failure", "class:text objectId:text stage:text error:text"),
    ("Task", "task:text schedule:text? paused:flag note:text? next:instant?"),
    (
        "FailedObject",
        "class:text objectId:text stage:text error:text attempts:number firstFailed:instant lastFailed:instant run:number",
    ),
    (
        "Fire",
        "task:text planned:instant due:instant outcome:text decided:instant latenessMs:number? run:number? host:text
         note:text?",
    ),
    (
        "DeadLetter",
        "id:text class:text objectId:text name:text occurred:instant observed:instant created:instant attempts:number
         reason:text run:number? partition:number?",
    ),
    (
        "Host",
        "id:number name:text roles:list state:text started:instant heartbeat:instant clockSkewMs:number runs:number",
    ),
    (
        "Access",
        "id:text at:instant who:text roles:list authentication:text address:text host:text method:text path:text
         operation:text query:text? rows:number? success:flag status:number",
    ),
];

/// What questions are answered with.
const ANSWERS: [(&str, &[Column]); 9] = [
    ("AccessChange", <AccessChange as Row>::COLUMNS),
    ("Capture", <CaptureSummary as Row>::COLUMNS),
    ("ChangeGroup", <ChangeGroup as Row>::COLUMNS),
    ("Difference", <Difference as Row>::COLUMNS),
    ("Event", <EventRow as Row>::COLUMNS),
    ("HeldAccess", <HeldAccess as Row>::COLUMNS),
    ("Holder", <Holder as Row>::COLUMNS),
    ("OrphanAccount", <OrphanAccount as Row>::COLUMNS),
    ("Reason", <Reason as Row>::COLUMNS),
];

/// The columns of what questions are answered with, by the schema's name.
pub(crate) fn columns(schema: &str) -> Option<&'static [Column]> {
    ANSWERS.into_iter().find(|(name, _)| *name == schema).map(|(_, columns)| columns)
}

/// All schemas by name.
pub(super) fn schemas() -> Value {
    let mut schemas: Map<String, Value> = Map::new();
    for object_type in operations().iter().filter_map(|operation| operation.object_type) {
        schemas.insert(object_type.as_str().to_owned(), object(object_type));
    }
    for (name, members) in THINGS {
        let members = members.split_whitespace().filter_map(|member| {
            let (name, kind) = member.split_once(':')?;
            let (kind, nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
            Some((name.to_owned(), schema(kind, nullable)))
        });
        let members: Map<String, Value> = members.collect();
        schemas.insert(name.to_owned(), json!({"type": "object", "properties": members}));
    }
    for (name, columns) in ANSWERS {
        let members = columns.iter().map(|column| (column.name(), cell(column.kind)));
        let members: Map<String, Value> = members.collect();
        schemas.insert(name.to_owned(), json!({"type": "object", "properties": members}));
    }
    schemas.insert(
        "Problem".to_owned(),
        json!({
            "type": "object",
            "description": "RFC 9457",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "parameter": {"type": "string", "description": "The option that is wrong"},
                "position": {"type": "integer", "description": "Characters of it before the place that is wrong"},
            },
        }),
    );
    Value::Object(schemas)
}

fn object(object_type: ObjectType) -> Value {
    let mut members: Map<String, Value> = Map::new();
    for property in properties(object_type) {
        let kind = match property.kind {
            PropertyKind::Text => "text",
            PropertyKind::Int => "number",
            PropertyKind::Flag => "flag",
            PropertyKind::Instant => "instant",
        };
        members.insert(property.name.clone(), schema(kind, property.nullable));
    }
    members.insert("image".to_owned(), schema("object", true));
    json!({"type": "object", "properties": members})
}

fn cell(kind: Kind) -> Value {
    let kind = match kind {
        Kind::Text => "text",
        Kind::Texts => "list",
        Kind::Instant => "instant",
        Kind::Integer => "number",
        Kind::Flag => "flag",
        Kind::Json => "any",
    };
    schema(kind, kind != "any")
}

fn schema(kind: &str, nullable: bool) -> Value {
    let mut schema = match kind {
        "number" => json!({"type": "integer"}),
        "flag" => json!({"type": "boolean"}),
        "instant" => json!({"type": "string", "format": "date-time"}),
        "object" => json!({"type": "object"}),
        "list" => json!({"type": "array"}),
        "any" => json!({}),
        _ => json!({"type": "string"}),
    };
    if nullable {
        schema["type"] = json!([schema["type"], "null"]);
    }
    schema
}
