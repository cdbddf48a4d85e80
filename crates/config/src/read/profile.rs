//! Reads `sources/*.yaml`.

use std::collections::BTreeMap;

use annals_model::ObjectType;

use crate::fields::Fields;
use crate::node::{Position, shortened};
use crate::profile::{InterceptedDeletes, Profile, Release, TypeProfile};
use crate::read::columns::{Scope, change_column, column, table, table_filter};
use crate::read::object_type::{Surroundings, known_type, object_type, type_help};
use crate::value::Value;

/// Reads the tree of a source profile; gives the place of its name as well.
pub(crate) fn profile(root: &Value<'_>) -> Option<(Profile, Position)> {
    let mut fields = root.fields("the source profile")?;
    let name = fields.get("name").and_then(|value| value.placed());
    let name_at = name.as_ref().map_or(fields.at, |name| name.at);
    let description = fields.text("description").unwrap_or_default();
    let release_given = fields.get("release");
    let deletes_given = fields.get("interceptedDeletes");
    let around = Surroundings { intercepted: deletes_given.is_some(), release: release_given.is_some() };
    let release = release_given.and_then(|value| release(&value));
    let intercepted_deletes = deletes_given.and_then(|value| intercepted_deletes(&value, around));
    let secrets = fields.get("secrets").and_then(|value| value.names()).unwrap_or_default();
    let object_types = object_types(&mut fields, around);
    fields.finish();
    let profile = Profile {
        name: name.map_or_else(|| root.file.stem().to_owned(), |name| name.text),
        description,
        release,
        secrets: secrets.into_iter().map(|secret| secret.text).collect(),
        intercepted_deletes,
        object_types,
    };
    Some((profile, name_at))
}

fn release(value: &Value<'_>) -> Option<Release> {
    let mut fields = value.fields("`release`")?;
    let table = fields.need("table", "write table: with the table that says the release");
    let column_given = fields.need("column", "write column: with the column that says the release");
    let filter = fields.get("filter").and_then(|value| table_filter(&value));
    fields.finish();
    let table = table.and_then(|value| crate::read::columns::table(&value));
    let column = column_given.and_then(|value| column(&value));
    Some(Release { table: table?, column: column?, filter })
}

fn intercepted_deletes(value: &Value<'_>, around: Surroundings) -> Option<InterceptedDeletes> {
    let mut fields = value.fields("`interceptedDeletes`")?;
    let name = fields
        .need("table", "write table: with the table of deleted objects")
        .and_then(|value| table(&value));
    let mut needed = |key, help| fields.need(key, help).and_then(|value| column(&value));
    let object_id =
        needed("objectId", "write objectId: with the column that holds the id of the deleted object");
    let object_type =
        needed("objectType", "write objectType: with the column that holds the class of the deleted object");
    let id = fields.get("id").and_then(|value| column(&value)).unwrap_or_else(|| "id".to_owned());
    let scope = Scope { aliases: Vec::new(), release: around.release };
    let help = "write deleted: with the column that says when it was deleted";
    let deleted = fields.need("deleted", help).and_then(|value| change_column(&value, &scope));
    let others = fields.get("others").map(|value| others(&value)).unwrap_or_default();
    fields.finish();
    Some(InterceptedDeletes {
        table: name?,
        id,
        object_id: object_id?,
        object_type: object_type?,
        deleted: deleted?,
        others,
    })
}

fn others(value: &Value<'_>) -> BTreeMap<String, String> {
    let entries = value.entries().unwrap_or_default();
    let pairs = entries.iter().filter_map(|entry| {
        let text = Value::of(value.file, entry).text()?;
        Some((entry.key.clone(), text))
    });
    pairs.collect()
}

fn object_types(fields: &mut Fields<'_>, around: Surroundings) -> BTreeMap<ObjectType, TypeProfile> {
    let mut types = BTreeMap::new();
    let help = "write objectTypes: with `identity:` and others below it";
    let Some(value) = fields.need("objectTypes", help) else { return types };
    let Some(entries) = value.entries() else { return types };
    if entries.is_empty() {
        value.error("`objectTypes` is empty", help);
    }
    for entry in entries {
        let Some(known) = known_type(&entry.key) else {
            let message = format!("unknown object type `{}`", shortened(&entry.key));
            value.file.error(entry.at, message, type_help(&entry.key));
            continue;
        };
        if let Some(profile) = object_type(&Value::of(value.file, entry), known, around) {
            types.insert(known, profile);
        }
    }
    types
}
