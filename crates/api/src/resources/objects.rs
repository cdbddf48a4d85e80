//! Objects and their past (IIQ-09).

use annals_history::find::{
    Comparison, Condition, Find, Found, Operand, Order, Property, PropertyKind, properties,
};
use annals_history::{AsOf, PageRequest, TimelineRange, head_images, heads};
use annals_model::{ObjectKey, ObjectType};
use annals_questions::{Certainty, Column, property_column};
use annals_sql::Tx;
use serde_json::{Map, Value, json};

use super::{page, told_rows, top};
use crate::ask::{Answer, Question};
use crate::condition::{condition, property_of, shown};
use crate::instant::{self, told, told_if};
use crate::odata::{Direction, OptionError, ParseError};
use crate::problem::Problem;
use crate::skip_token;

/// The one thing of an object that a list can be asked for besides.
const IMAGE: &str = "image";

/// Images in one answer, which is made in memory.
const IMAGES_MAX: u32 = 100;

/// Objects of a class.
pub(crate) async fn list(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let wanted = wanted(question)?;
    let selected = selected(question, wanted.object_type)?;
    let with_images = expands_image(question)?;
    if with_images && wanted.limit > IMAGES_MAX {
        let message = format!("expected at most {IMAGES_MAX} with $expand={IMAGE}");
        return Err(fault("$top", ParseError { position: 0, message }));
    }
    // A page of no rows is for the count alone.
    let found = match wanted.limit {
        0 => annals_history::find::FoundPage { rows: Vec::new(), next: None },
        _ => annals_history::find::find(tx, &wanted).await?,
    };
    let mut rows: Vec<Map<String, Value>> = found.rows.iter().map(|row| object(row, &selected)).collect();
    if with_images {
        let mut images = images(question, tx, &found.rows).await?;
        for (row, found) in rows.iter_mut().zip(&found.rows) {
            row.insert(IMAGE.to_owned(), images.remove(&found.key).unwrap_or(Value::Null));
        }
    }
    let rows = rows.into_iter().map(Value::Object).collect();
    let mut answer = page(question, rows, found.next.as_ref().map(skip_token::of_place));
    if question.options.count {
        answer.body["@odata.count"] = json!(annals_history::find::count(tx, &wanted).await?);
    }
    Ok(answer)
}

/// What is looked for.
fn wanted(question: &Question<'_>) -> Result<Find, Problem> {
    let object_type = object_type(question)?;
    let options = &question.options;
    let filter =
        options.filter.as_ref().map(|expr| condition(object_type, expr, question.hidden)).transpose();
    let mut order = Vec::new();
    for term in &options.order_by {
        let property = property_of(object_type, &term.path, question.hidden)
            .map_err(|error| fault("$orderby", error))?;
        let direction = match term.direction {
            Direction::Ascending => Order::Ascending,
            Direction::Descending => Order::Descending,
        };
        order.push((property, direction));
    }
    Ok(Find {
        object_type,
        condition: within(question, filter.map_err(|error| fault("$filter", error))?),
        words: options.search.clone(),
        order,
        limit: top(question),
        after: options.skip_token.as_deref().map(skip_token::place).transpose()?,
    })
}

/// A condition, and that the object is one that may be told of.
pub(super) fn within(question: &Question<'_>, condition: Option<Condition>) -> Option<Condition> {
    let scope = question.scope.clone().map(Condition::Within);
    match (scope, condition) {
        (Some(scope), Some(condition)) => Some(Condition::All(vec![scope, condition])),
        (scope, condition) => scope.or(condition),
    }
}

fn fault(option: &str, error: ParseError) -> Problem {
    OptionError { option: option.to_owned(), error }.into()
}

fn object_type(question: &Question<'_>) -> Result<ObjectType, Problem> {
    question.operation.object_type.ok_or_else(|| Problem::not_found("the class"))
}

/// Which properties are told.
fn selected(question: &Question<'_>, object_type: ObjectType) -> Result<Vec<&'static Property>, Problem> {
    let mut selected = Vec::new();
    for path in &question.options.select {
        if path.names == ["*"] {
            return Ok(shown(object_type, question.hidden).collect());
        }
        let property = property_of(object_type, path, question.hidden);
        selected.push(property.map_err(|error| fault("$select", error))?);
    }
    if selected.is_empty() {
        selected.extend(shown(object_type, question.hidden));
    }
    Ok(selected)
}

/// The columns of a list of objects: the properties that are told.
pub(super) fn columns(question: &Question<'_>) -> Result<Vec<Column>, Problem> {
    let object_type = object_type(question)?;
    let selected = selected(question, object_type)?;
    let told = properties(object_type)
        .iter()
        .filter(|property| selected.iter().any(|selected| selected.name == property.name));
    Ok(told.map(property_column).collect())
}

fn expands_image(question: &Question<'_>) -> Result<bool, Problem> {
    for expand in &question.options.expand {
        let wrong = |position: usize, found: String| {
            fault("$expand", ParseError { position, message: format!("expected `{IMAGE}`, found `{found}`") })
        };
        if expand.path.names != [IMAGE] {
            return Err(wrong(expand.path.position, expand.path.to_string()));
        }
        if let Some(inner) = expand.expand.first() {
            let message = format!("expected nothing within `{IMAGE}`, found `{}`", inner.path);
            return Err(fault("$expand", ParseError { position: inner.path.position, message }));
        }
    }
    Ok(!question.options.expand.is_empty())
}

fn object(found: &Found, selected: &[&'static Property]) -> Map<String, Value> {
    let mut told_values = Map::new();
    for (property, value) in properties(found.key.object_type).iter().zip(&found.values) {
        if selected.iter().any(|selected| selected.name == property.name) {
            let value = match (property.kind, value) {
                (PropertyKind::Instant, value) => told_if(value.as_i64()),
                (_, value) => value.clone(),
            };
            told_values.insert(property.name.clone(), value);
        }
    }
    told_values
}

/// The images of the newest states; none of objects that are gone.
async fn images(
    question: &Question<'_>,
    tx: &mut Tx,
    found: &[Found],
) -> Result<std::collections::HashMap<ObjectKey, Value>, Problem> {
    let keys: Vec<ObjectKey> = found.iter().map(|found| found.key.clone()).collect();
    let newest = heads(tx, &keys).await?;
    let living: Vec<_> = newest.iter().filter(|(_, head)| !head.deleted).collect();
    let mut images = std::collections::HashMap::new();
    for (key, image) in head_images(tx, &living).await? {
        let mut fields = image.map_err(annals_history::Error::from)?.image.image_fields;
        question.hidden.redact_image(key.object_type, &mut fields);
        images.insert(key, Value::Object(fields));
    }
    Ok(images)
}

/// An object's newest state, with its image.
pub(crate) async fn get(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let found = one(question, tx).await?;
    let all: Vec<&'static Property> = shown(found.key.object_type, question.hidden).collect();
    let mut body = object(&found, &all);
    let image = images(question, tx, std::slice::from_ref(&found)).await?.remove(&found.key);
    body.insert(IMAGE.to_owned(), image.unwrap_or(Value::Null));
    Ok(Answer::one(Value::Object(body)))
}

/// The object that the path names, by its id. One that may not be told of is not told apart from one that is not there.
pub(super) async fn one(question: &Question<'_>, tx: &mut Tx) -> Result<Found, Problem> {
    named(question, tx, question.place("id")?, true).await
}

/// The same by what it was at an instant, as known at another.
pub(super) async fn one_at(
    question: &Question<'_>,
    tx: &mut Tx,
    at_ms: i64,
    known_at_ms: Option<i64>,
) -> Result<Found, Problem> {
    by_id_at(question, tx, question.place("id")?, at_ms, known_at_ms).await
}

/// An object of the class by its id, if what it was at an instant, as known at another, may be told of.
pub(super) async fn by_id_at(
    question: &Question<'_>,
    tx: &mut Tx,
    id: &str,
    at_ms: i64,
    known_at_ms: Option<i64>,
) -> Result<Found, Problem> {
    let found = named(question, tx, id, false).await?;
    match &question.scope {
        Some(scope) if !scope.holds_at(tx, &found.key, at_ms, known_at_ms).await? => {
            Err(absent(found.key.object_type, id))
        }
        _ => Ok(found),
    }
}

fn absent(object_type: ObjectType, id: &str) -> Problem {
    Problem::not_found(format!("{object_type} `{id}`"))
}

/// An object of the class by its id; only if its newest state may be told of, where that is asked for.
async fn named(question: &Question<'_>, tx: &mut Tx, id: &str, newest: bool) -> Result<Found, Problem> {
    let object_type = object_type(question)?;
    // The first property of every class is its id.
    let by_id = properties(object_type)
        .first()
        .map(|property| Condition::Compare(property, Comparison::Equal, Operand::Text(id.to_owned())));
    let condition = if newest { within(question, by_id) } else { by_id };
    let wanted = Find { object_type, condition, words: Vec::new(), order: Vec::new(), limit: 1, after: None };
    let found = annals_history::find::find(tx, &wanted).await?.rows.pop();
    found.ok_or_else(|| absent(object_type, id))
}

pub(super) fn page_request(question: &Question<'_>) -> Result<PageRequest, Problem> {
    let after = question.options.skip_token.as_deref().map(skip_token::position).transpose()?;
    Ok(PageRequest { limit: top(question), after })
}

/// An object's captures.
pub(crate) async fn captures(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let request = page_request(question)?;
    let object = one(question, tx).await?;
    let found = match &question.scope {
        Some(scope) => annals_history::captures_within(tx, &object.key, &request, scope).await?,
        None => annals_history::captures(tx, &object.key, &request).await?,
    };
    let next = found.next.map(|next| skip_token::of_position(next.recorded_ms, &next.id));
    Ok(page(question, told_rows(&found.rows), next))
}

/// An object's state at an instant.
pub(crate) async fn as_of(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let at_ms = instant::option(question, "at")?.unwrap_or(i64::MAX);
    let known_at_ms = instant::option(question, "knownAsOf")?;
    let object = one_at(question, tx, at_ms, known_at_ms).await?;
    let state = annals_history::as_of(tx, &object.key, at_ms, known_at_ms).await?;
    let Some(mut state) = state else {
        let what =
            format!("a state of {} `{}` at that instant", object.key.object_type, object.key.object_id);
        return Err(Problem::not_found(what));
    };
    if let Some(image) = &mut state.image {
        question.hidden.redact_image(object.key.object_type, &mut image.image_fields);
    }
    let certainty = annals_questions::certainty(tx, &object.key, &state, known_at_ms).await?;
    Ok(Answer::one(state_told(&object.key, &state, certainty)))
}

fn state_told(key: &ObjectKey, state: &AsOf, certainty: Certainty) -> Value {
    json!({
        "id": key.object_id,
        "captureId": state.capture_id,
        "since": told(state.effective_ms),
        "lastSeen": told(certainty.window.last_seen_ms),
        "nextSeen": told_if(certainty.window.next_seen_ms),
        "failedRuns": certainty.failed_runs,
        "recorded": told(state.recorded_ms),
        "deleted": state.deleted,
        "image": state.image.as_ref().map(|image| &image.image_fields),
    })
}

/// An object's events.
pub(crate) async fn timeline(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let request = page_request(question)?;
    let range = TimelineRange {
        from_ms: instant::option(question, "from")?,
        // A range of history is half open; people mean the instant they name as well.
        to_ms: instant::option(question, "to")?.map(|ms| ms.saturating_add(1)),
    };
    let object = one(question, tx).await?;
    let found = match &question.scope {
        Some(scope) => annals_history::timeline_within(tx, &object.key, range, &request, scope).await?,
        None => annals_history::timeline(tx, &object.key, range, &request).await?,
    };
    let next = found.next.map(|next| skip_token::of_position(next.recorded_ms, &next.id));
    let shown = found.rows.into_iter().filter_map(|event| question.hidden.redact_event(event));
    Ok(page(question, told_rows(&shown.collect::<Vec<_>>()), next))
}
