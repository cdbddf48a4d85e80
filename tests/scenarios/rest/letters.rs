//! What people do over REST about dead letters and runs, and following a run.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use annals_testkit::{Engine, history_engines};
use serde_json::{Value, json};

use super::{Answered, LISTEN, Rest, address, token};
use crate::daemon::{Daemon, wait_for};
use crate::dead::{ALLOW, refused};
use crate::program::annals;
use crate::site::Site;

/// Puts run 2 back among those that are under way.
const UNDER_WAY: &str =
    "update annals_run set state = 'running', status = null, result = null, ended = null where id = 2;";

fn post(rest: &Rest, token: &str, path: &str) -> Answered {
    let lines = format!("Authorization: Bearer {token}\r\nContent-Length: 0\r\n");
    rest.send("POST", &format!("/api/v1/{path}"), &lines)
}

/// A message that was given up is delivered by the next run, or discarded, for a reason that is kept with who gave it; each
/// act is a row of the access log.
#[tokio::test]
async fn an_operator_decides_about_dead_letters() {
    for site in Site::on_each_history(20).await {
        site.service(&format!("queue: {{maxRedeliveries: 0}}\n{LISTEN}"));
        refused(&site, 3).await;
        let daemon = Daemon::serving(site.path(), &["--role", "api"]);
        let (address, auditor) = (address(&daemon, "http"), token(&site, "eve", "auditor"));
        let rest = Rest { site, daemon, address, auditor };
        let operator = token(&rest.site, "olga", "operator");
        let letters = rest.all("/api/v1/dead-letters");
        let [first, second] = &letters[..] else { panic!("{letters:?}") };
        let [first, second] = [first, second].map(|letter| letter["id"].as_str().unwrap().to_owned());
        let act = |token: &str, letter: &str, act: &str| {
            post(&rest, token, &format!("dead-letters/{letter}/{act}"))
        };
        assert_eq!(act(&rest.auditor, &first, "redrive?reason=x").status, 403);
        for wrong in ["redrive", "discard", "discard?reason=", "redrive?reason=%20"] {
            let answered = act(&operator, &first, wrong);
            assert_eq!(
                (answered.status, &answered.body["parameter"]),
                (400, &json!("reason")),
                "{answered:#?}"
            );
        }
        assert_eq!(act(&operator, "nobody", "redrive?reason=x").status, 404);
        assert_eq!(rest.all("/api/v1/dead-letters").len(), 2, "nothing is done by what is refused");

        let done = act(&operator, &second, "discard?reason=of no use");
        assert_eq!(done.body, json!({"letter": second, "changed": true}), "{done:#?}");
        assert_eq!(act(&operator, &second, "discard?reason=again").status, 404);
        assert_eq!(act(&operator, &first, "redrive?reason=mended").status, 200);
        assert_eq!(rest.all("/api/v1/dead-letters"), Vec::<Value>::new());
        rest.site.history.sql(ALLOW);
        annals(rest.site.path(), &["run", "-q"]).exits(0);
        let state = rest.get(&format!("/api/v1/identities/{}", letters[0]["objectId"].as_str().unwrap()));
        assert_eq!(state["displayName"], "Refused", "the next run delivers it");
        for (letter, expected) in [
            (&first, ["redrive", "waits for the next run", "mended", "olga"]),
            (&second, ["discard", "discarded", "of no use", "olga"]),
        ] {
            let shown = annals(rest.site.path(), &["dead", "show", letter, "-o", "json"]).exits(0).json();
            let found = ["act", "outcome", "reason", "actor"].map(|column| shown["acts"][0][column].clone());
            assert_eq!(found, expected.map(Value::from), "{shown:#}");
        }
        let noted =
            "select operation from annals_access where principal = 'olga' and status = 200 order by 1;";
        assert_eq!(rest.site.look(noted), ["discardDeadLetter", "redriveDeadLetter"]);
    }
}

/// A run that is under way is cancelled as `annals runs cancel` does it, once.
#[tokio::test]
async fn an_operator_cancels_a_run() {
    for rest in Rest::everywhere().await {
        let operator = token(&rest.site, "olga", "operator");
        rest.site.history.sql(UNDER_WAY);
        assert_eq!(post(&rest, &rest.auditor, "runs/2/cancel").status, 403);
        let cancelled = post(&rest, &operator, "runs/2/cancel");
        assert_eq!((cancelled.status, &cancelled.body["run"]), (200, &json!(2)), "{cancelled:#?}");
        let run = rest.get("/api/v1/runs/2");
        assert_eq!((&run["state"], &run["status"]), (&json!("ended"), &json!("terminated")), "{run:#}");
        assert!(run["messages"].to_string().contains("It was cancelled by olga; what it had written stays."));
        assert_eq!(post(&rest, &operator, "runs/2/cancel").status, 409);
        assert_eq!(post(&rest, &operator, "runs/99/cancel").status, 404);
    }
}

/// A connection that follows a run.
struct Following {
    stream: TcpStream,
    text: String,
}

impl Following {
    fn begin(rest: &Rest, token: &str, run: &str) -> Self {
        let mut stream = TcpStream::connect(&rest.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let head = format!("Host: {}\r\nAuthorization: Bearer {token}\r\nConnection: close", rest.address);
        write!(stream, "GET /api/v1/runs/{run}/events HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        Self { stream, text: String::new() }
    }

    /// Reads until the text has this, or to the end.
    fn reads(&mut self, until: Option<&str>) -> &str {
        let mut bytes = [0; 4096];
        while until.is_none_or(|until| !self.text.contains(until)) {
            let read = self.stream.read(&mut bytes).expect("an event in time");
            if read == 0 {
                assert_eq!(until, None, "{}", self.text);
                break;
            }
            self.text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        &self.text
    }
}

/// A run is followed to its end: an event when it is asked for, one for each change, a last one; the request is one row of
/// the access log, there from the beginning. It is cut short by a token that is revoked, and by the end of the daemon.
#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    for engine in history_engines() {
        let rest = Rest::on(engine).await;
        let auditor = rest.auditor.clone();
        let mut ended = Following::begin(&rest, &auditor, "1");
        let text = ended.reads(None);
        assert!(text.to_lowercase().contains("content-type: text/event-stream"), "{text}");
        assert!(text.contains("event: end") && text.contains(r#""result":"Success""#), "{text}");
        assert_eq!(text.matches("data: ").count(), 1, "{text}");

        rest.site.history.sql(UNDER_WAY);
        let partitions = rest.site.count("select count(*) from annals_partition where run_id = 2;");
        let mut following = Following::begin(&rest, &auditor, "2");
        let first = following.reads(Some("\n\n")).to_owned();
        assert!(first.contains("event: progress"), "{first}");
        following.reads(Some(&format!(r#""partitions":{partitions},"#)));
        let noted =
            "select count(*) from annals_access where operation = 'followRun' and path like '%/2/events';";
        assert_eq!(rest.site.count(noted), 1);
        rest.site.history.sql("update annals_partition set state = 'failed' where run_id = 2;");
        following.reads(Some(&format!(r#""partitionsFailed":{partitions}"#)));
        rest.site.history.sql("update annals_run set state = 'ended', result = 'Partial' where id = 2;");
        let text = following.reads(None);
        let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
        assert_eq!(events, ["progress", "progress", "end"], "{text}");
        assert!(text.contains(r#""result":"Partial""#), "{text}");

        rest.site.history.sql(UNDER_WAY);
        let revoked = token(&rest.site, "gone", "operator");
        let mut following = Following::begin(&rest, &revoked, "2");
        following.reads(Some("event: progress"));
        annals(rest.site.path(), &["token", "revoke", "gone"]).exits(0);
        assert!(!following.reads(None).contains("event: end"));
        assert_eq!(rest.problem("/api/v1/runs/99/events").0, 404);
        assert_eq!(rest.ask(Some(&revoked), "/api/v1/runs/2/events").status, 401);

        let mut following = Following::begin(&rest, &auditor, "2");
        following.reads(Some("event: progress"));
        let log = rest.daemon.log();
        assert!(!log.contains(&auditor));
        rest.daemon.stops();
        assert!(!following.reads(None).contains("event: end"));
    }
}

/// So many follow at a time, and no more; when one has hung up there is room again.
#[tokio::test]
async fn followers_are_bounded() {
    let rest = Rest::on(Engine::Sqlite).await;
    rest.site.history.sql(UNDER_WAY);
    let mut all: Vec<Following> = (0..32).map(|_| Following::begin(&rest, &rest.auditor, "2")).collect();
    for following in &mut all {
        following.reads(Some("event: progress"));
    }
    assert_eq!(rest.ask(Some(&rest.auditor), "/api/v1/runs/1/events").status, 503);
    drop(all);
    wait_for("room for one more", || {
        Following::begin(&rest, &rest.auditor, "1").reads(None).contains("event: end")
    });
}
