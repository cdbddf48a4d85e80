//! Reads a filter and translates places in it to places in the file.

use crate::filter::{Expr, NameUse, parse_with_names};
use crate::place::place_in;
use crate::value::Value;

/// What is wrong with the use of a name.
pub(crate) struct NameProblem {
    /// Characters before it in the filter.
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Reads a filter; `check` judges each of its names. A filter with a wrong name is given all the same, since
/// it is only used when nothing was wrong.
pub(crate) fn filter(value: &Value<'_>, check: impl Fn(&NameUse) -> Option<NameProblem>) -> Option<Expr> {
    let text = value.text()?;
    let note = |problem: NameProblem| {
        let place = value
            .node
            .scalar()
            .map_or(value.at(), |scalar| place_in(scalar, value.at(), &value.file.text, problem.offset));
        value.file.error(place, problem.message, problem.help);
    };
    match parse_with_names(&text) {
        Ok(parsed) => {
            parsed.names.iter().filter_map(check).for_each(note);
            Some(parsed.expr)
        }
        Err(error) => {
            let message = format!("{} cannot be read: {}", value.label, error.message);
            note(NameProblem { offset: error.offset, message, help: error.help });
            None
        }
    }
}
