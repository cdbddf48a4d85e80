//! Hosts, drivers, and the heartbeat that renews what they hold.

use annals_model::{Counters, TaskStatus};
use annals_runs::{Driver, Error, Lease, Leases, RunLease, RunState, driver, hosts, run, tasks};
use serde_json::json;

use crate::{Control, begin};

/// IIQ-08, TRAP-08: of two processes that take over the same run at the same moment one wins; whoever drove it before
/// can neither share it out nor finish it.
#[tokio::test]
async fn a_run_without_a_driver_is_taken_over_once() {
    for control in Control::everywhere().await {
        let mut tx = control.tx().await;
        let stale = begin(&mut tx, None).await;
        let run_id = stale.run_id;
        let driver = |host, lease_ms| Driver { host, lease_ms };
        assert_eq!(driver::adopt(&mut tx, run_id, driver(2, 60_000)).await.unwrap(), None, "it has one");
        assert!(!driver::standing(&mut tx, run_id).await.unwrap().orphaned);
        assert!(driver::renew(&mut tx, &stale, -1).await.unwrap());
        let open = driver::open(&mut tx).await.unwrap();
        assert_eq!(
            open.iter().map(|run| (run.run_id, run.orphaned, run.claimable)).collect::<Vec<_>>(),
            [(run_id, true, 0)]
        );
        let lease = driver::adopt(&mut tx, run_id, driver(2, 60_000)).await.unwrap().unwrap();
        assert_eq!(lease, RunLease { run_id, epoch: 2 });
        assert_eq!(driver::adopt(&mut tx, run_id, driver(3, 60_000)).await.unwrap(), None);
        let counters = Counters { total_object_messages: 4, total_seen_objects: 1, ..Counters::default() };
        let refused = run::advance(&mut tx, &stale, RunState::Running, &counters).await;
        assert!(matches!(refused, Err(Error::StaleDriver { epoch: 1, .. })));
        assert!(!driver::lock_to_finish(&mut tx, &stale).await.unwrap());
        assert!(!driver::renew(&mut tx, &stale, 60_000).await.unwrap());
        run::advance(&mut tx, &lease, RunState::Running, &counters).await.unwrap();
        // Shared out once: the same lease cannot do it again.
        assert!(run::advance(&mut tx, &lease, RunState::Running, &counters).await.is_err());
        driver::leave(&mut tx, &lease).await.unwrap();
        assert!(driver::standing(&mut tx, run_id).await.unwrap().orphaned);
        let lease = driver::adopt(&mut tx, run_id, driver(3, 60_000)).await.unwrap().unwrap();
        assert!(driver::lock_to_finish(&mut tx, &lease).await.unwrap());
        run::end(&mut tx, run_id, TaskStatus::Error, "Failure", &counters, &json!({})).await.unwrap();
        assert!(!driver::lock_to_finish(&mut tx, &lease).await.unwrap(), "it has ended");
        assert_eq!(driver::open(&mut tx).await.unwrap(), []);

        // Taken up again, it has what was dispatched, and counts what is seen anew.
        let ended = run::get(&mut tx, run_id).await.unwrap();
        let lease = driver::reopen(&mut tx, &ended, driver(4, 60_000)).await.unwrap().unwrap();
        assert_eq!(lease.epoch, 4);
        let again = run::get(&mut tx, run_id).await.unwrap();
        assert_eq!((again.state, again.status, again.ended_ms), (RunState::Running, None, None));
        assert_eq!(again.counters, Counters { total_object_messages: 4, ..Counters::default() });
        assert_eq!(
            driver::reopen(&mut tx, &ended, driver(5, 60_000)).await.unwrap(),
            None,
            "it is under way"
        );
    }
}

/// A heartbeat renews what is held, and finds what was lost; what nobody in the process holds any more runs out.
#[tokio::test]
async fn a_heartbeat_renews_what_is_held() {
    for control in Control::everywhere().await {
        let run_id = control.run().await;
        let leases = Leases::default();
        let mut tx = control.tx().await;
        tasks::ensure(&mut tx, "T", "E").await.unwrap();
        assert!(tasks::lock(&mut tx, "T", run_id).await.unwrap());
        tx.commit().await.unwrap();
        control.outside.sql("update annals_run set driver_until = 1;");
        let (lease, _) = control.claim(run_id, -1).await.unwrap();
        let run = leases.hold(RunLease { run_id, epoch: 1 });
        let partition = leases.hold(lease.clone());
        let beat = async || {
            let mut tx = control.tx().await;
            let lost = leases.renew(&mut tx, 600_000).await.unwrap();
            tx.commit().await.unwrap();
            lost
        };
        assert_eq!(beat().await, []);
        assert!(control.claim(run_id, 600_000).await.is_none(), "renewed");
        let mut tx = control.tx().await;
        assert!(!driver::standing(&mut tx, run_id).await.unwrap().orphaned);
        assert!(tasks::holder(&mut tx, "T").await.unwrap().unwrap().driven);
        tx.commit().await.unwrap();

        // Taken over while the process stood still: it learns so from its next heartbeat, once.
        control.outside.sql("update annals_partition set lease_epoch = 2;");
        assert!(!partition.lost());
        assert_eq!(beat().await, [Lease::Partition(lease)]);
        assert!(partition.lost() && !run.lost());
        assert_eq!(beat().await, []);
        control.outside.sql("update annals_run set driver_until = 1;");
        drop(run);
        assert_eq!(beat().await, []);
        let mut tx = control.tx().await;
        assert!(driver::standing(&mut tx, run_id).await.unwrap().orphaned, "nobody held it");
    }
}

/// A run that was left to others is not held up by a heartbeat that comes before its holder is gone.
#[tokio::test]
async fn a_run_that_was_left_is_not_renewed() {
    for control in Control::everywhere().await {
        let run_id = control.run().await;
        let leases = Leases::default();
        let lease = RunLease { run_id, epoch: 1 };
        let held = leases.hold(lease);
        let mut tx = control.tx().await;
        assert_eq!(leases.renew(&mut tx, 600_000).await.unwrap(), []);
        driver::leave(&mut tx, &lease).await.unwrap();
        assert_eq!(leases.renew(&mut tx, 600_000).await.unwrap(), [Lease::Run(lease)]);
        assert!(held.lost() && driver::standing(&mut tx, run_id).await.unwrap().orphaned);
        tx.commit().await.unwrap();
    }
}

/// Processes are alive as long as they are heard of within their own lease, by the database's clock.
#[tokio::test]
async fn processes_are_known_by_their_heartbeats() {
    for control in Control::everywhere().await {
        let mut tx = control.tx().await;
        let new = |roles: &str| hosts::NewHost {
            name: "h".to_owned(),
            pid: 7,
            roles: roles.to_owned(),
            lease_ms: 60_000,
            clock_skew_ms: -600_000,
        };
        let old = hosts::register(&mut tx, &new("run")).await.unwrap();
        let lost = hosts::register(&mut tx, &new("scheduler,extract")).await.unwrap();
        let stopped = hosts::register(&mut tx, &new("extract")).await.unwrap();
        hosts::stop(&mut tx, stopped).await.unwrap();
        tx.commit().await.unwrap();
        control.outside.sql(&format!(
            "update annals_host set heartbeat = heartbeat - 61000 where id = {lost};
             update annals_host set heartbeat = 1 where id = {old};"
        ));
        let mut tx = control.tx().await;
        assert!(!hosts::others_extract(&mut tx, old).await.unwrap(), "one is lost, one has stopped");
        let alive = hosts::register(&mut tx, &new("run")).await.unwrap();
        let known = hosts::list(&mut tx).await.unwrap();
        let states: Vec<_> = known.iter().map(|host| (host.id, host.state.as_str())).collect();
        assert_eq!(
            states,
            [(alive, "alive"), (stopped, "stopped"), (lost, "lost")],
            "the old one is forgotten"
        );
        assert_eq!((known[0].clock_skew_ms, known[0].pid, known[0].runs), (-600_000, 7, 0));
        hosts::beat(&mut tx, lost, 3).await.unwrap();
        assert!(hosts::others_extract(&mut tx, alive).await.unwrap(), "it is heard of again");
        assert!(!hosts::others_extract(&mut tx, lost).await.unwrap());
    }
}
