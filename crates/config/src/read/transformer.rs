//! Transformers and their arguments.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use crate::fields::Fields;
use crate::node::shortened;
use crate::read::schedule::time_zone;
use crate::suggest::{known_words, listed};
use crate::transform::{Transformer, ValueKind};
use crate::value::{Placed, Value};

/// `type` of an image property and `to` of a cast.
pub(crate) const KINDS: [(&str, ValueKind); 9] = [
    ("auto", ValueKind::Auto),
    ("string", ValueKind::String),
    ("integer", ValueKind::Integer),
    ("float", ValueKind::Float),
    ("boolean", ValueKind::Boolean),
    ("date", ValueKind::Date),
    ("list", ValueKind::List),
    ("map", ValueKind::Map),
    ("reference", ValueKind::Reference),
];

const TYPES: [&str; 10] =
    ["cast", "date", "epoch", "reference", "subset", "rename", "mask", "constant", "compositeKey", "hash"];

/// A transformer that was read, and the properties that it takes from the profile by name.
pub(crate) struct Read {
    pub(crate) transformer: Transformer,
    pub(crate) uses: Vec<Placed>,
}

impl From<Transformer> for Read {
    fn from(transformer: Transformer) -> Self {
        Self { transformer, uses: Vec::new() }
    }
}

/// Reads one element of `propertyTransformerConfigDescriptors`.
pub(crate) fn transformer(value: &Value<'_>) -> Option<Read> {
    let mut fields = value.fields("the transformer")?;
    let type_value = fields.need("type", &format!("write type: with one of {}", listed(&TYPES)));
    let args = fields.get("args");
    fields.finish();
    let type_value = type_value?;
    let type_name = type_value.name()?;
    if !TYPES.contains(&type_name.as_str()) {
        let message = format!("unknown transformer `{}`", shortened(&type_name));
        type_value.error(message, known_words(&type_name, &TYPES, ""));
        return None;
    }
    let what = format!("`args` of the transformer `{type_name}`");
    // Without `args` the transformer's own place stands for them.
    let mut args = match args {
        Some(args) => args.fields(what)?,
        None => Fields::new(value.file, value.at(), what, &[]),
    };
    let read = arguments(&type_name, &mut args);
    args.finish();
    read
}

fn arguments(type_name: &str, args: &mut Fields<'_>) -> Option<Read> {
    let read = match type_name {
        "cast" => Transformer::Cast(cast(args)?),
        "date" => {
            let format = time_format(args);
            let zone = args.get("timeZone").map_or(Some("UTC".to_owned()), |value| time_zone(&value));
            Transformer::Date { format: format?, time_zone: zone? }
        }
        "epoch" => Transformer::Epoch { format: time_format(args)? },
        "reference" => match args.get("members") {
            Some(value) => Transformer::Reference(texts(members(&value)?)),
            None => Transformer::Reference(vec!["id".to_owned(), "name".to_owned()]),
        },
        "subset" => {
            let value = args.need("members", "write args: {members: [...]} with the members to keep")?;
            Transformer::Subset(texts(members(&value)?))
        }
        "rename" => Transformer::Rename(renames(args)?),
        "mask" => Transformer::Mask,
        "hash" => Transformer::Hash,
        "constant" => match args.entry("value") {
            Some(entry) => Transformer::Constant(Value::of(args.file, entry).json()),
            None => {
                args.need("value", "write args: {value: ...}");
                return None;
            }
        },
        _ => return composite_key(args),
    };
    Some(read.into())
}

fn cast(args: &mut Fields<'_>) -> Option<ValueKind> {
    let value = args.need("to", "write args: {to: string}, or integer, float, boolean, date")?;
    value.word(&KINDS[1..])
}

/// `Some(None)`: RFC 3339.
fn time_format(args: &mut Fields<'_>) -> Option<Option<String>> {
    let Some(value) = args.get("format") else { return Some(None) };
    let format = value.name()?;
    let sample = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    if strtime::format(&format, &sample).is_err() {
        let message = format!("the time format `{}` cannot be read", shortened(&format));
        value.error(message, "write it as for strftime, for example format: \"%Y-%m-%d\"");
        return None;
    }
    Some(Some(format))
}

fn members(value: &Value<'_>) -> Option<Vec<Placed>> {
    let names = value.names()?;
    if names.is_empty() {
        value.error(format!("{} is empty", value.label), "name at least one member");
    }
    Some(names)
}

fn texts(names: Vec<Placed>) -> Vec<String> {
    names.into_iter().map(|name| name.text).collect()
}

fn renames(args: &mut Fields<'_>) -> Option<BTreeMap<String, String>> {
    let help = "write args: {members: {old: new}}";
    let value = args.need("members", help)?;
    let entries = value.entries()?;
    if entries.is_empty() {
        value.error("`members` is empty", help);
    }
    let mut renames: BTreeMap<String, String> = BTreeMap::new();
    for entry in entries {
        let Some(new) = Value::of(args.file, entry).name() else { continue };
        if renames.values().any(|known| *known == new) {
            let message = format!("two members are renamed to `{}`", shortened(&new));
            args.file.error(entry.value.at, message, "give one of them another name");
        }
        renames.insert(entry.key.clone(), new);
    }
    Some(renames)
}

fn composite_key(args: &mut Fields<'_>) -> Option<Read> {
    let value = args.need("properties", "write args: {properties: [...]} with the properties to join");
    let separator = args.get("separator").and_then(|value| value.text()).unwrap_or_else(|| "|".to_owned());
    let uses = members(&value?)?;
    let properties = uses.iter().map(|name| name.text.clone()).collect();
    Some(Read { transformer: Transformer::CompositeKey { properties, separator }, uses })
}

/// Where a transformer that makes a value of its own must stand: first, and nowhere else.
pub(crate) fn makes_value(transformer: &Transformer) -> bool {
    matches!(transformer, Transformer::Constant(_) | Transformer::CompositeKey { .. })
}
