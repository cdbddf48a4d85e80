//! The description of the interface.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use annals_testkit::Engine;
use serde_json::Value;

use super::Rest;
use crate::program::annals;

/// The copies in docs/ are what the program says, by command and over REST (BRV-16).
#[tokio::test]
async fn the_copies_are_what_the_program_says() {
    let is_copied = |form: &str, file: &str| {
        let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
        let said = annals(Path::new("."), &["api", form]).exits(0);
        let copied = fs::read_to_string(copy).unwrap();
        assert_eq!(copied, said.out, "write it anew: annals api {form} > docs/{file}");
        said.json()
    };
    let said = is_copied("openapi", "openapi.json");
    let collection = is_copied("postman", "annals.postman_collection.json");
    let folders = collection["item"].as_array().unwrap();
    let requests = folders.iter().flat_map(|folder| folder["item"].as_array().unwrap());
    let raw = |request: &Value| {
        let path = request["request"]["url"]["raw"]
            .as_str()
            .unwrap()
            .strip_prefix("{{baseUrl}}")
            .unwrap()
            .to_owned();
        path.split('/')
            .map(|part| part.strip_prefix(':').map_or(part.to_owned(), |place| format!("{{{place}}}")))
            .collect::<Vec<_>>()
            .join("/")
    };
    let in_collection: BTreeSet<String> = requests.map(raw).collect();
    let described: BTreeSet<String> = said["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(in_collection, described);
    let rest = Rest::on(Engine::Sqlite).await;
    assert_eq!(rest.get("/api/v1/openapi.json"), said);
}

/// What is described can be asked: every operation is there, and takes nobody without a token; what an object has is
/// what its schema says; every reference leads somewhere; and no two operations have one name.
#[tokio::test]
async fn what_is_described_is_there() {
    let rest = Rest::on(Engine::Sqlite).await;
    let description = rest.get("/api/v1/openapi.json");
    let mut names = BTreeSet::new();
    let paths = description["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let (method, operation) = methods.as_object().unwrap().iter().next().unwrap();
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{path}");
        let filled: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let method = method.to_uppercase();
        assert_eq!(rest.send(&method, &filled.join("/"), "").status, 401, "{path}");
        if method == "POST" {
            continue;
        }
        let parameters = operation["parameters"].as_array().unwrap();
        let required = parameters.iter().filter(|one| one["in"] == "query" && one["required"] == true);
        let query: Vec<String> = required.map(|one| format!("{}=1", one["name"].as_str().unwrap())).collect();
        let asked = [filled.join("/"), query.join("&")].join("?");
        let status = rest.ask(Some(&rest.auditor), &asked).status;
        let names_something = path.contains('{') || !query.is_empty();
        assert!(status == 200 || (status == 404 && names_something), "{asked}: {status}");
    }
    // Six for each of ten classes, timelines of seven, two about an identity's access, four of populations, thirteen others,
    // two as the reference has them, and eight acts.
    assert_eq!(names.len(), 6 * 10 + 7 + 2 + 4 + 13 + 2 + 8);
    for (path, class) in
        [("identities", "identity"), ("accounts", "account"), ("managedAttributes", "managedAttribute")]
    {
        let page = rest.get(&format!("/api/v1/{path}?$expand=image&$top=1"));
        let row: BTreeSet<&String> = page["value"][0].as_object().unwrap().keys().collect();
        let schema = &description["components"]["schemas"][class]["properties"];
        assert_eq!(schema.as_object().unwrap().keys().collect::<BTreeSet<_>>(), row, "{class}");
    }
    let (id, _) = crate::site::somebody(&rest.site);
    for (path, thing) in [
        (format!("identities/{id}/history"), "Capture"),
        (format!("identities/{id}/timeline"), "Event"),
        ("runs/1/partitions".to_owned(), "Partition"),
        (format!("identities/{id}/diff?all=true"), "Difference"),
        ("changes?$top=1".to_owned(), "AccessChange"),
        ("changes/counts".to_owned(), "ChangeGroup"),
        ("holders?item=role:Organisation".to_owned(), "Holder"),
        ("tasks".to_owned(), "Task"),
        ("hosts".to_owned(), "Host"),
        ("access-log".to_owned(), "Access"),
    ] {
        let page = rest.get(&format!("/api/v1/{path}"));
        has_what_is_described(&description, thing, &page["value"][0]);
    }
    has_what_is_described(&description, "Run", &rest.get("/api/v1/runs/1"));
    has_what_is_described(&description, "State", &rest.get(&format!("/api/v1/identities/{id}/as-of")));
    let mut references = Vec::new();
    collect(&description, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

/// The members are those of the schema, each null only where it may be, and of its type.
#[track_caller]
fn has_what_is_described(description: &Value, thing: &str, told: &Value) {
    let schema = description["components"]["schemas"][thing]["properties"].as_object().unwrap();
    let told = told.as_object().unwrap();
    assert_eq!(told.keys().collect::<BTreeSet<_>>(), schema.keys().collect::<BTreeSet<_>>(), "{thing}");
    for (member, value) in told {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let allowed = &schema[member]["type"];
        let is_allowed = match allowed {
            Value::Array(kinds) => kinds.contains(&Value::from(kind)),
            Value::String(only) => only == kind,
            _ => true,
        };
        assert!(is_allowed, "{thing}.{member} is {value}, not {allowed}");
    }
}

fn collect<'d>(value: &'d Value, references: &mut Vec<&'d str>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| collect(value, references));
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
