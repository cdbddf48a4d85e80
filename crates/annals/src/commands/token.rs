//! `annals token`: who may use the REST interface.

use annals_audit::{
    Error, NewToken, Role, ScopeRule, Secret, StoredToken, create_token, revoke_token, token_acts, tokens,
};
use annals_config::Config;
use annals_model::ObjectType;
use annals_sql::Tx;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use super::as_of::find_one;
use super::dead::actor;
use crate::cli::{Global, NewTokenArgs, ObjectArgs, ScopeWord};
use crate::context::{open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, print_json, say};
use crate::times;

pub(crate) async fn create(
    global: &Global,
    config: &Config,
    arguments: &NewTokenArgs,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let now_ms = history.now_ms().await?;
    let expires_ms = end(&arguments.expires, &zone, now_ms)?;
    let mut roles = arguments.roles.clone();
    roles.sort_unstable();
    roles.dedup();
    let actor = actor();
    let mut tx = history.begin().await?;
    let scope = scope(&mut tx, arguments).await?;
    let new = NewToken {
        name: &arguments.name,
        roles: &roles,
        scope: scope.as_ref(),
        view_only: arguments.view_only,
        expires_ms: Some(expires_ms),
        actor: &actor,
    };
    let secret = match create_token(&mut tx, &new).await {
        Ok(secret) => secret,
        Err(Error::NameTaken(name)) => {
            return Err(Failure::usage(
                format!("there is a token `{name}` that is not revoked"),
                "Give this one another name, or revoke that one first: `annals token revoke`.",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    tx.commit().await?;
    show_once(global, &new, &secret, &times::show(expires_ms, &zone))?;
    Ok(Exit::Ok)
}

/// What a scoped reader may read; none if nothing is said of it.
async fn scope(tx: &mut Tx, arguments: &NewTokenArgs) -> Result<Option<ScopeRule>, Failure> {
    let has = |word| arguments.scopes.contains(&word);
    let (own, manager_tree) = (has(ScopeWord::Own), has(ScopeWord::ManagerTree));
    let is_role = |role| arguments.roles.contains(&role);
    let wrong = if arguments.scopes.is_empty() {
        let is_said = arguments.identity.is_some() || !arguments.applications.is_empty();
        is_said.then_some(("there is no --scope", "Write --scope own, managerTree or applicationOwner."))
    } else if !is_role(Role::ScopedReader) {
        Some(("a scope is for the role scoped-reader", "Write --role scoped-reader, or leave --scope out."))
    } else if is_role(Role::Admin) || is_role(Role::Auditor) {
        Some((
            "admin and auditor read all of history, whatever the scope",
            "Leave that role out, or --scope.",
        ))
    } else if (own || manager_tree) != arguments.identity.is_some() {
        Some((
            "the scopes own and managerTree are those of an identity",
            "Write --identity NAME beside them, and with them alone.",
        ))
    } else if has(ScopeWord::ApplicationOwner) == arguments.applications.is_empty() {
        Some((
            "the scope applicationOwner is that of applications, of whose owners history knows nothing",
            "Write --application NAME beside it, once for each, and with it alone.",
        ))
    } else {
        None
    };
    if let Some((message, help)) = wrong {
        return Err(Failure::usage(message, help));
    }
    if arguments.scopes.is_empty() {
        return Ok(None);
    }
    let identity = match &arguments.identity {
        Some(name) => {
            let named = ObjectArgs { object_type: ObjectType::Identity, name: name.clone() };
            Some(find_one(tx, &named).await?.key.object_id)
        }
        None => None,
    };
    Ok(Some(ScopeRule { identity, own, manager_tree, applications: arguments.applications.clone() }))
}

/// A scope as people see it.
fn shown(scope: Option<&ScopeRule>) -> Value {
    let Some(scope) = scope else { return Value::Null };
    let of = scope.identity.iter().chain(&scope.applications).cloned().collect::<Vec<_>>();
    json!(format!("{} of {}", scope.words().join(","), of.join(", ")))
}

/// The token alone is data, so that a script gets nothing else.
fn show_once(global: &Global, new: &NewToken<'_>, secret: &Secret, expires: &str) -> anyhow::Result<()> {
    let text = secret.reveal();
    if global.output == Format::Json {
        return print_json(&json!({
            "name": new.name, "roles": words(new.roles), "scope": new.scope, "viewOnly": new.view_only,
            "expires": expires, "token": text,
        }));
    }
    say(format_args!("{text}"))?;
    let roles = new.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    eprintln!("Token {} ({roles}), good until {expires}. It is not shown again.", new.name);
    Ok(())
}

/// Until when a token is good: a span from now, or an instant that is still to come.
fn end(text: &str, zone: &TimeZone, now_ms: i64) -> Result<i64, Failure> {
    let help = "Write a span such as 90d or 12h, or an instant to come such as 2027-01-31.";
    let from_span = || {
        let span: Span = text.parse().ok()?;
        let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone());
        now.checked_add(span).ok().map(|end| end.timestamp().as_millisecond())
    };
    let end_ms = match from_span() {
        Some(end_ms) => end_ms,
        None => times::read(text, zone, now_ms)
            .map_err(|_| Failure::usage(format!("`{text}` is no time"), help))?,
    };
    if end_ms <= now_ms {
        return Err(Failure::usage(format!("`{text}` is over already"), help));
    }
    Ok(end_ms)
}

pub(crate) async fn list(global: &Global, config: &Config) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let mut listing = Listing::new(&[
        "name",
        "roles",
        "scope",
        "view only",
        "state",
        "created",
        "created by",
        "expires",
        "revoked",
        "revoked by",
        "id",
    ]);
    for token in tokens(&mut tx).await? {
        listing.push(vec![
            json!(token.name),
            words(&token.roles),
            shown(token.scope.as_ref()),
            json!(token.view_only),
            json!(state(&token)),
            json!(times::show(token.created_ms, &zone)),
            json!(token.created_by),
            json!(token.expires_ms.map(|ms| times::show(ms, &zone))),
            json!(token.revoked_ms.map(|ms| times::show(ms, &zone))),
            json!(token.revoked_by),
            json!(token.id),
        ]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

pub(crate) async fn revoke(config: &Config, name: &str) -> Result<Exit, Failure> {
    let history = open_history(config).await?;
    let mut tx = history.begin().await?;
    let Some(token) = revoke_token(&mut tx, name, &actor()).await? else {
        return Err(Failure::not_found(
            format!("a token `{name}` that is not revoked"),
            "`annals token list` shows all there are.",
        ));
    };
    tx.commit().await?;
    eprintln!("Token {} is revoked.", token.name);
    Ok(Exit::Ok)
}

pub(crate) async fn log(global: &Global, config: &Config, limit: u32) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let mut listing = Listing::new(&[
        "acted",
        "act",
        "actor",
        "name",
        "roles",
        "scope",
        "view only",
        "expires",
        "token id",
    ]);
    let mut acts = token_acts(&mut tx, limit.saturating_add(1)).await?;
    listing.cut_at(&mut acts, limit);
    for act in acts {
        listing.push(vec![
            json!(times::show(act.acted_ms, &zone)),
            json!(act.act),
            json!(act.actor),
            json!(act.name),
            words(&act.roles),
            shown(act.scope.as_ref()),
            json!(act.view_only),
            json!(act.expires_ms.map(|ms| times::show(ms, &zone))),
            json!(act.token_id),
        ]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// Roles as they are shown.
pub(crate) fn words(roles: &[Role]) -> Value {
    json!(roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(","))
}

fn state(token: &StoredToken) -> &'static str {
    match token.revoked_ms {
        Some(_) => "revoked",
        None if token.has_expired() => "expired",
        None => "good",
    }
}
