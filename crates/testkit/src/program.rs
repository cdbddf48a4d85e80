//! Finding and running the programs that servers come with: a driver in Rust would make this crate depend on what it
//! is there to test.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::TestkitError;

/// Where Debian keeps PostgreSQL's programs, a folder a major version.
const POSTGRES_HOME: &str = "/usr/lib/postgresql";

/// The major version that is taken when several are installed.
const POSTGRES_PREFERRED: u32 = 15;

/// Folders that hold servers' programs but are seldom on an ordinary user's path.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The path of a program on the search path or in the system's folders.
pub(crate) fn find(program: &str) -> Result<PathBuf, TestkitError> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&on_path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| TestkitError::NoProgram { program: program.to_owned() })
}

/// The path of one of PostgreSQL's programs. All of them are taken from one version, so that they fit each other.
pub(crate) fn find_postgres(program: &str) -> Result<PathBuf, TestkitError> {
    let versions = fs::read_dir(POSTGRES_HOME)
        .map(|folders| {
            folders.flatten().filter_map(|folder| folder.file_name().to_str()?.parse().ok()).collect()
        })
        .unwrap_or_default();
    let Some(version) = choose_version(versions) else { return find(program) };
    let path = Path::new(POSTGRES_HOME).join(version.to_string()).join("bin").join(program);
    if path.is_file() { Ok(path) } else { Err(TestkitError::NoProgram { program: program.to_owned() }) }
}

/// The preferred version where it is there, else the newest.
fn choose_version(versions: Vec<u32>) -> Option<u32> {
    if versions.contains(&POSTGRES_PREFERRED) { Some(POSTGRES_PREFERRED) } else { versions.into_iter().max() }
}

/// Runs a command to its end with this text as its standard input and returns its standard output.
pub(crate) fn run(command: &mut Command, input: &str) -> Result<String, TestkitError> {
    let program = name_of(command);
    let running = |source| TestkitError::Io { what: format!("cannot run `{program}`"), source };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(running)?;
    let writer = child.stdin.take().map(|mut stdin| {
        let input = input.to_owned();
        // A thread of its own, for a program that writes much before it has read all would otherwise wait for ever.
        // A program that ends without reading all says why on its standard error, so a broken pipe is no news.
        std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap_or_default())
    });
    let output = child.wait_with_output().map_err(running)?;
    if let Some(writer) = writer {
        writer.join().unwrap_or_default();
    }
    checked(&program, &output)
}

/// The standard output of a program that succeeded.
fn checked(program: &str, output: &Output) -> Result<String, TestkitError> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let output_text = if stderr.is_empty() { stdout.trim().to_owned() } else { stderr };
    Err(TestkitError::Program {
        program: program.to_owned(),
        status: output.status.to_string(),
        output: output_text,
    })
}

/// The file name of the command's program; of the one that it starts in turn, where `--` says which that is.
fn name_of(command: &Command) -> String {
    let started = command.get_args().skip_while(|argument| *argument != "--").nth(1);
    let program = Path::new(started.unwrap_or(command.get_program()));
    program.file_name().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_version_wins_over_a_newer_one() {
        assert_eq!(choose_version(vec![13, 15, 17]), Some(15));
        assert_eq!(choose_version(vec![13, 17, 16]), Some(17));
        assert_eq!(choose_version(vec![]), None);
    }

    #[test]
    fn what_a_program_reads_and_writes_goes_through() {
        // Past the 64 KiB that a pipe holds, in both directions at once.
        let text = "0123456789abcdef\n".repeat(20_000);
        assert_eq!(run(&mut Command::new("cat"), &text).unwrap(), text);
    }

    #[test]
    fn a_failing_program_is_named_with_what_it_said() {
        let error = run(Command::new("sh").args(["-c", "echo because >&2; exit 3"]), "").unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed (exit status: 3): because");
    }

    #[test]
    fn a_program_is_named_by_what_it_does() {
        assert_eq!(name_of(&Command::new("/usr/bin/psql")), "psql");
        assert_eq!(
            name_of(Command::new("setpriv").args(["--pdeathsig=KILL", "--", "/usr/sbin/mariadbd"])),
            "mariadbd"
        );
    }

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let error = find("no-such-program-anywhere").unwrap_err();
        assert!(error.to_string().contains("`no-such-program-anywhere`"));
        assert!(error.to_string().contains("cargo x setup"));
    }
}
