//! Questions that compare one instant with another.

use annals_history::{AsOf, Scope, as_of};
use annals_model::{ObjectKey, ObjectType};
use annals_questions::{ChangesQuestion, Diff, GroupBy};
use annals_sql::Tx;
use serde_json::json;

use super::objects::{by_id_at, page_request};
use super::{flag, page, told_rows};
use crate::ask::{Answer, Question};
use crate::condition::condition;
use crate::odata::{OptionError, ParseError};
use crate::problem::Problem;
use crate::{instant, skip_token};

/// What tells an object at an instant from itself at another, or from another one.
pub(crate) async fn diff(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let all = flag(question, "all")?;
    let (sides, diff) = compared(question, tx).await?;
    let counts = diff.counts().told();
    let mut answer = page(question, told_rows(&diff.told(all)), None);
    answer.body["counts"] = counts;
    for (side, (key, state)) in ["from", "to"].into_iter().zip(sides) {
        answer.body[side] = json!({
            "id": key.object_id,
            "captureId": state.capture_id,
            "since": instant::told(state.effective_ms),
            "deleted": state.deleted,
        });
    }
    Ok(answer)
}

/// The same as RFC 6902 has it.
pub(crate) async fn patch(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let (_, diff) = compared(question, tx).await?;
    Ok(page(question, diff.patch, None))
}

type Side = (ObjectKey, AsOf);

async fn compared(question: &Question<'_>, tx: &mut Tx) -> Result<([Side; 2], Diff), Problem> {
    let from_ms = instant::option(question, "from")?;
    let to_ms = instant::option(question, "to")?;
    let known_at_ms = instant::option(question, "knownAsOf")?;
    let first = question.place("id")?;
    let second = question.options.own.get("with").map_or(first, String::as_str);
    // Two objects are compared at one instant, unless it is said otherwise.
    let to_ms = to_ms.or(from_ms.filter(|_| first != second));
    let mut sides = Vec::new();
    for (id, at_ms) in [(first, from_ms), (second, to_ms)] {
        let at_ms = at_ms.unwrap_or(i64::MAX);
        let key = by_id_at(question, tx, id, at_ms, known_at_ms).await?.key;
        match as_of(tx, &key, at_ms, known_at_ms).await? {
            Some(mut state) => {
                if let Some(image) = &mut state.image {
                    question.hidden.redact_image(key.object_type, &mut image.image_fields);
                }
                sides.push((key, state));
            }
            None => {
                let what = format!("a state of {} `{}` at that instant", key.object_type, key.object_id);
                return Err(Problem::not_found(what));
            }
        }
    }
    let Ok([before, after]) = <[Side; 2]>::try_from(sides) else {
        return Err(Problem::not_found("a state to compare with"));
    };
    let diff = annals_questions::diff((&before.0, &before.1), (&after.0, &after.1));
    Ok(([before, after], diff))
}

/// What changed in what identities hold.
pub(crate) async fn changes(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let request = page_request(question)?;
    let found = annals_questions::changes(tx, &asked(question)?, &request).await?;
    let next = found.next.map(|next| skip_token::of_position(next.recorded_ms, &next.id));
    Ok(page(question, told_rows(&found.rows), next))
}

/// How much changed, by group.
pub(crate) async fn change_groups(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let request = page_request(question)?;
    let by = group(question)?;
    let found = annals_questions::change_groups(tx, &asked(question)?, by, &request).await?;
    let next = found.page.next.map(|next| skip_token::of_position(next.recorded_ms, &next.id));
    let mut answer = page(question, told_rows(&found.page.rows), next);
    answer.body["totals"] = found.totals.told();
    Ok(answer)
}

fn group(question: &Question<'_>) -> Result<GroupBy, Problem> {
    let Some(text) = question.options.own.get("group") else { return Ok(GroupBy::Cause) };
    GroupBy::ALL.into_iter().find(|by| by.as_str() == text).ok_or_else(|| {
        let there = GroupBy::ALL.map(GroupBy::as_str).join(", ");
        let message = format!("expected one of {there}, found `{text}`");
        Problem::option("group", ParseError { position: 0, message })
    })
}

fn asked<'q>(question: &'q Question<'_>) -> Result<ChangesQuestion<'q>, Problem> {
    let filter = question.options.filter.as_ref();
    let condition = filter.map(|expr| condition(ObjectType::Identity, expr, question.hidden)).transpose();
    let from_ms = instant::option(question, "from")?.unwrap_or(i64::MIN);
    let to_ms = instant::option(question, "to")?.unwrap_or(i64::MAX);
    if from_ms > to_ms {
        let message = "expected an instant that is not later than `to`".to_owned();
        return Err(Problem::option("from", ParseError { position: 0, message }));
    }
    Ok(ChangesQuestion {
        from_ms,
        to_ms,
        known_at_ms: instant::option(question, "knownAsOf")?,
        condition: condition.map_err(|error| OptionError { option: "$filter".to_owned(), error })?,
        within: within(question),
        unexplained_only: flag(question, "unexplained")?,
    })
}

/// The identities that may be told of; none: all.
fn within<'q>(question: &'q Question<'_>) -> Option<&'q [String]> {
    question.scope.as_ref().map(Scope::within)
}

/// Accounts that nobody answered for.
pub(crate) async fn orphans(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let request = page_request(question)?;
    let at_ms = instant::option(question, "at")?.unwrap_or(i64::MAX);
    let known_at_ms = instant::option(question, "knownAsOf")?;
    let found = annals_questions::orphan_accounts(tx, at_ms, known_at_ms, within(question), &request).await?;
    let next = found.next.map(|next| skip_token::of_position(next.recorded_ms, &next.id));
    Ok(page(question, told_rows(&found.rows), next))
}
