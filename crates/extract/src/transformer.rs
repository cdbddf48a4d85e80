//! The transformers that `propertyTransformerConfigDescriptors` names, and the `type` of a property.

use annals_config::transform::{Transformer, ValueKind};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, fmt::strtime};
use serde_json::{Map, Value, json};

use annals_source::secret::SecretPolicy;

use crate::ImageError;

/// What transformers may look at beside the value.
pub(crate) struct Surroundings<'s> {
    /// Field of the image, for messages.
    pub(crate) field: &'s str,
    /// The object's properties.
    pub(crate) properties: &'s Map<String, Value>,
    /// Masks secrets.
    pub(crate) secrets: &'s SecretPolicy,
    /// The object's id, so that equal secrets of two objects cannot be linked.
    pub(crate) object_id: &'s str,
}

/// Applies one transformer.
pub(crate) fn apply(
    transformer: &Transformer,
    value: Value,
    around: &Surroundings<'_>,
) -> Result<Value, ImageError> {
    Ok(match transformer {
        Transformer::Cast(kind) => cast(*kind, value, around.field)?,
        Transformer::Date { format, time_zone } => date(value, format.as_deref(), time_zone, around.field)?,
        Transformer::Epoch { format } => epoch(value, format.as_deref(), around.field)?,
        Transformer::Reference(members) | Transformer::Subset(members) => {
            each_map(value, |map| map.into_iter().filter(|(name, _)| members.contains(name)).collect())
        }
        Transformer::Rename(names) => each_map(value, |map| {
            map.into_iter().map(|(name, value)| (names.get(&name).cloned().unwrap_or(name), value)).collect()
        }),
        // No value hides nothing.
        Transformer::Mask if value.is_null() => Value::Null,
        Transformer::Mask => around.secrets.masked(around.field, &value, around.object_id),
        Transformer::Constant(constant) => constant.clone(),
        Transformer::CompositeKey { properties, separator } => {
            let parts: Vec<String> = properties
                .iter()
                .map(|name| plain(around.properties.get(name).unwrap_or(&Value::Null)))
                .collect();
            Value::String(parts.join(separator))
        }
        Transformer::Hash if value.is_null() => Value::Null,
        Transformer::Hash => Value::String(annals_model::hash_bytes(plain(&value).as_bytes())),
    })
}

/// Casts a value to a kind; null stays null.
pub(crate) fn cast(kind: ValueKind, value: Value, field: &str) -> Result<Value, ImageError> {
    if value.is_null() {
        return Ok(value);
    }
    let refuse = |value: &Value| ImageError::Cast {
        field: field.to_owned(),
        found: name_of(value),
        wanted: word(kind),
    };
    match kind {
        ValueKind::Auto => Ok(value),
        ValueKind::String => match value {
            Value::Array(_) | Value::Object(_) => Err(refuse(&value)),
            scalar => Ok(Value::String(plain(&scalar))),
        },
        ValueKind::Integer | ValueKind::Date => {
            integer(&value).map(Value::from).ok_or_else(|| refuse(&value))
        }
        ValueKind::Float => match &value {
            Value::Number(_) => Ok(value),
            Value::String(text) => text
                .trim()
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number)
                .ok_or_else(|| refuse(&value)),
            _ => Err(refuse(&value)),
        },
        ValueKind::Boolean => boolean(&value).map(Value::Bool).ok_or_else(|| refuse(&value)),
        ValueKind::List => Ok(match value {
            Value::Array(_) => value,
            single => Value::Array(vec![single]),
        }),
        ValueKind::Map => match value {
            Value::Object(_) => Ok(value),
            _ => Err(refuse(&value)),
        },
        ValueKind::Reference => Ok(match value {
            Value::Object(map) => Value::Object(
                map.into_iter().filter(|(name, _)| matches!(name.as_str(), "id" | "name")).collect(),
            ),
            Value::Array(_) => return Err(refuse(&value)),
            scalar => json!({ "name": plain(&scalar) }),
        }),
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::Bool(flag) => Some((*flag).into()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn date(value: Value, format: Option<&str>, time_zone: &str, field: &str) -> Result<Value, ImageError> {
    if value.is_null() {
        return Ok(value);
    }
    let refuse = || ImageError::Instant {
        field: field.to_owned(),
        found: name_of(&value),
        form: format!("epoch milliseconds, to be shown in {time_zone}"),
    };
    let instant = integer(&value).and_then(|ms| Timestamp::from_millisecond(ms).ok()).ok_or_else(refuse)?;
    let zone = TimeZone::get(time_zone).map_err(|_| refuse())?;
    let local = instant.to_zoned(zone);
    let text = match format {
        Some(format) => strtime::format(format, &local).map_err(|_| refuse())?,
        None => local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
    };
    Ok(Value::String(text))
}

fn epoch(value: Value, format: Option<&str>, field: &str) -> Result<Value, ImageError> {
    let Value::String(text) = &value else {
        return match value {
            Value::Null | Value::Number(_) => Ok(value),
            other => Err(ImageError::Instant {
                field: field.to_owned(),
                found: name_of(&other),
                form: format.unwrap_or("RFC 3339").to_owned(),
            }),
        };
    };
    let instant = match format {
        None => text.parse::<Timestamp>().ok(),
        // A form without an offset is meant in UTC.
        Some(format) => Timestamp::strptime(format, text).ok().or_else(|| {
            let local = DateTime::strptime(format, text)
                .or_else(|_| jiff::civil::Date::strptime(format, text).map(DateTime::from))
                .ok()?;
            local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        }),
    };
    instant.map(|instant| Value::from(instant.as_millisecond())).ok_or_else(|| ImageError::Instant {
        field: field.to_owned(),
        found: "text",
        form: format.unwrap_or("RFC 3339").to_owned(),
    })
}

/// Changes a map, or each map of a list.
fn each_map(value: Value, change: impl Fn(Map<String, Value>) -> Map<String, Value>) -> Value {
    match value {
        Value::Object(map) => Value::Object(change(map)),
        Value::Array(elements) => Value::Array(
            elements
                .into_iter()
                .map(|element| match element {
                    Value::Object(map) => Value::Object(change(map)),
                    other => other,
                })
                .collect(),
        ),
        other => other,
    }
}

/// A value as plain text: text itself, nothing for null, JSON for all else.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

const fn word(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Auto => "auto",
        ValueKind::String => "string",
        ValueKind::Integer => "integer",
        ValueKind::Float => "float",
        ValueKind::Boolean => "boolean",
        ValueKind::Date => "date",
        ValueKind::List => "list",
        ValueKind::Map => "map",
        ValueKind::Reference => "reference",
    }
}
