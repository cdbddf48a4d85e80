//! Temporary measurement.
use annals_history::*;
use annals_model::*;
use annals_sql::{Access, Db};
use serde_json::json;
use std::time::Instant;

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let db = Db::open(&url, Access::ReadWrite).await.unwrap();
    db.migrate(migrations(db.engine())).await.unwrap();
    let images: Vec<Image> = (0..n).map(|i| {
        let f = json!({"displayName": format!("Person Number {i}"), "firstname": format!("First{}", i%977), "lastname": format!("Last{}", i%1777), "email": format!("p{i}@example.com"),
            "manager": {"id": format!("{:032x}", i/10), "name": format!("p{}", i/10)}, "inactive": false, "type": "employee", "department": format!("dept {}", i%50),
            "accounts": (0..3).map(|a| json!({"id": format!("{:032x}", i*3+a+1_000_000), "application": {"id": format!("{:032x}", a), "name": format!("App {a}")}, "nativeIdentity": format!("cn=p{i},ou=x{a},dc=example"), "displayName": format!("p{i}")})).collect::<Vec<_>>(),
            "entitlements": (0..12).map(|e| json!({"id": format!("{:032x}", i*12+e+9_000_000), "name": "memberOf", "value": format!("cn=group{},ou=groups,dc=example", (i*7+e*13)%3000), "application": format!("App {}", e%3)})).collect::<Vec<_>>(),
            "assignedRoles": (0..3).map(|r| json!({"id": format!("{:032x}", (i+r)%400), "name": format!("Role {}", (i+r)%400)})).collect::<Vec<_>>(),
            "created": 1_600_000_000_000_i64 + i as i64, "attributes": {"costCenter": format!("{}", i%300), "location": format!("City {}", i%90), "jobTitle": format!("Title {}", i%500)}});
        let serde_json::Value::Object(m) = f else { panic!() };
        Image { image_fields: m, image_type: "identity".into() }
    }).collect();
    let source: std::sync::Arc<str> = "s".into();
    let (mut prep, mut enc, mut fl, mut rd) = (0.0, 0.0, 0.0, 0.0);
    let total = Instant::now();
    let mut bytes = 0;
    for (b, chunk) in images.chunks(2500).enumerate() {
        let t = Instant::now();
        let keys: Vec<ObjectKey> = (0..chunk.len()).map(|k| ObjectKey { source: source.clone(), object_type: ObjectType::Identity, object_id: format!("{:032x}", b*2500+k) }).collect();
        let docs: Vec<(Vec<u8>, ImageHashes)> = chunk.iter().enumerate().map(|(k, im)| { let by = canonical_bytes(&serde_json::to_value(im).unwrap()); let h = hash_bytes(&by); bytes += by.len();
            (full_document("T", &format!("{:016x}{:016x}", b, k), &by), ImageHashes { full: h.clone(), smart: h }) }).collect();
        prep += t.elapsed().as_secs_f64();
        let t = Instant::now();
        let mut tx = db.begin().await.unwrap();
        let got = heads(&mut tx, &keys).await.unwrap();
        assert!(got.is_empty());
        rd += t.elapsed().as_secs_f64();
        let t = Instant::now();
        let mut w = Writes::new(JsonFormat::Zipped);
        for (k, ((im, (doc, h)), key)) in chunk.iter().zip(docs).zip(&keys).enumerate() {
            let id = format!("{:016x}{:016x}", b, k);
            w.event(NewEvent { table: EventTable::Identity, id: id.clone(), recorded_ms: 1, event_date_ms: 1, entity_id: key.object_id.clone(), entity_name: "n".into(), prev_capture_id: None, capture_id: Some(id.clone()), category: "Identity", event_type: "IdentityDiscovered", source_type: "INITIAL_CAPTURE", detail: None, property_name: None, old_value: None, new_value: None, account: None, request_item_id: None, identity_request_id: None, pending_request_item_id: None, identity_entitlement_id: None, qry: Default::default() });
            w.head(key.clone(), Head { capture_id: id.clone(), effective_ms: 1, extended_to_ms: 1, observed_ms: 1, full_hash: h.full.clone(), smart_hash: h.smart.clone(), patches_since_full: 0, full_capture_id: id.clone(), full_effective_ms: 1, deleted: false, name: format!("p{k}") });
            w.capture(NewCapture { id, key: key.clone(), name: format!("p{k}"), identity: None, transform: "T".into(), recorded_ms: 1, effective_ms: 1, extended_to_ms: None, document: NewDocument::Full(doc), hashes: Some(h), image: Some(im), latest: true }).unwrap();
        }
        enc += t.elapsed().as_secs_f64();
        let t = Instant::now();
        w.flush(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        fl += t.elapsed().as_secs_f64();
    }
    let el = total.elapsed().as_secs_f64();
    println!("{n} in {el:.2}s = {:.0}/s; prepare {prep:.2} heads {rd:.2} encode {enc:.2} flush {fl:.2}; json {} bytes each", n as f64 / el, bytes / n);
    let t = Instant::now();
    let mut tx = db.begin_read().await.unwrap();
    let keys: Vec<ObjectKey> = (0..2500.min(n)).map(|k| ObjectKey { source: source.clone(), object_type: ObjectType::Identity, object_id: format!("{:032x}", k) }).collect();
    let hs = heads(&mut tx, &keys).await.unwrap();
    let pairs: Vec<_> = hs.iter().collect();
    let t1 = t.elapsed();
    let ims = head_images(&mut tx, &pairs).await.unwrap();
    assert!(ims.values().all(Result::is_ok));
    println!("heads {:?} images {:?} for {}", t1, t.elapsed() - t1, ims.len());
    let t = Instant::now();
    for g in growth(&mut tx, 0).await.unwrap() { if g.rows > 0 { println!("{} {} {}", g.table, g.rows, g.bytes); } }
    println!("growth {:?}", t.elapsed());
}
