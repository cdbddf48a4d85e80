//! Sources that do not tell when what is open began: replicas, and servers with prepared transactions.

use annals_sql::{Access, Db, Stmt};
use annals_testkit::{Engine, MariaDb, Postgres};
use annals_world::{World, WorldOptions};
use serde_json::Value;

use crate::daemon::wait_for;
use crate::program::annals;
use crate::site::{START_MS, Site};

/// A person who is changed, and how.
fn change(engine: Engine, name: &str) -> String {
    let now_ms = match engine {
        Engine::Postgres => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        _ => "cast(unix_timestamp(now(3)) * 1000 as signed)",
    };
    format!(
        "update spt_identity set firstname = '{name}', significant_modified = {now_ms}
         where id = (select id from (select min(id) as id from spt_identity where not workgroup) first)"
    )
}

/// A site that reads the identity system of a server of its own.
async fn site(admin_url: &str) -> (Site, String) {
    let site = Site::new(Engine::Sqlite, Engine::Sqlite, 20).await;
    let admin = Db::open(admin_url, Access::ReadWrite).await.unwrap();
    run(&admin, "create database world").await;
    let (server, _) = admin_url.rsplit_once('/').unwrap();
    let url = format!("{server}/world");
    let world = Db::open(&url, Access::ReadWrite).await.unwrap();
    let options = WorldOptions { identities: 20, start_ms: START_MS, ..WorldOptions::default() };
    World::create(&world, options, &|_| {}).await.unwrap();
    reads(&site, &url);
    (site, url)
}

/// Lets a site read another server.
fn reads(site: &Site, url: &str) {
    reads_with(site, url, "");
}

fn reads_with(site: &Site, url: &str, more: &str) {
    site.service("");
    site.edit(
        "annals.yaml",
        &format!("url: \"{}\"}}\nhistory", site.source.url()),
        &format!("url: \"{url}\", overlapSeconds: 0{more}}}\nhistory"),
    );
}

/// Runs statements outside a transaction of the connection's, which then ends.
async fn run(db: &Db, statements: &str) {
    let mut tx = db.begin().await.unwrap();
    tx.execute_script("test.end", "commit").await.unwrap();
    tx.execute_script("test.statements", statements).await.unwrap();
    drop(tx);
}

/// A number, unless the server cannot tell it now: a replica that makes tables at that moment says so.
async fn number(url: &str, select: &str) -> Option<i64> {
    let db = Db::open(url, Access::ReadOnly).await.ok()?;
    let mut tx = db.begin_read().await.ok()?;
    let row = tx.fetch_one(&Stmt::built("test.number", select.to_owned()), Vec::new()).await.ok()?;
    row.int(0).unwrap()
}

fn messages(site: &Site) -> Vec<String> {
    let shown = annals(site.path(), &["runs", "show", "-o", "json"]).exits(0).json();
    let texts = shown["messages"].as_array().unwrap().iter();
    texts.map(|message: &Value| message["text"].as_str().unwrap().to_owned()).collect()
}

/// What the doctor says.
#[track_caller]
fn says(site: &Site, text: &str) {
    // In columns long texts are broken.
    let said = annals(site.path(), &["doctor", "-o", "json"]);
    assert!(said.out.contains(text), "`{text}` is missing: {said:#?}");
}

fn captures(site: &Site) -> u64 {
    site.count("select count(*) from spt_hist_identity_capture;")
}

/// TRAP-04: while a transaction is prepared the named timestamp stays, with a warning that says why; when it is committed
/// what it wrote is read, however long ago that was written.
async fn stays_for_what_is_prepared(site: &Site, world: &str, prepare: &[&str], commit: &str) {
    annals(site.path(), &["run"]).exits(0);
    let (before, kept) = (site.timestamp(), captures(site));
    let db = Db::open_with(world, Access::ReadWrite, 1).await.unwrap();
    run(&db, &prepare.join("; ")).await;
    // The connection ends with what it has prepared left behind.
    db.close().await;
    for _ in 0..2 {
        let said = annals(site.path(), &["run"]).exits(0).tells("1 prepared transactions");
        assert!(said.err.contains("warning"), "{}", said.err);
        assert!(messages(site).iter().any(|text| text.contains("the named timestamp stays where it is")));
        assert_eq!((site.timestamp(), captures(site)), (before, kept));
    }
    says(site, "the named timestamp stays where it is");
    let db = Db::open(world, Access::ReadWrite).await.unwrap();
    run(&db, commit).await;
    annals(site.path(), &["run"]).exits(0);
    assert_eq!(captures(site), kept + 1);
    // MariaDB gives the same answer about its transactions for a tenth of a second.
    wait_for("the named timestamp to move", || {
        site.timestamp() > before || {
            annals(site.path(), &["run"]).exits(0);
            false
        }
    });
}

/// What a replica is said to be, in the log, the run's messages and by the doctor; with `source.replica: refuse` the run
/// ends as BRV-14 has it.
fn is_told_to_be_a_replica(site: &Site, url: &str) {
    annals(site.path(), &["run"]).exits(0).tells("the source is a replica");
    assert!(messages(site).iter().any(|text| text.contains("read the primary")), "{:?}", messages(site));
    says(site, "the source is a replica");
    let timestamp = site.timestamp();
    reads_with(site, url, ", replica: refuse");
    annals(site.path(), &["run"]).exits(8).tells("Name the primary in `source.url`");
    let shown = annals(site.path(), &["runs", "show", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&shown["run"]["status"], &shown["run"]["result"]),
        (&"error".into(), &"NotPrimaryNode".into())
    );
    says(site, "source.replica refuses one");
    assert_eq!(site.timestamp(), timestamp);
    reads(site, url);
}

/// TRAP-04, BRV-14: a standby is recognised, and its horizon is no later than what it has replayed.
#[tokio::test]
async fn a_postgresql_standby_and_what_is_prepared_on_its_primary() {
    let primary = Postgres::start_primary().unwrap();
    let (site, world) = site(primary.admin_url()).await;
    let late = change(Engine::Postgres, "Late");
    let prepare = ["begin", late.as_str(), "prepare transaction 'late'"];
    stays_for_what_is_prepared(&site, &world, &prepare, "commit prepared 'late'").await;

    let standby = primary.start_standby().unwrap();
    let (server, _) = standby.admin_url().rsplit_once('/').unwrap();
    let replica = format!("{server}/world");
    let admin = Db::open(&world, Access::ReadWrite).await.unwrap();
    run(&admin, "create role plain login").await;
    run(&admin, "grant select on all tables in schema public to plain").await;
    // A right on the last of them: it is granted after the role is made.
    let has_role = "select count(*) from pg_roles r where rolname = 'plain'
                      and has_table_privilege(r.oid, 'spt_identity', 'select')";
    let (began, patience) = (std::time::Instant::now(), std::time::Duration::from_secs(60));
    while number(&replica, has_role).await != Some(1) {
        assert!(began.elapsed() < patience, "the standby does not follow");
    }
    // Whoever reads need not be told more than anybody is.
    let plain = replica.replace("//annals@", "//plain@");
    reads(&site, &plain);
    is_told_to_be_a_replica(&site, &plain);

    // A standby that stands still has a horizon that does.
    let beside = Db::open(standby.admin_url(), Access::ReadWrite).await.unwrap();
    run(&beside, "select pg_wal_replay_pause()").await;
    let paused_ms =
        number(&world, "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)").await;
    run(&admin, &change(Engine::Postgres, "Later")).await;
    while number(&world, "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)").await
        < paused_ms.map(|ms| ms + 1_000)
    {}
    let kept = captures(&site);
    annals(site.path(), &["run"]).exits(0);
    assert!(site.timestamp() <= paused_ms, "{:?} {paused_ms:?}", site.timestamp());
    run(&beside, "select pg_wal_replay_resume()").await;
    wait_for("what was behind", || {
        annals(site.path(), &["run"]).exits(0);
        captures(&site) == kept + 1
    });
}

/// The same on MariaDB; the replica is one while it stands still as well.
#[tokio::test]
async fn a_mariadb_replica_and_what_is_prepared_on_its_primary() {
    let primary = MariaDb::start_primary().unwrap();
    let (site, world) = site(primary.admin_url()).await;
    let late = change(Engine::MariaDb, "Late");
    let prepare = ["xa start 'late'", late.as_str(), "xa end 'late'", "xa prepare 'late'"];
    stays_for_what_is_prepared(&site, &world, &prepare, "xa commit 'late'").await;

    // With the rights that the documentation lists, and no other.
    let on_primary = Db::open(&world, Access::ReadWrite).await.unwrap();
    for statement in [
        "create user plain@'127.0.0.1'",
        "grant select on world.* to plain@'127.0.0.1'",
        "grant process on *.* to plain@'127.0.0.1'",
    ] {
        run(&on_primary, statement).await;
    }
    reads(&site, &world.replace("//annals@", "//plain@"));
    let said = annals(site.path(), &["run"]).exits(0);
    assert!(!said.err.contains("replica") && !said.err.contains("grant"), "{}", said.err);

    let follower = MariaDb::start_replica().unwrap();
    let port = primary.admin_url().rsplit_once(':').unwrap().1.split('/').next().unwrap();
    let replica = follower.admin_url().replace("/mysql", "/world");
    let admin = Db::open(follower.admin_url(), Access::ReadWrite).await.unwrap();
    for statement in [
        format!(
            "change master to master_host = '127.0.0.1', master_port = {port}, master_user = 'annals',
             master_use_gtid = slave_pos"
        ),
        "start slave".to_owned(),
    ] {
        run(&admin, &statement).await;
    }
    let counted = "select count(*) from information_schema.tables where table_schema = 'world'";
    let tables = number(&world, counted).await;
    // The last thing that the primary was told.
    let has_right = "select count(*) from information_schema.user_privileges
                     where grantee like '%plain%' and privilege_type = 'PROCESS'";
    let (began, patience) = (std::time::Instant::now(), std::time::Duration::from_secs(60));
    while number(follower.admin_url(), counted).await != tables
        || number(&replica, "select count(*) from spt_identity where firstname = 'Late'").await != Some(1)
        || number(&replica, has_right).await != Some(1)
    {
        assert!(began.elapsed() < patience, "the replica does not follow");
    }
    let plain = replica.replace("//annals@", "//plain@");
    reads(&site, &plain);
    is_told_to_be_a_replica(&site, &plain);
    reads(&site, &replica);
    run(&admin, "stop slave").await;
    annals(site.path(), &["run"]).exits(0).tells("the source is a replica");
}
