//! An object that kills whoever works on it. Here reading it never ends, and the process is killed while it waits: the
//! kernel does not ask what it had in hand.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use annals_testkit::{Engine, history_engines};
use serde_json::json;

use crate::program::{annals, complete, program};
use crate::site::{START_MS, Site, somebody};

/// How long a run may take until it meets the object, or ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lets reading somebody's attributes never end. The function is called stable, for a volatile one would be called by
/// every question to the view.
fn lay_trap(site: &Site, id: &str) {
    let columns = site.ask_one(&format!(
        "select string_agg(case when column_name = 'attributes'
             then 'case when id = ''{id}'' then trap(attributes) else attributes end as attributes'
             else quote_ident(column_name) end, ', ' order by ordinal_position)
         from information_schema.columns where table_name = 'spt_identity';"
    ));
    site.change(&format!(
        "create function trap(value text) returns text language plpgsql stable as
           'begin perform pg_sleep(3600); return value; end';
         alter table spt_identity rename to spt_identity_without_trap;
         create view spt_identity as select {columns} from spt_identity_without_trap;"
    ));
}

fn take_trap_away(site: &Site) {
    site.change("drop view spt_identity; alter table spt_identity_without_trap rename to spt_identity;");
}

fn start(site: &Site) -> Child {
    let mut command = Command::new(program());
    complete(&mut command, site.path(), &["run"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills the process when it has met the object.
fn kill_when_trapped(site: &Site, mut process: Child) {
    let trapped = "from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    let began = Instant::now();
    while site.ask_one(&format!("select count(*) {trapped};")) == "0" {
        assert!(process.try_wait().unwrap().is_none(), "it ended without meeting the object");
        assert!(began.elapsed() < PATIENCE);
    }
    process.kill().unwrap();
    process.wait().unwrap();
    site.ask(&format!("select pg_terminate_backend(pid) {trapped};"));
    // The next process need not wait until the dead one's leases have run out.
    site.history.sql(
        "update annals_run set driver_until = 1 where state <> 'ended';
         update annals_partition set lease_until = 1 where state = 'leased';",
    );
}

/// An object over which three workers died is set apart and the run goes on to its end, with everything else captured.
/// It stays apart, changed or not, until somebody lets it out.
#[tokio::test]
async fn an_object_that_kills_its_worker_three_times_is_set_apart() {
    for history in history_engines() {
        let site = Site::new(Engine::Postgres, history, 20).await;
        site.change("update spt_capability set description = null;");
        let (id, _) = somebody(&site);
        lay_trap(&site, &id);
        for deaths in 1..=3 {
            kill_when_trapped(&site, start(&site));
            assert_eq!(site.timestamp(), None);
            let noted = site.look(&format!("select deaths from annals_suspect where object_id = '{id}';"));
            // A death is noted when the next run finds it.
            let expected = if deaths == 1 { vec![] } else { vec![(deaths - 1).to_string()] };
            assert_eq!(noted, expected, "{history}");
        }
        let said = annals(site.path(), &["runs", "resume", "1"])
            .exits(3)
            .tells(" failed=1 ")
            .tells("Objects in quarantine: 1.");
        let qualified = said.err.split_once("qualified=").unwrap().1.split(' ').next().unwrap();
        let captured = site.count("select count(*) from annals_head;");
        assert_eq!(captured + 1, qualified.parse::<u64>().unwrap());
        assert_eq!(site.count("select count(*) from annals_suspect;"), 0);
        let list = annals(site.path(), &["failures", "list", "-o", "json"]).exits(0).json();
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{list}");
        assert_eq!((&items[0]["objectId"], &items[0]["stage"]), (&json!(id), &json!("quarantine")));

        let touched_ms = START_MS + 400 * 86_400_000;
        site.change(&format!(
            "update spt_identity_without_trap set significant_modified = {touched_ms} where id = '{id}';"
        ));
        annals(site.path(), &["run"]).exits(0).tells("warning: Objects in quarantine: 1.");

        take_trap_away(&site);
        annals(site.path(), &["failures", "retry", "--stage", "quarantine"]).exits(0);
        annals(site.path(), &["run"]).exits(0);
        assert_eq!(site.count("select count(*) from annals_failed_object;"), 0);
        let seen = format!("select count(*) from spt_hist_identity_capture where identity_id = '{id}';");
        assert_eq!(site.count(&seen), 1);
    }
}
