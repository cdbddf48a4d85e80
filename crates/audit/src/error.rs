//! What can go wrong with tokens and logs.

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database said no.
    #[error("tokens and the access log")]
    Sql(#[from] annals_sql::Error),
    /// Another token that is not revoked has the name.
    #[error("there is a token `{0}`")]
    NameTaken(String),
    /// The system gives no random bytes, without which there is no secret.
    #[error("the system gives no random bytes")]
    NoRandomness(#[source] getrandom::Error),
}
