//! An installation that is run as people run it: the program, a generated identity system, a history database; and the
//! checker beside it.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use annals_testkit::{Engine, TestDb, database, history_engines};
use tempfile::TempDir;

use crate::program::annals;

/// When the first day begins: 2026-01-05 00:00 UTC.
const START: &str = "2026-01-05T00:00:00Z";
const START_MS: i64 = 1_767_571_200_000;
const DAY_MS: i64 = 86_400_000;
/// So far behind the midnight before, a nightly run begins to read.
const OVERLAP_MS: i64 = 60_000;

const SECRET_HASH_KEY: &str = "a-key-for-tests-alone";

/// How captures are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Captures {
    json_format: &'static str,
    max_allowed_patches: u32,
}

/// Formats and numbers of patches that the tests go through.
pub(crate) const CAPTURES: [Captures; 3] = [
    Captures { json_format: "ZIPPED", max_allowed_patches: 5 },
    Captures { json_format: "MINIFIED", max_allowed_patches: 1 },
    Captures { json_format: "ZIPPED", max_allowed_patches: 0 },
];

/// In the format that Annals alone can read.
pub(crate) const COMPACT: Captures = Captures { json_format: "COMPACT", max_allowed_patches: 5 };

pub(crate) struct Site {
    source: TestDb,
    history: TestDb,
    dir: TempDir,
    captures: Captures,
    days: Cell<i64>,
}

/// What the checker said.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Its exit code.
    pub(crate) code: i32,
    /// A line for each wrong row.
    pub(crate) wrong: Vec<String>,
    /// What it compared.
    pub(crate) summary: String,
    errors: String,
}

impl Checked {
    pub(crate) fn is_right(&self) -> bool {
        self.code == 0 && self.wrong.is_empty() && self.errors.is_empty()
    }
}

/// A small site on each engine, with some days in it.
pub(crate) fn sites(captures: Captures) -> impl Iterator<Item = Site> {
    history_engines().into_iter().map(move |engine| {
        let site = Site::new(engine, 7, 300, captures);
        for _ in 0..5 {
            site.pass_day();
        }
        site
    })
}

impl Site {
    /// A generated identity system with its first run.
    pub(crate) fn new(engine: Engine, seed: u64, identities: u32, captures: Captures) -> Self {
        let (source, history) = (database(engine), database(engine));
        let dir = TempDir::new().unwrap();
        let site = Self { source, history, dir, captures, days: Cell::new(0) };
        fs::create_dir(site.config()).unwrap();
        site.annals(&["init"]);
        let (source_url, history_url) = (site.source.url(), site.history.url());
        let Captures { json_format, max_allowed_patches } = captures;
        let service = format!(
            "accessHistoryEnabled: true\nsource: {{profile: identityiq, url: \"{source_url}\"}}\n\
             history: {{url: \"{history_url}\"}}\nworkerSlots: 2\nsecretHashKey: {SECRET_HASH_KEY}\n\
             capture: {{jsonFormat: {json_format}, maxAllowedPatches: {max_allowed_patches}}}\n"
        );
        fs::write(site.config().join("annals.yaml"), service).unwrap();
        let (identities, seed) = (identities.to_string(), seed.to_string());
        site.annals(&[
            "demo",
            "source",
            "--url",
            source_url,
            "--start",
            START,
            "--identities",
            &identities,
            "--seed",
            &seed,
        ]);
        let begun = site.checker(&["begin", source_url, path(&site.world())]);
        assert!(begun.is_right(), "{begun:#?}");
        site.annals(&["migrate"]);
        site.run();
        site
    }

    /// Lets a day pass, and the night after it. The generated days are not today's, so the task is told from when on
    /// to read: the midnight with which the day began, and a little before.
    pub(crate) fn pass_day(&self) {
        self.annals(&["demo", "days", "--url", self.source.url(), "--deeds", path(&self.deeds())]);
        let since_ms = START_MS + self.days.get() * DAY_MS - OVERLAP_MS;
        self.days.set(self.days.get() + 1);
        self.history.sql(&format!("update annals_named_timestamp set timestamp_ms = {since_ms};"));
        self.run();
    }

    /// Makes history readable for others.
    pub(crate) fn repack(&mut self) {
        self.captures.json_format = "ZIPPED";
        self.annals(&["history", "repack", "--to", self.captures.json_format]);
    }

    /// Compares all of history with what the log of deeds demands.
    pub(crate) fn check(&self) -> Checked {
        let patches = self.captures.max_allowed_patches.to_string();
        self.checker(&[
            "check",
            path(&self.world()),
            path(&self.deeds()),
            self.history.url(),
            "--source",
            self.source.url(),
            "--secret-hash-key",
            SECRET_HASH_KEY,
            "--json-format",
            self.captures.json_format,
            "--max-allowed-patches",
            &patches,
        ])
    }

    /// What statements on history print, of the last line.
    #[track_caller]
    pub(crate) fn look(&self, statements: &str) -> String {
        self.history.sql(statements).trim_end().to_owned()
    }

    pub(crate) fn engine(&self) -> Engine {
        self.history.engine()
    }

    #[track_caller]
    fn run(&self) {
        let ran = annals(&self.config(), &["run", "--output", "json"]).exits(0).tells("Done. status=success");
        assert_eq!(ran.json()["status"], "success");
    }

    #[track_caller]
    fn annals(&self, arguments: &[&str]) {
        annals(&self.config(), arguments).exits(0);
    }

    fn checker(&self, arguments: &[&str]) -> Checked {
        // Debian's own, for which it has the driver.
        let mut python = Command::new("/usr/bin/python3");
        python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("checker")).args(arguments);
        let output = python.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("python3 starts");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut wrong: Vec<String> = text.lines().map(str::to_owned).collect();
        // The last two lines say what was compared, and how many rows were wrong.
        let summary = wrong.split_off(wrong.len().saturating_sub(2));
        Checked {
            code: output.status.code().unwrap_or(-1),
            wrong,
            summary: summary.join(" "),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    fn world(&self) -> PathBuf {
        self.dir.path().join("world")
    }

    fn deeds(&self) -> PathBuf {
        self.dir.path().join("deeds.jsonl")
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
