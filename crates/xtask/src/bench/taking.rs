//! The steps of a run, each with what it costs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::figures::{COPY, Cost, Done, INSERTS, Step};
use super::history::{History, HistoryEngine, total};
use super::meter::{Running, Usage};
use super::processes::machine_cpu;
use super::program::Program;
use super::report::Taken;
use super::{Bench, COPIED, HISTORY, INITIAL, SOURCE, WORLD, floor, inserts, tell};

/// The end of the last day that has passed in the identity system, in epoch milliseconds.
const WORLD_NOW: &str = "\
select (value::json->>'startMs')::bigint + (value::json->>'day')::bigint * 86400000 from annals_world";

/// A configured program between its two databases.
pub(super) struct Site {
    pub(super) program: Program,
    pub(super) history: History,
    source_url: String,
}

impl Bench<'_> {
    /// One run of a program through all steps, on fresh databases.
    pub(super) fn take(&self, annals: &Path, format: &str) -> Result<Taken> {
        let site = self.make_site(annals, &format!("jsonFormat: {format}"))?;
        let floor = self.floor()?;
        let migrate = self.step("migrate", &site.history, &mut site.program.migrate())?;
        let initial = self.night(INITIAL, &site)?;
        let inserts = self.inserts(&site.history, &initial.done)?;
        let changed = self.changed_night("night, 1 % changed", &site)?;
        let quiet = self.night("night, no change", &site)?;
        ensure!(quiet.done.objects == 0, "the night after no day has found {} objects", quiet.done.objects);

        // The floor copies what the initial run reads, so its cost is shared among the same objects.
        let copied = Done { objects: initial.done.objects, ..Done::default() };
        let mut steps = vec![Step { done: copied, ..floor }, migrate, initial];
        steps.extend(inserts);
        steps.extend([changed, quiet]);
        Ok(Taken { steps, sizes: site.history.sizes(&self.server)? })
    }

    /// A fresh copy of the identity system, a history that is not there yet, and a program that is configured for
    /// both with these settings for captures.
    pub(super) fn make_site(&self, annals: &Path, capture: &str) -> Result<Site> {
        let folder = self.site_folder();
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot remove the run before")?;
        }
        fs::create_dir(&folder).context("cannot make a folder for a run")?;
        self.server.make_database(SOURCE, Some(WORLD))?;
        let history = match self.options.history {
            HistoryEngine::Postgres => {
                self.server.make_database(HISTORY, None)?;
                History::Postgres(HISTORY)
            }
            HistoryEngine::Sqlite => History::Sqlite(folder.join("history.db")),
        };
        let (source_url, history_url) = (self.server.url(SOURCE), history.url(&self.server));
        let program = Program::configure(annals, self.config_folder(), &source_url, &history_url, capture)?;
        if self.options.source_indexes {
            // One by one, as those must be that are made while others write.
            for statement in program.source_indexes()?.lines().filter(|line| line.ends_with(';')) {
                self.server.sql(SOURCE, statement)?;
            }
        }
        Ok(Site { program, history, source_url })
    }

    /// Copies the source's rows into another database.
    fn floor(&self) -> Result<Step> {
        floor::prepare(&self.server, &self.interrupts, SOURCE, COPIED)?;
        let tables = floor::tables(&self.server, SOURCE)?;
        let copy = || floor::copy(&self.server, &self.interrupts, &tables, SOURCE, COPIED);
        let step = Step { name: COPY, cost: self.measure(copy)?, done: Done::default() };
        self.server.sql("postgres", &format!("drop database {COPIED}"))?;
        tell(&step);
        Ok(step)
    }

    /// Inserts the rows that the initial run has made into a file of their own; nothing where history is no file.
    fn inserts(&self, history: &History, initial: &Done) -> Result<Option<Step>> {
        let History::Sqlite(file) = history else { return Ok(None) };
        let folder = self.site_folder().join("inserts");
        fs::create_dir(&folder).context("cannot make a folder for inserts")?;
        let target = folder.join("history.db");
        let inserted = inserts::insert(file, &target)?;
        let captures = inserted.captures;
        ensure!(captures == initial.captures, "{captures} captures inserted, {} are there", initial.captures);
        let usage = Usage { wall: inserted.wall()?, cpu: inserted.cpu()?, peak_bytes: 0 };
        let other_cpu = inserted.other_cpu()?;
        let cost = Cost { usage, server_cpu: Duration::ZERO, other_cpu, wal_bytes: None };
        let (table_bytes, index_bytes) = total(&History::Sqlite(target).sizes(&self.server)?);
        let step = Step { name: INSERTS, cost, done: Done { table_bytes, index_bytes, ..*initial } };
        fs::remove_dir_all(folder).context("cannot remove the inserted rows")?;
        tell(&step);
        Ok(Some(step))
    }

    /// Lets a day pass and executes the task.
    pub(super) fn changed_night(&self, name: &'static str, site: &Site) -> Result<Step> {
        site.program.pass_day(&site.source_url)?;
        let night = self.night(name, site)?;
        ensure!(night.done.captures > 0, "the night after a day has found no change");
        Ok(night)
    }

    /// Executes the task and then says that the source has been read to the end of its last day.
    pub(super) fn night(&self, name: &'static str, site: &Site) -> Result<Step> {
        let mut step = self.step(name, &site.history, &mut site.program.run())?;
        let Done { objects, captures, events, .. } = site.program.newest_run()?;
        step.done = Done { objects, captures, events, ..step.done };
        let now_ms = self.server.sql(SOURCE, WORLD_NOW)?.trim().parse();
        site.history.put_named_timestamp(&self.server, now_ms.context("the identity system has no day")?)?;
        Ok(step)
    }

    /// Runs a program that writes to history; by how much its tables grew.
    pub(super) fn step(&self, name: &'static str, history: &History, command: &mut Command) -> Result<Step> {
        history.settle(&self.server)?;
        let before = total(&history.sizes(&self.server)?);
        let mut cost = self.measure(|| Running::start(command)?.end(&self.interrupts))?;
        if matches!(history, History::Sqlite(_)) {
            cost.wal_bytes = None;
        }
        let after = total(&history.sizes(&self.server)?);
        let table_bytes = after.0.saturating_sub(before.0);
        let index_bytes = after.1.saturating_sub(before.1);
        let step = Step { name, cost, done: Done { table_bytes, index_bytes, ..Done::default() } };
        tell(&step);
        Ok(step)
    }

    /// What an action costs: its own programs, the server, and what else the machine did meanwhile.
    fn measure(&self, action: impl FnOnce() -> Result<Usage>) -> Result<Cost> {
        self.server.settle()?;
        let wal = self.server.wal_position()?;
        self.server.wait_for_clients()?;
        let (server_before, machine_before) = (self.server.cpu()?, machine_cpu()?);
        let usage = action()?;
        self.server.wait_for_clients()?;
        let server_cpu = self.server.cpu()?.saturating_sub(server_before);
        let all_cpu = machine_cpu()?.saturating_sub(machine_before);
        let other_cpu = all_cpu.saturating_sub(usage.cpu + server_cpu);
        Ok(Cost { usage, server_cpu, other_cpu, wal_bytes: Some(self.server.wal_bytes_since(&wal)?) })
    }
}
