//! A large history, made of a small one that runs have written: the identities of a generated identity system, captured
//! over two simulated years, are multiplied by statements over whole tables. Documents are copied as they are, for a
//! capture's hash is that of its image; so each can be read back through its patches as it was written.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::database::Database;
use crate::bench::announce;
use crate::bench::server::printed;

/// Identities that runs capture.
const NUCLEUS: u32 = 1_000;

/// Runs after the first one, and days between two.
const RUNS: u32 = 61;
const DAYS: u32 = 12;

/// 2024-11-20T00:00:00Z: two years before somewhere near the present, so that all of it is past.
const START: &str = "2024-11-20T00:00:00Z";
const START_MS: i64 = 1_732_060_800_000;
const DAY_MS: i64 = 86_400_000;

/// Patches between two full captures.
const PATCHES_MAX: u32 = 10;

/// The midnight that the generated identity system has come to, epoch milliseconds.
const WORLD_NOW: &str =
    "select (json_extract(value, '$.startMs') + json_extract(value, '$.day') * 86400000) from annals_world";

/// Tables whose rows belong to identities, in the order in which they are filled; children of captures come after them.
const CHILDREN: [&str; 5] = [
    "spt_hist_accounts",
    "spt_hist_assigned_roles",
    "spt_hist_detected_roles",
    "spt_hist_entitlements",
    "spt_hist_policy_violations",
];

/// Whether a history was made here before.
pub(super) fn is_there(history: &Database) -> Result<bool> {
    Ok(history.sql("select to_regclass('bench_history_made') is not null")?.trim() == "t")
}

/// How large it is, in a sentence.
pub(super) fn size(history: &Database) -> Result<String> {
    let found = history.sql(
        "select count(*) from spt_hist_identity; select count(*) from spt_hist_identity_capture;
         select count(*) from spt_hist_identity_event; select count(*) from annals_access_interval;
         select coalesce(max(patches_since_full), 0) from annals_head; select pg_database_size(current_database()) / 1048576",
    )?;
    let numbers: Vec<f64> = found.lines().filter_map(|line| line.parse().ok()).collect();
    let [identities, captures, events, intervals, patches, mebibytes] = numbers[..] else {
        anyhow::bail!("the history has no size: {found}")
    };
    let shown = |value| crate::bench::grid::number(value, 0);
    Ok(format!(
        "{} identities with {} captures (chains of up to {} patches), {} events, {} access intervals, {} MiB",
        shown(identities),
        shown(captures),
        shown(patches),
        shown(events),
        shown(intervals),
        shown(mebibytes)
    ))
}

/// Makes a history of so many identities, with what happened in two years so many times over, in the same two years.
pub(super) fn make(
    annals: &Path,
    history: &Database,
    (identities, repeats, seed): (u32, u32, u64),
) -> Result<()> {
    ensure!(identities % NUCLEUS.min(identities) == 0, "write a multiple of {NUCLEUS} identities");
    let nucleus = NUCLEUS.min(identities);
    nucleus_runs(annals, history, nucleus, seed)?;
    announce(&format!("{} times the {nucleus} identities", identities / nucleus));
    history.sql(&multiply(history, identities / nucleus, repeats)?)?;
    history.sql("vacuum (analyze)")?;
    history.sql("create table bench_history_made ()").map(drop)
}

/// A first run, and one every so many days.
fn nucleus_runs(annals: &Path, history: &Database, identities: u32, seed: u64) -> Result<()> {
    let folder = TempDir::with_prefix("annals-bench-source-")?;
    let source = folder.path().join("source.db");
    let url = format!("sqlite:{}", source.display());
    let config = folder.path().join("config");
    printed(Command::new(annals).arg("init").arg(&config))?;
    let text = format!(
        "accessHistoryEnabled: true\nsecretHashKey: a-key-for-benchmarks-alone\n\
         source: {{profile: identityiq, url: \"{url}\"}}\nhistory: {{url: \"{}\"}}\n\
         capture: {{maxAllowedPatches: {PATCHES_MAX}}}\n",
        history.url
    );
    fs::write(config.join("annals.yaml"), text).context("cannot write annals.yaml")?;
    let call = |arguments: &[&str]| {
        let mut command = Command::new(annals);
        command.args(arguments).args(["--quiet", "--config"]).arg(&config);
        printed(command.env_remove("ANNALS_LOG").env_remove("ANNALS_CONFIG")).map(drop)
    };
    let (identities, seed) = (identities.to_string(), seed.to_string());
    call(&["demo", "source", "--start", START, "--url", &url, "--identities", &identities, "--seed", &seed])?;
    call(&["migrate"])?;
    call(&["run"])?;
    for run in 1..=RUNS {
        let now_ms = printed(Command::new("sqlite3").arg(&source).arg(WORLD_NOW))?;
        history.sql(&format!("update annals_named_timestamp set timestamp_ms = {}", now_ms.trim()))?;
        call(&["demo", "days", "--days", &DAYS.to_string(), "--url", &url])?;
        call(&["run"])?;
        if run % 10 == 0 {
            eprintln!("    {run} of {RUNS} runs");
        }
    }
    Ok(())
}

/// When a run recorded what happened at an instant.
fn recorded(instant: &str) -> String {
    let every_ms = i64::from(DAYS) * DAY_MS;
    format!(
        "({START_MS} + ((greatest({instant} - {START_MS}, 0) + {} - 1) / {every_ms}) * {every_ms} + 3600000)",
        every_ms
    )
}

/// Where an instant of the small history lies in the large one, in repeat `r`.
fn shifted(instant: &str, repeats: u32) -> String {
    let span_ms = i64::from(RUNS * DAYS) * DAY_MS;
    let share_ms = span_ms / i64::from(repeats);
    format!(
        "(case when {instant} < {START_MS} and r = 0 then {instant}
               else {START_MS} + r * {share_ms}::bigint + greatest({instant} - {START_MS}, 0) / {repeats} end)"
    )
}

/// The statements that take the identities out of the small history and put them back many times.
fn multiply(history: &Database, times: u32, repeats: u32) -> Result<String> {
    let tables = [
        &[
            "spt_hist_identity",
            "spt_hist_identity_capture",
            "spt_hist_identity_event",
            "annals_head",
            "annals_access_interval",
        ][..],
        &CHILDREN,
    ]
    .concat();
    let last = repeats - 1;
    let text_id = |column: &str, r: &str| format!("md5(n.{column} || ':' || k || ':' || {r})");
    let bytes_id = |column: &str, r: &str| {
        format!("decode(md5(encode(n.{column}, 'hex') || ':' || k || ':' || {r}), 'hex')")
    };
    let person = |column: &str| format!("md5(n.{column} || ':' || k)");
    let named = |column: &str| format!("n.{column} || '.' || k");
    let at = |column: &str| shifted(&format!("n.{column}"), repeats);
    let noted = |column: &str| recorded(&at(column));
    let share_ms = i64::from(RUNS * DAYS) * DAY_MS / i64::from(repeats);
    // What is open when a repeat ends ends with it.
    let end = format!(
        "case when n.valid_to is null and r < {last} then {START_MS} + (r + 1) * {share_ms}::bigint else {} end",
        at("valid_to")
    );
    let fill = |table: &str, changed: &[(&str, String)], which: &str, order: &str| -> Result<String> {
        let columns = history.sql(&format!(
            "select column_name from information_schema.columns where table_name = '{table}' order by ordinal_position"
        ))?;
        let cells: Vec<String> = columns
            .lines()
            .map(|column| {
                let changed = changed.iter().find(|(name, _)| *name == column);
                changed.map_or_else(|| format!("n.{column}"), |(_, cell)| cell.clone())
            })
            .collect();
        Ok(format!(
            "insert into {table} ({}) select {} from n_{table} n cross join generate_series(0, {}) k
             cross join generate_series(0, {last}) r where {which} order by {order};\n",
            columns.lines().collect::<Vec<_>>().join(", "),
            cells.join(", "),
            times - 1
        ))
    };
    let newest = format!("r = {last}");
    let mut script =
        "begin; set local work_mem = '256MB'; set local maintenance_work_mem = '512MB';\n".to_owned();
    script += "create temporary table kept_index on commit drop as
        select i.indrelid::regclass::text as tab, c.conname, i.indexrelid::regclass::text as idx,
            coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid)) as def
        from pg_index i left join pg_constraint c on c.conindid = i.indexrelid where i.indrelid = any(array['";
    script += &tables.join("', '");
    script += "']::regclass[]);\n";
    for table in &tables {
        let of_identities = match *table {
            "annals_head" => {
                " where kind = (select id from annals_object_kind where object_type = 'identity')"
            }
            _ => "",
        };
        script += &format!(
            "create temporary table n_{table} on commit drop as select * from {table}{of_identities};\n"
        );
        script += &format!("delete from {table}{of_identities};\n");
    }
    script += "do $$ declare x record; begin for x in select * from kept_index loop
        if x.conname is null then execute 'drop index ' || x.idx;
        else execute format('alter table %s drop constraint %I', x.tab, x.conname); end if; end loop; end $$;\n";
    script += &fill(
        "spt_hist_identity",
        &[("id", person("id")), ("identity_id", person("identity_id")), ("name", named("name"))],
        &newest,
        "k, n.id",
    )?;
    script += &fill(
        "spt_hist_identity_capture",
        &[
            ("id", text_id("id", "r")),
            ("patch_doc_parent", text_id("patch_doc_parent", "r")),
            ("identity_id", person("identity_id")),
            ("identity_name", named("identity_name")),
            ("effective_date", at("effective_date")),
            ("extended_to_date", at("extended_to_date")),
            ("created", noted("effective_date")),
        ],
        "true",
        "created, identity_id",
    )?;
    script += &fill(
        "spt_hist_identity_event",
        &[
            ("id", text_id("id", "r")),
            ("entity_id", person("entity_id")),
            ("entity_name", named("entity_name")),
            ("capture_id", text_id("capture_id", "r")),
            ("prev_capture_id", text_id("prev_capture_id", "r")),
            ("account_id", person("account_id")),
            ("event_date", at("event_date")),
            ("created", noted("event_date")),
        ],
        "true",
        "created, entity_id",
    )?;
    let last_text = last.to_string();
    script += &fill(
        "annals_head",
        &[
            ("object_id", person("object_id")),
            ("name", named("name")),
            ("capture_id", bytes_id("capture_id", &last_text)),
            ("full_capture_id", bytes_id("full_capture_id", &last_text)),
            ("effective_date", at("effective_date")),
            ("observed_date", at("observed_date")),
            ("extended_to_date", at("extended_to_date")),
        ],
        &newest,
        "k, n.object_id",
    )?;
    script += &fill(
        "annals_access_interval",
        &[
            ("identity_id", person("identity_id")),
            ("seq", "n.seq + r * 100000".to_owned()),
            ("valid_from", at("valid_from")),
            ("valid_to", end.clone()),
            ("recorded_from", noted("valid_from")),
            ("end_recorded", recorded(&format!("({end})"))),
            ("opened_by", bytes_id("opened_by", "r")),
            (
                "closed_by",
                format!(
                    "case when n.valid_to is null and r < {last} then {} else {} end",
                    bytes_id("opened_by", "(r + 1)"),
                    bytes_id("closed_by", "r")
                ),
            ),
        ],
        "n.recorded_to is null",
        "recorded_from, identity_id",
    )?;
    for table in CHILDREN {
        // Lists of objects look at the newest captures alone.
        let which = format!(
            "{newest} and exists (select 1 from n_annals_head h where encode(h.capture_id, 'hex') = n.capture_id)"
        );
        script += &fill(table, &[("capture_id", text_id("capture_id", "r"))], &which, "k")?;
    }
    script += "do $$ declare x record; begin for x in select * from kept_index order by conname is null loop
        if x.conname is null then execute x.def;
        else execute format('alter table %s add constraint %I %s', x.tab, x.conname, x.def); end if; end loop; end $$;\n";
    script += "commit;";
    Ok(script)
}
