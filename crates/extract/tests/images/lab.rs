//! A profile, a transform configuration, and the images that they make.

use std::fs;

use annals_config::Config;
use annals_config::extract::ExtractedObject;
use annals_extract::{ImageError, ImagePlan, MadeImage};
use annals_model::ObjectType;
use annals_source::secret::SecretPolicy;
use serde_json::{Map, Value};

const SERVICE: &str = "source: {profile: lab, url: \"sqlite:unused.db\"}
history: {url: \"sqlite:unused.db\"}
secretHashKey: a-key-for-tests-alone
";

const PROFILE: &str = "name: lab
objectTypes:
  identity:
    className: lab.Person
    table: person
    name: name
    changed: [modified]
    joins: {boss: {table: person, on: {id: boss_id}}}
    attributeMap: attributes
    properties:
      name: name
      age: age
      seen: {column: seen, format: time}
      tags: {column: tags, format: commaList}
      manager: {object: {id: boss_id, name: boss.name}}
      attributes: {column: attributes, format: xml}
    collections:
      groups:
        table: person_group
        parent: person_id
        key: [id]
        element: {id: group_id, name: group_name, level: level}
      steps:
        table: step
        parent: person_id
        order: position
        element: {id: id, name: name}
    deletions: none
";

/// The largest image and the deepest nesting, where a test does not mean to reach them.
const BYTES_MAX: usize = 10_000;
const NESTING_MAX: usize = 20;

/// The plan for an image with these fields, written as a transform file has them.
pub(crate) fn plan(fields: &str) -> ImagePlan {
    plan_of(fields, &ExtractedObject::default())
}

/// [`plan`] with what the extract configuration includes and excludes.
pub(crate) fn plan_of(fields: &str, extracted: &ExtractedObject) -> ImagePlan {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["sources", "transform"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let fields: String = fields.trim().lines().map(|line| format!("      {}\n", line.trim_end())).collect();
    let transform = format!(
        "imageConfigDescriptors:\n  - objectClassName: identity\n    imagePropertyConfigDescriptors:\n{fields}"
    );
    fs::write(dir.path().join("annals.yaml"), SERVICE).unwrap();
    fs::write(dir.path().join("sources/lab.yaml"), PROFILE).unwrap();
    fs::write(dir.path().join("transform/lab.yaml"), transform).unwrap();
    let config = Config::load(dir.path(), &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
    let profile = &config.profile().object_types[&ObjectType::Identity];
    ImagePlan::new(
        ObjectType::Identity,
        profile,
        &config.transforms["lab"].images[&ObjectType::Identity],
        extracted,
    )
}

/// Makes the image of object `p1`.
pub(crate) fn make(plan: &ImagePlan, properties: Value) -> Result<MadeImage, ImageError> {
    make_within(plan, properties, BYTES_MAX, NESTING_MAX)
}

pub(crate) fn make_within(
    plan: &ImagePlan,
    properties: Value,
    bytes_max: usize,
    nesting_max: usize,
) -> Result<MadeImage, ImageError> {
    make_of(plan, "p1", properties, bytes_max, nesting_max)
}

fn make_of(
    plan: &ImagePlan,
    object_id: &str,
    properties: Value,
    bytes_max: usize,
    nesting_max: usize,
) -> Result<MadeImage, ImageError> {
    let Value::Object(properties) = properties else { panic!("properties are an object") };
    let secrets = SecretPolicy::new(["password"], b"a-key-for-tests-alone").unwrap();
    plan.make(object_id, properties, &secrets, bytes_max, nesting_max)
}

/// The fields of the image of an object.
#[track_caller]
pub(crate) fn fields(plan: &ImagePlan, properties: Value) -> Value {
    fields_of(plan, "p1", properties)
}

/// [`fields`] of an object with this id.
#[track_caller]
pub(crate) fn fields_of(plan: &ImagePlan, object_id: &str, properties: Value) -> Value {
    let made = make_of(plan, object_id, properties, BYTES_MAX, NESTING_MAX)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(made.image.image_type, "identity");
    Value::Object(made.image.image_fields)
}

/// What the field `name` becomes with these settings.
#[track_caller]
pub(crate) fn becomes(settings: &str, value: Value) -> Value {
    let plan = plan(&format!("- {{property: name, {settings}}}"));
    let properties = Map::from_iter([("name".to_owned(), value)]);
    fields(&plan, Value::Object(properties)).get("name").cloned().unwrap_or(Value::Null)
}

/// Why the field `name` cannot be made with these settings.
#[track_caller]
pub(crate) fn fails(settings: &str, value: Value) -> String {
    let plan = plan(&format!("- {{property: name, {settings}}}"));
    let properties = Map::from_iter([("name".to_owned(), value.clone())]);
    match make(&plan, Value::Object(properties)) {
        Err(error) => error.to_string(),
        Ok(made) => panic!("{settings}: {value} becomes {:?}", made.image.image_fields),
    }
}
