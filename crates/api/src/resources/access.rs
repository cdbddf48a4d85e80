//! Questions about access.

use annals_history::{AccessQuestion, PageRequest, Scope, Span};
use annals_questions::{Mode, WhoHad, Why};
use annals_sql::Tx;

use super::objects::{one_at, page_request};
use super::{flag, page, told_rows};
use crate::ask::{Answer, Question};
use crate::odata::ParseError;
use crate::problem::Problem;
use crate::{instant, skip_token};

/// All that an identity held at an instant.
pub(crate) async fn held(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let request = page_request(question)?;
    let asked = AccessQuestion {
        at_ms: instant::option(question, "at")?.unwrap_or(i64::MAX),
        known_at_ms: instant::option(question, "knownAsOf")?,
        additional_only: flag(question, "additionalOnly")?,
    };
    let identity = one_at(question, tx, asked.at_ms, asked.known_at_ms).await?;
    let Some(found) = annals_history::access(tx, &identity.key, asked, &request).await? else {
        return Err(Problem::not_found(format!(
            "a capture of identity `{}` at that instant",
            identity.key.object_id
        )));
    };
    let next = found.next.map(|next| skip_token::of_position(next.recorded_ms, &next.id));
    Ok(page(question, told_rows(&found.rows), next))
}

/// The holders of an access item in a span of time.
pub(crate) async fn holders(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let request: PageRequest = page_request(question)?;
    let asked = WhoHad {
        item: item(question)?,
        span: span(question)?,
        mode: mode(question)?,
        direct_only: flag(question, "directOnly")?,
        within: question.scope.as_ref().map(Scope::within),
    };
    let found = annals_questions::who_had(tx, &asked, &request).await?;
    let next = found.next.map(|next| skip_token::of_position(next.recorded_ms, &next.id));
    Ok(page(question, told_rows(&found.rows), next))
}

/// Why an identity held an access item at an instant.
pub(crate) async fn reasons(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let item = item(question)?;
    let at_ms = instant::option(question, "at")?.unwrap_or(i64::MAX - 1);
    let known_at_ms = instant::option(question, "knownAsOf")?;
    let identity = one_at(question, tx, at_ms, known_at_ms).await?;
    let asked = Why { identity: &identity.key, item, at_ms, known_at_ms, hidden: question.hidden };
    let found = annals_questions::why(tx, &asked).await?;
    Ok(page(question, told_rows(&found), None))
}

fn item<'q>(question: &'q Question<'_>) -> Result<&'q str, Problem> {
    question.options.own.get("item").map(String::as_str).ok_or_else(|| {
        let message = "expected what is asked for, such as `role:NAME`".to_owned();
        Problem::option("item", ParseError { position: 0, message })
    })
}

/// From an instant to another, or one instant.
fn span(question: &Question<'_>) -> Result<Span, Problem> {
    let known_at_ms = instant::option(question, "knownAsOf")?;
    let (from_ms, to_ms) = (instant::option(question, "from")?, instant::option(question, "to")?);
    match instant::option(question, "at")? {
        Some(at_ms) if from_ms.is_none() && to_ms.is_none() => Ok(Span::at(at_ms, known_at_ms)),
        Some(_) => {
            let message = "expected no other instants beside this one".to_owned();
            Err(Problem::option("at", ParseError { position: 0, message }))
        }
        // People mean the instant they name as well.
        None => Ok(Span {
            from_ms: from_ms.unwrap_or(i64::MIN),
            to_ms: to_ms.map_or(i64::MAX, |to_ms| to_ms.saturating_add(1)),
            known_at_ms,
        }),
    }
}

fn mode(question: &Question<'_>) -> Result<Mode, Problem> {
    let Some(word) = question.options.own.get("mode") else { return Ok(Mode::default()) };
    Mode::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| {
        let message = format!("expected `any`, `all` or `at-end`, found `{word}`");
        Problem::option("mode", ParseError { position: 0, message })
    })
}
