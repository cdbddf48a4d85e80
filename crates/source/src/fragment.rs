//! A piece of a statement: text, the parameters in it, the joins it needs.

use std::collections::BTreeSet;

use annals_sql::Value;

use crate::scope::ColumnRef;

/// Text with `?` and `{in}` in it, and the values for them in the order in which they stand. A value never becomes
/// text: it is bound.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fragment {
    pub(crate) text: String,
    pub(crate) params: Vec<Value>,
    /// Joined tables, by number, whose columns the text uses.
    pub(crate) joins: BTreeSet<usize>,
}

impl Fragment {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Puts a parameter here.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.text.push('?');
        self.params.push(value.into());
        self
    }

    /// Compares what stands before with the values of a list.
    pub(crate) fn in_list(&mut self, list: Value) -> &mut Self {
        self.text.push_str(" {in}");
        self.params.push(list);
        self
    }

    /// An expression over this column.
    pub(crate) fn over(&mut self, column: &ColumnRef, expression: &str) -> &mut Self {
        self.joins.extend(column.join);
        self.push(expression)
    }

    pub(crate) fn append(&mut self, other: &Fragment) -> &mut Self {
        self.text.push_str(&other.text);
        self.params.extend(other.params.iter().cloned());
        self.joins.extend(&other.joins);
        self
    }
}
