//! A crate depends only on crates of lower rank, and only `sql` on the database driver.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Finding;

/// Where a crate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// Part of the program: depends on lower numbers only.
    Layer(u8),
    /// For development: others use it in their tests alone.
    Dev,
}

/// Every crate of the workspace.
const RANKS: [(&str, Rank); 18] = [
    ("annals-model", Rank::Layer(0)),
    ("annals-config", Rank::Layer(1)),
    ("annals-sql", Rank::Layer(1)),
    ("annals-source", Rank::Layer(2)),
    ("annals-runs", Rank::Layer(2)),
    ("annals-queue", Rank::Layer(2)),
    ("annals-history", Rank::Layer(2)),
    ("annals-audit", Rank::Layer(2)),
    ("annals-world", Rank::Layer(2)),
    ("annals-dispatcher", Rank::Layer(3)),
    ("annals-extract", Rank::Layer(3)),
    ("annals-writer", Rank::Layer(3)),
    ("annals-questions", Rank::Layer(3)),
    ("annals-api", Rank::Layer(4)),
    ("annals", Rank::Layer(5)),
    ("annals-testkit", Rank::Dev),
    ("annals-xtask", Rank::Dev),
    ("annals-tests", Rank::Dev),
];

/// The chores may use what tests use.
const DEV_USER: (&str, &str) = ("annals-xtask", "annals-testkit");

/// The database driver and the one crate that may name it.
const DRIVER: (&str, &str) = ("sqlx", "annals-sql");

/// A package as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or nothing for an ordinary one.
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Dependency {
    fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

/// The workspace's packages, out of what `cargo metadata` prints.
pub(super) fn packages(metadata: &str) -> Result<Vec<Package>> {
    let metadata: Metadata =
        serde_json::from_str(metadata).context("cannot read what `cargo metadata` says")?;
    Ok(metadata.packages)
}

/// Findings about dependencies.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let below = reachable(packages);
    let mut findings = Vec::new();
    for package in packages {
        if rank(&package.name).is_none() {
            let what =
                format!("`{}` has no rank: give it one in crates/xtask/src/tidy/layers.rs", package.name);
            findings.push(about(package, what));
        }
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let wrong = if members.contains(name) { member_wrong(package, dependency, &below) } else { None };
            let driver = (name == DRIVER.0 && package.name != DRIVER.1)
                .then(|| format!("`{}` depends on {name}: only `{}` may, call that", package.name, DRIVER.1));
            findings.extend(wrong.or(driver).map(|what| about(package, what)));
        }
    }
    findings
}

/// What is wrong with a dependency on a crate of ours.
fn member_wrong(
    package: &Package,
    on: &Dependency,
    below: &BTreeMap<&str, BTreeSet<&str>>,
) -> Option<String> {
    let (name, other) = (package.name.as_str(), on.name.as_str());
    let (own_rank, other_rank) = (rank(name)?, rank(other)?);
    match (own_rank, other_rank) {
        _ if on.is_dev() => {
            let circle =
                other_rank != Rank::Dev && below.get(other).is_some_and(|crates| crates.contains(name));
            circle.then(|| {
                format!("tests of `{name}` use `{other}`, which is built on it: move them to `{other}`")
            })
        }
        (_, Rank::Dev) if (name, other) == DEV_USER => None,
        (_, Rank::Dev) => {
            Some(format!("`{name}` depends on `{other}`, which is for tests: make it a dev-dependency"))
        }
        (Rank::Dev, Rank::Layer(_)) => None,
        (Rank::Layer(own), Rank::Layer(others)) => (others >= own).then(|| {
            format!(
                "`{name}` (rank {own}) depends on `{other}` (rank {others}): only lower ranks may be used"
            )
        }),
    }
}

/// For each package the members that it is built on, directly or not, tests apart.
fn reachable(packages: &[Package]) -> BTreeMap<&str, BTreeSet<&str>> {
    let direct: BTreeMap<&str, Vec<&str>> = packages
        .iter()
        .map(|package| {
            let used = package.dependencies.iter().filter(|dependency| !dependency.is_dev());
            (package.name.as_str(), used.map(|dependency| dependency.name.as_str()).collect())
        })
        .collect();
    let mut all = BTreeMap::new();
    for name in direct.keys() {
        let (mut seen, mut next) = (BTreeSet::new(), direct[name].clone());
        while let Some(other) = next.pop() {
            if seen.insert(other) {
                next.extend(direct.get(other).into_iter().flatten());
            }
        }
        all.insert(*name, seen);
    }
    all
}

/// The crate's rank.
fn rank(name: &str) -> Option<Rank> {
    RANKS.iter().find(|(known, _)| *known == name).map(|(_, rank)| *rank)
}

/// A finding at the package's manifest.
fn about(package: &Package, what: String) -> Finding {
    let folder = package.name.strip_prefix("annals-").unwrap_or(&package.name);
    Finding::new(format!("crates/{folder}/Cargo.toml"), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Findings about a package with one dependency, among packages that stand as they should.
    fn findings(name: &str, kind: &str, dependency: &str) -> Vec<String> {
        let all = packages(&format!(
            r#"{{"packages": [
                {{"name": "annals-model", "dependencies": [{{"name": "serde", "kind": null}}]}},
                {{"name": "annals-history", "dependencies": [{{"name": "annals-model", "kind": null}}]}},
                {{"name": "annals-queue", "dependencies": []}},
                {{"name": "annals-testkit", "dependencies": [{{"name": "annals-model", "kind": null}}]}},
                {{"name": "annals-extract", "dependencies": [{{"name": "annals-history", "kind": null}}]}},
                {{"name": "{name}", "dependencies": [{{"name": "{dependency}", "kind": {kind}}}]}}
            ]}}"#
        ))
        .unwrap();
        check(&all).into_iter().map(|finding| format!("{}: {}", finding.place, finding.what)).collect()
    }

    #[test]
    fn a_lower_rank_may_be_used() {
        assert_eq!(findings("annals-writer", "null", "annals-history"), [""; 0]);
        assert_eq!(findings("annals", "null", "annals-extract"), [""; 0]);
    }

    #[test]
    fn an_equal_or_higher_rank_may_not() {
        let expected = "crates/writer/Cargo.toml: `annals-writer` (rank 3) depends on `annals-extract` (rank 3): \
                        only lower ranks may be used";
        assert_eq!(findings("annals-writer", "null", "annals-extract"), [expected]);
        assert_eq!(findings("annals-sql", "null", "annals-history").len(), 1);
        assert_eq!(findings("annals-sql", r#""build""#, "annals-history").len(), 1);
    }

    #[test]
    fn tests_may_use_dev_crates_and_neighbours_but_not_what_is_built_on_them() {
        assert_eq!(findings("annals-world", r#""dev""#, "annals-testkit"), [""; 0]);
        assert_eq!(findings("annals-world", r#""dev""#, "annals-queue"), [""; 0]);
        // `model` is under everything, `testkit` too: the one crate whose users it may use in turn.
        let all = packages(
            r#"{"packages": [
                {"name": "annals-model", "dependencies": [{"name": "annals-testkit", "kind": "dev"},
                                                          {"name": "annals-extract", "kind": "dev"}]},
                {"name": "annals-testkit", "dependencies": [{"name": "annals-model", "kind": null}]},
                {"name": "annals-history", "dependencies": [{"name": "annals-model", "kind": null}]},
                {"name": "annals-extract", "dependencies": [{"name": "annals-history", "kind": null}]}
            ]}"#,
        )
        .unwrap();
        let expected = "tests of `annals-model` use `annals-extract`, which is built on it: move them to \
                        `annals-extract`";
        assert_eq!(check(&all), [Finding::new("crates/model/Cargo.toml", expected)]);
    }

    #[test]
    fn dev_crates_stay_out_of_the_program() {
        let expected = "crates/writer/Cargo.toml: `annals-writer` depends on `annals-testkit`, which is for tests: \
                        make it a dev-dependency";
        assert_eq!(findings("annals-writer", "null", "annals-testkit"), [expected]);
        assert_eq!(findings("annals-xtask", "null", "annals-testkit"), [""; 0]);
    }

    #[test]
    fn the_driver_has_one_user() {
        assert_eq!(findings("annals-sql", "null", "sqlx"), [""; 0]);
        assert_eq!(findings("annals-runs", "null", "sqlx").len(), 1);
        assert_eq!(findings("annals-runs", r#""dev""#, "sqlx").len(), 1);
    }

    #[test]
    fn a_crate_without_a_rank_is_found() {
        let found = findings("annals-new", "null", "serde");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/new/Cargo.toml: `annals-new` has no rank"), "{found:?}");
    }
}
