//! A mapping with known keys: each key is asked for once, and what nobody asked for is an error.

use crate::file::File;
use crate::node::{Entry, Position, shortened};
use crate::suggest::{listed, nearest};
use crate::value::Value;

/// A mapping that is being read. [`Fields::finish`] notes the keys that nobody asked for.
pub(crate) struct Fields<'n> {
    pub(crate) file: &'n File<'n>,
    pub(crate) at: Position,
    /// Names the mapping in messages: ``the join `manager` ``.
    pub(crate) what: String,
    entries: &'n [Entry],
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub(crate) fn new(file: &'n File<'n>, at: Position, what: String, entries: &'n [Entry]) -> Self {
        Self { file, at, what, entries, asked: Vec::new() }
    }

    /// The member as it stands there, null or not.
    pub(crate) fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.asked.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key; a key without a value counts as not given.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Value<'n>> {
        self.entry(key).filter(|entry| !entry.value.is_null()).map(|entry| Value::of(self.file, entry))
    }

    /// The value of a key that must be there; `help` says what to write.
    pub(crate) fn need(&mut self, key: &'static str, help: &str) -> Option<Value<'n>> {
        let found = self.entry(key);
        match found {
            None => self.file.error(self.at, format!("{} lacks the key `{key}`", self.what), help),
            Some(entry) if entry.value.is_null() => {
                self.file.error(entry.at, format!("`{key}` has no value"), help);
            }
            Some(entry) => return Some(Value::of(self.file, entry)),
        }
        None
    }

    /// The value under a key or under its other name; both at once are an error.
    pub(crate) fn either(&mut self, key: &'static str, alias: &'static str) -> Option<Value<'n>> {
        let (first, second) = (self.entry(key), self.entry(alias));
        if let (Some(_), Some(second)) = (first, second) {
            let message = format!("`{alias}` is another name of `{key}`, and both are given");
            self.file.error(second.at, message, format!("remove `{alias}`"));
        }
        first.or(second).filter(|entry| !entry.value.is_null()).map(|entry| Value::of(self.file, entry))
    }

    /// A truth value, or the default.
    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.get(key).and_then(|value| value.flag()).unwrap_or(default)
    }

    /// An optional text.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        self.get(key).and_then(|value| value.text())
    }

    /// Notes the keys that nobody asked for.
    pub(crate) fn finish(self) {
        for entry in self.entries.iter().filter(|entry| !self.asked.contains(&entry.key.as_str())) {
            let message = format!("unknown key `{}` in {}", shortened(&entry.key), self.what);
            let help = match nearest(&entry.key, self.asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.asked.is_empty() => "there are no keys here".to_owned(),
                None => format!("the keys here are {}", listed(&self.asked)),
            };
            self.file.error(entry.at, message, help);
        }
    }
}
