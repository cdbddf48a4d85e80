//! The commands, one file each.

mod access;
mod as_of;
mod audit;
mod capture;
mod changes;
mod check;
mod daemon;
mod dead;
mod demo;
mod diff;
mod doctor;
mod export;
mod failures;
mod find;
mod hosts;
mod init;
mod migrate;
mod partitions;
mod plan;
mod rebuild;
mod reconcile;
mod repack;
mod rerun;
mod run;
mod runs;
mod schedule;
mod source;
mod task;
mod timeline;
mod token;
mod transform;
mod who_had;
mod why;

use annals_config::Config;

use crate::cli::{
    ApiCommand, AuditCommand, Cli, Command, DaemonArgs, DeadCommand, FailuresCommand, Global, HistoryCommand,
    RebuildCommand, Role, RunsCommand, SourceCommand, StateCommand, TaskCommand, TokenCommand,
};
use crate::context::{load_config, load_config_for_history};
use crate::exit::{Exit, Failure};
use crate::log;
use crate::output;

/// Executes a command.
///
/// # Errors
/// What went wrong, with the exit code and the way out.
pub async fn execute(cli: Cli) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Demo(arguments) => demo::execute(&global, &arguments).await,
        Command::Init(arguments) => init::execute(&arguments),
        Command::Check => check::execute(&global),
        Command::Doctor => doctor::execute(&global).await,
        Command::Migrate(arguments) => migrate::execute(&global, &history_config(&global)?, &arguments).await,
        Command::Task { command } => match command {
            TaskCommand::List => task::list(&global, &history_config(&global)?),
            TaskCommand::New(arguments) => task::new(&global, &arguments).await,
        },
        Command::Run(arguments) => run::execute(&global, traced(&global)?, &arguments).await,
        Command::Daemon(arguments) => {
            daemon::execute(&global, config_of_daemon(&global, &arguments)?, &arguments).await
        }
        Command::Schedule { command } => schedule::execute(&global, &history_config(&global)?, command).await,
        Command::Runs { command } => Box::pin(of_runs(&global, command)).await,
        Command::Hosts => hosts::execute(&global, &history_config(&global)?).await,
        Command::Partitions { run } => partitions::list(&global, &history_config(&global)?, run).await,
        Command::State { command } => match command {
            StateCommand::Show(partition) => {
                partitions::show(&global, &history_config(&global)?, partition).await
            }
            StateCommand::Log { partition, limit } => {
                partitions::log(&global, &history_config(&global)?, partition, limit).await
            }
        },
        Command::Reconcile(arguments) => reconcile::execute(&global, traced(&global)?, &arguments).await,
        Command::Failures { command } => decisions(&global, &history_config(&global)?, command).await,
        Command::Plan(arguments) => plan::execute(&global, &config(&global)?, &arguments).await,
        Command::Transform(arguments) => transform::execute(&config(&global)?, &arguments).await,
        Command::Capture(arguments) => capture::execute(&global, traced(&global)?, &arguments).await,
        Command::AsOf(arguments) => as_of::execute(&global, &history_config(&global)?, &arguments).await,
        Command::Timeline(arguments) => {
            timeline::execute(&global, &history_config(&global)?, &arguments).await
        }
        Command::Access(arguments) => access::execute(&global, &history_config(&global)?, &arguments).await,
        Command::WhoHad(arguments) => who_had::execute(&global, &history_config(&global)?, &arguments).await,
        Command::Why(arguments) => why::execute(&global, &history_config(&global)?, &arguments).await,
        Command::Find(arguments) => find::execute(&global, &history_config(&global)?, &arguments).await,
        Command::Diff(arguments) => diff::execute(&global, &history_config(&global)?, &arguments).await,
        Command::Changes(arguments) => changes::execute(&global, &history_config(&global)?, &arguments).await,
        Command::Orphans(arguments) => changes::orphans(&global, &history_config(&global)?, &arguments).await,
        Command::Dead { command } => letters(&global, &history_config(&global)?, command).await,
        Command::Token { command } => tokens(&global, &history_config(&global)?, &command).await,
        Command::Audit { command } => logs(&global, &history_config(&global)?, &command).await,
        Command::Api { command } => {
            let described = match command {
                ApiCommand::Openapi => annals_api::openapi(),
                ApiCommand::Postman => annals_api::postman(),
            };
            output::print_json(&described).map(|()| Exit::Ok).map_err(Failure::from)
        }
        Command::Source { command: SourceCommand::DeleteTriggers } => {
            source::delete_triggers(&config(&global)?).await
        }
        Command::Source { command: SourceCommand::Indexes } => source::indexes(&config(&global)?).await,
        Command::History { command: HistoryCommand::Repack(arguments) } => {
            repack::execute(&global, &history_config(&global)?, &arguments).await
        }
        Command::Rebuild { command: RebuildCommand::Intervals(arguments) } => {
            rebuild::intervals(&global, &history_config(&global)?, &arguments).await
        }
    }
}

async fn of_runs(global: &Global, command: RunsCommand) -> Result<Exit, Failure> {
    match command {
        RunsCommand::List { task, limit, before } => {
            runs::list(global, &history_config(global)?, task.as_deref(), limit, before).await
        }
        RunsCommand::Show { run } => runs::show(global, &history_config(global)?, run).await,
        RunsCommand::Resume(run) => rerun::resume(global, traced(global)?, run.run).await,
        RunsCommand::Rerun(run) => rerun::rerun(global, traced(global)?, run.run).await,
        RunsCommand::CleanUp { days } => runs::clean_up(global, &history_config(global)?, days).await,
        RunsCommand::Cancel(run) => rerun::cancel(&history_config(global)?, run.run).await,
    }
}

async fn decisions(global: &Global, config: &Config, command: FailuresCommand) -> Result<Exit, Failure> {
    match command {
        FailuresCommand::List { task, filter } => failures::list(global, config, &task, &filter).await,
        FailuresCommand::Retry(choice) => {
            failures::decide(global, config, &choice, failures::Verdict::Retry).await
        }
        FailuresCommand::Drop(choice) => {
            failures::decide(global, config, &choice, failures::Verdict::Drop).await
        }
    }
}

async fn letters(global: &Global, config: &Config, command: DeadCommand) -> Result<Exit, Failure> {
    match command {
        DeadCommand::List { filter, parked, limit } => {
            dead::list(global, config, filter, parked, limit).await
        }
        DeadCommand::Show { letter } => dead::show(global, config, &letter).await,
        DeadCommand::Redrive { letters, reason } => dead::redrive(global, config, &letters, &reason).await,
        DeadCommand::Discard { letters, reason } => dead::discard(global, config, &letters, &reason).await,
    }
}

async fn tokens(global: &Global, config: &Config, command: &TokenCommand) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Create(arguments) => token::create(global, config, arguments).await,
        TokenCommand::List => token::list(global, config).await,
        TokenCommand::Revoke { token } => token::revoke(config, token).await,
        TokenCommand::Log { limit } => token::log(global, config, *limit).await,
    }
}

async fn logs(global: &Global, config: &Config, command: &AuditCommand) -> Result<Exit, Failure> {
    match command {
        AuditCommand::AccessLog(arguments) => audit::access_log(global, config, arguments).await,
        AuditCommand::LoginFailures { from, to, limit } => {
            audit::failed_logins(global, config, (from.as_deref(), to.as_deref()), *limit).await
        }
    }
}

/// The configuration of a command that executes runs, and what it says about traces in force.
fn traced(global: &Global) -> Result<Config, Failure> {
    let config = load_config(&global.config)?;
    let filter = global.log.as_deref().unwrap_or("warn");
    log::begin_traced(filter, false, &run::host_name(), config.service.tracing.as_ref())?;
    Ok(config)
}

fn config(global: &Global) -> Result<Config, Failure> {
    load_config(&global.config)
}

/// The configuration of a command that asks the history database alone.
fn history_config(global: &Global) -> Result<Config, Failure> {
    load_config_for_history(&global.config)
}

fn config_of_daemon(global: &Global, arguments: &DaemonArgs) -> Result<Config, Failure> {
    // Who only answers questions need not know the source's password.
    let asks_history_alone = arguments.check || arguments.roles[..] == [Role::Api];
    if asks_history_alone { history_config(global) } else { config(global) }
}
