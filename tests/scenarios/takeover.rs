//! Processes that die, stand still or stop in the middle of a run, and those that go on with it.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use annals::extracting;
use annals::pipeline::Pipeline;
use annals::presence::{Presence, leased};
use annals_model::{Clock as _, TaskStatus};
use annals_testkit::{Engine, StillClock};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::program::{Said, annals, complete, program};
use crate::ran::Ran;
use crate::sameness::{difference, without_ids};
use crate::site::{DAY_MS, START_MS, Site, TASK};

/// Leases in these tests, by `leaseSeconds`.
const LEASE_MS: i64 = 2_000;

/// A site where a run takes long enough to be caught in the middle of it: many chunks, a transaction for every object.
pub(crate) async fn slow_site(engine: Engine) -> Site {
    let site = Site::new(Engine::Sqlite, engine, 60).await;
    site.service("leaseSeconds: 2\ncapture: {jsonFormat: MINIFIED, maxAllowedPatches: 3}\nqueue: {batchObjectsMax: 1}\n");
    site.arguments("lossLimit: 8");
    site
}

/// The clock of the history database.
async fn now_ms(site: &Site) -> u64 {
    site.db.now_ms().await.unwrap().try_into().unwrap()
}

/// `annals run`, started and left to itself.
fn start(site: &Site) -> Child {
    let mut command = Command::new(program());
    complete(&mut command, site.path(), &["run"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a query on history prints something other than 0.
async fn wait_for(site: &Site, query: &str) {
    for _ in 0..1_500 {
        if site.look(query).first().is_some_and(|line| line != "0") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{query} stays 0: {:?}", site.look("select * from annals_run_message;"));
}

/// Waits until a run is in the middle.
async fn wait_for_the_middle(site: &Site) {
    wait_for(site, "select case when count(*) >= 5 then 1 else 0 end from annals_request_state;").await;
    let open = "select count(*) from annals_partition where state in ('pending', 'leased');";
    assert!(site.count(open) > 0, "it is over already");
}

async fn wait_for_the_end(site: &Site) {
    wait_for(site, "select count(*) from annals_run where id = 1 and state = 'ended';").await;
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn ended(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: String::new(), err }
}

/// Another host with the role `extract`.
struct Other {
    pipeline: Pipeline,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Other {
    async fn start(site: &Site) -> Self {
        let history = leased(&site.db, LEASE_MS);
        let clock = Arc::new(StillClock::at(START_MS));
        let presence = Presence::begin(&history, clock, "other", "extract", LEASE_MS).await.unwrap();
        let pipeline = Pipeline { history, presence, ..site.pipeline(START_MS + 200 * DAY_MS).await };
        let served = pipeline.clone();
        let serving = tokio::spawn(async move { extracting::serve(&served).await });
        Self { pipeline, serving }
    }

    async fn stop(self) {
        self.pipeline.stop.ask();
        self.serving.await.unwrap().unwrap();
        self.pipeline.presence.end().await;
    }
}

/// All rows of history without ids and without the instants at which something was read or written: the identity system
/// is older than its first day, and everything else happens later.
pub(crate) async fn without_instants(site: &Site) -> Vec<String> {
    let later = START_MS + DAY_MS;
    let mut rows: Vec<String> = without_ids(site)
        .await
        .iter()
        .map(|row| {
            let words = row.split(|c: char| !c.is_ascii_digit());
            let now = words.filter(|word| word.len() == 13 && word.parse::<i64>().is_ok_and(|ms| ms > later));
            now.fold(row.clone(), |row, word| row.replace(word, "NOW"))
        })
        .collect();
    rows.sort();
    rows
}

/// What an uninterrupted run makes of the same identity system.
async fn uninterrupted(engine: Engine) -> Vec<String> {
    let site = slow_site(engine).await;
    annals(site.path(), &["run"]).exits(0);
    without_instants(&site).await
}

/// The run, having ended well, with the history of an uninterrupted one; no state went backwards.
pub(crate) async fn check_whole(site: &Site, expected: &[String]) -> Ran {
    let ran = site.ran(1).await.succeeds();
    assert_eq!(ran.counters().total_unseen_objects, 0);
    let found = without_instants(site).await;
    assert_eq!(difference(&found, expected), None, "{}", site.history.engine());
    assert_eq!(found.len(), expected.len());
    let backwards = "select count(*) from annals_request_state a join annals_request_state b
         on b.run_id = a.run_id and b.partition_no = a.partition_no and b.seq > a.seq
         where b.lease_epoch < a.lease_epoch;";
    assert_eq!(site.count(backwards), 0);
    ran
}

/// IIQ-08, IIQ-25, TRAP-05: a process is killed in the middle of a run. Another host goes on with its partitions, from
/// what they saved last, no later than a second after their leases, and ends the run; no trace of it is in history.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_goes_on_elsewhere() {
    for engine in annals_testkit::history_engines() {
        let expected = uninterrupted(engine).await;
        let site = slow_site(engine).await;
        let mut child = start(&site);
        wait_for_the_middle(&site).await;
        let other = Other::start(&site).await;
        let mine = format!("leased_by like '%:{}/%'", child.id());
        wait_for(&site, &format!("select count(*) from annals_partition where state = 'leased' and {mine};"))
            .await;
        child.kill().unwrap();
        child.wait().unwrap();
        let killed_ms = site.db.now_ms().await.unwrap();
        let orphaned =
            site.count(&format!("select count(*) from annals_partition where state = 'leased' and {mine};"));
        wait_for_the_end(&site).await;
        other.stop().await;
        let ran = check_whole(&site, &expected).await;
        assert_eq!(site.timestamp(), Some(ran.run.horizon_ms));
        assert_eq!(site.count("select count(*) from annals_run;"), 1);
        assert_eq!(site.count("select count(*) from annals_partition where lease_epoch = 2;"), orphaned);
        let taken = site.look("select min(saved) from annals_request_state where lease_epoch = 2;");
        if orphaned > 0 {
            let taken_ms = taken[0].parse::<i64>().unwrap() - killed_ms;
            assert!(taken_ms <= LEASE_MS + 1_000, "taken over after {taken_ms} ms");
        }
    }
}

/// IIQ-08: without any other host, the next `annals run` finishes what a killed one left before it begins a run of its
/// own, which then has nothing to do.
#[tokio::test]
async fn the_next_run_finishes_what_a_killed_one_left() {
    for engine in annals_testkit::history_engines() {
        let expected = uninterrupted(engine).await;
        let site = slow_site(engine).await;
        let mut child = start(&site);
        wait_for_the_middle(&site).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let busy = annals(site.path(), &["run"]).exits(7);
        busy.tells("is being executed by run 1; try again when it has ended.");
        while site.count("select driver_until from annals_run where id = 1;") >= now_ms(&site).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        annals(site.path(), &["run"])
            .exits(0)
            .tells("run 1 was left by the process that drove it")
            .tells(" run=3");
        check_whole(&site, &expected).await;
        assert_eq!(site.ran(3).await.succeeds().counters().total_object_messages, 0);
    }
}

/// TRAP-06, TRAP-08: a process stands still past its leases in the middle of a run. Another host ends the run meanwhile,
/// also where the first one stands still within a transaction; when it comes back, what it writes is refused, and it
/// tells how the run ended. PostgreSQL only: on SQLite, whoever stands still within a transaction holds the one lock
/// that there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stood_still_is_fenced_off() {
    let expected = uninterrupted(Engine::Postgres).await;
    let site = slow_site(Engine::Postgres).await;
    let child = start(&site);
    wait_for_the_middle(&site).await;
    send("-STOP", &child);
    let other = Other::start(&site).await;
    wait_for_the_end(&site).await;
    check_whole(&site, &expected).await;
    send("-CONT", &child);
    let said = ended(child).exits(0).tells("Done. status=success");
    assert!(said.err.ends_with(" run=1\n"), "{said:?}");
    other.stop().await;
    check_whole(&site, &expected).await;
    assert!(site.count("select count(*) from annals_partition where lease_epoch > 1;") > 0);
}

/// What a host records is dated by the database's clock, however far its own one is off: what history knew at an instant
/// must not depend on which host learned it.
#[tokio::test]
async fn a_host_records_by_the_clock_of_the_database() {
    for engine in annals_testkit::history_engines() {
        let site = Site::new(Engine::Sqlite, engine, 20).await;
        let far_off = Arc::new(StillClock::at(START_MS));
        let presence = Presence::begin(&site.db, far_off, "astray", "run", LEASE_MS).await.unwrap();
        for _ in 0..2 {
            let (before, told) = (site.db.now_ms().await.unwrap(), presence.clock().now_ms());
            let after = site.db.now_ms().await.unwrap();
            // Behind by no more than the answer took, never ahead; milliseconds are cut off here and there.
            assert!(before - 10_000 <= told && told <= after + 1, "{before} {told} {after}");
            wait_for(&site, "select heartbeat - started from annals_host;").await;
        }
        assert!(site.count("select count(*) from annals_host where clock_skew_ms > -86400000;") == 0);
        presence.end().await;
    }
}

/// TRAP-15: a database that cuts all connections fails no run: what was in hand is given back, and worked on again.
#[tokio::test]
async fn a_run_outlives_its_connections() {
    let expected = uninterrupted(Engine::Postgres).await;
    let site = slow_site(Engine::Postgres).await;
    let child = start(&site);
    for states in [2, 6, 10] {
        let query =
            format!("select case when count(*) >= {states} then 1 else 0 end from annals_request_state;");
        wait_for(&site, &query).await;
        assert_eq!(site.look("select state from annals_run;"), ["running"]);
        let cut = site.look(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid();",
        );
        assert_ne!(cut, ["0"]);
    }
    ended(child).exits(0).tells("Done. status=success");
    check_whole(&site, &expected).await;
}

/// A process that is asked to stop hands its partitions and its run over at once, where another host works.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_hands_its_run_over() {
    for engine in annals_testkit::history_engines() {
        let expected = uninterrupted(engine).await;
        let site = slow_site(engine).await;
        let child = start(&site);
        wait_for_the_middle(&site).await;
        let other = Other::start(&site).await;
        let asked_ms = site.db.now_ms().await.unwrap();
        send("-TERM", &child);
        let pid = child.id();
        ended(child).exits(130).tells("Run 1 goes on in other processes");
        let stopped = site.look(&format!("select stopped - {asked_ms} from annals_host where pid = {pid};"));
        assert!(stopped[0].parse::<i64>().unwrap() <= 1_000, "handed over after {stopped:?} ms");
        wait_for_the_end(&site).await;
        other.stop().await;
        check_whole(&site, &expected).await;
    }
}

/// IIQ-08: where no other host works, a run ends when its process is asked to stop. It says what to do; resumed, it goes
/// on with what its partitions saved last. The whole of it leaves no trace in history.
#[tokio::test]
async fn a_run_that_was_stopped_is_resumed() {
    for engine in annals_testkit::history_engines() {
        let expected = uninterrupted(engine).await;
        let site = slow_site(engine).await;
        let child = start(&site);
        wait_for_the_middle(&site).await;
        send("-INT", &child);
        ended(child)
            .exits(130)
            .tells("The run was interrupted")
            .tells("`annals runs resume 1` goes on with the ");
        let saved = site.count(
            "select sum(seq) from annals_request_state s where seq =
            (select max(seq) from annals_request_state t where t.partition_no = s.partition_no);",
        );
        let shown = annals(site.path(), &["runs", "show", "1", "-o", "json"]).exits(0).json();
        assert_eq!(shown["run"]["status"], "error");
        assert!(shown["run"]["whatToDo"].as_str().unwrap().contains("`annals runs resume 1`"), "{shown}");
        assert_eq!(site.timestamp(), None);

        annals(site.path(), &["runs", "resume", "1"])
            .exits(0)
            .tells("It was resumed. Before, it had ended with: The run was interrupted");
        let ran = site.ran(1).await;
        assert_eq!(ran.run.status, Some(TaskStatus::Success), "{ran:?}");
        // No chunk that was saved was worked on again.
        let chunks = site.count("select count(*) from annals_partition_chunk;");
        assert_eq!(site.count("select count(*) from annals_request_state;"), chunks);
        assert!(saved > 0 && saved < chunks, "{saved} of {chunks}");
        let found = without_instants(&site).await;
        assert_eq!((difference(&found, &expected), found.len()), (None, expected.len()));
        annals(site.path(), &["runs", "resume", "1"]).exits(2).tells("run 1 did not fail");
    }
}

/// A run by hand that nobody drives: its dispatcher died before it had partitions.
fn orphan_before_partitions(site: &Site, horizon_ms: i64) {
    site.history.sql(&format!(
        "insert into annals_run (task, trigger_kind, host, config_version, state, started, since_date, horizon, counters,
           driver, driver_epoch, driver_until)
         select task, trigger_kind, 'gone', config_version, 'dispatching', started, horizon, {horizon_ms}, '{{}}', 1, 1, 1
         from annals_run where id = 1;
         update annals_task set locked_by_run = 2 where name = '{TASK}';"
    ));
}

/// A run whose dispatcher died before it had partitions is dispatched again, with the horizon that it has; by whichever
/// process comes first, a host with the role `extract` or the next `annals run`.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_dispatcher_died_is_dispatched_again() {
    for by_host in [true, false] {
        for site in Site::on_each_history(20).await {
            site.run(START_MS).await.succeeds();
            site.pass_day().await;
            let horizon_ms = START_MS + DAY_MS - 5;
            orphan_before_partitions(&site, horizon_ms);
            if by_host {
                let other = Other::start(&site).await;
                wait_for(&site, "select count(*) from annals_run where id = 2 and state = 'ended';").await;
                other.stop().await;
                assert_eq!(site.timestamp(), Some(horizon_ms));
            } else {
                annals(site.path(), &["run"]).exits(0);
                assert!(site.timestamp().unwrap() > horizon_ms, "the run by hand has ended, too");
            }
            let ran = site.ran(2).await.succeeds();
            assert!(ran.counters().total_object_messages > 0);
            assert_eq!(ran.run.horizon_ms, horizon_ms);
            assert_eq!(site.count("select count(*) from annals_task where locked_by_run is not null;"), 0);
        }
    }
}

/// TRAP-17: the configuration changes in the middle of a run. Whoever takes the run up keeps to the version it began
/// with; the next run has the new one.
#[tokio::test]
async fn a_run_that_is_taken_up_keeps_its_configuration() {
    for site in Site::on_each_history(20).await {
        let pipeline = site.pipeline(START_MS).await;
        let begun = site.begin(&pipeline).await;
        drop(begun);
        pipeline.presence.end().await;
        site.history.sql("update annals_run set driver_until = 1;");
        site.extracts("capability: {}");
        annals(site.path(), &["run"]).exits(0);
        let taken = site.ran(1).await.succeeds();
        assert!(taken.by_type("fullCaptures").len() > 10, "{taken:?}");
        let next = site.ran(2).await;
        assert_ne!(next.run.config_version, taken.run.config_version);
        site.forget_timestamp();
        annals(site.path(), &["run"]).exits(0);
        assert_eq!(
            site.ran(3).await.by_type("qualifiedByChange").into_keys().collect::<Vec<_>>(),
            ["capability"]
        );
    }
}

/// What a run by hand can do about one that failed: read its objects again, linked to it; then the failed one says who
/// made it good, and need not be resumed any more.
#[tokio::test]
async fn a_failed_run_says_what_to_do_and_who_made_it_good() {
    for site in Site::on_each_history(20).await {
        let pipeline = site.pipeline(START_MS).await;
        drop(site.begin(&pipeline).await);
        pipeline.presence.end().await;
        annals(site.path(), &["runs", "rerun", "1"]).exits(2).tells("run 1 has not ended");
        annals(site.path(), &["runs", "cancel", "1"]).exits(0).tells("Run 1 is cancelled.");
        annals(site.path(), &["runs", "cancel", "1"]).exits(2).tells("run 1 has ended already");
        annals(site.path(), &["runs", "cancel", "9"]).exits(5);
        let cancelled = site.ran(1).await;
        assert_eq!(cancelled.run.status, Some(TaskStatus::Terminated));
        assert_eq!(cancelled.counters().total_unseen_objects, cancelled.counters().total_object_messages);
        assert!(cancelled.counters().total_object_messages > 0);
        let show = |run: &str| {
            annals(site.path(), &["runs", "show", run, "-o", "json"]).exits(0).json()["run"].clone()
        };
        assert!(
            show("1")["whatToDo"]
                .as_str()
                .unwrap()
                .starts_with("Mend what its messages say. `annals runs resume 1`")
        );

        annals(site.path(), &["runs", "rerun", "1"]).exits(0);
        assert_eq!((&show("2")["follows"], &show("2")["status"]), (&json!(1), &json!("success")));
        let first = show("1");
        assert_eq!(
            (&first["madeGoodBy"], &first["whatToDo"]),
            (&json!(2), &json!("Nothing: run 2 made it good."))
        );
        annals(site.path(), &["runs", "resume", "1"]).exits(2).tells("run 2 made it good");
        assert_eq!(show("2")["whatToDo"], json!(null));

        // A run that nobody drives is given up for a new one that begins now, and reads what it was to read.
        site.forget_timestamp();
        let pipeline = site.pipeline(START_MS).await;
        drop(site.begin(&pipeline).await);
        pipeline.presence.end().await;
        assert_eq!(show("3")["whatToDo"], json!(null), "its process may be alive");
        let given_up = annals_dispatcher::give_up(&site.db, 3, "why").await.unwrap();
        assert_eq!(given_up, None, "somebody may have taken it up meanwhile");
        site.history.sql("update annals_run set driver_until = 1;");
        assert!(show("3")["whatToDo"].as_str().unwrap().starts_with("No process drives it"));
        annals(site.path(), &["run", "--now"]).exits(0);
        assert_eq!((&show("3")["status"], &show("3")["madeGoodBy"]), (&json!("terminated"), &json!(4)));
        assert_eq!(show("4")["follows"], json!(3));
    }
}

/// Who works on what can be seen: processes with the skew of their clocks, partitions with their owners, what they saved.
#[tokio::test]
async fn hosts_partitions_and_states_can_be_looked_at() {
    for site in Site::on_each_history(20).await {
        site.arguments("lossLimit: 10, minExtractPartitions: 1");
        let ran = site.run(START_MS).await.succeeds();
        let hosts = annals(site.path(), &["hosts", "-o", "json"]).exits(0).json();
        let host = &hosts["items"][0];
        assert_eq!((&host["name"], &host["pid"]), (&json!("test"), &json!(std::process::id())));
        let skew_ms = host["clockSkewMs"].as_i64().unwrap();
        let expected_ms = START_MS - site.db.now_ms().await.unwrap();
        assert!((skew_ms - expected_ms).abs() < 60_000, "{skew_ms} {expected_ms}");

        let partitions = annals(site.path(), &["partitions", "-o", "json"]).exits(0).json();
        let items = partitions["items"].as_array().unwrap();
        assert_eq!(partitions["run"], ran.run.id);
        let objects: u64 = items.iter().map(|item| item["objects"].as_u64().unwrap()).sum();
        assert_eq!(objects, ran.counters().total_object_messages);
        for item in items {
            assert_eq!((&item["state"], &item["epoch"]), (&json!("done"), &json!(1)));
            assert_eq!(item["leaseLeftMs"], json!(null), "what is done is nobody's any more");
            assert!(item["owner"].as_str().unwrap().starts_with("test:"), "{item}");
            assert_eq!(item["chunks"], item["chunksDone"]);
        }
        let state = annals(site.path(), &["state", "show", "1", "0", "-o", "json"]).exits(0).json();
        assert_eq!(state["state"]["chunksDone"], items[0]["chunks"]);
        assert_eq!(state["state"]["counters"]["totalSeenObjects"], items[0]["objects"]);
        let log =
            annals(site.path(), &["state", "log", "1", "0", "-o", "json", "--limit", "1000"]).exits(0).json();
        let seen: Vec<u64> =
            log["items"].as_array().unwrap().iter().map(|item| item["seen"].as_u64().unwrap()).collect();
        assert_eq!(seen.len() as u64, items[0]["chunks"].as_u64().unwrap());
        assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
        annals(site.path(), &["state", "show", "1", "99"])
            .exits(5)
            .tells("partition 99 of run 1 was not found");
        annals(site.path(), &["partitions", "7"]).exits(5).tells("run 7 was not found");
        annals(site.path(), &["state", "show", "1", "0"]).exits(0);
    }
}
