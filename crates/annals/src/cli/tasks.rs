//! Arguments of `annals task`.

use clap::{Args, Subcommand};

/// Commands on tasks.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// List the tasks of the configuration
    List,
    /// Make a task: its file in tasks/, and where asked for an extract configuration of its own
    New(NewTaskArgs),
}

/// A task to make.
#[derive(Debug, Args)]
pub struct NewTaskArgs {
    /// Its name; no other task may have it
    #[arg(value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub name: String,
    /// A line about it, for people
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Which objects it reads: a configuration in extract/ that no other task has [default: AccessHistoryExportConfig]
    #[arg(long, value_name = "EXTRACT")]
    pub extract_configuration: Option<String>,
    /// Make that extract configuration, as a copy of this one
    #[arg(long, value_name = "EXTRACT", requires = "extract_configuration")]
    pub copy_extract: Option<String>,
    /// When a daemon executes it: a cron line, such as "0 0 * * *" [default: on request only]
    #[arg(long, value_name = "LINE")]
    pub cron: Option<String>,
    /// In which time zone that is meant [default: timeZone of annals.yaml]
    #[arg(long, value_name = "ZONE", requires = "cron")]
    pub time_zone: Option<String>,
    /// One of the seven arguments, such as lossLimit=1000; may be given several times
    #[arg(long = "argument", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub arguments: Vec<(String, String)>,
    /// Execute it at once
    #[arg(long)]
    pub execute: bool,
    /// Show what would be written, and write nothing
    #[arg(long, conflicts_with = "execute")]
    pub dry_run: bool,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as lossLimit=1000".to_owned()),
    }
}
