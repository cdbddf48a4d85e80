//! All that history holds, as text that is the same wherever and whenever it was written.

use std::collections::{BTreeMap, HashMap};

use annals_testkit::Engine;
use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::acts::LATER_MS;
use super::site::Site;

/// Rows by table, in a canonical order.
pub(crate) type Dump = BTreeMap<String, Vec<String>>;

/// What a dump says of the rows in which the source notes what it deletes.
pub(crate) const NOTES: &str = "deletions at the source";

/// Tables of how the work was cut and who did it when, not of what came of it. When captures were read stands in
/// `annals_reading` for those that were written together, and else in `annals_sighting`; the numbers of
/// `annals_object_kind` are put in where they are used.
const OF_THE_WORK: [&str; 17] = [
    "annals_clean_up",
    "annals_config_version",
    "annals_host",
    "annals_object_kind",
    "annals_partition",
    "annals_partition_chunk",
    "annals_reading",
    "annals_request_state",
    "annals_run",
    "annals_run_attribute",
    "annals_run_failure",
    "annals_run_message",
    "annals_run_total",
    "annals_run_write",
    "annals_schedule",
    "annals_schedule_fire",
    "annals_sighting",
];

/// Columns that name the run, or a row by a number of its own; and the parked message itself, which holds when it was read
/// and is compressed.
const OF_THE_RUN: [&str; 4] = ["run_id", "partition_no", "letter_id", "message"];

/// The capture tables with the columns that hold the objects' ids.
const CAPTURES: [(&str, &str); 14] = [
    ("spt_hist_identity_capture", "identity_id"),
    ("spt_hist_account_capture", "account_id"),
    ("spt_hist_role_capture", "role_id"),
    ("spt_hist_entitlement_capture", "identity_entitlement_id"),
    ("spt_hist_mattr_capture", "mattr_id"),
    ("annals_certification_capture", "cert_id"),
    ("spt_hist_cert_remediation_capture", "certification_item_id"),
    ("spt_hist_identity_req_capture", "identity_request_id"),
    ("spt_hist_identity_req_item_capture", "identity_request_item_id"),
    ("spt_hist_policy_violation_capture", "policy_violation_id"),
    ("spt_hist_policy_violation_remediation_capture", "identity_history_item_id"),
    ("spt_hist_capability_capture", "capability_id"),
    ("spt_hist_workgroup_capture", "workgroup_id"),
    ("spt_hist_object_config_capture", "object_config_id"),
];

/// The rows of all tables but these, as they are: table, JSON.
pub(crate) fn raw(site: &Site, but: &[&str]) -> Result<Vec<(String, Map<String, Value>)>> {
    let columns = match site.history.engine() {
        Engine::Postgres => {
            "select c.table_name, c.column_name from information_schema.columns c
             join pg_tables t on t.schemaname = c.table_schema and t.tablename = c.table_name
             where t.schemaname = 'public' and (t.tablename like 'spt\\_hist\\_%' or t.tablename like 'annals\\_%')
             order by c.table_name, c.ordinal_position;"
        }
        _ => {
            "select m.name, p.name from sqlite_master m join pragma_table_info(m.name) p
             where m.type = 'table' and (m.name like 'spt_hist_%' or m.name like 'annals_%') order by m.name, p.cid;"
        }
    };
    let printed = site.history.sql(columns);
    let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (table, column) in printed.lines().filter_map(|line| line.split_once('\t')) {
        tables.entry(table).or_default().push(column);
    }
    let queries: String = tables
        .iter()
        .filter(|(table, _)| !but.contains(*table))
        .map(|(table, columns)| match site.history.engine() {
            Engine::Postgres => format!("select '{table}', row_to_json(t) from {table} t;\n"),
            _ => {
                let cells = columns.iter().map(|column| {
                    format!(
                        "'{column}', case typeof({column}) when 'blob' then '\\x' || lower(hex({column})) else {column} end"
                    )
                });
                format!("select '{table}', json_object({}) from {table};\n", cells.collect::<Vec<_>>().join(", "))
            }
        })
        .collect();
    let printed = site.history.sql(&queries);
    printed
        .lines()
        .map(|line| {
            let (table, row) = line.split_once('\t').with_context(|| format!("no table: {line}"))?;
            Ok((table.to_owned(), serde_json::from_str(row).with_context(|| format!("no JSON: {line}"))?))
        })
        .collect()
}

/// All that history holds but for ids, hosts and the instants of the runs; with it what is left at the source to be
/// removed, the indexes, and how many captures the runs after this one say that they have written.
pub(crate) fn dump(site: &Site, after_run: i64) -> Result<Dump> {
    let rows = raw(site, &[])?;
    let names = Names::of(&rows);
    let mut dump = Dump::new();
    for (table, row) in rows {
        if !OF_THE_WORK.contains(&table.as_str()) {
            let row = names.canonical(&table, row);
            dump.entry(table).or_default().push(row);
        }
    }
    let indexes = match site.history.engine() {
        Engine::Postgres => "select indexname from pg_indexes where schemaname = 'public';",
        _ => "select name from sqlite_master where type = 'index';",
    };
    let written = format!(
        "select object_type, sum(full_captures + patch_captures + deleted), sum(dead) from annals_run_write
         where run_id > {after_run} group by object_type having sum(full_captures + patch_captures + deleted + dead) > 0;"
    );
    let lines = |text: String| text.lines().map(str::to_owned).collect();
    dump.insert("its indexes".to_owned(), lines(site.history.sql(indexes)));
    dump.insert("captures counted by runs".to_owned(), lines(site.history.sql(&written)));
    dump.insert(NOTES.to_owned(), lines(site.source.sql("select id from spt_intercepted_delete;")));
    dump.values_mut().for_each(|rows| rows.sort());
    // Each run that reads an object which cannot be written parks what it has read.
    dump.entry("annals_parked_message".to_owned()).or_default().dedup();
    dump.retain(|_, rows| !rows.is_empty());
    Ok(dump)
}

/// The first difference, for people.
pub(crate) fn difference(found: &Dump, expected: &Dump) -> Option<String> {
    let none = Vec::new();
    let tables: std::collections::BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    tables.into_iter().find_map(|table| {
        let [found, expected] = [found, expected].map(|dump| dump.get(table).unwrap_or(&none));
        if found == expected {
            return None;
        }
        let only = |these: &Vec<String>, those: &Vec<String>| {
            let only: Vec<&String> =
                these.iter().filter(|row| those.binary_search(row).is_err()).take(2).collect();
            format!("{} rows, for example {only:#?}", these.len())
        };
        Some(format!("{table} has {}\nuninterrupted it has {}", only(found, expected), only(expected, found)))
    })
}

/// What stands for ids and numbers that differ from history to history.
struct Names {
    words: HashMap<String, String>,
    kinds: HashMap<i64, String>,
}

impl Names {
    fn of(rows: &[(String, Map<String, Value>)]) -> Self {
        let text =
            |row: &Map<String, Value>, column: &str| row[column].as_str().unwrap_or_default().to_owned();
        let mut captures: BTreeMap<(&str, String), Vec<(i64, String)>> = BTreeMap::new();
        let mut names = Self { words: HashMap::new(), kinds: HashMap::new() };
        for (table, row) in rows {
            if let Some((table, column)) = CAPTURES.iter().find(|(known, _)| known == table) {
                let capture = (row["effective_date"].as_i64().unwrap_or_default(), text(row, "id"));
                captures.entry((table, text(row, column))).or_default().push(capture);
            } else if table.ends_with("_event") {
                names.words.insert(text(row, "id"), "<event>".to_owned());
            } else if table == "annals_object_kind" {
                let kind = format!("{} {}", text(row, "source"), text(row, "object_type"));
                names.kinds.insert(row["id"].as_i64().unwrap_or_default(), kind);
            }
        }
        for ((table, object), mut of_object) in captures {
            of_object.sort();
            for (nth, (_, id)) in of_object.into_iter().enumerate() {
                let name = format!("<{table} {object} {nth}>");
                if id.len() == 32 {
                    let dashed = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &id[part]).join("-");
                    names.words.insert(dashed, name.clone());
                }
                names.words.insert(id, name);
            }
        }
        names
    }

    fn canonical(&self, table: &str, mut row: Map<String, Value>) -> String {
        for column in OF_THE_RUN {
            row.remove(column);
        }
        if matches!(table, "annals_parked_message" | "annals_dead_letter" | "annals_dead_letter_act") {
            row.remove("id");
        }
        if matches!(table, "annals_access_interval" | "annals_access_grant") {
            row.remove("seq");
        }
        if table == "spt_hist_identity_req_item_capture" {
            // Which capture of its request an item names depends on which of the two was written first.
            let known = !row["identity_request_capture_id"].is_null();
            row.insert("identity_request_capture_id".to_owned(), known.into());
        }
        let cells: Vec<String> = row
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(column, value)| format!("{column}={}", self.cell(table, &column, &value)))
            .collect();
        cells.join(" ")
    }

    fn cell(&self, table: &str, column: &str, value: &Value) -> String {
        match value {
            Value::Number(number) => match number.as_i64() {
                Some(kind) if table == "annals_head" && column == "kind" => {
                    self.kinds.get(&kind).cloned().unwrap_or_default()
                }
                Some(number) => self.masked(&number.to_string()),
                None => number.to_string(),
            },
            Value::String(text) => match (text.strip_prefix("\\x"), column) {
                (Some(hex), "json") => self.masked(&String::from_utf8_lossy(&bytes(hex))),
                (Some(hex), "seen") => {
                    let bytes = bytes(hex);
                    let numbers =
                        bytes.as_chunks().0.iter().map(|number| i64::from_le_bytes(*number).to_string());
                    self.masked(&numbers.collect::<Vec<_>>().join(","))
                }
                (Some(hex), _) => self.masked(hex),
                (None, _) => self.masked(text),
            },
            other => other.to_string(),
        }
    }

    /// The text with a name for every id, and `NOW` for every instant of the runs.
    fn masked(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut word = String::new();
        for c in text.chars().chain(['\n']) {
            if c.is_ascii_hexdigit() || c == '-' {
                word.push(c);
                continue;
            }
            let instant = word.len() == 13 && word.parse::<i64>().is_ok_and(|ms| ms > LATER_MS);
            masked.push_str(if instant { "NOW" } else { self.words.get(&word).unwrap_or(&word) });
            word.clear();
            masked.push(c);
        }
        masked.pop();
        masked
    }
}

/// What the engine printed as digits, which it always does in pairs.
fn bytes(digits: &str) -> Vec<u8> {
    hex::decode(digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    /// Two histories of the same object, written at different times under different ids, read alike; what was told by the
    /// source stays, so that another one does not.
    #[test]
    fn ids_and_instants_of_the_runs_leave_no_trace() {
        let history = |first: &str, second: &str, event: &str, now: i64, changed: i64| {
            let capture = |id: &str, at: i64| {
                row(json!({"id": id, "role_id": "r1", "effective_date": at, "created": now, "run_id": now}))
            };
            let rows = [
                ("spt_hist_role_capture".to_owned(), capture(second, changed)),
                ("spt_hist_role_capture".to_owned(), capture(first, 1_000)),
                ("spt_hist_role_event".to_owned(), row(json!({"id": event, "capture_id": second}))),
            ];
            let names = Names::of(&rows);
            let canonical = rows.into_iter().map(|(table, row)| names.canonical(&table, row));
            canonical.collect::<Vec<String>>()
        };
        let [a, b, c] = ["a", "b", "c"].map(|digit| digit.repeat(32));
        let later = LATER_MS + 1;
        let one = history(&a, &b, &c, later, 2_000);
        assert_eq!(one[0], "created=NOW effective_date=2000 id=<spt_hist_role_capture r1 1> role_id=r1");
        assert_eq!(one[2], "capture_id=<spt_hist_role_capture r1 1> id=<event>");
        assert_eq!(history(&c, &a, &b, later + 77, 2_000), one);
        assert_ne!(history(&c, &a, &b, later + 77, 2_001), one);
    }

    #[test]
    fn a_difference_names_the_table_and_the_rows() {
        let dump = |rows: &[&str]| {
            Dump::from([("t".to_owned(), rows.iter().map(|row| (*row).to_owned()).collect())])
        };
        assert_eq!(difference(&dump(&["a", "b"]), &dump(&["a", "b"])), None);
        let found = difference(&dump(&["a"]), &dump(&["a", "b"])).unwrap();
        assert!(
            found.contains("t has 1 rows") && found.contains("2 rows") && found.contains("\"b\""),
            "{found}"
        );
        assert!(difference(&Dump::new(), &dump(&["a"])).is_some());
    }
}
