//! One value of a file, read as what a key wants.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::fields::Fields;
use crate::file::File;
use crate::node::{Entry, Kind, Meaning, Node, Position, Style, meaning, shortened};
use crate::resolve::resolve;
use crate::suggest::{known_words, nearest};

/// A value and the words for it in messages. Each reading notes what is wrong and gives `None`.
#[derive(Clone)]
pub(crate) struct Value<'n> {
    pub(crate) file: &'n File<'n>,
    pub(crate) node: &'n Node,
    /// Such as `` `lossLimit` ``.
    pub(crate) label: String,
}

/// A text and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) text: String,
    pub(crate) at: Position,
}

impl<'n> Value<'n> {
    /// The value of a member of a mapping.
    pub(crate) fn of(file: &'n File<'n>, entry: &'n Entry) -> Self {
        Self { file, node: &entry.value, label: format!("`{}`", shortened(&entry.key)) }
    }

    pub(crate) fn at(&self) -> Position {
        self.node.at
    }

    pub(crate) fn error(&self, message: impl Into<String>, help: impl Into<String>) {
        self.file.error(self.node.at, message, help);
    }

    fn wrong(&self, wanted: &str, help: impl Into<String>) {
        self.error(format!("{} must be {wanted}, not {}", self.label, self.node.shown()), help);
    }

    /// The scalar's text, `${NAME}` and `file:` resolved, and what it means.
    fn scalar(&self, wanted: &str, help: &str) -> Option<(Cow<'n, str>, Meaning)> {
        let Some(scalar) = self.node.scalar() else {
            self.wrong(wanted, help);
            return None;
        };
        let Some(resolver) = &self.file.resolver else {
            return Some((Cow::Borrowed(&scalar.text), scalar.meaning()));
        };
        match resolve(&scalar.text, resolver) {
            Ok(None) => Some((Cow::Borrowed(&scalar.text), scalar.meaning())),
            // What a variable holds was never quoted: it means what it looks like.
            Ok(Some(text)) => Some((Cow::Owned(text.clone()), meaning(&text))),
            Err(missing) => {
                self.error(missing.message, missing.help);
                None
            }
        }
    }

    /// Any scalar as the text that stands there: `8.10` is the text `8.10`, `no` the text `no`.
    pub(crate) fn text(&self) -> Option<String> {
        self.scalar("text", "write one value").map(|(text, _)| text.into_owned())
    }

    /// A text of at least one character, without white space at its ends.
    pub(crate) fn name(&self) -> Option<String> {
        let text = self.text()?;
        if text.is_empty() {
            self.error(format!("{} is empty", self.label), "write a name");
            return None;
        }
        if text.trim() != text {
            let message = format!("{} begins or ends with white space", self.label);
            self.error(message, format!("write `{}`", shortened(text.trim())));
            return None;
        }
        Some(text)
    }

    /// [`Self::name`] with its place.
    pub(crate) fn placed(&self) -> Option<Placed> {
        Some(Placed { text: self.name()?, at: self.at() })
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        let (text, meaning) = self.scalar("true or false", "write `true` or `false`")?;
        if let Meaning::Bool(flag) = meaning {
            return Some(flag);
        }
        let help = match text.to_ascii_lowercase().as_str() {
            "true" | "false" if self.is_quoted() => "remove the quotes",
            "yes" | "y" | "on" | "true" | "1" => "write `true`",
            "no" | "n" | "off" | "false" | "0" => "write `false`",
            _ => "write `true` or `false`",
        };
        self.wrong("true or false", help);
        None
    }

    /// A whole number within a range.
    pub(crate) fn whole(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let (least, most) = (range.start(), range.end());
        let wanted = format!("a whole number from {least} to {most}");
        let (text, meaning) = self.scalar(&wanted, "write a number")?;
        if let Meaning::Int(number) = meaning
            && let Ok(number) = u64::try_from(number)
            && range.contains(&number)
        {
            return Some(number);
        }
        self.wrong(&wanted, self.number_help(&text, meaning, least, most));
        None
    }

    fn number_help(&self, text: &str, meaning: Meaning, least: &u64, most: &u64) -> String {
        match meaning {
            Meaning::Int(number) if u64::try_from(number).is_ok_and(|number| number > *most) => {
                format!("write {most} or less")
            }
            Meaning::Int(_) => format!("write {least} or more"),
            Meaning::Text if self.is_quoted() => "remove the quotes".to_owned(),
            Meaning::Text if text.contains(['_', ',', '\'']) => "write the digits only".to_owned(),
            Meaning::Text if text.len() > 1 && text.starts_with('0') => {
                "write the number without leading zeros: YAML 1.1 reads it as octal, YAML 1.2 does not"
                    .to_owned()
            }
            _ => format!("write a whole number from {least} to {most}"),
        }
    }

    /// [`Self::whole`] as a 32-bit number.
    pub(crate) fn whole_u32(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let wide = u64::from(*range.start())..=u64::from(*range.end());
        self.whole(wide).and_then(|number| u32::try_from(number).ok())
    }

    /// [`Self::whole`] as a number of bytes or elements.
    pub(crate) fn whole_usize(&self, range: RangeInclusive<u64>) -> Option<usize> {
        self.whole(range).and_then(|number| usize::try_from(number).ok())
    }

    /// A number of percent.
    pub(crate) fn percent(&self) -> Option<f64> {
        let wanted = "a number from 0 to 100";
        let (_, meaning) = self.scalar(wanted, "write a number")?;
        let number = match meaning {
            // Numbers past 2^53 are far out of range, whatever the rounding.
            Meaning::Int(number) => i32::try_from(number).ok().map(f64::from),
            Meaning::Float(number) => Some(number),
            _ => None,
        };
        let found = number.filter(|number| (0.0..=100.0).contains(number));
        if found.is_none() {
            self.wrong(wanted, "write a number such as `5` or `2.5`, without a percent sign");
        }
        found
    }

    /// A share of something, 0 to 1.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let wanted = "a number from 0 to 1";
        let (_, meaning) = self.scalar(wanted, "write a number")?;
        let found = match meaning {
            Meaning::Int(0) => Some(0.0),
            Meaning::Int(1) => Some(1.0),
            Meaning::Float(number) => Some(number).filter(|number| (0.0..=1.0).contains(number)),
            _ => None,
        };
        if found.is_none() {
            self.wrong(wanted, "write a number such as `0.1`, for one of ten");
        }
        found
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let wanted = format!("one of {}", crate::suggest::listed(&known));
        let (text, _) = self.scalar(&wanted, "write one of those words")?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let help = match nearest(&text, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write one of those words".to_owned(),
            };
            self.wrong(&wanted, help);
        }
        found
    }

    pub(crate) fn list(&self) -> Option<Vec<Value<'n>>> {
        let Kind::List(nodes) = &self.node.kind else {
            self.wrong("a list", format!("write {}: [...]", self.label.trim_matches('`')));
            return None;
        };
        let label = format!("an element of {}", self.label);
        Some(nodes.iter().map(|node| Self { file: self.file, node, label: label.clone() }).collect())
    }

    /// A list of names, none of them twice.
    pub(crate) fn names(&self) -> Option<Vec<Placed>> {
        let mut names: Vec<Placed> = Vec::new();
        for element in self.list()? {
            let Some(name) = element.placed() else { continue };
            if names.iter().any(|known| known.text == name.text) {
                let message = format!("`{}` stands twice in {}", shortened(&name.text), self.label);
                element.error(message, "remove one of them");
            } else {
                names.push(name);
            }
        }
        Some(names)
    }

    /// The members of a mapping whose keys are free.
    pub(crate) fn entries(&self) -> Option<&'n [Entry]> {
        if let Kind::Map(entries) = &self.node.kind {
            return Some(entries);
        }
        self.wrong("a mapping", "write `key: value` lines, indented");
        None
    }

    /// A mapping with known keys; `what` names it in messages.
    pub(crate) fn fields(&self, what: impl Into<String>) -> Option<Fields<'n>> {
        self.entries().map(|entries| Fields::new(self.file, self.at(), what.into(), entries))
    }

    /// Any value as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        json(self.node)
    }

    pub(crate) fn is_text(&self) -> bool {
        self.node.scalar().is_some()
    }

    fn is_quoted(&self) -> bool {
        self.node.scalar().is_some_and(|scalar| scalar.style != Style::Plain)
    }

    /// Notes that a name is not among the known ones.
    pub(crate) fn unknown(&self, message: impl Into<String>, word: &str, known: &[&str], none: &str) {
        self.error(message, known_words(word, known, none));
    }
}

fn json(node: &Node) -> serde_json::Value {
    match &node.kind {
        Kind::List(nodes) => nodes.iter().map(json).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json(&entry.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Kind::Scalar(scalar) => match scalar.meaning() {
            Meaning::Null => serde_json::Value::Null,
            Meaning::Bool(flag) => flag.into(),
            Meaning::Int(number) => number.into(),
            Meaning::Float(number) => number.into(),
            Meaning::Text => scalar.text.clone().into(),
        },
    }
}
