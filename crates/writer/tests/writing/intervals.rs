//! Access intervals: hand-made cases, and random histories against a model that is written from the definitions alone.

pub(crate) mod histories;

use std::collections::{BTreeMap, BTreeSet};

use annals_history::{
    AccessQuestion, AccessRebuild, HeldAccess, PageRequest, Position, Rebuilt, access, access_check,
};
use annals_model::JsonFormat;
use annals_sql::Tx;
use annals_writer::WriterSettings;
use serde_json::{Value, json};

use self::histories::{Histories, model};
use crate::world::{FULL, START_MS, World, capture, deletion, identity, worlds};

const ALL: PageRequest = PageRequest { limit: 1_000, after: None };

async fn asked(world: &World, id: &str, question: AccessQuestion) -> Vec<HeldAccess> {
    asked_in(&mut world.db.begin_read().await.unwrap(), id, question).await
}

async fn asked_in(tx: &mut Tx, id: &str, question: AccessQuestion) -> Vec<HeldAccess> {
    let held = access(tx, &identity(id), question, &ALL).await.unwrap();
    held.map(|page| page.rows).unwrap_or_default()
}

/// What somebody held: item, account, ways, since when; sorted.
async fn held(world: &World, id: &str, at_ms: i64, known_at_ms: Option<i64>) -> Vec<String> {
    held_in(&mut world.db.begin_read().await.unwrap(), id, at_ms, known_at_ms).await
}

async fn held_in(tx: &mut Tx, id: &str, at_ms: i64, known_at_ms: Option<i64>) -> Vec<String> {
    let question = AccessQuestion { at_ms, known_at_ms, additional_only: false };
    let mut held: Vec<String> = asked_in(tx, id, question).await.iter().map(shown).collect();
    held.sort();
    held
}

fn shown(held: &HeldAccess) -> String {
    let name = held.item.name.as_ref().or(held.item.value.as_ref()).or(held.item.application.as_ref());
    let holding = &held.interval.holding;
    format!(
        "{} {} {} {} {} since {}",
        held.item.kind.as_str(),
        name.map_or("-", String::as_str),
        holding.native_identity.as_deref().unwrap_or("-"),
        holding.acquired.words().join("+"),
        holding.request_item_id.as_deref().unwrap_or("-"),
        held.since_ms
    )
}

fn roles(names: &[&str]) -> Value {
    let roles: Vec<Value> = names.iter().map(|name| json!({"id": name, "name": name})).collect();
    json!({"name": "ann", "assignedRoles": roles})
}

/// TRAP-01, TRAP-02: a role that comes, goes and comes again was held twice, with a gap.
#[tokio::test]
async fn what_comes_goes_and_comes_again_is_held_twice() {
    for world in worlds(&FULL).await {
        for (names, at_ms) in [(&["R"] as &[&str], 100), (&[], 200), (&["R"], 300)] {
            world.write(vec![capture("i1", roles(names), at_ms, at_ms + 1)]).await;
        }
        world.write(vec![deletion("i1", 400, 401)]).await;
        let role = |since_ms: i64| vec![format!("assignedRole R - assigned - since {since_ms}")];
        let expected = [
            (99, vec![]),
            (100, role(100)),
            (199, role(100)),
            (200, vec![]),
            (300, role(300)),
            (399, role(300)),
            (400, vec![]),
        ];
        for (at_ms, expected) in expected {
            assert_eq!(held(&world, "i1", at_ms, None).await, expected, "at {at_ms}");
        }
        // The second life begins anew.
        world.write(vec![capture("i1", roles(&["R"]), 500, 501)]).await;
        assert_eq!(held(&world, "i1", 500, None).await, role(500));
        assert_eq!(
            world
                .sql("select seq, valid_from, valid_to, recorded_to from annals_access_interval order by 1;"),
            "0|100|200|\n1|300|400|\n2|500"
        );
    }
}

/// IIQ-61: a late capture that splits an interval; what was known before can still be asked.
#[tokio::test]
async fn a_late_capture_corrects_what_was_held() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i1", roles(&["R"]), 100, 101)]).await;
        world.clock.advance(1_000);
        world.write(vec![capture("i1", roles(&["R", "S"]), 300, 301)]).await;
        world.clock.advance(1_000);
        let before = world.everything().await;
        world.write(vec![capture("i1", roles(&["R", "S"]), 300, 301)]).await;
        assert_eq!(world.everything().await, before, "a duplicate writes nothing");
        world.write(vec![capture("i1", roles(&["S"]), 200, 201)]).await;
        let role = |name: &str, since_ms: i64| format!("assignedRole {name} - assigned - since {since_ms}");
        let known = |at_ms, known_ms| held(&world, "i1", at_ms, Some(START_MS + known_ms));
        assert_eq!(known(350, 2_000).await, [role("R", 300), role("S", 200)]);
        assert_eq!(known(250, 2_000).await, [role("S", 200)]);
        assert_eq!(known(350, 1_999).await, [role("R", 100), role("S", 300)]);
        assert_eq!(known(250, 1_999).await, [role("R", 100)]);
        assert_eq!(known(350, 999).await, [role("R", 100)]);
        assert_eq!(known(350, -1).await, Vec::<String>::new());
        assert_eq!(held(&world, "i1", 250, None).await, [role("S", 200)]);
    }
}

/// An entitlement that a role grants, and that was asked for besides: however it was come by, it was held all the time.
#[tokio::test]
async fn a_role_that_grants_an_entitlement_is_no_addition() {
    let state = |assigned: bool, granted: bool| {
        let role = if granted { json!([{"id": "r1", "name": "Clerk"}]) } else { json!([]) };
        json!({"name": "ann", "assignedRoles": role, "entitlements": [
            {"id": "e1", "applicationId": "a1", "applicationName": "AD", "nativeIdentity": "ann", "name": "memberOf",
             "value": "g1", "assigned": assigned, "grantedByRole": granted, "source": "LCM",
             "requestItemId": if assigned { json!("ri1") } else { Value::Null }}]})
    };
    for world in worlds(&FULL).await {
        world.write(vec![capture("i1", state(false, true), 100, 101)]).await;
        world.write(vec![capture("i1", state(true, true), 200, 201)]).await;
        world.write(vec![capture("i1", state(true, false), 300, 301)]).await;
        let entitlement = |ways: &str, by: &str| format!("entitlement g1 ann {ways} {by} since 100");
        let role = "assignedRole Clerk - assigned - since 100".to_owned();
        assert_eq!(held(&world, "i1", 150, None).await, [role.clone(), entitlement("granted", "-")]);
        let both = entitlement("assigned+granted+requested", "ri1");
        assert_eq!(held(&world, "i1", 250, None).await, [role, both]);
        assert_eq!(held(&world, "i1", 350, None).await, [entitlement("assigned+requested", "ri1")]);
        for (at_ms, additional) in [(150, 1), (250, 1), (350, 1)] {
            let question = AccessQuestion { at_ms, known_at_ms: None, additional_only: true };
            let held = asked(&world, "i1", question).await;
            assert_eq!(held.len(), additional, "at {at_ms}");
            assert_eq!(held[0].item.value.is_some(), at_ms == 350, "at {at_ms}");
        }
    }
}

/// Pages that follow each other have each row once.
#[tokio::test]
async fn an_answer_is_read_page_by_page() {
    for world in worlds(&FULL).await {
        let names: Vec<String> = (0..25).map(|number| format!("R{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.write(vec![capture("i1", roles(&names[..12]), 100, 101)]).await;
        world.clock.advance(1_000);
        world.write(vec![capture("i1", roles(&names), 200, 201)]).await;
        let question = AccessQuestion { at_ms: 200, known_at_ms: None, additional_only: false };
        let (mut read, mut after, mut pages) = (BTreeSet::new(), None::<Position>, 0);
        loop {
            let mut tx = world.db.begin_read().await.unwrap();
            let request = PageRequest { limit: 10, after: after.take() };
            let page = access(&mut tx, &identity("i1"), question, &request).await.unwrap().unwrap();
            pages += 1;
            for row in &page.rows {
                assert!(read.insert(row.item.name.clone().unwrap()));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((read.len(), pages), (25, 3));
    }
}

/// Histories on each engine; other numbers with `ANNALS_HISTORIES=10000`.
pub(crate) fn wanted() -> usize {
    #[expect(clippy::disallowed_methods, reason = "how much is tested is said from outside")]
    let asked = std::env::var("ANNALS_HISTORIES").ok().and_then(|wanted| wanted.parse().ok());
    asked.unwrap_or(120)
}

/// Every row but for its number, by identity.
fn rows(world: &World) -> BTreeMap<String, Vec<String>> {
    let printed = world.sql(
        "select identity_id, valid_from, valid_to, recorded_from, end_recorded, recorded_to, item, acquired, opened_by,
            closed_by, request_item_id, native_identity, cause, assigner, '.' from annals_access_interval
         order by 1, 2, 4, 7, 12, 6, 5;"
        .replace("opened_by", &hex(world, "opened_by"))
        .replace("closed_by", &hex(world, "closed_by"))
        .as_str(),
    );
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in printed.lines() {
        let (id, row) = line.split_once('|').unwrap();
        rows.entry(id.to_owned()).or_default().push(row.to_owned());
    }
    rows.values_mut().for_each(|rows| rows.sort());
    rows
}

fn hex(world: &World, column: &str) -> String {
    match world.db.engine() {
        annals_sql::Engine::Sqlite => format!("lower(hex({column}))"),
        _ => format!("encode({column}, 'hex')"),
    }
}

/// Identities with rows that name a capture which is not there any more, or had another date.
fn untold(world: &World) -> BTreeSet<String> {
    let there = |column: &str, date: &str| {
        format!(
            "exists (select 1 from spt_hist_identity_capture c where c.id = {} and c.effective_date = {date})",
            hex(world, column)
        )
    };
    let printed = world.sql(&format!(
        "select distinct identity_id from annals_access_interval
         where not ({} and (closed_by is null or {}));",
        there("opened_by", "valid_from"),
        there("closed_by", "valid_to")
    ));
    printed.lines().map(str::to_owned).collect()
}

/// Rebuilds in small batches; with `stop`, only one of them.
async fn rebuild(world: &World, stop: bool) -> Rebuilt {
    let mut tx = world.db.begin_read().await.unwrap();
    let mut going = AccessRebuild::begin(&mut tx, false).await.unwrap();
    drop(tx);
    let mut rebuilt = Rebuilt::default();
    while let Some(batch) = going.batch(&world.db, 7).await.unwrap() {
        rebuilt.add(batch);
        if stop {
            break;
        }
    }
    rebuilt
}

/// IIQ-05, IIQ-61, TRAP-01, TRAP-02, TRAP-16: of random histories with late arrivals, repetitions, deletions and second
/// lives, whatever was held at any instant, as known at any other, is what the model says. 120 histories on each engine;
/// others with `ANNALS_HISTORIES`.
#[tokio::test]
async fn random_histories_are_what_the_model_says() {
    for world in worlds(&FULL).await {
        let Histories { told, rounds } = Histories::write(&world, wanted()).await;
        let mut compared = 0;
        let mut tx = world.db.begin_read().await.unwrap();
        for (id, told) in &told {
            let instants: BTreeSet<i64> =
                told.iter().flat_map(|(_, (_, at_ms))| [at_ms - 1, *at_ms]).collect();
            for round in -1..rounds {
                let known_ms = START_MS + 1_000 * round;
                for at_ms in &instants {
                    let found = held_in(&mut tx, id, *at_ms, Some(known_ms)).await;
                    let expected = model(told, *at_ms, known_ms);
                    assert_eq!(found, expected, "{id} at {at_ms} as known at {known_ms}: {told:?}");
                    compared += usize::from(!expected.is_empty());
                }
            }
        }
        assert!(compared > wanted() * 10, "{compared}");
    }
}

/// Captures alone give the same rows again, recorded times included; but for what was known while a capture was there that
/// a late one has replaced or dated otherwise: such rows stay.
#[tokio::test]
async fn a_rebuilding_gives_the_same_rows() {
    let settings = WriterSettings { max_allowed_patches: 2, json_format: JsonFormat::Compact, ..FULL };
    for world in worlds(&settings).await {
        let Histories { told, .. } = Histories::write(&world, wanted()).await;
        let (before, untold) = (rows(&world), untold(&world));
        let replaced = untold.len();
        assert!(replaced > 0 && replaced * 3 < told.len(), "{replaced} of {}", told.len());
        let rebuilt = rebuild(&world, false).await;
        assert_eq!((rebuilt.identities, rebuilt.changed), (told.len() as u64, 0));
        assert!(rebuilt.kept > 0 && rebuilt.unreadable.is_empty(), "{rebuilt:?}");
        assert_eq!(rows(&world), before);

        // As if they had never been made: interrupted after seven identities, and others written meanwhile.
        world.sql(
            "delete from annals_access_interval; delete from annals_access_item;
             update annals_access_build set complete = 0;",
        );
        rebuild(&world, true).await;
        world.clock.advance(1_000);
        let done = capture("i00003", roles(&["Late comer"]), 900, 901);
        let left = capture("i00100", roles(&["Late comer"]), 900, 901);
        world.write(vec![done, left, capture("j", roles(&["New"]), 900, 901)]).await;
        let count = |id: &str| {
            world.sql(&format!("select count(*) from annals_access_interval where identity_id = '{id}';"))
        };
        assert_ne!(count("i00003"), "0");
        assert_eq!((count("i00100").as_str(), count("j").as_str()), ("0", "1"));
        let mut tx = world.db.begin_read().await.unwrap();
        let question = AccessQuestion { at_ms: 900, known_at_ms: None, additional_only: false };
        let unbuilt = access(&mut tx, &identity("i00100"), question, &ALL).await;
        assert!(matches!(unbuilt, Err(annals_history::Error::NoIntervals)));
        assert!(!access_check(&mut tx, 100).await.unwrap().complete);
        drop(tx);
        let rest = rebuild(&world, false).await;
        assert_eq!(rest.identities, told.len() as u64 - 6);

        let after = rows(&world);
        for (id, before) in &before {
            if untold.contains(id) || ["i00003", "i00100"].contains(&id.as_str()) {
                continue;
            }
            assert_eq!(&after[id], before, "{id}");
        }
        for id in ["i00003", "i00100"] {
            assert_eq!(held(&world, id, 900, None).await, ["assignedRole Late comer - assigned - since 900"]);
        }
        for (id, told) in told.iter().filter(|(id, _)| untold.contains(id)) {
            let at_ms = told.iter().map(|(_, (_, at_ms))| *at_ms).max().unwrap();
            assert_eq!(held(&world, id, at_ms, None).await, model(told, at_ms, i64::MAX), "{id}");
        }
        let mut tx = world.db.begin_read().await.unwrap();
        let check = access_check(&mut tx, 1_000).await.unwrap();
        assert!(check.complete && !check.rebuilding && check.sampled > 100, "{check:?}");
        assert_eq!(check.stale, Vec::<String>::new());
        drop(tx);
        world.sql("update annals_access_interval set acquired = 16 where identity_id = 'j';");
        let mut tx = world.db.begin_read().await.unwrap();
        assert_eq!(access_check(&mut tx, 1_000).await.unwrap().stale, ["j"]);
        drop(tx);
        assert_eq!(rebuild(&world, false).await.changed, 1);
    }
}

/// While a rebuilding goes through a history, others write: whichever comes to an identity first, nothing is lost.
#[tokio::test]
async fn a_rebuilding_beside_a_writer_loses_nothing() {
    const IDENTITIES: i64 = 40;
    for world in worlds(&FULL).await {
        Histories::write(&world, usize::try_from(IDENTITIES).unwrap()).await;
        world.sql("delete from annals_access_interval; update annals_access_build set complete = 0;");
        let id = |number: i64| format!("i{:05}", number % IDENTITIES);
        let writing = async {
            for round in 0..4 {
                // From both ends, so that it meets the rebuilding; with somebody new each time.
                for number in 0..IDENTITIES {
                    let (one, two) = (id(number), id(2 * IDENTITIES - 1 - number));
                    let at_ms = 1_000 + round * 100 + number;
                    let role = format!("R{round}");
                    let mut messages = vec![capture(&one, roles(&[&role]), at_ms, at_ms + 1)];
                    if one != two {
                        messages.push(capture(&two, roles(&[&role]), at_ms, at_ms + 1));
                    }
                    let new = format!("i{number:05}-{round}");
                    messages.push(capture(&new, roles(&["New"]), at_ms, at_ms + 1));
                    assert_eq!(world.write(messages).await.failures, []);
                    world.clock.advance(1);
                }
            }
        };
        tokio::join!(writing, rebuild(&world, false));
        assert_eq!(world.sql("select complete from annals_access_build;"), "1");
        for number in 0..IDENTITIES {
            let held = held(&world, &id(number), 5_000, None).await;
            assert!(held.len() == 1 && held[0].starts_with("assignedRole R3 "), "{held:?}");
        }
        let again = rebuild(&world, false).await;
        assert_eq!((again.identities, again.changed), (5 * IDENTITIES.unsigned_abs(), 0));
    }
}
