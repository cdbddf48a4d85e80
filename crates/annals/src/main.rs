//! The `annals` program: reads the command line, executes, tells the exit code.

use std::process::ExitCode;
use std::time::Duration;

use annals::cli::{Cli, Command};
use annals::exit::{Exit, Failure};
use clap::Parser as _;
use mimalloc::MiMalloc;

/// Images are many small texts: a third of a run's own time went to glibc's allocator (docs/performance.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A daemon is told by its configuration what to log, and whatever executes runs where to send traces.
    if !cli.command.executes_runs() {
        annals::log::begin(cli.global.log.as_deref());
    }
    // The end of a daemon that is told to stop has less time: docs/daemon.md.
    let send_max = Duration::from_millis(if matches!(cli.command, Command::Daemon(_)) { 400 } else { 1_000 });
    let mut builder = if annals_sql::fault::on_one_thread() {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return ExitCode::from(Exit::Unexpected as u8);
        }
    };
    let outcome = runtime.block_on(annals::execute(cli));
    annals::traces::end(send_max);
    match outcome {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn report(failure: &Failure) {
    eprintln!("error: {}", failure.error);
    let mut before = failure.error.to_string();
    for cause in failure.error.chain().skip(1) {
        let cause = cause.to_string();
        // A cause whose text its parent repeats says nothing new.
        if !before.ends_with(&cause) {
            eprintln!("  because: {cause}");
        }
        before = cause;
    }
    if let Some(help) = &failure.help {
        eprintln!("help: {help}");
    }
}
