//! Text that databases refuse: bytes that are no UTF-8, halves of surrogate pairs, NUL.
//!
//! A document keeps all of it. Bytes that are no text stand in it as characters of their own, the last 256 of Unicode,
//! which are private and of which no text makes use: U+10FF00 to U+10FFFF for the bytes 00 to FF. Where a text has one
//! of these characters all the same, its four bytes are written likewise, so that no two byte sequences look alike and
//! [`exact_bytes`] has the bytes back. NUL is a character like any other in JSON (`\u0000`). A column that people search
//! by gets [`searchable`] text.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

/// Stands for the byte 00; those for the others follow.
const STAND_INS: u32 = 0x0010_FF00;
/// The first byte of each of them in UTF-8, which hardly any other text has.
const STAND_IN_LEAD: u8 = 0xF4;

/// Bytes as a document's text: themselves where they are UTF-8.
#[must_use]
pub fn exact_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => exact_str(text),
        Err(_) => Cow::Owned(written_out(bytes)),
    }
}

/// UTF-8 as a document's text: itself but for characters that stand for bytes.
#[must_use]
pub fn exact_str(text: &str) -> Cow<'_, str> {
    if has_stand_in(text.as_bytes()) { Cow::Owned(written_out(text.as_bytes())) } else { Cow::Borrowed(text) }
}

fn written_out(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 64);
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|found| push_exact(&mut text, found));
        chunk.invalid().iter().for_each(|byte| text.push(stand_in(*byte)));
    }
    text
}

/// Adds a character to a document's text, byte by byte if it is one that stands for a byte.
pub fn push_exact(text: &mut String, found: char) {
    if byte_of(found).is_none() {
        return text.push(found);
    }
    let mut utf8 = [0; 4];
    found.encode_utf8(&mut utf8).bytes().for_each(|byte| text.push(stand_in(byte)));
}

/// Half of a surrogate pair without its other half, as a document's text: the three bytes that UTF-8 would have for it
/// if it were a character.
#[must_use]
pub fn lone_surrogate(unit: u16) -> String {
    let bits = |shift: u32| (unit >> shift).to_le_bytes()[0] & 0x3F;
    [0xE0 | (bits(12) & 0x0F), 0x80 | bits(6), 0x80 | bits(0)].map(stand_in).into_iter().collect()
}

/// The bytes that a document's text was made of.
#[must_use]
pub fn exact_bytes(text: &str) -> Cow<'_, [u8]> {
    if !has_stand_in(text.as_bytes()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut utf8 = [0; 4];
    for found in text.chars() {
        match byte_of(found) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(found.encode_utf8(&mut utf8).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// A document's text as a column takes it on every engine: without NUL, and with U+FFFD for each byte that is no text.
#[must_use]
pub fn searchable(text: &str) -> Cow<'_, str> {
    // Nearly every text has none of these bytes.
    if memchr2(0, STAND_IN_LEAD, text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    if !text.contains('\0') && !has_stand_in(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let shown = |found| if byte_of(found).is_some() { char::REPLACEMENT_CHARACTER } else { found };
    Cow::Owned(text.chars().filter(|found| *found != '\0').map(shown).collect())
}

/// Whether [`searchable`] would change a text in this JSON.
#[must_use]
pub fn is_cleaned(json: &[u8]) -> bool {
    has_stand_in(json) || has_nul(json)
}

/// An escape, unless the backslash is itself escaped by one before it.
fn has_nul(json: &[u8]) -> bool {
    memmem::find_iter(json, b"\\u0000").any(|at| {
        let before = json[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        before.is_multiple_of(2)
    })
}

/// In UTF-8 they are F4 8F BC 80 to F4 8F BF BF.
fn has_stand_in(utf8: &[u8]) -> bool {
    memchr(STAND_IN_LEAD, utf8).is_some()
        && memmem::find_iter(utf8, &[STAND_IN_LEAD, 0x8F])
            .any(|at| matches!(utf8.get(at + 2), Some(0xBC..=0xBF)))
}

fn stand_in(byte: u8) -> char {
    char::from_u32(STAND_INS + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn byte_of(found: char) -> Option<u8> {
    u32::from(found).checked_sub(STAND_INS).and_then(|byte| u8::try_from(byte).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_stands_for_itself() {
        for text in [
            "",
            "plain",
            "h\u{e4}\u{df}lich",
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            "\u{1F3A7}",
            "a\0b",
            "\u{10FEFF}",
        ] {
            assert!(matches!(exact_text(text.as_bytes()), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(exact_bytes(text), Cow::Borrowed(same) if same == text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_have_characters_of_their_own() {
        assert_eq!(exact_text(b"a\xFFb\xC3"), "a\u{10FFFF}b\u{10FFC3}");
        assert_eq!(exact_text("\u{10FF41}".as_bytes()), "\u{10FFF4}\u{10FF8F}\u{10FFBD}\u{10FF81}");
        // U+D800 would be ED A0 80, U+DFFF ED BF BF.
        assert_eq!(lone_surrogate(0xD800), "\u{10FFED}\u{10FFA0}\u{10FF80}");
        assert_eq!(lone_surrogate(0xDFFF), "\u{10FFED}\u{10FFBF}\u{10FFBF}");
    }

    #[test]
    fn a_column_gets_what_every_engine_takes() {
        assert_eq!(searchable("Zo\u{eb}\0 \u{1F3A7}"), "Zo\u{eb} \u{1F3A7}");
        assert_eq!(searchable("a\u{10FFFF}\u{10FF00}b"), "a\u{FFFD}\u{FFFD}b");
        assert!(matches!(searchable("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn a_document_tells_whether_columns_have_it_all() {
        for (json, cleaned) in [
            ("{\"a\":\"b\\u0000\"}", true),
            ("{\"a\":\"b\\\\u0000\"}", false),
            ("{\"a\":\"b\\\\\\u0000\"}", true),
            ("{\"a\":\"\u{10FF80}\"}", true),
            ("{\"a\":\"\u{10FEFF}\\n\u{1F3A7}\"}", false),
            ("\\", false),
        ] {
            assert_eq!(is_cleaned(json.as_bytes()), cleaned, "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(prop_oneof![
            any::<u8>(), Just(0xF4), Just(0x8F), Just(0xBC), Just(0x80), Just(b'a')
        ], 0..40)) {
            let text = exact_text(&bytes);
            prop_assert_eq!(&*exact_bytes(&text), &*bytes);
            let cleaned = searchable(&text);
            let json = serde_json::to_vec(&text).unwrap();
            prop_assert_eq!(is_cleaned(&json), cleaned != text);
        }
    }
}
