fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let env = |name: &str| match name {
        "ANNALS_SOURCE_URL" => Some("sqlite:source.db".into()),
        "ANNALS_SECRET_HASH_KEY" => Some("0123456789abcdef0123".into()),
        _ => None,
    };
    let t = std::time::Instant::now();
    match annals_config::Config::load(dir.as_ref(), &env) {
        Ok(c) => {
            println!("{}\n---ok {:?}", c.warnings, t.elapsed());
            for t in c.tasks.values() {
                println!("{:?}", annals_config::banner::run_banners(&c, t).objects);
            }
            println!("{:?}", c.service);
        }
        Err(p) => println!("{p}\n---{} errors", p.error_count()),
    }
}
