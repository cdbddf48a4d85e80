//! Where the page before ended, as text that people need not understand.

use annals_history::Position;
use annals_history::find::{Place, PlaceValue};
use serde_json::{Value, json};

use crate::odata::ParseError;
use crate::problem::Problem;

/// A token that belongs to no such list.
pub(crate) fn wrong() -> Problem {
    let message = "expected a token as a nextLink of this list gives it".to_owned();
    Problem::option("$skiptoken", ParseError { position: 0, message })
}

fn written(value: &Value) -> String {
    hex::encode(value.to_string())
}

fn read(token: &str) -> Result<Vec<Value>, Problem> {
    let bytes = hex::decode(token).map_err(|_| wrong())?;
    serde_json::from_slice(&bytes).map_err(|_| wrong())
}

/// A place in a list of objects.
pub(crate) fn of_place(place: &Place) -> String {
    let values: Vec<Value> = place
        .0
        .iter()
        .map(|value| match value {
            PlaceValue::Int(number) => json!(number),
            PlaceValue::Text(text) => json!(text),
        })
        .collect();
    written(&Value::Array(values))
}

/// A place in a list of objects. Whether it is one of that list, history sees.
pub(crate) fn place(token: &str) -> Result<Place, Problem> {
    let value = |value: Value| match value {
        Value::String(text) if !text.contains('\0') => Ok(PlaceValue::Text(text)),
        value => value.as_i64().map(PlaceValue::Int).ok_or_else(wrong),
    };
    Ok(Place(read(token)?.into_iter().map(value).collect::<Result<_, _>>()?))
}

/// A place in a list that is sorted by a time and an id.
pub(crate) fn of_position(ms: i64, id: &str) -> String {
    written(&json!([ms, id]))
}

/// A place in a list that is sorted by a time and an id.
pub(crate) fn position(token: &str) -> Result<Position, Problem> {
    match &place(token)?.0[..] {
        [PlaceValue::Int(recorded_ms), PlaceValue::Text(id)] => {
            Ok(Position { recorded_ms: *recorded_ms, id: id.clone() })
        }
        _ => Err(wrong()),
    }
}

/// A place in a list that is sorted by a number.
pub(crate) fn of_number(number: i64) -> String {
    written(&json!([number]))
}

/// A place in a list that is sorted by a number.
pub(crate) fn number(token: &str) -> Result<i64, Problem> {
    match &place(token)?.0[..] {
        [PlaceValue::Int(number)] => Ok(*number),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_are_written_and_nothing_else_is() {
        let values = vec![
            PlaceValue::Text("Ö'".to_owned()),
            PlaceValue::Int(i64::MIN),
            PlaceValue::Text(String::new()),
        ];
        assert_eq!(place(&of_place(&Place(values.clone()))), Ok(Place(values)));
        let there = Position { recorded_ms: 5, id: "a".to_owned() };
        assert_eq!(position(&of_position(5, "a")), Ok(there));
        assert_eq!(number(&of_number(7)), Ok(7));
        for text in ["[1.5]", "{}", "[null]", "[[1]]", "[\"\\u0000\"]", "[18446744073709551615]", "["] {
            assert_eq!(place(&hex::encode(text)), Err(wrong()), "{text}");
        }
        assert_eq!(place("zz"), Err(wrong()));
        assert_eq!(number(&of_position(1, "a")), Err(wrong()));
        assert_eq!(position(&of_number(1)), Err(wrong()));
    }
}
