//! Reads `extract/*.yaml`, against the profile where it is known.

use annals_model::ObjectType;
use jiff::Timestamp;

use crate::banner::{exported_object_unknown, exported_objects_missing, transform_name_missing};
use crate::extract::{ExtractConfig, ExtractedObject};
use crate::fields::Fields;
use crate::filter::{Expr, Literal, NameUse};
use crate::node::{Entry, Kind, Position, shortened};
use crate::profile::{Format, Profile, PropertyValue, TypeProfile};
use crate::read::filter::{NameProblem, filter};
use crate::read::transform::class_help;
use crate::suggest::known_words;
use crate::value::{Placed, Value};

/// An extract configuration and the places that later checks point at.
pub(crate) struct ExtractFile {
    pub(crate) config: ExtractConfig,
    pub(crate) name_at: Position,
    pub(crate) transform_at: Position,
    /// Where each object type is named.
    pub(crate) objects_at: Vec<(ObjectType, Position)>,
}

/// Reads the tree of an extract file. What only a run complains about (IIQ-46, IIQ-48, IIQ-49) is a warning.
pub(crate) fn extract(root: &Value<'_>, profile: Option<&Profile>) -> Option<ExtractFile> {
    let mut fields = root.fields("the extract configuration")?;
    let name = fields.get("name").and_then(|value| value.placed());
    let transform = fields.get("transformConfigurationName").and_then(|value| value.placed());
    if transform.is_none() {
        let help = "write transformConfigurationName: with the name of a file in transform/";
        root.file.warning(fields.at, transform_name_missing(), help);
    }
    let objects = fields.either("extractedObjects", "exportedObjects");
    let mut file = ExtractFile {
        name_at: name.as_ref().map_or(fields.at, |name| name.at),
        transform_at: transform.as_ref().map_or(fields.at, |name| name.at),
        objects_at: Vec::new(),
        config: ExtractConfig {
            name: name.map_or_else(|| root.file.stem().to_owned(), |name| name.text),
            transform: transform.map(|name| name.text),
            ..ExtractConfig::default()
        },
    };
    if let Some(value) = &objects {
        file.objects(value, profile);
    }
    let empty = file.config.objects.is_empty() && file.config.unknown_objects.is_empty();
    if empty && objects.as_ref().is_none_or(|value| is_empty(value)) {
        let at = objects.as_ref().map_or(fields.at, Value::at);
        let help = "write extractedObjects: with `identity: {}` and others below it";
        root.file.warning(at, exported_objects_missing(), help);
    }
    fields.finish();
    Some(file)
}

fn is_empty(value: &Value<'_>) -> bool {
    match &value.node.kind {
        Kind::List(nodes) => nodes.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
        Kind::Scalar(_) => false,
    }
}

impl ExtractFile {
    /// A mapping from object types to what is read of them, or a list of object types.
    fn objects(&mut self, value: &Value<'_>, profile: Option<&Profile>) {
        match &value.node.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    let name = Placed { text: entry.key.clone(), at: entry.at };
                    self.object(value, name, Some(entry), profile);
                }
            }
            Kind::List(_) => {
                for element in value.list().unwrap_or_default() {
                    if let Some(name) = element.placed() {
                        self.object(value, name, None, profile);
                    }
                }
            }
            Kind::Scalar(_) => value.error(
                format!("{} must be a mapping or a list, not {}", value.label, value.node.shown()),
                "write `identity: {}` below it, or a list: [identity, account]",
            ),
        }
    }

    fn object(&mut self, value: &Value<'_>, name: Placed, entry: Option<&Entry>, profile: Option<&Profile>) {
        let found = match profile {
            Some(profile) => profile.object_type(&name.text),
            None => crate::profile::bare_object_type(&name.text),
        };
        let known = found.zip(profile).and_then(|(found, profile)| KnownType::of(found, profile));
        let content = entry
            .filter(|entry| !entry.value.is_null())
            .and_then(|entry| extracted_object(&Value::of(value.file, entry), known.as_ref()));
        let Some(object_type) = found else {
            // Without a profile nobody can tell, and the lack of the profile has been noted.
            if let Some(profile) = profile {
                let help = class_help(&name.text, profile);
                value.file.warning(name.at, exported_object_unknown(&name.text), help);
            }
            self.config.unknown_objects.push(name.text);
            return;
        };
        if self.config.objects.contains_key(&object_type) {
            let message = format!("the object type `{object_type}` is named twice");
            value.file.error(name.at, message, "remove one of the two");
            return;
        }
        self.objects_at.push((object_type, name.at));
        self.config.objects.insert(object_type, content.unwrap_or_default());
    }
}

/// An object type of the profile, and the names that the profile keeps secret.
struct KnownType<'p> {
    members: &'p TypeProfile,
    secrets: &'p [String],
}

impl<'p> KnownType<'p> {
    fn of(object_type: ObjectType, profile: &'p Profile) -> Option<Self> {
        let members = profile.object_types.get(&object_type)?;
        Some(Self { members, secrets: &profile.secrets })
    }

    fn is_secret(&self, name: &str) -> bool {
        self.members.properties.get(name).is_some_and(|property| property.secret)
            || self.secrets.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    }
}

fn extracted_object(value: &Value<'_>, known: Option<&KnownType<'_>>) -> Option<ExtractedObject> {
    let mut fields = value.fields(format!("the extracted object {}", value.label))?;
    let filter = fields.get("filter").and_then(|value| property_filter(&value, known));
    let limit = fields.get("limit").and_then(|value| value.whole(1..=1_000_000_000_000));
    let include = members(&mut fields, "include", known);
    let exclude = members(&mut fields, "exclude", known);
    if let Some(name) = exclude.iter().find(|name| include.iter().any(|kept| kept.text == name.text)) {
        let message = format!("`{}` stands in `include` and in `exclude`", shortened(&name.text));
        value.file.error(name.at, message, "remove it from one of them");
    }
    fields.finish();
    let texts = |names: Vec<Placed>| names.into_iter().map(|name| name.text).collect();
    Some(ExtractedObject { filter, limit, include: texts(include), exclude: texts(exclude) })
}

fn members(fields: &mut Fields<'_>, key: &'static str, known: Option<&KnownType<'_>>) -> Vec<Placed> {
    let names = fields.get(key).and_then(|value| value.names()).unwrap_or_default();
    if let Some(KnownType { members: known, .. }) = known {
        for name in names.iter().filter(|name| !known.has_member(&name.text)) {
            let message = format!("`{key}` names the unknown property `{}`", shortened(&name.text));
            let help = known_words(&name.text, &known.member_names(), "the object type has no properties");
            fields.file.error(name.at, message, help);
        }
    }
    names
}

/// A filter over the properties of an object type that lie in one column each.
fn property_filter(value: &Value<'_>, known: Option<&KnownType<'_>>) -> Option<Expr> {
    filter(value, |name| known.and_then(|known| name_problem(name, known)))
}

fn name_problem(name: &NameUse, known: &KnownType<'_>) -> Option<NameProblem> {
    let problem = |offset, message: String, help: String| Some(NameProblem { offset, message, help });
    let shown = shortened(&name.name);
    let usable: Vec<&str> = known
        .members
        .properties
        .iter()
        .filter(|(name, property)| !known.is_secret(name) && filter_format(&property.value).is_some())
        .map(|(name, _)| name.as_str())
        .collect();
    let Some(property) = known.members.properties.get(&name.name) else {
        let message = format!("a filter cannot use `{shown}`, which is no property");
        let message = if known.members.collections.contains_key(&name.name) {
            format!("a filter cannot use `{shown}`, which is a collection")
        } else {
            message
        };
        return problem(name.offset, message, known_words(&name.name, &usable, "this object type has none"));
    };
    if known.is_secret(&name.name) {
        let message = format!("a filter cannot use `{shown}`, which is a secret");
        return problem(name.offset, message, "filter by another property".to_owned());
    }
    let Some(format) = filter_format(&property.value) else {
        let message = format!("a filter cannot use `{shown}`, whose value does not lie in one column");
        return problem(name.offset, message, format!("use one of {}", crate::suggest::listed(&usable)));
    };
    value_problem(name, format)
}

/// The format of a property that a filter can use.
fn filter_format(value: &PropertyValue) -> Option<Format> {
    match value {
        PropertyValue::Column { format, .. } if !matches!(format, Format::Xml | Format::Json) => {
            Some(*format)
        }
        _ => None,
    }
}

/// Values that a property of this format is never equal to.
fn value_problem(name: &NameUse, format: Format) -> Option<NameProblem> {
    let shown = shortened(&name.name);
    for (value, offset) in &name.values {
        let found = match (format, value) {
            (Format::Boolean | Format::Flag, Literal::Text(_) | Literal::Int(_)) => Some((
                format!("`{shown}` is true or false, never {value}"),
                "write `true` or `false` without quotes".to_owned(),
            )),
            (Format::Time(_), Literal::Text(text)) if text.parse::<Timestamp>().is_err() => Some((
                format!("`{shown}` is a time, and {value} is none"),
                "write it as \"2026-01-31T00:00:00Z\", or as epoch milliseconds without quotes".to_owned(),
            )),
            (Format::Time(_), Literal::Bool(_)) => Some((
                format!("`{shown}` is a time, never `{value}`"),
                "compare it with a time such as \"2026-01-31T00:00:00Z\", or with `null`".to_owned(),
            )),
            _ => None,
        };
        if let Some((message, help)) = found {
            return Some(NameProblem { offset: *offset, message, help });
        }
    }
    None
}
