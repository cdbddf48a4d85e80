//! Text that every engine takes.

/// The text with NUL, which PostgreSQL refuses, shown as the replacement character.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
