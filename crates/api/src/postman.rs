//! The interface as a collection that Postman reads (BRV-16), made from the list of what can be asked.

use serde_json::{Value, json};

use crate::operation::{Method, Operation, operations};

/// A collection, version 2.1: a request an operation, in a folder a resource. Where it is served and the token are
/// variables of the collection.
#[must_use]
pub fn postman() -> Value {
    let mut folders: Vec<(&str, Vec<Value>)> = Vec::new();
    for operation in operations() {
        let resource = operation.path.split('/').nth(3).unwrap_or_default();
        match folders.iter_mut().find(|(name, _)| *name == resource) {
            Some((_, requests)) => requests.push(request(operation)),
            None => folders.push((resource, vec![request(operation)])),
        }
    }
    let folders: Vec<Value> =
        folders.into_iter().map(|(name, requests)| json!({"name": name, "item": requests})).collect();
    json!({
        "info": {
            "name": "Annals",
            "description": "docs/rest.md says more.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [
            {"key": "baseUrl", "value": "https://localhost:8443"},
            {"key": "token", "value": ""},
        ],
        "item": folders,
    })
}

fn request(operation: &Operation) -> Value {
    // Postman marks an open place with a colon.
    let path: Vec<String> = operation
        .path
        .split('/')
        .skip(1)
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(place) => format!(":{place}"),
            None => part.to_owned(),
        })
        .collect();
    let places = path.iter().filter_map(|part| part.strip_prefix(':'));
    let places: Vec<Value> = places.map(|place| json!({"key": place, "value": ""})).collect();
    // Options are there to be filled in; an act's are needed.
    let is_left_out = operation.method == Method::Get;
    let query: Vec<Value> = operation
        .options
        .iter()
        .map(|option| json!({"key": option, "value": "", "disabled": is_left_out}))
        .collect();
    json!({
        "name": operation.id,
        "request": {
            "method": operation.method.as_str().to_uppercase(),
            "description": operation.summary,
            "url": {
                "raw": format!("{{{{baseUrl}}}}/{}", path.join("/")),
                "host": ["{{baseUrl}}"],
                "path": path,
                "query": query,
                "variable": places,
            },
        },
    })
}
