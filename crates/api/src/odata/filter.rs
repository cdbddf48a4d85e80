//! Reading `$filter`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::cursor::Cursor;
use super::expr::{Comparison, Expr, Literal, LiteralValue, Path, TextFunction};
use super::{DEPTH_MAX, NODES_MAX, ParseError};

const CONDITION: &str = "a property, a function, `not` or `(`";
const VALUE: &str = "a value: 'text', a number, a date, true, false or null";

/// Reads a filter.
///
/// # Errors
/// The first thing that is wrong; also a filter of more than [`NODES_MAX`] nodes or deeper than [`DEPTH_MAX`].
pub fn filter(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser { cursor: Cursor::new(text)?, nodes: 0, depth: 0, variable: None };
    let expr = parser.any_of()?;
    parser.cursor.expect_end("`and`, `or`")?;
    Ok(expr)
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    nodes: usize,
    depth: usize,
    /// Of the innermost `any`, with which the paths in it begin.
    variable: Option<&'t str>,
}

impl<'t> Parser<'t> {
    /// Counts a node that begins here.
    fn node(&mut self) -> Result<(), ParseError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            self.cursor.skip_space();
            let message = format!("expected at most {NODES_MAX} comparisons, operators and values");
            return Err(self.cursor.error(message));
        }
        Ok(())
    }

    /// Reads what stands within something else.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.depth == DEPTH_MAX {
            self.cursor.skip_space();
            let message = format!("expected at most {DEPTH_MAX} levels of brackets, `not` and `any`");
            return Err(self.cursor.error(message));
        }
        self.depth += 1;
        let read = read(self)?;
        self.depth -= 1;
        Ok(read)
    }

    fn any_of(&mut self) -> Result<Expr, ParseError> {
        self.joined("or", Self::all_of, Expr::Or)
    }

    fn all_of(&mut self) -> Result<Expr, ParseError> {
        self.joined("and", Self::condition, Expr::And)
    }

    fn joined(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Expr, ParseError>,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, ParseError> {
        let first = part(self)?;
        if self.cursor.peek_name() != Some(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.cursor.peek_name() == Some(word) {
            self.node()?;
            self.cursor.pass(word);
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn condition(&mut self) -> Result<Expr, ParseError> {
        if self.cursor.take('(') {
            let inner = self.deeper(Self::any_of)?;
            if !self.cursor.take(')') {
                return Err(self.cursor.expected("`and`, `or` or `)`"));
            }
            return Ok(inner);
        }
        self.node()?;
        let Some(name) = self.cursor.peek_name() else { return Err(self.cursor.expected(CONDITION)) };
        if name == "not" {
            self.cursor.pass(name);
            return Ok(Expr::Not(Box::new(self.deeper(Self::condition)?)));
        }
        let mut behind = self.cursor.clone();
        behind.pass(name);
        if behind.peek() == Some('(') {
            return self.text_function(name);
        }
        let path = self.path()?;
        if self.cursor.is_behind('/') {
            return self.any(path);
        }
        self.comparison(path)
    }

    fn text_function(&mut self, name: &str) -> Result<Expr, ParseError> {
        let Some(function) = TextFunction::ALL.into_iter().find(|function| function.as_str() == name) else {
            return Err(self
                .cursor
                .expected("a property or one of the functions contains, startswith, endswith"));
        };
        self.cursor.pass(name);
        self.cursor.expect('(')?;
        let path = self.path()?;
        if self.cursor.is_behind('/') {
            return Err(self.cursor.expected("a property"));
        }
        self.cursor.expect(',')?;
        self.cursor.skip_space();
        if self.cursor.peek() != Some('\'') {
            return Err(self.cursor.expected("a 'text'"));
        }
        let part = self.literal()?;
        self.cursor.expect(')')?;
        Ok(Expr::Text { function, path, part })
    }

    /// A path, up to the name before an operator or behind the slash before `any`.
    fn path(&mut self) -> Result<Path, ParseError> {
        self.cursor.skip_space();
        let position = self.cursor.position();
        let mut names = Vec::new();
        if let Some(variable) = self.variable {
            if self.cursor.peek_name() != Some(variable) {
                return Err(self
                    .cursor
                    .expected(&format!("`{variable}`, the name that any gives an element")));
            }
            self.cursor.pass(variable);
            if !self.cursor.rest().starts_with('/') {
                return Ok(Path { names, position });
            }
            self.cursor.expect('/')?;
        }
        loop {
            let is_first = names.is_empty() && self.variable.is_none();
            let name = match self.cursor.peek_name() {
                Some(name) if is_first || !self.cursor.rest().starts_with("any(") => name,
                Some(_) => return Ok(Path { names, position }),
                None => return Err(self.cursor.expected("a property")),
            };
            let mut behind = self.cursor.clone();
            behind.pass(name);
            if behind.peek() == Some('(') {
                return Err(self.cursor.expected(if is_first {
                    "a property"
                } else {
                    "a property or `any`"
                }));
            }
            self.cursor = behind;
            names.push(name.to_owned());
            if !self.cursor.rest().starts_with('/') {
                return Ok(Path { names, position });
            }
            self.cursor.expect('/')?;
        }
    }

    fn any(&mut self, path: Path) -> Result<Expr, ParseError> {
        self.cursor.take_word("any");
        self.cursor.expect('(')?;
        if self.cursor.take(')') {
            return Ok(Expr::Any { path, variable: "x".to_owned(), condition: None });
        }
        let Some(name) = self.cursor.peek_name() else {
            return Err(self.cursor.expected("a name for the element, or `)`"));
        };
        self.cursor.pass(name);
        self.cursor.expect(':')?;
        let outer = self.variable.replace(name);
        let condition = self.deeper(Self::any_of)?;
        self.variable = outer;
        if !self.cursor.take(')') {
            return Err(self.cursor.expected("`and`, `or` or `)`"));
        }
        Ok(Expr::Any { path, variable: name.to_owned(), condition: Some(Box::new(condition)) })
    }

    fn comparison(&mut self, path: Path) -> Result<Expr, ParseError> {
        let word = self.cursor.peek_name().unwrap_or_default();
        if word == "in" {
            self.cursor.pass(word);
            return Ok(Expr::In { path, values: self.values()? });
        }
        let Some(comparison) = Comparison::ALL.into_iter().find(|comparison| comparison.as_str() == word)
        else {
            return Err(self.cursor.expected("eq, ne, gt, ge, lt, le or in"));
        };
        self.cursor.pass(word);
        self.cursor.skip_space();
        let start = self.cursor.clone();
        let value = self.literal()?;
        if value.value == LiteralValue::Null && !matches!(comparison, Comparison::Eq | Comparison::Ne) {
            return Err(start.error("expected a value: with null only eq and ne compare".to_owned()));
        }
        Ok(Expr::Compare { path, comparison, value })
    }

    fn values(&mut self) -> Result<Vec<Literal>, ParseError> {
        self.cursor.expect('(')?;
        let mut values = Vec::new();
        loop {
            self.node()?;
            self.cursor.skip_space();
            let start = self.cursor.clone();
            let value = self.literal()?;
            if value.value == LiteralValue::Null {
                return Err(
                    start.error("expected a value that is not null: write `or ... eq null`".to_owned())
                );
            }
            values.push(value);
            if self.cursor.take(')') {
                return Ok(values);
            }
            if !self.cursor.take(',') {
                return Err(self.cursor.expected("`,` or `)`"));
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, ParseError> {
        self.cursor.skip_space();
        let position = self.cursor.position();
        let value = if self.cursor.peek() == Some('\'') { self.quoted()? } else { self.plain()? };
        Ok(Literal { value, position })
    }

    /// A text in quotes; a quote in it is written twice.
    fn quoted(&mut self) -> Result<LiteralValue, ParseError> {
        let start = self.cursor.clone();
        let mut text = String::new();
        loop {
            self.cursor.pass("'");
            text.push_str(self.cursor.run(|c| c != '\''));
            if self.cursor.peek().is_none() {
                return Err(start.error("expected a `'` at the end of this text".to_owned()));
            }
            self.cursor.pass("'");
            if self.cursor.peek() != Some('\'') {
                return Ok(LiteralValue::Text(text));
            }
            text.push('\'');
        }
    }

    fn plain(&mut self) -> Result<LiteralValue, ParseError> {
        let mut ahead = self.cursor.clone();
        let word = ahead.run(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '+' | '-'));
        let is_number = word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        let value = match word {
            "null" => LiteralValue::Null,
            "true" => LiteralValue::Bool(true),
            "false" => LiteralValue::Bool(false),
            _ if is_number => self.number_or_instant(word)?,
            _ => return Err(self.cursor.expected(VALUE)),
        };
        self.cursor = ahead;
        Ok(value)
    }

    fn number_or_instant(&mut self, word: &str) -> Result<LiteralValue, ParseError> {
        let digits = word.strip_prefix('-').unwrap_or(word);
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let out_of_range =
                |_| self.cursor.error(format!("expected a number from {} to {}", i64::MIN, i64::MAX));
            return word.parse().map(LiteralValue::Int).map_err(out_of_range);
        }
        if digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
            && let Ok(number) = word.parse::<f64>()
            && number.is_finite()
        {
            return Ok(LiteralValue::Float(number));
        }
        if let Ok(instant) = word.parse::<Timestamp>() {
            return Ok(LiteralValue::Instant(instant.as_millisecond()));
        }
        if !word.contains(['T', 't', ':'])
            && let Ok(date) = word.parse::<Date>()
            && let Ok(midnight) = date.to_zoned(TimeZone::UTC)
        {
            return Ok(LiteralValue::Instant(midnight.timestamp().as_millisecond()));
        }
        if word.parse::<DateTime>().is_ok() {
            let message =
                "expected an offset behind this time: Z, or such as +01:00, which a URL writes %2B01:00";
            return Err(self.cursor.error(message.to_owned()));
        }
        Err(self.cursor.expected(VALUE))
    }
}
