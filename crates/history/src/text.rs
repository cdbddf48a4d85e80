//! What texts become before they stand in a column.

use std::borrow::Cow;

use annals_model::hash_bytes;
use annals_model::text::searchable;

/// Characters of an id column.
const ID_CHARS: usize = 32;

/// A searchable text, cut to so many characters; the document keeps the whole.
pub(crate) fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    let text = searchable(text);
    // Bytes are at least as many as characters.
    if text.len() <= chars_max {
        return text;
    }
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => Cow::Owned(text[..end].to_owned()),
        None => text,
    }
}

/// An object's id as it stands in a column of 32 characters. A longer id is never cut, for two objects would become
/// one: a UUID loses its dashes, anything else becomes half of its SHA-256. `annals_head` has every id in full.
pub(crate) fn stored_id(id: &str) -> Cow<'_, str> {
    let id = searchable(id);
    if id.len() <= ID_CHARS || id.chars().count() <= ID_CHARS {
        return id;
    }
    if is_uuid(&id) {
        return Cow::Owned(id.replace('-', ""));
    }
    let mut digest = hash_bytes(id.as_bytes());
    digest.truncate(ID_CHARS);
    Cow::Owned(digest)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_loses_nul() {
        assert_eq!(cut("häß\0lich", 4), "häßl");
        assert_eq!(cut("日本", 2), "日本");
        assert_eq!(cut("日本語", 2), "日本");
        assert_eq!(cut("plain", 5), "plain");
    }

    /// The digest is `printf %s` of the id through `sha256sum`, cut to 32 digits.
    #[test]
    fn a_long_id_is_never_cut() {
        assert_eq!(stored_id("c0a8013d7f1e1b2c817f1e2f3a4b0001"), "c0a8013d7f1e1b2c817f1e2f3a4b0001");
        assert_eq!(stored_id("0191f4f0-7c1a-7abc-8def-0123456789ab"), "0191f4f07c1a7abc8def0123456789ab");
        assert_eq!(stored_id("cn=anna,ou=people,dc=example,dc=org"), "2B725B05E84DB728668D19DD26EA9E2C");
    }
}
