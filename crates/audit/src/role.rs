//! What somebody is to the interface.

use std::str::FromStr;

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
    /// Reads that part of history which concerns him.
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

/// Roles as a column holds them.
pub(crate) fn joined(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",")
}

/// Roles out of a column. A word that this version does not know gives no right.
pub(crate) fn split(column: &str) -> Vec<Role> {
    column.split(',').filter_map(|word| word.parse().ok()).collect()
}
