//! Documents in a history on PostgreSQL: how many bytes they take, full ones and patches.

use anyhow::{Context, Result, ensure};

use super::history::History;
use super::server::Server;

/// The tables of captures: those whose rows have a document and may be patches.
const TABLES: &str = "\
select table_name from information_schema.columns
 where table_schema = 'public' and column_name in ('patch_doc_parent', 'json')
 group by table_name having count(*) = 2 order by table_name";

/// Documents as they are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Documents {
    /// Captures: full ones, those that mark an object as deleted among them, and patches.
    pub(super) captures: u64,
    /// Bytes of all their documents.
    pub(super) bytes: u64,
    /// Those of them that are patches.
    pub(super) patches: u64,
    /// Bytes of the patches.
    pub(super) patch_bytes: u64,
    /// For each patch the bytes of the full document that it stands on, be it by way of other patches.
    pub(super) patched_bytes: u64,
}

impl Documents {
    /// All documents of a history.
    pub(super) fn of(history: &History, server: &Server) -> Result<Self> {
        let mut all = Self::default();
        for table in history.sql(server, TABLES)?.lines() {
            let found = history.sql(server, &query(table))?;
            let numbers: Vec<u64> = found
                .trim()
                .split('\t')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .with_context(|| format!("{table}: {found}"))?;
            let [captures, rows, bytes, patches, patch_bytes, patched_bytes] = numbers[..] else {
                anyhow::bail!("{table}: not what was asked for: {found}")
            };
            ensure!(captures == rows, "{table}: {rows} captures, but {captures} have a full one");
            all.captures += captures;
            all.bytes += bytes;
            all.patches += patches;
            all.patch_bytes += patch_bytes;
            all.patched_bytes += patched_bytes;
        }
        Ok(all)
    }
}

/// Follows each patch to the full capture that it stands on. `json` is stored beside its row or as it is, so that its
/// length is known without reading it.
fn query(table: &str) -> String {
    format!(
        "with recursive kept as materialized (
             select id, patch_doc_parent as parent, coalesce(octet_length(json), 0)::bigint as bytes from {table}
         ), standing as (
             select id, bytes, false as is_patch, bytes as full_bytes from kept where parent is null
             union all
             select kept.id, kept.bytes, true, standing.full_bytes from standing join kept on kept.parent = standing.id
         )
         select count(*), (select count(*) from kept), coalesce(sum(bytes), 0), count(*) filter (where is_patch),
                coalesce(sum(bytes) filter (where is_patch), 0), coalesce(sum(full_bytes) filter (where is_patch), 0)
           from standing"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two roles: one of 100 bytes with a patch of 10 and on it one of 20, then whole again in 200 with a patch of 30;
    /// and one of 50 bytes without a patch. A certification of 7 bytes has a patch of 3.
    #[test]
    fn patches_are_compared_with_the_full_captures_that_they_stand_on() {
        let server = Server::start().unwrap();
        server.make_database("history", None).unwrap();
        let history = History::Postgres("history");
        let columns = "(id text, patch_doc_parent text, json bytea)";
        let rows = |table: &str, rows: &[(&str, Option<&str>, usize)]| {
            let row = |(id, parent, bytes): &(&str, Option<&str>, usize)| {
                let parent = parent.map_or("null".to_owned(), |parent| format!("'{parent}'"));
                format!("('{id}', {parent}, convert_to(repeat('x', {bytes}), 'UTF8'))")
            };
            let rows: Vec<String> = rows.iter().map(row).collect();
            format!("create table {table} {columns}; insert into {table} values {};", rows.join(", "))
        };
        let roles = [
            ("a1", None, 100),
            ("a2", Some("a1"), 10),
            ("a3", Some("a2"), 20),
            ("a4", None, 200),
            ("a5", Some("a4"), 30),
            ("b1", None, 50),
        ];
        let made = rows("spt_hist_role_capture", &roles)
            + &rows("annals_certification_capture", &[("c1", None, 7), ("c2", Some("c1"), 3)])
            + "create table spt_hist_certification (id text, json bytea); \
               insert into spt_hist_certification values ('c', 'more')";
        history.sql(&server, &made).unwrap();
        let expected = Documents {
            captures: 8,
            bytes: 410 + 10,
            patches: 4,
            patch_bytes: 10 + 20 + 30 + 3,
            patched_bytes: 100 + 100 + 200 + 7,
        };
        assert_eq!(Documents::of(&history, &server).unwrap(), expected);

        history.sql(&server, "delete from spt_hist_role_capture where id = 'a1'").unwrap();
        let error = Documents::of(&history, &server).unwrap_err().to_string();
        assert_eq!(error, "spt_hist_role_capture: 5 captures, but 3 have a full one");
    }
}
