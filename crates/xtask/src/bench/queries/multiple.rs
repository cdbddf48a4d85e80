//! A small history made large by statements over whole tables.

use anyhow::Result;

use super::database::Database;
use super::population::{DAY_MS, DAYS, RUNS, START_MS};

/// Tables whose rows belong to identities.
const TABLES: [&str; 5] = [
    "spt_hist_identity",
    "spt_hist_identity_capture",
    "spt_hist_identity_event",
    "annals_head",
    "annals_access_interval",
];

/// Children of captures.
const CHILDREN: [&str; 5] = [
    "spt_hist_accounts",
    "spt_hist_assigned_roles",
    "spt_hist_detected_roles",
    "spt_hist_entitlements",
    "spt_hist_policy_violations",
];

/// Indexes and keys, dropped while rows are put in.
const DROP_INDEXES: &str = "do $$ declare x record; begin for x in select * from kept_index loop
    if x.conname is null then execute 'drop index ' || x.idx;
    else execute format('alter table %s drop constraint %I', x.tab, x.conname); end if; end loop; end $$;\n";
const MAKE_INDEXES: &str = "do $$ declare x record; begin for x in select * from kept_index order by conname is null loop
    if x.conname is null then execute x.def;
    else execute format('alter table %s add constraint %I %s', x.tab, x.conname, x.def); end if; end loop; end $$;\n";

/// The identities of a history so many times, each with what happened to it so many times over in the same two years. In
/// the statements `n` is a row of the small history, `k` the number of the copy and `r` that of the repeat.
pub(super) struct Multiple<'h> {
    pub(super) history: &'h Database,
    pub(super) times: u32,
    pub(super) repeats: u32,
}

/// Columns that differ from those of the row that is copied, with what stands there.
type Changed = Vec<(&'static str, String)>;

impl Multiple<'_> {
    /// The statements that take the identities out of the small history and put them back many times.
    pub(super) fn script(&self) -> Result<String> {
        let tables = [&TABLES[..], &CHILDREN].concat();
        let mut script =
            "begin; set local work_mem = '256MB'; set local maintenance_work_mem = '512MB';\n".to_owned();
        script += &format!(
            "create temporary table kept_index on commit drop as
             select i.indrelid::regclass::text as tab, c.conname, i.indexrelid::regclass::text as idx,
                 coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid)) as def
             from pg_index i left join pg_constraint c on c.conindid = i.indexrelid
             where i.indrelid = any(array['{}']::regclass[]);\n",
            tables.join("', '")
        );
        for table in tables {
            let of_identities = match table {
                "annals_head" => {
                    " where kind in (select id from annals_object_kind where object_type = 'identity')"
                }
                _ => "",
            };
            script += &format!(
                "create temporary table n_{table} on commit drop as select * from {table}{of_identities};
                 delete from {table}{of_identities};\n"
            );
        }
        script += DROP_INDEXES;
        let newest = format!("r = {}", self.repeats - 1);
        let identity =
            vec![("id", person("id")), ("identity_id", person("identity_id")), ("name", named("name"))];
        script += &self.fill(TABLES[0], &identity, &newest, "k, n.id")?;
        script += &self.fill(TABLES[1], &self.captures(), "true", "created, identity_id")?;
        script += &self.fill(TABLES[2], &self.events(), "true", "created, entity_id")?;
        script += &self.fill(TABLES[3], &self.heads(), &newest, "k, n.object_id")?;
        script += &self.fill(
            TABLES[4],
            &self.intervals(),
            "n.recorded_to is null",
            "recorded_from, identity_id",
        )?;
        // Lists of objects look at the newest captures alone.
        let newest = format!(
            "{newest} and exists (select 1 from n_annals_head h where encode(h.capture_id, 'hex') = n.capture_id)"
        );
        for table in CHILDREN {
            script += &self.fill(table, &vec![("capture_id", text_id("capture_id", "r"))], &newest, "k")?;
        }
        Ok(script + MAKE_INDEXES + "commit;")
    }

    /// Puts a table's rows back.
    fn fill(&self, table: &str, changed: &Changed, which: &str, order: &str) -> Result<String> {
        let columns = self.history.sql(&format!(
            "select column_name from information_schema.columns where table_name = '{table}' order by ordinal_position"
        ))?;
        let cell = |column: &str| {
            let changed = changed.iter().find(|(name, _)| *name == column);
            changed.map_or_else(|| format!("n.{column}"), |(_, cell)| format!("{cell} as {column}"))
        };
        let cells: Vec<String> = columns.lines().map(cell).collect();
        Ok(format!(
            "insert into {table} ({}) select {} from n_{table} n cross join generate_series(0, {}) k
             cross join generate_series(0, {}) r where {which} order by {order};\n",
            columns.lines().collect::<Vec<_>>().join(", "),
            cells.join(", "),
            self.times - 1,
            self.repeats - 1
        ))
    }

    fn captures(&self) -> Changed {
        vec![
            ("id", text_id("id", "r")),
            ("patch_doc_parent", text_id("patch_doc_parent", "r")),
            ("identity_id", person("identity_id")),
            ("identity_name", named("identity_name")),
            ("effective_date", self.at("effective_date")),
            ("extended_to_date", self.at("extended_to_date")),
            ("created", recorded(&self.at("effective_date"))),
        ]
    }

    fn events(&self) -> Changed {
        vec![
            ("id", text_id("id", "r")),
            ("entity_id", person("entity_id")),
            ("entity_name", named("entity_name")),
            ("capture_id", text_id("capture_id", "r")),
            ("prev_capture_id", text_id("prev_capture_id", "r")),
            ("account_id", person("account_id")),
            ("event_date", self.at("event_date")),
            ("created", recorded(&self.at("event_date"))),
        ]
    }

    fn heads(&self) -> Changed {
        let last = (self.repeats - 1).to_string();
        vec![
            ("object_id", person("object_id")),
            ("name", named("name")),
            ("capture_id", bytes_id("capture_id", &last)),
            ("full_capture_id", bytes_id("full_capture_id", &last)),
            ("effective_date", self.at("effective_date")),
            ("observed_date", self.at("observed_date")),
            ("extended_to_date", self.at("extended_to_date")),
        ]
    }

    fn intervals(&self) -> Changed {
        let last = self.repeats - 1;
        let is_cut = format!("n.valid_to is null and r < {last}");
        // What is open when a repeat ends ends with it, by the capture that the next one begins with.
        let end = format!(
            "case when {is_cut} then {START_MS} + (r + 1) * {}::bigint else {} end",
            self.share_ms(),
            self.at("valid_to")
        );
        let (next, own) = (bytes_id("opened_by", "(r + 1)"), bytes_id("closed_by", "r"));
        vec![
            ("identity_id", person("identity_id")),
            ("seq", "n.seq + r * 100000".to_owned()),
            ("valid_from", self.at("valid_from")),
            ("recorded_from", recorded(&self.at("valid_from"))),
            ("end_recorded", recorded(&format!("({end})"))),
            ("valid_to", end),
            ("opened_by", bytes_id("opened_by", "r")),
            ("closed_by", format!("case when {is_cut} then {next} else {own} end")),
        ]
    }

    /// Milliseconds of a repeat.
    fn share_ms(&self) -> i64 {
        i64::from(RUNS * DAYS) * DAY_MS / i64::from(self.repeats)
    }

    /// Where an instant of the small history lies in the large one. What was before its first run stays before.
    fn at(&self, column: &str) -> String {
        format!(
            "(case when n.{column} < {START_MS} and r = 0 then n.{column} when n.{column} is not null
               then {START_MS} + r * {}::bigint + greatest(n.{column} - {START_MS}, 0) / {} end)",
            self.share_ms(),
            self.repeats
        )
    }
}

/// When a run recorded what happened at an instant.
fn recorded(instant: &str) -> String {
    let every_ms = i64::from(DAYS) * DAY_MS;
    format!(
        "(case when {instant} is not null then {START_MS} + 3600000
            + ((greatest({instant} - {START_MS}, 0) + {every_ms} - 1) / {every_ms}) * {every_ms} end)"
    )
}

/// Id of what is there once for each copy and repeat.
fn text_id(column: &str, r: &str) -> String {
    format!("md5(n.{column} || ':' || k || ':' || {r})")
}

/// The same as bytes.
fn bytes_id(column: &str, r: &str) -> String {
    format!("decode(md5(encode(n.{column}, 'hex') || ':' || k || ':' || {r}), 'hex')")
}

/// Id of a person, or what belongs to one.
fn person(column: &str) -> String {
    format!("md5(n.{column} || ':' || k)")
}

fn named(column: &str) -> String {
    format!("n.{column} || '.' || k")
}
