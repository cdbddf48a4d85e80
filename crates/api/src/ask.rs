//! The way that every request goes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use annals_audit::{Access, note_access};
use annals_config::service::ScopeAsOf;
use annals_history::{Hidden, Scope};
use annals_sql::Tx;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::SemaphorePermit;

use crate::events;
use crate::odata::Options;
use crate::operation::{Form, Method, Operation};
use crate::problem::{OF_ALL_ANSWERS, Problem};
use crate::right::{Reach, reach};
use crate::who::{Principal, who};
use crate::{Api, HEAVY_WAIT};
use crate::{export, instant};

/// Addresses that are counted before those are forgotten that have been silent.
const ADDRESSES_MAX: usize = 10_000;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) address: IpAddr,
    /// What stands in the places that the operation's path leaves open; none if it is no text.
    pub(crate) places: Option<BTreeMap<String, String>>,
}

impl Asked {
    /// The run that the path names.
    fn run(&self) -> Option<i64> {
        self.places.as_ref()?.get("run")?.parse().ok()
    }
}

/// A question, as it is understood.
pub(crate) struct Question<'a> {
    pub(crate) api: &'a Api,
    pub(crate) operation: &'static Operation,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) options: Options,
    pub(crate) principal: &'a Principal,
    /// The part of history that may be told of; none: all of it.
    pub(crate) scope: Option<Scope>,
    /// The attributes that may not be told of.
    pub(crate) hidden: &'a Hidden,
    places: BTreeMap<String, String>,
}

impl<'a> Question<'a> {
    /// What was asked, with its options; of all of history as yet.
    pub(crate) fn new(
        api: &'a Api,
        operation: &'static Operation,
        asked: &'a Asked,
        principal: &'a Principal,
        options: Options,
    ) -> Result<Self, Problem> {
        let Some(places) = asked.places.clone() else { return Err(Problem::not_found("what is no text")) };
        let hidden = api.hidden.of(&principal.roles);
        if operation.of_access && hidden.hides_access() {
            let detail = "a part of what identities hold is hidden from the roles of this token, and with it this question";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        let (path, query) = (&*asked.path, &*asked.query);
        Ok(Self { api, operation, path, query, options, principal, scope: None, hidden, places })
    }

    /// What stands in an open place of the path.
    pub(crate) fn place(&self, name: &str) -> Result<&str, Problem> {
        // No engine keeps this character in a text: nothing can have such a name.
        match self.places.get(name) {
            Some(text) if !text.contains('\0') => Ok(text),
            _ => Err(Problem::not_found(format!("{} `{name}`", self.path.replace('\0', "")))),
        }
    }

    /// A number that stands in an open place of the path.
    pub(crate) fn number(&self, name: &str) -> Result<i64, Problem> {
        let text = self.place(name)?;
        text.parse().map_err(|_| Problem::not_found(format!("{name} `{text}`")))
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) body: Value,
    /// How many rows it holds; none if it is none of rows.
    pub(crate) rows: Option<u64>,
}

impl Answer {
    /// One thing.
    pub(crate) fn one(body: Value) -> Self {
        Self { body, rows: Some(1) }
    }
}

/// Answers a request. It is noted in the access log before the answer is sent, and where it cannot be noted there is no
/// answer.
pub(crate) async fn answer(api: Arc<Api>, operation: &'static Operation, asked: Asked) -> Response {
    if api.rate.len() > ADDRESSES_MAX {
        api.rate.retain_recent();
    }
    if api.rate.check_key(&asked.address).is_err() {
        return Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "that is more requests than one address may send",
        )
        .into_response();
    }
    let principal = match who(&api, &asked).await {
        Ok(principal) => principal,
        Err(problem) => return problem.into_response(),
    };
    if export::is_asked(operation, &asked) {
        return export::answer(api, operation, asked, principal).await;
    }
    let answered = match reach(operation, &principal) {
        Some(reach) => question(&api, operation, &asked, (&principal, reach)).await,
        None => Err(Problem::new(StatusCode::FORBIDDEN, "none of the roles of this token allows that")),
    };
    // What was done is noted already.
    let is_noted = operation.method == Method::Post && answered.is_ok();
    if !is_noted {
        let access = noted(&api, operation, &asked, &principal, &answered);
        if let Err(problem) = note_apart(&api, &access).await {
            return problem.into_response();
        }
    }
    match answered {
        Ok(_) if operation.form == Form::Events => match asked.run() {
            Some(run_id) => events::follow(api, operation, asked, run_id),
            None => Problem::not_found("the run").into_response(),
        },
        Ok(answer) => {
            let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
            ([json], OF_ALL_ANSWERS, answer.body.to_string()).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn question(
    api: &Api,
    operation: &'static Operation,
    asked: &Asked,
    (principal, reach): (&Principal, Reach<'_>),
) -> Result<Answer, Problem> {
    let options = Options::read(&asked.query, &operation.options)?;
    let mut question = Question::new(api, operation, asked, principal, options)?;
    let _permit = if operation.heavy { Some(heavy(api).await?) } else { None };
    if operation.method == Method::Get {
        let mut tx = api.history.begin_read().await?;
        let answered = within_reach(&mut question, reach, &mut tx).await;
        tx.rollback().await?;
        return answered;
    }
    // An act and its row of the access log are one transaction: neither is there without the other.
    let mut tx = api.history.begin().await?;
    let answered = (operation.answer)(&question, &mut tx).await;
    if answered.is_err() {
        tx.rollback().await?;
        return answered;
    }
    note_access(&mut tx, &noted(api, operation, asked, principal, &answered)).await?;
    tx.commit().await?;
    answered
}

/// Room among the questions that may take long; a problem where there is none in time.
pub(crate) async fn heavy(api: &Api) -> Result<SemaphorePermit<'_>, Problem> {
    let busy = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many searches are under way");
    let permit = tokio::time::timeout(HEAVY_WAIT, api.heavy.acquire()).await;
    permit.map_err(|_| busy())?.map_err(|_| busy())
}

/// The answer of a question, within the scope of who asks.
pub(crate) async fn within_reach(
    question: &mut Question<'_>,
    reach: Reach<'_>,
    tx: &mut Tx,
) -> Result<Answer, Problem> {
    if let Reach::Within(rule) = reach {
        let at_ms = match question.api.scope_as_of {
            ScopeAsOf::Now => None,
            // Of a stretch of time its end.
            ScopeAsOf::Date => match instant::option(question, "at")? {
                Some(at_ms) => Some(at_ms),
                None => instant::option(question, "to")?,
            },
        };
        question.scope = Some(Scope::of_rule(tx, rule, at_ms.unwrap_or(i64::MAX)).await?);
    }
    (question.operation.answer)(question, tx).await
}

/// A row of the access log in a transaction of its own.
pub(crate) async fn note_apart(api: &Api, access: &Access) -> Result<(), Problem> {
    let mut tx = api.history.begin().await?;
    note_access(&mut tx, access).await?;
    tx.commit().await?;
    Ok(())
}

/// What the access log says of a request.
pub(crate) fn noted(
    api: &Api,
    operation: &'static Operation,
    asked: &Asked,
    principal: &Principal,
    answered: &Result<Answer, Problem>,
) -> Access {
    Access {
        principal: principal.name.clone(),
        roles: principal.roles.clone(),
        authentication: principal.authentication,
        address: asked.address.to_string(),
        host: api.host.clone(),
        method: asked.method.clone(),
        path: asked.path.clone(),
        operation: &operation.id,
        query: Some(asked.query.clone()).filter(|query| !query.is_empty()),
        rows: answered.as_ref().ok().and_then(|answer| answer.rows),
        status: answered.as_ref().map_or_else(|problem| problem.status, |_| StatusCode::OK).as_u16(),
    }
}
