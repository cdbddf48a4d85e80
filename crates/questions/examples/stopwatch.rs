//! How long questions take as library calls, for `cargo x bench --queries`: `stopwatch URL FILE-OF-IDS COUNT` prints the
//! microseconds of each call, and the rows of all answers, as JSON.

use std::io::Write as _;
use std::time::Instant;

use annals_history::find::{Condition, Find, Order, Part, find, properties};
use annals_history::{AccessQuestion, PageRequest, TimelineRange, access, as_of, timeline};
use annals_model::{ObjectKey, ObjectType};
use annals_sql::{Access, Db, Tx};
use serde_json::{Map, Value, json};

/// Calls that are for connections and plans, and do not count.
const WARM_UP: usize = 100;

/// 2024-11-20T00:00:00Z, and two years: when the history happens.
const START_MS: i64 = 1_732_060_800_000;
const SPAN_MS: i64 = 730 * 86_400_000;

type Outcome = Result<u64, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, file, count] = &arguments[..] else { return Err("stopwatch URL FILE COUNT".into()) };
    let ids = std::fs::read_to_string(file)?;
    let keys: Vec<ObjectKey> = ids
        .lines()
        .map(|id| ObjectKey {
            source: "identityiq".into(),
            object_type: ObjectType::Identity,
            object_id: id.to_owned(),
        })
        .collect();
    let count: usize = count.parse()?;
    let db = Db::open(url, Access::ReadOnly).await?;
    let mut tx = db.begin_read().await?;
    let mut found = Map::new();
    for question in ["as-of", "access", "timeline page", "find page"] {
        let (mut us, mut rows) = (Vec::new(), 0);
        for place in 0..count + WARM_UP {
            let key = &keys[place % keys.len()];
            // Instants all over the two years, the same ones each time.
            let at_ms = START_MS + SPAN_MS / 1_000 * ((place as i64 * 7_919) % 1_000);
            let begun = Instant::now();
            let told = ask(&mut tx, question, key, at_ms).await?;
            if place >= WARM_UP {
                us.push(u64::try_from(begun.elapsed().as_micros())?);
                rows += told;
            }
        }
        found.insert(question.to_owned(), json!({"us": us, "rows": rows}));
    }
    tx.rollback().await?;
    writeln!(std::io::stdout(), "{}", Value::Object(found))?;
    Ok(())
}

/// Asks; how many rows the answer has.
async fn ask(tx: &mut Tx, question: &str, key: &ObjectKey, at_ms: i64) -> Outcome {
    let page = |limit| PageRequest { limit, after: None };
    Ok(match question {
        "as-of" => as_of(tx, key, at_ms, None).await?.map_or(0, |_| 1),
        "access" => {
            let question = AccessQuestion { at_ms, known_at_ms: None, additional_only: false };
            let held = access(tx, key, question, &page(1_000)).await?;
            held.map_or(0, |held| held.rows.len() as u64)
        }
        "timeline page" => timeline(tx, key, TimelineRange::default(), &page(100)).await?.rows.len() as u64,
        _ => {
            let property =
                |name: &str| properties(ObjectType::Identity).iter().find(|property| property.name == name);
            let letter = char::from(b'A' + u8::try_from(at_ms / 1_000 % 26)?);
            let lastname = property("lastname").ok_or("identities have no lastname")?;
            let name = property("name").ok_or("identities have no name")?;
            let wanted = Find {
                object_type: ObjectType::Identity,
                condition: Some(Condition::Text(lastname, Part::AtStart, letter.to_string())),
                words: Vec::new(),
                order: vec![(name, Order::Ascending)],
                limit: 100,
                after: None,
            };
            find(tx, &wanted).await?.rows.len() as u64
        }
    })
}
