//! Columns that hold JSON.

use super::{JSON_LEVELS_MAX, Limits, OBJECTS_MAX, XmlError, check_bytes, is_blank};
use annals_model::text::{lone_surrogate, push_exact};
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::ops::Range;

/// Decodes the JSON text of a column. Blank text is `null`, and of equal keys the last wins.
///
/// A number stays a number if it can be kept exactly: an integer that fits `i64` or `u64`, or a decimal that says the
/// same number when it is written back. Any other is kept as a string of its own digits, because rounding it would
/// both falsify the value and hide a change of its last digits.
///
/// Half of a surrogate pair without its other half is no character; it is kept as [`annals_model::text`] tells.
///
/// # Errors
/// Text over a cap, or not JSON.
pub fn parse_json(text: &str, limits: &Limits) -> Result<Value, XmlError> {
    check_bytes(text, limits)?;
    if is_blank(text) {
        return Ok(Value::Null);
    }
    let exact = exact_json(text, limits.nesting_max.min(JSON_LEVELS_MAX))?;
    serde_json::from_str(&exact).map_err(XmlError::NotJson)
}

/// Checks nesting and objects, and returns the text so that the parser loses nothing of it: each number that would be
/// rounded made a string, and each escape that is half a character made text. Nearly always that is the text itself.
fn exact_json(text: &str, nesting_max: usize) -> Result<Cow<'_, str>, XmlError> {
    let bytes = text.as_bytes();
    let mut exact = Exact { text, rewritten: String::new(), copied: 0 };
    let (mut position, mut depth, mut objects) = (0, 0_usize, 0);
    while let Some(&byte) = bytes.get(position) {
        match byte {
            b'"' => {
                position = exact.string(position + 1);
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
                    exact.replace(position..end, &format!("\"{token}\""));
                }
                position = end;
                continue;
            }
            _ => {}
        }
        position += 1;
    }
    Ok(exact.finish())
}

/// A text of which pieces are replaced, from the front to the back.
struct Exact<'t> {
    text: &'t str,
    rewritten: String,
    /// How much of the text is in `rewritten`.
    copied: usize,
}

impl<'t> Exact<'t> {
    fn replace(&mut self, range: Range<usize>, with: &str) {
        self.rewritten.push_str(&self.text[self.copied..range.start]);
        self.rewritten.push_str(with);
        self.copied = range.end;
    }

    fn finish(mut self) -> Cow<'t, str> {
        if self.copied == 0 {
            return Cow::Borrowed(self.text);
        }
        self.rewritten.push_str(&self.text[self.copied..]);
        Cow::Owned(self.rewritten)
    }

    /// The position after the closing quote of the string whose content begins at `position`.
    fn string(&mut self, mut position: usize) -> usize {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(position) {
            match byte {
                b'"' => return position + 1,
                b'\\' => position = self.escape(position),
                _ => position += 1,
            }
        }
        bytes.len()
    }

    /// The position after the escape at `position`.
    fn escape(&mut self, position: usize) -> usize {
        let Some(unit) = unit_at(self.text, position) else { return position + 2 };
        let end = position + 6;
        let mut text = String::new();
        let end = match (unit, unit_at(self.text, end)) {
            (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
                let code = 0x1_0000 + ((u32::from(unit) & 0x3FF) << 10) + (u32::from(low) & 0x3FF);
                push_exact(&mut text, char::from_u32(code).unwrap_or_default());
                end + 6
            }
            (0xD800..0xE000, _) => {
                text = lone_surrogate(unit);
                end
            }
            _ => return end,
        };
        self.replace(position..end, &text);
        end
    }
}

/// The number of the escape `\uHHHH` at this position, if there is one.
fn unit_at(text: &str, position: usize) -> Option<u16> {
    let digits = text.as_bytes().get(position..position + 6)?.strip_prefix(b"\\u")?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
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
    number(token).is_none()
}

/// A decimal as a number, if that says the same number.
pub(super) fn number(token: &str) -> Option<Number> {
    let kept = token.parse::<f64>().ok().and_then(Number::from_f64)?;
    (decimal(&kept.to_string()) == decimal(token)).then_some(kept)
}

/// A number of JSON's as its significant digits and the power of ten of the last of them; nothing if its exponent is
/// out of all bounds.
fn decimal(token: &str) -> Option<(bool, String, i64)> {
    let (negative, token) = match token.strip_prefix('-') {
        Some(token) => (true, token),
        None => (false, token.strip_prefix('+').unwrap_or(token)),
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
