//! A place in the text of an option.

use super::{ParseError, TEXT_CHARS_MAX};

/// Characters of a message's quotation.
const QUOTED_CHARS_MAX: usize = 30;

/// A place in a text, which moves forward only.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    /// The beginning of a text.
    pub(crate) fn new(text: &'t str) -> Result<Self, ParseError> {
        if let Some((at, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
            let message = format!("expected at most {TEXT_CHARS_MAX} characters");
            return Err(Self { text, at }.error(message));
        }
        // No engine keeps this character in a text, so nothing can be equal to it.
        match text.find('\0') {
            Some(at) => Err(Self { text, at }.error("expected no character of code 0".to_owned())),
            None => Ok(Self { text, at: 0 }),
        }
    }

    /// Characters before this place.
    pub(crate) fn position(&self) -> usize {
        self.text[..self.at].chars().count()
    }

    /// What follows.
    pub(crate) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Whether this character was the last to be passed.
    pub(crate) fn is_behind(&self, c: char) -> bool {
        self.text[..self.at].ends_with(c)
    }

    pub(crate) fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// Passes over a character, with the space before it, if it is the next.
    pub(crate) fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// Passes over a character that has to be the next.
    pub(crate) fn expect(&mut self, wanted: char) -> Result<(), ParseError> {
        if self.take(wanted) { Ok(()) } else { Err(self.expected(&format!("`{wanted}`"))) }
    }

    /// The end has to be here; `or` says what else might.
    pub(crate) fn expect_end(&mut self, or: &str) -> Result<(), ParseError> {
        self.skip_space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected(&format!("{or} or the end"))) }
    }

    /// The characters ahead of which all satisfy this; none if the first does not.
    pub(crate) fn run(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let run = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        self.at += run.len();
        run
    }

    /// A name that follows the space here, without moving: a letter or `_`, then digits as well.
    pub(crate) fn peek_name(&mut self) -> Option<&'t str> {
        self.skip_space();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        self.peek().filter(|c| is_part(*c) && !c.is_ascii_digit())?;
        Some(self.clone().run(is_part))
    }

    /// Passes over what was just looked at.
    pub(crate) fn pass(&mut self, seen: &str) {
        self.at += seen.len();
    }

    /// Passes over a word if it is the next name.
    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_name() == Some(word);
        if found {
            self.pass(word);
        }
        found
    }

    /// What is wrong here.
    pub(crate) fn error(&self, message: String) -> ParseError {
        ParseError { position: self.position(), message }
    }

    /// Something else was expected here.
    pub(crate) fn expected(&mut self, what: &str) -> ParseError {
        self.skip_space();
        self.error(format!("expected {what}, found {}", self.found()))
    }

    /// What is here, for people.
    fn found(&self) -> String {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '-' | '$');
        match self.peek() {
            None => "the end".to_owned(),
            Some('\'') => "a text".to_owned(),
            Some(c) if is_part(c) => {
                let run = self.clone().run(is_part);
                match run.char_indices().nth(QUOTED_CHARS_MAX) {
                    Some((end, _)) => format!("`{}...`", &run[..end]),
                    None => format!("`{run}`"),
                }
            }
            Some(c) if c.is_control() => format!("the character of code {}", u32::from(c)),
            Some(c) => format!("`{c}`"),
        }
    }
}
