//! Answers as files.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use annals_testkit::Engine;
use serde_json::{Value, json};

use crate::program::{annals, call, program};
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, somebody};

/// Somebody's access and events, after three days.
async fn lived(site: &Site) -> String {
    site.run(START_MS).await.succeeds();
    for day in 1..=3 {
        site.pass_day().await;
        site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
    }
    site.look("select object_id from annals_v1_events group by object_id order by count(*) desc limit 1;")
        .remove(0)
}

/// The access log's rows about exports: operation, who, how his name is known, what was called, success.
fn noted(site: &Site) -> Vec<String> {
    site.look(
        "select operation, principal, authentication, method, query, success, result_rows from annals_access
         where authentication = 'local' order by at, id;",
    )
}

/// Whatever the form, a file has what the command answers; who had it written is in the access log.
#[tokio::test]
async fn a_file_has_all_that_the_command_answers() {
    for site in Site::on_each_history(30).await {
        let person = lived(&site).await;
        let path = |name: &str| site.path().join(name);
        let export = |question: &[&str], file: &str| {
            let arguments = [question, &["--export", file, "--tz", "Europe/Berlin"]].concat();
            annals(site.path(), &arguments).exits(0)
        };
        let access = ["access", &person, "--at", "2026-01-08T12:00:00Z"];
        let answer = annals(site.path(), &[&access[..], &["-o", "json"]].concat()).exits(0).json();
        let items = answer["items"].as_array().unwrap();
        assert!(items.len() > 3, "{answer}");

        let said = export(&access, "held.ndjson").tells(&format!("{} rows in held.ndjson", items.len()));
        assert_eq!(said.out, "");
        let lines: Vec<Value> = fs::read_to_string(path("held.ndjson"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        export(&access, "held.json");
        let array: Vec<Value> = serde_json::from_slice(&fs::read(path("held.json")).unwrap()).unwrap();
        assert_eq!(lines, array);
        // The command shows instants for people; all else is the same.
        let shown = |instant: &Value| {
            let instant: jiff::Timestamp = instant.as_str().unwrap().parse().unwrap();
            json!(instant.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string())
        };
        let as_answered: Vec<Value> = array
            .into_iter()
            .map(|mut row| {
                for instant in ["since", "intervalSince"] {
                    row[instant] = shown(&row[instant]);
                }
                row
            })
            .collect();
        assert_eq!(&as_answered, items);

        export(&access, "held.csv");
        let text = fs::read_to_string(path("held.csv")).unwrap();
        let heading = text.lines().next().unwrap();
        assert!(
            heading.starts_with("kind,name,application,attribute,value,account,since utc,since local,"),
            "{heading}"
        );
        assert_eq!(text.matches("\r\n").count(), items.len() + 1, "{text}");
        assert!(text.contains("+01:00,"), "{text}");

        export(&access, "held.parquet");
        export(&["timeline", "identity", &person], "events.bin.ndjson");
        let events = fs::read_to_string(path("events.bin.ndjson")).unwrap();
        let ids: BTreeSet<String> = events
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
            .collect();
        let there: BTreeSet<String> = site
            .look(&format!("select id from spt_hist_identity_event where entity_id = '{person}';"))
            .into_iter()
            .map(|id| json!(id).to_string())
            .collect();
        assert_eq!((ids.len(), ids), (events.lines().count(), there));
        let bytes = fs::read(path("held.parquet")).unwrap();
        assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));

        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap();
        let rows = noted(&site);
        assert_eq!(rows.len(), 5);
        let begins =
            format!("exportAccess|{}|local|EXPORT|access {person} --at 2026-01-08T12:00:00Z", user.trim());
        assert!(rows[0].starts_with(&begins) && rows[0].ends_with("|1|"), "{rows:?}");
        assert!(rows[4].starts_with("exportTimeline|"), "{rows:?}");
        let log =
            annals(site.path(), &["audit", "access-log", "--what", "exportAccess", "-o", "json"]).exits(0);
        assert_eq!(log.json()["items"].as_array().unwrap().len(), 4);
    }
}

/// A file has its name when it is whole: one that is there stays while another cannot be written; what is not noted is not
/// written; nothing is left behind.
#[tokio::test]
async fn a_file_is_whole_or_not_there() {
    let site = Site::small().await;
    site.run(START_MS).await.succeeds();
    let (id, name) = somebody(&site);
    fs::write(site.path().join("held.csv"), "before").unwrap();
    let export = |file: &str| annals(site.path(), &["timeline", "identity", &name, "--export", file]);
    site.history.sql("alter table annals_access rename to elsewhere;");
    export("held.csv").exits(9);
    assert_eq!(fs::read_to_string(site.path().join("held.csv")).unwrap(), "before");
    site.history.sql("alter table elsewhere rename to annals_access;");
    // A row of the second page that cannot be read ends the export after it has begun.
    site.history.sql(&format!(
        "insert into spt_hist_identity_event (id, created, entity_id, entity_name, event_date, event_category,
             event_type, event_source_type, event_detail_json)
         select 'many-' || n.value, {START_MS} + {DAY_MS} + n.value, '{id}', 'x', {START_MS}, 'Identity', 'IdentityChanged', 's',
             case when n.value = 2100 then '{{' end
         from (with recursive n (value) as (select 1 union all select value + 1 from n where value < 2100) select value from n) n;"
    ));
    assert_ne!(export("held.csv").code, 0);
    assert_eq!(fs::read_to_string(site.path().join("held.csv")).unwrap(), "before");
    site.history.sql("update spt_hist_identity_event set event_detail_json = null;");
    export("held.csv").exits(0);
    let written = site.path().join("held.csv");
    assert!(fs::read_to_string(&written).unwrap().starts_with("occurred utc,"));
    assert_eq!(fs::metadata(&written).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(site.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("export"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    // Both that were begun are in the log.
    assert_eq!(noted(&site).len(), 2);
}

/// TRAP-18: what is asked wrongly is said so, with the way out, before anything is written.
#[tokio::test]
async fn wrong_files_are_refused() {
    let site = Site::small().await;
    site.run(START_MS).await.succeeds();
    let (_, name) = somebody(&site);
    let export = |more: &[&str]| annals(site.path(), &[&["access", name.as_str()], more].concat());
    export(&["--export", "held.txt"]).exits(2).tells("or say --export-format");
    export(&["--export", "held"]).exits(2).tells("`held` does not say which form of file it is");
    export(&["--export", "held.csv", "--limit", "3"]).exits(2).tells("--limit");
    export(&["--export-format", "csv"]).exits(2).tells("--export");
    export(&["--export", "held", "--export-format", "xlsx"]).exits(2).tells("parquet");
    export(&["--export", "no/such/folder/held.csv"]).exits(1).tells("no file can be made in no/such/folder");
    export(&["--export", ".", "--export-format", "csv"]).exits(2).tells("`.` is a folder");
    export(&["--export", "held.csv", "--at", "1990-01-01"]).exits(5).tells("History begins later");
    assert_eq!(noted(&site), Vec::<String>::new());
    export(&["--export", "held", "--export-format", "ndjson"]).exits(0);
    assert!(fs::read_to_string(site.path().join("held")).unwrap().starts_with("{\""));
}

/// 60,000 events of two kilobytes each go through a process that may have 256 MiB in all, as the rows alone would take.
#[tokio::test]
async fn a_large_export_takes_little_memory() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let (id, name) = somebody(&site);
        let numbers = match site.history.engine() {
            Engine::Postgres => "generate_series(1, 60000) as n (value)",
            _ => {
                "(with recursive n (value) as (select 1 union all select value + 1 from n where value < 60000) select value from n) n"
            }
        };
        site.history.sql(&format!(
            "insert into spt_hist_identity_event (id, created, entity_id, entity_name, event_date, event_category,
                 event_type, event_source_type, old_value, new_value)
             select 'many-' || n.value, {START_MS} + n.value / 7, '{id}', 'x', {START_MS}, 'Identity', 'IdentityChanged', 's',
                 '{}' || n.value, '{}' from {numbers};",
            "old ".repeat(250),
            "new ".repeat(250),
        ));
        let events =
            site.count(&format!("select count(*) from spt_hist_identity_event where entity_id = '{id}';"));
        assert!(events > 60_000);
        for file in ["events.csv", "events.parquet"] {
            let mut command = Command::new("sh");
            command.args(["-c", "ulimit -d 262144; exec \"$0\" \"$@\""]).arg(program());
            let arguments = ["timeline", "identity", &name, "--export", file];
            call(command, site.path(), &[], &arguments).exits(0).tells(&format!("{events} rows in {file}"));
        }
        let text = fs::read_to_string(site.path().join("events.csv")).unwrap();
        let ids: BTreeSet<&str> = text.split(',').filter(|cell| cell.starts_with("many-")).collect();
        assert_eq!(ids.len(), 60_000);
    }
}

/// Every question of the command line goes to a file: as many rows as the command prints.
#[tokio::test]
async fn every_question_goes_to_a_file() {
    for site in Site::on_each_history(30).await {
        let person = lived(&site).await;
        let role = site
            .look(
                "select item_id from annals_v1_access_intervals where kind = 'assignedRole'
                 group by item_id order by count(*) desc, item_id limit 1;",
            )
            .remove(0);
        let holder = site
            .look(&format!(
                "select identity_id from annals_v1_access_intervals where item_id = '{role}'
                   and valid_to_ms is null and recorded_to_ms is null order by 1 limit 1;"
            ))
            .remove(0);
        for question in [
            &["who-had", &*role][..],
            &["why", &*holder, &*role],
            &["diff", "identity", &*person, "--at", "2026-01-05T12:00:00Z"],
            &["changes", "--from", "2026-01-05T12:00:00Z"],
            &["changes", "--from", "2026-01-05T12:00:00Z", "--group", "cause"],
            &["orphans"],
            &["find", "identity"],
        ] {
            let answer = annals(site.path(), &[question, &["-o", "json"]].concat()).exits(0).json();
            let printed = answer["items"].as_array().unwrap();
            annals(site.path(), &[question, &["--export", "answer.ndjson"]].concat()).exits(0);
            let text = fs::read_to_string(site.path().join("answer.ndjson")).unwrap();
            let written: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(written.len(), printed.len(), "{question:?}");
            assert!(!printed.is_empty() || matches!(question[0], "orphans" | "diff"), "{question:?}");
            let members = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(written.first().map(members), printed.first().map(members), "{question:?}");
        }
        assert_eq!(noted(&site).len(), 7);
    }
}
