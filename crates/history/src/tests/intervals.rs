//! A history from before access intervals were kept, captures that cannot be read back, items that are there already.

use annals_model::{JsonFormat, ObjectType};
use serde_json::{Value, json};

use super::heads::head;
use super::{History, full, hashes, histories, identity, image, patch, tombstone};
use crate::{
    AccessItems, AccessQuestion, AccessRebuild, Error, PageRequest, Rebuilt, Writes, access, access_check,
    migrations,
};

async fn rebuild(history: &History) -> Rebuilt {
    let mut rebuild = AccessRebuild::begin(&mut history.read().await, false).await.unwrap();
    let mut all = Rebuilt::default();
    while let Some(batch) = rebuild.batch(&history.db, 1).await.unwrap() {
        all.add(batch);
    }
    all
}

fn with_role(role: &str) -> Value {
    json!({"name": "ann", "assignedRoles": [{"id": role, "name": role}]})
}

fn id(digit: char) -> String {
    digit.to_string().repeat(32)
}

/// Two people: one whose second capture is a patch and third one a patch of that, one who is gone.
async fn write(history: &History) {
    let states = ["R", "S", "T"].map(|role| image(ObjectType::Identity, with_role(role)));
    let (one, two) = (identity("i1"), identity("i2"));
    history
        .write(|writes| {
            let mut first = full(&id('a'), &one, 100, &states[0]);
            first.known = false;
            writes.capture(first).unwrap();
            writes.capture(patch(&id('b'), &id('a'), &one, 200, &states[1])).unwrap();
            writes.capture(patch(&id('c'), &id('b'), &one, 300, &states[2])).unwrap();
            let mut first = full(&id('d'), &two, 100, &states[0]);
            first.known = false;
            writes.capture(first).unwrap();
            writes.capture(tombstone(&id('e'), &two, 200)).unwrap();
            writes.head(one, head(&id('c'), 300, &hashes(&states[2])), None);
            writes.head(two, head(&id('e'), 200, &hashes(&states[0])), None);
        })
        .await;
}

/// Whose, which item, from when to when, known since, its end known since.
fn told(history: &History) -> String {
    history.sql(
        "select a.identity_id, i.name, a.valid_from, a.valid_to, a.recorded_from, a.end_recorded, '.'
         from annals_access_interval a join annals_access_item i on i.id = a.item
         where a.recorded_to is null order by 1, 3;",
    )
}

const TOLD: &str =
    "i1|R|100|200|1100|1200|.\ni1|S|200|300|1200|1300|.\ni1|T|300||1300||.\ni2|R|100|200|1100|1200|.";

const NOW: AccessQuestion = AccessQuestion { at_ms: 1_000, known_at_ms: None, additional_only: false };
const PAGE: PageRequest = PageRequest { limit: 10, after: None };

/// The migration finds captures and notes that they have not become intervals; until they have, questions are refused.
#[tokio::test]
async fn a_history_from_before_gets_its_intervals() {
    for history in histories().await {
        write(&history).await;
        assert_eq!(told(&history), TOLD);
        // Views look at them, which came later.
        let cascade = if history.db.engine() == annals_sql::Engine::Postgres { " cascade" } else { "" };
        for table in ["annals_access_interval", "annals_access_item", "annals_access_build"] {
            history.sql(&format!("drop table {table}{cascade};"));
        }
        let migration = migrations(history.db.engine()).iter().find(|one| one.name == "access intervals");
        history.sql(migration.unwrap().sql);
        let mut tx = history.read().await;
        assert!(matches!(access(&mut tx, &identity("i1"), NOW, &PAGE).await, Err(Error::NoIntervals)));
        let check = access_check(&mut tx, 10).await.unwrap();
        assert_eq!((check.complete, check.rebuilding), (false, false));
        tx.rollback().await.unwrap();

        let rebuilt = rebuild(&history).await;
        assert_eq!((rebuilt.identities, rebuilt.captures, rebuilt.rows, rebuilt.changed), (2, 5, 4, 2));
        assert_eq!(told(&history), TOLD);
        let mut tx = history.read().await;
        let held = access(&mut tx, &identity("i1"), NOW, &PAGE).await.unwrap().unwrap().rows;
        assert_eq!(held.len(), 1);
        assert_eq!((held[0].item.name.as_deref(), held[0].since_ms), (Some("T"), 300));
        assert_eq!(access(&mut tx, &identity("i2"), NOW, &PAGE).await.unwrap().unwrap().rows, []);
        let before = AccessQuestion { at_ms: 99, ..NOW };
        assert_eq!(access(&mut tx, &identity("i2"), before, &PAGE).await.unwrap(), None);
        let check = access_check(&mut tx, 10).await.unwrap();
        assert_eq!((check.complete, check.stale.len()), (true, 0));
    }
}

/// A capture that cannot be read back is named, and what it was known to say stays; where nothing is known, what was held
/// before is taken to be held until the next one that can.
#[tokio::test]
async fn what_cannot_be_read_back_is_named() {
    for history in histories().await {
        write(&history).await;
        history.sql("update spt_hist_identity_capture set full_hash = 'DAMAGED' where effective_date = 200;");
        let rebuilt = rebuild(&history).await;
        // The patch of a capture that cannot be read cannot be read either; the tombstone has no hash to be compared.
        let unreadable: Vec<&str> =
            rebuilt.unreadable.iter().map(|error| error.capture_id.as_str()).collect();
        assert_eq!(unreadable, [id('b')]);
        assert_eq!((rebuilt.changed, told(&history).as_str()), (0, TOLD));
        history.sql("delete from annals_access_interval where identity_id = 'i1';");
        assert_eq!(rebuild(&history).await.changed, 1);
        assert_eq!(told(&history), "i1|R|100|300|1100|1300|.\ni1|T|300||1300||.\ni2|R|100|200|1100|1200|.");
    }
}

/// What is not as captures have it is put right.
#[tokio::test]
async fn wrong_rows_are_put_right() {
    for history in histories().await {
        write(&history).await;
        for harm in [
            "update annals_access_interval set valid_to = 999 where identity_id = 'i2';",
            "delete from annals_access_interval where seq = 1;",
            "update annals_access_interval set recorded_from = 7 where identity_id = 'i1' and seq = 0;",
            "insert into annals_access_interval (valid_from, recorded_from, item, seq, acquired, identity_id, opened_by)
                select 100, 1100, 42, 77, 1, 'i1', opened_by from annals_access_interval where valid_to is null;",
        ] {
            history.sql(harm);
            assert_eq!(rebuild(&history).await.changed, 1, "{harm}");
            assert_eq!(told(&history), TOLD);
            assert_eq!(rebuild(&history).await.changed, 0);
        }
    }
}

/// Items are there once, whoever adds them; another item under the number of one is an error, and never taken for it.
#[tokio::test]
async fn items_are_there_once() {
    for history in histories().await {
        let items = AccessItems::default();
        let image = image(ObjectType::Identity, with_role("R"));
        let count = || history.sql("select count(*) from annals_access_item;");
        for (number, object) in ["i1", "i2", "i3"].into_iter().enumerate() {
            let mut writes = Writes::new(JsonFormat::Zipped);
            let mut capture = full(&format!("{number:032x}"), &identity(object), 100, &image);
            capture.known = false;
            writes.capture(capture).unwrap();
            if object != "i3" {
                items.have(&history.db, &mut writes).await.unwrap();
                assert_eq!(count(), "1");
            }
            history.flush(writes).await;
            assert_eq!(count(), "1");
        }
        history.sql("update annals_access_item set name = 'Another';");
        let mut writes = Writes::new(JsonFormat::Zipped);
        writes.capture(full(&id('f'), &identity("i4"), 100, &image)).unwrap();
        let refused = AccessItems::default().have(&history.db, &mut writes).await;
        assert!(matches!(refused, Err(Error::SameNumber(..))), "{refused:?}");
    }
}
