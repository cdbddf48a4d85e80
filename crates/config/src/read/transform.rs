//! Reads `transform/*.yaml`, against the profile where it is known.

use std::collections::BTreeMap;

use annals_model::ObjectType;

use crate::node::{Position, shortened};
use crate::profile::{Profile, TypeProfile};
use crate::read::object_type::type_help;
use crate::read::transformer::{KINDS, makes_value, transformer};
use crate::suggest::known_words;
use crate::transform::{ImageConfig, ImageProperty, PropertySource, TransformConfig, ValueKind};
use crate::value::{Placed, Value};

/// Reads the tree of a transform file; gives the place of its name as well.
pub(crate) fn transform(root: &Value<'_>, profile: Option<&Profile>) -> Option<(TransformConfig, Position)> {
    let mut fields = root.fields("the transform configuration")?;
    let name = fields.get("name").and_then(|value| value.placed());
    let name_at = name.as_ref().map_or(fields.at, |name| name.at);
    let help = "write imageConfigDescriptors: with `- objectClassName: ...` below it";
    let images =
        fields.need("imageConfigDescriptors", help).and_then(|value| value.list()).unwrap_or_default();
    fields.finish();
    let mut config = TransformConfig {
        name: name.map_or_else(|| root.file.stem().to_owned(), |name| name.text),
        images: BTreeMap::new(),
    };
    for value in &images {
        image(value, profile, &mut config.images);
    }
    Some((config, name_at))
}

fn image(value: &Value<'_>, profile: Option<&Profile>, images: &mut BTreeMap<ObjectType, ImageConfig>) {
    let Some(mut fields) = value.fields("the image descriptor") else { return };
    let help = "write objectClassName: with an object type or class, for example sailpoint.object.Identity";
    let class = fields.need("objectClassName", help);
    let class_name = class.as_ref().and_then(Value::name);
    let object_type =
        class.zip(class_name.as_deref()).and_then(|(class, name)| class_type(&class, name, profile));
    let include_hash = fields.flag("includeHash", true);
    let descriptors = fields.need("imagePropertyConfigDescriptors", "write `- {property: \"*\"}` below it");
    let descriptors = descriptors.and_then(|value| value.list()).unwrap_or_default();
    fields.finish();
    let type_profile =
        object_type.and_then(|known| profile.and_then(|profile| profile.object_types.get(&known)));
    let mut image = Image { type_profile, fields: Vec::new(), sources: Vec::new() };
    for value in &descriptors {
        image.add(value);
    }
    image.note_star_clashes(value);
    let (Some(object_type), Some(class_name)) = (object_type, class_name) else { return };
    if images.contains_key(&object_type) {
        let message = format!("a second descriptor of the object type `{object_type}`");
        value.error(message, "put the properties of both into one descriptor");
        return;
    }
    let properties = image.fields.into_iter().map(|(property, _)| property).collect();
    images.insert(object_type, ImageConfig { class_name, include_hash, properties });
}

/// The object type of a class name. An unknown one is a warning: a run leaves that descriptor out and
/// processes the others.
fn class_type(value: &Value<'_>, name: &str, profile: Option<&Profile>) -> Option<ObjectType> {
    let Some(profile) = profile else { return crate::profile::bare_object_type(name) };
    let found = profile.object_type(name);
    if found.is_none() {
        let message = format!(
            "the profile `{}` has no object type `{}`: this is left out",
            profile.name,
            shortened(name)
        );
        value.file.warning(value.at(), message, class_help(name, profile));
    }
    found
}

/// Help for a name that is neither an object type nor a class of a profile.
pub(crate) fn class_help(name: &str, profile: &Profile) -> String {
    if name.contains('.') {
        let classes: Vec<&str> =
            profile.object_types.values().map(|known| known.class_name.as_str()).collect();
        return known_words(name, &classes, "");
    }
    let types: Vec<&str> = profile.object_types.keys().map(|known| known.as_str()).collect();
    if types.is_empty() { type_help(name) } else { known_words(name, &types, "") }
}

/// The fields of an image while they are read.
struct Image<'p> {
    type_profile: Option<&'p TypeProfile>,
    fields: Vec<(ImageProperty, Position)>,
    /// Properties that a descriptor names, which `*` therefore leaves out.
    sources: Vec<String>,
}

impl Image<'_> {
    fn add(&mut self, value: &Value<'_>) {
        let Some(mut fields) = value.fields("the image property") else { return };
        let property = fields.get("property");
        let attribute = fields.get("attribute");
        let name = fields.get("name").and_then(|value| value.placed());
        let kind = fields.get("type").and_then(|value| value.word(&KINDS)).unwrap_or(ValueKind::Auto);
        let significant = fields.flag("significant", true);
        let ordered = fields.flag("ordered", false);
        let given = fields.get("propertyTransformerConfigDescriptors");
        let transformers = given.and_then(|value| value.list()).unwrap_or_default();
        fields.finish();
        let from = self.source(value, property.as_ref(), attribute.as_ref());
        let transformers: Vec<_> = transformers
            .iter()
            .filter_map(|value| transformer(value).map(|read| (read, value.clone())))
            .collect();
        for (index, (read, value)) in transformers.iter().enumerate() {
            read.uses.iter().for_each(|name| self.check_property(value, name));
            if makes_value(&read.transformer) && index > 0 {
                let message = "a transformer that makes a value of its own must stand first";
                value.error(message, "move it to the front, or remove the transformers before it");
            }
        }
        let transformers: Vec<_> = transformers.into_iter().map(|(read, _)| read.transformer).collect();
        let Some(from) = from else { return };
        if from == PropertySource::None && !transformers.first().is_some_and(makes_value) {
            let message = "the image property has neither `property` nor `attribute`";
            value.error(
                message,
                "write `property: NAME`, or give it a transformer `constant` or `compositeKey`",
            );
            return;
        }
        let Some(name) = self.field_name(value, &from, name) else { return };
        let at = name.at;
        self.fields
            .push((ImageProperty { from, name: name.text, kind, significant, ordered, transformers }, at));
    }

    /// `None`: what is wrong has been noted.
    fn source(
        &mut self,
        value: &Value<'_>,
        property: Option<&Value<'_>>,
        attribute: Option<&Value<'_>>,
    ) -> Option<PropertySource> {
        match (property, attribute) {
            (None, None) => Some(PropertySource::None),
            (Some(_), Some(_)) => {
                let message = "the image property has both `property` and `attribute`";
                value.error(message, "keep one of them");
                None
            }
            (Some(property), None) => {
                let name = property.placed()?;
                if name.text != "*" {
                    self.check_property(property, &name);
                }
                self.sources.push(name.text.clone());
                Some(PropertySource::Property(name.text))
            }
            (None, Some(attribute)) => {
                let name = attribute.name()?;
                if self.type_profile.is_some_and(|known| known.attribute_map.is_none()) {
                    let message = format!("`attribute: {}` needs an attribute map", shortened(&name));
                    let help = "add attributeMap: to the object type in the profile, or write `property:`";
                    attribute.error(message, help);
                }
                Some(PropertySource::Attribute(name))
            }
        }
    }

    fn check_property(&self, value: &Value<'_>, name: &Placed) {
        let Some(known) = self.type_profile else { return };
        if !known.has_member(&name.text) {
            let message = format!("unknown property `{}`", shortened(&name.text));
            let help = known_words(&name.text, &known.member_names(), "the object type has no properties");
            value.file.error(name.at, message, help);
        }
    }

    /// The name in the image: unique, and for `*` none at all.
    fn field_name(&self, value: &Value<'_>, from: &PropertySource, name: Option<Placed>) -> Option<Placed> {
        let star = *from == PropertySource::Property("*".to_owned());
        if let (true, Some(name)) = (star, &name) {
            let message = "`name` has no meaning with `property: \"*\"`";
            value.file.error(name.at, message, "remove it: each property keeps its own name");
        }
        let placed = match (name, from) {
            (Some(name), _) if !star => name,
            (_, PropertySource::Property(own) | PropertySource::Attribute(own)) => {
                Placed { text: own.clone(), at: value.at() }
            }
            (_, PropertySource::None) => {
                let message = "the image property has no `name`";
                value.error(message, "write name: with its name in the image");
                return None;
            }
        };
        if self.fields.iter().any(|(known, _)| known.name == placed.text) {
            let message = format!("the image has a second property `{}`", shortened(&placed.text));
            value.file.error(placed.at, message, "remove one of them, or give it another `name`");
            return None;
        }
        Some(placed)
    }

    /// A renamed field must not take the name of a property that `*` brings along.
    fn note_star_clashes(&self, value: &Value<'_>) {
        let Some(known) = self.type_profile else { return };
        if !self.sources.iter().any(|source| source == "*") {
            return;
        }
        for (field, at) in self.fields.iter().filter(|(field, _)| field.name != "*") {
            let brought = known.has_member(&field.name) && !self.sources.contains(&field.name);
            if brought {
                let message =
                    format!("`property: \"*\"` brings a property `{}` along as well", shortened(&field.name));
                value.file.error(*at, message, "give this one another `name`");
            }
        }
    }
}
