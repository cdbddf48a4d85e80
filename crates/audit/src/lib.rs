//! Who may ask, and who asked: tokens with their roles, and the log of every request for history.
//!
//! Times are epoch milliseconds of the database's clock.

mod access;
mod error;
mod login_failure;
mod role;
mod token;

pub use annals_model::{Role, ScopeRule};

pub use access::{Access, AccessFilter, StoredAccess, accesses, note_access};
pub use error::Error;
pub use login_failure::{
    FailureReason, LoginFailure, StoredLoginFailure, login_failures, note_login_failure,
};
pub use token::{
    NewToken, Secret, Standing, StoredToken, TokenAct, create_token, find_token, revoke_token, token_acts,
    tokens,
};

/// Result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every statement of this crate: a test lets each engine prepare each of them.
#[must_use]
pub fn statements() -> Vec<annals_sql::Stmt> {
    [access::STATEMENTS, login_failure::STATEMENTS, token::STATEMENTS].concat()
}

/// The id of a new row.
fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
