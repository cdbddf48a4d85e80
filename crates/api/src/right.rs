//! What each role may do. Whatever is not said here is not allowed.

use annals_audit::{Role, ScopeRule};

use crate::operation::Operation;
use crate::who::Principal;

/// Something that somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Read the description of the interface.
    Describe,
    /// Read objects and their past.
    ReadHistory,
    /// Read what became of runs.
    ReadRuns,
    /// Read requests and their operations (BRV-09).
    ReadSessionLogs,
    /// Read who asked.
    ReadAccessLog,
    /// Take answers away as files: a right of its own, for whoever may look need not be able to carry off.
    Export,
    /// Do something about runs.
    Act,
}

/// How much of what an operation answers somebody may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach<'p> {
    /// All of it.
    All,
    /// What is in the part of history that this rule marks out.
    Within(&'p ScopeRule),
}

/// How much of an operation's answer is for this principal; none: he may not ask. A reader of a part of history is
/// answered by those operations alone that know how to keep to it.
pub(crate) fn reach<'p>(operation: &Operation, principal: &'p Principal) -> Option<Reach<'p>> {
    if principal.may(operation.right) {
        return Some(Reach::All);
    }
    let is_scoped =
        matches!(operation.right, Right::ReadHistory | Right::ReadSessionLogs) && operation.within_scope;
    let rule = principal.scope.as_ref().filter(|_| principal.roles.contains(&Role::ScopedReader));
    rule.filter(|_| is_scoped).map(Reach::Within)
}

impl Right {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Describe,
        Self::ReadHistory,
        Self::ReadRuns,
        Self::ReadSessionLogs,
        Self::ReadAccessLog,
        Self::Export,
        Self::Act,
    ];

    /// As it is told.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "description",
            Self::ReadHistory => "history",
            Self::ReadRuns => "runs",
            Self::ReadSessionLogs => "session logs",
            Self::ReadAccessLog => "access log",
            Self::Export => "export",
            Self::Act => "acts",
        }
    }

    /// Whether these roles together give it. Readers of reports also have to be users of the interface (BRV-09).
    /// Readers of a part of history are given nothing here: what is marked out for them says [`reach`].
    pub(crate) fn is_given_by(self, roles: &[Role]) -> bool {
        let is = |role| roles.contains(&role);
        let reads_reports = is(Role::ReportReader) && is(Role::RestUser);
        match self {
            Self::Describe => !roles.is_empty(),
            Self::ReadHistory | Self::ReadAccessLog | Self::Export => is(Role::Admin) || is(Role::Auditor),
            Self::Act => is(Role::Admin) || is(Role::Operator),
            Self::ReadSessionLogs => is(Role::Admin) || is(Role::Auditor) || reads_reports,
            Self::ReadRuns => is(Role::Admin) || is(Role::Auditor) || is(Role::Operator) || reads_reports,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BRV-09: each role alone, and those that only count together.
    #[test]
    fn roles_give_what_is_said() {
        use Right::{Act, Describe, ReadRuns, ReadSessionLogs};
        let all = Right::ALL;
        let cases: [(&[Role], &[Right]); 9] = [
            (&[], &[]),
            (&[Role::Admin], &all),
            (&[Role::Auditor], &all[..6]),
            (&[Role::Operator], &[Describe, ReadRuns, Act]),
            (&[Role::ReportReader], &[Describe]),
            (&[Role::RestUser], &[Describe]),
            (&[Role::ReportReader, Role::RestUser], &[Describe, ReadRuns, ReadSessionLogs]),
            (&[Role::ScopedReader], &[Describe]),
            (&[Role::ScopedReader, Role::RestUser], &[Describe]),
        ];
        for (roles, given) in cases {
            for right in all {
                assert_eq!(right.is_given_by(roles), given.contains(&right), "{roles:?} {right:?}");
            }
        }
    }
}
