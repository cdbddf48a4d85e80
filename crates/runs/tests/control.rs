//! The control tables on every engine that history is kept on, from one body.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "control/leases.rs"]
mod leases;
#[path = "control/schedule.rs"]
mod schedule;

use std::collections::BTreeMap;

use annals_model::{Counters, ObjectFailure, ObjectType, PartitionLease, RequestState, Stage, TaskStatus};
use annals_runs::{
    ChunkKind, DeletedObject, Driver, Error, FailedObject, NewChunk, NewRun, Objects, RunLease, RunMessage,
    RunState, Trigger, WriteCounts, attributes, clean_up, config_version, failures, figures, partitions, run,
    state, suspects, tasks, timestamp, writes,
};
use annals_sql::{Access, Db, Tx};
use annals_testkit::{Engine, TestDb, database, history_engines};
use serde_json::json;

/// A database with the control tables, as the migrations make them.
struct Control {
    db: Db,
    outside: TestDb,
}

impl Control {
    async fn everywhere() -> Vec<Self> {
        let mut all = Vec::new();
        for engine in history_engines() {
            let outside = database(engine);
            let migrations = match engine {
                Engine::Sqlite => [
                    include_str!("../../../migrations/sqlite/0001_history_tables.sql"),
                    include_str!("../../../migrations/sqlite/0002_control_tables.sql"),
                    include_str!("../../../migrations/sqlite/0006_schedule.sql"),
                    include_str!("../../../migrations/sqlite/0007_leases.sql"),
                    include_str!("../../../migrations/sqlite/0008_any_order.sql"),
                    include_str!("../../../migrations/sqlite/0009_suspects.sql"),
                    include_str!("../../../migrations/sqlite/0011_retried.sql"),
                    include_str!("../../../migrations/sqlite/0012_deliveries.sql"),
                    include_str!("../../../migrations/sqlite/0013_run_totals.sql"),
                    include_str!("../../../migrations/sqlite/0014_clean_up.sql"),
                ],
                _ => [
                    include_str!("../../../migrations/postgres/0001_history_tables.sql"),
                    include_str!("../../../migrations/postgres/0002_control_tables.sql"),
                    include_str!("../../../migrations/postgres/0006_schedule.sql"),
                    include_str!("../../../migrations/postgres/0007_leases.sql"),
                    include_str!("../../../migrations/postgres/0008_any_order.sql"),
                    include_str!("../../../migrations/postgres/0009_suspects.sql"),
                    include_str!("../../../migrations/postgres/0011_retried.sql"),
                    include_str!("../../../migrations/postgres/0012_deliveries.sql"),
                    include_str!("../../../migrations/postgres/0013_run_totals.sql"),
                    include_str!("../../../migrations/postgres/0014_clean_up.sql"),
                ],
            };
            for migration in migrations {
                outside.sql(migration);
            }
            let db = Db::open(outside.url(), Access::ReadWrite).await.unwrap();
            all.push(Self { db, outside });
        }
        all
    }

    async fn tx(&self) -> Tx {
        self.db.begin().await.unwrap()
    }

    /// A run with one partition of two chunks.
    async fn run(&self) -> i64 {
        let mut tx = self.tx().await;
        let driven = begin(&mut tx, None).await;
        let run_id = driven.run_id;
        partitions::insert(&mut tx, run_id, &[3]).await.unwrap();
        let chunk = |number, objects| NewChunk {
            partition: 0,
            number,
            object_type: ObjectType::Role,
            kind: ChunkKind::Modified,
            objects,
        };
        let ids = Objects::Ids(vec!["a".to_owned(), "b".to_owned()]);
        let gone = Objects::Deleted(vec![DeletedObject { id: "c".to_owned(), at: 7, came_back: false }]);
        partitions::insert_chunks(&mut tx, run_id, &[chunk(0, ids), chunk(1, gone)]).await.unwrap();
        run::advance(&mut tx, &driven, RunState::Running, &Counters::default()).await.unwrap();
        tx.commit().await.unwrap();
        run_id
    }

    async fn claim(&self, run_id: i64, lease_ms: i64) -> Option<(PartitionLease, RequestState)> {
        let mut tx = self.tx().await;
        let claimed = partitions::claim(&mut tx, run_id, "w", lease_ms).await.unwrap();
        tx.commit().await.unwrap();
        claimed.map(|claimed| (claimed.lease, claimed.state))
    }

    /// Saves a state; whether the lease still held.
    async fn save(&self, lease: &PartitionLease, chunks_done: u32) -> Result<(), Error> {
        let mut tx = self.tx().await;
        let mut state = RequestState { chunks_done, ..RequestState::default() };
        state.counters.total_seen_objects = u64::from(chunks_done) * 10;
        state.failures = vec![failure(&format!("chunk {chunks_done}"))];
        state::save(&mut tx, lease, &state).await?;
        tx.commit().await.unwrap();
        Ok(())
    }
}

async fn begin(tx: &mut Tx, since_ms: Option<i64>) -> RunLease {
    let new = NewRun {
        task: "T".to_owned(),
        trigger: Trigger::Scheduled,
        host: "h".to_owned(),
        config_version: 1,
        since_ms,
        horizon_ms: 99,
        scope: None,
        follows: None,
        driver: Some(Driver { host: 1, lease_ms: 600_000 }),
    };
    run::begin(tx, &new).await.unwrap()
}

fn failure(object_id: &str) -> ObjectFailure {
    ObjectFailure {
        object_type: ObjectType::Role,
        object_id: object_id.to_owned(),
        stage: Stage::Load,
        error: "table t, column c: broken".to_owned(),
    }
}

#[tokio::test]
async fn every_engine_prepares_every_statement() {
    for control in Control::everywhere().await {
        let mut tx = control.tx().await;
        for stmt in annals_runs::statements() {
            tx.prepare(&stmt).await.unwrap_or_else(|error| {
                panic!("{}: {}", control.outside.engine(), annals_model::error_chain(&error))
            });
        }
    }
}

/// IIQ-08: what the last owner saved is what the next one goes on from; the last chunk ends the partition.
#[tokio::test]
async fn a_partition_goes_on_from_its_last_saved_state() {
    for control in Control::everywhere().await {
        let run_id = control.run().await;
        let (lease, fresh) = control.claim(run_id, 600_000).await.unwrap();
        assert_eq!((lease.epoch, fresh), (1, RequestState::default()));
        assert!(control.claim(run_id, 600_000).await.is_none(), "it has an owner");
        control.save(&lease, 1).await.unwrap();
        let mut tx = control.tx().await;
        partitions::release(&mut tx, &lease, false).await.unwrap();
        assert_eq!(partitions::open(&mut tx, run_id).await.unwrap(), 1);
        tx.commit().await.unwrap();

        let (lease, saved) = control.claim(run_id, 600_000).await.unwrap();
        assert_eq!((lease.epoch, saved.chunks_done, saved.counters.total_seen_objects), (2, 1, 10));
        let mut tx = control.tx().await;
        let left = partitions::chunks(&mut tx, &lease, saved.chunks_done).await.unwrap();
        assert_eq!(left.iter().map(|chunk| (chunk.number, chunk.objects)).collect::<Vec<_>>(), [(1, 1)]);
        let objects = partitions::chunk_objects(&mut tx, &lease, 1).await.unwrap();
        assert_eq!(
            objects,
            Objects::Deleted(vec![DeletedObject { id: "c".to_owned(), at: 7, came_back: false }])
        );
        tx.commit().await.unwrap();
        control.save(&lease, 2).await.unwrap();

        let mut tx = control.tx().await;
        assert_eq!(partitions::open(&mut tx, run_id).await.unwrap(), 0);
        assert_eq!(partitions::list(&mut tx, run_id).await.unwrap()[0].state, "done");
        let states = state::of_run(&mut tx, run_id).await.unwrap();
        assert_eq!(states.iter().map(|state| state.chunks_done).collect::<Vec<_>>(), [2]);
        let failed = failures::of_run(&mut tx, run_id).await.unwrap();
        assert_eq!(failed, [failure("chunk 1"), failure("chunk 2")]);
        tx.commit().await.unwrap();
        // A log: every state that was saved is there.
        assert_eq!(
            control.outside.sql("select seq, lease_epoch from annals_request_state order by seq;"),
            "1\t1\n2\t2\n"
        );
    }
}

/// TRAP-07: a worker whose lease ran out saves nothing, even under the name that the new owner has as well; only the
/// epoch counts.
#[tokio::test]
async fn a_stale_epoch_is_fenced_off() {
    for control in Control::everywhere().await {
        let run_id = control.run().await;
        let (stale, _) = control.claim(run_id, -1).await.unwrap();
        let (lease, _) = control.claim(run_id, 600_000).await.unwrap();
        assert_eq!((stale.epoch, lease.epoch), (1, 2));
        let refused = control.save(&stale, 1).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("the lease of partition 0 of run {run_id} was taken over (epoch 1 is stale)")
        );
        let mut tx = control.tx().await;
        assert!(matches!(state::check(&mut tx, &stale).await, Err(Error::StaleLease { epoch: 1, .. })));
        assert!(matches!(partitions::release(&mut tx, &stale, true).await, Err(Error::StaleLease { .. })));
        state::check(&mut tx, &lease).await.unwrap();
        tx.commit().await.unwrap();
        control.save(&lease, 1).await.unwrap();
        assert_eq!(control.outside.sql("select count(*) from annals_request_state;"), "1\n");
    }
}

#[tokio::test]
async fn a_run_ends_once_and_keeps_what_it_was_told() {
    for control in Control::everywhere().await {
        let mut tx = control.tx().await;
        let lease = begin(&mut tx, Some(5)).await;
        let run_id = lease.run_id;
        let message = |text: &str| RunMessage { status: TaskStatus::Warning, text: text.to_owned() };
        run::add_messages(&mut tx, run_id, &[message("one")]).await.unwrap();
        run::add_messages(&mut tx, run_id, &[message("two"), message("three")]).await.unwrap();
        let counters = Counters { total_object_messages: 4, ..Counters::default() };
        let by_type = json!({"role": {"events": 1}});
        let end = async |tx: &mut Tx, status| {
            run::end(tx, run_id, status, "Partial", &counters, &by_type).await.unwrap()
        };
        assert!(end(&mut tx, TaskStatus::Warning).await);
        assert!(!end(&mut tx, TaskStatus::Error).await, "another host has ended it already");
        let advanced = run::advance(&mut tx, &lease, RunState::Running, &counters).await;
        assert!(matches!(advanced, Err(Error::StaleDriver { epoch: 1, .. })));
        let kept = run::get(&mut tx, run_id).await.unwrap();
        assert_eq!(
            (kept.state, kept.status, kept.since_ms),
            (RunState::Ended, Some(TaskStatus::Warning), Some(5))
        );
        assert_eq!(
            (kept.trigger.as_str(), kept.counters, kept.by_type),
            ("scheduled", counters, Some(by_type.clone()))
        );
        let texts: Vec<String> =
            run::messages(&mut tx, run_id).await.unwrap().into_iter().map(|message| message.text).collect();
        assert_eq!(texts, ["one", "two", "three"]);
        let later = begin(&mut tx, None).await.run_id;
        let listed = |runs: Vec<annals_runs::Run>| runs.iter().map(|run| run.id).collect::<Vec<_>>();
        assert_eq!(listed(run::list(&mut tx, None, None, 10).await.unwrap()), [later, run_id]);
        assert_eq!(listed(run::list(&mut tx, Some("T"), Some(later), 10).await.unwrap()), [run_id]);
        assert_eq!(listed(run::list(&mut tx, Some("U"), None, 10).await.unwrap()), Vec::<i64>::new());
        assert!(matches!(run::get(&mut tx, later + 1).await, Err(Error::NotFound(_))));
    }
}

#[tokio::test]
async fn a_tasks_lock_is_held_until_it_is_given_back_or_its_run_has_ended() {
    for control in Control::everywhere().await {
        let (first, second, third) = (control.run().await, control.run().await, control.run().await);
        let mut tx = control.tx().await;
        tasks::ensure(&mut tx, "T", "E").await.unwrap();
        tasks::ensure(&mut tx, "T", "E").await.unwrap();
        assert_eq!(tasks::holder(&mut tx, "T").await.unwrap(), None);
        assert!(tasks::lock(&mut tx, "T", first).await.unwrap());
        assert!(!tasks::lock(&mut tx, "T", second).await.unwrap());
        let holder = tasks::Holder { run_id: first, driven: true };
        assert_eq!(tasks::holder(&mut tx, "T").await.unwrap(), Some(holder));
        tx.commit().await.unwrap();
        // However long ago its lease ran out: it is there to be taken over.
        control.outside.sql("update annals_run set driver_until = 1;");
        let mut tx = control.tx().await;
        assert!(!tasks::lock(&mut tx, "T", second).await.unwrap());
        assert_eq!(
            tasks::holder(&mut tx, "T").await.unwrap(),
            Some(tasks::Holder { driven: false, ..holder })
        );
        tx.commit().await.unwrap();
        control.outside.sql(&format!("update annals_run set state = 'ended' where id = {first};"));
        let mut tx = control.tx().await;
        assert_eq!(tasks::holder(&mut tx, "T").await.unwrap(), None);
        assert!(tasks::lock(&mut tx, "T", second).await.unwrap());
        tasks::unlock(&mut tx, "T", first).await.unwrap();
        assert_eq!(tasks::holder(&mut tx, "T").await.unwrap().unwrap().run_id, second);
        tasks::unlock(&mut tx, "T", second).await.unwrap();
        assert!(tasks::lock(&mut tx, "T", third).await.unwrap());
        tx.commit().await.unwrap();
        // IIQ-21: each task has an extract configuration of its own.
        let mut tx = control.tx().await;
        assert!(matches!(tasks::ensure(&mut tx, "U", "E").await, Err(Error::Sql(_))));
    }
}

/// IIQ-26, IIQ-55: the list of a task is replaced as a whole; what fails twice in a run has failed once.
#[tokio::test]
async fn failures_are_kept_by_run_and_by_task() {
    for control in Control::everywhere().await {
        let run_id = control.run().await;
        let (lease, _) = control.claim(run_id, 600_000).await.unwrap();
        let mut tx = control.tx().await;
        let again = ObjectFailure { stage: Stage::Publish, ..failure("a") };
        failures::record(&mut tx, &lease, &[failure("a"), failure("b"), again.clone()]).await.unwrap();
        failures::record(&mut tx, &lease, &[failure("b")]).await.unwrap();
        assert_eq!(failures::of_run(&mut tx, run_id).await.unwrap(), [again, failure("b")]);
        assert_eq!(failures::partitions_of_run(&mut tx, run_id).await.unwrap(), [0]);
        let failed = |id: &str, attempts| FailedObject {
            failure: failure(id),
            attempts,
            first_failed_ms: 1,
            last_failed_ms: 2,
            run_id,
            retried_ms: None,
        };
        failures::replace(&mut tx, "T", &[failed("a", 1), failed("b", 4)]).await.unwrap();
        failures::replace(&mut tx, "U", &[failed("a", 2)]).await.unwrap();
        failures::replace(&mut tx, "T", &[failed("b", 5)]).await.unwrap();
        assert_eq!(failures::of_task(&mut tx, "T").await.unwrap(), [failed("b", 5)]);
        assert_eq!(failures::of_task(&mut tx, "U").await.unwrap(), [failed("a", 2)]);
        failures::replace(&mut tx, "T", &[]).await.unwrap();
        assert_eq!(failures::of_task(&mut tx, "T").await.unwrap(), []);
    }
}

#[tokio::test]
async fn counts_add_up_over_partitions_and_statistics_over_batches() {
    for control in Control::everywhere().await {
        let mut tx = control.tx().await;
        for partition in [0, 1, 1] {
            let lease = PartitionLease { run_id: 1, partition, epoch: 1 };
            let counts = WriteCounts { full_captures: 2, events: 3, dead: 1, ..WriteCounts::default() };
            writes::add(&mut tx, &lease, &BTreeMap::from([(ObjectType::Role, counts)])).await.unwrap();
            let changed = BTreeMap::from([
                ((ObjectType::Role, "name".to_owned()), 2),
                ((ObjectType::Role, "owner".to_owned()), u64::from(partition == 0) * 9),
            ]);
            attributes::add(&mut tx, 1, &changed).await.unwrap();
        }
        let sums = WriteCounts { full_captures: 6, events: 9, dead: 3, ..WriteCounts::default() };
        assert_eq!(writes::of_run(&mut tx, 1).await.unwrap(), BTreeMap::from([(ObjectType::Role, sums)]));
        assert_eq!(writes::of_run(&mut tx, 2).await.unwrap(), BTreeMap::new());
        let expected = [("owner", 9), ("name", 6)].map(|(name, n)| (ObjectType::Role, name.to_owned(), n));
        assert_eq!(attributes::of_run(&mut tx, 1).await.unwrap(), expected);
    }
}

/// TRAP-13, TRAP-17
#[tokio::test]
async fn named_timestamps_and_configurations_are_kept() {
    for control in Control::everywhere().await {
        let mut tx = control.tx().await;
        assert_eq!(timestamp::get(&mut tx, "T").await.unwrap(), None);
        timestamp::set(&mut tx, "T", 0, 1).await.unwrap();
        assert_eq!(timestamp::get(&mut tx, "T").await.unwrap(), Some(0));
        timestamp::set(&mut tx, "T", 12, 2).await.unwrap();
        assert_eq!(timestamp::get(&mut tx, "T").await.unwrap(), Some(12));
        assert_eq!(timestamp::get(&mut tx, "U").await.unwrap(), None);

        let snapshot = json!({"files": {"annals.yaml": "a: 1\n"}});
        let first = config_version::record(&mut tx, &snapshot).await.unwrap();
        let other = config_version::record(&mut tx, &json!({"files": {}})).await.unwrap();
        assert_ne!(first, other);
        assert_eq!(config_version::record(&mut tx, &snapshot).await.unwrap(), first);
        let kept = config_version::snapshot(&mut tx, first).await.unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&kept).unwrap(), snapshot);
        assert!(matches!(config_version::snapshot(&mut tx, 99).await, Err(Error::NotFound(_))));
    }
}

/// An object that kills its workers is found: a first death speaks against all objects that may have been in hand, each
/// further one against those that were noted as in hand. Deleted objects are not worked on. Nobody is a suspect where a
/// partition was given back.
#[tokio::test]
async fn deaths_speak_against_what_was_in_hand() {
    for control in Control::everywhere().await {
        let run_id = control.run().await;
        let suspects = async || {
            let mut tx = control.tx().await;
            let found = suspects::of_run(&mut tx, run_id).await.unwrap();
            let mut found: Vec<(String, u32)> = found.into_iter().map(|((_, id), n)| (id, n)).collect();
            found.sort();
            found
        };
        let of = |a, b| vec![("a".to_owned(), a), ("b".to_owned(), b)];
        let (lease, _) = control.claim(run_id, 600_000).await.unwrap();
        let mut tx = control.tx().await;
        partitions::release(&mut tx, &lease, false).await.unwrap();
        tx.commit().await.unwrap();
        control.claim(run_id, -1).await.unwrap();
        assert_eq!(suspects().await, []);

        let (lease, _) = control.claim(run_id, -1).await.unwrap();
        assert_eq!(suspects().await, of(1, 1), "{}", control.outside.engine());
        let mut tx = control.tx().await;
        let (a, b) = (["a".to_owned()], ["b".to_owned()]);
        suspects::take_in_hand(&mut tx, &lease, ObjectType::Role, &a).await.unwrap();
        suspects::take_in_hand(&mut tx, &lease, ObjectType::Role, &b).await.unwrap();
        // In the past again, as that says that its owner is alive.
        tx.commit().await.unwrap();
        control.outside.sql("update annals_partition set lease_until = 1;");
        let (next, _) = control.claim(run_id, 600_000).await.unwrap();
        assert_eq!(suspects().await, of(1, 2));

        // Whoever was taken over notes nothing any more; what was put down is not in hand.
        let mut tx = control.tx().await;
        let late = suspects::take_in_hand(&mut tx, &lease, ObjectType::Role, &a).await;
        assert!(matches!(late, Err(Error::StaleLease { .. })));
        let late = suspects::put_down(&mut tx, &lease).await;
        assert!(matches!(late, Err(Error::StaleLease { .. })));
        tx.rollback().await.unwrap();
        let mut tx = control.tx().await;
        suspects::take_in_hand(&mut tx, &next, ObjectType::Role, &a).await.unwrap();
        suspects::put_down(&mut tx, &next).await.unwrap();
        suspects::note_death(&mut tx, run_id, 0).await.unwrap();
        tx.commit().await.unwrap();
        // Whoever died had neither in hand: it would have been noted.
        assert_eq!(suspects().await, of(1, 2));
        let mut tx = control.tx().await;
        suspects::acquit(&mut tx, "T", ObjectType::Role, &a).await.unwrap();
        suspects::acquit_all(&mut tx, "U").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(suspects().await, [("b".to_owned(), 2)]);
    }
}

/// What is left of a run goes long after its end, in portions; one that is taken up again meanwhile keeps its own.
#[tokio::test]
async fn runs_of_long_ago_are_cleaned_up() {
    for control in Control::everywhere().await {
        for _ in 0..22 {
            control.run().await;
        }
        control.outside.sql("update annals_run set state = 'ended', ended = 1 where id <= 21;");
        let mut tx = control.tx().await;
        assert!(clean_up::claim(&mut tx, 60_000).await.unwrap());
        assert!(!clean_up::claim(&mut tx, 60_000).await.unwrap(), "somebody does it already");
        let mut removed = Vec::new();
        for _ in 0..3 {
            removed.push(clean_up::remove_some(&mut tx, 60_000).await.unwrap());
        }
        assert_eq!(removed, [20, 1, 0]);
        let under_way = clean_up::last(&mut tx).await.unwrap();
        assert_eq!((under_way.ended_ms, under_way.runs), (None, 21));
        clean_up::end(&mut tx, Some("why")).await.unwrap();
        let ended = clean_up::last(&mut tx).await.unwrap();
        assert!(ended.ended_ms >= ended.began_ms);
        assert_eq!(ended.error.as_deref(), Some("why"));
        assert_eq!(figures::read(&mut tx).await.unwrap().cleaned_up_ms, None);
        clean_up::end(&mut tx, None).await.unwrap();
        assert!(figures::read(&mut tx).await.unwrap().cleaned_up_ms.is_some_and(|age_ms| age_ms >= 0));
        assert!(run::get(&mut tx, 1).await.unwrap().cleaned_up_ms.is_some());
        tx.commit().await.unwrap();
        for (table, rows) in [("annals_partition", 1), ("annals_partition_chunk", 2), ("annals_run", 22)] {
            assert_eq!(
                control.outside.sql(&format!("select count(*) from {table};")).trim(),
                rows.to_string()
            );
        }
    }
}
