//! An installation on Request Tracker's database: the shipped files for it, a history database, and what is new there.

use std::fs;
use std::path::Path;

use annals::context::SystemClock;
use annals_model::Clock as _;
use annals_testkit::{Engine, RequestTracker, TestDb, database};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Said, annals};

/// The shipped files that a site needs besides its own `annals.yaml`: where they stand under `config/`, and where the
/// program looks for them.
const FILES: [(&str, &str); 4] = [
    ("tasks/dispatch-access-history.yaml", "tasks/dispatch-access-history.yaml"),
    ("request-tracker/extract/AccessHistoryExportConfig.yaml", "extract/AccessHistoryExportConfig.yaml"),
    ("request-tracker/transform/AccessHistoryImageConfig.yaml", "transform/AccessHistoryImageConfig.yaml"),
    ("sources/request-tracker.yaml", "sources/request-tracker.yaml"),
];

pub(crate) struct Site {
    /// The identity system.
    pub(crate) tracker: RequestTracker,
    history: TestDb,
    dir: TempDir,
    /// Events that [`Site::news`] has told.
    told: Vec<String>,
}

/// An event, as a line: who, what, property, old and new value; and when it happened, epoch milliseconds.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct News {
    pub(crate) what: String,
    pub(crate) when_ms: i64,
}

impl Site {
    /// A new Request Tracker and an empty history, configured, nothing run.
    pub(crate) fn new(source: Engine, history: Engine) -> Self {
        let site = Self {
            tracker: RequestTracker::start(source),
            history: database(history),
            dir: TempDir::new().unwrap(),
            told: Vec::new(),
        };
        configure(site.dir.path(), site.tracker.url(), site.history.url());
        site
    }

    /// The configuration directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The program in this installation.
    pub(crate) fn annals(&self, arguments: &[&str]) -> Said {
        annals(self.path(), arguments)
    }

    /// Executes the task, which must succeed; its results by object type.
    #[track_caller]
    pub(crate) fn run(&self) -> Value {
        let run = self.annals(&["run", "--quiet", "--output", "json"]).exits(0).tells("Done. status=success");
        assert_eq!(run.json()["status"], "success");
        self.annals(&["runs", "show", "--output", "json"]).exits(0).json()["byType"].clone()
    }

    /// The events that have come since this was asked last, on all timelines, sorted.
    pub(crate) fn news(&mut self) -> Vec<News> {
        let table = |name: &str| {
            format!(
                "select id, '{name}', entity_name, event_type, coalesce(property_name, '-'), \
                 coalesce(old_value, '-'), coalesce(new_value, '-'), event_date from spt_hist_{name}_event"
            )
        };
        let printed = self.history.sql(&format!("{} union all {};", table("identity"), table("workgroup")));
        let mut news = Vec::new();
        for line in printed.lines() {
            let (id, event) = line.split_once('\t').unwrap();
            if self.told.iter().any(|told| told == id) {
                continue;
            }
            self.told.push(id.to_owned());
            let (what, when) = event.rsplit_once('\t').unwrap();
            news.push(News { what: what.replace('\t', " "), when_ms: when.parse().unwrap() });
        }
        news.sort();
        news
    }

    /// What a query on history prints.
    #[track_caller]
    pub(crate) fn look(&self, query: &str) -> String {
        self.history.sql(query)
    }

    /// How many rows each table of history has, and every head.
    pub(crate) fn everything(&self) -> String {
        let tables = self.history.sql(match self.history.engine() {
            Engine::Postgres => {
                "select tablename from pg_tables where tablename like 'spt_hist_%' order by 1;"
            }
            _ => "select name from sqlite_master where type = 'table' and name like 'spt_hist_%' order by 1;",
        });
        assert_eq!(tables.lines().count(), 32);
        let counts: Vec<String> =
            tables.lines().map(|table| format!("select '{table}', count(*) from {table};")).collect();
        self.history.sql(&counts.concat()) + &self.history.sql("select * from annals_head order by 1, 2, 3;")
    }
}

/// Writes a configuration directory as it is shipped, for these databases.
pub(crate) fn configure(dir: &Path, source: &str, history: &str) {
    let service = format!(
        "accessHistoryEnabled: true\n\
         # The acts of a test are put to times of the last hour.\n\
         source: {{profile: request-tracker, url: \"{source}\", overlapSeconds: 3600}}\n\
         history: {{url: \"{history}\"}}\n\
         workerSlots: 2\n\
         secretHashKey: file:secret.key\n"
    );
    fs::write(dir.join("annals.yaml"), service).unwrap();
    fs::write(dir.join("secret.key"), "a-key-for-tests-alone").unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    for (from, to) in FILES {
        let target = dir.join(to);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(shipped.join(from), target).unwrap();
    }
}

/// The host's time in epoch milliseconds, whole seconds: Request Tracker keeps no more.
pub(crate) fn now_ms() -> i64 {
    SystemClock.now_ms() / 1_000 * 1_000
}
