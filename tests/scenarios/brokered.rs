//! Workers and writers on different hosts, a NATS server between them: the history is that of one process, whoever dies.

use annals_testkit::{Engine, Nats};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::daemon::{Daemon, wait_for};
use crate::program::annals;
use crate::site::{Site, TASK};
use crate::takeover::{check_whole, slow_site, without_instants};

/// What a run has written, by what became of it.
const WRITTEN: &str =
    "select object_type, sum(full_captures), sum(patch_captures), sum(duplicates), sum(unchanged),
     sum(deleted), sum(late), sum(dead), sum(events) from annals_run_write group by object_type order by 1;";

/// A site where a run takes long enough to be caught in the middle of it, its deliveries carried by this broker.
async fn brokered(servers: &[Nats]) -> Site {
    let site = slow_site(Engine::Postgres).await;
    let urls: Vec<String> = servers.iter().map(|server| format!("{:?}", server.url())).collect();
    site.service(&format!(
        "leaseSeconds: 2\ncapture: {{jsonFormat: MINIFIED, maxAllowedPatches: 3}}\n\
         queue: {{batchObjectsMax: 1, transport: nats, nats: {{servers: [{}], replicas: {}}}}}\n",
        urls.join(", "),
        servers.len(),
    ));
    site
}

fn states(site: &Site) -> u64 {
    site.count("select count(*) from annals_request_state;")
}

/// Waits until so many states are saved, with the run still under way.
fn wait_for_states(site: &Site, number: u64) {
    wait_for(&format!("{number} states"), || states(site) >= number);
    assert_eq!(site.look("select state from annals_run where id = 1;"), ["running"], "{number}");
}

fn wait_for_the_end(site: &Site, daemons: &[&Daemon]) {
    let began = std::time::Instant::now();
    while site.count("select count(*) from annals_run where id = 1 and state = 'ended';") == 0 {
        let logs = || daemons.iter().map(|daemon| daemon.log()).collect::<Vec<_>>().join("\n----\n");
        assert!(began.elapsed().as_secs() < 120, "the run does not end: {}", logs());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn writer(site: &Site, host: &str) -> Daemon {
    Daemon::serving(site.path(), &["--host", host, "--role", "writer"])
}

fn worker(site: &Site, host: &str) -> Daemon {
    Daemon::serving(site.path(), &["--host", host, "--role", "scheduler,extract"])
}

/// What an uninterrupted run in one process makes of the same identity system: its history, and what it counts. Made
/// once for all tests here.
async fn in_one_process() -> &'static (Vec<String>, Vec<String>) {
    static MADE: OnceCell<(Vec<String>, Vec<String>)> = OnceCell::const_new();
    let make = async || {
        let site = slow_site(Engine::Postgres).await;
        annals(site.path(), &["run"]).exits(0);
        (without_instants(&site).await, site.look(WRITTEN))
    };
    MADE.get_or_init(make).await
}

/// One host begins the run and reads, two others write: the same history and the same counts as of one process, with
/// both writers having had a part in it. `annals doctor` and `annals run` know whether writers are there.
#[tokio::test]
async fn hosts_that_read_and_hosts_that_write_make_the_history_of_one_process() {
    let (expected, written) = in_one_process().await;
    let servers = [Nats::start().unwrap()];
    let site = brokered(&servers).await;
    annals(site.path(), &["run"])
        .exits(11)
        .tells("no writer listens to the broker")
        .tells("annals daemon --role writer");
    assert_eq!(site.count("select count(*) from annals_run;"), 0);
    let doctor = annals(site.path(), &["doctor", "-o", "json"]).exits(0).json();
    let found = |doctor: &Value, check: &str| {
        let items = doctor["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["check"] == check).unwrap_or_else(|| panic!("{doctor:#}"));
        (item["verdict"].as_str().unwrap().to_owned(), item["found"].as_str().unwrap().to_owned())
    };
    assert_eq!(found(&doctor, "writers").0, "warning");
    assert!(found(&doctor, "broker").1.contains("stream ANNALS holds 0 deliveries"), "{doctor:#}");

    let writers = [writer(&site, "beta"), writer(&site, "gamma")];
    annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
    let alpha = worker(&site, "alpha");
    wait_for_the_end(&site, &[&alpha, &writers[0], &writers[1]]);
    check_whole(&site, expected).await;
    assert_eq!(&site.look(WRITTEN), written);
    assert_eq!(site.look("select distinct lease_epoch from annals_partition;"), ["1"]);
    let readers = site.look("select distinct split_part(leased_by, ':', 1) from annals_partition;");
    assert_eq!(readers, ["alpha"]);
    let [beta, gamma] = writers;
    alpha.stops();
    gamma.stops();
    // By hand, over the writer that is left.
    annals(site.path(), &["run"]).exits(0).tells("qualified=0");
    let doctor = annals(site.path(), &["doctor", "-o", "json"]).exits(0).json();
    assert_eq!(found(&doctor, "writers").0, "ok");
    beta.stops();
}

/// TRAP-06: writers are killed again and again, and the broker with them, in the middle of deliveries. What comes twice
/// is written once and counted once: history and counts are those of one process that nobody disturbed, under the very
/// leases that the partitions began with.
#[tokio::test]
async fn writers_and_the_broker_may_die_without_a_trace() {
    let (expected, written) = in_one_process().await;
    let mut servers = [Nats::start().unwrap()];
    let site = brokered(&servers).await;
    let (mut beta, mut gamma) = (writer(&site, "beta"), writer(&site, "gamma"));
    annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
    let alpha = worker(&site, "alpha");
    for round in 1..=2 {
        wait_for_states(&site, round * 12 - 6);
        beta.child.kill().unwrap();
        beta.child.wait().unwrap();
        beta = writer(&site, "beta");
        wait_for_states(&site, round * 12 - 3);
        servers[0].kill();
        gamma.child.kill().unwrap();
        gamma.child.wait().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        servers[0].start_again().unwrap();
        gamma = writer(&site, "gamma");
    }
    wait_for_the_end(&site, &[&alpha, &beta, &gamma]);
    check_whole(&site, expected).await;
    assert_eq!(&site.look(WRITTEN), written, "{}", alpha.log());
    assert_eq!(site.look("select distinct lease_epoch from annals_partition;"), ["1"], "{}", alpha.log());
    for daemon in [alpha, beta, gamma] {
        daemon.stops();
    }
}

/// IIQ-08, IIQ-25, TRAP-05: the host that reads is killed, and so is one that writes. Another one goes on from what was
/// saved; what the dead one had in the broker still is refused, for its leases are over.
#[tokio::test]
async fn a_host_that_reads_may_die() {
    let (expected, _) = in_one_process().await;
    let servers = [Nats::start().unwrap()];
    let site = brokered(&servers).await;
    let (mut beta, gamma) = (writer(&site, "beta"), writer(&site, "gamma"));
    annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
    let mut alpha = worker(&site, "alpha");
    wait_for_states(&site, 6);
    alpha.child.kill().unwrap();
    alpha.child.wait().unwrap();
    beta.child.kill().unwrap();
    beta.child.wait().unwrap();
    let delta = worker(&site, "delta");
    let beta = writer(&site, "beta");
    wait_for_the_end(&site, &[&delta, &beta, &gamma]);
    check_whole(&site, expected).await;
    assert!(site.count("select count(*) from annals_partition where lease_epoch = 2;") > 0);
    for daemon in [delta, beta, gamma] {
        daemon.stops();
    }
}

/// Three servers are one broker: the one that leads is killed in the middle of a run, and another one takes its place.
#[tokio::test]
async fn a_broker_of_three_loses_one_and_goes_on() {
    let (expected, written) = in_one_process().await;
    let mut servers = Nats::cluster(3).unwrap();
    let site = brokered(&servers).await;
    wait_for("a leader", || annals(site.path(), &["doctor"]).code == 0);
    let beta = writer(&site, "beta");
    annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
    let alpha = worker(&site, "alpha");
    for server in &mut servers {
        let before = states(&site);
        wait_for_states(&site, before + 4);
        server.kill();
        wait_for_states(&site, before + 8);
        server.start_again().unwrap();
    }
    wait_for_the_end(&site, &[&alpha, &beta]);
    check_whole(&site, expected).await;
    assert_eq!(&site.look(WRITTEN), written, "{}", alpha.log());
    alpha.stops();
    beta.stops();
}
