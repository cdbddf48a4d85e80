//! How images of one object type are made, worked out once a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use annals_config::extract::ExtractedObject;
use annals_config::profile::{Format, PropertyValue, TypeProfile};
use annals_config::transform::{ImageConfig, ImageProperty, PropertySource, Transformer, ValueKind};
use annals_model::{Collection, Image, ImageHashes, ImageSchema, ObjectType, hash_bytes};
use annals_source::secret::SecretPolicy;
use serde_json::{Map, Value};

use crate::ImageError;
use crate::set::{drop_nulls, normalise_attribute, sort_set};
use crate::transformer::{Surroundings, apply, cast};

/// Room for most images, so that their bytes are not moved as they grow.
const USUAL_BYTES: usize = 512;

/// How images of one object type are made.
#[derive(Debug, Clone)]
pub struct ImagePlan {
    object_type: ObjectType,
    fields: Vec<Field>,
    properties: BTreeSet<String>,
    attribute_map: Option<String>,
    schema: Arc<ImageSchema>,
    include_hash: bool,
}

/// An image with what is computed of it once.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeImage {
    /// The image.
    pub image: Image,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// Hashes of those bytes.
    pub hashes: ImageHashes,
}

#[derive(Debug, Clone)]
struct Field {
    from: PropertySource,
    name: String,
    kind: ValueKind,
    significant: bool,
    shape: Shape,
    transformers: Vec<Transformer>,
    /// Nothing else reads its property, so the value need not be copied.
    takes: bool,
    /// Neither need the name, which is the property's, and no transformer looks at other properties.
    moves: bool,
}

/// What is done to the lists of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// Nothing: no list, or its order means something.
    AsItIs,
    /// A set of child rows with this natural key; the source has it sorted, transformers may disturb that.
    Set(Vec<String>),
    /// Attribute values.
    Attributes,
}

impl ImagePlan {
    /// Works out the plan from the profile, the transform and what the extract configuration includes and excludes.
    #[must_use]
    pub fn new(
        object_type: ObjectType,
        profile: &TypeProfile,
        config: &ImageConfig,
        extracted: &ExtractedObject,
    ) -> Self {
        let wanted = |name: &str| {
            (extracted.include.is_empty() || extracted.include.iter().any(|included| included == name))
                && !extracted.exclude.iter().any(|excluded| excluded == name)
        };
        let named: BTreeSet<&str> = config
            .properties
            .iter()
            .filter_map(|property| match &property.from {
                PropertySource::Property(name) if name != "*" => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let mut fields: Vec<Field> = Vec::new();
        for property in &config.properties {
            match &property.from {
                PropertySource::Property(name) if name == "*" => fields.extend(
                    profile
                        .properties
                        .keys()
                        .chain(profile.collections.keys())
                        .filter(|name| !named.contains(name.as_str()) && wanted(name))
                        .map(|name| Field::all_others(name, property, profile)),
                ),
                PropertySource::Property(name) | PropertySource::Attribute(name) if !wanted(name) => {}
                _ => fields.push(Field::new(property, profile)),
            }
        }
        mark_takers(&mut fields, profile);
        let schema = schema_of(&fields, profile);
        let properties = needed(&fields, profile);
        Self {
            object_type,
            fields,
            properties,
            attribute_map: profile.attribute_map.clone(),
            schema: Arc::new(schema),
            include_hash: config.include_hash,
        }
    }

    /// The properties and collections of the profile that have to be loaded.
    #[must_use]
    pub fn properties(&self) -> &BTreeSet<String> {
        &self.properties
    }

    /// How the collections of these images tell their elements apart.
    #[must_use]
    pub fn schema(&self) -> &Arc<ImageSchema> {
        &self.schema
    }

    /// Whether captures keep the hashes of their images.
    #[must_use]
    pub const fn include_hash(&self) -> bool {
        self.include_hash
    }

    /// Makes the image of one object out of its properties. Fields without a value are left out.
    ///
    /// # Errors
    /// A value that cannot be cast, or an image past a cap.
    pub fn make(
        &self,
        object_id: &str,
        mut properties: Map<String, Value>,
        secrets: &SecretPolicy,
        document_bytes_max: usize,
        nesting_max: usize,
    ) -> Result<MadeImage, ImageError> {
        let mut values = Vec::with_capacity(self.fields.len());
        for field in self.fields.iter().filter(|field| !field.moves) {
            let value = self.value_of(field, &mut properties);
            let around = Surroundings { field: &field.name, properties: &properties, secrets, object_id };
            let value = field.value(value, &around)?;
            if !value.is_null() {
                values.push((field.name.clone(), value));
            }
        }
        // What is left is there under its own name for nobody else, and stays where it is. Both come sorted.
        let nothing = Map::new();
        let mut moving = self.fields.iter().filter(|field| field.moves).peekable();
        let mut failed = None;
        properties.retain(|name, value| {
            while moving.next_if(|field| field.name < *name).is_some() {}
            let Some(field) = moving.next_if(|field| field.name == *name) else { return false };
            let around = Surroundings { field: name, properties: &nothing, secrets, object_id };
            match field.value(value.take(), &around) {
                Ok(made) => *value = made,
                Err(error) => failed = failed.take().or(Some(error)),
            }
            !value.is_null()
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let mut image_fields = properties;
        image_fields.extend(values);
        let mut image = Image { image_fields, image_type: self.object_type.as_str().to_owned() };
        if image.image_fields.values().any(|value| deeper_than(value, nesting_max)) {
            return Err(ImageError::TooDeep { nesting_max });
        }
        let bytes = canonical(&image);
        if bytes.len() > document_bytes_max {
            return Err(ImageError::TooLarge { bytes: bytes.len(), bytes_max: document_bytes_max });
        }
        let full = hash_bytes(&bytes);
        let smart = self.smart_hash(&mut image).unwrap_or_else(|| full.clone());
        Ok(MadeImage { image, bytes, hashes: ImageHashes { full, smart } })
    }

    fn value_of(&self, field: &Field, properties: &mut Map<String, Value>) -> Value {
        let value = match &field.from {
            PropertySource::Property(name) if field.takes => {
                return properties.get_mut(name).map(Value::take).unwrap_or_default();
            }
            PropertySource::Property(name) => properties.get(name),
            PropertySource::Attribute(name) => {
                self.attribute_map.as_ref().and_then(|map| properties.get(map)).and_then(|map| map.get(name))
            }
            PropertySource::None => None,
        };
        value.cloned().unwrap_or_default()
    }

    /// The hash without insignificant fields; `None` if the image has none of them.
    fn smart_hash(&self, image: &mut Image) -> Option<String> {
        let fields = &mut image.image_fields;
        let insignificant: Vec<(String, Value)> =
            self.schema.insignificant.iter().filter_map(|name| fields.remove_entry(name)).collect();
        if insignificant.is_empty() {
            return None;
        }
        let smart = hash_bytes(&canonical(image));
        image.image_fields.extend(insignificant);
        Some(smart)
    }
}

impl Field {
    fn new(property: &ImageProperty, profile: &TypeProfile) -> Self {
        Self {
            from: property.from.clone(),
            name: property.name.clone(),
            kind: property.kind,
            significant: property.significant,
            shape: shape(&property.from, property, profile),
            transformers: property.transformers.clone(),
            takes: false,
            moves: false,
        }
    }

    fn all_others(name: &str, star: &ImageProperty, profile: &TypeProfile) -> Self {
        let from = PropertySource::Property(name.to_owned());
        Self {
            name: name.to_owned(),
            kind: star.kind,
            significant: star.significant,
            shape: shape(&from, star, profile),
            transformers: star.transformers.clone(),
            takes: false,
            moves: false,
            from,
        }
    }

    /// The properties that it is made of, once for each time.
    fn reads(&self, profile: &TypeProfile) -> Vec<String> {
        let mut read = match &self.from {
            PropertySource::Property(name) => vec![name.clone()],
            PropertySource::Attribute(_) => profile.attribute_map.iter().cloned().collect(),
            PropertySource::None => Vec::new(),
        };
        for transformer in &self.transformers {
            if let Transformer::CompositeKey { properties, .. } = transformer {
                read.extend(properties.iter().cloned());
            }
        }
        read
    }

    fn value(&self, value: Value, around: &Surroundings<'_>) -> Result<Value, ImageError> {
        let mut value = cast(self.kind, value, around.field)?;
        for transformer in &self.transformers {
            value = apply(transformer, value, around)?;
        }
        drop_nulls(&mut value);
        match (&self.shape, &mut value) {
            (Shape::Attributes, value) => normalise_attribute(value),
            (Shape::Set(key), Value::Array(elements)) if !self.transformers.is_empty() => {
                sort_set(elements, key)
            }
            _ => {}
        }
        Ok(value)
    }
}

fn shape(from: &PropertySource, property: &ImageProperty, profile: &TypeProfile) -> Shape {
    if property.ordered {
        return Shape::AsItIs;
    }
    match from {
        PropertySource::Attribute(_) => Shape::Attributes,
        PropertySource::Property(name) => {
            if let Some(collection) = profile.collections.get(name) {
                return match &collection.order {
                    Some(_) => Shape::AsItIs,
                    None => Shape::Set(renamed(&collection.key, &property.transformers)),
                };
            }
            match profile.properties.get(name).map(|property| &property.value) {
                Some(PropertyValue::Column {
                    format: Format::Xml | Format::Json | Format::CommaList,
                    ..
                }) => Shape::Attributes,
                _ => Shape::AsItIs,
            }
        }
        PropertySource::None => Shape::AsItIs,
    }
}

/// The members of a natural key after the transformers; none if a transformer takes one of them away.
fn renamed(key: &[String], transformers: &[Transformer]) -> Vec<String> {
    transformers.iter().fold(key.to_vec(), |key, transformer| match transformer {
        Transformer::Rename(names) => {
            key.into_iter().map(|member| names.get(&member).cloned().unwrap_or(member)).collect()
        }
        Transformer::Subset(members) | Transformer::Reference(members)
            if !key.iter().all(|member| members.contains(member)) =>
        {
            Vec::new()
        }
        _ => key,
    })
}

fn schema_of(fields: &[Field], profile: &TypeProfile) -> ImageSchema {
    let collections: BTreeMap<String, Collection> = fields
        .iter()
        .filter_map(|field| match (&field.from, &field.shape) {
            (_, Shape::Set(key)) => {
                Some((field.name.clone(), Collection { key: key.clone(), ordered: false }))
            }
            (PropertySource::Property(name), Shape::AsItIs) if profile.collections.contains_key(name) => {
                Some((field.name.clone(), Collection { key: Vec::new(), ordered: true }))
            }
            _ => None,
        })
        .collect();
    let insignificant =
        fields.iter().filter(|field| !field.significant).map(|field| field.name.clone()).collect();
    ImageSchema { collections, insignificant }
}

/// Marks the fields whose property no other field reads.
fn mark_takers(fields: &mut [Field], profile: &TypeProfile) {
    let mut readers: BTreeMap<String, u32> = BTreeMap::new();
    for name in fields.iter().flat_map(|field| field.reads(profile)) {
        *readers.entry(name).or_default() += 1;
    }
    for field in &mut *fields {
        field.takes = matches!(&field.from, PropertySource::Property(name) if readers.get(name) == Some(&1));
        field.moves = field.takes
            && field.transformers.is_empty()
            && matches!(&field.from, PropertySource::Property(name) if *name == field.name);
    }
    fields.sort_by(|one, other| one.name.cmp(&other.name));
}

fn needed(fields: &[Field], profile: &TypeProfile) -> BTreeSet<String> {
    fields.iter().flat_map(|field| field.reads(profile)).collect()
}

fn canonical(image: &Image) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    // An image is a map of JSON values with text keys: writing it into memory cannot fail.
    if serde_json::to_writer(&mut bytes, image).is_err() {
        bytes.clear();
    }
    bytes
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(elements) => {
            levels == 0 || elements.iter().any(|element| deeper_than(element, levels - 1))
        }
        Value::Object(members) => {
            levels == 0 || members.values().any(|member| deeper_than(member, levels - 1))
        }
        _ => false,
    }
}
