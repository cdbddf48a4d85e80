//! What a daemon says over HTTP: figures for a monitor, and how it is.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use annals_sql::{Access, Db, Stmt};
use annals_testkit::{Engine, database};
use serde_json::Value;

use crate::daemon::{Daemon, wait_for};
use crate::program::annals;
use crate::site::{Site, TASK};

/// Any port that is free; the log says which.
const LISTEN: &str = "http: {listen: \"127.0.0.1:0\"}\n";
const SELDOM: &str = "schedule: {everySeconds: 604800}";

/// A site whose daemon listens, its task with these lines.
async fn site(source: Engine, history: Engine, identities: u32, service: &str, task: &str) -> Site {
    let site = Site::new(source, history, identities).await;
    site.service(&format!("{LISTEN}{service}"));
    site.write("tasks/dispatch-access-history.yaml", &format!("name: {TASK}\n{task}\n"));
    site
}

/// Where a daemon listens.
fn address(daemon: &Daemon) -> String {
    let said = "metrics and health at http://";
    wait_for("an address", || daemon.log().contains(said));
    let log = daemon.log();
    let (_, rest) = log.split_once(said).unwrap();
    rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect()
}

/// Status, head and body of an answer.
fn get(address: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// Whether it is ready, and what is checked.
fn ready(address: &str) -> (bool, Value) {
    let (status, head, body) = get(address, "/health/ready");
    assert!(head.contains("content-type: application/json"), "{head}");
    let said: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(said["ready"], status == 200, "{status} {body}");
    assert!(status == 200 || status == 503, "{status} {body}");
    (status == 200, said["checks"].clone())
}

/// The figures by name and labels, as they are written.
fn scrape(address: &str) -> BTreeMap<String, f64> {
    let (status, head, body) = get(address, "/metrics");
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The name of a figure of the task.
fn of_task(name: &str, labels: &str) -> String {
    format!("{name}{{{labels}task=\"{TASK}\"}}")
}

/// Whether a figure is so much, give or take.
#[track_caller]
fn about(figures: &BTreeMap<String, f64>, name: &str, expected: f64, most: f64) {
    let told = figures.get(name).unwrap_or_else(|| panic!("no {name}: {figures:#?}"));
    assert!((told - expected).abs() <= most, "{name} is {told}, not {expected}");
}

fn ended(site: &Site) -> u64 {
    site.count("select count(*) from annals_run where state = 'ended';")
}

/// The figures are those of the history database, before a run, after one, and after one of which messages are parked;
/// the log says of which run, partition and object.
#[tokio::test]
async fn figures_are_those_of_the_history_database() {
    for engine in annals_testkit::history_engines() {
        let task = format!("{SELDOM}\narguments: {{maxFailuresPercent: 100}}");
        let site = site(engine, engine, 20, "log: {filter: \"warn,annals=info\", json: true}\n", &task).await;
        let daemon = Daemon::serving(site.path(), &["--host", "alpha"]);
        let address = address(&daemon);
        assert_eq!(get(&address, "/health/live").0, 200);
        assert_eq!(get(&address, "/").0, 404);
        let (is_ready, checks) = ready(&address);
        assert!(is_ready && checks.as_object().unwrap().values().all(|check| check == "ok"), "{checks}");
        let before = scrape(&address);
        assert_eq!(before["annals_history_up"], 1.0);
        assert_eq!(before["annals_hosts_alive{role=\"scheduler\"}"], 1.0);
        assert_eq!((before["annals_parked_messages"], before["annals_dead_letters"]), (0.0, 0.0));
        for absent in ["annals_runs_total", "annals_objects_total", "annals_named_timestamp_lag_seconds"] {
            assert!(!before.keys().any(|name| name.starts_with(absent)), "{before:#?}");
        }

        annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
        wait_for("the run", || ended(&site) == 1);
        let success = of_task("annals_runs_total", "result=\"Success\",status=\"success\",");
        wait_for("its figures", || scrape(&address).get(&success) == Some(&1.0));
        let after = scrape(&address);
        assert_eq!(after[&of_task("annals_last_run_info", "result=\"Success\",status=\"success\",")], 1.0);
        let ended_ms = site.count("select ended from annals_run;");
        let name = of_task("annals_last_run_ended_timestamp_seconds", "");
        about(&after, &name, ended_ms as f64 / 1_000.0, 0.001);
        let full = site.count("select sum(full_captures) from annals_run_write;");
        assert!(full > 20);
        assert_eq!(after[&of_task("annals_objects_total", "outcome=\"full\",")], full as f64);
        let now_ms = site.db.now_ms().await.unwrap();
        let lag_s = (now_ms - site.timestamp().unwrap()) as f64 / 1_000.0;
        about(&after, &of_task("annals_named_timestamp_lag_seconds", ""), lag_s, 10.0);
        let late_ms = site.count("select lateness_ms from annals_schedule_fire where outcome = 'triggered';");
        let name = of_task("annals_schedule_lateness_seconds", "");
        about(&after, &name, late_ms as f64 / 1_000.0, 0.001);
        assert_eq!(after[&of_task("annals_schedule_waiting_seconds", "")], 0.0);
        assert_eq!(after["annals_fenced_writes_total"], 0.0);
        assert_eq!(after["annals_queue_deliveries"], 0.0);

        refuse_people(&site);
        annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
        wait_for("the second run", || ended(&site) == 2);
        site.history.sql(
            "insert into annals_dead_letter (id, source, object_type, object_id, created, reason, message)
             select id, source, object_type, object_id, created, reason, message from annals_parked_message
             order by id limit 1;",
        );
        wait_for("the dead letter", || scrape(&address)["annals_dead_letters"] == 1.0);
        let last = scrape(&address);
        let parked = site.count("select count(*) from annals_parked_message;");
        assert_eq!((parked, last["annals_parked_messages"]), (2, 2.0));
        assert_eq!(last[&of_task("annals_objects_total", "outcome=\"failed\",")], 2.0);
        assert_eq!(last[&success], 1.0);
        let line = &site.look("select status, result from annals_run where id = 2;")[0];
        let (status, result) = line.split_once('|').unwrap();
        assert_ne!(status, "success");
        let labels = format!("result=\"{result}\",status=\"{status}\",");
        assert_eq!(last[&of_task("annals_last_run_info", &labels)], 1.0);
        assert_eq!(last.keys().filter(|name| name.starts_with("annals_last_run_info")).count(), 1);
        logs_parked_messages(&daemon.log());
        daemon.stops();
    }
}

/// History refuses two of three people who are changed.
fn refuse_people(site: &Site) {
    site.history.sql(
        "create unique index refuse on spt_hist_identity_capture (display_name) where display_name = 'Refused';",
    );
    let started = site.count("select max(started) from annals_run;");
    site.change(&format!(
        "update spt_identity set display_name = 'Refused', modified = {started} where id in
           (select id from spt_identity where coalesce(workgroup, {{false}}) = {{false}} order by id limit 3);"
    ));
}

#[track_caller]
fn logs_parked_messages(log: &str) {
    // What is said of the configuration comes before the log.
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_parked = |line: &&Value| line["fields"]["message"].as_str().unwrap().ends_with("is parked");
    let parked: Vec<&Value> = lines.iter().filter(is_parked).collect();
    assert_eq!(parked.len(), 2, "{log}");
    for line in parked {
        assert_eq!((&line["span"]["run"], &line["fields"]["object_type"]), (&2.into(), &"identity".into()));
        assert!(line["span"]["partition"].is_u64(), "{line}");
        let id = line["fields"]["object"].as_str().unwrap();
        assert!(line["fields"]["message"].as_str().unwrap().contains(id), "{line}");
    }
}

/// Figures that take long to read are told as they were read last, with their age, and nobody waits for them: least of
/// all who asks whether the host is ready.
#[tokio::test]
async fn nobody_waits_for_figures() {
    let site = site(Engine::Sqlite, Engine::Postgres, 20, "", SELDOM).await;
    let daemon = Daemon::serving(site.path(), &[]);
    let address = address(&daemon);
    let age = "annals_history_figures_age_seconds";
    assert_eq!(scrape(&address)["annals_history_up"], 1.0);
    let mut held = site.db.begin().await.unwrap();
    held.execute_script("test.hold", "lock table annals_dead_letter in access exclusive mode").await.unwrap();
    wait_for("old figures", || scrape(&address)[age] > 9.0);
    for _ in 0..5 {
        let began = Instant::now();
        assert!(ready(&address).0);
        let figures = scrape(&address);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!((figures["annals_history_up"], figures["annals_dead_letters"]), (1.0, 0.0));
    }
    held.rollback().await.unwrap();
    wait_for("new figures", || scrape(&address)[age] < 6.0);
    daemon.stops();
}

/// The totals are those of all runs: of two that were begun before there were any, of one that failed, was taken up again
/// and succeeded, and of one under way.
#[tokio::test]
async fn totals_are_those_of_all_runs() {
    for site in Site::on_each_history(20).await {
        site.write("tasks/dispatch-access-history.yaml", &format!("name: {TASK}\n{SELDOM}\n"));
        annals(site.path(), &["run"]).exits(0);
        let total = |what: &str| site.look(&format!("select {what} from annals_run_total order by status;"));
        let full = site.count("select sum(full_captures) from annals_run_write;");
        assert_eq!(total("status, result, runs, full_captures"), [format!("success|Success|1|{full}")]);

        // What the migration makes of runs that ended before it.
        let made = total("*");
        site.history.sql("delete from annals_run_total;");
        let (_, fill) = migration(&site).split_once("insert into").unwrap();
        site.history.sql(&format!("insert into{fill}"));
        assert_eq!(total("*"), made);

        site.history.sql(
            "create unique index refuse on spt_hist_identity_capture (display_name) where display_name = 'Refused';",
        );
        let started = site.count("select max(started) from annals_run;");
        site.change(&format!(
            "update spt_identity set display_name = 'Refused', modified = {started}
             where coalesce(workgroup, {{false}}) = {{false}};"
        ));
        annals(site.path(), &["run"]).exits(4);
        let failed = site.look("select status, result from annals_run where id = 2;")[0].clone();
        assert_eq!(total("status, result, runs"), [format!("{failed}|1"), "success|Success|1".to_owned()]);
        site.history.sql("drop index refuse;");
        annals(site.path(), &["runs", "resume", "2"]).exits(0);
        assert_eq!(total("status, result, runs"), [format!("{failed}|0"), "success|Success|2".to_owned()]);
        for what in ["full_captures", "patch_captures", "deleted", "duplicates", "unchanged"] {
            let counted = site.count(&format!("select sum({what}) from annals_run_write;"));
            assert_eq!(site.count(&format!("select sum({what}) from annals_run_total;")), counted, "{what}");
        }
    }
}

fn migration(site: &Site) -> &'static str {
    match site.history.url().split(':').next() {
        Some("sqlite") => include_str!("../../migrations/sqlite/0013_run_totals.sql"),
        _ => include_str!("../../migrations/postgres/0013_run_totals.sql"),
    }
}

/// A transaction that somebody holds open in the source is seen to grow old.
#[tokio::test]
async fn the_oldest_transaction_of_the_source_is_told() {
    let site = site(Engine::Postgres, Engine::Sqlite, 20, "", SELDOM).await;
    let other = Db::open(site.source.url(), Access::ReadWrite).await.unwrap();
    let mut held = other.begin().await.unwrap();
    held.fetch_one(&Stmt::new("test.hold", "select 1"), Vec::new()).await.unwrap();
    let daemon = Daemon::serving(site.path(), &[]);
    let address = address(&daemon);
    let name = "annals_source_oldest_transaction_age_seconds";
    wait_for("an old transaction", || scrape(&address).get(name).is_some_and(|age| *age > 3.0));
    held.rollback().await.unwrap();
    wait_for("its end", || scrape(&address).get(name).is_some_and(|age| *age < 3.0));
    daemon.stops();
}

/// A host whose history database is away is not ready, says why, and is ready again when it is back; it lives on.
#[tokio::test]
async fn a_host_without_its_history_database_is_not_ready() {
    let site = site(Engine::Sqlite, Engine::Postgres, 20, "leaseSeconds: 2\n", SELDOM).await;
    let daemon = Daemon::serving(site.path(), &[]);
    let address = address(&daemon);
    wait_for("readiness", || ready(&address).0);
    let beside = database(Engine::Postgres);
    let (_, name) = site.history.url().rsplit_once('/').unwrap();
    beside.sql(&format!(
        "alter database {name} allow_connections false;
         select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}';"
    ));
    wait_for("the loss", || !ready(&address).0);
    let (_, checks) = ready(&address);
    assert_ne!(checks["historyDatabase"], "ok", "{checks}");
    assert_eq!((&checks["migrations"], &checks["serving"]), (&"not known".into(), &"ok".into()));
    wait_for("a stale heartbeat", || ready(&address).1["heartbeat"] != "ok");
    wait_for("figures without it", || scrape(&address)["annals_history_up"] == 0.0);
    assert!(!scrape(&address).contains_key("annals_dead_letters"));
    assert_eq!(get(&address, "/health/live").0, 200);
    beside.sql(&format!("alter database {name} allow_connections true;"));
    wait_for("its return", || ready(&address).0 && scrape(&address)["annals_history_up"] == 1.0);
    daemon.stops();
}

/// A history database that is not up to date any more makes a host unready, for that reason.
#[tokio::test]
async fn migrations_that_are_missing_make_a_host_unready() {
    let site = site(Engine::Sqlite, Engine::Sqlite, 20, "", SELDOM).await;
    let daemon = Daemon::serving(site.path(), &[]);
    let address = address(&daemon);
    wait_for("readiness", || ready(&address).0);
    site.history
        .sql("delete from annals_migration where version = (select max(version) from annals_migration);");
    wait_for("the lack", || ready(&address).1["migrations"] != "ok");
    assert_eq!(ready(&address).1["historyDatabase"], "ok");
    daemon.stops();
}

/// A host that comes to an end takes nothing up any more, and says so as long as it can be asked.
#[tokio::test]
async fn a_host_that_drains_is_not_ready() {
    let site = site(Engine::Sqlite, Engine::Sqlite, 20, "", "schedule: {everySeconds: 1}").await;
    let daemon = Daemon::serving(site.path(), &[]);
    let address = address(&daemon);
    wait_for("a run", || ended(&site) >= 1);
    assert!(ready(&address).0);
    // Whoever writes waits for this, so the end takes a while.
    let stalls = site.db.begin().await.unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    daemon.terminate();
    daemon.tells("STOPPING=1");
    wait_for("the end", || !ready(&address).0);
    let (_, checks) = ready(&address);
    assert_eq!(checks["serving"], "the daemon stops after what it has in hand");
    assert_eq!(checks["historyDatabase"], "ok");
    stalls.rollback().await.unwrap();
    daemon.ends();
}

/// What a killed host had in hand is taken over, and counted where that was done.
#[tokio::test]
async fn what_is_taken_over_is_counted() {
    let service = "leaseSeconds: 2\nqueue: {batchObjectsMax: 5}\n";
    let task = format!("{SELDOM}\narguments: {{lossLimit: 20}}");
    let site = site(Engine::Sqlite, Engine::Postgres, 600, service, &task).await;
    annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
    let mut dies = Daemon::serving(site.path(), &["--host", "alpha"]);
    wait_for("a saved state", || site.count("select count(*) from annals_request_state;") > 0);
    dies.child.kill().unwrap();
    let held = site.count("select count(*) from annals_partition where state = 'leased';");
    assert!(held > 0 && ended(&site) == 0);
    let lives = Daemon::serving(site.path(), &["--host", "beta"]);
    let address = address(&lives);
    wait_for("the end of the run", || ended(&site) == 1);
    let figures = scrape(&address);
    assert_eq!(figures["annals_lease_takeovers_total{kind=\"partition\"}"], held as f64);
    assert_eq!(figures["annals_lease_takeovers_total{kind=\"run\"}"], 1.0);
    wait_for("the dead host's end", || scrape(&address)["annals_hosts_alive{role=\"extract\"}"] == 1.0);
    lives.stops();
}

/// Nothing is encrypted or guarded, so it is served to this host alone; and nowhere unless somebody asks for it.
#[tokio::test]
async fn it_listens_where_it_may_and_can() {
    let site = Site::small().await;
    let listen = |address: &str| site.service(&format!("http: {{listen: \"{address}\"}}\n"));
    listen("0.0.0.0:9464");
    annals(site.path(), &["daemon"])
        .exits(2)
        .tells("`listen` may only be an address that this host alone reaches, not 0.0.0.0:9464")
        .tells("put a proxy with TLS and a login on this host before it");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&taken.local_addr().unwrap().to_string());
    annals(site.path(), &["daemon"]).exits(1).tells("(`http.listen`)").tells("Write another port there");
    site.service("");
    let daemon = Daemon::serving(site.path(), &[]);
    wait_for("its first words", || daemon.log().contains("the daemon serves"));
    assert!(!daemon.log().contains("http://"), "{}", daemon.log());
    daemon.stops();
}
