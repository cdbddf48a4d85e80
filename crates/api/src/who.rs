//! Who asks.

use annals_audit::{
    FailureReason, LoginFailure, Role, ScopeRule, Standing, StoredToken, find_token, note_login_failure,
};
use annals_sql::Tx;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};

use crate::Api;
use crate::ask::Asked;
use crate::oidc::{Oidc, Refused};
use crate::problem::Problem;
use crate::right::Right;

/// How a name is known that a token of ours tells (AQL-06).
const BY_TOKEN: &str = "token";

/// Somebody whose name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) roles: Vec<Role>,
    /// How his name is known.
    pub(crate) authentication: &'static str,
    /// The part of history that is marked out for him.
    pub(crate) scope: Option<ScopeRule>,
    /// He may not export, whatever his roles allow.
    pub(crate) view_only: bool,
}

impl Principal {
    fn of_token(token: StoredToken) -> Self {
        let StoredToken { name, roles, scope, view_only, .. } = token;
        Self { name, roles, authentication: BY_TOKEN, scope, view_only }
    }

    /// He has this right, over all of history.
    pub(crate) fn may(&self, right: Right) -> bool {
        right.is_given_by(&self.roles) && !(right == Right::Export && self.view_only)
    }
}

/// Why somebody's name is not known, and whose token it was, if it ever was one.
type Unknown = (FailureReason, Option<String>);

/// Who asks, by the token in the request, which is looked up each time: one that is revoked is of no use from then on,
/// on whichever host.
pub(crate) async fn known(api: &Api, headers: &HeaderMap) -> Result<Result<Principal, Unknown>, Problem> {
    let text = match token(headers) {
        Ok(text) => text,
        Err(reason) => return Ok(Err((reason, None))),
    };
    // Before any transaction: it may take a look at the issuer.
    let claims = match &api.oidc {
        Some(oidc) if Oidc::is_token(text) => match oidc.claims(text).await {
            Ok(claims) => Some((oidc, claims)),
            Err(Refused::Token(reason)) => return Ok(Err((reason, None))),
            Err(Refused::Away(problem)) => return Err(problem),
        },
        _ => None,
    };
    let mut tx = api.history.begin_read().await?;
    let known = match claims {
        Some((oidc, claims)) => oidc.principal(&mut tx, claims).await.map(Ok),
        None => of_token(&mut tx, text).await,
    };
    tx.rollback().await?;
    known
}

async fn of_token(tx: &mut Tx, text: &str) -> Result<Result<Principal, Unknown>, Problem> {
    Ok(match find_token(tx, text).await? {
        Standing::Good(token) => Ok(Principal::of_token(token)),
        Standing::Expired(token) => Err((FailureReason::ExpiredToken, Some(token.name))),
        Standing::Revoked(token) => Err((FailureReason::RevokedToken, Some(token.name))),
        Standing::Unknown => Err((FailureReason::UnknownToken, None)),
    })
}

/// Who asks. Who is not known is noted apart (AQL-05) before he is refused.
pub(crate) async fn who(api: &Api, asked: &Asked) -> Result<Principal, Problem> {
    let (reason, principal) = match known(api, &asked.headers).await? {
        Ok(principal) => return Ok(principal),
        Err(unknown) => unknown,
    };
    let failure = LoginFailure {
        reason,
        principal,
        address: asked.address.to_string(),
        host: api.host.clone(),
        method: asked.method.clone(),
        path: asked.path.clone(),
    };
    let mut tx = api.history.begin().await?;
    note_login_failure(&mut tx, &failure).await?;
    tx.commit().await?;
    // Which of the reasons it is would tell a stranger which tokens there were.
    let detail = match reason {
        FailureReason::NoToken => "send a token: `Authorization: Bearer TOKEN`",
        _ => "the token is good for nothing",
    };
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
}

/// The token that a request carries.
fn token(headers: &HeaderMap) -> Result<&str, FailureReason> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let value = values.next().ok_or(FailureReason::NoToken)?;
    if values.next().is_some() {
        return Err(FailureReason::NotUnderstood);
    }
    let text = value.to_str().map_err(|_| FailureReason::NotUnderstood)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(FailureReason::NotUnderstood),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_comes_once_and_as_a_bearer() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(token(&headers(&[])), Err(FailureReason::NoToken));
        assert_eq!(token(&headers(&["Bearer a"])), Ok("a"));
        assert_eq!(token(&headers(&["bearer  a "])), Ok("a"));
        for wrong in [&["Basic YTpi"][..], &["a"], &["Bearer a", "Bearer b"], &["Bearer"], &[""]] {
            assert_eq!(token(&headers(wrong)), Err(FailureReason::NotUnderstood), "{wrong:?}");
        }
    }
}
