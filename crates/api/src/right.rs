//! What each role may do. Whatever is not said here is not allowed.

use annals_audit::Role;

/// Something that somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Read the description of the interface.
    Describe,
    /// Read objects and their past.
    ReadHistory,
    /// Read what became of runs.
    ReadRuns,
    /// Read who asked.
    ReadAccessLog,
    /// Do something about runs.
    Act,
}

impl Right {
    /// Whether these roles together give it. Readers of reports also have to be users of the interface (BRV-09).
    /// Readers of a part of history are given nothing as long as no part is marked out for them.
    pub(crate) fn is_given_by(self, roles: &[Role]) -> bool {
        let is = |role| roles.contains(&role);
        match self {
            Self::Describe => !roles.is_empty(),
            Self::ReadHistory | Self::ReadAccessLog => is(Role::Admin) || is(Role::Auditor),
            Self::Act => is(Role::Admin) || is(Role::Operator),
            Self::ReadRuns => {
                is(Role::Admin)
                    || is(Role::Auditor)
                    || is(Role::Operator)
                    || (is(Role::ReportReader) && is(Role::RestUser))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BRV-09: each role alone, and those that only count together.
    #[test]
    fn roles_give_what_is_said() {
        use Right::{Act, Describe, ReadAccessLog, ReadHistory, ReadRuns};
        let all = [Describe, ReadHistory, ReadRuns, ReadAccessLog, Act];
        let cases: [(&[Role], &[Right]); 9] = [
            (&[], &[]),
            (&[Role::Admin], &all),
            (&[Role::Auditor], &all[..4]),
            (&[Role::Operator], &[Describe, ReadRuns, Act]),
            (&[Role::ReportReader], &[Describe]),
            (&[Role::RestUser], &[Describe]),
            (&[Role::ReportReader, Role::RestUser], &[Describe, ReadRuns]),
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
