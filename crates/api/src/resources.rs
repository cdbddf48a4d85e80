//! What is answered, by kind of thing.

pub(crate) mod access;
pub(crate) mod acts;
pub(crate) mod compare;
pub(crate) mod letters;
pub(crate) mod objects;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod sessions;

use annals_questions::{Column, Row, object};
use serde_json::{Value, json};

use crate::ask::{Answer, Question};
use crate::odata::ParseError;
use crate::openapi::columns;
use crate::operation::Form;
use crate::problem::Problem;

/// Rows of a page where nobody says how many.
const TOP: u32 = 100;

/// Rows of the page that is asked for.
fn top(question: &Question<'_>) -> u32 {
    question.options.top.unwrap_or(TOP)
}

/// A page, with where the next one is.
fn page(question: &Question<'_>, rows: Vec<Value>, next: Option<String>) -> Answer {
    let count = rows.len() as u64;
    let mut body = json!({"value": rows});
    if let Some(token) = next {
        let options = url::form_urlencoded::parse(question.query.as_bytes());
        let others = options.filter(|(name, _)| name != "$skiptoken");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair("$skiptoken", &token)
            .finish();
        body["@odata.nextLink"] = json!(format!("{}?{query}", question.path));
    }
    Answer { body, rows: Some(count) }
}

/// The rows of an answer, as they are told.
fn told_rows<R: Row>(rows: &[R]) -> Vec<Value> {
    rows.iter().map(|row| Value::Object(object(R::COLUMNS, row.cells()))).collect()
}

/// The columns of what is answered, for a file.
pub(crate) fn exported_columns(question: &Question<'_>) -> Result<Vec<Column>, Problem> {
    match question.operation.form {
        Form::List("Object") => objects::columns(question),
        Form::List(name) | Form::One(name) => {
            let columns = columns(name).ok_or_else(|| Problem::not_found("a file of this answer"))?;
            Ok(columns.to_vec())
        }
        Form::Events => Err(Problem::not_found("a file of this answer")),
    }
}

/// An option that is true or false; false where it is absent.
fn flag(question: &Question<'_>, name: &str) -> Result<bool, Problem> {
    match question.options.own.get(name).map(String::as_str) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let message = format!("expected `true` or `false`, found `{other}`");
            Err(Problem::option(name, ParseError { position: 0, message }))
        }
    }
}

/// Of rows that were read, one more than wanted: those that are wanted, and where the next page begins.
fn cut<T>(rows: &mut Vec<T>, limit: u32, token: impl Fn(&T) -> String) -> Option<String> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    if more { rows.last().map(token) } else { None }
}
