//! What went wrong, as RFC 9457 has it.

use annals_model::error_chain;
use annals_sql::ErrorKind;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::odata::{OptionError, ParseError};

/// A request that was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// What is wrong, for people.
    detail: String,
    /// The option that is wrong, and how many characters of it stand before the place.
    option: Option<(String, usize)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), option: None }
    }

    /// An option that is wrong.
    pub(crate) fn option(option: &str, error: ParseError) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            detail: error.message,
            option: Some((option.to_owned(), error.position)),
        }
    }

    /// Nothing of this name.
    pub(crate) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} was not found"))
    }

    /// Something that is not the fault of who asks. He is told no more than that; the log has the rest.
    fn fault(kind: Option<ErrorKind>, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!("a question could not be answered: {}", error_chain(error));
        match kind {
            Some(ErrorKind::Unreachable | ErrorKind::Timeout | ErrorKind::Conflict) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the history database gave no answer in time")
            }
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the question could not be answered; the log says why",
            ),
        }
    }

    /// As it is sent.
    fn body(&self) -> Value {
        let title = self.status.canonical_reason().unwrap_or_default();
        let mut body = json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail,
        });
        if let Some((option, position)) = &self.option {
            body["parameter"] = json!(option);
            body["position"] = json!(position);
        }
        body
    }
}

/// Answers are of one moment, and for who asked alone.
pub(crate) const OF_ALL_ANSWERS: [(HeaderName, HeaderValue); 2] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
];

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, OF_ALL_ANSWERS, self.body().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::UNAUTHORIZED => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"))
            }
            _ => None,
        };
        response
    }
}

impl From<OptionError> for Problem {
    fn from(error: OptionError) -> Self {
        Self::option(&error.option, error.error)
    }
}

impl From<annals_sql::Error> for Problem {
    fn from(error: annals_sql::Error) -> Self {
        Self::fault(Some(error.kind()), &error)
    }
}

impl From<annals_audit::Error> for Problem {
    fn from(error: annals_audit::Error) -> Self {
        let kind = match &error {
            annals_audit::Error::Sql(error) => Some(error.kind()),
            _ => None,
        };
        Self::fault(kind, &error)
    }
}

impl From<annals_history::Error> for Problem {
    fn from(error: annals_history::Error) -> Self {
        match &error {
            annals_history::Error::NoTimeline(_) => Self::not_found("a timeline of this class"),
            annals_history::Error::NoIntervals => {
                let detail = "access intervals are not made yet: run `annals rebuild intervals`";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            annals_history::Error::Place => crate::skip_token::wrong(),
            _ => Self::fault(error.sql_kind(), &error),
        }
    }
}

impl From<annals_questions::Error> for Problem {
    fn from(error: annals_questions::Error) -> Self {
        use annals_questions::Error;
        let wrong = |option: &str, error: &Error| {
            Self::option(option, ParseError { position: 0, message: error.to_string() })
        };
        match error {
            Error::History(error) => error.into(),
            Error::Export(_) => Self::fault(None, &error),
            Error::NoItem(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            Error::AmbiguousItem { .. } | Error::TooManyPaths => wrong("item", &error),
            Error::EmptySpan | Error::NoBeginning => wrong("from", &error),
        }
    }
}

impl From<annals_runs::Error> for Problem {
    fn from(error: annals_runs::Error) -> Self {
        match &error {
            annals_runs::Error::NotFound(what) => Self::not_found(what),
            annals_runs::Error::Sql(sql) => Self::fault(Some(sql.kind()), &error),
            _ => Self::fault(None, &error),
        }
    }
}

impl From<annals_dispatcher::Error> for Problem {
    fn from(error: annals_dispatcher::Error) -> Self {
        match error {
            annals_dispatcher::Error::Runs(error) => error.into(),
            annals_dispatcher::Error::History(error) => error.into(),
            error => Self::fault(None, &error),
        }
    }
}
