//! A configuration file while it is read: its text, and how to note what is wrong in it.

use std::path::Path;

use crate::node::Position;
use crate::problem::{Notes, Problem, Severity};

/// Largest configuration file, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Looks an environment variable up; a parameter, so that tests and runs decide what there is.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// What `${NAME}` and `file:` in values stand for.
#[derive(Clone, Copy)]
pub(crate) struct Resolver<'e> {
    pub(crate) env: Environment<'e>,
    /// Relative `file:` paths begin here.
    pub(crate) dir: &'e Path,
}

/// A file that is being read.
pub(crate) struct File<'a> {
    /// Path relative to the configuration directory, with `/`.
    pub(crate) name: String,
    pub(crate) text: String,
    /// `None`: values are taken as they are.
    pub(crate) resolver: Option<Resolver<'a>>,
    notes: &'a Notes,
}

impl<'a> File<'a> {
    pub(crate) fn new(name: &str, text: String, notes: &'a Notes, resolver: Option<Resolver<'a>>) -> Self {
        Self { name: name.to_owned(), text, resolver, notes }
    }

    /// Name without folder and ending: the default of a configuration's `name`.
    pub(crate) fn stem(&self) -> &str {
        let name = self.name.rsplit('/').next().unwrap_or(&self.name);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    pub(crate) fn error(&self, at: Position, message: impl Into<String>, help: impl Into<String>) {
        self.note(Severity::Error, at, message.into(), help.into());
    }

    pub(crate) fn warning(&self, at: Position, message: impl Into<String>, help: impl Into<String>) {
        self.note(Severity::Warning, at, message.into(), help.into());
    }

    fn note(&self, severity: Severity, at: Position, message: String, help: String) {
        let Position { line, column } = at;
        self.notes.add(Problem { severity, file: self.name.clone(), line, column, message, help });
    }
}
