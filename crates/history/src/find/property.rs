//! What objects of a type are found by.

use std::sync::LazyLock;

use annals_model::{AccessKind, ObjectType};

use crate::columns::{ChildTable, Kind, Mapped};
use crate::layout::layout;
use crate::schema;

/// Something that a list says of each object, and that it is filtered and sorted by.
#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: PropertyKind,
    /// It may be absent.
    pub nullable: bool,
    /// What of an image it is filled from: paths of fields, the first one that is there; none if it is not told by
    /// images.
    pub(crate) paths: Vec<&'static str>,
    /// The column, with the alias of its table.
    pub(crate) column: String,
    /// It is an id or the like: kept in byte order, where engines have capitals for ASCII alone, and in no index without case.
    pub(crate) is_id: bool,
}

/// What a property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyKind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// Yes or no.
    Flag,
    /// An instant.
    Instant,
}

/// Something that objects of a type have several of.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its name: a field of the image, [`ACCESS`] or [`HISTORY`].
    pub name: &'static str,
    /// What each element has.
    pub elements: Vec<Property>,
    pub(crate) rows: Elements,
}

/// Where the elements of a collection are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Elements {
    /// In a table, as `c`, that has the newest capture's id in a column.
    OfCapture { table: &'static str, parent: &'static str },
    /// Access intervals as they are known, as `x` with their items as `i`.
    Access,
    /// All captures, as `p`: table, and its column with the object's id.
    Captures { table: &'static str, object_id: &'static str },
}

/// The collection of what an identity holds and held.
pub const ACCESS: &str = "access";

/// The collection of all states that an object had.
pub const HISTORY: &str = "history";

/// What an object type is found by.
struct Properties {
    of_object: Vec<Property>,
    collections: Vec<Collection>,
}

static PROPERTIES: LazyLock<Vec<(ObjectType, Properties)>> = LazyLock::new(|| {
    ObjectType::ALL.into_iter().map(|object_type| (object_type, build(object_type))).collect()
});

fn of(object_type: ObjectType) -> &'static Properties {
    let position = ObjectType::ALL.iter().position(|known| *known == object_type).unwrap_or_default();
    &PROPERTIES[position].1
}

/// The properties of an object type.
#[must_use]
pub fn properties(object_type: ObjectType) -> &'static [Property] {
    &of(object_type).of_object
}

/// A property by name.
#[must_use]
pub fn property(object_type: ObjectType, name: &str) -> Option<&'static Property> {
    properties(object_type).iter().find(|property| property.name == name)
}

/// The collections of an object type.
#[must_use]
pub fn collections(object_type: ObjectType) -> &'static [Collection] {
    &of(object_type).collections
}

/// A collection by name.
#[must_use]
pub fn collection(object_type: ObjectType, name: &str) -> Option<&'static Collection> {
    collections(object_type).iter().find(|collection| collection.name == name)
}

fn build(object_type: ObjectType) -> Properties {
    let mapping = layout(object_type).mapping;
    let own = |name: &str, kind, column: &str| Property {
        name: name.to_owned(),
        kind,
        nullable: false,
        paths: Vec::new(),
        column: column.to_owned(),
        is_id: matches!(name, "id" | "identityId"),
    };
    let mut of_object = vec![
        own("id", PropertyKind::Text, "h.object_id"),
        own("name", PropertyKind::Text, "h.name"),
        own("deleted", PropertyKind::Flag, "h.deleted"),
        own("since", PropertyKind::Instant, "h.effective_date"),
        own("lastSeen", PropertyKind::Instant, "coalesce(h.extended_to_date, h.effective_date)"),
    ];
    let mut columns: Vec<Property> = Vec::new();
    match &mapping.entity {
        Some(entity) => columns
            .extend(entity.columns.iter().map(|column| of_column(column.column, column, "e", entity.table))),
        None => {
            if mapping.identity {
                for column in ["identity_id", "identity_name"] {
                    let property = own(&camel(column), PropertyKind::Text, &format!("e.{column}"));
                    columns.push(Property { nullable: true, paths: vec!["identity"], ..property });
                }
            }
            columns.extend(
                mapping.columns.iter().map(|column| of_column(column.column, column, "e", mapping.table)),
            );
        }
    }
    // A request's item has a name of its own, of an attribute, besides what the object is called by.
    for column in columns.iter_mut().filter(|column| column.name == "name") {
        column.name = "itemName".to_owned();
    }
    of_object.append(&mut columns);
    let mut collections: Vec<Collection> = mapping.children.iter().map(child).collect();
    if object_type == ObjectType::Identity {
        collections.push(Collection { name: ACCESS, elements: access(), rows: Elements::Access });
    }
    let mut elements: Vec<Property> =
        mapping.columns.iter().map(|column| of_column(column.column, column, "p", mapping.table)).collect();
    elements
        .extend(mapping.object_name.map(|column| exact("name", PropertyKind::Text, &format!("p.{column}"))));
    elements.push(exact("since", PropertyKind::Instant, "p.effective_date"));
    let rows = Elements::Captures { table: mapping.table, object_id: mapping.object_id };
    collections.push(Collection { name: HISTORY, elements, rows });
    Properties { of_object, collections }
}

/// What is said of access that an identity holds or held.
fn access() -> Vec<Property> {
    let kinds = AccessKind::ALL.map(|kind| format!("when {} then '{}'", kind.number(), kind.as_str()));
    let kind = format!("case i.kind {} end", kinds.join(" "));
    let text = |name, column| exact(name, PropertyKind::Text, column);
    vec![
        text("kind", &kind),
        text("id", "i.item_id"),
        text("name", "i.name"),
        text("application", "i.application"),
        text("applicationId", "i.application_id"),
        text("instance", "i.instance"),
        exact("permission", PropertyKind::Flag, "i.permission"),
        text("attribute", "i.attribute"),
        text("value", "i.value"),
        text("account", "x.native_identity"),
        text("cause", "x.cause"),
        text("assigner", "x.assigner"),
        text("requestItem", "x.request_item_id"),
        exact("current", PropertyKind::Flag, "case when x.valid_to is null then 1 else 0 end"),
        exact("since", PropertyKind::Instant, "x.valid_from"),
        exact("until", PropertyKind::Instant, "x.valid_to"),
    ]
}

/// A property of elements whose texts are in no index without case.
fn exact(name: &str, kind: PropertyKind, column: &str) -> Property {
    Property {
        name: name.to_owned(),
        kind,
        nullable: true,
        paths: Vec::new(),
        column: column.to_owned(),
        is_id: true,
    }
}

fn child(table: &'static ChildTable) -> Collection {
    Collection {
        name: table.field,
        elements: table
            .columns
            .iter()
            .map(|column| of_column(column.path, column, "c", table.table))
            .collect(),
        rows: Elements::OfCapture { table: table.table, parent: table.parent },
    }
}

fn of_column(name: &str, mapped: &Mapped, alias: &str, table: &str) -> Property {
    let kind = match mapped.kind {
        Kind::Text(_) => PropertyKind::Text,
        Kind::Int => PropertyKind::Int,
        Kind::Flag => PropertyKind::Flag,
        Kind::Time => PropertyKind::Instant,
    };
    Property {
        name: camel(name),
        kind,
        nullable: true,
        paths: [Some(mapped.path), mapped.fallback].into_iter().flatten().collect(),
        column: format!("{alias}.{}", mapped.column),
        is_id: schema::table(table).is_id(mapped.column),
    }
}

/// `display_name` as `displayName`.
fn camel(column: &str) -> String {
    let mut name = String::new();
    for (index, word) in column.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => name.extend(first.to_uppercase()),
            first => name.extend(first),
        }
        name.push_str(letters.as_str());
    }
    name
}
