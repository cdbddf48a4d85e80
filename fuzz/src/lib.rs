//! What each fuzz target does with an input. The tests take the seeds through the same functions.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use annals_api::odata;
use annals_config::filter::{self, Expr};
use annals_history::{DOCUMENT_BYTES_MAX, apply_patch};
use annals_model::{Collection, Image, ImageSchema, canonical_bytes, diff};
use annals_source::attribute_xml::{JSON_LEVELS_MAX, Limits, XmlError, parse, parse_json};
use serde_json::{Deserializer, Map, Value};

/// What a column's text becomes, as XML and as JSON: no panic, no value that history could not read back, and nothing
/// past a cap.
pub fn attribute_xml(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for decode in [parse, parse_json] {
        let usual = Limits { bytes_max: 1 << 20, nesting_max: 100 };
        if let Ok(value) = decode(text, &usual) {
            assert!(depth(&value) <= JSON_LEVELS_MAX);
            let bytes = canonical_bytes(&value);
            let read: Value = serde_json::from_slice(&bytes).expect("it can be read back");
            assert_eq!(canonical_bytes(&read), bytes);
        }
        let tight = Limits { bytes_max: text.len().saturating_sub(1), nesting_max: 100 };
        if !text.is_empty() {
            assert!(matches!(decode(text, &tight), Err(XmlError::TooLarge { .. })));
        }
    }
}

/// Two JSON values, the fields of an image before and after, and behind them the bytes of a patch: the difference
/// applied to the one gives the other to the byte, whatever the elements are told apart by; the patch does not panic,
/// and what it leaves can be written and read.
pub fn document_patch(input: &[u8]) {
    let mut values = Deserializer::from_slice(input).into_iter::<Value>();
    let (Some(Ok(Value::Object(old))), Some(Ok(Value::Object(new)))) = (values.next(), values.next()) else {
        return;
    };
    let rest = &input[values.byte_offset()..];
    let (old, new) = (image(old), image(new));
    let wanted = serde_json::to_value(&new).expect("an image is JSON");
    for schema in [ImageSchema::default(), keyed()] {
        let difference = diff(&old, &new, &schema);
        let mut document = serde_json::to_value(&old).expect("an image is JSON");
        json_patch::patch(&mut document, &difference.operations).expect("it fits");
        assert_eq!(canonical_bytes(&document), canonical_bytes(&wanted));
        assert!(old != new || difference.operations.is_empty() && difference.changes.is_empty());
        let stored = serde_json::to_vec(&difference.operations).expect("operations are JSON");
        let mut document = serde_json::to_value(&old).expect("an image is JSON");
        apply_patch(&mut document, &stored).expect("what a difference consists of is applied");
        assert_eq!(document, wanted);
    }
    let mut document = wanted;
    if apply_patch(&mut document, rest).is_ok() {
        assert!(canonical_bytes(&document).len() <= 8 * input.len() + 1024);
    }
}

/// Stored bytes are inflated up to a limit, and never past it.
pub fn inflate(input: &[u8]) {
    let limit = 1 << 16;
    match annals_history::inflate(input, limit) {
        Ok(json) => {
            assert!(!json.is_empty() && json.len() <= limit);
            assert_eq!(annals_history::inflate(input, DOCUMENT_BYTES_MAX).ok(), Some(json.clone()));
            assert!(annals_history::inflate(input, json.len() - 1).is_err());
        }
        Err(fault) => drop(fault.to_string()),
    }
}

/// A filter that is read is written so that it is read as the same filter.
pub fn filter(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match filter::parse_with_names(text) {
        Ok(parsed) => {
            let written = parsed.expr.to_string();
            // Escapes and brackets may take what is written over a limit that the text was within.
            if let Ok(read) = filter::parse(&written) {
                assert_eq!(read, parsed.expr, "{written}");
            }
            assert!(parsed.names.iter().all(|name| name.offset <= text.chars().count()));
            assert_eq!(parsed.expr.names().len(), parsed.names.len());
            drop::<Expr>(parsed.expr);
        }
        Err(error) => assert!(error.offset <= text.chars().count() && !error.help.is_empty()),
    }
}

/// A filter of the REST interface that is read is written so that it is read as the same filter, and what is wrong with
/// one has a place in it.
pub fn odata(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match odata::filter(text) {
        Ok(expr) => {
            let written = expr.to_string();
            // Brackets and spaces may take what is written over a limit that the text was within.
            if let Ok(read) = odata::filter(&written) {
                assert_eq!(read.to_string(), written);
            }
        }
        Err(error) => assert!(error.position <= text.chars().count() && !error.message.is_empty()),
    }
}

/// A YAML file of any of the five kinds, which the first byte chooses, among others that are right: read without a
/// panic, and what is wrong with it has a place in it.
pub fn configuration(input: &[u8]) {
    thread_local! { static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() } }
    let Some((kind, text)) = input.split_first() else { return };
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir().expect("a folder")).path();
        let chosen = usize::from(*kind) % FILES.len();
        for (number, (file, right)) in FILES.into_iter().enumerate() {
            let text = if number == chosen { text } else { right.as_bytes() };
            write(&folder.join(file), text);
        }
        for problem in annals_config::check(folder, &|_| None).iter() {
            assert!(problem.line >= 1 && problem.column >= 1 && !problem.help.is_empty(), "{problem:?}");
        }
    });
}

const FILES: [(&str, &str); 5] = [
    (
        "annals.yaml",
        "source: {profile: p, url: \"sqlite:source.db\"}\nhistory: {url: \"sqlite:history.db\"}\n\
         secretHashKey: a-key-for-fuzzing-alone\n",
    ),
    (
        "sources/p.yaml",
        "name: p\nobjectTypes:\n  role:\n    class: a.Role\n    table: roles\n    id: id\n    name: name\n    changed: [m]\n    \
         properties: {name: name, kind: kind}\n",
    ),
    ("transform/t.yaml", "name: t\nimageConfigDescriptors: []\n"),
    ("extract/e.yaml", "name: e\ntransformConfigurationName: t\nextractedObjects: {role: {}}\n"),
    ("tasks/k.yaml", "name: k\narguments: {extractConfiguration: e}\n"),
];

fn write(path: &Path, text: &[u8]) {
    if fs::read(path).is_ok_and(|there| there == text) {
        return;
    }
    let folder = path.parent().expect("it lies in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    fs::write(path, text).expect("a file can be written");
}

fn image(image_fields: Map<String, Value>) -> Image {
    Image { image_fields, image_type: "identity".to_owned() }
}

fn keyed() -> ImageSchema {
    let collection = |key: &[&str], ordered| Collection {
        key: key.iter().map(|member| (*member).to_owned()).collect(),
        ordered,
    };
    ImageSchema {
        collections: [
            ("k".to_owned(), collection(&["id"], false)),
            ("m".to_owned(), collection(&["id", "name"], false)),
            ("o".to_owned(), collection(&[], true)),
            ("attributes.k".to_owned(), collection(&["id"], false)),
        ]
        .into(),
        insignificant: ["i".to_owned()].into(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
