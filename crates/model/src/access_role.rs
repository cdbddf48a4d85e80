//! What somebody is to the interface.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A role; what each may do is said where it is asked for. Whoever has none may do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Access History Admin: everything.
    Admin,
    /// Reads all of history, runs and logs.
    Auditor,
    /// Reads reports of runs (BRV-09: `_REPORT_READERS_`).
    ReportReader,
    /// May use the REST interface at all, for what another role allows (BRV-09: `_EXPLICIT_REST_API_USERS_`).
    RestUser,
    /// Looks after runs.
    Operator,
    /// Reads that part of history which concerns him ([`ScopeRule`]).
    ScopedReader,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::Auditor, Self::ReportReader, Self::RestUser, Self::Operator, Self::ScopedReader];

    /// As written and kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::ReportReader => "report-reader",
            Self::RestUser => "rest-user",
            Self::Operator => "operator",
            Self::ScopedReader => "scoped-reader",
        }
    }
}

impl FromStr for Role {
    type Err = ();

    /// By its name, or by the name that the reference gives the class of its users.
    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "_REPORT_READERS_" => Ok(Self::ReportReader),
            "_EXPLICIT_REST_API_USERS_" => Ok(Self::RestUser),
            _ => Self::ALL.into_iter().find(|role| role.as_str() == word).ok_or(()),
        }
    }
}

/// How the part of history is marked out that a [`Role::ScopedReader`] may read. The parts add up; a rule that names
/// none of them marks out nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeRule {
    /// The identity that the reader is, by its id.
    pub identity: Option<String>,
    /// The identity itself, and what belongs to it.
    pub own: bool,
    /// Those below it by their manager, at any depth, and what belongs to them.
    pub manager_tree: bool,
    /// Names of the applications that he answers for: what is of them.
    pub applications: Vec<String>,
}

impl ScopeRule {
    /// The words of what it marks out, as they are written.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        let parts = [
            ("own", self.own),
            ("managerTree", self.manager_tree),
            ("applicationOwner", !self.applications.is_empty()),
        ];
        parts.into_iter().filter(|(_, there)| *there).map(|(word, _)| word).collect()
    }
}
