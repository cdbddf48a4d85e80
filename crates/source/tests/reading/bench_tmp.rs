use annals_source::Selection;
use annals_sql::{Access, Db};
use annals_testkit::{database, source_engines};
use annals_world::{World, WorldOptions};
use std::time::Instant;
use crate::lab::{open, qualified};
const PROFILE: &str = include_str!("../../../../config/sources/identityiq.yaml");
#[tokio::test]
async fn bench_tmp() {
    for engine in source_engines() {
        let test_db = database(engine);
        let db = Db::open(test_db.url(), Access::ReadWrite).await.expect("the database opens");
        let t = Instant::now();
        let options = WorldOptions { identities: 10_000, ..WorldOptions::default() };
        World::create(&db, options, &|_| ()).await.expect("a world");
        db.close().await;
        println!("{engine}: world {:?}", t.elapsed());
        if engine == annals_testkit::Engine::Postgres { test_db.sql("analyze;"); }
        let t = Instant::now();
        let source = open(&test_db, &PROFILE.replace("name: identityiq", "name: lab")).await;
        println!("{engine}: open {:?}", t.elapsed());
        for object_type in source.profile().object_types.keys() {
            let t = Instant::now();
            let ids = qualified(&source, *object_type, None, None, 10_000).await;
            let all = t.elapsed();
            let t = Instant::now();
            let none = qualified(&source, *object_type, Some(1_767_571_200_000), None, 10_000).await;
            let some = t.elapsed();
            let t = Instant::now();
            let half = qualified(&source, *object_type, Some(1_767_371_200_000), None, 10_000).await;
            let halft = t.elapsed();
            let t = Instant::now();
            let mut slowest = std::time::Duration::ZERO;
            for chunk in ids.chunks(2500) {
                let t = Instant::now();
                let batch = source.load(*object_type, chunk, &Selection::All).await.unwrap();
                slowest = slowest.max(t.elapsed());
                assert!(batch.missing.is_empty());
                if !batch.failed.is_empty() { println!("{:?}", batch.failed); }
            }
            println!("{engine} {object_type}: {} ids in {all:?}; since: {} in {some:?}; earlier: {} in {halft:?}; load {:?}, slowest batch {slowest:?}", ids.len(), none.len(), half.len(), t.elapsed());
        }
    }
}
