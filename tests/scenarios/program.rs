//! The `annals` program, built once and called as people call it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// How the variables begin that cargo sets for the package whose tests it runs.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// What the program said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// Exit code.
    pub(crate) code: i32,
    /// What it printed as data.
    pub(crate) out: String,
    /// What it told people.
    pub(crate) err: String,
}

impl Said {
    /// Its data as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON, {error}: {self:#?}"))
    }

    /// Checks the exit code; the rest is shown where it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Checks that people were told this.
    #[track_caller]
    pub(crate) fn tells(self, text: &str) -> Self {
        assert!(self.err.contains(text), "`{text}` is missing: {self:#?}");
        self
    }
}

/// Calls the program in a configuration directory, with nothing of the caller's own settings.
pub(crate) fn annals(config: &Path, arguments: &[&str]) -> Said {
    annals_with(config, &[], arguments)
}

/// [`annals`] with environment variables.
pub(crate) fn annals_with(config: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    call(Command::new(program()), config, variables, arguments)
}

/// Calls a command that ends in the program.
pub(crate) fn call(
    mut command: Command,
    config: &Path,
    variables: &[(&str, &str)],
    arguments: &[&str],
) -> Said {
    complete(&mut command, config, arguments);
    let Output { status, stdout, stderr } =
        command.envs(variables.iter().copied()).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

/// Adds what a call in a configuration directory takes, and takes away the caller's own settings.
pub(crate) fn complete(command: &mut Command, config: &Path, arguments: &[&str]) {
    for name in ["ANNALS_CONFIG", "ANNALS_LOG", "ANNALS_SOURCE_URL", "ANNALS_SECRET_HASH_KEY"] {
        command.env_remove(name);
    }
    command.args(arguments).arg("--config").arg(config).current_dir(config);
}

/// The program's path. Cargo builds programs for the tests of their own package only, so it is asked to here; where
/// the program is built already that takes a moment.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // target/PROFILE/deps/scenarios-HASH
        let own = std::env::current_exe().expect("this test's own path");
        let folder = own.ancestors().nth(2).expect("the profile's folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "annals", "--bin", "annals"]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        cargo.arg("--target-dir").arg(folder.parent().expect("the target folder"));
        // What cargo tells of this package: build scripts that ask for it would take it for news, and half of the
        // workspace be compiled anew, now and again the next time.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix)))
            {
                cargo.env_remove(name);
            }
        }
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
        assert!(status.success(), "the program cannot be built");
        folder.join("annals")
    })
}
