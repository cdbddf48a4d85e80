//! One comparison of a column with constants. Problems are the rest of a sentence that begins with the name.

use annals_config::filter::{CompareOp, Literal, Part};
use annals_config::profile::TimeKind;
use annals_sql::{ColumnKind, Engine, Value};
use jiff::Timestamp;

use super::Reading;
use crate::change;
use crate::decode::{FALSE_WORDS, TRUE_WORDS};
use crate::fragment::Fragment;
use crate::scope::ColumnRef;

type Written = Result<Fragment, String>;

const fn symbol(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => " = ",
        CompareOp::Ne => " <> ",
        CompareOp::Lt => " < ",
        CompareOp::Le => " <= ",
        CompareOp::Gt => " > ",
        CompareOp::Ge => " >= ",
    }
}

fn written(expression: &str, op: CompareOp, value: impl Into<Value>) -> Fragment {
    let mut fragment = Fragment::new(expression);
    fragment.push(symbol(op)).bind(value);
    fragment
}

pub(super) fn compare(
    engine: Engine,
    column: &ColumnRef,
    reading: Reading,
    op: CompareOp,
    value: &Literal,
) -> Written {
    let sql = &column.sql;
    if let Some(millis) = as_time(engine, column, reading)? {
        return Ok(written(&millis, op, time_of(value)?));
    }
    if reading == Reading::Flag || matches!(value, Literal::Bool(_)) {
        let Literal::Bool(value) = value else {
            return Err("is a boolean: compare it with true or false".to_owned());
        };
        let wanted = match op {
            CompareOp::Eq => *value,
            CompareOp::Ne => !*value,
            _ => return Err("is compared with a boolean, which has no order: use == or !=".to_owned()),
        };
        return truth(engine, column, reading, wanted);
    }
    match column.kind {
        ColumnKind::Integer => Ok(written(sql, op, int_of(value)?)),
        ColumnKind::Boolean => Err("is a boolean: compare it with true or false".to_owned()),
        ColumnKind::Float | ColumnKind::Decimal => match value {
            Literal::Int(number) => Ok(written(sql, op, *number)),
            Literal::Text(text) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(written(sql, op, number)),
                _ => Err("is a number".to_owned()),
            },
            Literal::Bool(_) => Err("is a number".to_owned()),
        },
        ColumnKind::Text | ColumnKind::Other | ColumnKind::DateTime | ColumnKind::Bytes => {
            let text = text_column(engine, column)?;
            let exact = if matches!(op, CompareOp::Eq | CompareOp::Ne) {
                engine.exact_text(&text)
            } else {
                engine.byte_ordered(&text)
            };
            Ok(written(&exact, op, text_of(value)))
        }
    }
}

pub(super) fn one_of(engine: Engine, column: &ColumnRef, reading: Reading, values: &[Literal]) -> Written {
    let mut list = Fragment::default();
    if let Some(millis) = as_time(engine, column, reading)? {
        let times = values.iter().map(time_of).collect::<Result<_, _>>()?;
        list.push(&millis).in_list(Value::IntList(times));
        return Ok(list);
    }
    let has_booleans = values.iter().any(|value| matches!(value, Literal::Bool(_)));
    match column.kind {
        ColumnKind::Integer if reading == Reading::Plain && !has_booleans => {
            let numbers = values.iter().map(int_of).collect::<Result<_, _>>()?;
            list.push(&column.sql).in_list(Value::IntList(numbers));
        }
        ColumnKind::Text | ColumnKind::Other if reading == Reading::Plain && !has_booleans => {
            let texts = values.iter().map(text_of).collect();
            list.push(&engine.exact_text(&text_column(engine, column)?)).in_list(Value::TextList(texts));
        }
        _ => {
            list.push("(");
            for (index, value) in values.iter().enumerate() {
                list.push(if index == 0 { "" } else { " or " });
                list.append(&compare(engine, column, reading, CompareOp::Eq, value)?);
            }
            list.push(")");
        }
    }
    Ok(list)
}

pub(super) fn matches(
    engine: Engine,
    column: &ColumnRef,
    reading: Reading,
    part: Part,
    text: &str,
) -> Written {
    if as_time(engine, column, reading)?.is_some() {
        return Err("is a time: compare it with <, <=, > or >=".to_owned());
    }
    if reading == Reading::Flag {
        return Err("is a boolean: compare it with true or false".to_owned());
    }
    let expression = match column.kind {
        ColumnKind::Integer => engine.as_text(&column.sql),
        ColumnKind::Boolean => return Err("is a boolean: compare it with true or false".to_owned()),
        ColumnKind::Float | ColumnKind::Decimal => return Err("is a number, not text".to_owned()),
        _ => text_column(engine, column)?,
    };
    let (before, after) = match part {
        Part::Start => (false, true),
        Part::End => (true, false),
        Part::Anywhere => (true, true),
    };
    let mut condition = Fragment::new(engine.like(&expression));
    condition.params.push(Value::from(engine.like_pattern(before, text, after)));
    Ok(condition)
}

/// The column in epoch milliseconds if it is a time, and an error if nothing may be compared.
fn as_time(engine: Engine, column: &ColumnRef, reading: Reading) -> Result<Option<String>, String> {
    let kind = match reading {
        Reading::NullOnly(reason) => return Err(format!("{reason}: it can only be compared with null")),
        Reading::Time(kind) => kind,
        Reading::Plain if column.kind == ColumnKind::DateTime => TimeKind::DateTime,
        Reading::Plain | Reading::Flag => return Ok(None),
    };
    change::millis(engine, column, kind).map(Some).map_err(|lack| lack.problem)
}

/// That a column means true, or false. Any number but 0 is true; a flag's null is false.
fn truth(engine: Engine, column: &ColumnRef, reading: Reading, wanted: bool) -> Written {
    let sql = &column.sql;
    let mut condition = Fragment::default();
    match column.kind {
        ColumnKind::Boolean => {
            condition = written(sql, CompareOp::Eq, Value::Bool(Some(wanted)));
        }
        ColumnKind::Integer | ColumnKind::Float | ColumnKind::Decimal => {
            condition.push(sql).push(if wanted { " <> 0" } else { " = 0" });
        }
        ColumnKind::Text | ColumnKind::Other => {
            let words = if wanted { TRUE_WORDS } else { FALSE_WORDS };
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            condition
                .push(&format!("lower({})", text_column(engine, column)?))
                .in_list(Value::TextList(words));
        }
        ColumnKind::Bytes | ColumnKind::DateTime => return Err("is no boolean".to_owned()),
    }
    if reading == Reading::Flag {
        let null = if wanted { "is not null and" } else { "is null or" };
        condition.text = format!("({sql} {null} {})", condition.text);
    }
    Ok(condition)
}

fn text_column(engine: Engine, column: &ColumnRef) -> Result<String, String> {
    match column.kind {
        ColumnKind::Text => Ok(column.sql.clone()),
        ColumnKind::Bytes => Err("holds bytes: it can only be compared with null".to_owned()),
        _ => Ok(engine.as_text(&column.sql)),
    }
}

fn text_of(value: &Literal) -> String {
    match value {
        Literal::Text(text) => text.clone(),
        Literal::Int(number) => number.to_string(),
        Literal::Bool(flag) => flag.to_string(),
    }
}

fn int_of(value: &Literal) -> Result<i64, String> {
    match value {
        Literal::Int(number) => Ok(*number),
        Literal::Text(text) => text.parse().map_err(|_| "is a whole number".to_owned()),
        Literal::Bool(_) => Err("is a whole number".to_owned()),
    }
}

fn time_of(value: &Literal) -> Result<i64, String> {
    match value {
        Literal::Int(millis) => Ok(*millis),
        Literal::Text(text) => text.parse().map(Timestamp::as_millisecond).map_err(|_| {
            "is a time: write it with date, time and offset, as in \"2026-01-31T00:00:00Z\"".to_owned()
        }),
        Literal::Bool(_) => Err("is a time, not a boolean".to_owned()),
    }
}
