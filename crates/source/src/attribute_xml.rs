//! The decoder of columns that hold a tree of values as XML or JSON text.
//!
//! [`parse`] turns the XML that IdentityIQ keeps in `attributes` and its like into JSON, in one pass over the text.
//! [`parse_json`] does the same for columns that hold JSON, under the same caps.
//!
//! # What becomes of each element
//!
//! | element | JSON |
//! |---|---|
//! | `String` | a string, its white space kept; `<String/>` is `""` |
//! | `Boolean` | `true` or `false`, in any case of letters; blank is `false`; any other text stays a string |
//! | `Integer`, `Long` | a number if it fits `i64` or `u64`, else the text as a string; blank is `null` |
//! | `Float`, `Double` | a number if that says the same number, else the text as a string; blank is `null` |
//! | `Date` | the epoch milliseconds as a plain number; other text stays a string; blank is `null` |
//! | `DateString`, `TimeString`, `Class` | the text as a string, trimmed |
//! | `List` | an array in its own order |
//! | `Set` | an array sorted by the canonical bytes of its items, each item once |
//! | `Map`, `Attributes` | an object; `Attributes` and the `Map` inside it are one object; of equal keys the last wins |
//! | `null` | `null` |
//! | any other | a generic tree, see below |
//!
//! An `entry` takes its value from what its `value` child holds, else from its `value` attribute (always a string),
//! else it is `null`. Several values in one entry become an array. A key that is not a string stands by its text
//! (compact JSON for a list or a map); a missing or null key is `""`.
//!
//! **Generic trees.** Any other element, `Reference`, the named wrappers around it (`Owner`, `ApplicationRef`),
//! values of enumerations and names nobody knows among them, becomes
//! `{"_type": name, its XML attributes as string members, "children": [...], "text": ...}`. `children` is there only
//! if there are any, `text` (trimmed) only if it is not blank, so a reference is
//! `{"_type": "Reference", "class": ..., "id": ..., "name": ...}` with only the keys that it has, and a wrapper holds
//! its references, one or many, always in `children`. An XML attribute named `_type`, `children`, `entries` or `text`
//! is kept under `@_type` and so on. An element of the table whose content or attributes its row cannot hold (markup
//! inside a `String`, loose text in a `List`) becomes such a tree too, with the entries of a map in `entries`:
//! nothing is lost and no name makes the decoder fail.
//!
//! **Roots.** One root is its value; several are an array; blank text is `null`. A list column with one element is
//! therefore no array: [`items`] reads one value, many and none alike.
//!
//! # What is refused
//!
//! Text that is not well-formed, a reference to an entity other than the five predefined and the numeric ones, a
//! character that XML 1.0 does not allow (`&#0;` among them), and whatever is over a cap ([`Limits`],
//! [`JSON_LEVELS_MAX`], [`OBJECTS_MAX`]). The prolog is
//! skipped, the document type too: nothing it names is fetched and no entity it declares is expanded. Errors give a
//! byte position and never quote the text, which may be a secret; what becomes of the raw text is the caller's choice.

mod json;
mod references;
mod tree;

use quick_xml::Reader;
use quick_xml::errors::{Error as ReadError, IllFormedError};
use quick_xml::events::Event;
use serde_json::Value;
use thiserror::Error;

pub use json::parse_json;

/// The deepest nesting of arrays and objects that either decoder returns.
///
/// `serde_json` reads back 128 levels, and an image stands a few levels around each value: what is deeper could be
/// written to history but not read from it.
pub const JSON_LEVELS_MAX: usize = 100;

/// The most objects that either decoder makes of one text.
///
/// An object takes some 650 bytes of memory while `<x/>` takes four: without this cap a text of 16 MiB could take
/// gigabytes. Strings and numbers are not counted, so that a group of a million members still fits.
pub const OBJECTS_MAX: usize = 250_000;

/// The most elements that may be open at once whatever [`Limits::nesting_max`] says, to bound the stack: values are
/// dropped and written recursively.
const NESTING_CEILING: usize = 500;

/// The caps on one column's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest text in bytes of UTF-8.
    pub bytes_max: usize,
    /// The most XML elements that may be open at once (never more than 500), and the deepest nesting of JSON text.
    /// The value returned is bounded by [`JSON_LEVELS_MAX`] besides.
    pub nesting_max: usize,
}

impl Default for Limits {
    /// 16 MiB and 200 levels.
    fn default() -> Self {
        Self { bytes_max: 16 * 1024 * 1024, nesting_max: 200 }
    }
}

/// Why the text of a column could not be decoded. Positions are bytes from the start of the text.
#[derive(Debug, Error)]
pub enum XmlError {
    /// The text is over [`Limits::bytes_max`].
    #[error("the text has {bytes} bytes, more than limits.attributeBytesMax = {bytes_max}")]
    TooLarge {
        /// How long the text is.
        bytes: usize,
        /// The cap it broke.
        bytes_max: usize,
    },
    /// The tree is over [`Limits::nesting_max`] or [`JSON_LEVELS_MAX`].
    #[error("nested deeper than limits.nestingMax = {nesting_max} near byte {position}")]
    TooDeep {
        /// Where the cap was broken.
        position: usize,
        /// The cap it broke.
        nesting_max: usize,
    },
    /// The tree has more than [`OBJECTS_MAX`] objects.
    #[error("more than {OBJECTS_MAX} objects near byte {position}")]
    TooManyObjects {
        /// Where the first object over the cap begins.
        position: usize,
    },
    /// The text is not well-formed XML.
    #[error("not well-formed at byte {position}: {reason}")]
    NotWellFormed {
        /// Where the error stands.
        position: usize,
        /// What is wrong, without a word of the text.
        reason: String,
    },
    /// A reference to an entity that is neither predefined nor numeric.
    #[error("unknown entity at byte {position}")]
    UnknownEntity {
        /// Where the reference begins.
        position: usize,
    },
    /// A character that may not stand in the text, written out or by reference.
    #[error("character U+{code:04X} at byte {position} is not allowed")]
    IllegalCharacter {
        /// The character's number.
        code: u32,
        /// Where it stands.
        position: usize,
    },
    /// There is text, but no element.
    #[error("no element in the text")]
    NoElement,
    /// The text of a JSON column is not JSON.
    #[error("not JSON")]
    NotJson(#[source] serde_json::Error),
}

/// Decodes the XML text of a column; the module's page tells what becomes of each form.
///
/// # Errors
/// Text over a cap, not well-formed, or with an entity or a character that is not allowed.
pub fn parse(text: &str, limits: &Limits) -> Result<Value, XmlError> {
    check_bytes(text, limits)?;
    if is_blank(text) {
        return Ok(Value::Null);
    }
    if let Some((position, code)) = references::first_illegal(text) {
        return Err(XmlError::IllegalCharacter { code, position });
    }
    // The reader drops a byte order mark without counting it, so it is dropped, and counted, here.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offset = text.len() - body.len();
    let mut reader = Reader::from_str(body);
    let mut tree = tree::Tree::new(limits.nesting_max.min(NESTING_CEILING));
    loop {
        let position = offset + position_of(reader.buffer_position());
        let event = reader
            .read_event()
            .map_err(|error| not_well_formed(offset + position_of(reader.error_position()), &error))?;
        match event {
            Event::Start(start) => tree.open(&start, position)?,
            Event::Empty(start) => {
                tree.open(&start, position)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(text) => tree.push_text(text.xml10_content(), position)?,
            Event::CData(text) => tree.push_text(text.xml10_content(), position)?,
            Event::GeneralRef(name) => tree.push_char(references::resolve(&name, position)?, position)?,
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
            Event::Eof => return tree.finish(text.len()),
        }
    }
}

/// The items of a value that one row holds as a list and another as a single value: none for `null`, those of an
/// array, else the value itself.
pub fn items(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        single => std::slice::from_ref(single),
    }
}

fn check_bytes(text: &str, limits: &Limits) -> Result<(), XmlError> {
    if text.len() > limits.bytes_max {
        return Err(XmlError::TooLarge { bytes: text.len(), bytes_max: limits.bytes_max });
    }
    Ok(())
}

/// Whether the text is nothing but the white space of XML.
fn is_blank(text: &str) -> bool {
    text.bytes().all(is_white_space)
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A byte position of the reader. A text in memory is never longer than `usize`.
fn position_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Words the reader's error without the names that it quotes, because an unclosed quote can make them any text.
fn not_well_formed(position: usize, error: &ReadError) -> XmlError {
    let reason = match error {
        ReadError::Syntax(error) => error.to_string(),
        ReadError::InvalidAttr(error) => error.to_string(),
        ReadError::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
            "the end tag is not that of the open element".to_owned()
        }
        ReadError::IllFormed(IllFormedError::UnmatchedEndTag(_)) => {
            "an end tag without a start tag".to_owned()
        }
        ReadError::IllFormed(IllFormedError::UnclosedReference) => {
            "a reference without its semicolon".to_owned()
        }
        _ => "broken markup".to_owned(),
    };
    XmlError::NotWellFormed { position, reason }
}

#[cfg(test)]
mod tests;
