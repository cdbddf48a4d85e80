//! The mapping of image fields to columns, against the tables.

use std::collections::BTreeSet;

use annals_model::ObjectType;

use crate::columns::{Kind, Mapped, capture_table};
use crate::layout::layout;
use crate::schema::{ColumnType, TableDef, table};

fn check(def: &TableDef, columns: &[Mapped]) {
    for mapped in columns {
        let position =
            def.position(mapped.column).unwrap_or_else(|| panic!("{}.{}", def.name, mapped.column));
        let matches = match (mapped.kind, def.columns[position].kind) {
            (Kind::Text(chars), ColumnType::Text(width)) => chars == width,
            (Kind::Text(chars), ColumnType::Id) => chars == 32 || chars == 255,
            (Kind::Int | Kind::Flag | Kind::Time, ColumnType::Int) => true,
            _ => false,
        };
        assert!(matches, "{}.{} is not as wide as its mapping says", def.name, mapped.column);
    }
}

#[test]
fn every_mapped_column_is_in_its_table() {
    for object_type in ObjectType::ALL {
        let mapping = capture_table(object_type);
        let def = layout(object_type).table;
        assert!(
            def.has(mapping.object_id) && mapping.object_name.is_none_or(|name| def.has(name)),
            "{object_type}"
        );
        assert_eq!(
            mapping.identity,
            def.has("identity_name") && object_type != ObjectType::Identity,
            "{object_type}"
        );
        check(def, mapping.columns);
        for child in mapping.children {
            let def = table(child.table);
            assert!(def.has(child.parent) && def.has("idx"), "{}", child.table);
            check(def, child.columns);
        }
        if let Some(entity) = &mapping.entity {
            let def = table(entity.table);
            assert!(def.has(entity.id) && entity.name.is_none_or(|name| def.has(name)), "{}", entity.table);
            assert_eq!(entity.deleted, def.has("deleted"), "{}", entity.table);
            check(def, entity.columns);
        }
    }
}

/// IIQ-19: no table of the reference is left without a writer.
#[test]
fn every_table_is_written_by_something() {
    let mut written = BTreeSet::from(["spt_hist_database_version"]);
    written.extend(annals_model::EventTable::ALL.map(|table| crate::event::table(table).name));
    for object_type in ObjectType::ALL {
        let mapping = capture_table(object_type);
        written.insert(layout(object_type).table.name);
        written.extend(mapping.children.iter().map(|child| child.table));
        written.extend(mapping.entity.iter().map(|entity| entity.table));
    }
    let all: BTreeSet<&str> = crate::schema::tables().into_iter().map(|table| table.name).collect();
    assert_eq!(written, all);
}
