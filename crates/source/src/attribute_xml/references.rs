//! References, the characters that XML allows, and the normalisation of attribute values.

use super::XmlError;
use annals_model::text::push_exact;
use std::borrow::Cow;

/// The character that `name`, the text between `&` and `;`, stands for.
pub(super) fn resolve(name: &str, position: usize) -> Result<char, XmlError> {
    let number = match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => name.strip_prefix('#').ok_or(XmlError::UnknownEntity { position })?,
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` alone would take a sign.
    if !digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        return Err(bad_reference(position));
    }
    let code = u32::from_str_radix(digits, radix).map_err(|_| bad_reference(position))?;
    char::from_u32(code)
        .filter(|found| is_allowed(*found))
        .ok_or(XmlError::IllegalCharacter { code, position })
}

fn bad_reference(position: usize) -> XmlError {
    XmlError::NotWellFormed { position, reason: "a numeric reference without a number".to_owned() }
}

/// The `Char` production of XML 1.0.
fn is_allowed(found: char) -> bool {
    matches!(found, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

/// The position and number of the first character, written out, that XML 1.0 does not allow.
pub(super) fn first_illegal(text: &str) -> Option<(usize, u32)> {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().find_map(|(position, &byte)| match byte {
        b'\t' | b'\n' | b'\r' => None,
        0x00..0x20 => Some((position, u32::from(byte))),
        // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
        0xef if bytes[position + 1] == 0xbf && bytes[position + 2] >= 0xbe => {
            Some((position, 0xffc0 | u32::from(bytes[position + 2] & 0x3f)))
        }
        _ => None,
    })
}

/// An attribute's value with its references resolved and each line break or tab made a space, as XML 1.0 (section
/// 3.3.3) wants it; those written as references stay what they are. `position` is that of the element.
pub(super) fn attribute_value(raw: &str, position: usize) -> Result<Cow<'_, str>, XmlError> {
    let Some(first) = raw.bytes().position(is_special) else {
        return Ok(Cow::Borrowed(raw));
    };
    let mut value = String::with_capacity(raw.len());
    value.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(&byte) = rest.as_bytes().first() {
        let taken = match byte {
            b'&' => {
                let end = rest
                    .find(';')
                    .ok_or_else(|| bad_attribute(position, "a reference without its semicolon"))?;
                push_exact(&mut value, resolve(&rest[1..end], position)?);
                end + 1
            }
            b'<' => return Err(bad_attribute(position, "`<` in an attribute value")),
            // One line break in a text file is one space, however its system writes it.
            b'\r' if rest.as_bytes().get(1) == Some(&b'\n') => {
                value.push(' ');
                2
            }
            b'\r' | b'\n' | b'\t' => {
                value.push(' ');
                1
            }
            _ => {
                let plain = rest.bytes().position(is_special).unwrap_or(rest.len());
                value.push_str(&rest[..plain]);
                plain
            }
        };
        rest = &rest[taken..];
    }
    Ok(Cow::Owned(value))
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'<' | b'\r' | b'\n' | b'\t')
}

fn bad_attribute(position: usize, reason: &str) -> XmlError {
    XmlError::NotWellFormed { position, reason: reason.to_owned() }
}
