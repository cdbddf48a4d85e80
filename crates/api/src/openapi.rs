//! The description of the interface, made from the list of what can be asked.

use annals_history::find::{PropertyKind, properties};
use annals_model::ObjectType;
use serde_json::{Map, Value, json};

use crate::odata::TOP_MAX;
use crate::operation::{Form, Operation, operations};

/// OpenAPI 3.1.
#[must_use]
pub fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        paths.insert(operation.path.clone(), json!({"get": described(operation)}));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Annals",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Access history of identity systems: who had access to what, when, why, and as known when.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
            "responses": responses(),
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    let places = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for place in places {
        let schema = if place == "run" { json!({"type": "integer"}) } else { json!({"type": "string"}) };
        parameters.push(json!({"name": place, "in": "path", "required": true, "schema": schema}));
    }
    parameters.extend(operation.options.iter().map(|option| parameter(option)));
    let schema = match operation.form {
        Form::One("Description") => json!({"type": "object"}),
        Form::One("Object") => reference(&schema_of(operation, "Object")),
        Form::One(name) => reference(name),
        Form::List(name) => {
            let name = schema_of(operation, name);
            json!({
                "type": "object",
                "required": ["value"],
                "properties": {
                    "value": {"type": "array", "items": reference(&name)},
                    "@odata.count": {"type": "integer", "description": "How many there are in all, where $count asks for it"},
                    "@odata.nextLink": {"type": "string", "description": "Path and query of the next page, if there is one"},
                },
            })
        }
    };
    let mut responses =
        json!({"200": {"description": "The answer", "content": {"application/json": {"schema": schema}}}});
    for status in ["400", "401", "403", "404", "429", "500", "503"] {
        responses[status] = json!({"$ref": "#/components/responses/Problem"});
    }
    json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    })
}

/// Each class of objects has a schema of its own.
fn schema_of(operation: &Operation, name: &str) -> String {
    match operation.object_type {
        Some(object_type) if name == "Object" => object_type.as_str().to_owned(),
        _ => name.to_owned(),
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn parameter(name: &str) -> Value {
    let text = json!({"type": "string"});
    let instant = "An instant (2026-03-01T14:30:00Z), or a date, which means its end in UTC";
    let (description, schema) = match name {
        "$filter" => ("A condition: docs/rest.md", text),
        "$search" => ("Words and \"phrases\" that all occur in the name", text),
        "$orderby" => ("Properties with asc or desc, between commas", text),
        "$select" => ("Properties to answer, between commas; * for all", text),
        "$expand" => ("image: the newest image of each object", text),
        "$top" => ("Rows of a page", json!({"type": "integer", "minimum": 0, "maximum": TOP_MAX})),
        "$skiptoken" => ("Where the page before ended, as its nextLink says", text),
        "$count" => ("Say how many there are in all", json!({"type": "boolean"})),
        "at" => (instant, text),
        "knownAsOf" => ("Only what history knew then: an instant, or a date", text),
        "from" => ("From this instant on", text),
        "to" => ("Up to this instant", text),
        "task" => ("Only of this task", text),
        "who" => ("Only of this token", text),
        "what" => ("Only this operation, or this path", text),
        "class" => ("Only of this class", text),
        "object" => ("Only of the object with this id or name", text),
        "run" => ("Only of this run", json!({"type": "integer"})),
        _ => ("", text),
    };
    json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
}

fn schemas() -> Value {
    let mut schemas: Map<String, Value> = Map::new();
    for object_type in operations().iter().filter_map(|operation| operation.object_type) {
        schemas.insert(object_type.as_str().to_owned(), object(object_type));
    }
    let any = [
        "Capture",
        "State",
        "Event",
        "Run",
        "Partition",
        "Failure",
        "Task",
        "FailedObject",
        "Fire",
        "DeadLetter",
        "Host",
        "Access",
    ];
    for name in any {
        schemas.insert(name.to_owned(), json!({"type": "object"}));
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
        let mut schema = match property.kind {
            PropertyKind::Text => json!({"type": "string"}),
            PropertyKind::Int => json!({"type": "integer"}),
            PropertyKind::Flag => json!({"type": "boolean"}),
            PropertyKind::Instant => json!({"type": "string", "format": "date-time"}),
        };
        if property.nullable {
            schema["type"] = json!([schema["type"], "null"]);
        }
        members.insert(property.name.clone(), schema);
    }
    members.insert("image".to_owned(), json!({"type": ["object", "null"]}));
    json!({"type": "object", "properties": members})
}

fn responses() -> Value {
    let schema = json!({"schema": reference("Problem")});
    json!({"Problem": {
        "description": "Why there is no answer",
        "content": {"application/problem+json": schema},
    }})
}
