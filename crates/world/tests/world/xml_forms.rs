//! The XML in columns: well-formed everywhere, and in every form that the description lists.

use std::collections::{BTreeMap, BTreeSet};

use annals_testkit::Engine;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::snapshot::Snapshot;
use crate::{options, world};

/// Columns that hold XML.
const XML_COLUMNS: [&str; 13] = [
    "attributes",
    "arguments",
    "preferences",
    "attribute_meta_data",
    "object_attributes",
    "config_attributes",
    "selector",
    "elt",
    "certifiable_descriptor",
    "action_xml",
    "remediation_details",
    "provisioning_plan",
    "templates",
];

/// The values under a key: of an attribute, or of the `String` elements of a list.
pub(crate) fn values(document: &str, key: &str) -> BTreeSet<String> {
    let mut reader = Reader::from_str(document);
    let mut found = BTreeSet::new();
    let (mut within, mut text) = (false, None::<String>);
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return found,
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "entry" => {
                let attributes: BTreeMap<String, String> = tag
                    .attributes()
                    .map(|attribute| {
                        let attribute = attribute.unwrap();
                        let name = attribute.key.as_ref().to_owned();
                        (name, quick_xml::escape::unescape(&attribute.value).unwrap().into_owned())
                    })
                    .collect();
                within = attributes.get("key").is_some_and(|name| name == key);
                if let (true, Some(value)) = (within, attributes.get("value")) {
                    found.insert(value.clone());
                }
            }
            Event::Start(tag) if within && tag.name().as_ref() == "String" => text = Some(String::new()),
            Event::Text(part) => {
                if let Some(text) = &mut text {
                    text.push_str(&part);
                }
            }
            Event::GeneralRef(entity) => {
                if let Some(text) = &mut text {
                    text.push_str(&quick_xml::escape::unescape(&format!("&{};", &*entity)).unwrap());
                }
            }
            Event::End(tag) if within && tag.name().as_ref() == "String" => {
                found.extend(text.take());
            }
            Event::End(tag) if tag.name().as_ref() == "entry" => within = false,
            _ => {}
        }
    }
}

/// Reads a document to its end; its root and the names of all elements.
fn elements(document: &str) -> (String, BTreeSet<String>) {
    let mut reader = Reader::from_str(document);
    reader.config_mut().check_end_names = true;
    let (mut root, mut names, mut depth) = (String::new(), BTreeSet::new(), 0_i32);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error} in {document}")) {
            Event::Eof => break,
            Event::Start(tag) => {
                let name = tag.name().as_ref().to_owned();
                if root.is_empty() {
                    root.clone_from(&name);
                }
                names.insert(name);
                depth += 1;
            }
            Event::Empty(tag) => {
                names.insert(tag.name().as_ref().to_owned());
            }
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{document}");
    (root, names)
}

#[tokio::test]
async fn every_form_of_xml_is_there_and_well_formed() {
    let (_test_db, db, mut world) = world(Engine::Sqlite, options(8)).await;
    for _ in 0..10 {
        world.pass_day(&db).await.unwrap();
    }
    let snapshot = Snapshot::take(&db).await;
    let (mut names, mut all) = (BTreeSet::new(), String::new());
    let mut roots: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for rows in snapshot.tables.values() {
        for row in rows.values() {
            for column in XML_COLUMNS {
                let Some(document) = row.get(column) else { continue };
                let (root, found) = elements(document);
                roots.entry(column).or_default().insert(root);
                names.extend(found);
                all.push_str(document);
            }
        }
    }
    assert_eq!(roots["attributes"], ["Attributes".to_owned()].into());
    assert_eq!(roots["preferences"], ["Map".to_owned()].into());
    assert_eq!(roots["selector"], ["IdentitySelector".to_owned()].into());
    assert_eq!(roots["elt"], ["Filter".to_owned()].into());
    for element in [
        "String",
        "Boolean",
        "Integer",
        "Long",
        "Float",
        "Date",
        "DateString",
        "List",
        "Set",
        "Map",
        "null",
        "Reference",
        "WorkgroupNotifationOption",
        "ApprovalSummary",
        "RoleAssignment",
        "RoleDetection",
        "ProvisioningPlan",
        "key",
    ] {
        assert!(names.contains(element), "no {element}");
    }
    for form in [
        "<Boolean></Boolean>",
        "<Boolean/>",
        "<Boolean> </Boolean>",
        "<Boolean>True</Boolean>",
        "<![CDATA[",
        "<!DOCTYPE",
        "<String/>",
        "&#233;",
        "🎧",
        "1:ACP:",
        "<List/>",
        "<entry key=\"nickname\"/>",
        "&amp;",
    ] {
        assert!(all.contains(form), "no {form}");
    }
    let languages = |row: &BTreeMap<String, String>| row["attributes"].contains("\"languages\" value=");
    assert!(snapshot.table("spt_identity").values().any(languages));
}

/// Small rows, as a trial's database should have: an attribute column holds 300 to 1,000 bytes.
#[tokio::test]
async fn attributes_are_small() {
    let (_test_db, db, _world) = world(Engine::Sqlite, options(8)).await;
    let snapshot = Snapshot::take(&db).await;
    for table in ["spt_identity", "spt_link"] {
        let lengths: Vec<usize> =
            snapshot.table(table).values().filter_map(|row| row.get("attributes")).map(String::len).collect();
        let mean = lengths.iter().sum::<usize>() / lengths.len();
        assert!((300..1000).contains(&mean), "{table}: {mean}");
    }
}
