//! Files that a chore makes are as it would make them now.

use anyhow::Result;

use super::Finding;
use crate::render_migrations;
use crate::root::Root;

/// Makes a set of files anew in memory and reports those that differ from what lies in the checkout.
type Check = fn(&Root) -> Result<Vec<Finding>>;

/// One entry a chore that makes files. Each comes with a chore that writes them, which its findings name.
const CHECKS: &[Check] = &[history_migrations];

/// Runs them all.
pub(super) fn check(root: &Root) -> Result<Vec<Finding>> {
    check_all(CHECKS, root)
}

/// The history tables' migrations are those of the lists of columns and indexes.
fn history_migrations(root: &Root) -> Result<Vec<Finding>> {
    let stale = render_migrations::run(root, true).err();
    Ok(stale.map(|error| Finding::new("migrations", format!("{error:#}"))).into_iter().collect())
}

/// Runs these checks.
fn check_all(checks: &[Check], root: &Root) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for check in checks {
        findings.extend(check(root)?);
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where there is nothing to compare with, that is found; it does not pass for current.
    #[test]
    fn missing_migrations_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let found = history_migrations(&Root::at(folder.path())).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "migrations");
    }

    #[test]
    fn what_any_check_finds_is_found() {
        let stale: Check = |_| Ok(vec![Finding::new("made.sql", "stale")]);
        let broken: Check = |_| anyhow::bail!("no template");
        let current: Check = |_| Ok(Vec::new());
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path());
        assert_eq!(check_all(&[current, stale], &root).unwrap(), [Finding::new("made.sql", "stale")]);
        assert!(check_all(&[current, broken], &root).is_err());
    }
}
