//! Reading `$orderby`, `$select`, `$expand` and `$search`: lists of names and words.

use super::cursor::Cursor;
use super::expr::Path;
use super::{EXPAND_DEPTH_MAX, LISTED_MAX, ParseError};

/// A property to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderBy {
    /// The property.
    pub path: Path,
    /// Which way.
    pub direction: Direction,
}

/// Which way is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// A related thing that an answer is to hold as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expand {
    /// What.
    pub path: Path,
    /// What of it in turn.
    pub expand: Vec<Expand>,
}

/// Reads `$orderby`: properties with `asc` or `desc`, between commas.
///
/// # Errors
/// The first thing that is wrong.
pub fn order_by(text: &str) -> Result<Vec<OrderBy>, ParseError> {
    let mut cursor = Cursor::new(text)?;
    let ordered = listed(&mut cursor, |cursor| {
        let path = path(cursor)?;
        let direction = match cursor.peek_name() {
            Some("asc") => Direction::Ascending,
            Some("desc") => Direction::Descending,
            None => return Ok(OrderBy { path, direction: Direction::Ascending }),
            Some(_) => return Err(cursor.expected("asc, desc, `,` or the end")),
        };
        cursor.take_word(if direction == Direction::Ascending { "asc" } else { "desc" });
        Ok(OrderBy { path, direction })
    })?;
    cursor.expect_end("asc, desc, `,`")?;
    Ok(ordered)
}

/// Reads `$select`: properties between commas, of which `*` stands for all.
///
/// # Errors
/// The first thing that is wrong.
pub fn select(text: &str) -> Result<Vec<Path>, ParseError> {
    let mut cursor = Cursor::new(text)?;
    let selected = listed(&mut cursor, |cursor| {
        cursor.skip_space();
        let position = cursor.position();
        if cursor.take('*') { Ok(Path { names: vec!["*".to_owned()], position }) } else { path(cursor) }
    })?;
    cursor.expect_end("`,`")?;
    Ok(selected)
}

/// Reads `$expand`: names between commas, each with what is expanded within it in brackets, as
/// `data($expand=account,group)` or, as some clients write it, `data(expand=account,group)` (BRV-10).
///
/// # Errors
/// The first thing that is wrong; also expansions deeper than [`EXPAND_DEPTH_MAX`].
pub fn expand(text: &str) -> Result<Vec<Expand>, ParseError> {
    let mut cursor = Cursor::new(text)?;
    let expanded = expansions(&mut cursor, 1)?;
    cursor.expect_end("`,`")?;
    Ok(expanded)
}

fn expansions(cursor: &mut Cursor<'_>, depth: usize) -> Result<Vec<Expand>, ParseError> {
    if depth > EXPAND_DEPTH_MAX {
        cursor.skip_space();
        let message = format!("expected at most {EXPAND_DEPTH_MAX} levels of expansion");
        return Err(cursor.error(message));
    }
    listed(cursor, |cursor| {
        let path = path(cursor)?;
        let mut expand = Vec::new();
        if cursor.take('(') {
            let mut ahead = cursor.clone();
            ahead.take('$');
            if !ahead.take_word("expand") {
                return Err(cursor.expected("`expand=`"));
            }
            *cursor = ahead;
            cursor.expect('=')?;
            expand = expansions(cursor, depth + 1)?;
            if !cursor.take(')') {
                return Err(cursor.expected("`,` or `)`"));
            }
        }
        Ok(Expand { path, expand })
    })
}

/// Reads `$search`: words and "phrases", each of which has to occur.
///
/// # Errors
/// The first thing that is wrong; `OR` and `NOT`, which are not searched by.
pub fn search(text: &str) -> Result<Vec<String>, ParseError> {
    let mut cursor = Cursor::new(text)?;
    let mut terms = Vec::new();
    loop {
        cursor.skip_space();
        if terms.len() == LISTED_MAX && cursor.peek().is_some() {
            return Err(cursor.error(format!("expected at most {LISTED_MAX} words")));
        }
        let term = match cursor.peek() {
            None if !terms.is_empty() => return Ok(terms),
            Some('"') => {
                let start = cursor.clone();
                cursor.pass("\"");
                let phrase = cursor.run(|c| c != '"');
                if cursor.peek().is_none() {
                    return Err(start.error("expected a `\"` at the end of this phrase".to_owned()));
                }
                if phrase.is_empty() {
                    return Err(start.error("expected a phrase that is not empty".to_owned()));
                }
                cursor.pass("\"");
                phrase
            }
            _ => {
                let mut ahead = cursor.clone();
                let word = ahead.run(|c| !matches!(c, ' ' | '\t' | '"'));
                if matches!(word, "" | "OR" | "NOT") {
                    return Err(cursor.expected("a word or a \"phrase\""));
                }
                cursor = ahead;
                // Every term has to occur anyway.
                if word == "AND" && !terms.is_empty() && !cursor.rest().trim().is_empty() {
                    continue;
                }
                word
            }
        };
        terms.push(term.to_owned());
    }
}

/// One or more of something, between commas.
fn listed<T>(
    cursor: &mut Cursor<'_>,
    mut member: impl FnMut(&mut Cursor<'_>) -> Result<T, ParseError>,
) -> Result<Vec<T>, ParseError> {
    let mut members = Vec::new();
    loop {
        if members.len() == LISTED_MAX {
            cursor.skip_space();
            return Err(cursor.error(format!("expected at most {LISTED_MAX} between commas")));
        }
        members.push(member(cursor)?);
        if !cursor.take(',') {
            return Ok(members);
        }
    }
}

/// Names with slashes between them.
fn path(cursor: &mut Cursor<'_>) -> Result<Path, ParseError> {
    cursor.skip_space();
    let position = cursor.position();
    let mut names = Vec::new();
    loop {
        let Some(name) = cursor.peek_name() else { return Err(cursor.expected("a property")) };
        cursor.pass(name);
        names.push(name.to_owned());
        if !cursor.rest().starts_with('/') {
            return Ok(Path { names, position });
        }
        cursor.expect('/')?;
    }
}
