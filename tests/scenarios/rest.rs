//! The REST interface, asked from outside.

#[path = "rest/access.rs"]
mod access;
#[path = "rest/acts.rs"]
mod acts;
#[path = "rest/answers.rs"]
mod answers;
#[path = "rest/description.rs"]
mod description;
#[path = "rest/exports.rs"]
mod exports;
#[path = "rest/letters.rs"]
mod letters;
#[path = "rest/objects.rs"]
mod objects;
#[path = "rest/oidc.rs"]
mod oidc;
#[path = "rest/scopes.rs"]
mod scopes;
#[path = "rest/secured.rs"]
mod secured;
#[path = "rest/service.rs"]
mod service;
#[path = "rest/sessions.rs"]
mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use annals_testkit::{Engine, history_engines};
use serde_json::Value;

use crate::daemon::{Daemon, wait_for};
use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

/// Any port that is free; the log says which.
const LISTEN: &str = "api: {listen: \"127.0.0.1:0\"}\n";

/// A site that is asked: two runs with a day between them.
struct Rest {
    site: Site,
    daemon: Daemon,
    address: String,
    /// May read everything.
    auditor: String,
}

/// What came back.
#[derive(Debug)]
struct Answered {
    status: u16,
    head: String,
    body: Value,
}

impl Rest {
    async fn on(engine: Engine) -> Self {
        Self::with(engine, LISTEN).await
    }

    /// The same with these lines in its configuration.
    async fn with(engine: Engine, lines: &str) -> Self {
        let site = Site::new(engine, engine, 30).await;
        site.service(lines);
        site.run(START_MS + HOUR_MS).await;
        site.pass_day().await;
        site.run(START_MS + DAY_MS + HOUR_MS).await;
        let daemon = Daemon::serving(site.path(), &["--role", "api", "--host", "alpha"]);
        let address = address(&daemon, "http");
        let auditor = token(&site, "eve", "auditor");
        Self { site, daemon, address, auditor }
    }

    async fn everywhere() -> Vec<Self> {
        let mut all = Vec::new();
        for engine in history_engines() {
            all.push(Self::on(engine).await);
        }
        all
    }

    fn ask(&self, token: Option<&str>, path: &str) -> Answered {
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        self.send("GET", path, &bearer.unwrap_or_default())
    }

    /// A request with these lines in its head.
    fn send(&self, method: &str, path: &str, lines: &str) -> Answered {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let address = &self.address;
        let path = path.replace(' ', "%20").replace('"', "%22");
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}\r\n")
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answered(&String::from_utf8(answer).unwrap())
    }

    /// What the auditor is answered.
    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let answered = self.ask(Some(&self.auditor), path);
        assert_eq!(answered.status, 200, "{path}: {answered:#?}");
        assert!(answered.head.contains("content-type: application/json"), "{answered:#?}");
        assert!(answered.head.contains("cache-control: no-store"), "{answered:#?}");
        answered.body
    }

    /// What is wrong with a request: status, option, position, detail.
    #[track_caller]
    fn problem(&self, path: &str) -> (u64, Option<String>, Option<u64>, String) {
        let answered = self.ask(Some(&self.auditor), path);
        let Answered { status, head, body } = &answered;
        assert!(
            *status >= 400 && head.contains("content-type: application/problem+json"),
            "{path}: {answered:#?}"
        );
        assert_eq!(body["status"], *status, "{answered:#?}");
        let text = |member: &str| body[member].as_str().map(str::to_owned);
        (u64::from(*status), text("parameter"), body["position"].as_u64(), text("detail").unwrap())
    }

    /// All rows of a list, page by page.
    #[track_caller]
    fn all(&self, path: &str) -> Vec<Value> {
        let (mut rows, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next {
            let page = self.get(&path);
            rows.extend(page["value"].as_array().unwrap().iter().cloned());
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
            assert!(rows.len() < 100_000, "no end of pages");
        }
        rows
    }
}

/// Status, head and body of what came back.
fn answered(text: &str) -> Answered {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let head = head.to_ascii_lowercase();
    let is_json = !body.is_empty() && !head.contains("content-type: text/event-stream");
    let body = if is_json { serde_json::from_str(body).expect(body) } else { Value::Null };
    Answered { status, head, body }
}

/// Where a daemon answers.
fn address(daemon: &Daemon, scheme: &str) -> String {
    let said = format!("REST at {scheme}://");
    wait_for("an address", || daemon.log().contains(&said));
    let log = daemon.log();
    let (_, rest) = log.split_once(&said).unwrap();
    rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect()
}

/// A new token.
fn token(site: &Site, name: &str, roles: &str) -> String {
    token_with(site, name, &["--role", roles])
}

/// The same with these arguments.
fn token_with(site: &Site, name: &str, arguments: &[&str]) -> String {
    annals(site.path(), &[&["token", "create", name], arguments].concat()).exits(0).out.trim().to_owned()
}

/// The texts of a member, sorted.
fn sorted(rows: &[Value], member: &str) -> Vec<String> {
    let mut texts: Vec<String> = rows.iter().map(|row| row[member].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

/// Somebody who has people below him, and all of those.
fn manager(rest: &Rest) -> (String, BTreeSet<String>) {
    let rows = rest.site.look(
        "with recursive tree (top, id) as (
           select manager_id, identity_id from spt_hist_identity_capture where latest = 1 and manager_id is not null
           union select tree.top, c.identity_id from tree
             join spt_hist_identity_capture c on c.manager_id = tree.id and c.latest = 1)
         select top, id from tree;",
    );
    let mut trees: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let (top, id) = row.split_once('|').unwrap();
        trees.entry(top.to_owned()).or_default().insert(id.to_owned());
    }
    let all = rest.site.look("select identity_id from spt_hist_identity;").len();
    // Of as many as can be, but not of everybody.
    let part = trees.iter().filter(|(_, below)| below.len() + 3 < all);
    let (top, below) = part.max_by_key(|(_, below)| below.len()).expect("a manager of some");
    (top.clone(), below.iter().filter(|id| *id != top).cloned().collect())
}
