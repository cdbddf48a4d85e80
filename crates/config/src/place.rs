//! Where a character of a scalar's value stands in its file.

use crate::node::{Position, Scalar, Style};

/// The place of the character at `offset` of the scalar's value. Quotes, escapes, indentation and folded
/// lines of the file are followed; where a file is written in a way that this does not follow, the place is
/// the last one that was certain.
pub(crate) fn place_in(scalar: &Scalar, at: Position, text: &str, offset: usize) -> Position {
    let Some(raw) = text.get(scalar.bytes.clone()) else { return at };
    let mut walk = Walk { rest: raw, at };
    if matches!(scalar.style, Style::SingleQuoted | Style::DoubleQuoted) {
        walk.skip(1);
    }
    let value: Vec<char> = scalar.text.chars().collect();
    let mut index = 0;
    while index < offset && index < value.len() {
        let run = value[index..].iter().take_while(|character| character.is_whitespace()).count();
        let spaces = walk.spaces();
        if run > 0 && spaces.contains(['\n', '\r']) {
            // A line break with its indentation stands for a space or for line breaks: only the end of both
            // is certain.
            if offset < index + run {
                return walk.at;
            }
            walk.skip(spaces.chars().count());
            index += run;
        } else if !walk.step(value[index], scalar.style) {
            return walk.at;
        } else {
            index += 1;
        }
    }
    walk.at
}

struct Walk<'t> {
    rest: &'t str,
    at: Position,
}

impl<'t> Walk<'t> {
    fn spaces(&self) -> &'t str {
        &self.rest[..self.rest.len() - self.rest.trim_start().len()]
    }

    fn skip(&mut self, characters: usize) {
        for _ in 0..characters {
            let mut rest = self.rest.chars();
            match rest.next() {
                Some('\n') => self.at = Position { line: self.at.line + 1, column: 1 },
                Some(_) => self.at.column += 1,
                None => return,
            }
            self.rest = rest.as_str();
        }
    }

    /// Passes what stands for one character of the value. False: it cannot be told.
    fn step(&mut self, value: char, style: Style) -> bool {
        let mut characters = self.rest.chars();
        match (characters.next(), style) {
            (Some('\\'), Style::DoubleQuoted) => {
                let width = match characters.next() {
                    Some('x') => 4,
                    Some('u') => 6,
                    Some('U') => 10,
                    // A line joined to the next by a backslash.
                    Some('\n' | '\r') => return false,
                    _ => 2,
                };
                self.skip(width);
                true
            }
            (Some('\''), Style::SingleQuoted) => {
                self.skip(2);
                true
            }
            (Some(character), _) if character == value => {
                self.skip(1);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::file::File;
    use crate::node::Kind;
    use crate::problem::Notes;

    use super::*;

    /// Line and column of the first `#` of the value of the only key.
    fn place_of_mark(text: &str) -> (u32, u32) {
        let notes = Notes::default();
        let file = File::new("a.yaml", text.to_owned(), &notes, None);
        let root = crate::yaml::parse(&file).expect("yaml");
        let Kind::Map(entries) = root.kind else { panic!("a mapping") };
        let scalar = entries[0].value.scalar().expect("a scalar");
        let offset = scalar.text.chars().position(|character| character == '#').expect("a mark");
        let place = place_in(scalar, entries[0].value.at, &file.text, offset);
        (place.line, place.column)
    }

    #[test]
    fn places_in_every_style_by_hand() {
        let cases = [
            ("a: b#c\n", (1, 5)),
            ("a: 'é#c'\n", (1, 6)),
            ("a: 'it''s#'\n", (1, 10)),
            ("a: \"x\\t\\u00e9\\\"#\"\n", (1, 16)),
            ("a: |\n  one\n  two#\n", (3, 6)),
            ("a: |-\n  one\n\n    two#\n", (4, 8)),
            ("a: >-\n  one\n  two#\n", (3, 6)),
            ("a: one\n  two\n  thr#e\n", (3, 6)),
            ("a: 'one\n\n  two#'\n", (3, 6)),
            ("a: 'one\r\n  two#'\r\n", (2, 6)),
        ];
        for (text, expected) in cases {
            assert_eq!(place_of_mark(text), expected, "{text:?}");
        }
    }
}
