//! `cargo x sweep`: a run is interrupted at every step, others go on, and history must be what it would have been.
//!
//! docs/reliability.md says what that shows.

pub(crate) mod acts;
pub(crate) mod case;
pub(crate) mod dump;
pub(crate) mod rules;
mod sends;
pub(crate) mod site;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{fs, thread};

use annals_testkit::{Engine, history_engines};
use anyhow::{Context, Result, ensure};

use self::acts::{Act, Stage, stages};
use self::case::{Case, Fault, Outcome, Place};
use self::table::Table;
use crate::bench::{program::executable, server::printed};
use crate::root::Root;

/// Cases between two lines of progress.
const PROGRESS_EVERY: usize = 50;

/// What is swept.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Every hit of every point with every fault, and every send, instead of a choice of them.
    #[arg(long)]
    every_hit: bool,
    /// Only this case, such as postgresql/night/writer.commit/3/kill: what a failure prints. May be given several times.
    #[arg(long, value_name = "CASE", conflicts_with = "every_hit")]
    case: Vec<Case>,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "TEXT", conflicts_with = "case")]
    only: Option<String>,
    /// Every nth send of the chosen ones is another one.
    #[arg(long, value_name = "N", default_value_t = 40)]
    sends: u32,
}

/// The program with faults, beside the one without.
pub(crate) fn build(root: &Root) -> Result<PathBuf> {
    let mut cargo = root.cargo();
    cargo.args(["build", "--quiet", "--package", "annals", "--bin", "annals", "--features", "faults"]);
    cargo.args(["--message-format=json-render-diagnostics"]).stderr(Stdio::inherit());
    let built = executable(&printed(&mut cargo)?).context("cargo has built no program")?;
    let folder = built.parent().context("a program lies in a folder")?.join("faults");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let own = folder.join("annals");
    // Not over one that is running.
    let fresh = folder.join(format!("annals.{}", std::process::id()));
    fs::copy(&built, &fresh).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(fresh, &own).with_context(|| format!("cannot write {}", own.display()))?;
    Ok(own)
}

/// Sweeps.
pub(crate) fn run(root: &Root, options: &Options) -> Result<()> {
    let began = Instant::now();
    let program = build(root)?;
    let mut engines = history_engines().to_vec();
    if !options.case.is_empty() {
        engines.retain(|engine| options.case.iter().any(|case| case.engine == *engine));
    }
    let mut all = BTreeMap::new();
    for engine in engines {
        for stage in stages(root.folder(), &program, engine)? {
            all.insert((engine.to_string(), stage.act), stage);
        }
    }
    every_point_is_reached(root, all.values())?;
    let mut cases = if options.case.is_empty() { chosen(&all, options)? } else { options.case.clone() };
    if let Some(only) = &options.only {
        cases.retain(|case| case.to_string().contains(only));
    }
    ensure!(!cases.is_empty(), "there is no such case");
    let prepared_s = began.elapsed().as_secs_f64();
    let (table, failed) = play(&all, &cases)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(
        stdout,
        "{table}{} cases, {} failed; {prepared_s:.0} s to prepare, {:.0} s in all",
        cases.len(),
        failed,
        began.elapsed().as_secs_f64()
    )?;
    ensure!(failed == 0, "{failed} interruptions left a trace");
    table.every_point_was_struck(options.only.is_some() || !options.case.is_empty())
}

type Stages = BTreeMap<(String, Act), Stage>;

/// Plays cases, as many at a time as there are cores.
fn play(stages: &Stages, cases: &[Case]) -> Result<(Table, u32)> {
    let next = AtomicUsize::new(0);
    let played = Mutex::new((Table::default(), 0));
    let work = || {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(nth) else { return };
            if nth > 0 && nth.is_multiple_of(PROGRESS_EVERY) {
                eprintln!("{nth} of {} cases", cases.len());
            }
            let stage = stages.get(&(case.engine.to_string(), case.act));
            let outcome = stage.context("no such stage").and_then(|stage| case.play(stage, None));
            let Ok(mut played) = played.lock() else { return };
            match outcome {
                Ok(outcome) => played.0.count(case, outcome),
                Err(error) => {
                    eprintln!("\n{case}: {error:#}\n    cargo x sweep --case {case}");
                    played.0.count(case, Outcome::Struck);
                    played.1 += 1;
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    played.into_inner().map_err(|_| anyhow::anyhow!("a case could not be played"))
}

/// The points that the sources name are those that some act comes by: a new one is swept without being named again.
fn every_point_is_reached<'s>(root: &Root, stages: impl Iterator<Item = &'s Stage>) -> Result<()> {
    let reached: BTreeSet<&String> = stages.flat_map(|stage| stage.hits.keys()).collect();
    let mut named = BTreeSet::new();
    for file in root.text_files()? {
        if is_source(&file.path) {
            named.extend(points_in(&file.text));
        }
    }
    let unreached: Vec<&String> = named.iter().filter(|name| !reached.contains(name)).collect();
    ensure!(
        unreached.is_empty(),
        "no act comes by {unreached:?}: give crates/xtask/src/sweep/acts.rs something that does"
    );
    ensure!(named.len() == reached.len(), "there are points that are not named by `fault::point(\"...\")`");
    Ok(())
}

fn is_source(path: &str) -> bool {
    path.starts_with("crates/")
        && path.ends_with(".rs")
        && !path.starts_with("crates/xtask/")
        && !path.ends_with("fault.rs")
}

/// The names that stand in `fault::point("NAME")`.
fn points_in(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split("fault::point(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
}

/// Every hit with every fault; or of each point the first or, on the other engine, the last hit with a kill, and one in
/// between with one of the other faults, in turn.
fn chosen(stages: &Stages, options: &Options) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for stage in stages.values() {
        let engine = stage.engine();
        for (nth, (point, hits)) in stage.hits.iter().enumerate() {
            let case =
                |hit, fault| Case { engine, act: stage.act, place: Place::Point(point.clone()), hit, fault };
            if options.every_hit {
                cases.extend((1..=*hits).flat_map(|hit| Fault::ALL.map(|fault| case(hit, fault))));
            } else {
                let turn = nth + usize::from(engine == Engine::Postgres);
                cases.push(case(if turn.is_multiple_of(2) { 1 } else { *hits }, Fault::Kill));
                cases.push(case(hits.div_ceil(2), Fault::ALL[1 + turn % 3]));
            }
        }
        if engine == Engine::Postgres {
            let sends = sends::count(&stage.site()?)?;
            let step = if options.every_hit { 1 } else { sends.div_ceil(options.sends / 3).max(1) };
            let hits = (1..=sends).step_by(usize::try_from(step)?);
            cases.extend(hits.map(|hit| Case {
                engine,
                act: stage.act,
                place: Place::Send,
                hit,
                fault: Fault::Kill,
            }));
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_found_in_the_sources() {
        let text = "fault::point(\"a.b\")?; x.map(|_| fault::point(\"c.d\")); point(other)";
        assert_eq!(points_in(text).collect::<Vec<_>>(), ["a.b", "c.d"]);
        assert!(is_source("crates/writer/src/writer.rs"));
        assert!(!is_source("crates/sql/src/fault.rs") && !is_source("crates/xtask/src/sweep.rs"));
    }
}
