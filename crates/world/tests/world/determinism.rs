//! The same seed, the same rows.

use std::collections::BTreeMap;

use annals_model::ObjectType;
use annals_testkit::{Engine, source_engines};
use annals_world::{Release, World, WorldError, WorldOptions};

use crate::snapshot::Snapshot;
use crate::{empty, of_release, options, world};

/// On every engine, twice on the first, with days passed: the same rows and the same deeds.
#[tokio::test]
async fn the_same_seed_gives_the_same_rows_on_every_engine() {
    let mut seen: Option<(Snapshot, String, BTreeMap<ObjectType, u64>)> = None;
    for engine in [Engine::Sqlite].into_iter().chain(source_engines()) {
        let (_test_db, db, mut world) = world(engine, WorldOptions { identities: 150, ..options(11) }).await;
        let mut deeds = Vec::new();
        for _ in 0..4 {
            deeds.extend(world.pass_day(&db).await.unwrap());
        }
        let census = world.census(&db).await.unwrap();
        let now = (Snapshot::take(&db).await, serde_json::to_string(&deeds).unwrap(), census);
        if let Some(first) = &seen {
            for (table, rows) in &now.0.tables {
                assert!(rows == first.0.table(table), "{table} differs on {engine}");
            }
            assert!(now.1 == first.1, "the deeds differ on {engine}");
            assert_eq!(now.2, first.2, "{engine}");
        } else {
            assert!(now.0.table("spt_identity").len() > 150);
            seen = Some(now);
        }
        db.close().await;
    }
}

#[tokio::test]
async fn another_seed_gives_another_world() {
    let (_one_db, one, _) = world(Engine::Sqlite, options(1)).await;
    let (_two_db, two, _) = world(Engine::Sqlite, options(2)).await;
    let (one, two) = (Snapshot::take(&one).await, Snapshot::take(&two).await);
    for table in
        ["spt_identity", "spt_link", "spt_identity_entitlement", "spt_certification_item", "spt_bundle"]
    {
        let ids: Vec<&String> =
            one.table(table).keys().filter(|id| two.table(table).contains_key(*id)).collect();
        assert!(ids.is_empty(), "{table}");
    }
}

/// A world that is opened again goes on as if it had never been closed.
#[tokio::test]
async fn a_world_goes_on_where_it_was_left() {
    let (_one_db, one_db, mut one) = world(Engine::Sqlite, options(5)).await;
    let (_two_db, two_db, mut two) = world(Engine::Sqlite, options(5)).await;
    for _ in 0..5 {
        let deeds = one.pass_day(&one_db).await.unwrap();
        two = World::open(&two_db).await.unwrap();
        assert_eq!(two.pass_day(&two_db).await.unwrap(), deeds);
    }
    assert_eq!((one.day(), two.day()), (5, 5));
    assert_eq!(two.now_ms(), options(5).start_ms + 5 * 86_400_000);
    assert!(Snapshot::take(&one_db).await == Snapshot::take(&two_db).await);
}

/// Releases before 8.4 have no `significant_modified` and note no deletions; days pass in them all the same.
#[tokio::test]
async fn earlier_releases_have_worlds_too() {
    for release in [Release::V8_0, Release::V8_3] {
        let (_test_db, db, mut world) = of_release(release).await;
        for _ in 0..8 {
            assert!(!world.pass_day(&db).await.unwrap().is_empty());
        }
        let snapshot = Snapshot::take(&db).await;
        let version = &snapshot.table("spt_database_version")["main"];
        assert_eq!(version["system_version"], format!("{release}-00"));
        assert!(snapshot.table("spt_identity").values().all(|row| !row.contains_key("significant_modified")));
        assert!(!snapshot.tables.contains_key("spt_intercepted_delete"));
        let has_flags = snapshot.table("spt_link").values().any(|row| row.contains_key("iiq_disabled"));
        assert_eq!(has_flags, release == Release::V8_3);
    }
}

#[tokio::test]
async fn what_makes_no_world_is_refused() {
    let (_test_db, db) = empty(Engine::Sqlite).await;
    assert!(matches!(World::open(&db).await, Err(WorldError::NoWorld)));
    let small = WorldOptions { identities: 19, ..options(1) };
    let refused = World::create(&db, small, &|_| ()).await;
    assert!(matches!(refused, Err(WorldError::TooSmall { least: 20, found: 19 })));
    World::create(&db, WorldOptions { identities: 20, ..options(1) }, &|_| ()).await.unwrap();
    let again = World::create(&db, options(1), &|_| ()).await;
    assert!(matches!(again, Err(WorldError::NotEmpty { .. })));
}
