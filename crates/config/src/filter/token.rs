//! From the text of a filter to its tokens.

use winnow::ascii::{digit1, multispace0};
use winnow::combinator::{alt, opt, repeat};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _};
use winnow::token::{any, none_of, take_while};

use super::FilterError;

/// A token and where it stands, in characters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) offset: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// An operator, a bracket or a comma.
    Symbol(&'static str),
    /// Identifiers joined by dots.
    Word(String),
    /// A whole number.
    Int(i64),
    /// A text, its escapes resolved.
    Text(String),
    /// Behind the last token.
    End,
}

impl Kind {
    /// The token as a message quotes it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::Word(word) => format!("`{word}`"),
            Self::Int(number) => format!("`{number}`"),
            Self::Text(_) => "a text".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

type Input<'t> = LocatingSlice<&'t str>;

/// A token as it stands in the text, before numbers and texts are understood.
enum Raw<'t> {
    Symbol(&'t str),
    Word(&'t str),
    Number(&'t str),
    Text(&'t str),
}

const SYMBOLS: [&str; 12] = ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "(", ")", ","];

fn symbol<'t>(input: &mut Input<'t>) -> winnow::Result<&'t str> {
    alt((alt(("==", "!=", "<=", ">=", "&&", "||")), alt(("<", ">", "!", "(", ")", ",")))).parse_next(input)
}

fn identifier<'t>(input: &mut Input<'t>) -> winnow::Result<&'t str> {
    (
        take_while(1, |first: char| first.is_alphabetic() || first == '_'),
        take_while(0.., |other: char| other.is_alphanumeric() || matches!(other, '_' | '$' | '#')),
    )
        .take()
        .parse_next(input)
}

fn word<'t>(input: &mut Input<'t>) -> winnow::Result<&'t str> {
    (identifier, repeat::<_, _, (), _, _>(0.., ('.', identifier).void())).take().parse_next(input)
}

fn number<'t>(input: &mut Input<'t>) -> winnow::Result<&'t str> {
    // What follows the digits is taken along, so that `1.5` and `7up` are refused as a whole.
    (opt('-'), digit1, take_while(0.., |other: char| other.is_alphanumeric() || other == '.' || other == '_'))
        .take()
        .parse_next(input)
}

fn quoted<'t>(quote: char) -> impl FnMut(&mut Input<'t>) -> winnow::Result<&'t str> {
    move |input: &mut Input<'t>| {
        let piece = alt((none_of([quote, '\\']).void(), ('\\', any).void()));
        (quote, repeat::<_, _, (), _, _>(0.., piece), quote).take().parse_next(input)
    }
}

fn raw<'t>(input: &mut Input<'t>) -> winnow::Result<Raw<'t>> {
    alt((
        word.map(Raw::Word),
        number.map(Raw::Number),
        quoted('"').map(Raw::Text),
        quoted('\'').map(Raw::Text),
        symbol.map(Raw::Symbol),
    ))
    .parse_next(input)
}

/// Cuts a filter into tokens; the last one is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut input = LocatingSlice::new(text);
    let mut tokens = Vec::new();
    // Counting characters from token to token keeps this linear in the text.
    let mut characters = 0;
    let mut bytes = 0;
    loop {
        let spaces: winnow::Result<&str> = multispace0.parse_next(&mut input);
        // White space of any length, none included, always matches.
        let _ = spaces;
        let start = input.current_token_start();
        characters += text[bytes..start].chars().count();
        bytes = start;
        if start == text.len() {
            tokens.push(Token { kind: Kind::End, offset: characters });
            return Ok(tokens);
        }
        let kind = match raw(&mut input) {
            Ok(Raw::Symbol(symbol)) => Kind::Symbol(known_symbol(symbol)),
            Ok(Raw::Word(word)) => Kind::Word(word.to_owned()),
            Ok(Raw::Number(number)) => Kind::Int(whole_number(number, characters)?),
            Ok(Raw::Text(quoted)) => Kind::Text(unescape(quoted, characters)?),
            Err(_) => return Err(unreadable(&text[start..], characters)),
        };
        tokens.push(Token { kind, offset: characters });
    }
}

fn known_symbol(symbol: &str) -> &'static str {
    SYMBOLS.into_iter().find(|known| *known == symbol).unwrap_or("")
}

fn whole_number(text: &str, offset: usize) -> Result<i64, FilterError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FilterError {
            offset,
            message: format!("`{text}` begins with a zero"),
            help: "write the number without leading zeros, or put it into quotes as text".to_owned(),
        });
    }
    text.parse().map_err(|_| FilterError {
        offset,
        message: format!("`{text}` is not a whole number of at most 64 bits"),
        help: "write a whole number such as `42`, or put it into quotes as text".to_owned(),
    })
}

/// Resolves the escapes of a text that is given with its quotes.
fn unescape(quoted: &str, offset: usize) -> Result<String, FilterError> {
    let body = &quoted[1..quoted.len() - 1];
    let mut text = String::with_capacity(body.len());
    let mut rest = body.chars().enumerate();
    while let Some((index, character)) = rest.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        // The opening quote is one character, the index counts from zero.
        let at = offset + 1 + index;
        match rest.next() {
            Some((_, plain @ ('"' | '\'' | '\\'))) => text.push(plain),
            Some((_, 'n')) => text.push('\n'),
            Some((_, 'u')) => text.push(escaped_character(&mut rest, at)?),
            other => return Err(bad_escape(other.map(|(_, character)| character), at)),
        }
    }
    Ok(text)
}

fn bad_escape(character: Option<char>, offset: usize) -> FilterError {
    FilterError {
        offset,
        message: format!("`\\{}` is not an escape", character.map_or_else(String::new, String::from)),
        help: r#"the escapes are \" \' \\ \n \uHHHH; write \\ for a backslash"#.to_owned(),
    }
}

/// Reads the digits behind `\u`; what lies past U+FFFF is written as a surrogate pair, as in JSON.
fn escaped_character(
    rest: &mut impl Iterator<Item = (usize, char)>,
    offset: usize,
) -> Result<char, FilterError> {
    let error = || FilterError {
        offset,
        message: "`\\u` wants four hexadecimal digits that name a character".to_owned(),
        help: r"write for example \u00e9, or the character itself".to_owned(),
    };
    let first = four_digits(rest).ok_or_else(error)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first).ok_or_else(error);
    }
    let backslash = rest.next().map(|(_, character)| character);
    let letter = rest.next().map(|(_, character)| character);
    if (backslash, letter) != (Some('\\'), Some('u')) {
        return Err(error());
    }
    let second = four_digits(rest).filter(|low| (0xDC00..0xE000).contains(low)).ok_or_else(error)?;
    char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or_else(error)
}

fn four_digits(rest: &mut impl Iterator<Item = (usize, char)>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + rest.next()?.1.to_digit(16)?))
}

fn unreadable(rest: &str, offset: usize) -> FilterError {
    let character = rest.chars().next().unwrap_or(' ');
    let (message, help) = match character {
        '"' | '\'' => (
            format!("the text that begins with {character} does not end"),
            format!("close it with {character}; inside it, write \\{character} for the quote itself"),
        ),
        '=' => ("`=` alone is no operator".to_owned(), "write `==`".to_owned()),
        '&' => ("`&` alone is no operator".to_owned(), "write `&&`".to_owned()),
        '|' => ("`|` alone is no operator".to_owned(), "write `||`".to_owned()),
        '.' => ("expected a name before and after `.`".to_owned(), "write `alias.column`".to_owned()),
        other => (
            format!("`{}` has no meaning in a filter", other.escape_debug()),
            r#"write comparisons such as `name == "x"`, joined with `&&` and `||`; put text into quotes"#
                .to_owned(),
        ),
    };
    FilterError { offset, message, help }
}
