//! An installation: a generated identity system, a configuration directory, a history database, a clock.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use annals::context::open_source;
use annals::pipeline::{Done, Part, Pipeline};
use annals::presence::Presence;
use annals_config::Config;
use annals_config::task::Task;
use annals_dispatcher::{Begun, Dispatch, Scope, begin};
use annals_extract::Stop;
use annals_history::AsOf;
use annals_model::{ObjectKey, ObjectType};
use annals_runs::{Trigger, run as runs};
use annals_sql::{Access, Cell, Db, Stmt};
use annals_testkit::{Engine, StillClock, TestDb, database, history_engines};
use annals_world::{Release, World, WorldOptions};
use serde_json::Value;
use tempfile::TempDir;

use crate::ran::Ran;

/// When the generated identity system's first day begins: 2026-01-05 00:00 UTC. Everything in it is older.
pub(crate) const START_MS: i64 = 1_767_571_200_000;
pub(crate) const DAY_MS: i64 = 86_400_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// The task that is shipped.
pub(crate) const TASK: &str = "Dispatch Access History";

/// The ready-made files that a site has besides its own `annals.yaml`.
const FILES: [&str; 4] = [
    "tasks/dispatch-access-history.yaml",
    "extract/AccessHistoryExportConfig.yaml",
    "transform/AccessHistoryImageConfig.yaml",
    "sources/identityiq.yaml",
];

pub(crate) struct Site {
    /// The identity system's database, changed by plain SQL through the engine's own program.
    pub(crate) source: TestDb,
    /// The history database, looked at in the same way.
    pub(crate) history: TestDb,
    /// The history database as the code under test has it.
    pub(crate) db: Db,
    dir: TempDir,
    clock: Arc<StillClock>,
}

impl Site {
    /// A site with a generated identity system of so many identities, its history database migrated.
    pub(crate) async fn new(source: Engine, history: Engine, identities: u32) -> Self {
        let site = Self::without_history(source, history, identities).await;
        site.db.migrate(annals_history::migrations(site.db.engine())).await.unwrap();
        site
    }

    /// Both databases in files.
    pub(crate) async fn small() -> Self {
        Self::new(Engine::Sqlite, Engine::Sqlite, 20).await
    }

    /// A site on each engine that history is kept on, and on each that identity systems are read from.
    pub(crate) async fn everywhere(identities: u32) -> Vec<Self> {
        let mut sites = Vec::new();
        for (source, history) in [
            (Engine::Sqlite, Engine::Sqlite),
            (Engine::Postgres, Engine::Postgres),
            (Engine::MariaDb, Engine::Sqlite),
        ] {
            sites.push(Self::new(source, history, identities).await);
        }
        sites
    }

    /// A site on each engine that history is kept on, for what the source's engine has no part in.
    pub(crate) async fn on_each_history(identities: u32) -> Vec<Self> {
        let mut sites = Vec::new();
        for history in history_engines() {
            sites.push(Self::new(Engine::Sqlite, history, identities).await);
        }
        sites
    }

    /// A small site of an earlier release of IdentityIQ.
    pub(crate) async fn of_release(release: Release) -> Self {
        let options = WorldOptions { identities: 20, start_ms: START_MS, release, ..WorldOptions::default() };
        let site = Self::empty(Engine::Sqlite, Engine::Sqlite, options).await;
        site.db.migrate(annals_history::migrations(site.db.engine())).await.unwrap();
        site
    }

    /// A site whose history database is empty.
    pub(crate) async fn without_history(source: Engine, history: Engine, identities: u32) -> Self {
        let options = WorldOptions {
            identities,
            start_ms: START_MS,
            daily_changes_permille: 150,
            ..WorldOptions::default()
        };
        Self::empty(source, history, options).await
    }

    /// A site with any identity system, its history database empty.
    pub(crate) async fn empty(source: Engine, history: Engine, options: WorldOptions) -> Self {
        let (source, history) = (database(source), database(history));
        let made = Db::open(source.url(), Access::ReadWrite).await.unwrap();
        World::create(&made, options, &|_| {}).await.unwrap();
        made.close().await;
        let db = Db::open(history.url(), Access::ReadWrite).await.unwrap();
        let site = Self {
            source,
            history,
            db,
            dir: TempDir::new().unwrap(),
            clock: Arc::new(StillClock::at(START_MS)),
        };
        site.service("");
        for file in FILES {
            let target = site.path().join(file);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(ready_made(file), target).unwrap();
        }
        site
    }

    /// Lets a day pass in the identity system.
    pub(crate) async fn pass_day(&self) {
        let db = Db::open(self.source.url(), Access::ReadWrite).await.unwrap();
        let deeds = World::open(&db).await.unwrap().pass_day(&db).await.unwrap();
        assert!(!deeds.is_empty());
        db.close().await;
    }

    /// The configuration directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes `annals.yaml` with these lines beside what every site has.
    pub(crate) fn service(&self, lines: &str) {
        let (source, history) = (self.source.url(), self.history.url());
        let text = format!(
            "accessHistoryEnabled: true\nsource: {{profile: identityiq, url: \"{source}\"}}\n\
             history: {{url: \"{history}\"}}\nworkerSlots: 2\nsecretHashKey: a-key-for-tests-alone\n{lines}"
        );
        self.write("annals.yaml", &text);
    }

    /// Writes the task with these arguments.
    pub(crate) fn arguments(&self, arguments: &str) {
        let text = format!("name: {TASK}\narguments: {{{arguments}}}\n");
        self.write("tasks/dispatch-access-history.yaml", &text);
    }

    /// Lets the task read these object types only, each with its settings.
    pub(crate) fn extracts(&self, objects: &str) {
        let text = format!(
            "transformConfigurationName: AccessHistoryImageConfig\nextractedObjects: {{{objects}}}\n"
        );
        self.write("extract/AccessHistoryExportConfig.yaml", &text);
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }

    /// Replaces what stands once in a file of the configuration.
    #[track_caller]
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    pub(crate) fn config(&self) -> Config {
        Config::load(self.path(), &|_| None).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Runs statements on the identity system, `{true}` and `{false}` as its engine writes them; what they print,
    /// a line a row, columns parted by `|`.
    #[track_caller]
    pub(crate) fn change(&self, statements: &str) -> String {
        let [yes, no] = match self.source.engine() {
            Engine::Sqlite => ["1", "0"],
            Engine::Postgres => ["true", "false"],
            Engine::MariaDb => ["b'1'", "b'0'"],
        };
        let statements = statements.replace("{true}", yes).replace("{false}", no);
        let printed = self.source.sql(&statements).trim_end().replace('\t', "|");
        match self.source.engine() {
            // Its program writes a backslash as two.
            Engine::MariaDb => printed.replace("\\\\", "\\"),
            Engine::Sqlite | Engine::Postgres => printed,
        }
    }

    /// The lines that a query on the identity system prints.
    #[track_caller]
    pub(crate) fn ask(&self, query: &str) -> Vec<String> {
        self.change(query).lines().map(str::to_owned).collect()
    }

    /// The one line that a query on the identity system prints.
    #[track_caller]
    pub(crate) fn ask_one(&self, query: &str) -> String {
        let mut lines = self.ask(query);
        assert_eq!(lines.len(), 1, "{query}: {lines:?}");
        lines.remove(0)
    }

    /// The lines that a query on history prints.
    #[track_caller]
    pub(crate) fn look(&self, query: &str) -> Vec<String> {
        self.history.sql(query).lines().map(|line| line.replace('\t', "|")).collect()
    }

    /// The number that a query on history prints.
    #[track_caller]
    pub(crate) fn count(&self, query: &str) -> u64 {
        self.look(query)[0].parse().unwrap()
    }

    /// What runs are executed with at this instant of the source's clock and of ours.
    pub(crate) async fn pipeline(&self, now_ms: i64) -> Pipeline {
        self.clock.set(now_ms);
        let config = self.config();
        Pipeline {
            source: Arc::new(open_source(&config).await.unwrap().with_time(now_ms)),
            config: Arc::new(config),
            history: self.db.clone(),
            clock: self.clock.clone(),
            host: "test".to_owned(),
            presence: Presence::begin(&self.db, self.clock.clone(), "test", "run", 30_000).await.unwrap(),
            stop: Stop::default(),
        }
    }

    /// Executes the task at this instant.
    pub(crate) async fn run(&self, now_ms: i64) -> Ran {
        let pipeline = self.pipeline(now_ms).await;
        self.execute(&pipeline).await
    }

    /// Executes the task.
    pub(crate) async fn execute(&self, pipeline: &Pipeline) -> Ran {
        let done = Arc::new(Done::default());
        let outcome = pipeline.execute(task(&pipeline.config), Trigger::Adhoc, Scope::Task, done).await;
        self.ran(outcome.unwrap().run_id).await
    }

    /// Begins a run and leaves it there.
    pub(crate) async fn begin(&self, pipeline: &Pipeline) -> Begun {
        let dispatch = Dispatch {
            history: &pipeline.history,
            source: &pipeline.source,
            config: &pipeline.config,
            task: task(&pipeline.config),
            worker_slots: pipeline.config.service.worker_slots,
            host: &pipeline.host,
            trigger: Trigger::Adhoc,
            scope: Scope::Task,
            driver: pipeline.presence.driver(),
            leases: pipeline.presence.leases(),
            again: None,
            fire: None,
        };
        begin(dispatch).await.unwrap()
    }

    /// Executes what is left of a run that was begun.
    pub(crate) async fn complete(&self, pipeline: &Pipeline, begun: &Begun) -> Ran {
        let done = Arc::new(Done::default());
        let Begun::Running { lease, .. } = begun else { panic!("nothing to complete: {begun:?}") };
        pipeline.drive(task(&pipeline.config), *lease, Part::Whole, done).await.unwrap();
        self.ran(begun.run_id()).await
    }

    /// A run with its messages.
    pub(crate) async fn ran(&self, run_id: i64) -> Ran {
        let mut tx = self.db.begin_read().await.unwrap();
        let run = runs::get(&mut tx, run_id).await.unwrap();
        let messages = runs::messages(&mut tx, run_id).await.unwrap();
        let ran = Ran { run, messages };
        ran.adds_up();
        ran
    }

    /// Forgets how far the source was read: the next run reads everything.
    pub(crate) fn forget_timestamp(&self) {
        self.history.sql("delete from annals_named_timestamp;");
    }

    /// The named timestamp, if there is one.
    pub(crate) fn timestamp(&self) -> Option<i64> {
        let mut lines = self.look("select timestamp_ms from annals_named_timestamp;");
        assert!(lines.len() <= 1);
        lines.pop().map(|line| line.parse().unwrap())
    }

    /// All rows of history: captures, children, entities, events and heads, every column of them.
    pub(crate) async fn everything(&self) -> Vec<String> {
        let mut everything = Vec::new();
        for table in self.history_tables() {
            everything.extend(self.rows(&table).await.into_iter().map(|row| format!("{table}: {row}")));
        }
        assert!(everything.len() > 1);
        everything
    }

    /// The tables of history: the reference's and ours.
    pub(crate) fn history_tables(&self) -> Vec<String> {
        let mut tables = self.look(match self.history.engine() {
            Engine::Sqlite => {
                "select name from sqlite_master where type = 'table' and name like 'spt_hist_%';"
            }
            _ => "select tablename from pg_tables where tablename like 'spt_hist_%';",
        });
        assert_eq!(tables.len(), 32);
        tables.extend(["annals_head".to_owned(), "annals_certification_capture".to_owned()]);
        tables.sort();
        tables
    }

    /// The rows of a table of history in a fixed order.
    pub(crate) async fn rows(&self, table: &str) -> Vec<String> {
        let mut tx = self.db.begin_read().await.unwrap();
        // Source and object type have a number, which depends on what was written first; ids and hashes are bytes.
        let hex = |column: &str| match self.history.engine() {
            Engine::Postgres => format!("encode({column}, 'hex')"),
            _ => format!("case when {column} is not null then lower(hex({column})) end"),
        };
        let text = if table == "annals_head" {
            let bytes = ["capture_id", "full_hash", "smart_hash", "full_capture_id"].map(hex).join(", ");
            format!(
                "select k.source, k.object_type, object_id, effective_date, observed_date, extended_to_date,
                    full_observed_date, patches_since_full, deleted, name, {bytes}
                 from annals_head join annals_object_kind k on k.id = kind"
            )
        } else {
            format!("select * from {table}")
        };
        let all = Stmt::built("test.all", text);
        let rows = tx.fetch_all(&all, Vec::new()).await.unwrap();
        let mut rows: Vec<String> = rows.iter().map(shown).collect();
        rows.sort();
        rows
    }

    /// An object as it was at an instant; none before history begins.
    pub(crate) async fn as_of(&self, object_type: ObjectType, id: &str, at_ms: i64) -> Option<AsOf> {
        let key = ObjectKey { source: "identityiq".into(), object_type, object_id: id.to_owned() };
        let mut tx = self.db.begin_read().await.unwrap();
        annals_history::as_of(&mut tx, &key, at_ms, None).await.unwrap()
    }

    /// A field of an object's image as it was at an instant.
    pub(crate) async fn field(&self, object_type: ObjectType, id: &str, at_ms: i64, field: &str) -> Value {
        let state = self.as_of(object_type, id, at_ms).await.expect("history has begun");
        state.image.expect("it was there").image_fields.get(field).cloned().unwrap_or(Value::Null)
    }

    /// The capture tables of the object types with the columns that hold the objects' ids.
    pub(crate) fn capture_tables() -> [(ObjectType, &'static str, &'static str); 14] {
        use ObjectType as T;
        [
            (T::Identity, "spt_hist_identity_capture", "identity_id"),
            (T::Account, "spt_hist_account_capture", "account_id"),
            (T::Role, "spt_hist_role_capture", "role_id"),
            (T::Entitlement, "spt_hist_entitlement_capture", "identity_entitlement_id"),
            (T::ManagedAttribute, "spt_hist_mattr_capture", "mattr_id"),
            (T::Certification, "annals_certification_capture", "cert_id"),
            (T::CertificationRemediation, "spt_hist_cert_remediation_capture", "certification_item_id"),
            (T::IdentityRequest, "spt_hist_identity_req_capture", "identity_request_id"),
            (T::IdentityRequestItem, "spt_hist_identity_req_item_capture", "identity_request_item_id"),
            (T::PolicyViolation, "spt_hist_policy_violation_capture", "policy_violation_id"),
            (
                T::PolicyViolationRemediation,
                "spt_hist_policy_violation_remediation_capture",
                "identity_history_item_id",
            ),
            (T::Capability, "spt_hist_capability_capture", "capability_id"),
            (T::Workgroup, "spt_hist_workgroup_capture", "workgroup_id"),
            (T::ObjectConfig, "spt_hist_object_config_capture", "object_config_id"),
        ]
    }

    /// The ids of objects with more than one capture, by type; and those with one that was recorded at this instant.
    pub(crate) fn captured_at(&self, recorded_ms: i64) -> BTreeMap<String, Vec<String>> {
        let mut captured = BTreeMap::new();
        for (object_type, table, id) in Self::capture_tables() {
            let ids =
                self.look(&format!("select {id} from {table} where created = {recorded_ms} order by {id};"));
            if !ids.is_empty() {
                captured.insert(object_type.as_str().to_owned(), ids);
            }
        }
        captured
    }
}

/// The one task of a site.
pub(crate) fn task(config: &Config) -> &Task {
    &config.tasks[TASK]
}

/// Somebody's id and name.
pub(crate) fn somebody(site: &Site) -> (String, String) {
    let line = site.ask_one(
        "select id, name from spt_identity where coalesce(workgroup, {false}) = {false} order by id limit 1;",
    );
    let (id, name) = line.split_once('|').unwrap();
    (id.to_owned(), name.to_owned())
}

/// A file that is shipped.
pub(crate) fn ready_made(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(file)
}

fn shown(row: &annals_sql::Row) -> String {
    let mut cells = Vec::new();
    while let Ok(cell) = row.cell(cells.len()) {
        cells.push(match cell {
            Cell::Null => "null".to_owned(),
            Cell::Text(text) => format!("{text:?}"),
            other => format!("{other:?}"),
        });
    }
    cells.join(" | ")
}
