//! What can go wrong while a test is being set up.

use std::io;

/// Why a server, a database or an identity system to test on could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TestkitError {
    /// No server was started for this engine.
    #[error(
        "{variable} is not set, so there is no {engine} server to test on: run the tests by `cargo x test`, \
             which starts one, or start servers by `cargo x databases` and set the variables that it prints"
    )]
    NoServer {
        /// The environment variable that was looked for.
        variable: &'static str,
        /// The engine's name.
        engine: String,
    },
    /// A program that this crate calls is not installed.
    #[error("the program `{program}` was not found: run `cargo x setup`, which installs what tests need")]
    NoProgram {
        /// The program's name.
        program: String,
    },
    /// A program that this crate called ended with an error.
    #[error("`{program}` failed ({status}): {output}")]
    Program {
        /// The program's name.
        program: String,
        /// Its exit status in words.
        status: String,
        /// What it wrote on its standard error, or on its standard output where that is empty.
        output: String,
    },
    /// A server started but did not become ready.
    #[error("the {server} server did not become ready: {reason}; its log ends:\n{log}")]
    NotReady {
        /// The server's name.
        server: &'static str,
        /// Whether it ended or took too long.
        reason: String,
        /// The last lines of its log.
        log: String,
    },
    /// An administrator's URL that cannot be used.
    #[error("{url} is not a URL of a database server")]
    Url {
        /// The URL as it was given.
        url: String,
    },
    /// Request Tracker refused an act.
    #[error("Request Tracker refused `{act}`: {reason}")]
    Refused {
        /// The act as it was sent, in JSON.
        act: String,
        /// Request Tracker's message.
        reason: String,
    },
    /// A file or a process could not be handled.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
}

impl TestkitError {
    /// Makes the error for an operation that the operating system refused; for `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
