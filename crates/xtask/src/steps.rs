//! What `cargo x test` does, step by step.

use std::env;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::interrupt::{Ended, Interrupts};
use crate::root::Root;
use crate::servers::Servers;
use crate::{chaos, setup, tidy};

/// Arguments of `cargo test` that name packages themselves.
const PACKAGE_ARGUMENTS: [&str; 4] = ["-p", "--package", "--workspace", "--all"];

/// Arguments of `cargo test` that do not go with `--no-run`.
const NOT_BUILT: [&str; 4] = ["--doc", "--no-run", "--help", "-h"];

/// Sets up, checks format, lints and tidiness, and runs every test.
pub(crate) fn run_everything(root: &Root) -> Result<()> {
    let begun = Instant::now();
    setup::run()?;
    let interrupts = Interrupts::watch()?;
    if component_is_there(root, "fmt", "rustfmt")? {
        announce("format");
        interrupts.run(root.cargo().args(["fmt", "--all", "--", "--check"]))?;
    }
    if component_is_there(root, "clippy", "clippy")? {
        announce("lints");
        interrupts.run(root.cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))?;
    }
    announce("tidiness");
    tidy::run(root)?;
    run_tests(root, &interrupts, &["--no-fail-fast".to_owned()], &["contract", "sweep", "teeth"])?;
    announce("chaos");
    chaos::run(root, &chaos::Options::share_of_tests())?;
    eprintln!("every check and every test passed in {} s", begun.elapsed().as_secs());
    Ok(())
}

/// Runs the tests that these arguments of `cargo test` pick.
pub(crate) fn run_picked(root: &Root, arguments: &[String]) -> Result<()> {
    setup::run()?;
    run_tests(root, &Interrupts::watch()?, arguments, &[])
}

/// The status that a failed chore ends with: that of the program that failed, where one did.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    error.downcast_ref::<Ended>().map_or(ExitCode::FAILURE, |ended| ExitCode::from(ended.code))
}

/// Builds the tests, starts the servers, runs the tests, and then other chores with the same servers. The servers end with
/// this function, whatever happens.
fn run_tests(root: &Root, interrupts: &Interrupts, arguments: &[String], chores: &[&str]) -> Result<()> {
    announce("tests");
    let arguments = for_cargo_test(arguments);
    // Built first, so that the servers do not wait for the compiler.
    if let Some(build) = building(&arguments) {
        interrupts.run(root.cargo().args(build))?;
    }
    let servers = Servers::missing()?;
    interrupts.run(root.cargo().arg("test").args(&arguments).envs(servers.environment()))?;
    for chore in chores {
        announce(chore);
        interrupts.run(own([(*chore).to_owned()].into_iter()).envs(servers.environment()))?;
    }
    Ok(())
}

/// Runs a chore that needs the servers: in this process where the environment names them, else in one of its own.
pub(crate) fn with_servers(chore: impl FnOnce() -> Result<()>) -> Result<()> {
    if Servers::are_named() {
        return chore();
    }
    setup::run()?;
    let interrupts = Interrupts::watch()?;
    let servers = Servers::missing()?;
    interrupts.run(own(env::args().skip(1)).envs(servers.environment()))
}

/// This program with other arguments: as it runs, for building the tests may have put another build in its place.
fn own(arguments: impl Iterator<Item = String>) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments);
    command
}

/// The arguments for `cargo test`: the whole workspace, unless they say which packages.
fn for_cargo_test(arguments: &[String]) -> Vec<String> {
    let ours = arguments.iter().take_while(|argument| *argument != "--");
    let names_packages = ours.into_iter().any(|argument| {
        let name = argument.split_once('=').map_or(argument.as_str(), |(name, _)| name);
        PACKAGE_ARGUMENTS.contains(&name) || (name.starts_with("-p") && !name.starts_with("--"))
    });
    let workspace = (!names_packages).then(|| "--workspace".to_owned());
    workspace.into_iter().chain(arguments.iter().cloned()).collect()
}

/// The command line that only builds what those arguments would run; nothing where cargo cannot do that.
fn building(arguments: &[String]) -> Option<Vec<String>> {
    let ours: Vec<String> = arguments.iter().take_while(|argument| *argument != "--").cloned().collect();
    if ours.iter().any(|argument| NOT_BUILT.contains(&argument.as_str())) {
        return None;
    }
    Some(["test", "--no-run", "--quiet"].map(str::to_owned).into_iter().chain(ours).collect())
}

/// Whether the toolchain has this component. One that lacks it is told so; in CI that is an error.
#[expect(clippy::disallowed_methods, reason = "the variable that CI services set, not a setting of Annals")]
fn component_is_there(root: &Root, subcommand: &str, component: &str) -> Result<bool> {
    let probe =
        root.cargo().args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let in_ci = std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false");
    verdict(component, probe.is_ok_and(|status| status.success()), in_ci)
}

/// What a missing component means.
fn verdict(component: &str, there: bool, in_ci: bool) -> Result<bool> {
    let way_out =
        format!("this Rust toolchain lacks {component}: `rustup component add {component}` adds it");
    if !there && in_ci {
        bail!(way_out);
    }
    if !there {
        eprintln!("warning: {way_out}; its check is left out (CI will not leave it out)");
    }
    Ok(there)
}

/// Says which step begins.
fn announce(step: &str) {
    eprintln!("==> {step}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn tests_are_those_of_the_workspace_unless_packages_are_named() {
        for (given, expected) in [
            ("", "--workspace"),
            ("a_test", "--workspace a_test"),
            ("a_test -- --nocapture", "--workspace a_test -- --nocapture"),
            ("x -- -p", "--workspace x -- -p"),
            ("-p annals-model x", "-p annals-model x"),
            ("-pannals-model", "-pannals-model"),
            ("--package=annals-model", "--package=annals-model"),
        ] {
            assert_eq!(for_cargo_test(&words(given)), words(expected), "{given}");
        }
    }

    #[test]
    fn building_leaves_out_what_is_for_the_tests_themselves() {
        let built = building(&words("-p annals-model x -- --nocapture"));
        assert_eq!(built, Some(words("test --no-run --quiet -p annals-model x")));
        assert_eq!(building(&words("-p annals-model --doc")), None);
    }

    /// A user without clippy can still run the tests; CI cannot pass without it.
    #[test]
    fn a_missing_component_is_an_error_in_ci_alone() {
        assert!(verdict("clippy", true, true).unwrap());
        assert!(!verdict("clippy", false, false).unwrap());
        let error = verdict("clippy", false, true).unwrap_err().to_string();
        assert!(error.contains("rustup component add clippy"), "{error}");
    }

    #[test]
    fn a_failed_program_passes_its_status_on() {
        let interrupts = Interrupts::watch().unwrap();
        let error = interrupts.run(Command::new("sh").args(["-c", "exit 101"])).unwrap_err();
        assert_eq!(format!("{:?}", exit_code(&error)), format!("{:?}", ExitCode::from(101)));
        let other = anyhow::anyhow!("untidy");
        assert_eq!(format!("{:?}", exit_code(&other)), format!("{:?}", ExitCode::FAILURE));
    }
}
