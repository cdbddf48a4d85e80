//! The shipped profile of IdentityIQ on generated worlds.

use annals_model::ObjectType;
use annals_source::Selection;
use annals_sql::{Access, Db};
use annals_testkit::{Engine, database, source_engines};
use annals_world::{Release, World, WorldOptions};

use crate::lab::{filter, open, qualified};

const PROFILE: &str = include_str!("../../../../config/sources/identityiq.yaml");

async fn world(engine: Engine, release: Release) -> annals_testkit::TestDb {
    let test_db = database(engine);
    let db = Db::open(test_db.url(), Access::ReadWrite).await.expect("the database opens");
    let options = WorldOptions { identities: 60, release, ..WorldOptions::default() };
    World::create(&db, options, &|_| ()).await.expect("a world");
    db.close().await;
    test_db
}

#[tokio::test]
async fn every_object_of_every_release_is_read() {
    for engine in source_engines() {
        for release in [Release::V8_0, Release::V8_4] {
            let db = world(engine, release).await;
            let source = open(&db, &PROFILE.replace("name: identityiq", "name: lab")).await;
            for object_type in source.profile().object_types.keys() {
                let ids = qualified(&source, *object_type, None, None, 500).await;
                let t = std::time::Instant::now();
                let batch = source.load(*object_type, &ids, &Selection::All).await.unwrap();
                println!(
                    "{engine} {} {object_type}: {} of {} in {} queries {:?}",
                    release.as_str(),
                    batch.objects.len(),
                    ids.len(),
                    batch.queries,
                    t.elapsed()
                );
                println!("   failed {:?} missing {:?}", batch.failed, batch.missing);
                if let (Engine::Sqlite, Some(o)) = (engine, batch.objects.first()) {
                    println!("   {}", serde_json::to_string(&o.properties).unwrap());
                }
            }
        }
    }
}
