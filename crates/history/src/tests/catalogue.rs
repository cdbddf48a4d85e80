//! The tables as the engine's catalogue has them, against the reference's list.

use std::collections::BTreeSet;

use annals_sql::{Access, Db};
use annals_testkit::{Engine, database, history_engines};

use super::{History, histories};
use crate::{Error, create_reference_indexes, migrations, open};

const COLUMNS: &str = include_str!("../../../../migrations/history_columns.csv");
const INDEXES: &str = include_str!("../../../../migrations/history_indexes.csv");

/// What the catalogue should say: `table|column|type|length|nullable|key`, worked out from the list.
fn expected(engine: Engine) -> BTreeSet<String> {
    COLUMNS
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let [table, _, column, kind, length, nullable, generated, key, _] = fields[..] else {
                panic!("{line}");
            };
            let (kind, length) = match (engine, kind) {
                (Engine::Postgres, "varchar") => ("character varying", length),
                (Engine::Postgres, "clob") if column == "json" => ("bytea", ""),
                (Engine::Postgres, "clob") => ("text", ""),
                (Engine::Postgres, other) => (other, ""),
                (_, "clob") if column == "json" => ("blob", ""),
                (_, "varchar" | "clob") => ("text", ""),
                (_, _) => ("integer", ""),
            };
            generated.is_empty().then(|| format!("{table}|{column}|{kind}|{length}|{nullable}|{key}"))
        })
        .collect()
}

fn found(history: &History) -> BTreeSet<String> {
    let statement = match history.outside.engine() {
        Engine::Postgres => {
            "select c.table_name, c.column_name, c.data_type, coalesce(c.character_maximum_length::text, ''),
                c.is_nullable, case when exists (select 1 from pg_index i join pg_attribute a
                    on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
                    where i.indisprimary and i.indrelid = c.table_name::regclass and a.attname = c.column_name)
                  then 'Y' else 'N' end
             from information_schema.columns c where c.table_name like 'spt@_hist@_%' escape '@';"
        }
        _ => {
            "select m.name, c.name, lower(c.type), '', case c.\"notnull\" when 0 then 'YES' else 'NO' end,
                case c.pk when 0 then 'N' else 'Y' end
             from sqlite_master m join pragma_table_info(m.name) c
             where m.type = 'table' and m.name like 'spt@_hist@_%' escape '@';"
        }
    };
    history.sql(statement).lines().map(str::to_owned).collect()
}

/// IIQ-19: every table and column of the reference is there, by name, and no other.
#[tokio::test]
async fn every_table_and_column_of_the_reference_is_there() {
    for history in histories().await {
        let (expected, found) = (expected(history.outside.engine()), found(&history));
        let tables: BTreeSet<&str> = found.iter().filter_map(|line| line.split('|').next()).collect();
        assert_eq!(tables.len(), 32);
        let missing: Vec<_> = expected.difference(&found).collect();
        let beyond: Vec<_> = found.difference(&expected).collect();
        assert_eq!((missing, beyond), (vec![], vec![]), "{}", history.outside.engine());
    }
}

/// IIQ-15, IIQ-16: a database without tables is told apart from one with them; migrating twice changes nothing.
#[tokio::test]
async fn migrations_apply_once() {
    for engine in history_engines() {
        let outside = database(engine);
        let db = Db::open(outside.url(), Access::ReadWrite).await.unwrap();
        let before = open(&db).await.unwrap_err();
        let all = migrations(db.engine());
        let lacking = |from: usize| {
            let names: Vec<&str> = all[from..].iter().map(|migration| migration.name).collect();
            format!("the history database lacks {}: run `annals migrate`", names.join(", "))
        };
        assert_eq!(before.to_string(), lacking(0));

        assert_eq!(db.migrate(&all[..1]).await.unwrap().len(), 1);
        let between = open(&db).await.unwrap_err();
        assert_eq!(between.to_string(), lacking(1));

        assert_eq!(db.migrate(all).await.unwrap().len(), all.len() - 1);
        assert_eq!(db.migrate(all).await.unwrap(), []);
        open(&db).await.unwrap();
        let version = "select name, system_version, schema_version from spt_hist_database_version;";
        assert_eq!(outside.sql(version), "main\t8.4-00\t8.4-87\n");

        outside.sql("delete from spt_hist_database_version;");
        assert!(matches!(open(&db).await, Err(Error::Schema { .. })));
        outside.sql("update annals_migration set version = 77 where version = 2;");
        assert!(matches!(open(&db).await, Err(Error::Newer { version: 77 })));
        db.close().await;
    }
}

/// Every index of the reference is there after the call, under whatever name, and calling again is no error.
#[tokio::test]
async fn the_reference_indexes_can_be_had() {
    for history in histories().await {
        let count = match history.outside.engine() {
            Engine::Postgres => {
                "select count(*) from pg_indexes where tablename like 'spt@_hist@_%' escape '@'
                    and indexname like '%@_ref@_%' escape '@';"
            }
            _ => {
                "select count(*) from sqlite_master where type = 'index' and name like '%@_ref@_%' escape '@';"
            }
        };
        assert_eq!(history.sql(count), "0");
        for _ in 0..2 {
            let mut tx = history.db.begin().await.unwrap();
            create_reference_indexes(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
        }
        // Ours already: the unique ones on certification and managed attribute, and those on the upper-cased names of
        // identity (display, last, first, email), managed attribute (display), role and workgroup.
        let ours = [
            "spt_hist_certification,cert_id,Y",
            "spt_hist_mattr,mattr_id,Y",
            "spt_hist_role,role_id,Y",
            "spt_hist_capability,capability_id,Y",
            "spt_hist_identity,display_name_ci,N",
            "spt_hist_identity,lastname_ci,N",
            "spt_hist_identity,firstname_ci,N",
            "spt_hist_identity,email_ci,N",
            "spt_hist_mattr,display_name_ci,N",
            "spt_hist_role,name_ci,N",
        ];
        let listed = INDEXES.lines().skip(1).filter(|line| !ours.contains(line)).count();
        assert_eq!(history.sql(count), listed.to_string(), "{}", history.outside.engine());
    }
}

/// Every statement of the crate is understood by every engine.
#[tokio::test]
async fn every_statement_prepares() {
    for history in histories().await {
        let statements = crate::statements(history.db.engine());
        assert!(statements.len() > 100, "{}", statements.len());
        for statement in statements {
            let mut tx = history.read().await;
            tx.prepare(&statement).await.unwrap_or_else(|error| {
                panic!("{} on {}: {error:?}", statement.name, history.outside.engine())
            });
        }
    }
}

/// What is ours is known by name, so that its growth is reported too.
#[tokio::test]
async fn our_own_tables_are_those_that_are_listed() {
    for history in histories().await {
        let statement = match history.outside.engine() {
            Engine::Postgres => {
                "select tablename from pg_tables where tablename like 'annals@_%' escape '@';"
            }
            _ => "select name from sqlite_master where type = 'table' and name like 'annals@_%' escape '@';",
        };
        let found = history.sql(statement);
        let found: BTreeSet<&str> = found.lines().collect();
        assert_eq!(found, BTreeSet::from(crate::schema::OUR_TABLES), "{}", history.outside.engine());
    }
}
