//! The pages on object types in `docs/object-types/`: made of the shipped profile and transform, of what the history
//! crate says of its tables, and of an object that went through the whole pipeline.

mod about;
mod example;
mod history;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use annals_model::ObjectType;

use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

/// Days that pass before the examples are taken.
const DAYS: i64 = 6;

/// Tables of events.
const EVENT_TABLES: [&str; 4] =
    ["spt_hist_identity_event", "spt_hist_mattr_event", "spt_hist_role_event", "spt_hist_workgroup_event"];

/// The variable that says that the pages are to be written; `cargo x object-types` sets it.
const WRITE: &str = "ANNALS_WRITE_OBJECT_TYPES";

/// What stands above the list of pages.
const INDEX: &str = include_str!("pages/index.txt");

/// The pages are as they would be made now, and what they say of columns and events is so.
#[tokio::test]
async fn the_pages_on_object_types_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/object-types");
    let made = pages().await;
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(&folder).unwrap();
        for stale in files(&folder) {
            fs::remove_file(stale).unwrap();
        }
        for (name, text) in &made {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let way_out = "`cargo x object-types` writes the pages anew";
    for (name, text) in &made {
        let there = fs::read_to_string(folder.join(name)).unwrap_or_default();
        let differs = there.lines().zip(text.lines()).position(|(there, made)| there != made);
        assert!(there == *text, "docs/object-types/{name}: stale from line {differs:?}; {way_out}");
    }
    assert_eq!(files(&folder).len(), made.len(), "{way_out}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default()
}

/// All pages by file name.
async fn pages() -> BTreeMap<String, String> {
    let site = Site::small().await;
    site.run(START_MS).await.succeeds();
    for day in 1..=DAYS {
        site.pass_day().await;
        site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
    }
    let now_ms = START_MS + (DAYS + 1) * DAY_MS;
    let config = site.config();
    let transform = &config.transforms["AccessHistoryImageConfig"];
    let mut pages = BTreeMap::new();
    let mut index = INDEX.to_owned();
    for object_type in ObjectType::ALL {
        let (about, of_type) = (about::of(object_type), &config.profile().object_types[&object_type]);
        let mut page = format!("# {object_type}\n\n{}\n", about.what);
        if !about.notes.is_empty() {
            page.push('\n');
        }
        for note in about.notes {
            page.push_str(&format!("- {note}\n"));
        }
        source::origin(&mut page, of_type);
        source::image(&mut page, of_type, &transform.images[&object_type]);
        history::tables(&mut page, object_type);
        history::events(&mut page, &about);
        history::check_events(&site, object_type, &about);
        for table in annals_history::describe(object_type) {
            history::check_nulls(&site, &table);
        }
        example::section(&mut page, &site, object_type, now_ms).await;
        pages.insert(format!("{object_type}.md"), page);
        let tables = annals_history::describe(object_type).into_iter().map(|table| table.name);
        let made = about.events.iter().flat_map(|(types, _)| types.iter().copied());
        row(
            &mut index,
            &[format!("[{object_type}]({object_type}.md)"), code(&of_type.table), codes(tables), codes(made)],
        );
    }
    pages.insert("README.md".to_owned(), index);
    pages
}

/// A line of a table.
fn row(page: &mut String, cells: &[String]) {
    page.push_str(&format!("| {} |\n", cells.join(" | ")));
}

/// Something as it is written in files and tables.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|").replace('\n', " ");
    if text.contains('`') { text } else { format!("`{text}`") }
}

/// Several of them.
fn codes<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(code).collect::<Vec<_>>().join(", ")
}
