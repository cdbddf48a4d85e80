//! The same identity system gives the same history, whatever lies between them.

use std::collections::BTreeMap;

use crate::site::{DAY_MS, START_MS, Site};

/// IIQ-19, IIQ-40: the same identity system gives the same history, to the byte, whatever engine it is read from and
/// whatever engine history is kept on; only the ids of captures and events are other ones.
#[tokio::test]
async fn history_is_the_same_on_every_engine() {
    let mut first: Option<Vec<String>> = None;
    for site in Site::everywhere(30).await {
        site.service("capture: {jsonFormat: MINIFIED}\n");
        site.run(START_MS).await.succeeds();
        let found = without_ids(&site).await;
        match &first {
            None => first = Some(found),
            Some(first) => {
                assert_eq!(difference(&found, first), None, "{}", site.source.engine());
                assert_eq!(found.len(), first.len());
            }
        }
    }
}

/// Batches of one, chunks of three, one worker or four, queues without room: how the work is cut leaves no trace.
#[tokio::test]
async fn history_is_the_same_however_the_work_is_cut() {
    let mut first: Option<Vec<String>> = None;
    for (service, arguments) in [
        ("", ""),
        ("queue: {capacity: 1, batchObjectsMax: 1}\n", "lossLimit: 3"),
        ("queue: {batchBytesMax: 1024}\n", "lossLimit: 1000, maxObjectsPerPartition: 20"),
        ("queue: {batchObjectsMax: 7}\n", "minExtractPartitions: 1, maxExtractPartitions: 1"),
    ] {
        for workers in [1, 4] {
            let site = Site::small().await;
            site.service(&format!("capture: {{jsonFormat: MINIFIED, maxAllowedPatches: 3}}\n{service}"));
            site.edit("annals.yaml", "workerSlots: 2", &format!("workerSlots: {workers}"));
            site.arguments(arguments);
            site.run(START_MS).await.succeeds();
            site.pass_day().await;
            site.run(START_MS + DAY_MS).await.succeeds();
            let found = without_ids(&site).await;
            match &first {
                None => first = Some(found),
                Some(first) => {
                    assert_eq!(difference(&found, first), None, "{service} {arguments} {workers}");
                    assert_eq!(found.len(), first.len());
                }
            }
        }
    }
}

/// All rows of history, each id of a capture replaced by whose capture it is, and each id of an event left out.
pub(crate) async fn without_ids(site: &Site) -> Vec<String> {
    let mut names: Vec<(String, String)> = Vec::new();
    for (object_type, table, id) in Site::capture_tables() {
        for line in site.look(&format!("select id, {id}, effective_date from {table};")) {
            let (capture, object) = line.split_once('|').unwrap();
            let dashed = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &capture[part]).join("-");
            let (object, effective) = object.split_once('|').unwrap();
            for id in [capture.to_owned(), dashed] {
                names.push((id, format!("<{object_type} {object} since {effective}>")));
            }
        }
    }
    let names: BTreeMap<String, String> = names.into_iter().collect();
    let mut rows = Vec::new();
    for row in site.everything().await {
        let cells: Vec<&str> = row.split(" | ").collect();
        let cells = match row.split_once(": ").unwrap().0 {
            // The first cell of an event is its id.
            table if table.ends_with("_event") => cells[1..].to_vec(),
            // Which capture of its request an item names depends on which of the two was written first.
            "spt_hist_identity_req_item_capture" => {
                [&cells[..cells.len() - 2], &cells[cells.len() - 1..]].concat()
            }
            _ => cells,
        };
        rows.push(replaced(&cells.join(" | "), &names));
    }
    rows.sort();
    rows
}

/// Replaces every run of hexadecimal digits (and dashes) that is a name's key. Documents are shown as numbers of bytes,
/// so those are read as text first.
fn replaced(row: &str, names: &BTreeMap<String, String>) -> String {
    let row = match row.split_once("Bytes([") {
        Some((head, tail)) => {
            let (bytes, tail) = tail.split_once("])").unwrap();
            let bytes: Vec<u8> = bytes.split(", ").map(|byte| byte.parse().unwrap()).collect();
            format!("{head}{}{tail}", String::from_utf8(bytes).unwrap())
        }
        None => row.to_owned(),
    };
    let mut replaced = String::with_capacity(row.len());
    let mut word = String::new();
    for c in row.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() || c == '-' {
            word.push(c);
            continue;
        }
        replaced.push_str(names.get(&word).unwrap_or(&word));
        word.clear();
        replaced.push(c);
    }
    replaced
}

pub(crate) fn difference<'r>(one: &'r [String], two: &'r [String]) -> Option<(&'r String, &'r String)> {
    one.iter().zip(two).find(|(one, two)| one != two)
}
