//! What a column gets from an image.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::columns::{Kind, Mapped};
use crate::rows::Rows;

/// Fills the last row's mapped columns from an image's fields.
pub(crate) fn fill(rows: &mut Rows, columns: &[Mapped], fields: &Map<String, Value>) {
    for mapped in columns {
        let value = find(fields, mapped.field, mapped.inside);
        set(rows, mapped, value.or_else(|| find(fields, mapped.fallback?, "")));
    }
}

/// The value of a field, or what is at a path inside it, unless it is null.
fn find<'v>(fields: &'v Map<String, Value>, field: &str, inside: &str) -> Option<&'v Value> {
    let value = fields.get(field)?;
    let value = if inside.is_empty() { value } else { walk(value, inside)? };
    (!value.is_null()).then_some(value)
}

/// Fills the last row's mapped columns from an element of a collection. An element that is no object is its own only
/// column: a transform may keep of a reference the id alone.
pub(crate) fn fill_element(rows: &mut Rows, columns: &[Mapped], element: &Value) {
    match (element, columns) {
        (Value::Object(fields), _) => fill(rows, columns, fields),
        (scalar, [only]) => set(rows, only, Some(scalar)),
        _ => {}
    }
}

fn walk<'v>(mut value: &'v Value, path: &str) -> Option<&'v Value> {
    for part in path.split('.') {
        value = match value {
            Value::Object(members) => members.get(part)?,
            Value::Array(elements) => elements.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

fn set(rows: &mut Rows, mapped: &Mapped, value: Option<&Value>) {
    let Some(value) = value else { return };
    match mapped.kind {
        Kind::Text(_) => rows.text(mapped.column, text(value).as_deref()),
        Kind::Int => rows.int(mapped.column, small_number(value)),
        Kind::Flag => rows.int(mapped.column, flag(value)),
        Kind::Time => rows.int(mapped.column, instant(value)),
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        other => Some(Cow::Owned(other.to_string())),
    }
}

fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A whole number that columns of 32 bits can hold; of any other the document alone tells.
fn small_number(value: &Value) -> Option<i64> {
    whole_number(value).filter(|number| i32::try_from(*number).is_ok())
}

fn flag(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(flag) => Some((*flag).into()),
        Value::Number(number) => Some(i64::from(number.as_f64()? != 0.0)),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Some(1),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Some(0),
        _ => None,
    }
}

/// Epoch milliseconds, from themselves or, where a transform writes dates as text, from RFC 3339.
fn instant(value: &Value) -> Option<i64> {
    whole_number(value)
        .or_else(|| value.as_str()?.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_goes_through_members_and_positions() {
        let image = json!({"roles": [{"id": "r1"}], "manager": null, "name": "x"});
        assert_eq!(walk(&image, "roles.0.id"), Some(&json!("r1")));
        assert_eq!(walk(&image, "roles.1.id"), None);
        assert_eq!(walk(&image, "manager.id"), None);
        assert_eq!(walk(&image, "name"), Some(&json!("x")));
    }

    #[test]
    fn values_are_read_in_every_form_that_a_transform_leaves_them_in() {
        for (value, expected) in
            [(json!(true), Some(1)), (json!("False"), Some(0)), (json!(0), Some(0)), (json!("?"), None)]
        {
            assert_eq!(flag(&value), expected, "{value}");
        }
        // `date -u -d 2024-02-29T12:00:00+02:00 +%s` is 1709200800.
        for value in
            [json!(1_709_200_800_000_i64), json!("1709200800000"), json!("2024-02-29T12:00:00+02:00")]
        {
            assert_eq!(instant(&value), Some(1_709_200_800_000), "{value}");
        }
        assert_eq!(instant(&json!("yesterday")), None);
        assert_eq!(small_number(&json!(2_147_483_647)), Some(2_147_483_647));
        assert_eq!(small_number(&json!(2_147_483_648_i64)), None);
        assert_eq!(text(&json!(["a", 1])).as_deref(), Some("[\"a\",1]"));
        assert_eq!(text(&json!(12)).as_deref(), Some("12"));
        assert_eq!(text(&json!(null)), None);
    }
}
