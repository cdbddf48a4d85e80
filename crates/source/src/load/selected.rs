//! The columns of a statement, and how values are read out of its rows.

use annals_sql::{Engine, Row};
use serde_json::{Map, Value};

use crate::attribute_xml::Limits;
use crate::column::{ColumnPlan, IdColumn};
use crate::decode;
use crate::fragment::Fragment;
use crate::plan::{PropertyPlan, ValuePlan};

/// The select list of a statement; each expression stands in it once.
pub(super) struct Columns {
    engine: Engine,
    bytes_max: usize,
    expressions: Vec<String>,
    /// Holds the joins; its text stays empty.
    needs: Fragment,
}

/// A column at its place in the select list.
#[derive(Clone, Copy)]
pub(super) struct SelectedColumn<'p> {
    plan: &'p ColumnPlan,
    index: usize,
    /// Where the statement says how many bytes there are, because what is over the cap is not sent.
    bytes: Option<usize>,
}

/// A property and the places of its columns.
pub(super) struct Selected<'p> {
    source: From<'p>,
    is_secret: bool,
}

enum From<'p> {
    Absent,
    Column(SelectedColumn<'p>),
    Object { members: Vec<(&'p str, SelectedColumn<'p>)>, class: Option<&'p str> },
    Constant(&'p Value),
}

impl Columns {
    /// Begins with an id, which is therefore the first column.
    pub(super) fn by_id(engine: Engine, id: &IdColumn, limits: &Limits) -> Self {
        let expressions = vec![id.sql.clone()];
        let mut columns =
            Self { engine, bytes_max: limits.bytes_max, expressions, needs: Fragment::default() };
        columns.needs.joins.extend(id.column.join);
        columns
    }

    fn place(&mut self, expression: String) -> usize {
        let known = self.expressions.iter().position(|known| *known == expression);
        known.unwrap_or_else(|| {
            self.expressions.push(expression);
            self.expressions.len() - 1
        })
    }

    /// An expression without parameters.
    pub(super) fn fragment(&mut self, fragment: &Fragment) -> usize {
        self.needs.joins.extend(&fragment.joins);
        self.place(fragment.text.clone())
    }

    pub(super) fn column<'p>(&mut self, plan: &'p ColumnPlan) -> SelectedColumn<'p> {
        self.needs.joins.extend(plan.column.join);
        let cell = plan.select(self.engine);
        if !plan.may_exceed(self.bytes_max) {
            return SelectedColumn { plan, index: self.place(cell), bytes: None };
        }
        // The database keeps back what is over the cap: one cell of it could be larger than our memory.
        let bytes = format!("octet_length({cell})");
        let capped = format!("case when {bytes} <= {} then {cell} end", self.bytes_max);
        SelectedColumn { plan, index: self.place(capped), bytes: Some(self.place(bytes)) }
    }

    pub(super) fn property<'p>(&mut self, plan: &'p PropertyPlan) -> Selected<'p> {
        let source = match &plan.value {
            ValuePlan::Absent => From::Absent,
            ValuePlan::Column(plan) => From::Column(self.column(plan)),
            ValuePlan::Object { members, class } => From::Object {
                members: members.iter().map(|(name, plan)| (name.as_str(), self.column(plan))).collect(),
                class: class.as_deref(),
            },
            ValuePlan::Constant(value) => From::Constant(value),
        };
        Selected { source, is_secret: plan.secret }
    }

    /// `select ...`, needing the joins of its columns.
    pub(super) fn select(self) -> Fragment {
        let mut select = self.needs;
        select.push("select ").push(&self.expressions.join(", "));
        select
    }
}

impl SelectedColumn<'_> {
    pub(super) fn value(&self, row: &Row, limits: &Limits) -> Result<Value, String> {
        decode::value(row, (self.index, self.bytes), self.plan, limits)
    }

    /// Text that is not empty.
    pub(super) fn text(&self, row: &Row, limits: &Limits) -> Result<Option<String>, String> {
        Ok(match self.value(row, limits)? {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        })
    }
}

impl Selected<'_> {
    /// Whether the profile says that the whole value is a secret.
    pub(super) fn is_secret(&self) -> bool {
        self.is_secret
    }

    pub(super) fn value(&self, row: &Row, limits: &Limits) -> Result<Value, String> {
        match &self.source {
            From::Absent => Ok(Value::Null),
            From::Column(column) => column.value(row, limits),
            From::Constant(value) => Ok((*value).clone()),
            From::Object { members, class } => {
                let mut object = Map::new();
                for (index, (name, column)) in members.iter().enumerate() {
                    let value = column.value(row, limits)?;
                    if index == 0 && value.is_null() {
                        return Ok(Value::Null);
                    }
                    if !value.is_null() {
                        object.insert((*name).to_owned(), value);
                    }
                }
                object.extend(class.map(|class| ("class".to_owned(), Value::from(class))));
                Ok(Value::Object(object))
            }
        }
    }
}
