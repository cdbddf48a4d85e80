//! Changes that are committed after a run that began later than they were made.

use std::collections::HashMap;
use std::sync::Arc;

use annals::context::{SystemClock, open_source};
use annals::pipeline::Pipeline;
use annals_extract::Stop;
use annals_sql::{Access, Db, Stmt, Value};
use annals_testkit::Engine;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::site::Site;

const WRITERS: u32 = 4;
/// Changes in one statement; each statement has a time of its own.
const CHANGES_OF_STATEMENT: u32 = 50;
const STATEMENTS_OF_TRANSACTION: u32 = 5;

/// How many changes are made, or as many as the environment asks for.
#[expect(clippy::disallowed_methods, reason = "how somebody asks for the long form of this test")]
fn changes() -> u32 {
    std::env::var("ANNALS_LATE_CHANGES").map_or(50_000, |text| text.parse().unwrap())
}

/// What came of it.
#[derive(Debug)]
struct Account {
    changes: u32,
    runs: u64,
    /// Transactions that were open when a run ended.
    held: u32,
    read: u64,
    read_again: u64,
    missed: Vec<String>,
}

/// Half of a writer's transactions bring new objects, the others change those of the one before; each stays open until
/// up to two more runs have ended.
async fn write(url: String, writer: u32, transactions: u32, mut runs: watch::Receiver<u64>) -> u32 {
    let db = Db::open(&url, Access::ReadWrite).await.unwrap();
    let mut held = 0;
    for number in 0..transactions {
        let (pair, is_change) = (number / 2, number % 2 == 1);
        let began = *runs.borrow_and_update();
        let mut tx = db.begin().await.unwrap();
        for statement in 0..STATEMENTS_OF_TRANSACTION {
            let rows = 0..CHANGES_OF_STATEMENT;
            let ids = rows.map(|row| format!("late-{writer}-{pair}-{statement}-{row}"));
            if is_change {
                let stmt = Stmt::built(
                    "test.change",
                    "update spt_capability set description = ?, significant_modified = {now_ms} where id {in}".to_owned(),
                );
                let ids: Vec<String> = ids.collect();
                tx.execute(&stmt, vec![format!("changed in {pair}").into(), ids.into()]).await.unwrap();
            } else {
                let values = vec!["(?, {now_ms}, ?)"; CHANGES_OF_STATEMENT as usize].join(", ");
                let stmt = Stmt::built(
                    "test.insert",
                    format!("insert into spt_capability (id, created, name) values {values}"),
                );
                let params: Vec<Value> = ids.flat_map(|id| [id.clone().into(), id.into()]).collect();
                tx.execute(&stmt, params).await.unwrap();
            }
        }
        let until = began + u64::from((writer + number) % 3);
        runs.wait_for(|ended| *ended >= until).await.unwrap();
        held += u32::from(*runs.borrow() > began);
        tx.commit().await.unwrap();
    }
    db.close().await;
    held
}

/// Runs follow each other while writers hold transactions open across their borders; then nothing may be missing.
async fn account(site: &Site, changes: u32) -> Account {
    site.extracts("capability: {}");
    let url = site.source.url().to_owned();
    let config = site.config();
    let pipeline = Pipeline {
        source: Arc::new(open_source(&config).await.unwrap()),
        config: Arc::new(config),
        history: site.db.clone(),
        clock: Arc::new(SystemClock),
        host: "test".to_owned(),
        stop: Stop::default(),
    };
    let (ended, runs) = watch::channel(0);
    let transactions = changes.div_ceil(WRITERS * CHANGES_OF_STATEMENT * STATEMENTS_OF_TRANSACTION);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(url.clone(), writer, transactions, runs.clone()));
    }
    let mut account = Account {
        changes: transactions * WRITERS * CHANGES_OF_STATEMENT * STATEMENTS_OF_TRANSACTION,
        runs: 0,
        held: 0,
        read: 0,
        read_again: 0,
        missed: Vec::new(),
    };
    let mut is_last = false;
    loop {
        let ran = site.execute(&pipeline).await.succeeds();
        account.runs += 1;
        account.read += ran.counters().total_object_messages;
        account.read_again += ran.total("duplicates") + ran.total("unchanged");
        if is_last {
            break;
        }
        ended.send_modify(|ended| *ended += 1);
        while let Some(held) = writers.try_join_next() {
            account.held += held.unwrap();
        }
        is_last = writers.is_empty();
    }
    account.missed = missed(site);
    account
}

/// The objects that history does not have, or has in an older state.
fn missed(site: &Site) -> Vec<String> {
    let row = |line: String| {
        let (id, at) = line.split_once('|').unwrap();
        (id.to_owned(), at.parse::<i64>().unwrap())
    };
    let known = site.look(
        "select object_id, coalesce(extended_to_date, effective_date) from annals_head
         where kind = (select id from annals_object_kind where object_type = 'capability');",
    );
    let known: HashMap<String, i64> = known.into_iter().map(row).collect();
    let there = site.ask("select id, coalesce(significant_modified, modified, created) from spt_capability;");
    let there: Vec<(String, i64)> = there.into_iter().map(row).collect();
    assert!(there.len() > 1_000);
    there
        .into_iter()
        .filter(|(id, at)| known.get(id).is_none_or(|known| known < at))
        .map(|(id, _)| id)
        .collect()
}

fn without_overlap(site: &Site) {
    site.edit("annals.yaml", "source: {profile:", "source: {overlapSeconds: 0, profile:");
}

/// TRAP-04, IIQ-03: nothing is missed, without any overlap: the horizon of each run is the beginning of the oldest
/// transaction that was open. What is read again is recognised.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_committed_late_are_never_missed() {
    for (source, history) in [(Engine::Postgres, Engine::Postgres), (Engine::MariaDb, Engine::Sqlite)] {
        let site = Site::new(source, history, 20).await;
        without_overlap(&site);
        let account = account(&site, changes()).await;
        let Account { changes, runs, held, read, read_again, missed } = &account;
        println!(
            "{source}: {changes} changes, {held} transactions open across the end of a run, {runs} runs; \
             {} missed; {read} objects read, {:.1} % of them again",
            missed.len(),
            100.0 * *read_again as f64 / *read as f64
        );
        assert!(*held > WRITERS, "{account:?}");
        assert_eq!(*missed, Vec::<String>::new());
    }
}

/// What the test above would find: a user who may not see transactions, and no overlap either.
#[tokio::test(flavor = "multi_thread")]
async fn without_horizon_and_overlap_late_commits_are_missed() {
    let site = Site::new(Engine::Postgres, Engine::Sqlite, 20).await;
    without_overlap(&site);
    let name = site.source.url().rsplit('/').next().unwrap().replace("annals_", "blind_");
    site.change(&format!("create role {name} login; grant select on all tables in schema public to {name};"));
    let admin = site.source.url().split_once("://").unwrap().1.split_once('@').unwrap().0;
    site.edit("annals.yaml", &format!("postgres://{admin}@"), &format!("postgres://{name}@"));
    let account = account(&site, 4_000).await;
    site.change(&format!("drop owned by {name}; drop role {name};"));
    assert!(!account.missed.is_empty(), "{account:?}");
}
