//! How a run is shared out, and what its partitions save.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::site::{START_MS, Site};

/// A partition as it stands in the database: number, objects, state.
fn partitions(site: &Site, run_id: i64) -> Vec<(i64, u64, String)> {
    let query = format!(
        "select partition_no, object_count, state from annals_partition where run_id = {run_id} order by partition_no;"
    );
    let cells = |line: String| -> Vec<String> { line.split('|').map(str::to_owned).collect() };
    let rows = site.look(&query).into_iter().map(cells);
    rows.map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap(), row[2].clone())).collect()
}

/// IIQ-28, IIQ-29, IIQ-30, IIQ-31: the reference's vectors, all numbers of objects divided by 5,000 and
/// `maxObjectsPerExtractPartition` with them. Between the hints the count depends on the worker slots, which are as many
/// as the machine has cores. No partition is empty or over its limit, and their sizes are even.
#[tokio::test]
async fn runs_are_shared_out_by_the_reference_vectors() {
    for site in Site::on_each_history(70).await {
        site.arguments(
            "lossLimit: 4, minExtractPartitions: 5, maxExtractPartitions: 50, maxObjectsPerExtractPartition: 10",
        );
        for (objects, expected) in
            [(0, 0..=0), (3, 3..=3), (5, 5..=5), (50, 5..=5), (51, 6..=50), (500, 50..=50), (501, 51..=51)]
        {
            site.extracts(&match objects {
                0 => "entitlement: {filter: 'value == \"nobody has this\"'}".to_owned(),
                limit => format!("entitlement: {{limit: {limit}}}"),
            });
            site.forget_timestamp();
            let ran = site.run(START_MS).await.succeeds();
            assert_eq!(ran.counters().total_object_messages, objects);
            let partitions = partitions(&site, ran.run.id);
            assert!(expected.contains(&partitions.len()), "{objects} objects: {}", partitions.len());
            let sizes: Vec<u64> = partitions.iter().map(|(_, size, _)| *size).collect();
            assert_eq!(sizes.iter().sum::<u64>(), objects);
            assert!(sizes.iter().all(|size| (1..=10).contains(size)), "{sizes:?}");
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(most.zip(least).is_none_or(|(most, least)| most - least <= 1), "{sizes:?}");
            assert!(partitions.iter().all(|(_, _, state)| state == "done"));
            check_chunks(&site, ran.run.id, &sizes, 4);
        }
    }
}

/// IIQ-25: every object stands in one chunk, no chunk holds more than `lossLimit` objects, and a partition's chunks add
/// up to it.
fn check_chunks(site: &Site, run_id: i64, sizes: &[u64], loss_limit: usize) {
    let query = format!(
        "select partition_no, object_count, objects from annals_partition_chunk where run_id = {run_id}
         order by partition_no, chunk_no;"
    );
    let mut ids = BTreeSet::new();
    let mut found = vec![0; sizes.len()];
    for line in site.look(&query) {
        let cells: Vec<&str> = line.splitn(3, '|').collect();
        let objects: Vec<String> = serde_json::from_str(cells[2]).unwrap();
        assert!(!objects.is_empty() && objects.len() <= loss_limit, "{line}");
        assert_eq!(cells[1], objects.len().to_string());
        found[cells[0].parse::<usize>().unwrap()] += objects.len() as u64;
        ids.extend(objects);
    }
    assert_eq!(found, sizes);
    assert_eq!(ids.len() as u64, sizes.iter().sum::<u64>());
}

/// IIQ-30: with many objects of all types, the alias of the argument, and chunks of one type each.
#[tokio::test]
async fn a_partition_never_exceeds_its_limit() {
    for site in Site::on_each_history(30).await {
        site.arguments("lossLimit: 30, maxObjectsPerPartition: 100");
        let ran = site.run(START_MS).await.succeeds();
        let total = ran.counters().total_object_messages;
        assert!(total > 500, "{total}");
        let partitions = partitions(&site, ran.run.id);
        assert!((total.div_ceil(100)..=50).contains(&(partitions.len() as u64)), "{}", partitions.len());
        let sizes: Vec<u64> = partitions.iter().map(|(_, size, _)| *size).collect();
        assert!(sizes.iter().all(|size| *size <= 100), "{sizes:?}");
        check_chunks(&site, ran.run.id, &sizes, 30);
    }
}

/// IIQ-25, TRAP-14: the state is saved before more than `lossLimit` objects are done, with the sums so far, at the end of
/// a chunk; it holds numbers alone, so that it does not grow with what the partition holds.
#[tokio::test]
async fn the_request_state_is_saved_in_time_and_stays_small() {
    for site in Site::on_each_history(20).await {
        site.arguments("lossLimit: 7, minExtractPartitions: 1");
        let ran = site.run(START_MS).await.succeeds();
        let run_id = ran.run.id;
        let mut saved = 0;
        for (partition, _, _) in partitions(&site, run_id) {
            let of_partition = |columns: &str, table: &str, order: &str| {
                site.look(&format!(
                    "select {columns} from {table} where run_id = {run_id} and partition_no = {partition}
                     order by {order};"
                ))
            };
            let chunks = of_partition("object_count", "annals_partition_chunk", "chunk_no");
            let states = of_partition("state", "annals_request_state", "seq");
            let sizes: Vec<u64> = chunks.iter().map(|size| size.parse().unwrap()).collect();
            let mut done = 0;
            for state in &states {
                let state: Value = serde_json::from_str(state).unwrap();
                let members: Vec<&String> = state.as_object().unwrap().keys().collect();
                assert_eq!(members, ["chunksDone", "counters"]);
                let before = std::mem::replace(&mut done, state["chunksDone"].as_u64().unwrap() as usize);
                assert!(before < done && sizes[before..done].iter().sum::<u64>() <= 7, "{before} {done}");
                assert_eq!(state["counters"]["totalSeenObjects"], sizes[..done].iter().sum::<u64>());
                let counters = state["counters"].as_object().unwrap();
                assert_eq!(counters.len(), 13);
                assert!(counters.values().all(Value::is_u64));
            }
            assert_eq!(done, sizes.len());
            saved += states.len();
        }
        assert!(saved as u64 > ran.counters().total_object_messages / 7);
    }
}
