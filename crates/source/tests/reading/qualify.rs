//! Which objects qualify.

use annals_model::ObjectType::Identity;
use annals_source::Page;

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

/// The horizon stays behind the source's clock by the overlap (TRAP-04).
#[tokio::test]
async fn the_horizon_is_the_sources_time_less_the_overlap() {
    for lab in Lab::all(staff::SCHEMA, staff::PROFILE) {
        let source = lab.open().await;
        let before = source.now_ms().await.unwrap();
        let horizon = source.horizon_ms(60_000).await.unwrap();
        let after = source.now_ms().await.unwrap();
        assert!((before - 60_000..=after - 60_000).contains(&horizon));
        // Epoch milliseconds of this century.
        assert!((1_700_000_000_000..4_000_000_000_000).contains(&before));
    }
}
