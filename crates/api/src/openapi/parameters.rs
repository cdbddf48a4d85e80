//! The parameters of operations, described.

use annals_history::find::properties;
use annals_model::ObjectType;
use annals_questions::export::ExportFormat;
use annals_questions::{GroupBy, Mode};
use serde_json::{Value, json};

use crate::odata::TOP_MAX;
use crate::operation::{Method, Operation};

/// The open places of a path, and the options.
pub(super) fn parameters(operation: &Operation) -> Vec<Value> {
    let places = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let place = |place| {
        let schema = if place == "run" { json!({"type": "integer"}) } else { json!({"type": "string"}) };
        json!({"name": place, "in": "path", "required": true, "schema": schema})
    };
    places.map(place).chain(operation.options.iter().map(|name| option(operation, name))).collect()
}

fn option(operation: &Operation, name: &str) -> Value {
    // No engine keeps the character of code 0 in a text.
    let text = json!({"type": "string", "pattern": "^[^\\u0000]*$"});
    let words = json!({"type": "string", "pattern": "^[^\\u0000]+$"});
    let moment = json!({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]});
    let instant = "An instant (2026-03-01T14:30:00Z), or a date, which means its end in UTC";
    let (description, schema) = match name {
        "$filter" => ("A condition: docs/rest.md", json!({"type": "string", "format": "odata-filter"})),
        "$search" => ("Words and \"phrases\" that all occur in the name", words),
        "$orderby" if operation.object_type.is_none() => {
            ("metadata/lastUpdatedDateTime with asc or desc", words)
        }
        "$expand" if operation.object_type.is_none() => {
            ("requester, data, data(expand=account,group,targetSystem)", words)
        }
        "$orderby" => {
            ("Properties with asc or desc, between commas", listed(operation, "( (asc|desc))?", &[]))
        }
        "$select" => ("Properties to answer, between commas; * for all", listed(operation, "", &["[*]"])),
        "$expand" => ("The newest image of each object", json!({"type": "string", "enum": ["image"]})),
        "$top" => ("Rows of a page", json!({"type": "integer", "minimum": 0, "maximum": TOP_MAX})),
        "$skiptoken" => {
            let schema = json!({"type": "string", "pattern": "^[0-9a-f]+$"});
            ("Where the page before ended, as its nextLink says", schema)
        }
        "$count" => ("Say how many there are in all", json!({"type": "boolean"})),
        "export" => {
            let names = ExportFormat::ALL.map(ExportFormat::as_str);
            (
                "All rows as a file of this form, which takes the right to export; not with $top, $skiptoken, $count, $expand",
                json!({"type": "string", "enum": names}),
            )
        }
        "timeZone" => {
            let schema = json!({"type": "string", "format": "iana-time-zone"});
            ("IANA time zone of local times in an exported CSV; UTC if left out", schema)
        }
        "at" => (instant, moment),
        "knownAsOf" => ("Only what history knew then: an instant, or a date", moment),
        "additionalOnly" => ("Only what is not granted through roles", json!({"type": "boolean"})),
        "item" => ("What: role:NAME, entitlement:APPLICATION/ATTRIBUTE=VALUE and so on", words),
        "mode" => {
            let modes = Mode::ALL.map(Mode::as_str);
            ("Who held it at some time, throughout, or at the end", json!({"type": "string", "enum": modes}))
        }
        "directOnly" => ("Not through other roles or groups", json!({"type": "boolean"})),
        "from" => ("From this instant on", moment),
        "to" => ("Up to this instant", moment),
        "with" => ("Id of another object of the class, to compare with", words),
        "all" => ("What is unchanged, too", json!({"type": "boolean"})),
        "group" => {
            ("What they are counted by", json!({"type": "string", "enum": GroupBy::ALL.map(GroupBy::as_str)}))
        }
        "unexplained" => {
            let meaning = "Only what was added and no request, role, certification or rule explains";
            (meaning, json!({"type": "boolean"}))
        }
        "task" => ("Only of this task", text),
        "who" => ("Only of this token", text),
        "what" => ("Only this operation, or this path", text),
        "class" => {
            ("Only of this class", json!({"type": "string", "enum": ObjectType::ALL.map(ObjectType::as_str)}))
        }
        "object" => ("Only of the object with this id or name", words),
        "reason" => ("Why, which is kept", words),
        "note" => ("Why, for whoever looks at the ledger", text),
        "run" => ("Only of this run", json!({"type": "integer"})),
        _ => ("", text),
    };
    // An act is on one thing.
    let of_act = operation.method == Method::Post && matches!(name, "class" | "object" | "reason");
    let required = of_act || name == "item";
    json!({"name": name, "in": "query", "required": required, "description": description, "schema": schema})
}

/// Names of a class's properties, each with what may follow, between commas.
fn listed(operation: &Operation, after: &str, besides: &[&str]) -> Value {
    let of_class = operation.object_type.map(properties).unwrap_or_default();
    let names = of_class.iter().map(|property| property.name.as_str()).chain(besides.iter().copied());
    let one = format!("({}){after}", names.collect::<Vec<_>>().join("|"));
    json!({"type": "string", "pattern": format!("^{one}(,{one})*$"), "maxLength": 1_000})
}
