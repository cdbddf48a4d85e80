//! Session logs (BRV-10 to BRV-12): requests and the operations that they consist of, as the reference's clients ask for
//! them. A log is the newest state of an identity request or of one of its items that the identity system still has;
//! the request's id is the batch id of both.

use annals_history::find::{Comparison, Condition, Find, Found, Operand, Order, Place, PlaceValue, property};
use annals_model::ObjectType;
use annals_sql::Tx;
use serde_json::{Map, Value, json};

use super::objects::within;
use super::{page, top};
use crate::ask::{Answer, Question};
use crate::condition::{condition, shown};
use crate::instant::told_if;
use crate::odata::{self, Direction, Expand, Expr, Literal, LiteralValue, OptionError, ParseError, Path};
use crate::problem::Problem;
use crate::skip_token;

/// A kind of operation.
struct Code {
    code: &'static str,
    name: &'static str,
    /// The identity system's words for it, of an item of a request.
    operations: &'static [&'static str],
}

const fn code(code: &'static str, name: &'static str, operations: &'static [&'static str]) -> Code {
    Code { code, name, operations }
}

/// The request as a whole.
const REQUEST: &str = "OPC4";
/// An item that sets a password, whatever it calls the operation.
const PASSWORD: &str = "ACHG";
/// An item that nothing else fits.
const OTHER: &str = "OTHR";

/// BRV-11: the codes that the reference has, and those of ours in the same style. No item of a request creates a group:
/// IdentityIQ keeps no request for that.
const CODES: [Code; 12] = [
    code(REQUEST, "Request as a whole, the batch of its operations", &[]),
    code("CRTG", "Group creation", &[]),
    code("GRUA", "Group or role assignment", &["Add"]),
    code("GRUR", "Group or role removal", &["Remove", "Revoke"]),
    code("ACUA", "Account creation", &["Create"]),
    code(PASSWORD, "Password change", &[]),
    code("ACDE", "Account deletion", &["Delete"]),
    code("ACDI", "Account disabling", &["Disable"]),
    code("ACEN", "Account enabling", &["Enable"]),
    code("ACUL", "Account unlocking", &["Unlock"]),
    code("ATST", "Attribute change", &["Set", "Modify"]),
    code(OTHER, "Any other operation", &[]),
];

/// Where logs come from, in the order in which those of one instant are told.
const SOURCES: [ObjectType; 2] = [ObjectType::IdentityRequest, ObjectType::IdentityRequestItem];

/// What a log has, by path: of a request, and of an item.
const PROPERTIES: [(&str, [&str; 2]); 6] = [
    ("id", ["id", "id"]),
    ("batchId", ["id", "identityRequestId"]),
    ("requester/id", ["requesterId", "requesterId"]),
    ("identity/id", ["identityId", "identityId"]),
    ("identity/name", ["identityName", "identityName"]),
    (UPDATED, ["since", "since"]),
];

const OPERATION: &str = "operation";
const UPDATED: &str = "metadata/lastUpdatedDateTime";
/// The name of the attribute that a password is.
const PASSWORD_ATTRIBUTE: &str = "password";

/// Greater than every id.
const AFTER_ALL_IDS: &str = "\u{10ffff}";

/// The codes of operations.
pub(crate) async fn codes(question: &Question<'_>, _tx: &mut Tx) -> Result<Answer, Problem> {
    let rows = CODES.iter().map(|code| json!({"code": code.code, "name": code.name}));
    Ok(page(question, rows.collect(), None))
}

/// The logs.
pub(crate) async fn list(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let direction = direction(question)?;
    let expanded = Expanded::of(&question.options.expand)?;
    let after = question.options.skip_token.as_deref().map(place).transpose()?;
    let limit = top(question);
    let mut found: Vec<(usize, Found)> = Vec::new();
    let mut count = 0;
    for (rank, object_type) in SOURCES.into_iter().enumerate() {
        let wanted = Find {
            object_type,
            condition: wanted(question, rank)?,
            words: Vec::new(),
            order: order(object_type, direction),
            // One more tells whether there are more.
            limit: limit + 1,
            after: after.as_ref().map(|after| after_in(after, rank)),
        };
        let rows = annals_history::find::find(tx, &wanted).await?.rows;
        found.extend(rows.into_iter().map(|row| (rank, row)));
        if question.options.count {
            count += annals_history::find::count(tx, &wanted).await?;
        }
    }
    let updated = |found: &Found| number(found, "since").unwrap_or_default();
    found.sort_by(|(one_rank, one), (two_rank, two)| {
        let by_time = updated(one).cmp(&updated(two));
        let by_time = if direction == Order::Descending { by_time.reverse() } else { by_time };
        by_time.then_with(|| (one_rank, &one.key.object_id).cmp(&(two_rank, &two.key.object_id)))
    });
    let next = super::cut(&mut found, limit, |(rank, last)| {
        let rank = i64::try_from(*rank).unwrap_or_default();
        let values = [PlaceValue::Int(updated(last)), PlaceValue::Int(rank)];
        let id = PlaceValue::Text(last.key.object_id.clone());
        skip_token::of_place(&Place(values.into_iter().chain([id]).collect()))
    });
    let rows = found.iter().map(|(_, found)| log(question, found, &expanded)).collect();
    let mut answer = page(question, rows, next);
    if question.options.count {
        answer.body["@odata.count"] = json!(count);
    }
    Ok(answer)
}

fn order(object_type: ObjectType, direction: Order) -> Vec<(&'static annals_history::find::Property, Order)> {
    let by = |name| property(object_type, name);
    let terms = by("since").map(|since| (since, direction)).into_iter();
    terms.chain(by("id").map(|id| (id, Order::Ascending))).collect()
}

/// Where a page ended: instant, rank of the source, id.
fn place(token: &str) -> Result<(i64, usize, String), Problem> {
    match &skip_token::place(token)?.0[..] {
        [PlaceValue::Int(ms), PlaceValue::Int(rank), PlaceValue::Text(id)] => {
            Ok((*ms, usize::try_from(*rank).unwrap_or(usize::MAX), id.clone()))
        }
        _ => Err(skip_token::wrong()),
    }
}

/// The same in the list of one source: of the same instant come those with a greater id, all of them or none.
fn after_in((ms, ended, id): &(i64, usize, String), rank: usize) -> Place {
    let id = match rank.cmp(ended) {
        std::cmp::Ordering::Less => AFTER_ALL_IDS,
        std::cmp::Ordering::Equal => id,
        std::cmp::Ordering::Greater => "",
    };
    let text = |text: &str| PlaceValue::Text(text.to_owned());
    Place(vec![PlaceValue::Int(*ms), text(id), PlaceValue::Int(i64::MAX), text("")])
}

fn fault(option: &str, position: usize, message: String) -> Problem {
    OptionError { option: option.to_owned(), error: ParseError { position, message } }.into()
}

/// Which way the logs are sorted: those that changed last come first, if nothing is said.
fn direction(question: &Question<'_>) -> Result<Order, Problem> {
    let wrong =
        |path: &Path| fault("$orderby", path.position, format!("expected `{UPDATED}` alone, found `{path}`"));
    match &question.options.order_by[..] {
        [] => Ok(Order::Descending),
        [one] if one.path.to_string() == UPDATED => Ok(match one.direction {
            Direction::Ascending => Order::Ascending,
            Direction::Descending => Order::Descending,
        }),
        [one] => Err(wrong(&one.path)),
        [_, second, ..] => Err(wrong(&second.path)),
    }
}

/// What is looked for in a source: what is there still, and what the filter says.
fn wanted(question: &Question<'_>, rank: usize) -> Result<Option<Condition>, Problem> {
    let mut all = Vec::new();
    if let Some(deleted) = property(SOURCES[rank], "deleted") {
        all.push(Condition::Compare(deleted, Comparison::Equal, Operand::Int(0)));
    }
    if let Some(filter) = &question.options.filter {
        let translated = translated(question, filter, rank);
        all.push(
            translated.map_err(|error| Problem::from(OptionError { option: "$filter".to_owned(), error }))?,
        );
    }
    Ok(within(question, Some(Condition::All(all))))
}

/// The condition that a filter means in a source.
fn translated(question: &Question<'_>, expr: &Expr, rank: usize) -> Result<Condition, ParseError> {
    let all = |parts: &[Expr]| {
        parts.iter().map(|part| translated(question, part, rank)).collect::<Result<Vec<_>, _>>()
    };
    let named = |path: &Path| {
        Ok::<Path, ParseError>(Path { names: vec![of_source(path, rank)?], position: path.position })
    };
    let leaf = match expr {
        Expr::And(parts) => return Ok(Condition::All(all(parts)?)),
        Expr::Or(parts) => return Ok(Condition::Any(all(parts)?)),
        Expr::Not(inner) => return Ok(Condition::Not(Box::new(translated(question, inner, rank)?))),
        Expr::Compare { path, comparison, value } if path.names == [OPERATION] => {
            let is = has_code(value, rank)?;
            return match comparison {
                odata::Comparison::Eq => Ok(is),
                odata::Comparison::Ne => Ok(Condition::Not(Box::new(is))),
                _ => Err(only_equal(path)),
            };
        }
        Expr::In { path, values } if path.names == [OPERATION] => {
            let each = values.iter().map(|value| has_code(value, rank));
            return Ok(Condition::Any(each.collect::<Result<_, _>>()?));
        }
        Expr::Text { path, .. } if path.names == [OPERATION] => return Err(only_equal(path)),
        Expr::Any { path, .. } => {
            let message = format!("expected no collection here, for there is none, found `{path}`");
            return Err(ParseError { position: path.position, message });
        }
        Expr::Compare { path, comparison, value } => {
            Expr::Compare { path: named(path)?, comparison: *comparison, value: value.clone() }
        }
        Expr::In { path, values } => Expr::In { path: named(path)?, values: values.clone() },
        Expr::Text { function, path, part } => {
            Expr::Text { function: *function, path: named(path)?, part: part.clone() }
        }
    };
    condition(SOURCES[rank], &leaf, question.hidden)
}

fn only_equal(path: &Path) -> ParseError {
    let message = format!("expected eq, ne or in with `{OPERATION}`");
    ParseError { position: path.position, message }
}

/// The property of a source that a path of a log means.
fn of_source(path: &Path, rank: usize) -> Result<String, ParseError> {
    let wanted = path.to_string();
    let found = PROPERTIES.iter().find(|(known, _)| *known == wanted);
    found.map(|(_, names)| names[rank].to_owned()).ok_or_else(|| {
        let mut known: Vec<&str> = PROPERTIES.iter().map(|(known, _)| *known).collect();
        known.push(OPERATION);
        let message = format!("expected a property that there is ({}), found `{wanted}`", known.join(", "));
        ParseError { position: path.position, message }
    })
}

/// That a log of a source has a code.
fn has_code(literal: &Literal, rank: usize) -> Result<Condition, ParseError> {
    let LiteralValue::Text(wanted) = &literal.value else {
        let message =
            format!("expected a text in quotes to compare `{OPERATION}` with, found {}", literal.value);
        return Err(ParseError { position: literal.position, message });
    };
    let (always, never) = (Condition::All(Vec::new()), Condition::Any(Vec::new()));
    let object_type = SOURCES[rank];
    if object_type == ObjectType::IdentityRequest {
        return Ok(if wanted == REQUEST { always } else { never });
    }
    let equal = |name: &str, text: &str| {
        let found = property(object_type, name);
        found.map(|found| Condition::Compare(found, Comparison::Equal, Operand::Text(text.to_owned())))
    };
    let is_password = Condition::Any(equal("itemName", PASSWORD_ATTRIBUTE).into_iter().collect());
    let one_of =
        |words: &[&str]| Condition::Any(words.iter().filter_map(|word| equal(OPERATION, word)).collect());
    let known: Vec<&str> = CODES.iter().flat_map(|code| code.operations.iter().copied()).collect();
    let operation = match &**wanted {
        PASSWORD => return Ok(is_password),
        OTHER => Condition::Not(Box::new(one_of(&known))),
        wanted => one_of(CODES.iter().find(|code| code.code == wanted).map_or(&[], |code| code.operations)),
    };
    Ok(Condition::All(vec![Condition::Not(Box::new(is_password)), operation]))
}

/// The code of a log.
fn code_of(found: &Found) -> &'static str {
    if found.key.object_type == ObjectType::IdentityRequest {
        return REQUEST;
    }
    if text(found, "itemName") == Some(PASSWORD_ATTRIBUTE) {
        return PASSWORD;
    }
    let operation = text(found, OPERATION).unwrap_or_default();
    CODES.iter().find(|code| code.operations.contains(&operation)).map_or(OTHER, |code| code.code)
}

/// What else is asked for of each log.
#[derive(Debug, Default)]
struct Expanded {
    requester: bool,
    data: bool,
    account: bool,
    group: bool,
    target_system: bool,
}

impl Expanded {
    fn of(expands: &[Expand]) -> Result<Self, Problem> {
        let mut expanded = Self::default();
        let wrong = |path: &Path, there: &str| {
            fault("$expand", path.position, format!("expected {there}, found `{path}`"))
        };
        for expand in expands {
            match (expand.path.to_string().as_str(), expand.expand.first()) {
                ("requester", None) => expanded.requester = true,
                ("requester", Some(inner)) => return Err(wrong(&inner.path, "nothing within `requester`")),
                ("data", _) => expanded.data = true,
                _ => return Err(wrong(&expand.path, "`requester` or `data`")),
            }
            for inner in &expand.expand {
                match inner.path.to_string().as_str() {
                    "account" => expanded.account = true,
                    "group" => expanded.group = true,
                    "targetSystem" => expanded.target_system = true,
                    _ => return Err(wrong(&inner.path, "`account`, `group` or `targetSystem`")),
                }
            }
        }
        Ok(expanded)
    }
}

fn log(question: &Question<'_>, found: &Found, expanded: &Expanded) -> Value {
    let object_type = found.key.object_type;
    let is_request = object_type == ObjectType::IdentityRequest;
    let told = |name: &str| {
        let is_shown = shown(object_type, question.hidden).any(|property| property.name == name);
        text(found, name).filter(|_| is_shown)
    };
    let status = match is_request {
        true if number(found, "endDate").is_some() => Some("Ended"),
        true => Some("UnderWay"),
        false => told("provisioningState").or_else(|| told("approvalState")),
    };
    let batch = if is_request { "id" } else { "identityRequestId" };
    let mut log = json!({
        "id": found.key.object_id,
        "operation": code_of(found),
        "batchId": told(batch),
        "status": status,
        "identity": {"id": told("identityId"), "name": told("identityName")},
        "metadata": {"lastUpdatedDateTime": told_if(number(found, "since"))},
    });
    if expanded.requester {
        let name = if is_request { "requesterDisplayName" } else { "requesterName" };
        log["requester"] = json!({"id": told("requesterId"), "name": told(name)});
    }
    if expanded.data {
        let data = if is_request {
            json!({"type": told("type"), "endDateTime": told_if(number(found, "endDate"))})
        } else {
            item(&told, expanded)
        };
        log["data"] = data;
    }
    log
}

fn item<'f>(told: &impl Fn(&str) -> Option<&'f str>, expanded: &Expanded) -> Value {
    let attribute = told("itemName");
    let is_password = attribute.is_some_and(|name| name.to_ascii_lowercase().contains(PASSWORD_ATTRIBUTE));
    let value = told("value").filter(|_| !is_password);
    let application = told("applicationName");
    let mut data = Map::new();
    for name in ["operation", "approvalState", "provisioningState", "compilationStatus"] {
        data.insert(name.to_owned(), json!(told(name)));
    }
    data.insert("attribute".to_owned(), json!(attribute));
    data.insert("value".to_owned(), json!(value));
    if expanded.account {
        data.insert(
            "account".to_owned(),
            json!({"nativeIdentity": told("nativeIdentity"), "targetSystem": application}),
        );
    }
    if expanded.group {
        let group = value.map(|value| json!({"attribute": attribute, "value": value}));
        data.insert("group".to_owned(), json!(group));
    }
    if expanded.target_system {
        data.insert("targetSystem".to_owned(), json!(application.map(|name| json!({"name": name}))));
    }
    Value::Object(data)
}

/// The value of a property of an object that was found.
fn value<'f>(found: &'f Found, name: &str) -> Option<&'f Value> {
    let properties = annals_history::find::properties(found.key.object_type);
    let position = properties.iter().position(|property| property.name == name)?;
    found.values.get(position)
}

fn text<'f>(found: &'f Found, name: &str) -> Option<&'f str> {
    value(found, name)?.as_str()
}

fn number(found: &Found, name: &str) -> Option<i64> {
    value(found, name)?.as_i64()
}
