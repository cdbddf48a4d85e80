//! Source profiles: how the object types of one identity system lie in its tables.
//!
//! A profile is data. No Rust code of Annals names a table of an identity system.

use std::collections::BTreeMap;

use annals_model::ObjectType;

use crate::filter::Expr;

/// A source profile (`sources/*.yaml`).
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Name by which the service configuration refers to it; part of every object key.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Where the system says which release it is; `since` marks of columns are compared with it.
    pub release: Option<Release>,
    /// Names of properties and attributes whose values never leave `source`, compared without case.
    pub secrets: Vec<String>,
    /// The table in which the system itself notes deletions, if it has one.
    pub intercepted_deletes: Option<InterceptedDeletes>,
    /// The object types that this system has.
    pub object_types: BTreeMap<ObjectType, TypeProfile>,
}

impl Profile {
    /// The object type that a name stands for: an object type (`identity`), a class as the profile has it
    /// (`sailpoint.object.Identity`), or its last part (`Identity`); case counts in the whole class only.
    /// Where several object types share a class, the one whose name is the class's last part is meant.
    #[must_use]
    pub fn object_type(&self, name: &str) -> Option<ObjectType> {
        let of_name = name.parse().ok().filter(|object_type| self.object_types.contains_key(object_type));
        let of_class = |fits: &dyn Fn(&str) -> bool| {
            let types = || {
                self.object_types.iter().filter(|(_, known)| fits(&known.class_name)).map(|(known, _)| *known)
            };
            let namesake = types().find(|known| known.as_str().eq_ignore_ascii_case(bare_class(name)));
            namesake.or_else(|| types().next())
        };
        of_name
            .or_else(|| of_class(&|class| class == name))
            .or_else(|| of_class(&|class| bare_class(class).eq_ignore_ascii_case(name)))
    }
}

impl TypeProfile {
    /// The last part of the class: `Certification` of `sailpoint.object.Certification`.
    #[must_use]
    pub fn bare_class(&self) -> &str {
        bare_class(&self.class_name)
    }

    /// A property or collection has this name.
    #[must_use]
    pub fn has_member(&self, name: &str) -> bool {
        self.properties.contains_key(name) || self.collections.contains_key(name)
    }

    /// Names of all properties and collections, sorted.
    #[must_use]
    pub fn member_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.properties.keys().chain(self.collections.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

fn bare_class(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// The object type that a name or class stands for where no profile is known.
pub(crate) fn bare_object_type(name: &str) -> Option<ObjectType> {
    bare_class(name).parse().ok()
}

/// Where the release of the system stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// Table name.
    pub table: String,
    /// Column holding text such as `8.4-00`.
    pub column: String,
    /// Which row.
    pub filter: Option<Expr>,
}

/// A table of deleted objects, filled by the identity system.
#[derive(Debug, Clone, PartialEq)]
pub struct InterceptedDeletes {
    /// Table name.
    pub table: String,
    /// Primary key column of the table.
    pub id: String,
    /// Column holding the id of the deleted object.
    pub object_id: String,
    /// Column holding the class or type name of the deleted object (`className` or object type name).
    pub object_type: String,
    /// Column holding when it was deleted.
    pub deleted: ChangeColumn,
    /// Columns that must not be empty, each with the text that triggers of ours write there.
    pub others: BTreeMap<String, String>,
}

/// How the disappearance of objects of a type is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletions {
    /// By the rows of [`InterceptedDeletes`].
    Intercepted,
    /// By comparing the ids that history holds with those that the source still has.
    Sweep,
    /// Not at all.
    None,
}

/// Which objects of a type a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Those that changed, by their own change times and those of the rows that qualify them.
    Changed,
    /// All of them, where the system changes something about an object without a trace of when. Change times then
    /// only date what is found; an object that is as history has it is written no more than with [`Reads::Changed`].
    All,
}

/// One object type of a system.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeProfile {
    /// The system's own name of the class, e.g. `sailpoint.object.Identity`; transforms may use it.
    pub class_name: String,
    /// Base table.
    pub table: String,
    /// Column of the object's id in the base table.
    pub id: String,
    /// Path of the object's name ([`ColumnPath`]); the id stands in where it is absent or null.
    pub name: Option<ColumnPath>,
    /// Which rows of the base table are objects of this type.
    pub filter: Option<Expr>,
    /// Which objects a run reads.
    pub reads: Reads,
    /// Change times of a row: the first one that is not null counts.
    pub changed: Vec<ChangeColumn>,
    /// The identity to which objects of this type belong.
    pub identity: Option<IdentityPath>,
    /// Joined tables by alias.
    pub joins: BTreeMap<String, Join>,
    /// Properties by name.
    pub properties: BTreeMap<String, Property>,
    /// The property that holds the attribute map which `attribute:` in a transform looks into.
    pub attribute_map: Option<String>,
    /// Child rows by property name.
    pub collections: BTreeMap<String, Collection>,
    /// Rows elsewhere whose change qualifies an object of this type.
    pub qualifies: Vec<Qualifies>,
    /// How deletions are found.
    pub deletions: Deletions,
}

/// `column` of the base table, or `alias.column` of a joined one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnPath {
    /// Alias of a join; `None` is the base table.
    pub alias: Option<String>,
    /// Column name, compared without case against the catalogue.
    pub column: String,
}

/// The identity an object belongs to: id and name.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityPath {
    /// Path of the identity's id.
    pub id: ColumnPath,
    /// Path of the identity's name.
    pub name: Option<ColumnPath>,
}

/// A column saying when a row changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeColumn {
    /// Column name.
    pub column: ColumnPath,
    /// Its representation.
    pub kind: TimeKind,
    /// First release that has the column; absent columns of later releases are left out.
    pub since: Option<String>,
}

/// How a source column holds an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeKind {
    /// Epoch milliseconds in an integer column.
    EpochMillis,
    /// Epoch seconds in an integer column.
    EpochSeconds,
    /// A date-time column (or text `YYYY-MM-DD HH:MM:SS[.fff]`) in UTC.
    DateTime,
}

/// A left join: at most one joined row per base row.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Joined table.
    pub table: String,
    /// Joined column -> column of the base table or of another alias.
    pub on: BTreeMap<String, ColumnPath>,
    /// Further condition on the joined row, over its own columns.
    pub filter: Option<Expr>,
}

/// One property of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Where the value comes from.
    pub value: PropertyValue,
    /// First release that has it; in earlier ones it is null. `None`: every release, absence is an error.
    pub since: Option<String>,
    /// The value is a secret: masked with a keyed hash.
    pub secret: bool,
}

/// Where a property's value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyValue {
    /// One column.
    Column {
        /// Path.
        path: ColumnPath,
        /// How it is read.
        format: Format,
    },
    /// Several columns together form a JSON object, null if the first of them is null (references: `id`,
    /// `name`).
    Object {
        /// Member name -> column; the first one listed decides about null.
        members: Vec<(String, ColumnPath)>,
        /// Class of a reference, kept as member `class` where given.
        class: Option<String>,
    },
    /// A constant.
    Constant(serde_json::Value),
}

/// How a column's content becomes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As the engine types it: numbers, text, booleans.
    Auto,
    /// Text, whatever the engine says (ids).
    Text,
    /// Boolean out of bit, tinyint, smallint, number, boolean; null stays null.
    Boolean,
    /// As `Boolean`, null counts as false.
    Flag,
    /// An instant, as epoch milliseconds.
    Time(TimeKind),
    /// Attribute XML.
    Xml,
    /// JSON text.
    Json,
    /// Comma-separated text as a list.
    CommaList,
}

/// Child rows of an object, a JSON array in its image.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Where the rows lie, never empty: the collection is all of their elements together, each once.
    pub parts: Vec<Part>,
    /// Names of the members that tell elements apart; empty: the whole element.
    pub key: Vec<String>,
    /// Where the order means something: the column that gives it. `None`: a set, sorted by key, as it always is where
    /// there are several parts.
    pub order: Option<ColumnPath>,
    /// First release that has the tables.
    pub since: Option<String>,
}

/// The rows of one table that are elements of a collection. Its joins may find several rows for one: each is an
/// element.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Table of the child rows.
    pub table: String,
    /// Path of the column that holds the id of the object.
    pub parent: ColumnPath,
    /// Joined tables by alias.
    pub joins: BTreeMap<String, Join>,
    /// Which rows count.
    pub filter: Option<Expr>,
    /// Members of each element, or a single column for a list of plain values.
    pub element: Element,
}

/// An element of a collection.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    /// A plain value.
    Value(ColumnPath, Format),
    /// A JSON object.
    Object(BTreeMap<String, Property>),
}

/// Rows elsewhere whose change qualifies an object: a changed account qualifies its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Qualifies {
    /// Table of those rows.
    pub table: String,
    /// Column holding the id of the object that is qualified.
    pub id: ColumnPath,
    /// Joined tables by alias.
    pub joins: BTreeMap<String, Join>,
    /// Which rows count.
    pub filter: Option<Expr>,
    /// When those rows changed.
    pub changed: Vec<ChangeColumn>,
    /// First release that has the table.
    pub since: Option<String>,
}
