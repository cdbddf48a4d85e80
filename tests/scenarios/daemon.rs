//! `annals daemon`: the program as a supervisor runs it.

use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use annals_runs::schedule;
use annals_testkit::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{annals, complete, program};
use crate::site::{START_MS, Site, TASK};

/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon under a supervisor; it does not outlive its test.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    told: UnixDatagram,
    log: PathBuf,
    _dir: TempDir,
}

impl Daemon {
    /// Starts one in a configuration directory.
    fn start(config: &Path, arguments: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let (socket, log) = (dir.path().join("notify"), dir.path().join("log"));
        let told = UnixDatagram::bind(&socket).unwrap();
        told.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = Command::new(program());
        complete(&mut command, config, &[&["daemon"], arguments].concat());
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "2000000");
        let file = File::create(&log).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, told, log, _dir: dir }
    }

    /// One that serves.
    pub(crate) fn serving(config: &Path, arguments: &[&str]) -> Self {
        let daemon = Self::start(config, arguments);
        daemon.tells("READY=1");
        daemon
    }

    /// Waits until the supervisor is told this.
    #[track_caller]
    pub(crate) fn tells(&self, state: &str) {
        let mut told = [0; 4_096];
        loop {
            let length = match self.told.recv(&mut told) {
                Ok(length) => length,
                Err(error) => panic!("{state} was not told, {error}: {}", self.log()),
            };
            if String::from_utf8_lossy(&told[..length]).lines().any(|line| line == state) {
                return;
            }
        }
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Its exit code, and how long it took.
    #[track_caller]
    pub(crate) fn ends(mut self) -> (i32, Duration) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code().unwrap_or(-1), began.elapsed());
            }
            pause();
        }
        panic!("it does not end: {}", self.log());
    }

    /// Ends it as a supervisor does: well, and within five seconds.
    #[track_caller]
    pub(crate) fn stops(self) {
        self.terminate();
        self.tells("STOPPING=1");
        let log = self.log.clone();
        let kept = std::fs::read_to_string(log).unwrap_or_default();
        let (code, took) = self.ends();
        assert_eq!(code, 0, "{kept}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Another process is waited for; it has no way to tell this one.
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

#[track_caller]
pub(crate) fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        pause();
    }
}

/// A small site whose task has this schedule.
async fn site(engine: Engine, schedule: &str) -> Site {
    let site = Site::new(Engine::Sqlite, engine, 20).await;
    site.write("tasks/dispatch-access-history.yaml", &format!("name: {TASK}\nschedule: {schedule}\n"));
    site
}

fn fires(site: &Site, condition: &str) -> u64 {
    site.count(&format!("select count(*) from annals_schedule_fire where {condition};"))
}

/// The ledger as people see it, oldest first.
fn ledger(site: &Site) -> Vec<Value> {
    let said = annals(site.path(), &["schedule", "ledger", "--limit", "1000", "-o", "json"]).exits(0).json();
    said["items"].as_array().unwrap().iter().rev().cloned().collect()
}

/// IIQ-01, IIQ-36: runs begin as their schedule has it, one row of the ledger each; SIGTERM ends the daemon within five
/// seconds, with everything saved and given back.
#[tokio::test]
async fn a_daemon_executes_what_is_due_until_it_is_told_to_stop() {
    for engine in annals_testkit::history_engines() {
        let site = site(engine, "{everySeconds: 2}").await;
        annals(site.path(), &["daemon", "--check"]).exits(5);
        let daemon = Daemon::serving(site.path(), &["--host", "alpha"]);
        daemon.tells("WATCHDOG=1");
        wait_for("three fires", || fires(&site, "outcome = 'fired'") >= 3);
        let well = annals(site.path(), &["daemon", "--check", "--host", "alpha"]).exits(0).out;
        assert!(
            well.contains("host `alpha`") && well.contains("serves as scheduler, extract, writer"),
            "{well}"
        );
        annals(site.path(), &["schedule", "pause", TASK]).exits(0);
        wait_for("the last run", || {
            site.count("select count(*) from annals_run where state <> 'ended';") == 0
        });
        daemon.stops();
        annals(site.path(), &["daemon", "--check", "--host", "alpha"]).exits(5);

        let rows = ledger(&site);
        let planned = site.look("select planned_at from annals_schedule_fire order by planned_at;");
        let planned: Vec<i64> = planned.iter().map(|ms| ms.parse().unwrap()).collect();
        assert!(planned.windows(2).all(|pair| pair[1] - pair[0] == 2_000), "{planned:?}");
        let runs = annals(site.path(), &["runs", "list", "-o", "json"]).exits(0).json();
        let runs = runs["items"].as_array().unwrap();
        for row in &rows {
            assert_eq!((&row["host"], &row["task"]), (&json!("alpha"), &json!(TASK)));
            // A run that takes longer than two seconds makes the next fire an overlap.
            if row["outcome"] == "skipped" {
                continue;
            }
            assert_eq!(row["outcome"], "fired");
            let run = runs.iter().find(|run| run["run"] == row["run"]).unwrap();
            assert_eq!((&run["trigger"], &run["state"]), (&json!("scheduled"), &json!("ended")));
        }
        assert_eq!(rows.iter().filter(|row| row["outcome"] == "fired").count(), runs.len());
        assert_eq!(site.count("select count(*) from annals_task where locked_by_run is not null;"), 0);
        assert_eq!(runs.last().unwrap()["status"], "success");
        assert!(site.count("select count(*) from annals_request_state;") > 0);
    }
}

/// What somebody triggers is executed at once, as an ad-hoc run; what is planned while a task is paused is skipped, with
/// the note.
#[tokio::test]
async fn a_task_can_be_triggered_paused_and_resumed() {
    for engine in annals_testkit::history_engines() {
        let site = site(engine, "{everySeconds: 1}").await;
        let say = |arguments: &[&str]| annals(site.path(), &[&["schedule"], arguments].concat());
        say(&["pause", TASK, "--note", "audit until Friday"]).exits(0).tells("skipped until");
        say(&["trigger", TASK]).exits(0);
        let daemon = Daemon::serving(site.path(), &[]);
        wait_for("the run", || fires(&site, "outcome = 'triggered' and run_id is not null") == 1);
        wait_for("fires of the pause", || {
            fires(&site, "outcome = 'skipped' and note = 'paused: audit until Friday'") >= 2
        });
        assert_eq!(fires(&site, "outcome in ('fired', 'caught-up')"), 0);
        assert_eq!(site.look("select trigger_kind from annals_run;"), ["adhoc"]);
        say(&["resume", TASK]).exits(0).tells("stays skipped");
        wait_for("a fire", || fires(&site, "outcome = 'fired'") >= 1);
        daemon.stops();
    }
}

/// IIQ-20: what was planned while no daemon was there is caught up as the schedule says, and the rest is missed.
#[tokio::test]
async fn what_nobody_was_there_for_is_caught_up() {
    for engine in annals_testkit::history_engines() {
        let schedule = "{everySeconds: 3600, catchUp: all, catchUpWindowMinutes: 150}";
        let site = site(engine, schedule).await;
        let mut tx = site.db.begin().await.unwrap();
        let now_ms = schedule::now_ms(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let hour_ms = 3_600_000;
        // Four fires ago.
        let since_ms = now_ms / hour_ms * hour_ms - 4 * hour_ms;
        site.history.sql(&format!(
            "insert into annals_schedule (task, planned_until) values ('{TASK}', {since_ms});"
        ));
        let daemon = Daemon::serving(site.path(), &[]);
        wait_for("four outcomes", || fires(&site, "outcome <> 'waiting'") >= 4);
        daemon.stops();
        let rows = ledger(&site);
        let outcomes: Vec<&str> = rows.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
        // The oldest is three hours late, or more; the newest may be less than a minute old, and overlaps then.
        assert_eq!((outcomes[0], outcomes[2]), ("missed", "caught-up"));
        assert!(["missed", "caught-up"].contains(&outcomes[1]), "{outcomes:?}");
        assert!(["skipped", "caught-up"].contains(&outcomes[3]), "{outcomes:?}");
        for row in rows.iter().take(3) {
            let was_missed = row["outcome"] == "missed";
            // The window is 9,000 s; what is caught up is started after it was decided on.
            let late = row["lateSeconds"].as_f64().unwrap();
            assert!(if was_missed { late > 9_000.0 } else { late < 9_120.0 }, "{row}");
            assert_eq!(row["run"].is_null(), was_missed);
        }
    }
}

/// A file takes one daemon: a second one is told who the first is and what else there is. Of hosts on PostgreSQL each
/// has a name of its own.
#[tokio::test]
async fn a_second_daemon_is_refused_with_the_first_ones_name() {
    for engine in annals_testkit::history_engines() {
        let site = site(engine, "{everySeconds: 1}").await;
        let first = Daemon::serving(site.path(), &["--host", "alpha"]);
        let named = format!("the daemon of host `alpha`, process {}, since 20", first.child.id());
        let again = annals(site.path(), &["daemon", "--host", "alpha"]).exits(7).tells(&named);
        if engine == Engine::Sqlite {
            again.tells("takes one daemon at a time").tells("keep history in PostgreSQL");
            // Whatever it is called.
            annals(site.path(), &["daemon", "--host", "beta"]).exits(7).tells(&named);
        } else {
            again.tells("--host");
            let second = Daemon::serving(site.path(), &["--host", "beta"]);
            let until = fires(&site, "outcome = 'fired'") + 5;
            wait_for("fires", || fires(&site, "outcome = 'fired'") >= until);
            second.stops();
            // Whoever was first, each run stands for one fire.
            let twice = "select run_id from annals_schedule_fire where run_id is not null
                         group by run_id having count(*) > 1;";
            assert_eq!(site.look(twice), Vec::<String>::new());
        }
        first.stops();
    }
}

/// TRAP-11: of two hosts one is killed while it serves. The other one starts the fires that come, and finishes the run
/// that the first one had in hand; every fire has its outcome.
#[tokio::test]
async fn a_host_that_dies_leaves_no_fire_behind() {
    let site = site(Engine::Postgres, "{everySeconds: 1}").await;
    site.service("leaseSeconds: 3\n");
    let mut dies = Daemon::serving(site.path(), &["--host", "alpha"]);
    wait_for("its fires", || fires(&site, "outcome = 'fired' and host = 'alpha'") >= 2);
    let lives = Daemon::serving(site.path(), &["--host", "beta"]);
    dies.child.kill().unwrap();
    wait_for("the other's fires", || fires(&site, "outcome = 'fired' and host = 'beta'") >= 3);
    annals(site.path(), &["schedule", "pause", TASK]).exits(0);
    wait_for("the last run", || site.count("select count(*) from annals_run where state <> 'ended';") == 0);
    wait_for("the last outcome", || fires(&site, "outcome = 'waiting'") == 0);
    lives.stops();
    let planned = site.look("select planned_at from annals_schedule_fire order by planned_at;");
    let planned: Vec<i64> = planned.iter().map(|ms| ms.parse().unwrap()).collect();
    assert!(planned.windows(2).all(|pair| pair[1] - pair[0] == 1_000), "{planned:?}");
    let outcomes = site.look("select distinct outcome from annals_schedule_fire order by outcome;");
    assert!(outcomes == ["fired", "skipped"] || outcomes == ["fired"], "{outcomes:?}");
    let runs = site.count("select count(*) from annals_run;");
    assert_eq!(fires(&site, "run_id is not null"), runs, "a fire for each run, and a run for each fire");
}

/// One host begins runs, another one works on them: a fire is executed by both together, and by neither alone.
#[tokio::test]
async fn roles_can_be_on_different_hosts() {
    let site = site(Engine::Postgres, "{everySeconds: 604800}").await;
    annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
    let worker = Daemon::serving(site.path(), &["--host", "beta", "--role", "extract,writer"]);
    let beta = annals(site.path(), &["daemon", "--check", "--host", "beta"]).exits(0).out;
    assert!(beta.contains("serves as extract, writer"), "{beta}");
    assert_eq!(site.count("select count(*) from annals_run;"), 0);
    let scheduler = Daemon::serving(site.path(), &["--host", "alpha", "--role", "scheduler"]);
    wait_for("the run", || site.look("select status from annals_run;") == ["success"]);
    assert_eq!(site.look("select host from annals_run;"), ["alpha"]);
    assert_eq!(site.look("select distinct split_part(leased_by, ':', 1) from annals_partition;"), ["beta"]);
    scheduler.stops();
    worker.stops();
}

/// IIQ-08: a run that is under way when SIGTERM comes stops after the batch in hand: what it did is saved and handed
/// over, and the daemon that comes next goes on from there, with the same run.
#[tokio::test]
async fn a_run_under_way_is_saved_when_the_daemon_stops() {
    for engine in annals_testkit::history_engines() {
        let site = Site::new(Engine::Sqlite, engine, 600).await;
        site.service("queue: {batchObjectsMax: 5}\n");
        site.arguments("lossLimit: 20");
        annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
        let daemon = Daemon::serving(site.path(), &[]);
        wait_for("a saved state", || site.count("select count(*) from annals_request_state;") > 0);
        daemon.stops();
        assert_eq!(site.look("select state from annals_run;"), ["running"]);
        assert_eq!(site.count("select count(*) from annals_partition where state = 'leased';"), 0);
        let done = site.count("select count(*) from annals_request_state;");
        assert!(
            done > 0 && done < site.count("select count(*) from annals_partition_chunk;"),
            "in the middle"
        );
        let daemon = Daemon::serving(site.path(), &[]);
        wait_for("the end of the run", || {
            site.count("select count(*) from annals_run where state = 'ended';") == 1
        });
        daemon.stops();
        assert_eq!(site.look("select id, status from annals_run;"), ["1|success"]);
        // A state is saved for each chunk: none was done twice.
        let chunks = site.count("select count(*) from annals_partition_chunk;");
        assert_eq!(site.count("select count(*) from annals_request_state;"), chunks);
        let expected = Site::new(Engine::Sqlite, Engine::Sqlite, 600).await;
        expected.run(START_MS).await.succeeds();
        let heads = "select count(*) from annals_head;";
        assert_eq!(site.count(heads), expected.count(heads));
    }
}

/// A database that gives no answer keeps no daemon from ending within five seconds; a second signal ends it at once.
#[tokio::test]
async fn a_stalled_database_keeps_no_daemon_from_ending() {
    for signals in [1, 2] {
        let site = site(Engine::Sqlite, "{everySeconds: 1}").await;
        let daemon = Daemon::serving(site.path(), &[]);
        wait_for("a fire", || fires(&site, "outcome = 'fired'") >= 1);
        // Whoever writes waits for this.
        let stalls = site.db.begin().await.unwrap();
        std::thread::sleep(Duration::from_millis(1_500));
        for _ in 0..signals {
            daemon.terminate();
            std::thread::sleep(Duration::from_millis(300));
        }
        let (code, took) = daemon.ends();
        assert_eq!(code, 130, "interrupted");
        let most = if signals == 1 { 5_000 } else { 1_000 };
        assert!(took < Duration::from_millis(most), "{took:?}");
        stalls.rollback().await.unwrap();
    }
}

/// A source that is away is waited for: the fire says why it waits, and is started when the source is back.
#[tokio::test]
async fn a_fire_waits_for_a_source_that_is_away() {
    let site = Site::small().await;
    site.write("tasks/dispatch-access-history.yaml", &format!("name: {TASK}\n"));
    let source = PathBuf::from(site.source.url().trim_start_matches("sqlite:"));
    let aside = source.with_extension("aside");
    std::fs::rename(&source, &aside).unwrap();
    annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
    let daemon = Daemon::serving(site.path(), &["--host", "alpha"]);
    wait_for("a note", || {
        fires(&site, "outcome = 'waiting' and note like 'alpha: opening the source%'") == 1
    });
    std::fs::rename(&aside, &source).unwrap();
    wait_for("the run", || fires(&site, "outcome = 'triggered' and run_id = 1 and note is null") == 1);
    daemon.stops();
}

/// IIQ-20: the ready-made task is planned daily at midnight in its zone; what is asked for by a wrong name is not there.
#[tokio::test]
async fn schedules_are_listed_and_unknown_tasks_are_not_found() {
    let site = Site::small().await;
    let say = |arguments: &[&str]| annals(site.path(), &[&["schedule"], arguments].concat());
    let listed = say(&["list", "-o", "json"]).exits(0).json();
    let task = &listed["items"][0];
    assert_eq!((&task["task"], &task["schedule"]), (&json!(TASK), &json!("0 0 * * * in UTC")));
    assert_eq!((&task["catchUp"], &task["state"]), (&json!("one"), &json!("active")));
    let next = say(&["next", "--count", "2", "--tz", "UTC", "-o", "json"]).exits(0).json();
    let planned: Vec<&str> =
        next["items"].as_array().unwrap().iter().map(|item| item["planned"].as_str().unwrap()).collect();
    assert_eq!(planned.len(), 2);
    assert!(planned.iter().all(|planned| planned.ends_with(" 00:00:00+00:00")), "{planned:?}");
    say(&["pause", TASK]).exits(0);
    say(&["pause", TASK]).exits(0).tells("paused already");
    assert_eq!(say(&["list", "-o", "json"]).json()["items"][0]["state"], "paused");
    say(&["resume", TASK]).exits(0);
    say(&["resume", TASK]).exits(0).tells("it was not paused");
    for command in [
        &["next", "Nope"][..],
        &["pause", "Nope"],
        &["resume", "Nope"],
        &["trigger", "Nope"],
        &["ledger", "Nope"],
    ] {
        say(command)
            .exits(5)
            .tells("error: task `Nope` was not found")
            .tells("help: The tasks are `Dispatch");
    }
    assert_eq!(ledger(&site), Vec::<Value>::new());
    annals(site.path(), &["daemon", "--role", "extract"]).exits(2).tells("--role extract,writer");
}
