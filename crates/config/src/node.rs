//! The tree of a YAML file: what stands where.

use std::ops::Range;

/// A place in a file; line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    /// Where a file begins: the place of what a file lacks.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A member of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) value: Node,
}

/// A scalar: its text and how it was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
    /// Bytes of the file that it stands in, quotes included.
    pub(crate) bytes: Range<usize>,
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}

/// What YAML 1.2's core schema makes of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text,
}

impl Scalar {
    /// Only a plain scalar means anything but text. `yes`, `no`, `on` and `off` are text, as YAML 1.2 has it.
    /// So is a number with leading zeros: YAML 1.1 reads `012` as ten, YAML 1.2 as twelve, and who wrote it
    /// may have meant a telephone number.
    pub(crate) fn meaning(&self) -> Meaning {
        if self.style == Style::Plain { meaning(&self.text) } else { Meaning::Text }
    }
}

/// What a plain scalar means.
pub(crate) fn meaning(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "true" | "True" | "TRUE" => return Meaning::Bool(true),
        "false" | "False" | "FALSE" => return Meaning::Bool(false),
        _ => {}
    }
    if let Some(number) = integer(text) {
        return Meaning::Int(number);
    }
    if is_float(text)
        && let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return Meaning::Float(number);
    }
    Meaning::Text
}

fn integer(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0o") {
        return unsigned(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return unsigned(digits, 16);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if digits.is_empty() || leading_zero || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.strip_prefix('+').unwrap_or(text).parse().ok()
}

fn unsigned(digits: &str, radix: u32) -> Option<i64> {
    // `from_str_radix` would take a sign, which the core schema does not allow here.
    let plain = digits.chars().all(|digit| digit.is_digit(radix));
    if plain { i64::from_str_radix(digits, radix).ok() } else { None }
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, but for whole numbers and leading
/// zeros.
fn is_float(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let mantissa_fits = digits(whole) && fraction.is_none_or(digits) && !leading_zero;
    let some_digit = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa_fits && some_digit && exponent_fits && (fraction.is_some() || exponent.is_some())
}

impl Node {
    /// The scalar that this node is.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// A key without a value, `~` or `null`: as good as not given.
    pub(crate) fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.meaning() == Meaning::Null)
    }

    /// The node as a message quotes it.
    pub(crate) fn shown(&self) -> String {
        match &self.kind {
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
            Kind::Scalar(_) if self.is_null() => "nothing".to_owned(),
            Kind::Scalar(scalar) if scalar.style == Style::Plain => format!("`{}`", shortened(&scalar.text)),
            Kind::Scalar(scalar) => format!("the text `{}`", shortened(&scalar.text)),
        }
    }

    /// How large this tree is.
    pub(crate) fn extent(&self) -> Extent {
        let around = |inner: Extent, key_bytes: usize, sum: Extent| Extent {
            nodes: sum.nodes + inner.nodes,
            depth: sum.depth.max(inner.depth + 1),
            bytes: sum.bytes + inner.bytes + key_bytes,
        };
        let one = Extent { nodes: 1, depth: 1, bytes: 0 };
        match &self.kind {
            Kind::Scalar(scalar) => Extent { bytes: scalar.text.len(), ..one },
            Kind::List(nodes) => nodes.iter().fold(one, |sum, node| around(node.extent(), 0, sum)),
            Kind::Map(entries) => {
                entries.iter().fold(one, |sum, entry| around(entry.value.extent(), entry.key.len(), sum))
            }
        }
    }
}

/// How large a tree is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Scalars, lists and mappings.
    pub(crate) nodes: usize,
    /// Levels.
    pub(crate) depth: usize,
    /// Bytes of text.
    pub(crate) bytes: usize,
}

/// At most forty characters, on one line, without control characters.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let mut short: String = text.chars().take(SHOWN_MAX).flat_map(escaped_control).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        short.push('…');
    }
    short
}

fn escaped_control(character: char) -> Vec<char> {
    if character.is_control() { character.escape_default().collect() } else { vec![character] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of YAML 1.2.2, chapter 10.3.2, but for numbers with leading zeros, which are text here.
    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let cases: [(&str, Meaning); 27] = [
            ("", Meaning::Null),
            ("~", Meaning::Null),
            ("null", Meaning::Null),
            ("nULL", Meaning::Text),
            ("true", Meaning::Bool(true)),
            ("False", Meaning::Bool(false)),
            ("yes", Meaning::Text),
            ("no", Meaning::Text),
            ("on", Meaning::Text),
            ("y", Meaning::Text),
            ("0", Meaning::Int(0)),
            ("12", Meaning::Int(12)),
            ("+12", Meaning::Int(12)),
            ("-19", Meaning::Int(-19)),
            ("012", Meaning::Text),
            ("-012", Meaning::Text),
            ("0o14", Meaning::Int(12)),
            ("0x3A", Meaning::Int(58)),
            ("0x+3A", Meaning::Text),
            ("1_000", Meaning::Text),
            ("0.5", Meaning::Float(0.5)),
            (".5", Meaning::Float(0.5)),
            ("12e3", Meaning::Float(12_000.0)),
            ("8.4-00", Meaning::Text),
            (".", Meaning::Text),
            (".inf", Meaning::Text),
            ("99999999999999999999", Meaning::Text),
        ];
        for (text, expected) in cases {
            assert_eq!(meaning(text), expected, "{text}");
        }
    }

    #[test]
    fn a_quoted_scalar_is_text() {
        let quoted = Scalar { text: "true".to_owned(), style: Style::SingleQuoted, bytes: 0..6 };
        assert_eq!(quoted.meaning(), Meaning::Text);
    }

    #[test]
    fn a_long_text_is_shortened_in_messages() {
        assert_eq!(shortened("a\nb"), "a\\nb");
        assert_eq!(shortened(&"x".repeat(41)), format!("{}…", "x".repeat(40)));
    }
}
