//! How long it takes until work goes on elsewhere, measured on hosts that nothing else befalls.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::site::{LEASE_S, Server, Site, TASKS};
use crate::bench::printed;
use crate::interrupt::Interrupts;

/// How often the database is looked at while the time is taken.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What takes longer than this has failed.
const WITHIN: Duration = Duration::from_secs(120);

/// A run that was asked for begins within this, unless another one came between.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);

/// After a kill, work goes on within a lease and this.
const AFTER_LEASE_MS: u64 = 1_000;

/// After a request to stop, work goes on within this.
const HANDED_OVER_MS: u64 = 1_000;

/// What is still to be there: no run under way, nothing that waits to be tried again, and a good run of each task since.
fn healed(since_ms: &str) -> String {
    format!(
        "select (select count(distinct task) from annals_run where started > {since_ms} and result = 'Success') = {}
           and not exists (select from annals_run where state <> 'ended')
           and not exists (select from annals_parked_message) and not exists (select from annals_failed_object)",
        TASKS.len()
    )
}

/// The clock of the history database.
const NOW: &str = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";

/// Waits until all hosts are well, nothing is left over, and each task has read the source once more; says how long
/// that took.
pub(super) fn heal(site: &mut Site, interrupts: &Interrupts) -> Result<Duration> {
    let begun = Instant::now();
    let since_ms = site.sql(Server::History, NOW)?;
    while site.sql(Server::History, &healed(&since_ms))? != "t" {
        if begun.elapsed() > WITHIN {
            let left =
                "select 'run ' || id, task, state, result, driver from annals_run where state <> 'ended'
                union all select 'parked', object_type, object_id, reason, 0 from annals_parked_message
                union all select 'failed', object_type, object_id, error, 0 from annals_failed_object";
            bail!(
                "it does not heal within {} s; left are\n{}",
                WITHIN.as_secs(),
                site.sql(Server::History, left)?
            );
        }
        keep_up(site, interrupts)?;
        thread::sleep(Duration::from_millis(200));
    }
    Ok(begun.elapsed())
}

/// Starts daemons again that ended.
fn keep_up(site: &mut Site, interrupts: &Interrupts) -> Result<()> {
    if let Some(interrupted) = interrupts.noted() {
        bail!(interrupted);
    }
    for host in &mut site.hosts {
        if host.ended()?.is_some() {
            host.start()?;
        }
    }
    Ok(())
}

/// Times in milliseconds, by what happened.
#[derive(Debug, Default)]
pub(super) struct Times {
    killed: Vec<u64>,
    stopped: Vec<u64>,
    history: Vec<u64>,
    source: Vec<u64>,
}

impl Times {
    /// Each with its name, and the bound of its median where there is one.
    pub(super) fn all(&self) -> [(&'static str, &[u64], Option<u64>); 4] {
        [
            (
                "partition held by another host after kill -9",
                &self.killed,
                Some(LEASE_S * 1_000 + AFTER_LEASE_MS),
            ),
            ("partition handed over after SIGTERM", &self.stopped, Some(HANDED_OVER_MS)),
            ("work goes on after the history server is ready again", &self.history, None),
            ("work goes on after the source server is ready again", &self.source, None),
        ]
    }

    /// Those whose median is past its bound, as findings.
    pub(super) fn too_long(&self) -> Vec<String> {
        let past = |(what, times, bound): (&str, &[u64], Option<u64>)| {
            let (middle, bound) = (median(times)?, bound?);
            (middle > bound).then(|| format!("{what}: {middle} ms, more than {bound} ms"))
        };
        self.all().into_iter().filter_map(past).collect()
    }

    /// Median, longest and number of each.
    pub(super) fn json(&self) -> Value {
        self.all()
            .map(|(what, times, _)| {
                json!({"what": what, "medianMs": median(times), "maxMs": times.iter().max(), "trials": times.len()})
            })
            .into()
    }
}

/// The middle one.
pub(super) fn median(times: &[u64]) -> Option<u64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// Takes the times, so many of each.
pub(super) fn measure(site: &mut Site, trials: u32, interrupts: &Interrupts) -> Result<Times> {
    let mut times = Times::default();
    for _ in 0..trials {
        times.killed.push(leave(site, true, interrupts)?);
        times.stopped.push(leave(site, false, interrupts)?);
        times.history.push(restart(site, Server::History, interrupts)?);
        times.source.push(restart(site, Server::Source, interrupts)?);
    }
    heal(site, interrupts)?;
    Ok(times)
}

/// Ends a host that holds partitions, and waits until others hold them all.
fn leave(site: &mut Site, kills: bool, interrupts: &Interrupts) -> Result<u64> {
    let begun = Instant::now();
    loop {
        ensure!(begun.elapsed() < WITHIN, "no host held a partition for long enough");
        begin_long_run(site, interrupts)?;
        let Some((number, pid)) = holder(site)? else { continue };
        let host = &mut site.hosts[number];
        if kills {
            host.kill()?;
        } else {
            host.ask_to_stop();
        }
        let left = Instant::now();
        // What it held when it was ended: nobody renews it any more. One that is asked to stop gives it back.
        let held = format!(
            "select count(*) from annals_partition where state = 'leased' and leased_by like '%:{pid}/%'"
        );
        let waits = "select count(*) from annals_partition p join annals_run r on r.id = p.run_id
             where p.state = 'pending' and r.state = 'running' and p.lease_epoch > 0";
        let question = format!("select ({held}), ({waits})");
        let orphaned = site.sql(Server::History, &held)? != "0" || !kills;
        while orphaned && site.sql(Server::History, &question)? != "0|0" {
            ensure!(left.elapsed() < WITHIN, "nobody takes over what {} held", site.hosts[number].name);
            thread::sleep(LOOK_EVERY);
        }
        let took_ms = u64::try_from(left.elapsed().as_millis())?;
        while !kills && site.hosts[number].ended()?.is_none() {
            ensure!(left.elapsed() < WITHIN, "{} does not stop", site.hosts[number].name);
            thread::sleep(LOOK_EVERY);
        }
        site.hosts[number].start()?;
        if orphaned {
            return Ok(took_ms);
        }
    }
}

/// Restarts a server in the middle of a run; says how long it is from when it takes connections until something is
/// saved.
fn restart(site: &mut Site, server: Server, interrupts: &Interrupts) -> Result<u64> {
    begin_long_run(site, interrupts)?;
    site.crash(server)?;
    let ready = Instant::now();
    let saved = "select count(*) from annals_request_state";
    let before = site.sql(Server::History, saved)?;
    while site.sql(Server::History, saved)? == before {
        ensure!(ready.elapsed() < WITHIN, "nothing goes on after the {} server is back", server.name());
        keep_up(site, interrupts)?;
        thread::sleep(LOOK_EVERY);
    }
    Ok(u64::try_from(ready.elapsed().as_millis())?)
}

/// Has all people read again, and waits until that is under way, on hosts all of which are there.
fn begin_long_run(site: &mut Site, interrupts: &Interrupts) -> Result<()> {
    let calm = format!(
        "select (select count(distinct name) from annals_host where stopped is null
                   and heartbeat > ({NOW}) - {LEASE_S} * 1000) >= {}
           and not exists (select from annals_run where state <> 'ended')",
        site.hosts.len()
    );
    wait_for(site, &calm, "calm", WITHIN, interrupts)?;
    let task = TASKS[0].0;
    let again = format!("update annals_named_timestamp set timestamp_ms = 0 where task = '{task}'");
    let under_way = "select exists (select from annals_partition p join annals_run r on r.id = p.run_id
        where r.state = 'running' and p.state = 'leased' and p.object_count > 100
          and exists (select from annals_request_state s where s.run_id = p.run_id))";
    let begun = Instant::now();
    loop {
        site.sql(Server::History, &again)?;
        printed(&mut site.by_hand(&["schedule", "trigger", task]))?;
        match wait_for(site, under_way, "run that reads everything", BEGINS_WITHIN, interrupts) {
            // A run that had begun just before has ended since, and moved the timestamp.
            Err(_) if begun.elapsed() < WITHIN => {}
            outcome => return outcome,
        }
    }
}

/// Waits until history answers a question with yes, and starts daemons again that end meanwhile.
fn wait_for(
    site: &mut Site,
    question: &str,
    what: &str,
    within: Duration,
    interrupts: &Interrupts,
) -> Result<()> {
    let begun = Instant::now();
    while site.sql(Server::History, question)? != "t" {
        ensure!(begun.elapsed() < within, "there is no {what} after {} s", within.as_secs());
        keep_up(site, interrupts)?;
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// A host that holds a partition, and its process.
fn holder(site: &Site) -> Result<Option<(usize, u32)>> {
    let held = site.sql(
        Server::History,
        "select leased_by from annals_partition where state = 'leased' order by run_id desc, partition_no desc",
    )?;
    let pids = site.hosts.iter().enumerate().filter_map(|(number, host)| Some((number, host.pid()?)));
    for (number, pid) in pids {
        if held.lines().any(|line| line.contains(&format!(":{pid}/"))) {
            return Ok(Some((number, pid)));
        }
    }
    Ok(None)
}

/// Asks all daemons to stop; says which took longer than they may.
pub(super) fn stop_hosts(site: &mut Site, within: Duration) -> Result<Vec<String>> {
    for host in &site.hosts {
        host.ask_to_stop();
    }
    let (begun, mut findings) = (Instant::now(), Vec::new());
    for host in &mut site.hosts {
        while host.pid().is_some() {
            if let Some(status) = host.ended()? {
                if !status.success() {
                    findings.push(format!("{} was asked to stop and ended with {status}", host.name));
                }
            } else if begun.elapsed() > within {
                findings.push(format!("{} does not stop within {} s", host.name, within.as_secs()));
                host.kill().context("cannot end a daemon that does not stop")?;
            }
            thread::sleep(LOOK_EVERY);
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_past_its_bound_is_a_finding() {
        let times =
            Times { killed: vec![100, 4_500, 4_100], stopped: vec![900, 5_000, 10], ..Times::default() };
        let found = times.too_long();
        assert_eq!(found, ["partition held by another host after kill -9: 4100 ms, more than 4000 ms"]);
        assert_eq!(median(&[]), None);
    }
}
