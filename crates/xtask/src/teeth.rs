//! `cargo x teeth`: the program with one rule removed at a time, each of which a check must notice, and none without.
//!
//! docs/reliability.md says what that shows.

mod checks;

use std::io::Write as _;
use std::time::Instant;

use annals_testkit::Engine;
use anyhow::{Result, bail, ensure};

use self::checks::{CHECKS, Check, Scene};
use crate::root::Root;
use crate::sweep;

/// What is checked.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only this defect.
    #[arg(long, value_name = "DEFECT")]
    defect: Option<String>,
}

/// Plays every check without its defect and with it.
pub(crate) fn run(root: &Root, options: &Options) -> Result<()> {
    let began = Instant::now();
    let program = sweep::build(root)?;
    every_defect_has_a_check(root)?;
    let wanted: Vec<&Check> = CHECKS
        .iter()
        .filter(|check| options.defect.as_ref().is_none_or(|defect| defect == check.defect))
        .collect();
    if wanted.is_empty() {
        let known: Vec<&str> = CHECKS.iter().map(|check| check.defect).collect();
        bail!("there is no such defect; there are {}", known.join(", "));
    }
    let mut scenes = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if wanted.iter().any(|check| check.engine == engine) {
            scenes.push(Scene::new(root, &program, engine)?);
        }
    }
    let width = CHECKS.iter().map(|check| check.defect.len()).max().unwrap_or_default();
    let mut wrong = 0;
    let mut stdout = std::io::stdout().lock();
    for check in &wanted {
        let Some(scene) = scenes.iter().find(|scene| scene.engine == check.engine) else { continue };
        let without = (check.play)(scene, None);
        let with = (check.play)(scene, Some(check.defect));
        let verdict = match (&without, &with) {
            (Ok(None), Ok(Some(_))) => "caught",
            (Ok(None), Ok(None)) => "NOT CAUGHT",
            (Ok(Some(_)), _) => "NOTICED WITHOUT IT",
            _ => "CANNOT BE CHECKED",
        };
        writeln!(stdout, "{:width$}  {verdict}: {}", check.defect, check.by)?;
        if let Ok(Some(noticed)) = &with {
            writeln!(stdout, "{:width$}    {}", "", first_line(noticed))?;
        }
        for (how, outcome) in [("without", &without), ("with", &with)] {
            match outcome {
                Err(error) => eprintln!("  {how} the defect: {error:#}"),
                Ok(Some(noticed)) if how == "without" => eprintln!("  without the defect: {noticed}"),
                Ok(_) => {}
            }
        }
        if verdict != "caught" {
            wrong += 1;
            eprintln!("  cargo x teeth --defect {}", check.defect);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    writeln!(stdout, "{} defects, {} caught; {seconds:.0} s", wanted.len(), wanted.len() - wrong)?;
    ensure!(wrong == 0, "{wrong} checks are worth nothing");
    Ok(())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

/// The defects that `crates/sql/src/fault.rs` names, each as `=> "NAME"`.
fn every_defect_has_a_check(root: &Root) -> Result<()> {
    let text = std::fs::read_to_string(root.folder().join("crates/sql/src/fault.rs"))?;
    let named: Vec<&str> = text
        .split("Self::")
        .skip(1)
        .filter_map(|rest| rest.split_once(" => \"")?.1.split_once('"').map(|(name, _)| name))
        .collect();
    ensure!(!named.is_empty(), "crates/sql/src/fault.rs names no defects as it used to");
    for name in named {
        ensure!(
            CHECKS.iter().any(|check| check.defect == name),
            "nothing is to catch `{name}`: give it a check in crates/xtask/src/teeth/checks.rs"
        );
    }
    Ok(())
}
