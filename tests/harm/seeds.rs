//! The inputs that fuzzing begins with or found, taken through what each fuzz target does with them.

#[expect(unreachable_pub, reason = "in its own package it is a library")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

type Target = fn(&[u8]);

/// The seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let seeds: Vec<Vec<u8>> =
        fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    assert!(!seeds.is_empty(), "{target}");
    seeds
}

/// Nothing panics and each property holds.
#[test]
fn every_seed_passes_its_target() {
    let all: [(&str, Target); 6] = [
        ("attribute_xml", targets::attribute_xml),
        ("document_patch", targets::document_patch),
        ("inflate", targets::inflate),
        ("filter", targets::filter),
        ("odata", targets::odata),
        ("configuration", targets::configuration),
    ];
    for (target, run) in all {
        seeds(target).iter().for_each(|seed| run(seed));
    }
}
