use annals_sql::{Access, Db};
use annals_world::*;
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let db = Db::open(&a[1], Access::ReadWrite).await.unwrap();
    let n: u32 = a[2].parse().unwrap();
    let days: u32 = a[3].parse().unwrap();
    let t = std::time::Instant::now();
    let mut w = if n > 0 { World::create(&db, WorldOptions { identities: n, ..Default::default() }, &|p| { if p.done % 500 == 0 || p.step != Step::People { eprintln!("{p:?} {:?}", t.elapsed()); } }).await.unwrap() } else { World::open(&db).await.unwrap() };
    eprintln!("created {:?}", t.elapsed());
    let mut all = std::collections::BTreeMap::new();
    for _ in 0..days {
        let t = std::time::Instant::now();
        let deeds = w.pass_day(&db).await.unwrap();
        let sig: std::collections::BTreeSet<_> = deeds.iter().flat_map(|d| d.objects.iter()).filter(|o| o.object_type == annals_model::ObjectType::Identity && o.stamp == Stamp::Significant).map(|o| o.id.clone()).collect();
        eprintln!("day {} deeds {} significant identities {} {:?}", w.day(), deeds.len(), sig.len(), t.elapsed());
        for d in deeds { *all.entry(format!("{:?}", d.kind)).or_insert(0) += 1; println!("{}", serde_json::to_string(&d).unwrap()); }
    }
    for (k, v) in w.census(&db).await.unwrap() { eprintln!("{k} {v}"); }
    eprintln!("{all:?}");
}
