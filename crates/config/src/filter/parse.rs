//! From tokens to [`Expr`], by precedence.

use super::token::{Kind, Token, tokens};
use super::{
    CompareOp, Expr, FILTER_CHARS_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX, FilterError, Literal, Part,
};

/// A filter with the place of each name and the values it is compared with, for checks against a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The filter.
    pub expr: Expr,
    /// Its names, in the order of the text.
    pub names: Vec<NameUse>,
}

/// One use of a name in a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct NameUse {
    /// The name.
    pub name: String,
    /// Characters before it.
    pub offset: usize,
    /// It stands in a match or an order comparison, so its values must be ordered.
    pub ordered: bool,
    /// What it is compared with, each with the number of characters before it; empty for null.
    pub values: Vec<(Literal, usize)>,
}

/// Reads a filter.
///
/// # Errors
/// Where it goes wrong, in characters, and what was expected there.
pub fn parse(text: &str) -> Result<Expr, FilterError> {
    parse_with_names(text).map(|parsed| parsed.expr)
}

/// Reads a filter and says where its names stand.
///
/// # Errors
/// As [`parse`].
pub fn parse_with_names(text: &str) -> Result<Parsed, FilterError> {
    if text.chars().nth(FILTER_CHARS_MAX).is_some() {
        return Err(FilterError {
            offset: FILTER_CHARS_MAX,
            message: format!("the filter is longer than {FILTER_CHARS_MAX} characters"),
            help: "narrow the objects down in the profile, or split the task into several".to_owned(),
        });
    }
    let mut parser = Parser { tokens: tokens(text)?, position: 0, nodes: 0, names: Vec::new() };
    let expr = parser.any_of(0)?;
    match parser.peek() {
        Kind::End => Ok(Parsed { expr, names: parser.names }),
        Kind::Word(word) if joiner(word).is_some() => Err(parser.joiner_word()),
        Kind::Symbol(")") => Err(parser.error("`)` closes nothing", "remove it, or open it with `(`")),
        other => {
            let message = format!("expected `&&`, `||` or the end, found {}", other.shown());
            Err(parser.error(message, "join two conditions with `&&` (both) or `||` (either)"))
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
    nodes: usize,
    names: Vec<NameUse>,
}

const VALUE_HELP: &str = r#"write a text in quotes, a whole number, `true`, `false` or `null`"#;

fn joiner(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "and" => Some("&&"),
        "or" => Some("||"),
        _ => None,
    }
}

impl Parser {
    /// The token at the current place; the last token is never passed.
    fn peek(&self) -> &Kind {
        self.tokens.get(self.position).map_or(&Kind::End, |token| &token.kind)
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.position).or(self.tokens.last()).map_or(0, |token| token.offset)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Kind::Symbol(next) if *next == symbol);
        if found {
            self.position += 1;
        }
        found
    }

    fn error(&self, message: impl Into<String>, help: impl Into<String>) -> FilterError {
        FilterError { offset: self.offset(), message: message.into(), help: help.into() }
    }

    fn joiner_word(&self) -> FilterError {
        let Kind::Word(word) = self.peek() else {
            return self.error("expected `&&` or `||`", "join two conditions with `&&` or `||`");
        };
        let symbol = joiner(word).unwrap_or("&&");
        self.error(format!("`{word}` is no operator"), format!("write `{symbol}`"))
    }

    fn count(&mut self, expr: Expr) -> Result<Expr, FilterError> {
        self.nodes += 1;
        if self.nodes > FILTER_NODES_MAX {
            return Err(self.error(
                format!("the filter has more than {FILTER_NODES_MAX} conditions"),
                "put values of one name into `in (...)`, which counts as one condition",
            ));
        }
        Ok(expr)
    }

    fn any_of(&mut self, depth: usize) -> Result<Expr, FilterError> {
        self.joined("||", depth, |parser| parser.all_of(depth), Expr::Or)
    }

    fn all_of(&mut self, depth: usize) -> Result<Expr, FilterError> {
        self.joined("&&", depth, |parser| parser.term(depth), Expr::And)
    }

    fn joined(
        &mut self,
        symbol: &str,
        depth: usize,
        part: impl Fn(&mut Self) -> Result<Expr, FilterError>,
        join: impl Fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, FilterError> {
        if depth > FILTER_DEPTH_MAX {
            return Err(self.too_deep());
        }
        let first = part(self)?;
        let mut parts = vec![first];
        while self.take(symbol) {
            parts.push(part(self)?);
        }
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            last => {
                parts.extend(last);
                self.count(join(parts))
            }
        }
    }

    fn too_deep(&self) -> FilterError {
        self.error(
            format!("the filter is nested deeper than {FILTER_DEPTH_MAX} levels"),
            "remove brackets and `!` that change nothing",
        )
    }

    fn term(&mut self, depth: usize) -> Result<Expr, FilterError> {
        if depth > FILTER_DEPTH_MAX {
            return Err(self.too_deep());
        }
        if self.take("!") {
            let inner = self.negated(depth + 1)?;
            return self.count(Expr::Not(Box::new(inner)));
        }
        if self.take("(") {
            return self.bracketed(depth + 1);
        }
        self.comparison(false)
    }

    /// What may stand behind `!`: never a bare comparison, since readers of `!a == b` take it either way.
    fn negated(&mut self, depth: usize) -> Result<Expr, FilterError> {
        match self.peek() {
            Kind::Symbol("!" | "(") => self.term(depth),
            _ => self.comparison(true),
        }
    }

    fn bracketed(&mut self, depth: usize) -> Result<Expr, FilterError> {
        let inner = self.any_of(depth)?;
        if self.take(")") {
            return Ok(inner);
        }
        match self.peek() {
            Kind::Word(word) if joiner(word).is_some() => Err(self.joiner_word()),
            other => {
                let message = format!("expected `)`, `&&` or `||`, found {}", other.shown());
                Err(self.error(message, "close the bracket with `)`"))
            }
        }
    }

    fn comparison(&mut self, negated: bool) -> Result<Expr, FilterError> {
        let offset = self.offset();
        let name = match self.peek() {
            Kind::Word(word) if !is_keyword(word) => word.clone(),
            Kind::Word(word) if word == "not" => {
                return Err(self.error("`not` is no operator", "write `!( ... )`"));
            }
            other => {
                let message = format!("expected a name, `!` or `(`, found {}", other.shown());
                return Err(self.error(message, r#"a condition begins with a name: `name == "x"`"#));
            }
        };
        self.position += 1;
        if matches!(self.peek(), Kind::Symbol("(")) {
            return self.matching(&name, offset);
        }
        if negated {
            return Err(FilterError {
                offset,
                message: format!("expected `(` between `!` and `{name}`"),
                help: format!("write `!({name} == ...)` or `{name} != ...`"),
            });
        }
        let operator = self.peek().clone();
        match operator {
            Kind::Symbol("==") => self.compare(name, offset, CompareOp::Eq),
            Kind::Symbol("!=") => self.compare(name, offset, CompareOp::Ne),
            Kind::Symbol("<") => self.compare(name, offset, CompareOp::Lt),
            Kind::Symbol("<=") => self.compare(name, offset, CompareOp::Le),
            Kind::Symbol(">") => self.compare(name, offset, CompareOp::Gt),
            Kind::Symbol(">=") => self.compare(name, offset, CompareOp::Ge),
            Kind::Word(word) if word == "in" => self.one_of(name, offset),
            other => {
                let message = format!("expected an operator after `{name}`, found {}", other.shown());
                Err(self.error(message, "write `==`, `!=`, `<`, `<=`, `>`, `>=` or `in`"))
            }
        }
    }

    fn matching(&mut self, path: &str, offset: usize) -> Result<Expr, FilterError> {
        let (name, function) = path.rsplit_once('.').unwrap_or(("", path));
        let part = Part::ALL.into_iter().find(|part| part.as_str() == function);
        let (Some(part), false) = (part, name.is_empty()) else {
            return Err(FilterError {
                offset,
                message: format!("`{path}(` is no function"),
                help: r#"write name.startsWith("x"), name.endsWith("x") or name.contains("x")"#.to_owned(),
            });
        };
        self.position += 1;
        let place = self.offset();
        let Kind::Text(text) = self.peek().clone() else {
            let message = format!("expected a text in quotes after `{function}(`");
            return Err(self.error(message, format!(r#"write {name}.{function}("x")"#)));
        };
        self.position += 1;
        if !self.take(")") {
            let message = format!("expected `)` after the text of `{function}`");
            return Err(self.error(message, format!(r#"write {name}.{function}("x") with one text"#)));
        }
        let values = vec![(Literal::Text(text.clone()), place)];
        self.names.push(NameUse { name: name.to_owned(), offset, ordered: true, values });
        self.count(Expr::Matches { name: name.to_owned(), part, text })
    }

    fn compare(&mut self, name: String, offset: usize, op: CompareOp) -> Result<Expr, FilterError> {
        self.position += 1;
        let ordered = !matches!(op, CompareOp::Eq | CompareOp::Ne);
        if matches!(self.peek(), Kind::Word(word) if word == "null") {
            return self.null_test(name, offset, op);
        }
        let place = self.offset();
        let value = self.literal(&format!("`{}`", op.as_str()))?;
        if ordered && matches!(value, Literal::Bool(_)) {
            return Err(FilterError {
                offset: place,
                message: format!("`{}` has no meaning with `{value}`", op.as_str()),
                help: "compare `true` and `false` with `==` or `!=`".to_owned(),
            });
        }
        self.names.push(NameUse {
            name: name.clone(),
            offset,
            ordered,
            values: vec![(value.clone(), place)],
        });
        self.count(Expr::Compare { name, op, value })
    }

    fn null_test(&mut self, name: String, offset: usize, op: CompareOp) -> Result<Expr, FilterError> {
        if !matches!(op, CompareOp::Eq | CompareOp::Ne) {
            let message = format!("`{}` has no meaning with `null`", op.as_str());
            return Err(self.error(message, "write `== null` or `!= null`"));
        }
        self.position += 1;
        self.names.push(NameUse { name: name.clone(), offset, ordered: false, values: Vec::new() });
        let is_null = self.count(Expr::IsNull(name))?;
        if op == CompareOp::Eq { Ok(is_null) } else { self.count(Expr::Not(Box::new(is_null))) }
    }

    fn one_of(&mut self, name: String, offset: usize) -> Result<Expr, FilterError> {
        self.position += 1;
        let help = r#"write `in ("a", "b")`"#;
        if !self.take("(") {
            return Err(self.error("expected `(` after `in`", help));
        }
        let mut values = Vec::new();
        loop {
            if matches!(self.peek(), Kind::Word(word) if word == "null") {
                let help = format!("write `({name} == null || {name} in (...))`");
                return Err(self.error("`null` cannot stand in the list of `in`", help));
            }
            let place = self.offset();
            let after = if values.is_empty() { "`in (`" } else { "`,`" };
            values.push((self.literal(after)?, place));
            if self.take(")") {
                break;
            }
            if !self.take(",") {
                return Err(self.error("expected `,` or `)` in the list of `in`", help));
            }
        }
        let literals = values.iter().map(|(value, _)| value.clone()).collect();
        self.names.push(NameUse { name: name.clone(), offset, ordered: false, values });
        self.count(Expr::In { name, values: literals })
    }

    fn literal(&mut self, after: &str) -> Result<Literal, FilterError> {
        let literal = match self.peek() {
            Kind::Text(text) => Literal::Text(text.clone()),
            Kind::Int(number) => Literal::Int(*number),
            Kind::Word(word) if word == "true" => Literal::Bool(true),
            Kind::Word(word) if word == "false" => Literal::Bool(false),
            Kind::Word(word) => {
                let message = format!("expected a value after {after}, found the name `{word}`");
                return Err(self.error(message, format!("put text into quotes: `\"{word}\"`")));
            }
            other => {
                let message = format!("expected a value after {after}, found {}", other.shown());
                return Err(self.error(message, VALUE_HELP));
            }
        };
        self.position += 1;
        Ok(literal)
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "true" | "false" | "null" | "in" | "not")
}
