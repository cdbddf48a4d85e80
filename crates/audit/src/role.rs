//! Roles as columns hold them.

use annals_model::Role;

/// Roles as a column holds them.
pub(crate) fn joined(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",")
}

/// Roles out of a column. A word that this version does not know gives no right.
pub(crate) fn split(column: &str) -> Vec<Role> {
    column.split(',').filter_map(|word| word.parse().ok()).collect()
}
