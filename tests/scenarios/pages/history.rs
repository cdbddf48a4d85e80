//! The history tables of an object type: out of what the history crate says of them, checked against what is there.

use annals_history::{ColumnSource, TableDescription, TableRows, describe};
use annals_model::ObjectType;

use super::about::About;
use super::{code, codes, row};
use crate::site::Site;

/// The section on the tables.
pub(super) fn tables(page: &mut String, object_type: ObjectType) {
    page.push_str("\n## History\n");
    for table in describe(object_type) {
        let rows = match table.rows {
            TableRows::Captures => "One row a capture.".to_owned(),
            TableRows::Elements(field) => format!("One row an element of `{field}`."),
            TableRows::Objects => "One row an object, its newest state.".to_owned(),
        };
        page.push_str(&format!("\n### {}\n\n{rows}\n\n| column | holds |\n|---|---|\n", table.name));
        for column in &table.columns {
            let cut = column.chars_max.filter(|_| matches!(column.source, ColumnSource::Field { .. }));
            let cut = cut.map(|chars| format!(", cut to {chars} characters")).unwrap_or_default();
            let holds = match column.source {
                ColumnSource::Field { path, fallback } => {
                    let or = fallback.map(|path| format!(", else {}", code(path))).unwrap_or_default();
                    format!("{}{or}{cut}", code(path))
                }
                ColumnSource::Capture(what) => what.to_owned(),
                ColumnSource::Null(why) => format!("always null: {why}"),
            };
            row(page, &[code(column.name), holds]);
        }
    }
}

/// The section on events.
pub(super) fn events(page: &mut String, about: &About) {
    page.push_str("\n## Events\n\n");
    if about.events.is_empty() {
        page.push_str(&format!("None: {}\n", about.no_events));
        return;
    }
    page.push_str("| event | made when |\n|---|---|\n");
    for (types, when) in about.events {
        row(page, &[codes(types.iter().copied()), (*when).to_owned()]);
    }
    page.push_str("\nWhat the columns of an event hold stands in [events.md](../events.md).\n");
}

/// What is said to be null is null in every row, and what is filled from an image is filled in some row, unless the
/// identity system has nothing to fill it with.
#[track_caller]
pub(super) fn check_nulls(site: &Site, table: &TableDescription) {
    for column in &table.columns {
        if matches!(column.source, ColumnSource::Null(_)) {
            let filled = format!("select count(*) from {} where {} is not null;", table.name, column.name);
            assert_eq!(site.count(&filled), 0, "{}.{} is said to be null", table.name, column.name);
        }
    }
}

/// Every event that captures of this type have made is one that the page names.
#[track_caller]
pub(super) fn check_events(site: &Site, object_type: ObjectType, about: &About) {
    let captures = describe(object_type)[0].name;
    for table in super::EVENT_TABLES {
        let made = format!(
            "select distinct event_type from {table} e where capture_id in (select id from {captures});"
        );
        for event in site.look(&made) {
            let named = about.events.iter().any(|(types, _)| types.contains(&event.as_str()));
            assert!(named, "the page on {object_type} names no {event}");
        }
    }
}
