//! What is swept: runs that begin from the same state every time, and what an uninterrupted one makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use annals_testkit::Engine;
use anyhow::{Context, Result, ensure};

use super::dump::{Dump, dump};
use super::site::{Said, Settings, Site};

/// When the generated identity system's first day begins: 2026-01-05 00:00 UTC. Everything in it is older.
const START_MS: i64 = 1_767_571_200_000;
/// The midnight before the day whose night is swept: the named timestamp, to the millisecond.
pub(crate) const NIGHT_MS: i64 = START_MS + 10 * 86_400_000;
/// No change at the source is as late: later instants are those of the runs.
pub(crate) const LATER_MS: i64 = NIGHT_MS + 86_400_000;

/// So many identities have just over a thousand objects: enough for a first load to leave its indexes away.
const IDENTITIES: &str = "40";

/// Every failure is below the thresholds.
const TOLERANT: &str = "maxFailuresPercent: 100";

/// A kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Act {
    /// The first load of an empty history, which leaves its indexes away.
    Load,
    /// A night with changes, deletions, failures, messages that cannot be written, and one that comes late.
    Night,
    /// Such a night again, left in the middle by a process that was killed.
    Takeover,
}

impl Act {
    pub(crate) const ALL: [Self; 3] = [Self::Load, Self::Night, Self::Takeover];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Night => "night",
            Self::Takeover => "takeover",
        }
    }

    /// With what it is run at first.
    pub(crate) const fn settings(self) -> Settings {
        let loss_limit = if matches!(self, Self::Load) { 100 } else { 8 };
        Settings { worker_slots: 2, loss_limit, batch_objects_max: 500, arguments: TOLERANT }
    }
}

/// Where an act begins, and where it must end.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) act: Act,
    /// Copied for each case; nobody works on it.
    before: Site,
    /// The last run of what came before.
    pub(crate) after_run: i64,
    /// What history holds when two runs have ended well.
    pub(crate) expected: Dump,
    /// The points that an uninterrupted process comes by, and how often.
    pub(crate) hits: BTreeMap<String, u32>,
}

impl Stage {
    /// A site at the beginning of the act.
    pub(crate) fn site(&self) -> Result<Site> {
        let site = self.before.copy()?;
        site.configure(self.act.settings())?;
        Ok(site)
    }

    /// Where history is kept.
    pub(crate) fn engine(&self) -> Engine {
        self.before.history.engine()
    }

    /// How many runs of the act have ended well.
    pub(crate) fn ended_well(&self, site: &Site) -> Result<i64> {
        site.count(&format!(
            "select count(*) from annals_run where id > {} and status in ('success', 'warning');",
            self.after_run
        ))
    }
}

/// The stages of an engine, each worked out by runs that nothing interrupts.
pub(crate) fn stages(root: &Path, program: &Path, engine: Engine) -> Result<Vec<Stage>> {
    let empty = Site::new(root, program, Engine::Sqlite, engine)?;
    let url = empty.source.url().to_owned();
    let start = "2026-01-05T00:00:00Z";
    well(&empty, &["demo", "source", "--url", &url, "--start", start, "--identities", IDENTITIES])?;
    empty.configure(Act::Load.settings())?;
    well(&empty, &["migrate"])?;
    let (load, loaded) = stage(Act::Load, empty, 0, None)?;
    let evening = evening(loaded)?;
    let after_run = evening.count("select max(id) from annals_run;")?;
    let left = left_in_the_middle(&evening)?;
    let (night, _) = stage(Act::Night, evening, after_run, None)?;
    let (takeover, _) = stage(Act::Takeover, left, after_run, Some(&night.expected))?;
    Ok(vec![load, night, takeover])
}

/// A stage, and the site after two uninterrupted runs.
fn stage(act: Act, before: Site, after_run: i64, expected: Option<&Dump>) -> Result<(Stage, Site)> {
    let site = before.copy()?;
    site.configure(act.settings())?;
    let hits = site.folder().join("hits");
    let noted = hits.to_str().context("a folder's name is UTF-8")?;
    let said = site.call(&["run"], &[("ANNALS_FAULT_HITS", noted)])?;
    ensure!(said.is_well(), "{}: an uninterrupted run failed: {}", act.as_str(), said.err);
    let mut counted = BTreeMap::new();
    for point in fs::read_to_string(&hits).context("the program was built without faults")?.lines() {
        *counted.entry(point.to_owned()).or_default() += 1;
    }
    let mut stage = Stage { act, before, after_run, expected: Dump::new(), hits: counted };
    while stage.ended_well(&site)? < 2 {
        well(&site, &["run"])?;
    }
    stage.expected = match expected {
        Some(expected) => expected.clone(),
        None => dump(&site, after_run)?,
    };
    Ok((stage, site))
}

/// What an identity system and its history are like before the night: somebody has failed, and a message waits that could
/// not be written until something newer was. Then a day passes.
fn evening(site: Site) -> Result<Site> {
    site.configure(Act::Night.settings())?;
    let changed_ms = NIGHT_MS - 3_000;
    // Others with it: a message that is refused alone might not be the one at fault.
    site.source.sql(&format!(
        "update spt_link set display_name = 'earlier', significant_modified = {changed_ms}
           where id in (select id from spt_link where identity_id is not null order by id limit 8);
         update spt_identity set description = attributes, attributes = '<Attributes', significant_modified = {changed_ms}
           where id in ({});",
        person(1)
    ));
    refuse(&site, 1);
    reads_from(&site, changed_ms);
    well(&site, &["run"])?;
    allow(&site);
    site.source.sql(&format!(
        "update spt_link set display_name = 'later', significant_modified = {} where id in ({});",
        NIGHT_MS - 2_000,
        account(1)
    ));
    reads_from(&site, NIGHT_MS - 2_000);
    well(&site, &["run"])?;
    ensure!(site.count("select count(*) from annals_parked_message;")? == 1, "no message waits");
    ensure!(site.count("select count(*) from annals_failed_object;")? == 1, "nobody is on the list");
    // It comes late now.
    site.history.sql("update annals_parked_message set due = 0;");
    day(&site);
    refuse_for_good(&site, 20);
    reads_from(&site, NIGHT_MS);
    Ok(site)
}

/// A day's changes: many accounts, one of which history refuses; something that changed on the stroke of midnight; somebody
/// who can no longer be read, and somebody who can again; a role and an account that are gone, a capability that was gone
/// and is back, and a note about something that was never there.
fn day(site: &Site) {
    let gone = |id: &str, class: &str, at: &str| {
        format!(
            "insert into spt_intercepted_delete (id, created, object_id, object_type, object_deleted_date,
               extract_config_name, transform_config_name, extracted_object_json)
             select 'note-' || id, {NIGHT_MS}, id, '{class}', {at}, 'e', 't', '{{}}' from ({id});"
        )
    };
    let role = "select id from spt_bundle order by id desc limit 1";
    let link = "select id from spt_link where identity_id is not null order by id desc limit 1";
    let capability = "select id from spt_capability order by id desc limit 1";
    let now = "cast((julianday('now') - 2440587.5) * 86400000 as integer)";
    let at = |after: i64| (NIGHT_MS + after).to_string();
    let changed_ms = NIGHT_MS + 1_000;
    let (failing, repaired) = (person(2), person(1));
    let notes = [
        gone(role, "Bundle", &at(2_000)),
        gone(link, "Link", &at(3_000)),
        gone(capability, "Capability", now),
        gone("select 'never-seen' as id", "Bundle", &at(4_000)),
    ];
    site.source.sql(&format!(
        "update spt_capability set description = 'midnight', modified = {NIGHT_MS} where name = 'SystemAdministrator';
         update spt_link set display_name = 'night ' || id, significant_modified = {changed_ms}
           where id in (select id from spt_link where identity_id is not null order by id limit 30);
         update spt_identity set description = attributes, attributes = '<Attributes', significant_modified = {changed_ms}
           where id in ({failing});
         update spt_identity set attributes = description where id in ({repaired});
         {}
         delete from spt_bundle where id in ({role});
         delete from spt_link where id in ({link});",
        notes.join("\n")
    ));
}

/// A night that was left in the middle: some partitions are under way, one of their objects may be why.
fn left_in_the_middle(evening: &Site) -> Result<Site> {
    let site = evening.copy()?;
    site.configure(Act::Night.settings())?;
    let said = site.call(&["run"], &[("FAILPOINTS", "worker.published=4*off->return(kill)")])?;
    ensure!(said.status.code().is_none(), "the process that was to be killed has ended: {}", said.err);
    site.let_leases_run_out();
    ensure!(
        site.count("select count(*) from annals_partition where state = 'leased';")? > 0,
        "nothing is left"
    );
    Ok(site)
}

/// The id of the nth account that somebody holds, as a query.
pub(crate) fn account(nth: u32) -> String {
    format!("select id from spt_link where identity_id is not null order by id limit 1 offset {nth}")
}

/// The id of the nth person, as a query.
pub(crate) fn person(nth: u32) -> String {
    format!("select id from spt_identity where coalesce(workgroup, 0) = 0 order by id limit 1 offset {nth}")
}

/// Lets history refuse captures of the nth account, for a reason that may pass.
fn refuse(site: &Site, nth: u32) {
    let id = site.source.sql(&format!("{};", account(nth)));
    let id = id.trim();
    site.history.sql(&match site.history.engine() {
        Engine::Postgres => format!(
            "create function refuse() returns trigger language plpgsql as
               $$ begin if new.account_id = '{id}' then raise exception 'refused'; end if; return new; end $$;
             create trigger refuse before insert on spt_hist_account_capture for each row execute function refuse();"
        ),
        _ => format!(
            "create trigger refuse before insert on spt_hist_account_capture when new.account_id = '{id}'
             begin select raise(abort, 'refused'); end;"
        ),
    });
}

/// Lets history refuse further captures of the nth account, which has one, as no later attempt will change.
fn refuse_for_good(site: &Site, nth: u32) {
    let id = site.source.sql(&format!("{};", account(nth)));
    let id = id.trim();
    site.history.sql(&format!(
        "create unique index refuse on spt_hist_account_capture (account_id) where account_id = '{id}';"
    ));
}

fn allow(site: &Site) {
    site.history.sql(match site.history.engine() {
        Engine::Postgres => "drop trigger refuse on spt_hist_account_capture; drop function refuse;",
        _ => "drop trigger refuse;",
    });
}

/// The generated days are not today's, so the task is told from when on to read.
pub(crate) fn reads_from(site: &Site, since_ms: i64) {
    site.history.sql(&format!("update annals_named_timestamp set timestamp_ms = {since_ms};"));
}

/// Calls the program, which must do what it is asked to.
pub(crate) fn well(site: &Site, arguments: &[&str]) -> Result<Said> {
    let said = site.call(arguments, &[])?;
    ensure!(said.is_well(), "`annals {}` failed ({}): {}", arguments.join(" "), said.status, said.err);
    Ok(said)
}
