//! Which objects qualify.

use annals_model::ObjectType::Identity;
use annals_source::Page;
use annals_sql::{Access, Db, Stmt};
use annals_testkit::Engine;

use crate::lab::{Lab, filter, qualified};
use crate::staff;

/// IIQ-03: the first change time that is not null counts, the bound is closed, and nothing bounds it above. On release
/// 8.3 the column that 8.4 brings may be missing; here it is there, and counts.
#[tokio::test]
async fn objects_qualify_by_their_first_change_time_that_is_not_null() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        lab.sql("delete from Account;");
        let source = lab.open().await;
        assert_eq!(source.release(), Some("8.3-05"));
        // a1 2000, b2 3000, c3 1500, d4 never, e5 5000, f6 900; w7 is a workgroup.
        for (since, expected) in [
            (None, "a1 b2 c3 d4 e5 f6"),
            (Some(0), "a1 b2 c3 d4 e5 f6"),
            (Some(900), "a1 b2 c3 d4 e5 f6"),
            (Some(901), "a1 b2 c3 d4 e5"),
            (Some(2000), "a1 b2 d4 e5"),
            (Some(2001), "b2 d4 e5"),
            (Some(5001), "d4"),
        ] {
            let ids = qualified(&source, Identity, since, None, 2).await;
            assert_eq!(ids.join(" "), expected, "since {since:?} on {}", lab.db.engine());
            let count = source.count_qualified(Identity, since, None).await.unwrap();
            assert_eq!(count, ids.len() as u64);
        }
    }
}

/// IIQ-03: a changed account qualifies the person who has it.
#[tokio::test]
async fn a_changed_part_qualifies_its_object() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        // a1's accounts changed at 2500 and 7000, c3's at 100.
        let ids = qualified(&source, Identity, Some(6000), None, 10).await;
        assert_eq!(ids, ["a1", "d4"], "{}", lab.db.engine());
        let ids = qualified(&source, Identity, Some(7001), None, 10).await;
        assert_eq!(ids, ["d4"], "{}", lab.db.engine());
        let sales = filter(r#"department == "Sales""#);
        assert_eq!(qualified(&source, Identity, Some(0), Some(&sales), 10).await, ["e5", "f6"]);
    }
}

/// TRAP-03: sixty rows share one timestamp at the window's edge, pages are smaller, and all sixty arrive, once each.
#[tokio::test]
async fn objects_of_one_instant_all_qualify_across_pages() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        lab.sql("delete from Person; delete from Account;");
        let rows: Vec<String> = (0..150)
            .map(|n| format!("('{:02x}-{n}', {})", (n * 83) % 251, if n < 60 { 5000 } else { 4999 }))
            .collect();
        lab.sql(&format!("insert into Person (id, modified) values {};", rows.join(", ")));
        let source = lab.open().await;
        for page_max in [1, 7, 59, 60, 61] {
            let ids = qualified(&source, Identity, Some(5000), None, page_max).await;
            let mut numbers: Vec<u32> =
                ids.iter().map(|id| id.split_once('-').unwrap().1.parse().unwrap()).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..60).collect::<Vec<_>>(), "pages of {page_max} on {}", lab.db.engine());
        }
        assert_eq!(source.count_qualified(Identity, Some(5000), None).await.unwrap(), 60);
        assert_eq!(source.count_qualified(Identity, None, None).await.unwrap(), 150);
    }
}

/// TRAP-13: an empty table is no error.
#[tokio::test]
async fn nothing_qualifies_in_an_empty_table() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        lab.sql("delete from Person;");
        let source = lab.open().await;
        let page = source.qualified_page(Identity, None, None, None, 10).await.unwrap();
        assert_eq!(page, Page { ids: Vec::new(), is_last: true });
        assert_eq!(source.count_qualified(Identity, Some(0), None).await.unwrap(), 0);
    }
}

/// The sweep: what is left of a list of ids.
#[tokio::test]
async fn ids_that_are_gone_or_of_another_type_are_not_present() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let ids: Vec<String> = ["a1", "gone", "w7", "f6"].map(str::to_owned).to_vec();
        let mut present = source.present(Identity, &ids).await.unwrap();
        present.sort_unstable();
        assert_eq!(present, ["a1", "f6"], "{}", lab.db.engine());
        assert!(source.present(Identity, &[]).await.unwrap().is_empty());
    }
}

/// Six identities: a page that has room for one more is the last, and one that is just full does not know yet.
#[tokio::test]
async fn a_page_says_whether_another_may_follow() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let page = async |after, page_max| source.qualified_page(Identity, None, None, after, page_max).await;
        let of =
            |ids: &[&str], is_last| Page { ids: ids.iter().map(|id| (*id).to_owned()).collect(), is_last };
        assert_eq!(page(None, 4).await.unwrap(), of(&["a1", "b2", "c3", "d4"], false));
        assert_eq!(page(Some("d4"), 3).await.unwrap(), of(&["e5", "f6"], true));
        assert_eq!(page(Some("d4"), 2).await.unwrap(), of(&["e5", "f6"], false));
        assert_eq!(page(Some("f6"), 2).await.unwrap(), of(&[], true));
    }
}

#[tokio::test]
async fn objects_are_found_by_id_or_name() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        assert_eq!(source.ids_by_name(Identity, "Bob", 10).await.unwrap(), ["b2"]);
        assert_eq!(source.ids_by_name(Identity, "b2", 10).await.unwrap(), ["b2"]);
        assert!(source.ids_by_name(Identity, "bob", 10).await.unwrap().is_empty(), "{}", lab.db.engine());
        assert!(source.ids_by_name(Identity, "Crew", 10).await.unwrap().is_empty());
    }
}

/// The search for what changed by a column of instants has an index that the database takes, whatever its zone, and uses
/// it.
#[tokio::test]
async fn a_column_of_instants_has_an_index_that_serves_the_search() {
    let schema = "set timezone = 'UTC';\n".to_owned() + &staff::SCHEMA.replace("{datetime}", "timestamptz");
    let profile = staff::PROFILE.replace(
        "changed: [{column: significant_modified, since: \"8.4\"}, modified, created]",
        "changed: [{column: last_login, kind: dateTime}, created]",
    );
    let lab = Lab::new(Engine::Postgres, &schema, &profile);
    lab.sql("delete from Account;");
    for setting in ["timezone = \"America/New_York\"", "enable_seqscan = off"] {
        lab.sql(&format!(
            "do $$ begin execute format('alter database %I set {setting}', current_database()); end $$;"
        ));
    }
    let source = lab.open().await;
    let ddl = source.change_indexes().unwrap();
    for _ in 0..2 {
        lab.sql(&ddl);
    }
    // Ann logged in on 2026-01-31 10:00:00 UTC, which is 1769853600 by `date -u -d '2026-01-31 10:00' +%s`; Dee
    // fourteen hours later.
    let ann_ms = 1_769_853_600_000;
    let source = &source;
    let found = |since_ms| async move { qualified(source, Identity, Some(since_ms), None, 10).await };
    assert_eq!(found(ann_ms).await, ["a1", "d4"]);
    assert_eq!(found(ann_ms + 1).await, ["d4"]);
    assert_eq!(found(ann_ms + 14 * 3_600_000 + 1).await, Vec::<String>::new());
    let used = "select idx_scan > 0 from pg_stat_user_indexes where indexrelname = 'annals_changed_person';";
    // The server counts a moment later.
    let began = std::time::Instant::now();
    while lab.sql(used).trim() != "t" {
        assert!(began.elapsed().as_secs() < 30, "{ddl}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// The horizon stays behind the source's clock by the overlap (TRAP-04).
#[tokio::test]
async fn the_horizon_is_the_sources_time_less_the_overlap() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let before = source.now_ms().await.unwrap();
        let horizon = source.horizon(60_000).await.unwrap();
        let after = source.now_ms().await.unwrap();
        assert_eq!(horizon.blind, None);
        // MariaDB does not tell transactions on other databases of the server apart, and others are at work there.
        let earliest = if lab.db.engine() == Engine::MariaDb { before - 660_000 } else { before - 60_000 };
        assert!((earliest..=after - 60_000).contains(&horizon.at_ms), "{}", lab.db.engine());
        // Epoch milliseconds of this century.
        assert!((1_700_000_000_000..4_000_000_000_000).contains(&before));
    }
}

/// TRAP-04: the horizon is no later than the beginning of any transaction that is open, and moves on when it ends.
#[tokio::test]
async fn the_horizon_waits_for_open_transactions() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        if lab.db.engine() == Engine::Sqlite {
            // It has one writer at a time, of whom it tells nothing.
            continue;
        }
        let source = lab.open().await;
        let writer = Db::open(lab.db.url(), Access::ReadWrite).await.unwrap();
        let mut tx = writer.begin().await.unwrap();
        let touch = Stmt::built("test.touch", "update Person set id = id".to_owned());
        assert!(tx.execute(&touch, vec![]).await.unwrap() > 0);
        let began = source.now_ms().await.unwrap();
        // MariaDB keeps an answer for a moment.
        while source.now_ms().await.unwrap() < began + 500 {}
        let held = source.horizon(0).await.unwrap();
        assert!(held.at_ms <= began, "{}: {held:?}, {began}", lab.db.engine());
        tx.commit().await.unwrap();
        if lab.db.engine() == Engine::Postgres {
            assert!(source.horizon(0).await.unwrap().at_ms >= began + 500);
        }
    }
}

/// Without the right to see the transactions of others the answer would be wrong in silence: the overlap alone counts,
/// and the grant that helps is named. With the grant all is told.
#[tokio::test]
async fn who_may_not_see_transactions_is_told_the_grant() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        // Users belong to the whole server: the name is this test's own.
        let name = lab.db.url().rsplit('/').next().unwrap().replace("annals_", "reader_");
        let name: String = name.chars().take(40).collect();
        let (make, grant) = match lab.db.engine() {
            Engine::Sqlite => continue,
            Engine::Postgres => (
                format!("create role {name} login; grant select on all tables in schema public to {name};"),
                format!("grant pg_read_all_stats to {name};"),
            ),
            Engine::MariaDb => (
                format!("create user {name}@'127.0.0.1'; grant select on *.* to {name}@'127.0.0.1';"),
                format!("grant process on *.* to '{name}'@'127.0.0.1';"),
            ),
        };
        lab.db.sql(&make);
        let (scheme, rest) = lab.db.url().split_once("://").unwrap();
        let url = format!("{scheme}://{name}@{}", rest.split_once('@').unwrap().1);
        let source = lab.open_as(&url).await;
        let before = source.now_ms().await.unwrap();
        let blind = source.horizon(5_000).await.unwrap();
        assert_eq!(blind.blind, Some(format!("the user may not see the transactions of others: {grant}")));
        assert!(blind.at_ms >= before - 5_000);
        lab.db.sql(&grant);
        let source = lab.open_as(&url).await;
        assert_eq!(source.horizon(5_000).await.unwrap().blind, None);
        drop(source);
        lab.db.sql(&match lab.db.engine() {
            Engine::Postgres => format!("drop owned by {name}; drop role {name};"),
            _ => format!("drop user {name}@'127.0.0.1';"),
        });
    }
}
