//! The description of the interface, made from the list of what can be asked.

mod parameters;
mod schemas;

pub(crate) use schemas::columns;

use annals_questions::export::ExportFormat;
use serde_json::{Map, Value, json};

use crate::export;
use crate::operation::{Form, Operation, operations};

/// OpenAPI 3.1.
#[must_use]
pub fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        paths.insert(operation.path.clone(), json!({operation.method.as_str(): described(operation)}));
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
            "schemas": schemas::schemas(),
            "responses": responses(),
        },
    })
}

fn described(operation: &Operation) -> Value {
    let schema = match operation.form {
        Form::Events => json!({
            "type": "object",
            "description": "One of the events: `progress`, and `end` at the end, with JSON as data",
            "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
        }),
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
    let media = if operation.form == Form::Events { "text/event-stream" } else { "application/json" };
    let mut content = json!({media: {"schema": schema}});
    if operation.options.contains(&export::FORMAT) {
        with_files(&mut content, media);
    }
    let mut responses = json!({"200": {"description": "The answer", "content": content}});
    for status in ["400", "401", "403", "404", "409", "429", "500", "503"] {
        responses[status] = json!({"$ref": "#/components/responses/Problem"});
    }
    json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters::parameters(operation),
        "responses": responses,
    })
}

/// Besides the page that is answered, files of all rows: as JSON the rows alone, without what is about a page.
fn with_files(content: &mut Value, media: &str) {
    let page = content[media]["schema"].take();
    let rows = page["properties"]["value"].clone();
    content[media]["schema"] = json!({"anyOf": [page, rows]});
    for format in [ExportFormat::Csv, ExportFormat::Ndjson, ExportFormat::Parquet] {
        let media = format.media_type().split(';').next().unwrap_or_default();
        content[media] = json!({"schema": {"type": "string"}});
    }
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

fn responses() -> Value {
    let schema = json!({"schema": reference("Problem")});
    json!({"Problem": {
        "description": "Why there is no answer",
        "content": {"application/problem+json": schema},
    }})
}
