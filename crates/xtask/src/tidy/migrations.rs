//! A migration never changes once it has landed: somebody's database has it.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;

/// The list of landed migrations, in the form of `sha256sum`: hash, two spaces, path.
pub(super) const LIST: &str = "migrations/frozen.sha256";

/// Digits that a migration's name begins with: its place in the order.
const NUMBER_DIGITS: usize = 4;

/// Whether a path is that of a migration: a numbered SQL file in an engine's folder.
pub(super) fn is_migration(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let digits = name.chars().take_while(char::is_ascii_digit).count();
    path.starts_with("migrations/") && path.ends_with(".sql") && digits == NUMBER_DIGITS
}

/// Findings about migrations, given the list's text and the hash of every migration there is, by path.
pub(super) fn check(list: &str, hashes: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut listed = BTreeSet::new();
    for (number, line) in list.lines().enumerate() {
        let place = format!("{LIST}:{}", number + 1);
        let Some((hash, path)) = line.split_once("  ") else {
            findings.push(Finding::new(place, "not of the form `hash  path`: restore the line"));
            continue;
        };
        if !listed.insert(path) {
            findings.push(Finding::new(place, format!("{path} is listed twice: restore the list")));
            continue;
        }
        findings.extend(match hashes.get(path) {
            Some(found) if found == hash => None,
            Some(_) => {
                Some(Finding::new(path, "a frozen migration was changed: restore it and write a new one"))
            }
            None => Some(Finding::new(path, "a frozen migration is missing: restore it")),
        });
    }
    let loose = hashes.keys().filter(|path| !listed.contains(path.as_str()));
    findings.extend(loose.map(|path| {
        Finding::new(
            path,
            "this migration is not frozen: when it is as it should be, run `cargo x tidy --freeze`",
        )
    }));
    findings
}

/// The list with the migrations that it lacks added at its end, in the order of their paths. Its lines stay.
pub(super) fn freeze(list: &str, hashes: &BTreeMap<String, String>) -> String {
    let listed: BTreeSet<&str> = list.lines().filter_map(|line| Some(line.split_once("  ")?.1)).collect();
    let mut frozen = list.to_owned();
    if !frozen.is_empty() && !frozen.ends_with('\n') {
        frozen.push('\n');
    }
    for (path, hash) in hashes.iter().filter(|(path, _)| !listed.contains(path.as_str())) {
        frozen.push_str(&format!("{hash}  {path}\n"));
    }
    frozen
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "aa  migrations/sqlite/0001_start.sql\nbb  migrations/sqlite/0002_more.sql\n";

    fn hashes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(path, hash)| (format!("migrations/sqlite/{path}"), (*hash).to_owned())).collect()
    }

    fn found(list: &str, pairs: &[(&str, &str)]) -> Vec<String> {
        check(list, &hashes(pairs))
            .into_iter()
            .map(|finding| format!("{}: {}", finding.place, finding.what))
            .collect()
    }

    #[test]
    fn frozen_migrations_as_they_were_are_fine() {
        assert_eq!(found(LISTED, &[("0001_start.sql", "aa"), ("0002_more.sql", "bb")]), [""; 0]);
    }

    #[test]
    fn a_change_a_loss_and_a_newcomer_are_found() {
        assert_eq!(
            found(LISTED, &[("0001_start.sql", "ax"), ("0003_new.sql", "cc")]),
            [
                "migrations/sqlite/0001_start.sql: a frozen migration was changed: restore it and write a new one",
                "migrations/sqlite/0002_more.sql: a frozen migration is missing: restore it",
                "migrations/sqlite/0003_new.sql: this migration is not frozen: when it is as it should be, \
                 run `cargo x tidy --freeze`",
            ]
        );
    }

    #[test]
    fn a_broken_list_is_found() {
        let list = "aa migrations/sqlite/0001_start.sql\n";
        assert_eq!(
            found(list, &[]),
            ["migrations/frozen.sha256:1: not of the form `hash  path`: restore the line"]
        );
        let twice = format!("{LISTED}aa  migrations/sqlite/0001_start.sql\n");
        let pairs = [("0001_start.sql", "aa"), ("0002_more.sql", "bb")];
        assert_eq!(
            found(&twice, &pairs),
            [
                "migrations/frozen.sha256:3: migrations/sqlite/0001_start.sql is listed twice: restore the list"
            ]
        );
    }

    /// Freezing must not be a way around the check: a changed migration keeps its old hash in the list.
    #[test]
    fn freezing_only_adds() {
        let now = hashes(&[("0001_start.sql", "changed"), ("0002_more.sql", "bb"), ("0003_new.sql", "cc")]);
        let frozen = freeze(LISTED, &now);
        assert_eq!(frozen, format!("{LISTED}cc  migrations/sqlite/0003_new.sql\n"));
        assert_eq!(check(&frozen, &now).len(), 1);
        assert_eq!(freeze(LISTED.trim_end(), &now), frozen);
        assert_eq!(freeze(&frozen, &now), frozen);
    }

    #[test]
    fn migrations_are_told_by_their_place() {
        assert!(is_migration("migrations/postgres/0001_start.sql"));
        assert!(!is_migration("migrations/frozen.sha256"));
        assert!(!is_migration("migrations/postgres/reference_indexes.sql"));
        assert!(!is_migration("crates/world/src/0001_schema.sql"));
    }
}
