//! One body for every engine: parameters, cells, bulk writes, the catalogue, transactions, migrations.

#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use annals_sql::{
    Access, Batch, Cell, Column, ColumnData, ColumnKind, Db, ErrorKind, IndexKind, Migration, OnConflict,
    Stmt, Value,
};
use annals_testkit::{Engine, TestDb, database, history_engines, source_engines};

async fn open(engine: Engine) -> (TestDb, Db) {
    let test_db = database(engine);
    let db = Db::open(test_db.url(), Access::ReadWrite).await.expect("opens");
    (test_db, db)
}

async fn script(db: &Db, text: &str) {
    let mut tx = db.begin().await.expect("begins");
    tx.execute_script("test script", text).await.expect("runs");
    tx.commit().await.expect("commits");
}

fn stmt(text: &str) -> Stmt {
    Stmt::built("test", text.to_owned())
}

fn rows(ids: &[i64], names: &[Option<&str>]) -> Batch {
    Batch::new(vec![
        Column { name: "id", data: ColumnData::Int(ids.iter().copied().map(Some).collect()) },
        Column { name: "name", data: ColumnData::Text(names.iter().map(|n| n.map(str::to_owned)).collect()) },
    ])
}

#[tokio::test]
async fn every_kind_of_parameter_comes_back_as_it_went() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        let blob = if engine == Engine::Postgres { "bytea" } else { "blob" };
        script(&db, &format!("create table t (i bigint, x double precision, t varchar(50), b {blob})")).await;
        let mut tx = db.begin().await.expect("begins");
        let insert = stmt("insert into t (i, x, t, b) values (?, ?, ?, ?)");
        let bytes = vec![0_u8, 255, 1];
        let full = vec![i64::MIN.into(), 0.5.into(), "ä😀'?".into(), Value::Bytes(Some(bytes.clone()))];
        assert_eq!(tx.execute(&insert, full).await.expect("inserts"), 1);
        let nulls = vec![Value::Int(None), Value::Float(None), Value::Text(None), Value::Bytes(None)];
        tx.execute(&insert, nulls).await.expect("inserts");
        tx.commit().await.expect("commits");
        let mut tx = db.begin_read().await.expect("begins");
        let found =
            tx.fetch_all(&stmt("select i, x, t, b from t order by i is null"), vec![]).await.expect("reads");
        let cells = |row: usize| [0, 1, 2, 3].map(|column| found[row].cell(column).expect("a cell"));
        assert_eq!(
            cells(0),
            [Cell::Int(i64::MIN), Cell::Float(0.5), Cell::Text("ä😀'?"), Cell::Bytes(&bytes)]
        );
        assert_eq!(cells(1), [Cell::Null; 4], "{engine:?}");
    }
}

#[tokio::test]
async fn lists_compare_with_text_and_with_numbers() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        script(&db, "create table t (id bigint, name varchar(50))").await;
        let mut tx = db.begin().await.expect("begins");
        tx.insert("t", rows(&[1, 2, 3], &[Some("a"), Some("b"), None]), OnConflict::Fail)
            .await
            .expect("inserts");
        let by_name = stmt("select id from t where name {in} and id < ?");
        let names = Value::from(vec!["b".to_owned(), "zz".to_owned()]);
        let found = tx.fetch_all(&by_name, vec![names, 10_i64.into()]).await.expect("reads");
        assert_eq!(found.iter().map(|r| r.required_int(0).expect("id")).collect::<Vec<_>>(), [2]);
        let by_id = stmt("select id from t where id {in} order by id");
        let found = tx.fetch_all(&by_id, vec![Value::from(vec![3_i64, 1])]).await.expect("reads");
        assert_eq!(found.iter().map(|r| r.required_int(0).expect("id")).collect::<Vec<_>>(), [1, 3]);
        let none = tx.fetch_all(&by_id, vec![Value::IntList(vec![])]).await.expect("reads");
        assert!(none.is_empty(), "{engine:?}");
    }
}

#[tokio::test]
async fn bulk_writes_insert_ignore_replace_and_add() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        script(&db, "create table t (id bigint not null primary key, name varchar(50), n bigint)").await;
        let mut tx = db.begin().await.expect("begins");
        // More rows than one statement takes.
        let ids: Vec<i64> = (1..=1_203).collect();
        tx.insert("t", rows(&ids, &vec![Some("x"); ids.len()]), OnConflict::Fail).await.expect("inserts");
        let key: &[&str] = &["id"];
        tx.insert("t", rows(&[1], &[Some("ignored")]), OnConflict::Ignore).await.expect("ignores");
        tx.insert("t", rows(&[2, 2_000], &[Some("new"), None]), OnConflict::Replace { key })
            .await
            .expect("replaces");
        let numbers = |n: i64| {
            Batch::new(vec![
                Column { name: "id", data: ColumnData::Int(vec![Some(5_000)]) },
                Column { name: "n", data: ColumnData::Int(vec![Some(n)]) },
            ])
        };
        for n in [3, 4] {
            tx.insert("t", numbers(n), OnConflict::Add { key }).await.expect("adds");
        }
        tx.commit().await.expect("commits");
        let mut tx = db.begin_read().await.expect("begins");
        let found = tx
            .fetch_all(
                &stmt("select id, name, n from t where id in (1, 2, 1203, 2000, 5000) order by id"),
                vec![],
            )
            .await
            .expect("reads");
        let found: Vec<_> = found
            .iter()
            .map(|r| (r.required_int(0).expect("id"), r.text(1).expect("name"), r.int(2).expect("n")))
            .collect();
        let wanted = [
            (1, Some("x"), None),
            (2, Some("new"), None),
            (1_203, Some("x"), None),
            (2_000, None, None),
            (5_000, None, Some(7)),
        ];
        assert_eq!(found, wanted, "{engine:?}");
    }
}

/// A row is replaced only if it still is as it was read; null is a value like any other there. Whoever is at it is waited
/// for.
#[tokio::test]
async fn rows_are_replaced_only_as_they_were_read() {
    for engine in history_engines() {
        let (_guard, db) = open(engine).await;
        script(&db, "create table t (id bigint not null primary key, name varchar(50))").await;
        let ids: Vec<i64> = (1..=1_203).collect();
        let mut tx = db.begin().await.expect("begins");
        tx.insert("t", rows(&ids, &vec![None; ids.len()]), OnConflict::Fail).await.expect("inserts");
        let names =
            |names: &[Option<&str>]| Batch::new(rows(&vec![0; names.len()], names).columns.split_off(1));
        // More rows than one statement takes.
        let all = rows(&ids, &vec![Some("a"); ids.len()]);
        let swapped = tx.swap("t", &["id"], all, names(&vec![None; ids.len()])).await.expect("replaces");
        assert_eq!(swapped, 1_203, "{engine:?}");
        // One as it was read, one of which something else was read, one that is not there.
        let some = rows(&[1, 2, 9_999], &[Some("b"), None, Some("b")]);
        let read = names(&[Some("a"), None, Some("a")]);
        assert_eq!(tx.swap("t", &["id"], some, read).await.expect("replaces"), 1, "{engine:?}");
        tx.commit().await.expect("commits");

        let mut first = db.begin().await.expect("begins");
        let swap = async |tx: &mut annals_sql::Tx, name: &str| {
            tx.swap("t", &["id"], rows(&[1], &[Some(name)]), names(&[Some("b")])).await.expect("replaces")
        };
        assert_eq!(swap(&mut first, "first").await, 1, "{engine:?}");
        let second = async {
            let mut second = db.begin().await.expect("begins");
            let swapped = swap(&mut second, "second").await;
            second.commit().await.expect("commits");
            swapped
        };
        let commit = async { first.commit().await.expect("commits") };
        let (swapped, ()) = tokio::join!(second, commit);
        assert_eq!(swapped, 0, "{engine:?}");

        let mut tx = db.begin_read().await.expect("begins");
        let found = tx
            .fetch_all(&stmt("select id, name from t where id in (1, 2, 9999) order by id"), vec![])
            .await
            .expect("reads");
        let found: Vec<_> =
            found.iter().map(|r| (r.required_int(0).expect("id"), r.text(1).expect("name"))).collect();
        assert_eq!(found, [(1, Some("first")), (2, Some("a"))], "{engine:?}");
    }
}

/// Enough rows for the fastest way that an engine has; every kind of column, and what must not be taken for a mark.
#[tokio::test]
async fn many_rows_come_back_as_they_went() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        let (blob, boolean) =
            if engine == Engine::Postgres { ("bytea", "boolean") } else { ("blob", "smallint") };
        script(
            &db,
            &format!(
                "create table t (id bigint not null primary key, small smallint, medium integer, flag {boolean},
                    name varchar(50), body {blob}, empty varchar(50))"
            ),
        )
        .await;
        let odd = ["", "a\tb\nc\\N", "\\.", "ä😀'\"", "NULL"];
        let count = 300_usize;
        let batch = |from: i64| {
            let each =
                |value: &dyn Fn(usize) -> Option<i64>| ColumnData::Int((0..count).map(value).collect());
            let id = |n: usize| i64::try_from(n).expect("small") + from;
            let (name, bytes) = (
                (0..count).map(|n| (n % 7 != 0).then(|| odd[n % odd.len()].to_owned())).collect(),
                (0..count)
                    .map(|n| (n % 3 != 0).then(|| vec![0, 255, u8::try_from(n % 256).expect("a byte")]))
                    .collect(),
            );
            Batch::new(vec![
                Column { name: "id", data: each(&|n| Some(id(n))) },
                Column { name: "small", data: each(&|n| (n % 2 == 0).then_some(-32_768)) },
                Column { name: "medium", data: each(&|_| Some(2_147_483_647)) },
                Column {
                    name: "flag",
                    data: ColumnData::Bool((0..count).map(|n| Some(n % 2 == 0)).collect()),
                },
                Column { name: "name", data: ColumnData::Text(name) },
                Column { name: "body", data: ColumnData::Bytes(bytes) },
                Column { name: "empty", data: ColumnData::Text(vec![None; count]) },
            ])
        };
        let mut tx = db.begin().await.expect("begins");
        tx.insert("t", batch(0), OnConflict::Fail).await.expect("inserts");
        let found = tx
            .fetch_all(&stmt("select id, small, medium, flag, name, body, empty from t order by id"), vec![])
            .await
            .expect("reads");
        assert_eq!(found.len(), count);
        for (n, row) in found.iter().enumerate() {
            let name = (n % 7 != 0).then(|| odd[n % odd.len()]);
            let body = [0, 255, u8::try_from(n % 256).expect("a byte")];
            assert_eq!(row.required_int(0).expect("id"), i64::try_from(n).expect("small"));
            assert_eq!(row.int(1).expect("small"), (n % 2 == 0).then_some(-32_768), "{engine:?} {n}");
            assert_eq!(row.int(2).expect("medium"), Some(2_147_483_647));
            assert_eq!(row.int(3).expect("flag"), Some(i64::from(n % 2 == 0)), "{engine:?} {n}");
            assert_eq!(row.text(4).expect("name"), name, "{engine:?} {n}");
            assert_eq!(row.bytes(5).expect("body"), (n % 3 != 0).then_some(&body[..]), "{engine:?} {n}");
            assert_eq!(row.cell(6).expect("empty"), Cell::Null);
        }
        tx.commit().await.expect("commits");

        let mut tx = db.begin().await.expect("begins");
        let again = tx.insert("t", batch(299), OnConflict::Fail).await.expect_err("299 is there");
        assert_eq!(again.kind(), ErrorKind::Constraint, "{engine:?} {again:?}");
        drop(tx);
        let mut tx = db.begin().await.expect("the connection is as good as before");
        let left = tx.fetch_one(&stmt("select count(*) from t"), vec![]).await.expect("reads");
        assert_eq!(left.required_int(0).expect("a number"), 300, "{engine:?}");
    }
}

/// What a column cannot hold is refused, and named by its class, however many rows there are.
#[tokio::test]
async fn a_value_that_is_too_wide_is_a_data_error() {
    let (_guard, db) = open(Engine::Postgres).await;
    script(&db, "create table t (id smallint, name varchar(50))").await;
    for rows in [2, 300] {
        let ids = ColumnData::Int(vec![Some(32_768); rows]);
        let wide = Batch::new(vec![Column { name: "id", data: ids }]);
        let text = ColumnData::Text(vec![Some("a\0b".to_owned()); rows]);
        let nul = Batch::new(vec![Column { name: "name", data: text }]);
        for batch in [wide, nul] {
            let mut tx = db.begin().await.expect("begins");
            let error = tx.insert("t", batch, OnConflict::Fail).await.expect_err("is refused");
            assert_eq!(error.kind(), ErrorKind::Data, "{rows} rows: {error:?}");
        }
    }
}

/// An index is dropped and made again by the statements that the catalogue gives for it.
#[tokio::test]
async fn indexes_are_dropped_and_made_again() {
    for engine in history_engines() {
        let (_guard, db) = open(engine).await;
        script(
            &db,
            "create table t (id bigint not null primary key, name varchar(50));
             create index t_name on t (upper(name)); create unique index t_both on t (id, name)",
        )
        .await;
        let mut tx = db.begin().await.expect("begins");
        let before = tx.indexes(&["t", "unknown"]).await.expect("reads");
        let kinds: Vec<(&str, IndexKind)> =
            before.iter().map(|index| (index.name.as_str(), index.kind)).collect();
        let mut expected = vec![("t_both", IndexKind::Unique), ("t_name", IndexKind::Plain)];
        if engine == Engine::Postgres {
            expected.push(("t_pkey", IndexKind::PrimaryKey));
            expected.sort_by_key(|(name, _)| *name);
        }
        assert_eq!(kinds, expected);
        for index in &before {
            tx.execute_script("drop", &index.drop_sql).await.expect("drops");
        }
        assert_eq!(tx.indexes(&["t"]).await.expect("reads"), []);
        for index in &before {
            tx.execute_script("make", &index.create_sql).await.expect("makes");
        }
        assert_eq!(tx.indexes(&["t"]).await.expect("reads"), before, "{engine:?}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        script(&db, "create table t (id bigint not null primary key, name varchar(50))").await;
        {
            let mut tx = db.begin().await.expect("begins");
            tx.insert("t", rows(&[1], &[None]), OnConflict::Fail).await.expect("inserts");
        }
        let mut tx = db.begin().await.expect("begins");
        let count = tx.fetch_one(&stmt("select count(*) from t"), vec![]).await.expect("reads");
        assert_eq!(count.required_int(0).expect("a number"), 0, "{engine:?}");
    }
}

#[tokio::test]
async fn a_database_opened_for_reading_refuses_to_be_written() {
    for engine in source_engines() {
        let (guard, db) = open(engine).await;
        script(&db, "create table t (id bigint)").await;
        let reader = Db::open(guard.url(), Access::ReadOnly).await.expect("opens");
        let mut tx = reader.begin_read().await.expect("begins");
        assert!(tx.execute(&stmt("insert into t values (1)"), vec![]).await.is_err(), "{engine:?}");
        tx.rollback().await.expect("rolls back");
        let written = match reader.begin().await {
            Ok(mut tx) => tx.execute(&stmt("insert into t values (1)"), vec![]).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(written.is_err(), "{engine:?}");
    }
}

#[tokio::test]
async fn errors_are_classed_alike() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        script(&db, "create table t (id bigint not null primary key, name varchar(50))").await;
        let kind = async |text: &str| {
            let mut tx = db.begin().await.expect("begins");
            let error = tx.execute(&stmt(text), vec![]).await.expect_err("fails");
            error.kind()
        };
        assert_eq!(
            kind("insert into t values (1, null), (1, null)").await,
            ErrorKind::Constraint,
            "{engine:?}"
        );
        assert_eq!(kind("insert into t values (null, null)").await, ErrorKind::Constraint, "{engine:?}");
        assert_eq!(kind("select absent from t").await, ErrorKind::Missing, "{engine:?}");
        assert_eq!(kind("select * from nowhere").await, ErrorKind::Missing, "{engine:?}");
    }
    let nobody =
        Db::open("postgres://nobody@127.0.0.1:1/none", Access::ReadOnly).await.expect_err("no server");
    assert_eq!(nobody.kind(), ErrorKind::Unreachable);
    let unknown = Db::open("oracle:thin", Access::ReadOnly).await.expect_err("no such engine");
    assert_eq!(unknown.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn the_catalogue_tells_names_and_kinds() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        let (flag, instant) = match engine {
            Engine::Sqlite => ("boolean", "datetime"),
            Engine::Postgres => ("boolean", "timestamp"),
            Engine::MariaDb => ("bit(1)", "datetime(6)"),
        };
        script(
            &db,
            &format!("create table Things (Id integer, Name varchar(20), Big bigint, Flag {flag}, At {instant}, Amount numeric(9,2))"),
        )
        .await;
        let mut tx = db.begin_read().await.expect("begins");
        let names = ["THINGS".to_owned(), "nowhere".to_owned()];
        let tables = tx.catalog(&names).await.expect("reads the catalogue");
        assert_eq!(tables.len(), 1);
        let kind = |column: &str| tables["things"].columns[column].kind;
        assert_eq!(kind("id"), ColumnKind::Integer);
        assert_eq!(kind("name"), ColumnKind::Text);
        assert_eq!(kind("big"), ColumnKind::Integer);
        let wanted = if engine == Engine::MariaDb { ColumnKind::Integer } else { ColumnKind::Boolean };
        assert_eq!(kind("flag"), wanted, "{engine:?}");
        assert_eq!(kind("at"), ColumnKind::DateTime);
        assert_eq!(kind("amount"), ColumnKind::Decimal);
    }
}

/// 2026-03-01 00:00:00 UTC is 1772323200 by `date -u -d 2026-03-01 +%s`.
/// Text of a binary collation is text, and bytes are bytes.
#[tokio::test]
async fn text_of_a_binary_collation_is_text() {
    let (_guard, db) = open(Engine::MariaDb).await;
    script(
        &db,
        "create table t (v varchar(20), l longtext, b varbinary(20)) character set utf8mb4 collate utf8mb4_bin;
         insert into t values ('ä', 'ö', 'ü')",
    )
    .await;
    let mut tx = db.begin_read().await.expect("begins");
    let row = tx.fetch_one(&stmt("select v, l, b from t"), vec![]).await.expect("reads");
    assert_eq!(row.cell(0).expect("a cell"), Cell::Text("ä"));
    assert_eq!(row.cell(1).expect("a cell"), Cell::Text("ö"));
    assert_eq!(row.cell(2).expect("a cell"), Cell::Bytes("ü".as_bytes()));
}

#[tokio::test]
async fn instants_become_epoch_milliseconds() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        let instant = if engine == Engine::Postgres { "timestamp" } else { "datetime" };
        let precise = if engine == Engine::MariaDb { "datetime(6)" } else { instant };
        script(
            &db,
            &format!("create table t (at {precise}); insert into t values ('2026-03-01 00:00:01.250')"),
        )
        .await;
        let mut tx = db.begin_read().await.expect("begins");
        let text = format!("select {} from t", db.engine().date_time_as_millis("at"));
        let row = tx.fetch_one(&stmt(&text), vec![]).await.expect("reads");
        assert_eq!(row.required_int(0).expect("a number"), 1_772_323_201_250, "{engine:?}");
    }
}

#[tokio::test]
async fn prefixes_are_matched_with_case_and_without_wildcards() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        script(&db, "create table t (id bigint, name varchar(50))").await;
        let mut tx = db.begin().await.expect("begins");
        let names = [Some("A_b%c"), Some("a_b%c"), Some("Axb%c"), Some("A[b*?")];
        tx.insert("t", rows(&[1, 2, 3, 4], &names), OnConflict::Fail).await.expect("inserts");
        for (prefix, wanted) in [("A_", vec![1]), ("A[b*", vec![4]), ("", vec![1, 2, 3, 4])] {
            let text = format!("select id from t where {} order by id", db.engine().like("name"));
            let pattern = db.engine().like_pattern(false, prefix, true);
            let found = tx.fetch_all(&stmt(&text), vec![pattern.into()]).await.expect("reads");
            let ids: Vec<i64> = found.iter().map(|r| r.required_int(0).expect("id")).collect();
            assert_eq!(ids, wanted, "{engine:?} {prefix}");
        }
    }
}

#[tokio::test]
async fn migrations_are_applied_once_and_never_changed() {
    const FIRST: Migration = Migration { version: 1, name: "first", sql: "create table a (id bigint)" };
    const SECOND: Migration = Migration { version: 2, name: "second", sql: "create table b (id bigint)" };
    for engine in history_engines() {
        let (_guard, db) = open(engine).await;
        let applied = async |migrations: &[Migration]| {
            db.migrate(migrations).await.map(|newly| newly.into_iter().map(|m| m.version).collect::<Vec<_>>())
        };
        assert_eq!(applied(&[FIRST]).await.expect("migrates"), [1]);
        assert_eq!(applied(&[FIRST, SECOND]).await.expect("migrates"), [2]);
        assert_eq!(applied(&[FIRST, SECOND]).await.expect("migrates"), Vec::<i64>::new());
        let changed = Migration { sql: "create table a (id bigint, x bigint)", ..FIRST };
        let error = db.migrate(&[changed, SECOND]).await.expect_err("refuses");
        assert_eq!(error.kind(), ErrorKind::Migration, "{engine:?}");
    }
}

#[tokio::test]
async fn the_databases_clock_runs() {
    for engine in source_engines() {
        let (_guard, db) = open(engine).await;
        let first = db.now_ms().await.expect("a time");
        let second = db.now_ms().await.expect("a time");
        // Between 2026 and 2100: milliseconds, not seconds.
        assert!((1_767_225_600_000..4_102_444_800_000).contains(&first), "{engine:?} {first}");
        assert!(second >= first);
    }
}

/// A sample costs the same whatever the table's size, and reaches all over it.
#[tokio::test]
async fn a_sample_is_taken_from_all_over_a_table() {
    for engine in history_engines() {
        let (_guard, db) = open(engine).await;
        script(&db, "create table t (id bigint, name varchar(200))").await;
        let mut tx = db.begin().await.expect("begins");
        let none = tx.sample("t", "id", 100).await.expect("samples");
        assert_eq!((none.table_rows, none.rows.len()), (0, 0));
        let ids: Vec<i64> = (0..20_000).collect();
        let name = "x".repeat(100);
        let names: Vec<Option<&str>> = ids.iter().map(|_| Some(name.as_str())).collect();
        tx.insert("t", rows(&ids, &names), OnConflict::Fail).await.expect("inserts");
        // PostgreSQL counts a table that it has not analysed yet.
        assert_eq!(tx.estimate_rows("t").await.expect("estimates"), 20_000);
        tx.commit().await.expect("commits");
        let mut tx = db.begin_read().await.expect("begins");
        let some = tx.sample("t", "id", 1_000).await.expect("samples");
        assert!((500..=1_000).contains(&some.rows.len()), "{engine:?} {}", some.rows.len());
        let sampled: Vec<i64> = some.rows.iter().map(|row| row.required_int(0).expect("id")).collect();
        for quarter in ids.chunks(5_000) {
            assert!(sampled.iter().any(|id| quarter.contains(id)), "{engine:?} {sampled:?}");
        }
        let all = tx.sample("t", "id", 50_000).await.expect("samples");
        assert_eq!(all.rows.len(), 20_000);
    }
}
