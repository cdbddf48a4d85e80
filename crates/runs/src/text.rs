//! Text that every engine takes.

/// The text with NUL, which PostgreSQL refuses, shown as the replacement character.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// A name as a key takes it: an index of PostgreSQL takes no entry of more than 2,704 bytes.
pub(crate) fn storable_name(name: &str) -> String {
    const CHARS_MAX: usize = 500;
    storable(&name.chars().take(CHARS_MAX).collect::<String>())
}
