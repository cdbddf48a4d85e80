//! Checks of what no compiler checks. Each is a pure function of the files that it is given; here they are fed.

mod generated;
mod layers;
mod links;
mod migrations;
mod sizes;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::root::{Root, TextFile};

/// Something that is not as it should be, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, with `:line` where there is one.
    place: String,
    /// What is wrong and what to do.
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// Runs every check; an error when one of them found something.
pub(crate) fn run(root: &Root) -> Result<()> {
    let files = root.text_files()?;
    let mut findings = layers::check(&layers::packages(&cargo_metadata(root)?)?);
    findings.extend(sizes::check(&files));
    findings.extend(words::check(&files));
    findings.extend(links::check(&files, &root.paths()?));
    findings.extend(migrations::check(&frozen_list(&files), &migration_hashes(root)?));
    findings.extend(generated::check(root)?);
    findings.sort();
    for finding in &findings {
        eprintln!("{}: {}", finding.place, finding.what);
    }
    ensure!(findings.is_empty(), "{} findings; each says what to do", findings.len());
    Ok(())
}

/// Adds the migrations that are not frozen yet to the list of frozen ones.
pub(crate) fn freeze(root: &Root) -> Result<()> {
    let files = root.text_files()?;
    let (list, hashes) = (frozen_list(&files), migration_hashes(root)?);
    let frozen = migrations::freeze(&list, &hashes);
    if frozen == list {
        eprintln!("every migration is frozen already");
        return Ok(());
    }
    fs::write(root.folder().join(migrations::LIST), &frozen)
        .context("cannot write the list of frozen migrations")?;
    eprintln!("{} now lists {} migrations", migrations::LIST, frozen.lines().count());
    Ok(())
}

/// The list of frozen migrations; empty where there is none yet.
fn frozen_list(files: &[TextFile]) -> String {
    files.iter().find(|file| file.path == migrations::LIST).map(|file| file.text.clone()).unwrap_or_default()
}

/// SHA-256 in hex of every migration, by path.
fn migration_hashes(root: &Root) -> Result<BTreeMap<String, String>> {
    let mut hashes = BTreeMap::new();
    for path in root.paths()?.into_iter().filter(|path| migrations::is_migration(path)) {
        let content = fs::read(root.folder().join(&path)).with_context(|| format!("cannot read {path}"))?;
        let hash = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        hashes.insert(path, hash);
    }
    Ok(hashes)
}

/// What cargo says about the workspace's packages, in JSON.
fn cargo_metadata(root: &Root) -> Result<String> {
    let output = root
        .cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).context("what `cargo metadata` says is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of a known text: the list can be checked by `sha256sum` as well.
    #[test]
    fn a_migrations_hash_is_its_sha256() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("migrations/sqlite")).unwrap();
        fs::write(folder.path().join("migrations/sqlite/0001_start.sql"), "abc").unwrap();
        let hashes = migration_hashes(&Root::at(folder.path())).unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            hashes,
            BTreeMap::from([("migrations/sqlite/0001_start.sql".to_owned(), expected.to_owned())])
        );
    }

    #[test]
    fn freezing_writes_the_list_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("migrations/sqlite")).unwrap();
        fs::write(folder.path().join("migrations/sqlite/0001_start.sql"), "abc").unwrap();
        let root = Root::at(folder.path());
        let list = folder.path().join(migrations::LIST);
        freeze(&root).unwrap();
        let first = fs::read_to_string(&list).unwrap();
        assert!(first.ends_with("  migrations/sqlite/0001_start.sql\n"), "{first}");
        fs::write(folder.path().join("migrations/sqlite/0001_start.sql"), "changed").unwrap();
        freeze(&root).unwrap();
        assert_eq!(fs::read_to_string(&list).unwrap(), first);
    }
}
