//! What must hold of any history at any moment, by SQL of its own.

use annals_testkit::Engine;
use anyhow::Result;
use serde_json::{Map, Value};

use super::site::Site;

/// What is broken, for people; nothing if all holds.
pub(crate) fn broken(site: &Site) -> Option<String> {
    let hex = |column: &str| match site.history.engine() {
        Engine::Postgres => format!("encode({column}, 'hex')"),
        _ => format!("lower(hex({column}))"),
    };
    let head = |object_type: &str, table: &str| {
        format!(
            "select '{object_type} ' || object_id || ' has a head and no newest capture' from annals_head
             where kind = (select id from annals_object_kind where object_type = '{object_type}')
               and not exists (select 1 from {table} c where c.id = {});",
            hex("annals_head.capture_id")
        )
    };
    let twice = |id: &str, table: &str| {
        format!(
            "select '{id} ' || {id} || ' is captured twice in a row' from
               (select {id}, full_hash,
                  lag(full_hash) over (partition by {id} order by effective_date, id) as before from {table}) c
             where full_hash = before;"
        )
    };
    let queries = [
        head("identity", "spt_hist_identity_capture"),
        head("account", "spt_hist_account_capture"),
        head("role", "spt_hist_role_capture"),
        head("capability", "spt_hist_capability_capture"),
        twice("identity_id", "spt_hist_identity_capture"),
        twice("account_id", "spt_hist_account_capture"),
        twice("role_id", "spt_hist_role_capture"),
        twice("capability_id", "spt_hist_capability_capture"),
        "select 'identity ' || identity_id || ' has other than one latest capture' from spt_hist_identity_capture
         group by identity_id having sum(cast(latest as integer)) <> 1;"
            .to_owned(),
        "select 'partition ' || a.partition_no || ' of run ' || a.run_id || ' went backwards' from annals_request_state a
         join annals_request_state b on b.run_id = a.run_id and b.partition_no = a.partition_no and b.seq > a.seq
         where b.lease_epoch < a.lease_epoch;"
            .to_owned(),
        "select 'task ' || name || ' is locked by a run that has ended' from annals_task
         where locked_by_run in (select id from annals_run where state = 'ended');"
            .to_owned(),
    ];
    let found = site.history.sql(&queries.join("\n"));
    found.lines().next().map(str::to_owned)
}

/// What does not add up in runs after this one: what they say they have published, and what they have written.
pub(crate) fn does_not_add_up(site: &Site, after_run: i64) -> Result<Option<String>> {
    let lines = site.history.sql(&format!(
        "select r.id, r.counters, coalesce((select sum(full_captures + patch_captures + deleted + duplicates + unchanged)
           from annals_run_write w where w.run_id = r.id), 0)
         from annals_run r where id > {after_run} and status in ('success', 'warning') order by id;"
    ));
    for line in lines.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let [run, counters, written] = cells[..] else { anyhow::bail!("three columns: {line}") };
        let counters: Map<String, Value> = serde_json::from_str(counters)?;
        let count = |name: &str| counters.get(name).and_then(Value::as_u64).unwrap_or_default();
        let published =
            count("totalExtractedObjectsPublished") + count("totalDeletionExtractedObjectsDispatched");
        if written.parse() != Ok(published) {
            return Ok(Some(format!("run {run} has published {published} messages and written {written}")));
        }
    }
    Ok(None)
}
