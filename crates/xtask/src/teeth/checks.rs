//! The checks: each does something in which one rule matters, and fails where the rule was broken.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use annals_testkit::Engine;
use anyhow::{Context, Result, ensure};

use crate::root::Root;
use crate::sweep::acts::{Act, NIGHT_MS, Stage, person, reads_from, stages, well};
use crate::sweep::case::{Case, Fault, Place, heal};
use crate::sweep::dump::{difference, dump, raw};
use crate::sweep::rules::broken;
use crate::sweep::site::{Running, Settings, Site};

/// How a defect is caught.
pub(super) struct Check {
    /// As `ANNALS_DEFECT` names it.
    pub(super) defect: &'static str,
    /// What is done, for people.
    pub(super) by: &'static str,
    pub(super) engine: Engine,
    /// Plays it with a defect, or without.
    pub(super) play: fn(&Scene, Option<&str>) -> Result<Noticed>,
}

/// What is wrong with the program, if anything is; an error says that the check itself could not be made.
pub(super) type Noticed = Option<String>;

/// All checks.
pub(super) const CHECKS: [Check; 12] = [
    Check {
        defect: "fence-removed",
        by: "a process stands still before it writes, another ends its run, and it goes on",
        engine: Engine::Postgres,
        play: |scene, defect| scene.stands_still_at("writer.deciding", Act::Load, defect),
    },
    Check {
        defect: "driver-fence-removed",
        by: "a process stands still before it finishes a run, another does, and it goes on",
        engine: Engine::Postgres,
        play: |scene, defect| scene.stands_still_at("dispatcher.ending", Act::Night, defect),
    },
    Check {
        defect: "checkpoint-apart",
        by: "the sweep: killed before the state of a partition is saved",
        engine: Engine::Sqlite,
        play: |scene, defect| scene.sweeps(Act::Night, "writer.saving", 2, Fault::Kill, defect),
    },
    Check {
        defect: "open-lower-bound",
        by: "a night in which something changed at the instant of the named timestamp",
        engine: Engine::Sqlite,
        play: |scene, defect| scene.runs_through(Act::Night, defect),
    },
    Check {
        defect: "no-horizon",
        by: "a change that is committed after a run which began after it was made",
        engine: Engine::Postgres,
        play: Scene::commits_late,
    },
    Check {
        defect: "host-clock",
        by: "a second host whose clock is ten minutes ahead",
        engine: Engine::Postgres,
        play: Scene::is_ten_minutes_ahead,
    },
    Check {
        defect: "early-acknowledgement",
        by: "the sweep: a delivery is refused once",
        engine: Engine::Sqlite,
        play: |scene, defect| scene.sweeps(Act::Night, "writer.commit", 2, Fault::Denied, defect),
    },
    Check {
        defect: "failures-cleared",
        by: "a run with more failures than a threshold allows",
        engine: Engine::Sqlite,
        play: Scene::breaches,
    },
    Check {
        defect: "events-kept",
        by: "a night in which a message comes late",
        engine: Engine::Sqlite,
        play: |scene, defect| scene.runs_through(Act::Night, defect),
    },
    Check {
        defect: "timestamp-apart",
        by: "the sweep: killed while named timestamp and failures are saved",
        engine: Engine::Postgres,
        play: |scene, defect| scene.sweeps(Act::Night, "dispatcher.listed", 1, Fault::Kill, defect),
    },
    Check {
        defect: "heads-uncompared",
        by: "two tasks write the same objects at the same time",
        engine: Engine::Postgres,
        play: Scene::writes_at_once,
    },
    Check {
        defect: "lost-answer-ignored",
        by: "the sweep: the answer to a commit gets lost",
        engine: Engine::Sqlite,
        play: |scene, defect| scene.sweeps(Act::Night, "writer.committed", 2, Fault::Conflict, defect),
    },
];

/// What checks begin from.
pub(super) struct Scene {
    pub(super) engine: Engine,
    stages: BTreeMap<Act, Stage>,
    root: std::path::PathBuf,
    program: std::path::PathBuf,
}

fn variables(defect: Option<&str>) -> Vec<(&str, &str)> {
    defect.map(|defect| ("ANNALS_DEFECT", defect)).into_iter().collect()
}

impl Scene {
    pub(super) fn new(root: &Root, program: &Path, engine: Engine) -> Result<Self> {
        let stages = stages(root.folder(), program, engine)?;
        let stages = stages.into_iter().map(|stage| (stage.act, stage)).collect();
        Ok(Self { engine, stages, root: root.folder().to_owned(), program: program.to_owned() })
    }

    fn stage(&self, act: Act) -> Result<&Stage> {
        self.stages.get(&act).context("every act has a stage")
    }

    /// One case of the sweep.
    fn sweeps(&self, act: Act, point: &str, hit: u32, fault: Fault, defect: Option<&str>) -> Result<Noticed> {
        let case = Case { engine: self.engine, act, place: Place::Point(point.to_owned()), hit, fault };
        Ok(case.play(self.stage(act)?, defect).err().map(|error| format!("{error:#}")))
    }

    /// Runs that nothing interrupts.
    fn runs_through(&self, act: Act, defect: Option<&str>) -> Result<Noticed> {
        let stage = self.stage(act)?;
        let site = stage.site()?;
        heal(stage, &site, defect, false)?;
        let difference = difference(&dump(&site, stage.after_run)?, &stage.expected);
        Ok(difference.map(|difference| format!("history is another one: {difference}")))
    }

    /// A process stands still past its leases; what it does when it goes on must change nothing.
    fn stands_still_at(&self, point: &str, act: Act, defect: Option<&str>) -> Result<Noticed> {
        let stage = self.stage(act)?;
        let site = stage.site()?;
        // Chunks of many deliveries, most of which save no state.
        site.configure(Settings { batch_objects_max: 20, ..act.settings() })?;
        let stopped = stop_at(&site, point, &["run"], defect)?;
        site.let_leases_run_out();
        heal(stage, &site, defect, false)?;
        let before = raw(&site, &["annals_host"])?;
        stopped.goes_on()?;
        stopped.end()?;
        let after = raw(&site, &["annals_host"])?;
        let written: Vec<&str> =
            after.iter().filter(|row| !before.contains(row)).map(|(table, _)| table.as_str()).collect();
        let changed = !written.is_empty() || before.len() != after.len();
        Ok(changed.then(|| format!("who had lost the lease has changed rows of {written:?}")))
    }

    /// A transaction of the source that was open while a run read it.
    fn commits_late(&self, defect: Option<&str>) -> Result<Noticed> {
        let site = Site::new(&self.root, &self.program, Engine::Postgres, self.engine)?;
        let url = site.source.url().to_owned();
        well(
            &site,
            &["demo", "source", "--url", &url, "--identities", "20", "--start", "2026-01-05T00:00:00Z"],
        )?;
        site.configure(Act::Night.settings())?;
        well(&site, &["migrate"])?;
        well(&site, &["run"])?;
        let mut late = Late::begin(&site)?;
        let run = || -> Result<()> {
            let said = site.call(&["run"], &variables(defect))?;
            ensure!(said.is_well(), "a run failed: {}", said.err);
            Ok(())
        };
        run()?;
        late.commit()?;
        run()?;
        let known = site.count(
            "select count(*) from spt_hist_capability_capture
             where capability_id in (select object_id from annals_head where name = 'SystemAdministrator')
               and effective_date > (select min(started) from annals_run);",
        )?;
        Ok((known != 1).then(|| "what was committed late is missing".to_owned()))
    }

    /// A host that stands still within its lease, and another one whose clock is ahead: only the database's counts.
    fn is_ten_minutes_ahead(&self, defect: Option<&str>) -> Result<Noticed> {
        let site = self.stage(Act::Night)?.site()?;
        let stopped = stop_at(&site, "writer.deciding", &["run"], defect)?;
        let mut other = site.command(&[], &["run"]);
        // The library itself: the program around it keeps a semaphore that outlives it when it is killed.
        other
            .env("LD_PRELOAD", libfaketime()?)
            .env("FAKETIME", "+10m")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let said = site.start(other.envs(variables(defect)))?.end()?;
        let taken = site.count("select max(driver_epoch) from annals_run;")? > 1;
        stopped.goes_on()?;
        stopped.end()?;
        ensure!(taken || said.status.code() == Some(7), "it ended with {}: {}", said.status, said.err);
        Ok(taken.then(|| "the run of a living process was taken over".to_owned()))
    }

    /// Two people can no longer be read, of whom one is on the list already, and no new failure is allowed.
    fn breaches(&self, defect: Option<&str>) -> Result<Noticed> {
        let site = self.stage(Act::Night)?.site()?;
        let list = "select object_type, object_id, attempts from annals_failed_object order by 1, 2;";
        let before = site.history.sql(list);
        ensure!(!before.is_empty(), "nobody is on the list");
        site.source.sql(&format!(
            "update spt_identity set attributes = '<Attributes', significant_modified = {} where id in ({});",
            NIGHT_MS + 1,
            person(3)
        ));
        let arguments = "maxFailuresAbsolute: 0, maxFailuresPercent: 100";
        site.configure(Settings { arguments, ..Act::Night.settings() })?;
        let said = site.call(&["run"], &variables(defect))?;
        ensure!(said.status.code() == Some(4), "the run did not fail ({}): {}", said.status, said.err);
        let after = site.history.sql(list);
        Ok((after != before).then(|| format!("the list of failed objects was {before:?} and is {after:?}")))
    }

    /// One process has read the heads of its objects and stands still, another writes them meanwhile.
    fn writes_at_once(&self, defect: Option<&str>) -> Result<Noticed> {
        let site = self.stage(Act::Night)?.site()?;
        let other = "name: Other\nextractConfiguration: OtherConfig\narguments: {maxFailuresPercent: 100}\n";
        site.write("tasks/other.yaml", other)?;
        site.write(
            "extract/OtherConfig.yaml",
            "transformConfigurationName: AccessHistoryImageConfig\nextractedObjects: {account: {}}\n",
        )?;
        // Both know where to begin, and only objects that history has are at stake.
        site.source.sql("delete from spt_intercepted_delete;");
        site.history.sql(&format!(
            "drop index refuse; delete from annals_parked_message;
             insert into annals_named_timestamp (task, timestamp_ms, updated, run_id)
               select 'Other', {NIGHT_MS}, updated, run_id from annals_named_timestamp;"
        ));
        reads_from(&site, NIGHT_MS);
        let stopped = stop_at(&site, "writer.writing", &["run"], defect)?;
        let said = site.call(&["run", "Other"], &variables(defect))?;
        ensure!(said.is_well(), "the other task failed: {}", said.err);
        stopped.goes_on()?;
        let said = stopped.end()?;
        ensure!(said.is_well(), "the process that went on failed: {}", said.err);
        Ok(broken(&site))
    }
}

/// The library that shifts a program's clocks, wherever its package has put it.
fn libfaketime() -> Result<std::path::PathBuf> {
    let folders = std::fs::read_dir("/usr/lib")?.flatten().map(|entry| entry.path());
    let mut found =
        folders.map(|folder| folder.join("faketime/libfaketime.so.1")).filter(|path| path.is_file());
    found.next().context("libfaketime is not there: `cargo x setup` installs it")
}

/// A process that stands still when it comes by a point first.
fn stop_at(site: &Site, point: &str, arguments: &[&str], defect: Option<&str>) -> Result<Running> {
    let mut command = site.command(&[], arguments);
    command.env("FAILPOINTS", format!("{point}=1*return(stop)->off")).envs(variables(defect));
    let mut running = site.start(&mut command)?;
    running.stands_still()?;
    Ok(running)
}

/// A transaction that stays open.
struct Late(std::process::Child);

impl Late {
    /// Changes something and does not commit.
    fn begin(site: &Site) -> Result<Self> {
        let mut psql = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", site.source.url()])
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start psql")?;
        let stdin = psql.stdin.as_mut().context("psql reads what it is told")?;
        stdin.write_all(
            b"begin; update spt_capability set description = 'late',
                modified = cast(extract(epoch from clock_timestamp()) * 1000 as bigint)
              where name = 'SystemAdministrator';\n",
        )?;
        stdin.flush()?;
        let mut late = Self(psql);
        let open = "select count(*) from pg_stat_activity where datname = current_database()
                      and state = 'idle in transaction';";
        while site.source.sql(open).trim() == "0" {
            ensure!(late.0.try_wait()?.is_none(), "psql could not change anything");
            std::thread::sleep(crate::sweep::site::LOOK_EVERY);
        }
        Ok(late)
    }

    fn commit(&mut self) -> Result<()> {
        let mut stdin = self.0.stdin.take().context("psql reads what it is told")?;
        stdin.write_all(b"commit;\n")?;
        drop(stdin);
        ensure!(self.0.wait()?.success(), "psql could not commit");
        Ok(())
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
