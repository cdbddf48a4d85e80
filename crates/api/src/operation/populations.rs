//! Questions about all identities, or those within a scope.

use super::{Form, Operation, PAGED, other};
use crate::resources::{access, compare};
use crate::right::Right;

/// The operations.
pub(super) fn operations() -> Vec<Operation> {
    let span = ["from", "to", "knownAsOf", "$filter", "unexplained"];
    let question = |id, path, summary, options: Vec<&'static str>, form, answer| Operation {
        right: Right::ReadHistory,
        heavy: true,
        within_scope: true,
        of_access: true,
        ..other(id, path, summary, &[options, PAGED.to_vec()].concat(), Form::List(form), answer)
    };
    vec![
        question(
            "listHolders",
            "holders",
            "Who had access to something, through roles and nested groups too",
            vec!["item", "at", "from", "to", "mode", "directOnly", "knownAsOf"],
            "Holder",
            |question, tx| Box::pin(access::holders(question, tx)),
        ),
        question(
            "listChanges",
            "changes",
            "What changed in what identities hold, in the order in which history learned of it",
            span.to_vec(),
            "AccessChange",
            |question, tx| Box::pin(compare::changes(question, tx)),
        ),
        question(
            "countChanges",
            "changes/counts",
            "How much was added and removed, by cause, application, identity or day; with how much was held",
            [&["group"], &span[..]].concat(),
            "ChangeGroup",
            |question, tx| Box::pin(compare::change_groups(question, tx)),
        ),
        question(
            "listOrphanAccounts",
            "orphan-accounts",
            "The accounts whose owner was gone or inactive at an instant, or that had none",
            vec!["at", "knownAsOf"],
            "OrphanAccount",
            |question, tx| Box::pin(compare::orphans(question, tx)),
        ),
    ]
}
