//! A question's whole answer as a file: its pages one after the other, sent as they are made, within one state of the
//! database. Each page is the answer that the question gives anyway, so that scopes and hidden attributes hold here too.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annals_questions::export::{Export, ExportFormat};
use annals_questions::{Column, Kind};
use annals_sql::Tx;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use crate::Api;
use crate::ask::{Answer, Asked, Question, heavy, note_apart, noted, within_reach};
use crate::odata::{Options, ParseError};
use crate::operation::Operation;
use crate::problem::{OF_ALL_ANSWERS, Problem};
use crate::resources::exported_columns;
use crate::right::{Right, reach};
use crate::who::Principal;

/// The options of an export, of every question that has rows of history.
pub(crate) const FORMAT: &str = "export";
pub(crate) const TIME_ZONE: &str = "timeZone";

/// Rows of a page.
const PAGE_ROWS: u32 = 1_000;

/// How long a page waits for somebody to take it: what is read for who has gone to sleep holds others up.
const TAKEN_MAX: Duration = Duration::from_secs(60);

/// Pages that are made before somebody has taken them.
const PAGES_AHEAD: usize = 2;

/// Whether a request asks for a file.
pub(crate) fn is_asked(operation: &Operation, asked: &Asked) -> bool {
    operation.options.contains(&FORMAT)
        && url::form_urlencoded::parse(asked.query.as_bytes()).any(|(name, _)| name == FORMAT)
}

/// Answers with a file. That it was asked for is noted before its first row is sent; how many rows there are, nobody knows
/// then.
pub(crate) async fn answer(
    api: Arc<Api>,
    operation: &'static Operation,
    asked: Asked,
    principal: Principal,
) -> Response {
    let (begun, beginning) = oneshot::channel();
    let (pages, mut sent) = mpsc::channel(PAGES_AHEAD);
    let asking = Asking { api, operation, asked, principal };
    tokio::spawn(async move { asking.answer(begun, pages).await });
    let format = match beginning.await {
        Ok(Ok(format)) => format,
        Ok(Err(problem)) => return problem.into_response(),
        Err(_) => {
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the question was lost").into_response();
        }
    };
    let body = Body::from_stream(futures::stream::poll_fn(move |context| sent.poll_recv(context)));
    let kind = (CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    let name = format!("attachment; filename=\"{}.{}\"", operation.id, format.as_str());
    let name = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
    ([kind, (CONTENT_DISPOSITION, name)], OF_ALL_ANSWERS, body).into_response()
}

/// Somebody who asks for a file.
struct Asking {
    api: Arc<Api>,
    operation: &'static Operation,
    asked: Asked,
    principal: Principal,
}

type Begun = oneshot::Sender<Result<ExportFormat, Problem>>;
type Sent = mpsc::Sender<io::Result<Bytes>>;

impl Asking {
    async fn answer(self, begun: Begun, sent: Sent) {
        let mut begun = Some(begun);
        let outcome = self.pages(&mut begun, &sent).await;
        match (outcome, begun) {
            (Ok(()), _) => {}
            (Err(problem), Some(begun)) => {
                let noting = self.note(&Err(problem.clone())).await;
                drop(begun.send(Err(noting.err().unwrap_or(problem))));
            }
            // It has begun: all that can be said is that it broke off.
            (Err(_), None) => drop(sent.send(Err(io::Error::other("the answer broke off"))).await),
        }
    }

    async fn pages(&self, begun: &mut Option<Begun>, sent: &Sent) -> Result<(), Problem> {
        let Self { api, operation, asked, principal } = self;
        let refused = || Problem::new(StatusCode::FORBIDDEN, "none of the roles of this token allows that");
        let reach = reach(operation, principal).ok_or_else(refused)?;
        if !principal.may(Right::Export) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "this token may look, and not export"));
        }
        let (options, format, zone) = options(operation, asked)?;
        let mut question = Question::new(api, operation, asked, principal, options)?;
        let _permit = heavy(api).await?;
        let mut tx = api.history.begin_read().await?;
        let first = within_reach(&mut question, reach, &mut tx).await;
        let ended = match first {
            Ok(first) => {
                let out = Outlet::default();
                let export = Export::begin(format, exported_columns(&question)?, zone, out.clone());
                let noting = self.note(&Ok(Answer { body: Value::Null, rows: None })).await;
                match noting.and_then(|()| Ok(export?)) {
                    Ok(export) => {
                        if let Some(begun) = begun.take() {
                            drop(begun.send(Ok(format)));
                        }
                        Sending { out, export, sent }.all(&mut question, &mut tx, first).await
                    }
                    Err(problem) => Err(problem),
                }
            }
            Err(problem) => Err(problem),
        };
        tx.rollback().await?;
        ended
    }

    async fn note(&self, answered: &Result<Answer, Problem>) -> Result<(), Problem> {
        note_apart(&self.api, &noted(&self.api, self.operation, &self.asked, &self.principal, answered)).await
    }
}

/// What an export is asked for with: the question's own options, in pages of the largest size.
fn options(operation: &Operation, asked: &Asked) -> Result<(Options, ExportFormat, TimeZone), Problem> {
    let wrong = |name: &str, message: String| Problem::option(name, ParseError { position: 0, message });
    let of_pages = ["$top", "$skiptoken", "$count", "$expand"];
    let known: Vec<&str> =
        operation.options.iter().copied().filter(|option| !of_pages.contains(option)).collect();
    let mut options = Options::read(&asked.query, &known)?;
    let format = options.own.get(FORMAT).map(String::as_str).unwrap_or_default();
    let format = ExportFormat::of_name(format).ok_or_else(|| {
        let names = ExportFormat::ALL.map(ExportFormat::as_str).join(", ");
        wrong(FORMAT, format!("expected one of {names}, found `{format}`"))
    })?;
    let zone = options.own.get(TIME_ZONE).map_or("UTC", String::as_str);
    let zone = TimeZone::get(zone).map_err(|_| {
        wrong(TIME_ZONE, format!("expected an IANA time zone such as Europe/Berlin, found `{zone}`"))
    })?;
    options.top = Some(PAGE_ROWS);
    Ok((options, format, zone))
}

/// What is written and not sent yet.
#[derive(Debug, Clone, Default)]
struct Outlet(Arc<Mutex<Vec<u8>>>);

impl Outlet {
    fn take(&self) -> Bytes {
        Bytes::from(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file on its way.
struct Sending<'s> {
    out: Outlet,
    export: Export<Outlet>,
    sent: &'s Sent,
}

impl Sending<'_> {
    /// Sends the first page and all that follow it. Who hangs up ends it.
    async fn all(mut self, question: &mut Question<'_>, tx: &mut Tx, first: Answer) -> Result<(), Problem> {
        let columns = exported_columns(question)?;
        let mut answer = first;
        loop {
            let next = next_page(&answer.body);
            let rows = answer.body["value"].take();
            let rows = rows.as_array().cloned().unwrap_or_default();
            self.export.write(rows.into_iter().map(|row| cells(&columns, row)).collect())?;
            if self.send(self.out.take()).await.is_err() {
                return Ok(());
            }
            if next.is_none() {
                break;
            }
            question.options.skip_token = next;
            answer = (question.operation.answer)(question, tx).await?;
        }
        self.export.end()?;
        drop(self.sent.send(Ok(self.out.take())).await);
        Ok(())
    }

    async fn send(&self, bytes: Bytes) -> Result<(), ()> {
        if bytes.is_empty() && !self.sent.is_closed() {
            return Ok(());
        }
        let taken = tokio::time::timeout(TAKEN_MAX, self.sent.send(Ok(bytes))).await;
        taken.map_err(drop)?.map_err(drop)
    }
}

/// Where the next page begins, as the answer says.
fn next_page(body: &Value) -> Option<String> {
    let (_, query) = body["@odata.nextLink"].as_str()?.split_once('?')?;
    let mut options = url::form_urlencoded::parse(query.as_bytes());
    options.find(|(name, _)| name == "$skiptoken").map(|(_, token)| token.into_owned())
}

/// A row as it is told, cell by cell.
fn cells(columns: &[Column], row: Value) -> Vec<Value> {
    let mut members: Map<String, Value> = match row {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let cell = |column: &Column| {
        let cell = members.remove(&column.name()).unwrap_or(Value::Null);
        let instant = match column.kind {
            Kind::Instant => cell.as_str().and_then(|text| text.parse::<Timestamp>().ok()),
            _ => None,
        };
        instant.map_or(cell, |instant| Value::from(instant.as_millisecond()))
    };
    columns.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_taken_apart_by_its_columns() {
        let columns = [
            Column::new("request item", Kind::Text),
            Column::new("since", Kind::Instant),
            Column::new("n", Kind::Integer),
        ];
        // 2026-03-01T00:00:00Z is 1772323200 by `date -u -d 2026-03-01 +%s`.
        let row = json!({"n": 3, "since": "2026-03-01T00:00:00.25Z", "other": 1});
        assert_eq!(cells(&columns, row), [Value::Null, json!(1_772_323_200_250_i64), json!(3)]);
    }

    #[test]
    fn the_next_page_is_where_the_link_says() {
        let link = "/api/v1/identities?%24top=2&%24skiptoken=5b22";
        assert_eq!(next_page(&json!({"@odata.nextLink": link})), Some("5b22".to_owned()));
        assert_eq!(next_page(&json!({"value": []})), None);
    }
}
