//! The tables, columns and indexes of IdentityIQ, out of the two files in `schema/`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

const COLUMNS: &str = include_str!("../schema/source_columns.csv");
const INDEXES: &str = include_str!("../schema/source_indexes.csv");

/// The tables that a world has: those that the 14 object types are read from, and what stands beside them. Tasks,
/// requests of the scheduler, work items and workflow cases say nothing about access and are left out.
const TABLES: [&str; 64] = [
    "spt_application",
    "spt_application_schema",
    "spt_attachment",
    "spt_audit_event",
    "spt_bundle",
    "spt_bundle_children",
    "spt_bundle_permits",
    "spt_bundle_profile_relation",
    "spt_bundle_requirements",
    "spt_capability",
    "spt_capability_children",
    "spt_capability_rights",
    "spt_cert_item_applications",
    "spt_cert_item_classifications",
    "spt_certification",
    "spt_certification_action",
    "spt_certification_definition",
    "spt_certification_entity",
    "spt_certification_group",
    "spt_certification_groups",
    "spt_certification_item",
    "spt_certification_tags",
    "spt_certifiers",
    "spt_classification",
    "spt_configuration",
    "spt_database_version",
    "spt_entitlement_snapshot",
    "spt_identity",
    "spt_identity_assigned_roles",
    "spt_identity_bundles",
    "spt_identity_capabilities",
    "spt_identity_controlled_scopes",
    "spt_identity_entitlement",
    "spt_identity_external_attr",
    "spt_identity_history_item",
    "spt_identity_req_item_attach",
    "spt_identity_request",
    "spt_identity_request_item",
    "spt_identity_role_metadata",
    "spt_identity_workgroups",
    "spt_intercepted_delete",
    "spt_link",
    "spt_link_external_attr",
    "spt_managed_attr_inheritance",
    "spt_managed_attr_perms",
    "spt_managed_attr_target_perms",
    "spt_managed_attribute",
    "spt_mitigation_expiration",
    "spt_named_timestamp",
    "spt_object_classification",
    "spt_object_config",
    "spt_policy",
    "spt_policy_violation",
    "spt_profile",
    "spt_profile_constraints",
    "spt_profile_permissions",
    "spt_right",
    "spt_role_metadata",
    "spt_schema_attributes",
    "spt_scope",
    "spt_sign_off_history",
    "spt_sodconstraint",
    "spt_sodconstraint_left",
    "spt_sodconstraint_right",
];

/// A release of IdentityIQ whose database a world may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Release {
    /// 8.0: no classifications, no columns for disabled and locked accounts.
    #[serde(rename = "8.0")]
    V8_0,
    /// 8.3: no `significant_modified`, no table of deletions.
    #[serde(rename = "8.3")]
    V8_3,
    /// 8.4.
    #[default]
    #[serde(rename = "8.4")]
    V8_4,
}

impl Release {
    /// As the database says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V8_0 => "8.0",
            Self::V8_3 => "8.3",
            Self::V8_4 => "8.4",
        }
    }

    /// Whether what a mark in the column `since` names is there in this release.
    fn has(self, since: &str) -> bool {
        match since {
            "8.4" => self >= Self::V8_4,
            "8.3" | "8.1" => self >= Self::V8_3,
            // `<=7.1`, `<=8.3` (of indexes, which go with their columns) and `8.0`.
            _ => true,
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A release that a world cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a release that a world can have: use one of 8.0, 8.3, 8.4")]
pub struct UnknownRelease(pub String);

impl FromStr for Release {
    type Err = UnknownRelease;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::V8_0, Self::V8_3, Self::V8_4]
            .into_iter()
            .find(|release| release.as_str() == word)
            .ok_or_else(|| UnknownRelease(word.to_owned()))
    }
}

/// What a column holds, in the words of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// Text of up to so many characters.
    Varchar(usize),
    /// 64-bit number.
    Bigint,
    /// 32-bit number.
    Integer,
    /// Boolean.
    Bit,
    /// Long text.
    Longtext,
    /// Bytes.
    Longblob,
    /// Date and time with microseconds.
    Datetime,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Name.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) column_type: ColumnType,
    /// Whether it may be null.
    pub(crate) nullable: bool,
    /// Whether it is (part of) the primary key.
    pub(crate) primary_key: bool,
    /// The table whose id it holds; tables that a world has not are named too.
    pub(crate) references: Option<&'static str>,
    since: &'static str,
}

/// A column of an index, with the number of its first characters that are indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexedColumn {
    /// Name.
    pub(crate) name: &'static str,
    /// First characters, where not all are.
    pub(crate) prefix: Option<usize>,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// Columns in order.
    pub(crate) columns: Vec<IndexedColumn>,
    /// Whether no two rows may be equal.
    pub(crate) unique: bool,
}

/// A table in one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Name.
    pub(crate) name: &'static str,
    /// Columns in order.
    pub(crate) columns: Vec<Column>,
    /// Indexes in order.
    pub(crate) indexes: Vec<Index>,
}

impl Table {
    /// The column of this name, if this release has it.
    pub(crate) fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }
}

/// All tables of a world, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema {
    tables: BTreeMap<&'static str, Table>,
}

static SCHEMAS: LazyLock<[Schema; 3]> =
    LazyLock::new(|| [Release::V8_0, Release::V8_3, Release::V8_4].map(Schema::read));

impl Schema {
    /// The schema of a release.
    pub(crate) fn of(release: Release) -> &'static Schema {
        match release {
            Release::V8_0 => &SCHEMAS[0],
            Release::V8_3 => &SCHEMAS[1],
            Release::V8_4 => &SCHEMAS[2],
        }
    }

    /// All tables, by name.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// A table, if this release has it.
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// The files hold neither quotes nor commas in a field, which a test keeps true.
    fn read(release: Release) -> Self {
        let mut tables = BTreeMap::new();
        for line in COLUMNS.lines().skip(1) {
            let fields: Vec<&'static str> = line.split(',').collect();
            let [table, name, kind, length, nullable, primary_key, references, since] = fields[..] else {
                continue;
            };
            if !TABLES.contains(&table) || !release.has(since) {
                continue;
            }
            let entry = tables.entry(table).or_insert_with(|| Table {
                name: table,
                columns: Vec::new(),
                indexes: Vec::new(),
            });
            entry.columns.push(Column {
                name,
                column_type: column_type(kind, length),
                nullable: nullable == "YES",
                primary_key: primary_key == "Y",
                references: references.split_once('.').map(|(table, _)| table),
                since,
            });
        }
        for line in INDEXES.lines().skip(1) {
            let fields: Vec<&'static str> = line.split(',').collect();
            let [table, columns, unique, since] = fields[..] else { continue };
            let Some(table) = tables.get_mut(table) else { continue };
            let columns: Vec<IndexedColumn> = columns.split('|').map(indexed_column).collect();
            let known = columns.iter().all(|column| table.column(column.name).is_some());
            if known && release.has(since) {
                table.indexes.push(Index { columns, unique: unique == "Y" });
            }
        }
        Self { tables }
    }
}

fn column_type(kind: &str, length: &str) -> ColumnType {
    match kind {
        "varchar" => ColumnType::Varchar(length.parse().unwrap_or(255)),
        "bigint" => ColumnType::Bigint,
        "integer" => ColumnType::Integer,
        "bit" => ColumnType::Bit,
        "longblob" => ColumnType::Longblob,
        "datetime" => ColumnType::Datetime,
        _ => ColumnType::Longtext,
    }
}

fn indexed_column(text: &'static str) -> IndexedColumn {
    match text.trim_end_matches(')').split_once('(') {
        Some((name, prefix)) => IndexedColumn { name, prefix: prefix.parse().ok() },
        None => IndexedColumn { name: text, prefix: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read_whole() {
        assert!(!COLUMNS.contains('"') && !INDEXES.contains('"'));
        assert!(COLUMNS.lines().all(|line| line.split(',').count() == 8));
        assert!(INDEXES.lines().all(|line| line.split(',').count() == 4));
        let types: std::collections::BTreeSet<&str> =
            COLUMNS.lines().skip(1).filter_map(|line| line.split(',').nth(2)).collect();
        assert_eq!(
            types.into_iter().collect::<Vec<_>>(),
            ["bigint", "bit", "datetime", "integer", "longblob", "longtext", "varchar"]
        );
        let schema = Schema::of(Release::V8_4);
        assert_eq!(schema.tables().count(), TABLES.len());
        let identity = schema.table("spt_identity").unwrap();
        assert_eq!(identity.columns.len(), 58);
        assert_eq!(identity.columns[3].name, "significant_modified");
        assert_eq!(identity.indexes[0].columns[0].name, "name");
        assert!(identity.indexes[0].unique);
        let link = schema.table("spt_link").unwrap();
        let pair = link.indexes.iter().find(|index| index.columns.len() == 2).unwrap();
        assert_eq!(pair.columns[1], IndexedColumn { name: "native_identity", prefix: Some(223) });
    }

    /// IIQ release differences of the source: 8.4 brought `significant_modified` and the table of deletions, 8.3 the
    /// flags of accounts, 8.1 classifications.
    #[test]
    fn earlier_releases_lack_what_came_later() {
        let (early, middle) = (Schema::of(Release::V8_0), Schema::of(Release::V8_3));
        for schema in [early, middle] {
            assert!(schema.table("spt_identity").unwrap().column("significant_modified").is_none());
            assert!(schema.table("spt_intercepted_delete").is_none());
        }
        assert!(early.table("spt_link").unwrap().column("iiq_disabled").is_none());
        assert!(middle.table("spt_link").unwrap().column("iiq_disabled").is_some());
        assert!(early.table("spt_classification").is_none());
        assert!(middle.table("spt_classification").is_some());
        assert!(
            early
                .table("spt_link")
                .unwrap()
                .indexes
                .iter()
                .all(|index| index.columns[0].name != "iiq_disabled")
        );
    }

    #[test]
    fn a_release_is_read_as_it_is_written() {
        assert_eq!("8.3".parse(), Ok(Release::V8_3));
        assert_eq!("9".parse::<Release>(), Err(UnknownRelease("9".to_owned())));
        assert_eq!(Release::V8_4.to_string(), "8.4");
    }
}
