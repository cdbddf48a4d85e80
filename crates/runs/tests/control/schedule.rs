//! The schedule ledger on every engine that history is kept on.

use std::sync::Arc;

use annals_model::Schedule;
use annals_model::schedule::{Cadence, CatchUp, Kind, Outcome, Overlap, Waiting};
use annals_runs::schedule::{self, Fire, Listed, Tick};
use annals_runs::tasks;
use annals_sql::{Access, Db};
use jiff::tz::TimeZone;
use tokio::sync::Barrier;

use super::Control;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-03-29 and 2026-10-25 00:00 UTC: at 01:00 Berlin's clocks jump an hour ahead, or go back.
const CHANGES_MS: [i64; 2] = [1_774_742_400_000, 1_792_886_400_000];

impl Control {
    /// Another host's connection.
    async fn host(&self) -> Db {
        Db::open(self.outside.url(), Access::ReadWrite).await.unwrap()
    }

    async fn fires(&self) -> Vec<Fire> {
        let mut tx = self.db.begin_read().await.unwrap();
        let listed = Listed { task: Some("T"), outcome: None, before_ms: i64::MAX, limit: 1_000_000 };
        let mut fires = schedule::list(&mut tx, listed).await.unwrap();
        fires.reverse();
        fires
    }

    /// Planned instants and outcomes.
    async fn outcomes(&self) -> Vec<(i64, Outcome)> {
        self.fires().await.iter().map(|fire| (fire.fire.planned_ms, fire.outcome)).collect()
    }
}

/// A host's look at the schedule, as the daemon has it; a fire that is to be started is, under the number `run_id`.
async fn look(db: &Db, schedule: Option<&Schedule>, host: &str, now_ms: i64, run_id: i64) -> Option<Tick> {
    let mut tx = db.begin_read().await.unwrap();
    if !schedule::has_work(&mut tx, "T", schedule, now_ms).await.unwrap() {
        return None;
    }
    tx.rollback().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let tick = schedule::tick(&mut tx, "T", schedule, host, now_ms).await.unwrap();
    if let Some(fire) = &tick.start {
        assert!(schedule::started(&mut tx, "T", fire, run_id, host).await.unwrap());
    }
    tx.commit().await.unwrap();
    Some(tick)
}

fn every(every_ms: i64) -> Schedule {
    Schedule::new(Cadence::Every { every_ms })
}

/// Two hosts race each other through ten thousand ticks of the database's clock, and look at each again by clocks that are
/// ten minutes behind it: every tick is fired once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_fire_every_tick_once() {
    const TICKS: i64 = 10_000;
    const START_MS: i64 = 1_767_571_200_000;
    for ledger in Control::everywhere().await {
        let mut tx = ledger.db.begin().await.unwrap();
        schedule::tick(&mut tx, "T", Some(&every(1_000)), "first", START_MS).await.unwrap();
        tx.commit().await.unwrap();
        let mut hosts = tokio::task::JoinSet::new();
        let together = Arc::new(Barrier::new(2));
        for name in ["one", "other"] {
            let (db, together) = (ledger.host().await, Arc::clone(&together));
            hosts.spawn(async move {
                let second = every(1_000);
                for tick in 1..=TICKS {
                    let now_ms = START_MS + tick * 1_000;
                    // Neither may run away from the other for long.
                    if tick % 20 == 0 {
                        together.wait().await;
                    }
                    // Where the other host is at it, nothing happens.
                    while look(&db, Some(&second), name, now_ms, tick).await.is_some() {}
                    let behind = look(&db, Some(&second), name, now_ms - 10 * MINUTE_MS, -tick).await;
                    assert_eq!(behind, None);
                }
            });
        }
        hosts.join_all().await;
        let fires = ledger.fires().await;
        let planned: Vec<i64> = fires.iter().map(|fire| fire.fire.planned_ms).collect();
        assert_eq!(planned, (1..=TICKS).map(|tick| START_MS + tick * 1_000).collect::<Vec<_>>());
        assert!(fires.iter().all(|fire| fire.outcome == Outcome::Fired));
        // The number of the run is that of the tick: no fire was started by a look at another tick.
        let runs: Vec<i64> = fires.iter().filter_map(|fire| fire.run_id).collect();
        assert_eq!(runs, (1..=TICKS).collect::<Vec<_>>(), "{}", ledger.outside.engine());
        for name in ["one", "other"] {
            assert!(fires.iter().any(|fire| fire.host == name), "it never was the first");
        }
    }
}

/// Thirty simulated days of an hourly schedule with outages, about each change of the clocks: every planned fire has
/// exactly one outcome, and each run stands for one fire.
#[tokio::test]
async fn thirty_days_with_outages_leave_one_outcome_for_each_fire() {
    for change_ms in CHANGES_MS {
        for ledger in Control::everywhere().await {
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            let hourly = Schedule {
                catch_up: CatchUp::All,
                catch_up_window_ms: 6 * HOUR_MS,
                ..Schedule::new(Cadence::cron("0 * * * *", zone).unwrap())
            };
            let from = change_ms - 15 * DAY_MS;
            let until = from + 30 * DAY_MS;
            let (mut now, mut looks, mut runs) = (from, 0_i64, 0);
            while now < until {
                if let Some(tick) = look(&ledger.db, Some(&hourly), "h", now, runs + 1).await {
                    runs += i64::from(tick.start.is_some());
                }
                looks += 1;
                // Every few minutes; in every fortieth step the hosts are away for nine hours.
                now += if looks % 40 == 0 { 9 * HOUR_MS } else { (looks * 7 % 19 + 1) * MINUTE_MS };
            }
            let mut more = true;
            while more {
                let tick = look(&ledger.db, Some(&hourly), "h", until, runs + 1).await;
                runs += i64::from(tick.as_ref().is_some_and(|tick| tick.start.is_some()));
                more = tick.is_some_and(|tick| tick.decided > 0 || tick.start.is_some());
            }
            let outcomes = ledger.outcomes().await;
            let planned: Vec<i64> = outcomes.iter().map(|(planned, _)| *planned).collect();
            // Berlin's clocks are whole hours apart from UTC: every hour that passes is a full hour there.
            assert_eq!(planned, (1..=30 * 24).map(|hour| from + hour * HOUR_MS).collect::<Vec<_>>());
            let count = |outcome| outcomes.iter().filter(|(_, found)| *found == outcome).count();
            assert_eq!(count(Outcome::Waiting), 0);
            assert!(count(Outcome::Fired) > 0 && count(Outcome::CaughtUp) > 0 && count(Outcome::Missed) > 0);
            let mut numbers: Vec<i64> = ledger.fires().await.iter().filter_map(|fire| fire.run_id).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (1..=runs).collect::<Vec<_>>());
        }
    }
}

/// TRAP-11, TRAP-08: of two hosts that start one fire, one does; where the first dies before its run is recorded, the
/// fire waits for the other one.
#[tokio::test]
async fn a_fire_is_started_in_the_transaction_that_records_its_run() {
    for ledger in Control::everywhere().await {
        let noon = 12 * HOUR_MS;
        let hourly = every(HOUR_MS);
        look(&ledger.db, Some(&hourly), "h", noon - 1, 0).await;
        let mut tx = ledger.db.begin().await.unwrap();
        let tick = schedule::tick(&mut tx, "T", Some(&hourly), "h", noon).await.unwrap();
        tx.commit().await.unwrap();
        let fire = tick.start.unwrap();
        let mut tx = ledger.db.begin().await.unwrap();
        assert!(schedule::started(&mut tx, "T", &fire, 1, "dies").await.unwrap());
        drop(tx);
        let other = ledger.host().await;
        let mut tx = other.begin().await.unwrap();
        let again = schedule::tick(&mut tx, "T", Some(&hourly), "o", noon + 1_000).await.unwrap();
        assert_eq!(again.start, Some(fire));
        assert!(schedule::started(&mut tx, "T", &fire, 2, "o").await.unwrap());
        tx.commit().await.unwrap();
        let mut tx = ledger.db.begin().await.unwrap();
        assert!(!schedule::started(&mut tx, "T", &fire, 3, "late").await.unwrap());
        tx.rollback().await.unwrap();
        let fires = ledger.fires().await;
        assert_eq!((fires.len(), fires[0].run_id, fires[0].host.as_str()), (1, Some(2), "o"));
        assert!(fires[0].lateness_ms.unwrap() > 0, "by the database's clock that noon is long ago");
    }
}

/// A fire that comes while a living run holds the task's lock is skipped, and says for which run.
#[tokio::test]
async fn a_fire_during_a_run_is_skipped_or_waits() {
    for ledger in Control::everywhere().await {
        let mut tx = ledger.db.begin().await.unwrap();
        tasks::ensure(&mut tx, "T", "E").await.unwrap();
        assert!(tasks::lock(&mut tx, "T", 7).await.unwrap());
        tx.commit().await.unwrap();
        ledger.outside.sql(
            "insert into annals_run (id, task, trigger_kind, host, config_version, state, started, horizon, counters,
               driver, driver_epoch, driver_until)
             values (7, 'T', 'scheduled', 'h', 1, 'running', 1, 1, '{}', 1, 1, 9999999999999);",
        );
        let (skip, buffer) = (every(10_000), Schedule { overlap: Overlap::BufferOne, ..every(10_000) });
        look(&ledger.db, Some(&skip), "h", 9_999, 0).await;
        assert_eq!(look(&ledger.db, Some(&skip), "h", 10_000, 0).await.unwrap().start, None);
        assert_eq!(look(&ledger.db, Some(&buffer), "h", 20_000, 0).await.unwrap().start, None);
        assert_eq!(look(&ledger.db, Some(&buffer), "h", 30_000, 0).await.unwrap().start, None);
        let fires = ledger.fires().await;
        let told: Vec<_> = fires.iter().map(|fire| (fire.outcome, fire.note.as_deref())).collect();
        assert_eq!(told[0], (Outcome::Skipped, Some("run 7 was under way")));
        assert_eq!(told[1], (Outcome::Waiting, None));
        assert_eq!(told[2], (Outcome::Skipped, Some("run 7 was under way, and one fire waited for its end")));
        let mut tx = ledger.db.begin().await.unwrap();
        tasks::unlock(&mut tx, "T", 7).await.unwrap();
        tx.commit().await.unwrap();
        let start = look(&ledger.db, Some(&buffer), "h", 31_000, 8).await.unwrap().start;
        assert_eq!(start, Some(Waiting { planned_ms: 20_000, due_ms: 20_000, kind: Kind::OnTime }));
    }
}

/// What was planned while a task was paused is skipped, whether a host was there or not; what somebody asks for is not.
#[tokio::test]
async fn a_paused_task_goes_on_where_it_is_resumed() {
    for ledger in Control::everywhere().await {
        let fast = every(1);
        let mut tx = ledger.db.begin().await.unwrap();
        let now = schedule::now_ms(&mut tx).await.unwrap();
        schedule::tick(&mut tx, "T", Some(&fast), "h", now).await.unwrap();
        assert!(schedule::pause(&mut tx, "T", "audit").await.unwrap());
        assert!(!schedule::pause(&mut tx, "T", "again").await.unwrap());
        let pause = schedule::state(&mut tx, "T").await.unwrap().unwrap().pause.unwrap();
        assert_eq!(pause.note, "audit");
        let asked = schedule::trigger(&mut tx, "T", "somebody").await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = ledger.db.begin().await.unwrap();
        assert!(schedule::resume(&mut tx, "T", Some(&fast), "h").await.unwrap());
        assert!(!schedule::resume(&mut tx, "T", Some(&fast), "h").await.unwrap());
        let state = schedule::state(&mut tx, "T").await.unwrap().unwrap();
        assert!(state.pause.is_none() && state.planned_until_ms >= asked);
        tx.commit().await.unwrap();
        let of_pause =
            |fire: &&Fire| (pause.since_ms..state.planned_until_ms).contains(&fire.fire.planned_ms);
        let fires = ledger.fires().await;
        for fire in fires.iter().filter(of_pause).filter(|fire| fire.fire.planned_ms != asked) {
            assert_eq!((fire.outcome, fire.note.as_deref()), (Outcome::Skipped, Some("paused: audit")));
        }
        let asked = fires.iter().find(|fire| fire.fire.planned_ms == asked).unwrap();
        assert_eq!((asked.outcome, asked.fire.kind), (Outcome::Waiting, Kind::Asked));
    }
}

/// A task without a schedule is started when somebody asks for it, and its row says so.
#[tokio::test]
async fn what_somebody_asks_for_is_triggered() {
    for ledger in Control::everywhere().await {
        let mut tx = ledger.db.begin().await.unwrap();
        let asked = schedule::trigger(&mut tx, "T", "somebody").await.unwrap();
        assert!(schedule::trigger(&mut tx, "T", "somebody").await.unwrap() > asked);
        tx.commit().await.unwrap();
        let tick = look(&ledger.db, None, "h", asked + 1_000, 5).await.unwrap();
        assert_eq!(tick.start.map(|fire| fire.planned_ms), Some(asked));
        let fires = ledger.fires().await;
        assert_eq!((fires[0].outcome, fires[0].run_id), (Outcome::Triggered, Some(5)));
        assert_eq!(fires.len(), 2);
        let mut tx = ledger.db.begin().await.unwrap();
        schedule::note(&mut tx, "T", &fires[1].fire, "the source is away").await.unwrap();
        schedule::note(&mut tx, "T", &fires[0].fire, "not any more").await.unwrap();
        tx.commit().await.unwrap();
        let notes: Vec<_> = ledger.fires().await.into_iter().map(|fire| fire.note).collect();
        assert_eq!(notes, [None, Some("the source is away".to_owned())]);
    }
}
