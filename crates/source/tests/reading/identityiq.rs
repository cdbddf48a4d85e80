//! The shipped profile of IdentityIQ on generated worlds.

use std::collections::BTreeMap;

use annals_model::ObjectType;
use annals_source::{Loaded, Source};
use annals_sql::{Access, Db};
use annals_testkit::{Engine, TestDb, database, source_engines};
use annals_world::{Release, World, WorldOptions};
use serde_json::{Value, json};

use crate::lab::{filter, load, must, open, qualified};

const PROFILE: &str = include_str!("../../../../config/sources/identityiq.yaml");

async fn world(engine: Engine, release: Release) -> (TestDb, Source) {
    let test_db = database(engine);
    let db = must(Db::open(test_db.url(), Access::ReadWrite).await);
    let options = WorldOptions { identities: 60, release, ..WorldOptions::default() };
    must(World::create(&db, options, &|_| ()).await);
    db.close().await;
    let source = open(&test_db, &PROFILE.replace("name: identityiq", "name: lab")).await;
    (test_db, source)
}

async fn everything(source: &Source, engine: Engine) -> BTreeMap<ObjectType, Vec<Loaded>> {
    let mut objects = BTreeMap::new();
    for object_type in source.profile().object_types.keys() {
        let ids = qualified(source, *object_type, None, None, 100).await;
        let batch = load(source, *object_type, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!((&batch.missing, &batch.failed), (&vec![], &vec![]), "{object_type} on {engine}");
        let loaded: Vec<&String> = batch.objects.iter().map(|object| &object.id).collect();
        assert_eq!(loaded, ids.iter().collect::<Vec<_>>(), "{object_type} on {engine}");
        objects.insert(*object_type, batch.objects);
    }
    objects
}

/// IIQ-05: all fourteen types of the oldest and the newest release are read, and every engine tells the same of the same
/// world.
#[tokio::test]
async fn every_object_is_read_and_is_the_same_on_every_engine() {
    for release in [Release::V8_0, Release::V8_4] {
        let mut first: Option<BTreeMap<ObjectType, Vec<Loaded>>> = None;
        for engine in source_engines() {
            let (db, source) = world(engine, release).await;
            assert!(source.release().is_some_and(|name| name.starts_with(release.as_str())), "{engine}");
            let objects = everything(&source, engine).await;
            assert_eq!(objects.len(), ObjectType::ALL.len());
            assert!(objects.values().all(|objects| !objects.is_empty()), "{engine}");
            for (object_type, table) in [
                (ObjectType::Account, "spt_link"),
                (ObjectType::Role, "spt_bundle"),
                (ObjectType::ManagedAttribute, "spt_managed_attribute"),
                (ObjectType::IdentityRequest, "spt_identity_request"),
            ] {
                let rows = db.sql(&format!("select count(*) from {table};"));
                assert_eq!(rows.trim(), objects[&object_type].len().to_string(), "{table} on {engine}");
            }
            assert_eq!(objects[&ObjectType::Identity].len(), 60);
            // Release 8.3 brought the column.
            let elevated =
                |role: &Loaded| role.properties.get("iiqElevatedAccess").is_some_and(Value::is_boolean);
            assert_eq!(objects[&ObjectType::Role].iter().any(elevated), release == Release::V8_4);
            match &first {
                None => first = Some(objects),
                Some(first) => {
                    for (object_type, objects) in &objects {
                        for (one, other) in objects.iter().zip(&first[object_type]) {
                            assert_eq!(one, other, "{object_type} on {engine}");
                        }
                    }
                }
            }
        }
    }
}

/// No clear text of a password, nor its cipher text, is in any object.
#[tokio::test]
async fn no_cipher_text_leaves_the_source() {
    let (db, source) = world(Engine::Sqlite, Release::V8_4).await;
    let stored =
        db.sql("select count(*) from spt_identity where password like '1:%' or attributes like '%1:ACP:%';");
    assert_ne!(stored.trim(), "0", "the world has secrets");
    for (object_type, objects) in everything(&source, Engine::Sqlite).await {
        for object in objects {
            let text = json!(object.properties).to_string();
            assert!(!text.contains(":ACP:"), "{object_type} {}", object.name);
        }
    }
}

/// IIQ-03: a touched account qualifies its identity, and a filter narrows what qualifies.
#[tokio::test]
async fn a_touched_account_qualifies_its_identity() {
    for engine in source_engines() {
        let (db, source) = world(engine, Release::V8_4).await;
        let now = 4_000_000_000_000_i64;
        let owner = db.sql("select identity_id from spt_link order by id limit 1;").trim().to_owned();
        db.sql(&format!(
            "update spt_link set modified = {now}, significant_modified = null where identity_id = '{owner}';"
        ));
        let people = qualified(&source, ObjectType::Identity, Some(now), None, 10).await;
        assert_eq!(people, std::slice::from_ref(&owner), "{engine}");
        assert_eq!(load(&source, ObjectType::Identity, &[&owner]).await.objects[0].occurred_ms, now);
        let inactive = filter("inactive == true");
        assert!(qualified(&source, ObjectType::Identity, Some(now), Some(&inactive), 10).await.is_empty());
        assert!(qualified(&source, ObjectType::Role, Some(now), None, 10).await.is_empty());
    }
}
