use annals_sql::{Access, Db};
use annals_world::*;
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let db = Db::open(&a[1], Access::ReadWrite).await.unwrap();
    let n: u32 = a[2].parse().unwrap();
    let t = std::time::Instant::now();
    let last = std::sync::Mutex::new((Step::Tables, 0u64));
    let w = World::create(&db, WorldOptions { identities: n, ..Default::default() }, &|p| {
        let mut l = last.lock().unwrap();
        if l.0 != p.step || p.done > l.1 + 10000 { println!("{:?} {:?}", p, t.elapsed()); *l = (p.step, p.done); }
    }).await.unwrap();
    println!("created {:?}", t.elapsed());
    for (k, v) in w.census(&db).await.unwrap() { println!("{k} {v}"); }
}
