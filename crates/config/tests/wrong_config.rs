//! Every wrong configuration of `tests/wrong-config`, against what is expected of it word for word.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use annals_config::{Config, check};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wrong-config")
}

fn env(name: &str) -> Option<String> {
    match name {
        "ANNALS_SOURCE_URL" => Some("sqlite:source.db".to_owned()),
        "ANNALS_SECRET_HASH_KEY" => Some("a key that only this test has".to_owned()),
        _ => None,
    }
}

fn copy_over(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("folder made");
            copy_over(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("file copied");
        }
    }
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root())
        .expect("tests/wrong-config")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_dir() && !path.ends_with("base"))
        .collect();
    cases.sort();
    cases
}

/// The case laid over the base, in a directory of its own.
fn laid_out(case: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("directory");
    copy_over(&root().join("base"), dir.path());
    copy_over(case, dir.path());
    for file in ["expect.txt", "remove.txt"] {
        let _ = std::fs::remove_file(dir.path().join(file));
    }
    for removed in std::fs::read_to_string(case.join("remove.txt")).unwrap_or_default().lines() {
        std::fs::remove_file(dir.path().join(removed)).expect("file to remove");
    }
    dir
}

#[test]
fn the_base_has_no_problem() {
    let dir = laid_out(&root().join("base"));
    let config = Config::load(dir.path(), &env).expect("right");
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!(config.tasks.len(), 1);
}

/// Among them IIQ-21 (`task-name-twice`, `extract-of-two-tasks`) and the warnings for IIQ-46 to IIQ-50.
#[test]
fn every_wrong_configuration_gives_exactly_the_expected_problems() {
    let cases = cases();
    assert!(cases.len() >= 60, "only {} wrong configurations", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        let name = case.file_name().expect("name").to_string_lossy();
        let expected = std::fs::read_to_string(case.join("expect.txt")).expect("expect.txt");
        assert!(!expected.trim().is_empty(), "{name} expects nothing");
        let dir = laid_out(case);
        let problems = check(dir.path(), &env);
        let found: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        if found != expected {
            let _ = writeln!(wrong, "== {name}\n-- expected\n{expected}-- found\n{found}");
        }
        let loads = Config::load(dir.path(), &env).is_ok();
        assert_eq!(
            loads,
            !expected.contains(": error: "),
            "{name}: a warning is no reason to refuse, an error is"
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
}
