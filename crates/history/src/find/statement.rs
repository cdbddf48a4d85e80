//! The statement of a list: built of the columns that are declared, never of what is asked for.

use annals_model::ObjectType;
use annals_sql::{Engine, Stmt, Value as Param};

use super::condition::{Comparison, Condition, Operand, Part};
use super::property::{Elements, Property, PropertyKind, properties};
use super::{Find, Order, PlaceValue};
use crate::Error;
use crate::layout::layout;
use crate::scope::{self, Scope};

/// Where the values of properties begin among a page's columns; before them are the kind and the id.
pub(crate) const FIRST_VALUE: usize = 2;

/// Less than every number that is kept, for properties that are absent.
const LEAST: &str = "-9223372036854775807";

/// An object's id as the history tables have it: a UUID loses its dashes. Ids that are too long for them stand there as
/// something else.
const STORED_ID: &str =
    "case length(h.object_id) when 36 then replace(h.object_id, '-', '') else h.object_id end";

/// A statement as it grows.
pub(crate) struct Statement<'f> {
    engine: Engine,
    wanted: &'f Find,
    text: String,
    params: Vec<Param>,
}

impl<'f> Statement<'f> {
    /// The statement of a page: one row more than wanted tells whether there are more.
    pub(crate) fn page(engine: Engine, wanted: &'f Find, kinds: &[i64]) -> Result<(Stmt, Vec<Param>), Error> {
        let mut this = Self { engine, wanted, text: String::new(), params: Vec::new() };
        let sorted: Vec<String> = wanted.order.iter().map(|(property, _)| this.sorted_by(property)).collect();
        let mut columns = vec!["h.kind".to_owned(), "h.object_id".to_owned()];
        columns.extend(properties(wanted.object_type).iter().map(|property| property.column.clone()));
        columns.extend(sorted.iter().cloned());
        this.text = format!("select {}", columns.join(", "));
        this.of_kinds(kinds);
        this.after(&sorted)?;
        let mut terms: Vec<String> = sorted
            .iter()
            .zip(&wanted.order)
            .map(|(column, (_, order))| match order {
                Order::Ascending => column.clone(),
                Order::Descending => format!("{column} desc"),
            })
            .collect();
        terms.extend(["h.kind".to_owned(), "h.object_id".to_owned()]);
        this.text.push_str(&format!(" order by {} limit ?", terms.join(", ")));
        this.params.push((i64::from(wanted.limit) + 1).into());
        Ok(this.built("find"))
    }

    /// The statement that counts all.
    pub(crate) fn count(
        engine: Engine,
        wanted: &'f Find,
        kinds: &[i64],
    ) -> Result<(Stmt, Vec<Param>), Error> {
        let mut this = Self { engine, wanted, text: "select count(*)".to_owned(), params: Vec::new() };
        this.of_kinds(kinds);
        Ok(this.built("count"))
    }

    /// The ids alone, for a place within another statement.
    pub(crate) fn ids(engine: Engine, wanted: &'f Find, kinds: &[i64]) -> (String, Vec<Param>) {
        let mut this = Self { engine, wanted, text: "select h.object_id".to_owned(), params: Vec::new() };
        this.of_kinds(kinds);
        (this.text, this.params)
    }

    fn built(self, verb: &str) -> (Stmt, Vec<Param>) {
        (Stmt::built(format!("history.{verb} {}", self.wanted.object_type), self.text), self.params)
    }

    fn of_kinds(&mut self, kinds: &[i64]) {
        let layout = layout(self.wanted.object_type);
        let newest = self.newest_capture();
        let join = match &layout.mapping.entity {
            Some(entity) => format!("left join {} e on e.{} = {STORED_ID}", entity.table, entity.id),
            None => format!("left join {} e on e.id = {newest}", layout.mapping.table),
        };
        self.text.push_str(&format!(" from annals_head h {join} where h.kind "));
        // With one kind, as nearly always, the key of heads is also the order of their ids.
        match kinds {
            [kind] => {
                self.text.push_str("= ?");
                self.params.push((*kind).into());
            }
            kinds => {
                self.text.push_str("{in}");
                self.params.push(kinds.to_vec().into());
            }
        }
        for word in &self.wanted.words {
            let part = self.engine.like("upper(h.name)").replace('?', "upper(?)");
            self.text.push_str(&format!(" and {part}"));
            self.params.push(self.engine.like_pattern(true, word, true).into());
        }
        if let Some(condition) = &self.wanted.condition {
            self.text.push_str(" and ");
            self.condition(condition);
        }
    }

    /// The id of an object's newest capture, as capture tables have it.
    fn newest_capture(&self) -> &'static str {
        match self.engine {
            Engine::Postgres => "encode(h.capture_id, 'hex')",
            Engine::Sqlite | Engine::MySql => "lower(hex(h.capture_id))",
        }
    }

    /// What is sorted by. Names are sorted without regard to case, by an index that is there for finding them; other
    /// texts byte by byte. What is absent is the least.
    fn sorted_by(&self, property: &Property) -> String {
        let column = &property.column;
        match property.kind {
            PropertyKind::Text if property.name == "name" => format!("upper({column})"),
            PropertyKind::Text if property.nullable => {
                self.engine.byte_ordered(&format!("coalesce({column}, '')"))
            }
            PropertyKind::Text => self.engine.byte_ordered(column),
            _ if property.nullable => format!("coalesce({column}, {LEAST})"),
            _ => column.clone(),
        }
    }

    /// What comes after a place: a greater value of what is sorted by first, or an equal one and a greater of the next.
    fn after(&mut self, sorted: &[String]) -> Result<(), Error> {
        let Some(place) = &self.wanted.after else { return Ok(()) };
        let mut columns: Vec<(&str, Order, bool)> = Vec::new();
        for (column, (property, order)) in sorted.iter().zip(&self.wanted.order) {
            columns.push((column, *order, property.kind == PropertyKind::Text));
        }
        columns.push(("h.kind", Order::Ascending, false));
        columns.push(("h.object_id", Order::Ascending, true));
        let fits = |((_, _, is_text), value): (&(&str, Order, bool), &PlaceValue)| {
            *is_text == matches!(value, PlaceValue::Text(_))
        };
        if columns.len() != place.0.len() || !columns.iter().zip(&place.0).all(fits) {
            return Err(Error::Place);
        }
        let values: Vec<Param> = place
            .0
            .iter()
            .map(|value| match value {
                PlaceValue::Int(number) => (*number).into(),
                PlaceValue::Text(text) => text.as_str().into(),
            })
            .collect();
        if columns.iter().all(|(_, order, _)| *order == Order::Ascending) {
            // Compared as rows, for which an index is good.
            let names: Vec<&str> = columns.iter().map(|(column, ..)| *column).collect();
            let marks = vec!["?"; names.len()].join(", ");
            self.text.push_str(&format!(" and ({}) > ({marks})", names.join(", ")));
            self.params.extend(values);
            return Ok(());
        }
        let mut alternatives = Vec::new();
        for last in 0..columns.len() {
            let mut terms: Vec<String> =
                columns[..last].iter().map(|(column, ..)| format!("{column} = ?")).collect();
            let (column, order, _) = columns[last];
            terms.push(format!("{column} {} ?", if order == Order::Ascending { ">" } else { "<" }));
            alternatives.push(format!("({})", terms.join(" and ")));
            self.params.extend_from_slice(&values[..=last]);
        }
        self.text.push_str(&format!(" and ({})", alternatives.join(" or ")));
        Ok(())
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(parts) => self.joined(parts, " and ", "1 = 1"),
            Condition::Any(parts) => self.joined(parts, " or ", "1 = 0"),
            Condition::Not(inner) => {
                self.text.push_str("not ");
                self.condition(inner);
            }
            Condition::Absent(property) => self.text.push_str(&format!("({} is null)", property.column)),
            Condition::Compare(property, comparison, operand) => self.compare(property, *comparison, operand),
            Condition::Text(property, part, text) => {
                let column = &property.column;
                let like = self.engine.like(column);
                self.text.push_str(&format!("({column} is not null and {like})"));
                let (before, after) = (*part != Part::AtStart, *part != Part::AtEnd);
                self.params.push(self.engine.like_pattern(before, text, after).into());
            }
            Condition::Some(collection, inner) => {
                self.elements(&collection.rows);
                if let Some(inner) = inner {
                    self.text.push_str(" and ");
                    self.condition(inner);
                }
                self.text.push(')');
            }
            Condition::Within(scope) => self.within(scope),
        }
    }

    fn within(&mut self, scope: &Scope) {
        let object_type = self.wanted.object_type;
        let Some(reach) = scope::reach(object_type) else { return self.text.push_str("(1 = 0)") };
        if object_type == ObjectType::Identity {
            self.params.push(scope.head_ids());
            return self.text.push_str("(h.object_id {in})");
        }
        let mapping = layout(object_type).mapping;
        let mut ways = Vec::new();
        if reach.owned.is_some() {
            ways.push("(e.identity_id is not null and e.identity_id {in})".to_owned());
            self.params.push(scope.stored_identities());
        }
        if reach.of_application.is_some() && !scope.applications().is_empty() {
            let (table, id, newest) = (mapping.table, mapping.object_id, self.newest_capture());
            ways.push(format!(
                "exists (select 1 from {table} n join {table} s on s.{id} = n.{id}
                    where n.id = {newest} and s.application_name {{in}})"
            ));
            self.params.push(scope.application_names());
        }
        if ways.is_empty() {
            ways.push("1 = 0".to_owned());
        }
        self.text.push_str(&format!("({})", ways.join(" or ")));
    }

    /// That the object has elements of which what follows holds. What is not of its newest capture alone is looked up first,
    /// by whatever index the condition has, and not for each object.
    fn elements(&mut self, rows: &Elements) {
        let newest = self.newest_capture();
        let text = match rows {
            Elements::OfCapture { table, parent } => {
                format!("exists (select 1 from {table} c where c.{parent} = {newest}")
            }
            Elements::Access => "h.object_id in (select x.identity_id from annals_access_item i
                    join annals_access_interval x on x.item = i.id where x.recorded_to is null"
                .to_owned(),
            Elements::Captures { table, object_id } => {
                format!("{STORED_ID} in (select p.{object_id} from {table} p where p.{object_id} is not null")
            }
        };
        self.text.push_str(&text);
    }

    fn joined(&mut self, parts: &[Condition], word: &str, empty: &str) {
        self.text.push('(');
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.text.push_str(word);
            }
            self.condition(part);
        }
        if parts.is_empty() {
            self.text.push_str(empty);
        }
        self.text.push(')');
    }

    fn compare(&mut self, property: &Property, comparison: Comparison, operand: &Operand) {
        let column = &property.column;
        let sign = match comparison {
            Comparison::Equal => "=",
            Comparison::Unequal => "<>",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
        };
        let param: Param = match operand {
            Operand::Text(text) => text.as_str().into(),
            Operand::Int(number) => (*number).into(),
        };
        let ordered = match operand {
            Operand::Text(_) => self.engine.byte_ordered(column),
            Operand::Int(_) => column.clone(),
        };
        let text = match (comparison, operand) {
            (Comparison::Unequal, _) => format!("({column} is null or {column} <> ?)"),
            // What is equal is equal without regard to case too, and that is what indexes of names are made of.
            (Comparison::Equal, Operand::Text(_)) if !property.is_id => {
                self.params.push(param.clone());
                format!("({column} is not null and {column} = ? and upper({column}) = upper(?))")
            }
            (Comparison::Equal, _) => format!("({column} is not null and {column} = ?)"),
            _ => format!("({column} is not null and {ordered} {sign} ?)"),
        };
        self.text.push_str(&text);
        self.params.push(param);
    }
}
