//! A question's whole answer as a file.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use annals_testkit::Engine;
use serde_json::Value;

use super::{Rest, sorted, token, token_with};
use crate::program::annals;
use crate::site::{START_MS, somebody};

/// A file as it came.
#[derive(Debug)]
struct File {
    status: u16,
    head: String,
    bytes: Vec<u8>,
    /// It came to its end.
    whole: bool,
}

impl File {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Rest {
    fn file(&self, token: &str, path: &str) -> File {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let (bytes, whole) = if head.contains("transfer-encoding: chunked") {
            together(&answer[end + 4..])
        } else {
            (answer[end + 4..].to_vec(), true)
        };
        File { status, head, bytes, whole }
    }

    #[track_caller]
    fn export(&self, path: &str) -> File {
        let file = self.file(&self.auditor, path);
        assert_eq!((file.status, file.whole), (200, true), "{path}: {file:?}");
        assert!(
            file.head.contains("cache-control: no-store") && file.head.contains("attachment"),
            "{}",
            file.head
        );
        file
    }
}

/// What chunks hold, and whether the last one came.
fn together(mut chunks: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    while let Some(end) = chunks.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (bytes, true);
        }
        let begin = end + 2;
        bytes.extend_from_slice(&chunks[begin..(begin + size).min(chunks.len())]);
        chunks = chunks.get(begin + size + 2..).unwrap_or_default();
    }
    (bytes, false)
}

/// Every answer of rows of history is the same as a file, in each form; a command's file is the same, byte by byte.
#[tokio::test]
async fn a_file_has_the_rows_of_the_answer() {
    for rest in Rest::everywhere().await {
        let id =
            rest.site.look("select identity_id from annals_access_interval order by 1 limit 1;").remove(0);
        let role = rest
            .site
            .look("select item_id from annals_access_item where kind = 3 order by 1 limit 1;")
            .remove(0);
        for path in [
            format!("/api/v1/identities/{id}/access"),
            format!("/api/v1/identities/{id}/timeline"),
            format!("/api/v1/identities/{id}/history"),
            "/api/v1/roles".to_owned(),
            "/api/v1/changes?from=2025-01-01".to_owned(),
            "/api/v1/changes/counts?from=2025-01-01&group=day".to_owned(),
            format!("/api/v1/holders?item={role}"),
            "/api/v1/identities?$filter=deleted%20eq%20false&$select=name,since".to_owned(),
        ] {
            let between = if path.contains('?') { '&' } else { '?' };
            // Pages of the size of an export's: within a page rows stand as people read them.
            let rows = rest.all(&format!("{path}{between}$top=1000"));
            assert!(!rows.is_empty(), "{path}");
            let with = |format: &str| rest.export(&format!("{path}{between}export={format}"));
            let ndjson = with("ndjson");
            assert_eq!(ndjson.lines(), rows, "{path}");
            let json: Vec<Value> = serde_json::from_slice(&with("json").bytes).unwrap();
            assert_eq!(json, rows, "{path}");
            let csv = with("csv");
            assert!(csv.head.contains("content-type: text/csv"), "{}", csv.head);
            let mut read = csv::Reader::from_reader(&csv.bytes[..]);
            let headings = read.headers().unwrap().len();
            let instants =
                read.headers().unwrap().iter().filter(|heading| heading.ends_with(" local")).count();
            assert_eq!(headings - instants, rows[0].as_object().unwrap().len(), "{path}");
            assert_eq!(read.records().map(Result::unwrap).count(), rows.len(), "{path}");
            let parquet = with("parquet").bytes;
            assert_eq!(
                (&parquet[..4], &parquet[parquet.len() - 4..]),
                (&b"PAR1"[..], &b"PAR1"[..]),
                "{path}"
            );
        }
        for (path, command) in [("access", &["access"][..]), ("timeline", &["timeline", "identity"])] {
            for format in ["csv", "json", "ndjson", "parquet"] {
                let file = rest.site.path().join(format!("file.{format}"));
                let to = ["--tz", "Europe/Berlin", "--export", file.to_str().unwrap()];
                annals(rest.site.path(), &[command, &[&id], &to[..]].concat()).exits(0);
                let path = format!("/api/v1/identities/{id}/{path}?export={format}&timeZone=Europe/Berlin");
                assert_eq!(rest.export(&path).bytes, fs::read(&file).unwrap(), "{path}");
            }
        }
    }
}

/// An answer of many pages is one file; that somebody asked for it is in the access log, and who hangs up does no harm.
#[tokio::test]
async fn a_long_answer_is_one_file() {
    for rest in Rest::everywhere().await {
        let (id, _) = somebody(&rest.site);
        let numbers = match rest.site.history.engine() {
            Engine::Postgres => "generate_series(1, 2500) as n (value)",
            _ => {
                "(with recursive n (value) as (select 1 union all select value + 1 from n where value < 2500) select value from n) n"
            }
        };
        rest.site.history.sql(&format!(
            "insert into spt_hist_identity_event (id, created, entity_id, entity_name, event_date, event_category,
                 event_type, event_source_type, new_value)
             select 'many-' || n.value, {START_MS} + n.value / 7, '{id}', 'x', {START_MS}, 'Identity', 'IdentityChanged', 's',
                 '{}' from {numbers};",
            "new ".repeat(500),
        ));
        let path = format!("/api/v1/identities/{id}/timeline");
        let rows = rest.all(&format!("{path}?$top=1000"));
        assert!(rows.len() > 2_500);
        let path = format!("{path}?export=ndjson");
        let file = rest.export(&path);
        assert_eq!(sorted(&file.lines(), "id"), sorted(&rows, "id"));
        let mut hanging = TcpStream::connect(&rest.address).unwrap();
        write!(hanging, "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", rest.auditor)
            .unwrap();
        let mut some = [0; 1_000];
        hanging.read_exact(&mut some).unwrap();
        drop(hanging);
        assert_eq!(rest.export(&path).bytes.len(), file.bytes.len());
        let noted = rest.site.look(
            "select principal, operation, query, status, success, result_rows from annals_access
             where query like '%export=%' order by at, id;",
        );
        assert_eq!(noted, vec!["eve|listIdentityTimeline|export=ndjson|200|1|"; 3]);
    }
}

/// Who may look need not be able to carry off; what is asked wrongly is told with its option, and noted.
#[tokio::test]
async fn exports_take_a_right_of_their_own() {
    let rest = Rest::on(Engine::Sqlite).await;
    let (id, _) = somebody(&rest.site);
    let path = format!("/api/v1/identities/{id}/access");
    let looks = token_with(&rest.site, "looks", &["--role", "auditor", "--view-only"]);
    let scoped =
        token_with(&rest.site, "scoped", &["--role", "scoped-reader", "--scope", "own", "--identity", &id]);
    let operator = token(&rest.site, "operator", "operator");
    for (token, may_look) in [(&looks, 200), (&scoped, 200), (&operator, 403)] {
        let looked = rest.ask(Some(token), "/api/v1/identities");
        assert_eq!(looked.status, may_look, "{looked:?}");
        let refused = rest.file(token, "/api/v1/identities?export=csv");
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(refused.head.contains("application/problem+json"), "{refused:?}");
    }
    let refused = rest
        .site
        .look("select principal, status from annals_access where query = 'export=csv' order by at, id;");
    assert_eq!(refused, ["looks|403", "scoped|403", "operator|403"]);
    for (query, option) in [
        ("export=xlsx", "export"),
        ("export=", "export"),
        ("export=csv&export=csv", "export"),
        ("export=csv&$top=5", "$top"),
        ("export=csv&$skiptoken=5b", "$skiptoken"),
        ("export=csv&timeZone=Nowhere", "timeZone"),
        ("export=csv&at=yesterday", "at"),
    ] {
        let (status, wrong, ..) = rest.problem(&format!("{path}?{query}"));
        assert_eq!((status, wrong.as_deref()), (400, Some(option)), "{query}");
    }
    assert_eq!(rest.problem("/api/v1/identities/nobody/access?export=csv").0, 404);
    assert_eq!(rest.problem("/api/v1/runs?export=csv").0, 400);
}
