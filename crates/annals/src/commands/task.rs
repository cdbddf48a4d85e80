//! `annals task`: the tasks there are, and new ones (IIQ-21, IIQ-22).

use std::fs;
use std::path::PathBuf;

use annals_config::Config;
use annals_config::task::EXTRACT_DEFAULT;
use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::{Global, NewTaskArgs, RunArgs, TaskArg};
use crate::commands::{run, traced};
use crate::context::{environment, load_config};
use crate::exit::{Exit, Failure};
use crate::output::{Listing, say};

/// IIQ-22, Refresh: the tasks as they are in the configuration now.
pub(crate) fn list(global: &Global, config: &Config) -> Result<Exit, Failure> {
    let mut listing =
        Listing::new(&["task", "description", "extract configuration", "schedule", "reconcile"]);
    for task in config.tasks.values() {
        listing.push(vec![
            json!(task.name),
            json!(task.description),
            json!(task.extract_configuration),
            json!(task.schedule.as_ref().map(|schedule| schedule.cadence.to_string())),
            json!(task.reconcile.as_ref().map(|schedule| schedule.cadence.to_string())),
        ]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// IIQ-21, IIQ-22: makes a task (Save), and executes it where that is asked for (Save & Execute); with `--dry-run` it is
/// only shown (Cancel). What does not fit into the configuration leaves no trace.
pub(crate) async fn new(global: &Global, arguments: &NewTaskArgs) -> Result<Exit, Failure> {
    let config = load_config(&global.config)?;
    let files = files(&config, arguments)?;
    if arguments.dry_run {
        for (path, text) in &files {
            say(format_args!("# {}\n{text}", path.display()))?;
        }
        return Ok(Exit::Ok);
    }
    save(&config, &files)?;
    for (path, _) in &files {
        say(format_args!("{}", path.display()))?;
    }
    if !arguments.execute {
        eprintln!(
            "Next: `annals run \"{}\"`. A daemon knows the task when it is started again.",
            arguments.name
        );
        return Ok(Exit::Ok);
    }
    let task = TaskArg { task: Some(arguments.name.clone()) };
    run::execute(global, traced(global)?, &RunArgs { task, now: false }).await
}

/// What is to be written, each with its path.
fn files(config: &Config, arguments: &NewTaskArgs) -> Result<Vec<(PathBuf, String)>, Failure> {
    let name = arguments.name.as_str();
    let extract = arguments.extract_configuration.as_deref().unwrap_or(EXTRACT_DEFAULT);
    if config.tasks.keys().any(|known| known.eq_ignore_ascii_case(name)) {
        return Err(Failure::usage(
            format!("there is a task `{name}` already"),
            "Give the new one another name; `annals task list` shows those there are.",
        ));
    }
    let mut files = Vec::new();
    if let Some(from) = &arguments.copy_extract {
        if config.extracts.contains_key(extract) {
            return Err(Failure::usage(
                format!("there is an extract configuration `{extract}` already"),
                "Name a new one with --extract-configuration, or leave out --copy-extract.",
            ));
        }
        if !config.extracts.contains_key(from) {
            return Err(no_extract(config, from));
        }
        files.push((config.dir.join("extract").join(file_name(extract)), copied(config, from, extract)?));
    } else if !config.extracts.contains_key(extract) {
        return Err(no_extract(config, extract));
    } else if let Some(task) = config.tasks.values().find(|task| task.extract_configuration == extract) {
        return Err(Failure::usage(
            format!("the extract configuration `{extract}` is that of the task `{}`", task.name),
            format!(
                "Each task has one of its own. Make one: --extract-configuration NEW --copy-extract {extract}"
            ),
        ));
    }
    files.push((config.dir.join("tasks").join(file_name(name)), text(arguments, extract)));
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(Failure::usage(
            format!("there is a file {} already", path.display()),
            "Give the task, or its extract configuration, another name.",
        ));
    }
    Ok(files)
}

fn no_extract(config: &Config, extract: &str) -> Failure {
    let known: Vec<&str> = config.extracts.keys().map(String::as_str).collect();
    Failure::usage(
        format!("there is no extract configuration `{extract}`"),
        format!("There are: {}. --copy-extract makes another one.", known.join(", ")),
    )
}

/// A file name made of a name: what is no letter or digit becomes a dash.
fn file_name(name: &str) -> String {
    let dashed: String = name.chars().map(|char| if char.is_alphanumeric() { char } else { '-' }).collect();
    match dashed.trim_matches('-') {
        // A file whose name begins with a dot would not be read.
        "" => "unnamed.yaml".to_owned(),
        dashed => format!("{dashed}.yaml"),
    }
}

/// An extract configuration under another name, with its comments.
fn copied(config: &Config, from: &str, to: &str) -> Result<String, Failure> {
    let files = config.snapshot["files"].as_object().into_iter().flatten();
    let of_extracts = files.filter(|(path, _)| path.starts_with("extract/"));
    let texts = of_extracts.filter_map(|(path, text)| Some((path, text.as_str()?)));
    let is_named = |(path, text): &(&String, &str)| {
        let own = text.lines().find_map(|line| line.strip_prefix("name:"));
        own.map_or(**path == format!("extract/{from}.yaml"), |own| {
            own.trim().trim_matches(['"', '\'']) == from
        })
    };
    let Some((_, text)) = texts.into_iter().find(is_named) else { return Err(no_extract(config, from)) };
    let rest: Vec<&str> = text.lines().filter(|line| !line.starts_with("name:")).collect();
    Ok(format!("name: {}\n{}\n", json!(to), rest.join("\n")))
}

/// The task's own file. What JSON says is YAML too, so that no value can be taken for anything else.
fn text(arguments: &NewTaskArgs, extract: &str) -> String {
    let mut lines = vec![format!("name: {}", json!(arguments.name))];
    lines.extend(arguments.description.as_ref().map(|text| format!("description: {}", json!(text))));
    if let Some(cron) = &arguments.cron {
        lines.push(format!("schedule:\n  cron: {}", json!(cron)));
        lines.extend(arguments.time_zone.as_ref().map(|zone| format!("  timeZone: {}", json!(zone))));
    }
    lines.push(format!("extractConfiguration: {}", json!(extract)));
    if !arguments.arguments.is_empty() {
        lines.push("arguments:".to_owned());
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text));
        lines.extend(arguments.arguments.iter().map(|(key, text)| format!("  {key}: {}", value(text))));
    }
    lines.join("\n") + "\n"
}

/// Writes the files; where the configuration with them is not sound, they are taken away again.
fn save(config: &Config, files: &[(PathBuf, String)]) -> Result<(), Failure> {
    for (path, text) in files {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    let problems = annals_config::check(&config.dir, &environment);
    if !problems.has_errors() {
        return Ok(());
    }
    for (path, _) in files {
        fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
    }
    Err(Failure::usage(
        format!("the task is not made, for the configuration would not be sound with it:\n{problems}"),
        "See what it would be with --dry-run.",
    ))
}
