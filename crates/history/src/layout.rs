//! What is known of each object type's captures: tables, columns, and the statements on them.

use std::sync::LazyLock;

use annals_model::ObjectType;
use annals_sql::Stmt;

use crate::columns::{CaptureTable, ChildTable, capture_table};
use crate::schema::{self, TableDef};

/// The most patches that may lie between a capture and the last full one: `maxAllowedPatches` must not be greater.
pub const PATCHES_MAX: u32 = 1_000;

/// One object type's captures.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Which columns are filled from what.
    pub(crate) mapping: &'static CaptureTable,
    /// Table of the captures.
    pub(crate) table: &'static TableDef,
    /// Texts that must not be null and that a deletion does not tell: the owner, a hash. Taken from the capture
    /// before.
    pub(crate) inherited: Vec<&'static str>,
    /// The newest values of those, for a list of object ids.
    pub(crate) inherit: Stmt,
    /// Those that an object had before an instant, and since when.
    pub(crate) inherit_before: Stmt,
    /// For a list of capture ids each with all captures that it is a patch of, up to the full one.
    pub(crate) chains: Stmt,
    /// The capture that was in force at an instant, as known at another.
    pub(crate) at: Stmt,
    /// When the state after one that began at an instant began, as known at another.
    pub(crate) next: Stmt,
    /// The identities to which a list of captures says that their objects belong; none for types that belong to no
    /// identity.
    pub(crate) owners: Option<Stmt>,
    /// Captures of a list of objects with a list of effective dates.
    pub(crate) kept: Stmt,
    /// An object's captures, in the order in which they were recorded.
    pub(crate) list: Stmt,
    /// The same of those that say that it belongs to one of a list of identities; none for types that belong to none.
    pub(crate) list_within: Option<Stmt>,
    /// Documents of all captures behind an id.
    pub(crate) page: Stmt,
    /// An object's captures, in the order of their effective dates.
    pub(crate) sequence: Stmt,
    /// Deletes a list of captures.
    pub(crate) drop: Stmt,
    /// Deletes their child rows, a statement a table.
    pub(crate) drop_children: Vec<Stmt>,
}

static LAYOUTS: LazyLock<Vec<(ObjectType, Layout)>> = LazyLock::new(|| {
    ObjectType::ALL.into_iter().map(|object_type| (object_type, build(object_type))).collect()
});

/// An object type's layout.
pub(crate) fn layout(object_type: ObjectType) -> &'static Layout {
    let position = ObjectType::ALL.iter().position(|known| *known == object_type).unwrap_or_default();
    &LAYOUTS[position].1
}

/// All statements of all layouts.
#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static Stmt> {
    LAYOUTS
        .iter()
        .flat_map(|(_, layout)| {
            let all = [
                &layout.inherit,
                &layout.inherit_before,
                &layout.chains,
                &layout.at,
                &layout.next,
                &layout.kept,
                &layout.list,
                &layout.page,
                &layout.sequence,
                &layout.drop,
            ];
            all.into_iter().chain(&layout.owners).chain(&layout.list_within).chain(&layout.drop_children)
        })
        .collect()
}

fn build(object_type: ObjectType) -> Layout {
    let mapping = capture_table(object_type);
    let table = schema::table(mapping.table);
    let (name, object_id) = (table.name, mapping.object_id);
    let inherited: Vec<&'static str> = table
        .columns
        .iter()
        .filter(|column| !column.nullable && !FILLED.contains(&column.name))
        .map(|column| column.name)
        .filter(|column| *column != object_id && Some(*column) != mapping.object_name)
        .collect();
    let stmt = |verb: &str, text: String| Stmt::built(format!("history.{verb} {name}"), text);
    let mut selected = vec![object_id];
    selected.extend(&inherited);
    let selected = selected.join(", ");
    Layout {
        mapping,
        table,
        inherited,
        inherit: stmt(
            "inherit",
            format!(
                "select {selected} from (select {selected}, row_number() over (partition by {object_id}
                    order by effective_date desc, created desc, id desc) as age
                 from {name} where {object_id} {{in}}) newest where age = 1"
            ),
        ),
        inherit_before: stmt(
            "inherit_before",
            format!(
                "select {selected}, effective_date from {name} where {object_id} = ? and effective_date < ?
                 order by effective_date desc, created desc, id desc limit 1"
            ),
        ),
        chains: stmt(
            "chains",
            format!(
                "with recursive chain (head, id, parent, depth) as (
                    select id, id, patch_doc_parent, 0 from {name} where id {{in}}
                    union all
                    select chain.head, c.id, c.patch_doc_parent, chain.depth + 1
                    from chain join {name} c on c.id = chain.parent where chain.depth <= {PATCHES_MAX})
                 select chain.head, c.id, c.{object_id}, c.patch_doc_parent, c.json, c.json_format, c.full_hash
                 from chain join {name} c on c.id = chain.id order by chain.head, chain.depth"
            ),
        ),
        at: stmt("at", at(object_id, name)),
        next: stmt("next", next(object_id, name)),
        owners: mapping.identity.then(|| {
            stmt(
                "owners",
                format!("select distinct identity_id from {name} where id {{in}}"),
            )
        }),
        kept: stmt(
            "kept",
            format!(
                "select {object_id}, effective_date, coalesce(full_hash, '') from {name}
                 where {object_id} {{in}} and effective_date {{in}}"
            ),
        ),
        list: stmt("list", list(mapping, name, "")),
        list_within: mapping
            .identity
            .then(|| stmt("list_within", list(mapping, name, "and identity_id {in}"))),
        page: stmt("page", format!("select id, json, json_format from {name} where id > ? order by id limit ?")),
        sequence: stmt("sequence", sequence(mapping, name)),
        drop: stmt("drop", format!("delete from {name} where id {{in}}")),
        drop_children: drop_children(mapping),
    }
}

fn list(mapping: &CaptureTable, name: &str, within: &str) -> String {
    format!(
        "select id, created, effective_date, extended_to_date, transform_type, json_format, full_hash,
            smart_hash, patch_doc_parent, length(json),
            case when full_hash is null and patch_doc_parent is null then json end
         from {name} where {} = ? and (created, id) > (?, ?) {within} order by created, id limit ?",
        mapping.object_id
    )
}

fn at(object_id: &str, name: &str) -> String {
    format!(
        "select id, effective_date, extended_to_date, created, transform_type, json_format from {name}
         where {object_id} = ? and effective_date <= ? and created <= ?
         order by effective_date desc, created desc, id desc limit 1"
    )
}

fn next(object_id: &str, name: &str) -> String {
    format!(
        "select min(effective_date) from {name} where {object_id} = ? and effective_date > ? and created <= ?"
    )
}

fn drop_children(mapping: &CaptureTable) -> Vec<Stmt> {
    let drop = |child: &ChildTable| {
        let text = format!("delete from {} where {} {{in}}", child.table, child.parent);
        Stmt::built(format!("history.drop {}", child.table), text)
    };
    mapping.children.iter().map(drop).collect()
}

fn sequence(mapping: &CaptureTable, name: &str) -> String {
    let object_id = mapping.object_id;
    let (owner_id, owner_name) =
        if mapping.identity { ("identity_id", "identity_name") } else { ("null", "null") };
    format!(
        "select id, created, effective_date, extended_to_date, patch_doc_parent, full_hash, smart_hash,
            {}, cast({owner_id} as varchar(255)), cast({owner_name} as varchar(255)),
            (select observed_date from annals_reading where last_id >= {name}.id
               and first_id = (select max(first_id) from annals_reading where first_id <= {name}.id))
         from {name} where {object_id} = ? order by effective_date, created, id",
        mapping.object_name.unwrap_or("cast(null as varchar(255))")
    )
}

/// Columns that every capture fills by itself.
const FILLED: [&str; 4] = ["id", "created", "transform_type", "effective_date"];
