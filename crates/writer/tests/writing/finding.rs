//! Who holds and held what: random histories, against a model that is written from the definitions alone.

use std::collections::BTreeSet;

use annals_history::find::{ACCESS, Comparison, Condition, Find, Operand, collection, count, find};
use annals_model::ObjectType;
use annals_sql::Tx;

use crate::intervals::histories::{Happened, Histories, everything, held};
use crate::intervals::wanted;
use crate::world::{FULL, worlds};

/// Something that is true of a history or not.
type Test<'t> = &'t dyn Fn(&[(i64, Happened)]) -> bool;

fn equal(name: &str, text: &str) -> Condition {
    compared(name, Operand::Text(text.to_owned()))
}

fn compared(name: &str, operand: Operand) -> Condition {
    let access = collection(ObjectType::Identity, ACCESS).unwrap();
    let property = access.elements.iter().find(|property| property.name == name).unwrap();
    Condition::Compare(property, Comparison::Equal, operand)
}

fn some(all: Vec<Condition>) -> Condition {
    let access = collection(ObjectType::Identity, ACCESS).unwrap();
    Condition::Some(access, Some(Box::new(Condition::All(all))))
}

async fn found(tx: &mut Tx, condition: Condition) -> BTreeSet<String> {
    let wanted = Find {
        object_type: ObjectType::Identity,
        condition: Some(condition),
        words: Vec::new(),
        order: Vec::new(),
        limit: 1_000_000,
        after: None,
    };
    let page = find(tx, &wanted).await.unwrap();
    assert_eq!(count(tx, &wanted).await.unwrap(), page.rows.len() as u64);
    page.rows.into_iter().map(|row| row.key.object_id).collect()
}

/// IIQ-09: whoever holds access now, held it ever, or held it and does not now, is who does by the model; by each account, or
/// by whichever. 120 histories on each engine; others with `ANNALS_HISTORIES`.
#[tokio::test]
async fn holders_are_who_the_model_says() {
    for world in worlds(&FULL).await {
        let Histories { told, .. } = Histories::write(&world, wanted()).await;
        let mut tx = world.db.begin_read().await.unwrap();
        let mut holders = 0;
        for (kind, name, account) in everything() {
            let what = |account: Option<&str>| {
                let named = match (kind, name) {
                    ("entitlement", value) => equal("value", value),
                    ("account", application) => equal("application", application),
                    (_, name) => equal("name", name),
                };
                let account = account.filter(|account| *account != "-");
                let account = account.map(|account| equal("account", account));
                [equal("kind", kind), named].into_iter().chain(account).collect::<Vec<Condition>>()
            };
            for by_account in [Some(account), None] {
                let holds = |history: &[(i64, Happened)], at_ms: i64| {
                    let held = held(history, at_ms, i64::MAX);
                    held.keys().any(|(of_kind, of_name, of_account)| {
                        (*of_kind, *of_name) == (kind, name)
                            && by_account.is_none_or(|account| account == *of_account)
                    })
                };
                let who = |test: Test<'_>| -> BTreeSet<String> {
                    told.iter().filter(|(_, history)| test(history)).map(|(id, _)| id.clone()).collect()
                };
                let now = who(&|history| holds(history, i64::MAX));
                let ever = who(&|history| history.iter().any(|(_, (_, at_ms))| holds(history, *at_ms)));
                let before: BTreeSet<String> = ever.difference(&now).cloned().collect();
                let current = [what(by_account), vec![compared("current", Operand::Int(1))]].concat();
                let (all, current) = (some(what(by_account)), some(current));
                let of = format!("{kind} {name} {by_account:?}");
                assert_eq!(found(&mut tx, all.clone()).await, ever, "{of}");
                assert_eq!(found(&mut tx, current.clone()).await, now, "{of}");
                let previous = Condition::All(vec![all, Condition::Not(Box::new(current))]);
                assert_eq!(found(&mut tx, previous).await, before, "{of}");
                holders += now.len().min(1) + before.len().min(1);
            }
        }
        assert!(holders > 20, "{holders}");
        // Of nothing that is asked for two ways at once: one interval has to be all of it.
        let both = some(vec![equal("kind", "capability"), equal("name", "R")]);
        assert_eq!(found(&mut tx, both).await, BTreeSet::new());
        drop(tx);
        world.sql("update annals_access_build set complete = 0;");
        let mut tx = world.db.begin_read().await.unwrap();
        let wanted = Find {
            object_type: ObjectType::Identity,
            condition: Some(Condition::Not(Box::new(some(Vec::new())))),
            words: Vec::new(),
            order: Vec::new(),
            limit: 1,
            after: None,
        };
        assert!(matches!(find(&mut tx, &wanted).await, Err(annals_history::Error::NoIntervals)));
    }
}
