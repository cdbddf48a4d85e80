//! The options of a request.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use super::{Expand, Expr, OrderBy, ParseError, Path, TOP_MAX, lists};

/// What a request asks for beside its path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// `$filter`.
    pub filter: Option<Expr>,
    /// `$orderby`.
    pub order_by: Vec<OrderBy>,
    /// `$select`; all if none.
    pub select: Vec<Path>,
    /// `$expand`.
    pub expand: Vec<Expand>,
    /// `$top`: rows of a page, at most [`TOP_MAX`].
    pub top: Option<u32>,
    /// `$skiptoken`: where the page before ended, in words of whoever answers.
    pub skip_token: Option<String>,
    /// `$count`: whether to say how many there are in all.
    pub count: bool,
    /// `$search`: words and phrases, each of which has to occur.
    pub search: Vec<String>,
    /// Options of the resource's own, as they are written.
    pub own: BTreeMap<String, String>,
}

/// What is wrong with a request's options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {error}")]
pub struct OptionError {
    /// The option.
    pub option: String,
    /// What is wrong with its text.
    pub error: ParseError,
}

impl Options {
    /// Reads the options of a URL's query, of which `known` are allowed: nothing that is asked for is passed over.
    ///
    /// # Errors
    /// The first option that is wrong, unknown or there twice.
    pub fn read(query: &str, known: &[&str]) -> Result<Self, OptionError> {
        let mut options = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            let fault = |error| OptionError { option: name.to_string(), error };
            let whole = |message: String| fault(ParseError { position: 0, message });
            if !known.contains(&&*name) {
                return Err(whole(format!("expected no such option here: there are {}", known.join(", "))));
            }
            if seen.iter().any(|seen| *seen == name) {
                return Err(whole("expected this option once".to_owned()));
            }
            options.take(&name, &text).map_err(fault)?;
            seen.push(name.into_owned());
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, text: &str) -> Result<(), ParseError> {
        match name {
            "$filter" => self.filter = Some(super::filter(text)?),
            "$orderby" => self.order_by = lists::order_by(text)?,
            "$select" => self.select = lists::select(text)?,
            "$expand" => self.expand = lists::expand(text)?,
            "$top" => self.top = Some(top(text)?),
            "$skiptoken" => self.skip_token = Some(skip_token(text)?),
            "$count" => self.count = truth(text)?,
            "$search" => self.search = lists::search(text)?,
            own => {
                Cursor::new(text)?;
                self.own.insert(own.to_owned(), text.to_owned());
            }
        }
        Ok(())
    }
}

fn top(text: &str) -> Result<u32, ParseError> {
    let number = Some(text).filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
    number.filter(|top| *top <= TOP_MAX).ok_or_else(|| {
        let expected = format!("a whole number from 0 to {TOP_MAX}");
        Cursor::new(text).map_or_else(|error| error, |mut cursor| cursor.expected(&expected))
    })
}

fn skip_token(text: &str) -> Result<String, ParseError> {
    let mut cursor = Cursor::new(text)?;
    let token = cursor.run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if token.is_empty() || !cursor.rest().is_empty() {
        return Err(cursor.expected("a token as a nextLink gives it"));
    }
    Ok(token.to_owned())
}

fn truth(text: &str) -> Result<bool, ParseError> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Cursor::new(text)?.expected("true or false")),
    }
}
