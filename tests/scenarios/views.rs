//! The views for reports say what the commands say.

use annals_testkit::Engine;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

/// After the first run and three days, each with a run.
async fn lived(site: &Site) {
    site.service("capture: {maxAllowedPatches: 2}\n");
    site.run(START_MS).await.succeeds();
    for day in 1..=3 {
        site.pass_day().await;
        site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
    }
}

/// Rows of a query as JSON objects, by the engine's own program.
fn rows(site: &Site, query: &str) -> Vec<Value> {
    let columns: Vec<String> = match site.history.engine() {
        Engine::Postgres => site.look(&format!("select row_to_json(q) from ({query}) q;")),
        _ => {
            let named = site.look(&format!(
                "create temporary view asked as {query}; select name from pragma_table_info('asked');"
            ));
            let members: Vec<String> = named.iter().map(|name| format!("'{name}', \"{name}\"")).collect();
            site.look(&format!("select json_object({}) from ({query}) q;", members.join(", ")))
        }
    };
    columns.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

fn shown(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap().strftime("%Y-%m-%d %H:%M:%S+00:00").to_string()
}

fn sorted(mut rows: Vec<Value>) -> Vec<String> {
    let mut texts: Vec<String> = rows.drain(..).map(|row| row.to_string()).collect();
    texts.sort();
    texts
}

/// What of a row of the view the command's answer has too.
fn as_answered(row: &Value) -> Value {
    let ways: Vec<&str> =
        row["acquired"].as_str().unwrap().split(',').filter(|way| !way.is_empty()).collect();
    json!({
        "kind": row["kind"], "name": row["name"], "application": row["application"], "attribute": row["attribute"],
        "value": row["value"], "account": row["account"], "acquired": ways, "cause": row["cause"],
        "assigner": row["assigner"], "requestItem": row["request_item_id"], "itemId": row["item_id"],
        "applicationId": row["application_id"], "instance": row["instance"], "permission": row["permission"] == 1,
        "intervalSince": shown(row["valid_from_ms"].as_i64().unwrap()), "captureId": row["opened_by"],
    })
}

/// The view of intervals, and on PostgreSQL the function, say what `annals access` says: at an instant, and as known at
/// another one.
#[tokio::test]
async fn access_is_the_same_by_view_and_by_command() {
    for site in Site::on_each_history(30).await {
        lived(&site).await;
        let people = site.look("select identity_id from spt_hist_identity order by identity_id limit 5;");
        let instants = [(START_MS + DAY_MS, None), (START_MS + 3 * DAY_MS, Some(START_MS + 2 * DAY_MS))];
        let mut items = 0;
        for person in &people {
            for (at_ms, known_ms) in instants {
                let at = Timestamp::from_millisecond(at_ms).unwrap().to_string();
                let known = known_ms.map(|ms| Timestamp::from_millisecond(ms).unwrap().to_string());
                let mut arguments = vec!["access", person, "--at", &at, "-o", "json"];
                arguments.extend(known.iter().flat_map(|known| ["--known-as-of", known]));
                let mut answer = annals(site.path(), &arguments).exits(0).json();
                let mut answered = answer["items"].as_array_mut().unwrap().clone();
                for item in &mut answered {
                    // The view tells intervals alone, not since when they follow each other.
                    item.as_object_mut().unwrap().remove("since");
                }
                let known_ms = known_ms.unwrap_or(i64::MAX);
                let viewed = rows(
                    &site,
                    &format!(
                        "select * from annals_v1_access_intervals where identity_id = '{person}'
                           and valid_from_ms <= {at_ms} and recorded_from_ms <= {known_ms}
                           and (recorded_to_ms is null or recorded_to_ms > {known_ms})
                           and (valid_to_ms is null or valid_to_ms > {at_ms} or end_recorded_ms > {known_ms})"
                    ),
                );
                items += viewed.len();
                assert_eq!(
                    sorted(viewed.iter().map(as_answered).collect()),
                    sorted(answered.clone()),
                    "{person}"
                );
                if site.history.engine() == Engine::Postgres {
                    let known = known.map_or("null".to_owned(), |known| format!("'{known}'"));
                    let called = rows(
                        &site,
                        &format!(
                            "select * from annals_v1_access_as_of('{at}', {known}) where identity_id = '{person}'"
                        ),
                    );
                    assert_eq!(
                        sorted(called.iter().map(as_answered).collect()),
                        sorted(answered),
                        "{person}"
                    );
                }
            }
        }
        assert!(items > 40, "{items}");
    }
}

/// The view of events says what `annals timeline` says, of each kind of object that has events of its own.
#[tokio::test]
async fn events_are_the_same_by_view_and_by_command() {
    for site in Site::on_each_history(30).await {
        lived(&site).await;
        let mut told = 0;
        for object_type in ["identity", "managedAttribute", "role", "workgroup"] {
            let objects = site.look(&format!(
                "select object_id from annals_v1_events where object_type = '{object_type}'
                 group by object_id order by count(*) desc, object_id limit 2;"
            ));
            assert!(!objects.is_empty(), "{object_type}");
            for object in &objects {
                let answer =
                    annals(site.path(), &["timeline", object_type, object, "--limit", "5000", "-o", "json"]);
                let answered: Vec<Value> = answer.exits(0).json()["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|event| {
                        json!([
                            event["occurred"],
                            event["recorded"],
                            event["event"],
                            event["property"],
                            event["oldValue"],
                            event["newValue"],
                            event["source"],
                        ])
                    })
                    .collect();
                let query = format!(
                    "select * from annals_v1_events where object_type = '{object_type}' and object_id = '{object}'"
                );
                let viewed: Vec<Value> = rows(&site, &query)
                    .iter()
                    .map(|row| {
                        let at = |member: &str| shown(row[member].as_i64().unwrap());
                        json!([
                            at("occurred_ms"),
                            at("recorded_ms"),
                            row["event_type"],
                            row["property"],
                            row["old_value"],
                            row["new_value"],
                            row["source"],
                        ])
                    })
                    .collect();
                told += viewed.len();
                assert_eq!(sorted(viewed), sorted(answered), "{object_type} {object}");
            }
        }
        assert!(told > 20, "{told}");
    }
}

/// IIQ-34: the view of runs has their thirteen results, as `annals runs show` tells them.
#[tokio::test]
async fn runs_are_the_same_by_view_and_by_command() {
    for site in Site::on_each_history(20).await {
        lived(&site).await;
        let viewed = rows(&site, "select * from annals_v1_runs order by run_id");
        assert_eq!(viewed.len(), 4);
        for row in viewed {
            let run = row["run_id"].to_string();
            let shown_run = annals(site.path(), &["runs", "show", &run, "-o", "json"]).exits(0).json();
            let counters = shown_run["counters"].as_object().unwrap();
            assert_eq!(counters.len(), 13);
            for (name, value) in counters {
                let column = name.chars().fold(String::new(), |mut column, letter| {
                    if letter.is_ascii_uppercase() {
                        column.push('_');
                    }
                    column.push(letter.to_ascii_lowercase());
                    column
                });
                assert_eq!(&row[&column], value, "run {run}: {column}");
            }
            let head = &shown_run["run"];
            assert_eq!(row["task"], head["task"]);
            assert_eq!((&row["status"], &row["result"]), (&head["status"], &head["result"]));
            let started = shown(row["started_ms"].as_i64().unwrap());
            assert_eq!(head["started"], started);
        }
        assert_eq!(site.look("select intervals_complete from annals_v1_history;"), ["1"]);
    }
}

/// An instant that can be read is the same one as its milliseconds; names of identities are there; and on SQLite, where a
/// view promises no types, the values have those of the page.
#[tokio::test]
async fn what_stands_in_the_columns_is_what_is_promised() {
    for site in Site::on_each_history(20).await {
        lived(&site).await;
        let mut compared = 0;
        for view in ["annals_v1_access_intervals", "annals_v1_events", "annals_v1_runs"] {
            for row in rows(&site, &format!("select * from {view}")) {
                let row = row.as_object().unwrap();
                for (name, ms) in row.iter().filter_map(|(name, ms)| Some((name.strip_suffix("_ms")?, ms))) {
                    let instant =
                        row[name].as_str().map(|text| text.parse::<Timestamp>().unwrap().as_millisecond());
                    assert_eq!(instant, ms.as_i64(), "{view}.{name}");
                    compared += usize::from(instant.is_some());
                }
            }
        }
        assert!(compared > 100, "{compared}");
        let unnamed = "select count(*) from annals_v1_access_intervals i
            join annals_v1_identities p on p.identity_id = i.identity_id
            where i.identity_name is null or i.identity_name <> p.name;";
        assert_eq!(site.count(unnamed), 0);
        if site.history.engine() == Engine::Sqlite {
            let page = include_str!("../../docs/sql-views.md");
            let mut view = "";
            for line in page.lines() {
                view = line.strip_prefix("## ").unwrap_or(view);
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                let [_, column, kind, _, _] = cells[..] else { continue };
                if !view.starts_with("annals_v1_") || !column.starts_with('`') {
                    continue;
                }
                let column = column.trim_matches('`');
                let storage = if matches!(kind, "text" | "instant") { "text" } else { "integer" };
                let others = format!(
                    "select count(*) from {view} where typeof({column}) not in ('{storage}', 'null');"
                );
                assert_eq!(site.count(&others), 0, "{view}.{column}");
            }
        }
    }
}
