//! The `COMPACT` format in whole runs, and `annals history repack`.

use std::process::{Command, Stdio};

use annals_model::ObjectType;
use annals_sql::Stmt;
use annals_testkit::Engine;
use annals_world::WorldOptions;
use serde_json::{Value, json};

use crate::program::{annals, complete, program};
use crate::site::{DAY_MS, START_MS, Site};

/// Everything that history holds but for the bytes of documents and the word on their form.
async fn all_but_documents(site: &Site) -> Vec<String> {
    let columns = site.look(match site.history.engine() {
        Engine::Sqlite => {
            "select m.name, c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table';"
        }
        _ => "select table_name, column_name from information_schema.columns where table_schema = 'public';",
    });
    let columns: Vec<(&str, &str)> = columns.iter().filter_map(|line| line.split_once('|')).collect();
    let mut all = Vec::new();
    for table in site.history_tables() {
        let of_table =
            columns.iter().filter(|(of, name)| *of == table && !["json", "json_format"].contains(name));
        let mut columns: Vec<&str> = of_table.map(|(_, name)| *name).collect();
        columns.sort_unstable();
        let select = format!("select {} from {table}", columns.join(", "));
        let mut tx = site.db.begin_read().await.unwrap();
        let rows = tx.fetch_all(&Stmt::built("test.all", select), Vec::new()).await.unwrap();
        let cells = |row: &annals_sql::Row| -> Vec<String> {
            (0..columns.len()).map(|at| format!("{:?}", row.cell(at).unwrap())).collect()
        };
        all.extend(rows.iter().map(|row| format!("{table}: {:?}", cells(row))));
    }
    all.sort();
    all
}

/// The whole documents of objects of each type at the end of each day; each rebuilt from its captures and compared with
/// its hash.
async fn all_documents(site: &Site) -> Vec<(ObjectType, String, i64, Value)> {
    let mut all = Vec::new();
    for (object_type, table, id) in Site::capture_tables() {
        for object_id in site.look(&format!("select distinct {id} from {table} order by 1 limit 8;")) {
            for day in 0..3 {
                let at_ms = START_MS + day * DAY_MS;
                if let Some(state) = site.as_of(object_type, &object_id, at_ms).await {
                    all.push((object_type, object_id.clone(), day, state.document));
                }
            }
        }
    }
    all
}

/// How many captures there are in each form, of all types together.
fn forms(site: &Site) -> (u64, u64) {
    let formats = Site::capture_tables().map(|(_, table, _)| format!("select json_format from {table}"));
    let all = formats.join(" union all ");
    let counted = site.look(&format!("select json_format, count(*) from ({all}) every group by 1;"));
    let count = |format: &str| {
        let line = counted.iter().find_map(|line| line.strip_prefix(format)?.strip_prefix('|'));
        line.map_or(0, |count| count.parse().unwrap())
    };
    (count("ZIPPED"), count("COMPACT"))
}

/// Kills a rewriting of all captures when some are rewritten and others are not.
fn kill_in_the_middle(site: &Site) {
    let mut rewriting = Command::new(program());
    complete(&mut rewriting, site.path(), &["history", "repack", "--batch", "1"]);
    let mut rewriting = rewriting.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let before = forms(site).1;
    while forms(site).1 == before {
        assert!(rewriting.try_wait().unwrap().is_none(), "it ended before anything was rewritten");
    }
    rewriting.kill().unwrap();
    rewriting.wait().unwrap();
}

/// IIQ-40: `ZIPPED` for a day, `COMPACT` for a day, then all in `COMPACT`, with a crash on the way: the same rows, the
/// same documents, the same hashes before, in between and after.
#[tokio::test]
async fn captures_are_rewritten_and_say_the_same() {
    for site in Site::on_each_history(20).await {
        site.service("capture: {maxAllowedPatches: 5}\n");
        site.run(START_MS).await.succeeds();
        site.pass_day().await;
        site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(forms(&site).1, 0);
        site.service("capture: {jsonFormat: COMPACT, maxAllowedPatches: 5}\n");
        site.pass_day().await;
        site.run(START_MS + 2 * DAY_MS).await.succeeds();
        let (zipped, compact) = forms(&site);
        assert!(zipped > 300 && compact > 10, "{zipped} {compact}");
        let (rows, documents) = (all_but_documents(&site).await, all_documents(&site).await);

        let tried = annals(site.path(), &["history", "repack", "--dry-run", "-o", "json"]).exits(0);
        let tried = tried.tells("Nothing was written.").json();
        assert_eq!(forms(&site), (zipped, compact));

        kill_in_the_middle(&site);
        let (left, done) = forms(&site);
        assert!(left > 0 && done > compact && left + done == zipped + compact, "{left} {done}");
        assert_eq!(all_documents(&site).await, documents);

        let said = annals(site.path(), &["history", "repack", "--batch", "100", "-o", "json"]).exits(0);
        let said = said.tells("Done. to=COMPACT ").json();
        assert_eq!(forms(&site), (0, zipped + compact));
        assert_eq!((&said["captures"], &said["unreadable"]), (&json!(zipped + compact), &json!([])));
        assert_eq!(said["items"].as_array().unwrap().len(), 14);
        assert!(said["rewritten"].as_u64().unwrap() <= left + compact);
        let bytes = |said: &Value, member: &str| said[member].as_u64().unwrap();
        assert!(bytes(&tried, "bytesAfter") * 10 < bytes(&tried, "bytesBefore") * 6, "{tried}");
        assert_eq!(all_but_documents(&site).await, rows);
        assert_eq!(all_documents(&site).await, documents);

        let again = annals(site.path(), &["history", "repack", "-o", "json"]).exits(0).json();
        assert_eq!(again["rewritten"], 0);
        let back = ["history", "repack", "--to", "zipped", "--type", "entitlement", "-o", "json"];
        let back = annals(site.path(), &back).exits(0).json();
        assert_eq!((back["items"].as_array().unwrap().len(), &back["to"]), (1, &json!("ZIPPED")));
        assert_eq!(all_documents(&site).await, documents);
    }
}

/// What a damaged dictionary is needed for is named, and left as it is; everything else is rewritten.
#[tokio::test]
async fn a_damaged_dictionary_is_named() {
    for site in Site::on_each_history(20).await {
        site.service("capture: {jsonFormat: COMPACT}\n");
        site.run(START_MS).await.succeeds();
        let dictionary =
            site.look("select id from annals_dictionary where object_type = 'entitlement';").remove(0);
        // The first captures, stored before there was a dictionary, are longer.
        let entitlement = site
            .look(
                "select identity_entitlement_id from spt_hist_entitlement_capture order by length(json) limit 1;",
            )
            .remove(0);
        site.history.sql("update annals_dictionary set content_hash = '' where object_type = 'entitlement';");
        let damaged = format!("its dictionary {dictionary} in annals_dictionary is damaged");
        annals(site.path(), &["as-of", "entitlement", &entitlement]).exits(1).tells(&damaged);

        let (_, compact) = forms(&site);
        let said = annals(site.path(), &["history", "repack", "--to", "ZIPPED", "-o", "json"]).exits(10);
        let said = said.tells(&damaged).json();
        let (zipped, left) = forms(&site);
        assert!(left > 0 && zipped > left && zipped + left == compact, "{zipped} {left}");
        assert_eq!(said["rewritten"], json!(zipped));
        let named = said["unreadable"].as_array().unwrap();
        assert_eq!(named.len(), usize::try_from(left).unwrap());
        assert!(named.iter().all(|one| one["table"] == "spt_hist_entitlement_capture"), "{named:?}");
    }
}

/// Bytes of all documents and dictionaries after ten nights, written in this form from the first run on: at most 0.4
/// of what the same documents take `ZIPPED`.
#[tokio::test]
async fn ten_nights_take_two_fifths_of_the_bytes() {
    let options = WorldOptions { identities: 2_000, start_ms: START_MS, ..WorldOptions::default() };
    let site = Site::empty(Engine::Sqlite, Engine::Sqlite, options).await;
    site.db.migrate(annals_history::migrations(site.db.engine())).await.unwrap();
    site.service("capture: {jsonFormat: COMPACT, maxAllowedPatches: 5}\n");
    site.run(START_MS).await.succeeds();
    for night in 1..=10 {
        site.pass_day().await;
        site.run(START_MS + night * DAY_MS).await.succeeds();
    }
    let bytes = |condition: &str| -> u64 {
        let lengths = Site::capture_tables()
            .map(|(_, table, _)| format!("select length(json) as bytes from {table} where {condition}"))
            .join(" union all ");
        site.count(&format!("select coalesce(sum(bytes), 0) from ({lengths});"))
    };
    let compact =
        bytes("json_format = 'COMPACT'") + site.count("select sum(length(content)) from annals_dictionary;");
    assert_eq!(bytes("json_format <> 'COMPACT'"), 0);
    annals(site.path(), &["history", "repack", "--to", "ZIPPED"]).exits(0);
    let zipped = bytes("json_format = 'ZIPPED'");
    assert!(compact * 10 <= zipped * 4, "COMPACT {compact} with dictionaries, ZIPPED {zipped}");
}
