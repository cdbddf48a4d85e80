//! What every column of an object type's tables holds, in words: documentation is made of it.

use annals_model::ObjectType;

use crate::columns::{CaptureTable, ChildTable, EntityTable, Mapped, capture_table};
use crate::schema::{self, ColumnType};

/// A table that captures of an object type are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDescription {
    /// Its name.
    pub name: &'static str,
    /// What its rows stand for.
    pub rows: TableRows,
    /// Its columns in their order, generated ones left out.
    pub columns: Vec<ColumnDescription>,
}

/// What the rows of a table stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableRows {
    /// One a capture.
    Captures,
    /// One an element of this field of the captured image.
    Elements(&'static str),
    /// One an object, holding its newest state.
    Objects,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDescription {
    /// Its name.
    pub name: &'static str,
    /// Characters to which longer texts are cut.
    pub chars_max: Option<usize>,
    /// What fills it.
    pub source: ColumnSource,
}

/// What fills a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    /// A field of the image, or a member of the collection's element.
    Field {
        /// Its path: names parted by dots, a number being the position in a list.
        path: &'static str,
        /// What is taken where that is null.
        fallback: Option<&'static str>,
    },
    /// Something that is known of the capture, in words.
    Capture(&'static str),
    /// Nothing: it is always null, and this is why.
    Null(&'static str),
}

/// The tables that captures of an object type are written to: of the captures, of their child rows, of the objects.
#[must_use]
pub fn describe(object_type: ObjectType) -> Vec<TableDescription> {
    let mapping = capture_table(object_type);
    let mut tables = vec![table(mapping.table, TableRows::Captures, mapping.columns, |column| {
        of_capture(mapping, column)
    })];
    tables.extend(mapping.children.iter().map(|child| {
        let rows = TableRows::Elements(child.field);
        table(child.table, rows, child.columns, |column| of_child(child, column))
    }));
    tables.extend(mapping.entity.iter().map(|entity| {
        table(entity.table, TableRows::Objects, entity.columns, |column| of_entity(entity, column))
    }));
    tables
}

fn table(
    name: &'static str,
    rows: TableRows,
    mapped: &'static [Mapped],
    other: impl Fn(&'static str) -> ColumnSource,
) -> TableDescription {
    let describe = |column: &schema::ColumnDef| ColumnDescription {
        name: column.name,
        chars_max: match column.kind {
            ColumnType::Text(chars_max) if chars_max < usize::MAX => Some(chars_max),
            _ => None,
        },
        source: mapped.iter().find(|mapped| mapped.column == column.name).map_or_else(
            || other(column.name),
            |mapped| ColumnSource::Field { path: mapped.path, fallback: mapped.fallback },
        ),
    };
    TableDescription { name, rows, columns: schema::table(name).columns.iter().map(describe).collect() }
}

fn of_capture(mapping: &CaptureTable, column: &'static str) -> ColumnSource {
    use ColumnSource::{Capture, Null};
    match column {
        _ if column == mapping.object_id => Capture("id of the object"),
        _ if Some(column) == mapping.object_name => Capture("name of the object"),
        "identity_id" => Capture("id of the identity to whom the object belongs"),
        "identity_name" => Capture("name of that identity"),
        "id" => Capture("id of the capture"),
        "created" => Capture("when history learned of the state"),
        "patch_doc_parent" => Capture("of a patch: the capture that it is the difference from"),
        "transform_type" => Capture("`full` or `patch`"),
        "effective_date" => Capture("when the state began in the identity system"),
        "extended_to_date" => Capture("when the state was last seen again; null if it was not"),
        "latest" => Capture("1 on the newest capture of the object, else 0"),
        "json" => Capture("the document, or the patch"),
        "json_format" => Capture("how `json` is written: `ZIPPED`, `MINIFIED`, `PRETTY`"),
        "smart_hash" => Capture("hash of the significant fields; null on a deletion"),
        "full_hash" => Capture("hash of all fields; null on a deletion"),
        "deleted" => Capture("1 on the capture that says that the object is gone, else 0"),
        "identity_request_capture_id" => Capture("the newest capture of the item's request"),
        "modified" | "significant_modified" => Null("a capture does not change"),
        "attributes" => Null("all that is known stands in `json`"),
        _ => Null(""),
    }
}

fn of_child(child: &ChildTable, column: &'static str) -> ColumnSource {
    match column {
        _ if column == child.parent => ColumnSource::Capture("id of the capture"),
        "idx" => ColumnSource::Capture("position in the list, from 0"),
        "native_identity" => ColumnSource::Null(
            "what a role grants is known by application, attribute and value; on which account is not",
        ),
        _ => ColumnSource::Null(""),
    }
}

fn of_entity(entity: &EntityTable, column: &'static str) -> ColumnSource {
    use ColumnSource::Capture;
    match column {
        _ if column == entity.id => Capture("id of the object"),
        _ if Some(column) == entity.name => Capture("name of the object"),
        "id" => Capture("id of the object's first capture"),
        "created" => Capture("when history learned of the object"),
        "modified" => Capture("when history learned of its newest state"),
        "significant_modified" => Capture("when that state began in the identity system"),
        "json" => Capture("the document of the newest state, always whole"),
        "deleted" => Capture("1 if the object is gone, else 0"),
        _ => ColumnSource::Null(""),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// IIQ-19: every table of the reference but events and version belongs to an object type, and every column of it
    /// is filled from something or has a reason for being null.
    #[test]
    fn every_column_is_described() {
        let described: Vec<TableDescription> = ObjectType::ALL.into_iter().flat_map(describe).collect();
        let names: BTreeSet<&str> = described.iter().map(|table| table.name).collect();
        assert_eq!(names.len(), described.len());
        let others = |name: &str| name.ends_with("_event") || name == "spt_hist_database_version";
        let expected: BTreeSet<&str> =
            schema::tables().iter().map(|table| table.name).filter(|name| !others(name)).collect();
        assert_eq!(names, expected);
        for table in described {
            for column in &table.columns {
                assert_ne!(column.source, ColumnSource::Null(""), "{}.{}", table.name, column.name);
            }
            assert_eq!(table.columns.len(), schema::table(table.name).columns.len());
        }
    }
}
