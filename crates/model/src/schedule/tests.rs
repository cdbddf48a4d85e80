use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-03-29 00:00 UTC, the day on which Berlin's clocks jump from 02:00 to 03:00, at 01:00 UTC.
const FORWARD_MS: i64 = 1_774_742_400_000;
/// 2026-10-25 00:00 UTC, the day on which they go back from 03:00 to 02:00, at 01:00 UTC.
const BACK_MS: i64 = 1_792_886_400_000;

fn berlin(line: &str) -> Cadence {
    Cadence::cron(line, TimeZone::get("Europe/Berlin").unwrap()).unwrap()
}

/// All instants that a cadence plans after one and up to another.
fn planned(cadence: &Cadence, after_ms: i64, until_ms: i64) -> Vec<i64> {
    std::iter::successors(cadence.next(after_ms), |planned| cadence.next(*planned))
        .take_while(|planned| *planned <= until_ms)
        .collect()
}

/// What `30 2 * * *` plans on thirty days about a change of Berlin's clocks, worked out by hand: half past two is
/// 01:30 UTC in winter and 00:30 UTC in summer. On the day of the jump it does not exist, and three o'clock, 01:00 UTC,
/// takes its place; on the day on which it comes twice the first one, still in summer time, counts.
fn nights(change_ms: i64) -> Vec<i64> {
    (-15..15)
        .map(|day: i64| {
            let minutes = match (change_ms, day) {
                (FORWARD_MS, 0) => 60,
                (FORWARD_MS, 1..) | (BACK_MS, ..=0) => 30,
                _ => 90,
            };
            change_ms + day * DAY_MS + minutes * MINUTE_MS
        })
        .collect()
}

/// TRAP-10: a nightly run in a zone whose clocks change is planned exactly once a day.
#[test]
fn a_nightly_line_plans_each_day_once_when_clocks_change() {
    for change_ms in [FORWARD_MS, BACK_MS] {
        let (from, to) = (change_ms - 15 * DAY_MS, change_ms + 15 * DAY_MS);
        assert_eq!(planned(&berlin("30 2 * * *"), from, to), nights(change_ms));
        assert_eq!(planned(&berlin("0 0 * * *"), from, to).len(), 30);
    }
}

/// A line that is no single time of the day follows the clock on the wall: 23 hours on one day, 25 on the other.
#[test]
fn other_lines_follow_the_clock_on_the_wall() {
    let halves = |after_ms: i64, hours: i64| {
        planned(&berlin("*/30 * * * *"), after_ms - 1, after_ms + hours * HOUR_MS - 1).len()
    };
    // Berlin's days begin an hour before UTC's in winter, two in summer.
    assert_eq!(halves(FORWARD_MS - HOUR_MS, 23), 46);
    assert_eq!(halves(BACK_MS - 2 * HOUR_MS, 25), 50);
    // Of two times a day, the one that is jumped over is not planned.
    let twice = planned(&berlin("30 2,14 * * *"), FORWARD_MS - HOUR_MS, FORWARD_MS + 22 * HOUR_MS);
    assert_eq!(twice, [FORWARD_MS + 12 * HOUR_MS + 30 * MINUTE_MS]);
}

#[test]
fn the_next_fire_is_after_the_instant_asked_about() {
    let every = Cadence::Every { every_ms: 5_000 };
    assert_eq!([-1, 0, 4_999, 5_000].map(|after| every.next(after)), [0, 5_000, 5_000, 10_000].map(Some));
    let midnight = Cadence::cron("0 0 * * *", TimeZone::UTC).unwrap();
    assert_eq!(midnight.next(FORWARD_MS - 1), Some(FORWARD_MS));
    assert_eq!(midnight.next(FORWARD_MS), Some(FORWARD_MS + DAY_MS));
    assert_eq!(midnight.next(FORWARD_MS + 999), Some(FORWARD_MS + DAY_MS));
    assert_eq!(midnight.next(i64::MAX), None);
}

/// Ten seconds apart; the last fire that time has reached was at 100 s.
fn tens(catch_up: CatchUp) -> Schedule {
    Schedule { catch_up, ..Schedule::new(Cadence::Every { every_ms: 10_000 }) }
}

/// Words for what a plan decides: planned second, outcome, and the kind of those that wait.
fn decided(plan: &Plan) -> Vec<(i64, &'static str, &'static str)> {
    plan.fires
        .iter()
        .map(|reached| {
            let kind = if reached.outcome == Outcome::Waiting { reached.fire.kind.as_str() } else { "" };
            (reached.fire.planned_ms / 1_000, reached.outcome.as_str(), kind)
        })
        .collect()
}

#[test]
fn fires_that_a_host_sees_in_time_wait_to_be_started() {
    let plan = plan("T", &tens(CatchUp::Skip), None, 79_999, 105_000, &[]);
    assert_eq!(
        decided(&plan),
        [(80, "waiting", "on-time"), (90, "waiting", "on-time"), (100, "waiting", "on-time")]
    );
    assert_eq!(plan.until_ms, 105_000);
}

#[test]
fn fires_that_no_host_was_there_for_follow_the_catch_up_policy() {
    let minutes = |catch_up| Schedule {
        catch_up_window_ms: 3 * MINUTE_MS,
        ..Schedule { cadence: Cadence::Every { every_ms: MINUTE_MS }, ..tens(catch_up) }
    };
    let after = |catch_up, now_ms| decided(&plan("T", &minutes(catch_up), None, 0, now_ms, &[]));
    // 5:30: the fire at 5:00 is seen in time, those before are late, those before 2:30 out of the window.
    let now = 5 * MINUTE_MS + 30_000;
    let on_time = (300, "waiting", "on-time");
    let missed = |second| (second, "missed", "");
    let late = |second| (second, "waiting", "late");
    assert_eq!(after(CatchUp::Skip, now), [missed(60), missed(120), missed(180), missed(240), on_time]);
    assert_eq!(after(CatchUp::All, now), [missed(60), missed(120), late(180), late(240), on_time]);
    // The fire that is on time stands for the late ones.
    assert_eq!(after(CatchUp::One, now), [missed(60), missed(120), missed(180), missed(240), on_time]);
    // Every hour: at 2:05 none is on time, and the newest is caught up.
    let hourly = |catch_up| Schedule {
        cadence: Cadence::Every { every_ms: HOUR_MS },
        catch_up,
        ..Schedule::new(Cadence::Every { every_ms: HOUR_MS })
    };
    let now = 2 * HOUR_MS + 5 * MINUTE_MS;
    assert_eq!(decided(&plan("T", &hourly(CatchUp::One), None, 0, now, &[])), [missed(3_600), late(7_200)]);
}

#[test]
fn a_fire_that_waited_when_the_hosts_went_away_is_decided_on_again() {
    let waits = Waiting { planned_ms: 0, due_ms: 0, kind: Kind::OnTime };
    let hourly = |catch_up| Schedule { catch_up, ..Schedule::new(Cadence::Every { every_ms: HOUR_MS }) };
    let overtaken = |catch_up, since_ms, now_ms| {
        let plan = plan("T", &hourly(catch_up), None, since_ms, now_ms, &[waits]);
        plan.overtaken.iter().map(|reached| (reached.outcome, reached.fire.kind)).collect::<Vec<_>>()
    };
    let half = 30 * MINUTE_MS;
    assert_eq!(overtaken(CatchUp::Skip, 1_000, half), [(Outcome::Missed, Kind::Late)]);
    assert_eq!(overtaken(CatchUp::One, 1_000, half), [(Outcome::Waiting, Kind::Late)]);
    assert_eq!(overtaken(CatchUp::One, 1_000, half + HOUR_MS), [(Outcome::Missed, Kind::Late)]);
    // Somebody looked a moment ago: it waits for a run to end.
    assert_eq!(overtaken(CatchUp::Skip, half - 1_000, half), []);
}

#[test]
fn fires_of_a_paused_task_are_skipped_from_the_pause_on() {
    let pause = Pause { since_ms: 85_000, note: "audit".to_owned() };
    let plan = plan("T", &tens(CatchUp::One), Some(&pause), 79_999, 105_000, &[]);
    assert_eq!(decided(&plan), [(80, "waiting", "on-time"), (90, "skipped", ""), (100, "skipped", "")]);
    assert_eq!(plan.fires[1].note.as_deref(), Some("paused: audit"));
}

#[test]
fn a_long_absence_is_gone_through_in_parts() {
    let schedule = tens(CatchUp::Skip);
    let first = plan("T", &schedule, None, 0, 20_000_000, &[]);
    assert_eq!((first.fires.len(), first.until_ms), (1_000, 10_000_000));
    let second = plan("T", &schedule, None, first.until_ms, 20_000_000, &[]);
    assert_eq!((second.fires.len(), second.until_ms), (1_000, 20_000_000));
}

#[test]
fn a_fire_is_put_off_within_the_jitter_and_alike_everywhere() {
    let schedule = Schedule { jitter_ms: 5_000, ..tens(CatchUp::Skip) };
    let put_off = |task| {
        let plan = plan(task, &schedule, None, 0, 10_000_000, &[]);
        plan.fires.iter().map(|r| r.fire.due_ms - r.fire.planned_ms).collect::<Vec<_>>()
    };
    let (one, other) = (put_off("T"), put_off("U"));
    assert_eq!(one, put_off("T"));
    assert_ne!(one, other);
    assert!(one.iter().all(|ms| (0..=5_000).contains(ms)));
    // A thousand values of 5001: not a few of them, and their mean is in the middle.
    let mean = one.iter().sum::<i64>() / 1_000;
    assert!((2_200..2_800).contains(&mean), "{mean}");
}

fn waiting(second: i64, kind: Kind) -> Waiting {
    Waiting { planned_ms: second * 1_000, due_ms: second * 1_000, kind }
}

/// The second of the fire that is started, and those that are skipped.
fn started(due: &Due) -> (Option<i64>, Vec<i64>) {
    let second = |fire: &Waiting| fire.planned_ms / 1_000;
    (due.start.as_ref().map(second), due.skip.iter().map(|(fire, _)| second(fire)).collect())
}

#[test]
fn an_overlap_skips_a_fire_or_lets_one_wait() {
    use Kind::{Asked, Late, OnTime};
    let fires = [waiting(1, OnTime), waiting(2, OnTime), waiting(3, OnTime), waiting(99, OnTime)];
    let at_nine = |fires: &[Waiting], running, overlap| started(&due(fires, running, None, overlap, 9_000));
    assert_eq!(at_nine(&fires, None, Overlap::Skip), (Some(1), vec![2, 3]));
    assert_eq!(at_nine(&fires, None, Overlap::BufferOne), (Some(1), vec![3]));
    assert_eq!(at_nine(&fires, Some(7), Overlap::Skip), (None, vec![1, 2, 3]));
    assert_eq!(at_nine(&fires, Some(7), Overlap::BufferOne), (None, vec![2, 3]));
    // What is caught up or was asked for waits for its turn.
    let fires = [waiting(1, Late), waiting(2, Late), waiting(3, Asked)];
    assert_eq!(at_nine(&fires, None, Overlap::Skip), (Some(1), vec![]));
    assert_eq!(at_nine(&fires, Some(7), Overlap::Skip), (None, vec![]));
    let reason = |running, overlap| {
        let fires = [waiting(1, OnTime), waiting(2, OnTime)];
        due(&fires, running, None, overlap, 9_000).skip.pop().map(|(_, reason)| reason)
    };
    assert_eq!(reason(Some(7), Overlap::Skip).as_deref(), Some("run 7 was under way"));
    let both = "run 7 was under way, and one fire waited for its end";
    assert_eq!(reason(Some(7), Overlap::BufferOne).as_deref(), Some(both));
    assert_eq!(reason(None, Overlap::Skip).as_deref(), Some("an earlier fire waited"));
}

#[test]
fn a_paused_task_is_executed_only_for_somebody_who_asks() {
    let pause = Pause { since_ms: 0, note: String::new() };
    let fires = [waiting(1, Kind::OnTime), waiting(2, Kind::Late), waiting(3, Kind::Asked)];
    let due = due(&fires, None, Some(&pause), Overlap::Skip, 9_000);
    assert_eq!(started(&due), (Some(3), vec![1, 2]));
}

/// A ledger in memory, with a task whose runs take some time.
#[derive(Default)]
struct Ledger {
    rows: BTreeMap<i64, (Outcome, Kind, i64)>,
    until_ms: i64,
    run_ends_ms: i64,
    runs: usize,
}

impl Ledger {
    fn waiting(&self) -> Vec<Waiting> {
        let waits = self.rows.iter().filter(|(_, row)| row.0 == Outcome::Waiting);
        waits
            .map(|(planned_ms, (_, kind, due_ms))| Waiting {
                planned_ms: *planned_ms,
                due_ms: *due_ms,
                kind: *kind,
            })
            .collect()
    }

    /// Gives a fire its outcome; it has none so far.
    fn settle(&mut self, planned_ms: i64, outcome: Outcome) {
        let row = self.rows.get_mut(&planned_ms).unwrap();
        assert_eq!(row.0, Outcome::Waiting);
        row.0 = outcome;
    }

    /// One look at the schedule at an instant.
    fn tick(&mut self, schedule: &Schedule, now_ms: i64, run_ms: i64) {
        loop {
            let plan = plan("T", schedule, None, self.until_ms, now_ms, &self.waiting());
            for reached in &plan.overtaken {
                let row = self.rows.get_mut(&reached.fire.planned_ms).unwrap();
                *row = (reached.outcome, reached.fire.kind, reached.fire.due_ms);
            }
            for Reached { fire, outcome, .. } in &plan.fires {
                let before = self.rows.insert(fire.planned_ms, (*outcome, fire.kind, fire.due_ms));
                assert_eq!(before, None, "planned twice");
            }
            let more = plan.until_ms < now_ms;
            self.until_ms = plan.until_ms;
            if !more {
                break;
            }
        }
        let running = (now_ms < self.run_ends_ms).then_some(1);
        let due = due(&self.waiting(), running, None, schedule.overlap, now_ms);
        for (fire, _) in due.skip {
            self.settle(fire.planned_ms, Outcome::Skipped);
        }
        if let Some(fire) = due.start {
            assert!(now_ms >= self.run_ends_ms, "runs overlap");
            self.settle(fire.planned_ms, fire.kind.started());
            self.run_ends_ms = now_ms + run_ms;
            self.runs += 1;
        }
    }
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let catch_up = prop_oneof![Just(CatchUp::Skip), Just(CatchUp::One), Just(CatchUp::All)];
    let overlap = prop_oneof![Just(Overlap::Skip), Just(Overlap::BufferOne)];
    let line = prop_oneof![Just("30 2 * * *"), Just("0 * * * *")];
    (line, catch_up, overlap, 0..2 * HOUR_MS, HOUR_MS..4 * DAY_MS).prop_map(
        |(line, catch_up, overlap, jitter_ms, catch_up_window_ms)| Schedule {
            catch_up,
            overlap,
            jitter_ms,
            catch_up_window_ms,
            ..Schedule::new(berlin(line))
        },
    )
}

/// Looks at the schedule: mostly seconds apart, at times hours or days.
fn any_steps() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![
        20 => SECOND_MS..50 * SECOND_MS,
        10 => MINUTE_MS..HOUR_MS,
        1 => HOUR_MS..3 * DAY_MS,
    ];
    prop::collection::vec(step, 50..1_500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Thirty simulated days with outages about either change of the clocks: every planned fire has exactly one
    /// outcome, nothing that was not planned has one, no two runs overlap, and what no host missed is fired or skipped
    /// for an overlap.
    #[test]
    fn thirty_days_give_every_planned_fire_one_outcome(
        schedule in any_schedule(),
        steps in any_steps(),
        change_ms in prop_oneof![Just(FORWARD_MS), Just(BACK_MS)],
        run_ms in 0..3 * HOUR_MS,
    ) {
        let (from, to) = (change_ms - 15 * DAY_MS, change_ms + 15 * DAY_MS);
        let mut ledger = Ledger { until_ms: from, ..Ledger::default() };
        let mut now = from;
        for step in steps.iter().cycle() {
            now += step;
            if now >= to {
                break;
            }
            ledger.tick(&schedule, now, run_ms);
        }
        ledger.tick(&schedule, to, run_ms);
        let planned = match schedule.cadence.to_string().starts_with('3') {
            true => nights(change_ms),
            // Berlin's clocks are whole hours apart from UTC: every hour that passes is a full hour there.
            false => (1..=30 * 24).map(|hour| from + hour * HOUR_MS).collect(),
        };
        prop_assert_eq!(ledger.rows.keys().copied().collect::<Vec<_>>(), planned);
        // Hosts stay from now on: what waits is started or skipped, and stays so.
        for _ in 0..2_000 {
            now += 4 * HOUR_MS;
            let on = Schedule { cadence: Cadence::Every { every_ms: i64::MAX }, ..schedule.clone() };
            ledger.until_ms = now;
            ledger.tick(&on, now, run_ms);
        }
        prop_assert!(ledger.waiting().is_empty());
        let count = |outcome| ledger.rows.values().filter(|row| row.0 == outcome).count();
        prop_assert_eq!(count(Outcome::Fired) + count(Outcome::CaughtUp), ledger.runs);
        if schedule.catch_up == CatchUp::Skip {
            prop_assert_eq!(count(Outcome::CaughtUp), 0);
        }
    }
}
