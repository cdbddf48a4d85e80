//! One object type of a source profile.

use std::collections::BTreeMap;

use annals_model::ObjectType;

use crate::fields::Fields;
use crate::node::shortened;
use crate::profile::{
    Deletions, Format, IdentityPath, Property, PropertyValue, Qualifies, Reads, TypeProfile,
};
use crate::read::columns::{Scope, changed, column, column_filter, column_path, joins, since, table};
use crate::read::property::properties;
use crate::suggest::known_words;
use crate::value::Value;

/// What an object type needs to know of the profile around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    /// The profile has `interceptedDeletes`.
    pub(crate) intercepted: bool,
    /// The profile has `release`.
    pub(crate) release: bool,
}

/// Reads an object type.
pub(crate) fn object_type(
    value: &Value<'_>,
    object_type: ObjectType,
    around: Surroundings,
) -> Option<TypeProfile> {
    let mut fields = value.fields(format!("the object type `{object_type}`"))?;
    let outer = Scope { aliases: Vec::new(), release: around.release };
    let class_name = fields.get("className").and_then(|value| value.name());
    let table = fields.need("table", "write table: with the base table").and_then(|value| table(&value));
    let id = fields.get("id").and_then(|value| column(&value));
    let (joins, scope) = joins(&mut fields, &outer);
    let name = fields.get("name").and_then(|value| column_path(&value, &scope));
    let filter = fields.get("filter").and_then(|value| column_filter(&value, &scope));
    let words = [("changed", Reads::Changed), ("all", Reads::All)];
    let reads = fields.get("reads").and_then(|value| value.word(&words)).unwrap_or(Reads::Changed);
    let changed = changed(&mut fields, &scope);
    let identity = fields.get("identity").and_then(|value| identity(&value, &scope));
    let properties = fields.get("properties").map(|value| properties(&value, &scope)).unwrap_or_default();
    let attribute_map = fields.get("attributeMap").and_then(|value| attribute_map(&value, &properties));
    let collections = fields.get("collections");
    if let Some(value) = &collections {
        note_shared_names(value, &properties);
    }
    let collections =
        collections.map(|value| crate::read::property::collections(&value, &outer)).unwrap_or_default();
    let qualifies = qualifies(&mut fields, &outer);
    let deletions = deletions(&mut fields, around.intercepted);
    fields.finish();
    Some(TypeProfile {
        class_name: class_name.unwrap_or_else(|| object_type.to_string()),
        // A table that could not be read has been noted; the names below it are right all the same.
        table: table.unwrap_or_default(),
        id: id.unwrap_or_else(|| "id".to_owned()),
        name,
        filter,
        reads,
        changed,
        identity,
        joins,
        properties,
        attribute_map,
        collections,
        qualifies,
        deletions,
    })
}

fn identity(value: &Value<'_>, scope: &Scope) -> Option<IdentityPath> {
    let mut fields = value.fields("`identity`")?;
    let help = "write id: with the column that holds the id of the owning identity";
    let id = fields.need("id", help).and_then(|value| column_path(&value, scope));
    let name = fields.get("name").and_then(|value| column_path(&value, scope));
    fields.finish();
    Some(IdentityPath { id: id?, name })
}

fn attribute_map(value: &Value<'_>, properties: &BTreeMap<String, Property>) -> Option<String> {
    let name = value.name()?;
    let maps: Vec<&str> = properties
        .iter()
        .filter(|(_, property)| {
            matches!(property.value, PropertyValue::Column { format: Format::Xml | Format::Json, .. })
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if !maps.contains(&name.as_str()) {
        let message = format!(
            "`attributeMap` names `{}`, which is no property of format xml or json",
            shortened(&name)
        );
        let none = "add a property with format: xml or format: json";
        value.unknown(message, &name, &maps, none);
    }
    Some(name)
}

fn note_shared_names(collections: &Value<'_>, properties: &BTreeMap<String, Property>) {
    for entry in collections.entries().unwrap_or_default() {
        if properties.contains_key(&entry.key) {
            let message =
                format!("`{}` is the name of a property and of a collection", shortened(&entry.key));
            collections.file.error(entry.at, message, "give one of them another name");
        }
    }
}

fn qualifies(fields: &mut Fields<'_>, outer: &Scope) -> Vec<Qualifies> {
    let rules = fields.get("qualifies").and_then(|value| value.list()).unwrap_or_default();
    rules.iter().filter_map(|value| qualifying(value, outer)).collect()
}

fn qualifying(value: &Value<'_>, outer: &Scope) -> Option<Qualifies> {
    let mut fields = value.fields("the rule of `qualifies`")?;
    let (joins, scope) = joins(&mut fields, outer);
    let table =
        fields.need("table", "write table: with the table that changes").and_then(|value| table(&value));
    let help = "write id: with the column that holds the id of the object that the change qualifies";
    let id = fields.need("id", help).and_then(|value| column_path(&value, &scope));
    let filter = fields.get("filter").and_then(|value| column_filter(&value, &scope));
    let given = fields.get("changed").is_some();
    let changed = changed(&mut fields, &scope);
    if !given {
        let message = format!("{} lacks the key `changed`", fields.what);
        fields.file.error(fields.at, message, "write changed: with the columns that say when a row changed");
    }
    let since = since(&mut fields, &scope);
    fields.finish();
    Some(Qualifies { table: table?, id: id?, joins, filter, changed, since })
}

fn deletions(fields: &mut Fields<'_>, intercepted: bool) -> Deletions {
    let words =
        [("intercepted", Deletions::Intercepted), ("sweep", Deletions::Sweep), ("none", Deletions::None)];
    let default = if intercepted { Deletions::Intercepted } else { Deletions::Sweep };
    let Some(value) = fields.get("deletions") else { return default };
    let found = value.word(&words).unwrap_or(default);
    if found == Deletions::Intercepted && !intercepted {
        let message = "`deletions: intercepted` needs `interceptedDeletes` in the profile";
        value.error(message, "add interceptedDeletes to the profile, or write `sweep`");
    }
    found
}

/// The object type that a key of `objectTypes` names.
pub(crate) fn known_type(word: &str) -> Option<ObjectType> {
    ObjectType::ALL.into_iter().find(|object_type| object_type.as_str() == word)
}

/// Help for a word that is no object type.
pub(crate) fn type_help(word: &str) -> String {
    known_words(word, &ObjectType::ALL.map(ObjectType::as_str), "")
}
