//! Columns that hold JSON.

use super::{JSON_LEVELS_MAX, Limits, OBJECTS_MAX, XmlError, check_bytes, is_blank};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// Decodes the JSON text of a column. Blank text is `null`, and of equal keys the last wins.
///
/// A number stays a number if it can be kept exactly: an integer that fits `i64` or `u64`, or a decimal that says the
/// same number when it is written back. Any other is kept as a string of its own digits, because rounding it would
/// both falsify the value and hide a change of its last digits.
///
/// # Errors
/// Text over a cap, not JSON, or with the character U+0000, which databases do not take in text.
pub fn parse_json(text: &str, limits: &Limits) -> Result<Value, XmlError> {
    check_bytes(text, limits)?;
    if is_blank(text) {
        return Ok(Value::Null);
    }
    let exact = quote_inexact_numbers(text, limits.nesting_max.min(JSON_LEVELS_MAX))?;
    serde_json::from_str(exact.as_deref().unwrap_or(text)).map_err(XmlError::NotJson)
}

/// Checks nesting, objects and characters, and returns the text with each number that would be rounded made a string, or
/// nothing if there is none, which is nearly always so.
fn quote_inexact_numbers(text: &str, nesting_max: usize) -> Result<Option<String>, XmlError> {
    let bytes = text.as_bytes();
    let mut exact: Option<String> = None;
    let (mut position, mut copied, mut depth, mut objects) = (0, 0, 0_usize, 0);
    while let Some(&byte) = bytes.get(position) {
        match byte {
            b'"' => {
                position = end_of_string(bytes, position + 1)?;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > nesting_max {
                    return Err(XmlError::TooDeep { position, nesting_max });
                }
                objects += usize::from(byte == b'{');
                if objects > OBJECTS_MAX {
                    return Err(XmlError::TooManyObjects { position });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let token = number_at(text, position);
                let end = position + token.len();
                if is_inexact(token) {
                    let exact = exact.get_or_insert_with(|| String::with_capacity(text.len() + 2));
                    exact.push_str(&text[copied..position]);
                    exact.push('"');
                    exact.push_str(token);
                    exact.push('"');
                    copied = end;
                }
                position = end;
                continue;
            }
            _ => {}
        }
        position += 1;
    }
    if let Some(exact) = &mut exact {
        exact.push_str(&text[copied..]);
    }
    Ok(exact)
}

/// The position after the closing quote of the string whose content begins at `position`.
fn end_of_string(bytes: &[u8], mut position: usize) -> Result<usize, XmlError> {
    while let Some(&byte) = bytes.get(position) {
        match byte {
            b'"' => return Ok(position + 1),
            b'\\' if bytes[position + 1..].starts_with(b"u0000") => {
                return Err(XmlError::IllegalCharacter { code: 0, position });
            }
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
    Ok(bytes.len())
}

fn number_at(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    let is_part = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    &rest[..rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len())]
}

/// Whether `token` is a number of JSON's that a JSON value could not keep. What is no number is left for the parser
/// to refuse.
fn is_inexact(token: &str) -> bool {
    let plain = !token.contains(['e', 'E']);
    // Any decimal of up to fifteen digits survives a double.
    if plain && token.len() <= 15 {
        return false;
    }
    if serde_json::from_str::<&RawValue>(token).is_err() {
        return false;
    }
    if plain && !token.contains('.') {
        return token.parse::<i64>().is_err() && token.parse::<u64>().is_err();
    }
    let kept = token.parse::<f64>().ok().and_then(Number::from_f64);
    kept.is_none_or(|kept| decimal(&kept.to_string()) != decimal(token))
}

/// A number of JSON's as its significant digits and the power of ten of the last of them; nothing if its exponent is
/// out of all bounds.
fn decimal(token: &str) -> Option<(bool, String, i64)> {
    let (negative, token) = match token.strip_prefix('-') {
        Some(token) => (true, token),
        None => (false, token),
    };
    let (mantissa, exponent) = match token.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (token, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    while digits.ends_with('0') {
        digits.pop();
        power = power.checked_add(1)?;
    }
    let significant = digits.trim_start_matches('0');
    let power = if significant.is_empty() { 0 } else { power };
    Some((negative, significant.to_owned(), power))
}

#[cfg(test)]
mod tests;
