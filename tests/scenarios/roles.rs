//! The roles of `deploy/postgres`: each can do its work, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use annals_sql::{Access, Db};
use annals_testkit::Postgres;
use tempfile::TempDir;

use crate::deploy::checkout;
use crate::program::annals;

/// Enough for a first load, which leaves indexes away where it may (1,000 objects).
const IDENTITIES: &str = "200";

const INDEXES: &str = "select indexdef from pg_indexes where schemaname = 'public' order by 1";

/// A server of its own, for roles belong to a server, with an identity system and a history database.
struct Servers {
    server: Postgres,
    config: TempDir,
}

impl Servers {
    fn new() -> Self {
        let servers = Self { server: Postgres::start().unwrap(), config: TempDir::new().unwrap() };
        servers.sql("postgres", None, "create database identityiq").unwrap();
        servers.sql("postgres", None, "create database annals").unwrap();
        servers.configure("annals_migrator");
        servers
    }

    /// The service as it is shipped for containers, its secrets elsewhere, history under this role.
    fn configure(&self, role: &str) {
        let (dir, secrets) = (self.config.path(), self.config.path().join("secrets"));
        annals(dir, &["init", dir.to_str().unwrap()]).exits(0);
        let service = fs::read_to_string(checkout("deploy/container/annals.yaml")).unwrap();
        fs::write(dir.join("annals.yaml"), service.replace("/run/secrets/annals", "secrets")).unwrap();
        fs::create_dir_all(&secrets).unwrap();
        fs::write(secrets.join("source-url"), self.url("identityiq", Some("annals_source"))).unwrap();
        fs::write(secrets.join("history-url"), self.url("annals", Some(role))).unwrap();
        fs::write(secrets.join("secret-hash-key"), "a-key-for-tests-alone").unwrap();
    }

    fn url(&self, database: &str, role: Option<&str>) -> String {
        let (server, _) = self.server.admin_url().rsplit_once('/').unwrap();
        let url = format!("{server}/{database}");
        role.map_or_else(|| url.clone(), |role| url.replace("//annals@", &format!("//{role}@")))
    }

    fn psql(&self, database: &str, role: Option<&str>, arguments: &[&str]) -> Result<String, String> {
        let mut psql = Command::new(self.server.program("psql").unwrap());
        psql.args(["-X", "-q", "-A", "-t"]).args(arguments).arg(self.url(database, role));
        let done = psql.output().unwrap();
        let [out, err] = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        if done.status.success() { Ok(out) } else { Err(err) }
    }

    fn sql(&self, database: &str, role: Option<&str>, statement: &str) -> Result<String, String> {
        self.psql(database, role, &["-c", statement])
    }

    /// Applies a file of `deploy/postgres`.
    #[track_caller]
    fn apply(&self, file: &str, database: &str, more: &[&str]) {
        self.apply_as(None, file, database, more);
    }

    #[track_caller]
    fn apply_as(&self, role: Option<&str>, file: &str, database: &str, more: &[&str]) {
        let file = checkout("deploy/postgres").join(file);
        self.psql(database, role, &[&["-f", file.to_str().unwrap()], more].concat()).unwrap();
    }

    /// Sees that a role may not do any of this.
    #[track_caller]
    fn refuses(&self, database: &str, role: &str, statements: &[&str]) {
        for statement in statements {
            let refusal = self.sql(database, Some(role), statement).expect_err(statement);
            let is_for_rights = refusal.contains("permission denied") || refusal.contains("must be owner");
            assert!(is_for_rights, "{role}: {statement}: {refusal}");
        }
    }

    fn config(&self) -> &Path {
        self.config.path()
    }
}

/// An administrator who is no superuser makes the roles as well, before there are tables and after: just the grant that
/// he may not give is left away. He is no member of the migrator afterwards.
#[tokio::test]
async fn an_administrator_who_is_no_superuser_makes_the_roles() {
    let servers = Servers::new();
    for statement in ["create role chief login createrole createdb", "drop database annals"] {
        servers.sql("postgres", None, statement).unwrap();
    }
    servers.sql("postgres", Some("chief"), "create database annals").unwrap();
    servers.apply_as(Some("chief"), "roles.sql", "annals", &[]);
    annals(servers.config(), &["migrate"]).exits(0);
    servers.apply_as(Some("chief"), "roles.sql", "annals", &[]);
    servers
        .sql(
            "annals",
            Some("annals_writer"),
            "insert into annals_object_kind (source, object_type) values ('s', 't')",
        )
        .unwrap();
    servers.sql("annals", Some("annals_reader"), "select count(*) from annals_object_kind").unwrap();
    servers.refuses("annals", "annals_writer", &["create table t (a int)", "set wal_compression = on"]);
    let member = "select pg_has_role('chief', 'annals_migrator', 'usage')";
    assert_eq!(servers.sql("postgres", None, member).unwrap(), "f\n");
}

/// The roles, applied twice, do their work: the migrator makes the tables, the writer fills them from what the source
/// role reads, the reader asks. None can do another's.
#[tokio::test]
async fn each_role_does_its_own_work_alone() {
    let servers = Servers::new();
    let source = servers.url("identityiq", None);
    annals(servers.config(), &["demo", "source", "--url", &source, "--identities", IDENTITIES]).exits(0);
    for _ in 0..2 {
        servers.apply("roles.sql", "annals", &[]);
        servers.apply("source-role.sql", "identityiq", &[]);
    }
    annals(servers.config(), &["migrate"]).exits(0);
    let before = servers.sql("annals", None, INDEXES).unwrap();

    servers.configure("annals_writer");
    let ran = annals(servers.config(), &["run"]).exits(0);
    assert!(!ran.err.contains("grant"), "the source role is told of open transactions: {ran:#?}");
    let objects = servers.sql("annals", None, "select count(*) from annals_head").unwrap();
    assert!(objects.trim().parse::<u32>().unwrap() >= 1_000, "no first load: {objects}");
    assert_eq!(servers.sql("annals", None, INDEXES).unwrap(), before);
    annals(servers.config(), &["schedule", "trigger", "Dispatch Access History"]).exits(0);

    servers.configure("annals_reader");
    let name = "select name from spt_identity where not workgroup order by name limit 1";
    let name = servers.sql("identityiq", None, name).unwrap();
    annals(servers.config(), &["as-of", "identity", name.trim()]).exits(0);
    annals(servers.config(), &["timeline", "identity", name.trim()]).exits(0);
    annals(servers.config(), &["runs", "show"]).exits(0);
    annals(servers.config(), &["timeline", "identity", name.trim(), "--export", "events.csv"]).exits(0);
    annals(servers.config(), &["run"]).exits(9).tells("permission denied");

    servers.refuses(
        "annals",
        "annals_reader",
        &[
            "delete from annals_head",
            "update spt_hist_identity_capture set id = id",
            "insert into annals_host select * from annals_host",
            "delete from annals_access",
            "create table t (a int)",
            "create temporary table t (a int)",
        ],
    );
    reports_read_the_views_alone(&servers);
    servers.refuses(
        "annals",
        "annals_writer",
        &[
            "create table t (a int)",
            "drop table annals_head",
            "truncate annals_head",
            "drop index annals_head_name",
        ],
    );
    servers.refuses(
        "identityiq",
        "annals_source",
        &[
            "update spt_identity set name = name",
            "delete from spt_identity",
            "delete from spt_intercepted_delete",
            "create table t (a int)",
        ],
    );
    servers.apply("source-role.sql", "identityiq", &["-v", "intercepted_deletes=remove"]);
    servers.sql("identityiq", Some("annals_source"), "delete from spt_intercepted_delete").unwrap();
    servers.refuses("identityiq", "annals_source", &["delete from spt_identity"]);
}

/// Reports have the views, whatever was there first: the roles or the tables.
fn reports_read_the_views_alone(servers: &Servers) {
    for _ in 0..2 {
        let items = "select count(*) from annals_v1_access_as_of(now())";
        let items = servers.sql("annals", Some("annals_reports"), items).unwrap();
        assert!(items.trim().parse::<u32>().unwrap() >= 1_000, "{items}");
        for view in ["identities", "access_intervals", "events", "runs", "history"] {
            let any = format!("select * from annals_v1_{view} limit 1");
            assert!(!servers.sql("annals", Some("annals_reports"), &any).unwrap().is_empty(), "{view}");
        }
        servers.sql("annals", None, "revoke all on all tables in schema public from annals_reports").unwrap();
        servers.apply("roles.sql", "annals", &[]);
    }
    servers.refuses(
        "annals",
        "annals_reports",
        &[
            "select * from annals_access_interval",
            "select * from spt_hist_identity",
            "select * from annals_token",
            "delete from annals_access",
            "create table t (a int)",
        ],
    );
}

/// Indexes are left away by the writer while it is a member of the owning role, and else stay.
#[tokio::test]
async fn indexes_are_their_owners_to_drop() {
    let servers = Servers::new();
    servers.apply("roles.sql", "annals", &[]);
    let owner = Db::open(&servers.url("annals", Some("annals_migrator")), Access::ReadWrite).await.unwrap();
    owner.migrate(annals_history::migrations(owner.engine())).await.unwrap();
    let before = servers.sql("annals", None, INDEXES).unwrap();

    let writer = Db::open(&servers.url("annals", Some("annals_writer")), Access::ReadWrite).await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    assert_eq!(annals_history::defer_indexes(&mut tx, 7).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(servers.sql("annals", None, INDEXES).unwrap(), before);

    servers.sql("annals", None, "grant annals_migrator to annals_writer").unwrap();
    let mut tx = writer.begin().await.unwrap();
    let dropped = annals_history::defer_indexes(&mut tx, 7).await.unwrap();
    tx.commit().await.unwrap();
    let between = servers.sql("annals", None, INDEXES).unwrap();
    assert!(dropped > 0 && before.lines().count() - between.lines().count() == dropped);
    assert_eq!(annals_history::make_deferred_indexes(&writer).await.unwrap(), dropped);
    assert_eq!(servers.sql("annals", None, INDEXES).unwrap(), before);
    let compressed = "select has_parameter_privilege('annals_writer', 'wal_compression', 'set')";
    assert_eq!(servers.sql("annals", None, compressed).unwrap(), "t\n");
}
