//! The schema as statements of an engine.

use annals_sql::Engine;

use crate::schema::{Column, ColumnType, Index, Table};

/// Longest text column that PostgreSQL and SQLite index whole; longer ones are indexed by their first characters
/// where the engine has a way, because a PostgreSQL index entry has a limit of 2,704 bytes.
const WHOLE_INDEX_CHARS_MAX: usize = 640;

/// The statement that makes a table, without its indexes.
pub(crate) fn create_table(engine: Engine, table: &Table) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(|column| column_line(engine, column)).collect();
    let key: Vec<String> = table
        .columns
        .iter()
        .filter(|column| column.primary_key)
        .map(|column| engine.quote(column.name))
        .collect();
    // One list of texts has no key.
    if !key.is_empty() {
        lines.push(format!("primary key ({})", key.join(", ")));
    }
    // IdentityIQ compares text with case on every engine, which MySQL does only when told so.
    let tail = if engine == Engine::MySql { " character set utf8mb4 collate utf8mb4_bin" } else { "" };
    format!("create table {} (\n  {}\n){tail};\n", engine.quote(table.name), lines.join(",\n  "))
}

fn column_line(engine: Engine, column: &Column) -> String {
    let null = if column.nullable { "" } else { " not null" };
    format!("{} {}{null}", engine.quote(column.name), type_name(engine, column.column_type))
}

/// The table of engines at the end of the source's description.
fn type_name(engine: Engine, column_type: ColumnType) -> String {
    let name = match (engine, column_type) {
        (Engine::Sqlite, ColumnType::Varchar(_) | ColumnType::Longtext | ColumnType::Datetime) => "text",
        (Engine::Sqlite, ColumnType::Bigint | ColumnType::Integer | ColumnType::Bit) => "integer",
        (Engine::Sqlite, ColumnType::Longblob) => "blob",
        (_, ColumnType::Varchar(length)) => return format!("varchar({length})"),
        (_, ColumnType::Bigint) => "bigint",
        (_, ColumnType::Integer) => "integer",
        (Engine::Postgres, ColumnType::Bit) => "boolean",
        (Engine::Postgres, ColumnType::Longtext) => "text",
        (Engine::Postgres, ColumnType::Longblob) => "bytea",
        (Engine::Postgres, ColumnType::Datetime) => "timestamp",
        (Engine::MySql, ColumnType::Bit) => "bit(1)",
        (Engine::MySql, ColumnType::Longtext) => "longtext",
        (Engine::MySql, ColumnType::Longblob) => "longblob",
        (Engine::MySql, ColumnType::Datetime) => "datetime(6)",
    };
    name.to_owned()
}

/// The statement that makes the generator's own table.
pub(crate) fn create_state(engine: Engine) -> String {
    let value = type_name(engine, ColumnType::Longtext);
    format!("create table annals_world (name varchar(64) not null primary key, value {value} not null)")
}

/// The statements that make a table's indexes; nothing where it has none.
pub(crate) fn create_indexes(engine: Engine, table: &Table) -> String {
    if table.indexes.is_empty() {
        return String::new();
    }
    if engine == Engine::MySql {
        // One statement, because each would copy the table anew.
        let parts: Vec<String> = numbered(table)
            .map(|(name, index)| {
                let unique = if index.unique { "unique " } else { "" };
                format!("add {unique}index {} ({})", engine.quote(&name), columns(engine, table, index))
            })
            .collect();
        return format!("alter table {}\n  {};\n", engine.quote(table.name), parts.join(",\n  "));
    }
    numbered(table)
        .map(|(name, index)| {
            format!(
                "create {}index {} on {} ({});\n",
                if index.unique { "unique " } else { "" },
                engine.quote(&name),
                engine.quote(table.name),
                columns(engine, table, index)
            )
        })
        .collect()
}

/// Indexes with names of our own: PostgreSQL and SQLite want them unique in the whole database.
fn numbered(table: &Table) -> impl Iterator<Item = (String, &Index)> {
    table.indexes.iter().enumerate().map(|(nth, index)| (format!("{}_ix{}", table.name, nth + 1), index))
}

fn columns(engine: Engine, table: &Table, index: &Index) -> String {
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|indexed| {
            let name = engine.quote(indexed.name);
            let whole = table.column(indexed.name).is_none_or(|(_, column)| {
                !matches!(column.column_type, ColumnType::Longtext)
                    && !matches!(column.column_type, ColumnType::Varchar(n) if n > WHOLE_INDEX_CHARS_MAX)
            });
            match (engine, indexed.prefix) {
                (Engine::MySql, Some(chars)) => format!("{name}({chars})"),
                (Engine::Postgres, Some(chars)) if !whole => format!("left({name}, {chars})"),
                // Without prefixes PostgreSQL and SQLite serve an equality of the whole value from the index.
                _ => name,
            }
        })
        .collect();
    columns.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{IndexedColumn, Release, Schema};

    /// Types as the table "Engines" has them, on the table that holds every kind of column but bytes.
    #[test]
    fn columns_have_the_types_of_the_engine() {
        let table = Schema::of(Release::V8_4).table("spt_certification_action").unwrap();
        for (engine, wanted) in [
            (
                Engine::Sqlite,
                [
                    "\"id\" text not null",
                    "\"created\" integer",
                    "\"expiration\" text",
                    "\"reviewed\" integer",
                ],
            ),
            (
                Engine::Postgres,
                [
                    "\"id\" varchar(32) not null",
                    "\"created\" bigint",
                    "\"expiration\" timestamp",
                    "\"reviewed\" boolean",
                ],
            ),
            (
                Engine::MySql,
                [
                    "`id` varchar(32) not null",
                    "`created` bigint",
                    "`expiration` datetime(6)",
                    "`reviewed` bit(1)",
                ],
            ),
        ] {
            let ddl = create_table(engine, table);
            for line in wanted {
                assert!(ddl.contains(&format!("  {line},\n")), "{line} in {ddl}");
            }
        }
    }

    #[test]
    fn prefixes_are_written_where_the_engine_has_them() {
        let table = Table {
            name: "t",
            columns: Schema::of(Release::V8_4).table("spt_policy_violation").unwrap().columns.clone(),
            indexes: vec![Index {
                columns: vec![
                    IndexedColumn { name: "constraint_name", prefix: Some(255) },
                    IndexedColumn { name: "policy_name", prefix: Some(50) },
                ],
                unique: true,
            }],
        };
        assert_eq!(
            create_indexes(Engine::Postgres, &table),
            "create unique index \"t_ix1\" on \"t\" (left(\"constraint_name\", 255), \"policy_name\");\n"
        );
        assert_eq!(
            create_indexes(Engine::Sqlite, &table),
            "create unique index \"t_ix1\" on \"t\" (\"constraint_name\", \"policy_name\");\n"
        );
        assert_eq!(
            create_indexes(Engine::MySql, &table),
            "alter table `t`\n  add unique index `t_ix1` (`constraint_name`(255), `policy_name`(50));\n"
        );
    }
}
