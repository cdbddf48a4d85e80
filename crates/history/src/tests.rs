//! Tests of the store, on every engine that history is kept on, from one body.

mod broken;
mod catalogue;
mod columns;
mod compact;
mod entities;
mod events;
mod finding;
mod heads;
mod instants;
mod intervals;
mod read_back;
mod repacking;
mod scopes;
mod views;

use std::collections::BTreeSet;
use std::sync::Arc;

use annals_model::{Image, ImageHashes, JsonFormat, ObjectKey, ObjectType, canonical_bytes, hash_bytes};
use annals_sql::{Access, Db, Tx};
use annals_testkit::{TestDb, database, history_engines};
use serde_json::{Value, json};

use crate::{
    Dictionaries, Encoder, FlushSummary, NewCapture, NewDocument, Writes, full_document, migrations,
};

/// A migrated history database.
struct History {
    db: Db,
    /// Looks at what was written by another way than the code under test.
    outside: TestDb,
    dictionaries: Dictionaries,
}

/// A history database on each engine.
async fn histories() -> Vec<History> {
    let mut histories = Vec::new();
    for engine in history_engines() {
        let outside = database(engine);
        let db = Db::open(outside.url(), Access::ReadWrite).await.unwrap();
        db.migrate(migrations(db.engine())).await.unwrap();
        histories.push(History { db, outside, dictionaries: Dictionaries::default() });
    }
    histories
}

impl History {
    /// Writes in a transaction of its own.
    async fn write(&self, fill: impl FnOnce(&mut Writes)) -> FlushSummary {
        let mut writes = Writes::new(JsonFormat::Zipped);
        fill(&mut writes);
        self.flush(writes).await
    }

    async fn flush(&self, writes: Writes) -> FlushSummary {
        let mut tx = self.db.begin().await.unwrap();
        let summary = writes.flush(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        summary
    }

    /// An encoder whose dictionary is trained from so many documents, where there is none.
    async fn encoder(&self, format: JsonFormat, object_type: ObjectType, samples: usize) -> Encoder {
        let mut tx = self.db.begin().await.unwrap();
        let types = BTreeSet::from([object_type]);
        let samples = |object_type| sample_documents(object_type, samples);
        let encoder = self.dictionaries.encoder(&mut tx, format, types, samples).await.unwrap();
        tx.commit().await.unwrap();
        encoder
    }

    async fn read(&self) -> Tx {
        self.db.begin_read().await.unwrap()
    }

    /// What the engine's own program prints: rows by line, columns parted by `|`.
    fn sql(&self, statement: &str) -> String {
        self.outside.sql(statement).trim_end().replace('\t', "|")
    }
}

fn key(object_type: ObjectType, object_id: &str) -> ObjectKey {
    ObjectKey { source: "test".into(), object_type, object_id: object_id.to_owned() }
}

fn identity(object_id: &str) -> ObjectKey {
    key(ObjectType::Identity, object_id)
}

fn image(object_type: ObjectType, fields: Value) -> Image {
    let Value::Object(image_fields) = fields else { panic!("fields are an object") };
    Image { image_fields, image_type: object_type.as_str().to_owned() }
}

fn image_bytes(image: &Image) -> Vec<u8> {
    canonical_bytes(&serde_json::to_value(image).unwrap())
}

fn hashes(image: &Image) -> ImageHashes {
    let full = hash_bytes(&image_bytes(image));
    ImageHashes { smart: full.clone(), full }
}

/// Documents of objects that have much in common.
fn sample_documents(object_type: ObjectType, count: usize) -> Vec<Vec<u8>> {
    let one = |n: usize| {
        let fields =
            json!({"displayName": format!("person {}", n * 7919), "type": "employee", "inactive": false});
        full_document("T", &format!("{n:032x}"), &image_bytes(&image(object_type, fields)))
    };
    (0..count).map(one).collect()
}

/// A full capture with everything else as simple as can be: recorded one second after it came about.
fn full<'i>(id: &str, key: &ObjectKey, effective_ms: i64, image: &'i Image) -> NewCapture<'i> {
    let transform: Arc<str> = "T".into();
    NewCapture {
        id: id.to_owned(),
        key: key.clone(),
        name: format!("name of {}", key.object_id),
        identity: None,
        recorded_ms: effective_ms + 1_000,
        effective_ms,
        extended_to_ms: None,
        document: NewDocument::Full(full_document(&transform, id, &image_bytes(image))),
        transform,
        hashes: Some(hashes(image)),
        image: Some(image),
        latest: true,
        known: true,
    }
}

/// A patch capture that replaces the whole image.
fn patch<'i>(id: &str, parent: &str, key: &ObjectKey, effective_ms: i64, image: &'i Image) -> NewCapture<'i> {
    let operations = json!([{"op": "replace", "path": "/eventImage", "value": image}]);
    NewCapture {
        document: NewDocument::Patch {
            parent: parent.to_owned(),
            operations: operations.to_string().into_bytes(),
        },
        ..full(id, key, effective_ms, image)
    }
}

fn tombstone(id: &str, key: &ObjectKey, effective_ms: i64) -> NewCapture<'static> {
    NewCapture {
        id: id.to_owned(),
        key: key.clone(),
        name: format!("name of {}", key.object_id),
        identity: None,
        transform: "T".into(),
        recorded_ms: effective_ms + 1_000,
        effective_ms,
        extended_to_ms: None,
        document: NewDocument::Tombstone,
        hashes: None,
        image: None,
        latest: true,
        known: true,
    }
}
