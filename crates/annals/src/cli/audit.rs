//! The commands about who may ask, and who asked.

use std::str::FromStr as _;

use annals_audit::Role;
use clap::{Args, Subcommand};

/// Commands on tokens of the REST interface.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and show it, this once
    Create(NewTokenArgs),
    /// List the tokens, without their text
    List,
    /// Make a token good for nothing, at once and on all hosts
    Revoke {
        /// Its name, or its id
        #[arg(value_name = "NAME")]
        token: String,
    },
    /// Show what was done with tokens, newest first
    Log {
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
        limit: u32,
    },
}

/// A token to make.
#[derive(Debug, Args)]
pub struct NewTokenArgs {
    /// By this name its owner is known in the access log
    #[arg(value_name = "NAME", value_parser = name)]
    pub name: String,
    /// What its owner is: admin, auditor, report-reader, rest-user, operator, scoped-reader; several between commas
    #[arg(long = "role", required = true, value_delimiter = ',', value_parser = role, value_name = "ROLE")]
    pub roles: Vec<Role>,
    /// Who its owner is in history: an identity, by name or id; with a scope of `own` or `managerTree`
    #[arg(long, value_name = "NAME")]
    pub identity: Option<String>,
    /// What a scoped-reader may read: own, managerTree, applicationOwner; several between commas
    #[arg(long = "scope", value_delimiter = ',', value_parser = scope, value_name = "SCOPE")]
    pub scopes: Vec<ScopeWord>,
    /// An application that he answers for, by name; with a scope of `applicationOwner`; may be given several times
    #[arg(long = "application", value_name = "NAME")]
    pub applications: Vec<String>,
    /// He may look at answers and not export them, whatever his roles allow
    #[arg(long)]
    pub view_only: bool,
    /// How long it is good: a span such as 90d or 12h, or until an instant
    #[arg(long, default_value = "90d", value_name = "SPAN")]
    pub expires: String,
}

/// A part of history that a scoped reader may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeWord {
    /// The identity itself and what belongs to it.
    Own,
    /// Those below it, and what belongs to them.
    ManagerTree,
    /// What is of the applications that are named.
    ApplicationOwner,
}

/// Commands on the logs of the REST interface.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show who asked what, newest first
    AccessLog(AccessLogArgs),
    /// Show requests that came without a token or with one that is good for nothing, newest first
    LoginFailures {
        /// From this instant on
        #[arg(long, value_name = "INSTANT")]
        from: Option<String>,
        /// Up to this instant
        #[arg(long, value_name = "INSTANT")]
        to: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
        limit: u32,
    },
}

/// Arguments of `audit access-log`.
#[derive(Debug, Args)]
pub struct AccessLogArgs {
    /// Only of this person: the name of a token
    #[arg(long, value_name = "NAME")]
    pub who: Option<String>,
    /// From this instant on
    #[arg(long, value_name = "INSTANT")]
    pub from: Option<String>,
    /// Up to this instant
    #[arg(long, value_name = "INSTANT")]
    pub to: Option<String>,
    /// Only this operation, such as listObjects, or this path, such as /api/v1/runs
    #[arg(long, value_name = "WHAT")]
    pub what: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub limit: u32,
}

/// Commands on the REST interface.
#[derive(Debug, Subcommand)]
pub enum ApiCommand {
    /// Print its description (OpenAPI 3.1)
    Openapi,
    /// Print it as a collection for Postman
    Postman,
}

/// Characters of a token's name, at most.
const NAME_CHARS_MAX: usize = 100;

fn name(text: &str) -> Result<String, String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX || !text.chars().all(is_part) {
        return Err(format!("write up to {NAME_CHARS_MAX} letters, digits, `-`, `_`, `.` and `@`"));
    }
    Ok(text.to_owned())
}

fn role(word: &str) -> Result<Role, String> {
    Role::from_str(word).map_err(|()| {
        let words: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("the roles are {}", words.join(", "))
    })
}

fn scope(word: &str) -> Result<ScopeWord, String> {
    match word {
        "own" => Ok(ScopeWord::Own),
        "managerTree" => Ok(ScopeWord::ManagerTree),
        "applicationOwner" => Ok(ScopeWord::ApplicationOwner),
        _ => Err("the scopes are own, managerTree, applicationOwner".to_owned()),
    }
}
