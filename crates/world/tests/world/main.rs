//! What a generated world is held to: the same from the same seed, whole, and true to its log of deeds.

#![expect(clippy::unwrap_used, reason = "what prepares a test may fail it")]

mod consistency;
mod deeds;
mod determinism;
mod snapshot;
mod xml_forms;

use annals_sql::{Access, Db};
use annals_testkit::{Engine, TestDb, database};
use annals_world::{Release, World, WorldOptions};

/// Small, with many changes a day, so that every kind of deed happens within a few weeks.
fn options(seed: u64) -> WorldOptions {
    WorldOptions { seed, identities: 300, daily_changes_permille: 60, ..WorldOptions::default() }
}

/// An empty database and a connection to it; the first one must outlive the second.
async fn empty(engine: Engine) -> (TestDb, Db) {
    let test_db = database(engine);
    let db = Db::open(test_db.url(), Access::ReadWrite).await.unwrap();
    (test_db, db)
}

/// A world in a database of its own.
async fn world(engine: Engine, options: WorldOptions) -> (TestDb, Db, World) {
    let (test_db, db) = empty(engine).await;
    let world = World::create(&db, options, &|_| ()).await.unwrap();
    (test_db, db, world)
}

/// A world of a release on SQLite.
async fn of_release(release: Release) -> (TestDb, Db, World) {
    world(Engine::Sqlite, WorldOptions { release, ..options(3) }).await
}

/// Programs with many threads run these in tasks of their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_world_is_made_and_goes_on_in_a_task() {
    let (_test_db, db) = empty(Engine::Sqlite).await;
    let small = WorldOptions { identities: 40, ..options(1) };
    let task = tokio::spawn(async move {
        World::create(&db, small, &|_| ()).await.unwrap();
        let mut world = World::open(&db).await.unwrap();
        world.pass_day(&db).await.unwrap();
        world.day()
    });
    assert_eq!(task.await.unwrap(), 1);
}
