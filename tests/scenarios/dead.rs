//! Messages that cannot be written: parked, given up, looked at, delivered once more, discarded.

use serde_json::{Value, json};

use crate::program::{Said, annals};
use crate::site::Site;

/// History refuses a second person of this display name.
const REFUSE: &str =
    "create unique index refuse on spt_hist_identity_capture (display_name) where display_name = 'Refused';";
pub(crate) const ALLOW: &str = "drop index refuse;";

/// A site after its first run, and the ids of so many people whom history then refuses but for one of them.
pub(crate) async fn refused(site: &Site, people: usize) -> Vec<String> {
    site.arguments("maxFailuresPercent: 100");
    annals(site.path(), &["run", "-q"]).exits(0);
    site.history.sql(REFUSE);
    let ids = site.ask(&format!(
        "select id from spt_identity where coalesce(workgroup, {{false}}) = {{false}} order by id limit {people};"
    ));
    let started = site.count("select max(started) from annals_run;");
    site.change(&format!(
        "update spt_identity set display_name = 'Refused', modified = {started} where id in ('{}');",
        ids.join("', '")
    ));
    // Others failed, and few enough.
    annals(site.path(), &["run", "-q"]).exits(3);
    ids
}

fn items(said: &Said) -> Vec<Value> {
    said.json()["items"].as_array().unwrap().clone()
}

fn ids(letters: &[Value]) -> Vec<&str> {
    letters.iter().map(|letter| letter["letter"].as_str().unwrap()).collect()
}

/// IIQ-58, IIQ-59, IIQ-60: a message that was given up is logged in a file of its own, told on the timeline, and can be
/// looked at, delivered once more, or discarded for a reason; and every act is noted.
#[tokio::test]
async fn dead_letters_are_looked_at_delivered_once_more_and_discarded() {
    for site in Site::on_each_history(20).await {
        site.service("queue: {maxRedeliveries: 0}\ncapture: {createDiscardedMessageEvent: true}\n");
        let people = refused(&site, 3).await;
        let call = |arguments: &[&str]| annals(site.path(), arguments);

        let letters = items(&call(&["dead", "list", "-o", "json"]).exits(0));
        assert_eq!(letters.len(), 2, "{letters:?}");
        assert!(letters.is_sorted_by_key(|letter| letter["objectId"].as_str().unwrap().to_owned()));
        assert!(letters.iter().all(|letter| people.iter().any(|id| letter["objectId"] == **id)));
        assert!(letters.iter().all(|letter| letter["run"] == 2 && letter["attempts"] == 1));
        let [first, second] = ids(&letters)[..] else { panic!("{letters:?}") };

        let log = std::fs::read_to_string(site.path().join("discarded-messages.log")).unwrap();
        assert_eq!(log.lines().count(), 2, "{log}");
        assert!(log.contains(first) && log.contains(second) && log.contains(" INFO "), "{log}");
        let name = letters[0]["name"].as_str().unwrap();
        let told = items(&call(&["timeline", "identity", name, "-o", "json"]).exits(0));
        assert!(told.iter().any(|event| event["event"] == "DiscardedMessage"), "{told:?}");

        let shown = call(&["dead", "show", first, "-o", "json"]).exits(0).json();
        assert_eq!(shown["message"]["image"]["imageFields"]["displayName"], "Refused");
        assert_eq!((&shown["letter"], &shown["acts"]), (&letters[0], &json!([])));
        call(&["dead", "show", first]).exits(0);
        call(&["dead", "show", "nope"]).exits(5).tells("dead letter nope was not found");

        call(&["dead", "redrive"]).exits(2).tells("which letters is not said");
        call(&["dead", "redrive", first, "nope"]).exits(5).tells("dead letter nope was not found");
        call(&["dead", "redrive", "--type", "role"]).exits(5);
        let failed = items(&call(&["dead", "redrive", first, "-o", "json"]).exits(3));
        assert!(failed[0]["outcome"].as_str().unwrap().starts_with("failed: "), "{failed:?}");

        call(&["dead", "discard", second]).exits(2).tells("--reason");
        call(&["dead", "discard", second, "--reason", " "]).exits(2).tells("a reason is missing");
        call(&["dead", "discard", second, "--reason", "of no use"])
            .exits(0)
            .tells("Done. letters=1 failed=0");
        site.history.sql(ALLOW);
        let written =
            items(&call(&["dead", "redrive", "--object", name, "--reason", "mended", "-o", "json"]).exits(0));
        assert_eq!(written[0]["outcome"], "written");
        let left = call(&["dead", "list", "-o", "json"]).exits(0).json();
        assert_eq!(left, json!({"items": [], "cut": false}));

        let state = call(&["as-of", "identity", name, "-o", "json"]).exits(0).out;
        assert!(state.contains("Refused"), "{state}");
        let acts = |letter: &str| -> Vec<Vec<Value>> {
            let shown = call(&["dead", "show", letter, "-o", "json"]).exits(0).json();
            let acts = shown["acts"].as_array().unwrap().clone();
            acts.iter().map(|act| ["act", "reason"].map(|field| act[field].clone()).into()).collect()
        };
        assert_eq!(acts(first), [["redrive", ""].map(Value::from), ["redrive", "mended"].map(Value::from)]);
        assert_eq!(acts(second), [["discard", "of no use"].map(Value::from)]);
    }
}

/// IIQ-57: a message that could not be written waits, and a later run delivers it again before it reads anything.
#[tokio::test]
async fn a_parked_message_is_written_by_a_later_run() {
    for site in Site::on_each_history(20).await {
        site.service("queue: {redeliveryDelaySeconds: 0}\n");
        refused(&site, 2).await;
        let call = |arguments: &[&str]| annals(site.path(), arguments);
        let parked = items(&call(&["dead", "list", "--parked", "-o", "json"]).exits(0));
        // Once by the run, and once more at its end.
        assert_eq!((parked.len(), &parked[0]["attempts"]), (1, &json!(2)), "{parked:?}");
        assert_eq!(items(&call(&["dead", "list", "-o", "json"]).exits(0)), Vec::<Value>::new());
        site.history.sql(ALLOW);
        call(&["run", "-q"]).exits(0);
        assert_eq!(items(&call(&["dead", "list", "--parked", "-o", "json"]).exits(0)), Vec::<Value>::new());
        let refused = "select count(*) from spt_hist_identity where display_name = 'Refused';";
        assert_eq!(site.count(refused), 2);
        // What the run read once more was written by then.
        assert_eq!(site.count("select sum(full_captures) from annals_run_write where run_id = 3;"), 0);
    }
}
