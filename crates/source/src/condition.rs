//! Filters as conditions: names become columns, constants become parameters.
//!
//! Filters know two values where databases know three. A comparison with a null is false, and its negation is true:
//! `department != "IT"` and `!(department == "IT")` both match those without a department. So negation is carried down to
//! the comparisons, where a null can be told apart; above them there are only `and` and `or`, which treat the
//! database's third value as false.

use annals_config::filter::{CompareOp, Expr, Literal, Part};
use annals_config::profile::TimeKind;
use annals_sql::{ColumnKind, Engine, Value};
use jiff::Timestamp;

use crate::catalogue::Lack;
use crate::change;
use crate::fragment::Fragment;
use crate::scope::{ColumnRef, Scope};

/// What a name in a filter stands for.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    /// A column of a later release: null in every row.
    Absent,
    /// A column.
    Column(ColumnRef, Reading),
}

impl Operand {
    pub(crate) fn plain(column: ColumnRef) -> Self {
        Self::Column(column, Reading::Plain)
    }
}

/// How a filter sees a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As its type says.
    Plain,
    /// A boolean whose null means false.
    Flag,
    /// An instant.
    Time(TimeKind),
    /// Only whether it is null; with what is in its way.
    NullOnly(&'static str),
}

/// What a text column holds where it means true, in lower case.
pub(crate) const TRUE_WORDS: [&str; 5] = ["1", "t", "true", "y", "yes"];
/// What a text column holds where it means false, in lower case.
pub(crate) const FALSE_WORDS: [&str; 5] = ["0", "f", "false", "n", "no"];

/// What the names of a filter mean, and how its author is told that one is used wrongly.
pub(crate) struct Names<'n, E> {
    pub(crate) resolve: &'n dyn Fn(&str) -> Result<Operand, E>,
    /// Name, its column, and what is wrong, as the rest of a sentence that begins with the name.
    pub(crate) complain: &'n dyn Fn(&str, &ColumnRef, &str) -> E,
}

/// Compiles a filter, or finds everything that is wrong with it.
pub(crate) fn compile<E>(engine: Engine, expr: &Expr, names: &Names<'_, E>) -> Result<Fragment, Vec<E>> {
    let mut compiler = Compiler { engine, names, out: Fragment::default(), problems: Vec::new() };
    compiler.expr(expr, false);
    if compiler.problems.is_empty() { Ok(compiler.out) } else { Err(compiler.problems) }
}

/// Compiles a filter of the profile, whose names are columns of the scope: `column` or `alias.column`.
pub(crate) fn compile_in(scope: &Scope, engine: Engine, expr: &Expr) -> Result<Fragment, Vec<Lack>> {
    let names = Names {
        resolve: &|name| scope.column_by_name(name).map(Operand::plain),
        complain: &|_, column, problem| column.lack(format!("the column {problem}")),
    };
    compile(engine, expr, &names)
}

struct Compiler<'c, E> {
    engine: Engine,
    names: &'c Names<'c, E>,
    out: Fragment,
    problems: Vec<E>,
}

type Written = Result<Fragment, String>;

impl<E> Compiler<'_, E> {
    fn expr(&mut self, expr: &Expr, negated: bool) {
        match expr {
            Expr::And(parts) => self.parts(parts, true, negated),
            Expr::Or(parts) => self.parts(parts, false, negated),
            Expr::Not(inner) => self.expr(inner, !negated),
            Expr::IsNull(name) => self.is_null(name, negated),
            Expr::Compare { name, op, value } => {
                let matches_null = (*op == CompareOp::Ne) != negated;
                let op = if negated { negation(*op) } else { *op };
                self.leaf(name, matches_null, |engine, column, reading| {
                    compare(engine, column, reading, op, value)
                });
            }
            Expr::In { name, values } => self.leaf(name, negated, |engine, column, reading| {
                one_of(engine, column, reading, values).map(|found| if negated { not(&found) } else { found })
            }),
            Expr::Matches { name, part, text } => self.leaf(name, negated, |engine, column, reading| {
                matches(engine, column, reading, *part, text)
                    .map(|found| if negated { not(&found) } else { found })
            }),
        }
    }

    fn parts(&mut self, parts: &[Expr], all: bool, negated: bool) {
        if parts.is_empty() {
            self.constant(all != negated);
            return;
        }
        self.out.push("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.out.push(if all == negated { " or " } else { " and " });
            }
            self.expr(part, negated);
        }
        self.out.push(")");
    }

    fn constant(&mut self, value: bool) {
        self.out.push(if value { "1 = 1" } else { "1 = 0" });
    }

    fn resolved(&mut self, name: &str) -> Option<Operand> {
        (self.names.resolve)(name).map_err(|problem| self.problems.push(problem)).ok()
    }

    fn is_null(&mut self, name: &str, negated: bool) {
        match self.resolved(name) {
            None => {}
            Some(Operand::Absent) => self.constant(!negated),
            Some(Operand::Column(_, Reading::Flag)) => self.constant(negated),
            Some(Operand::Column(column, _)) => {
                let test = if negated { "is not null" } else { "is null" };
                self.out.over(&column, &format!("{} {test}", column.sql));
            }
        }
    }

    fn leaf(
        &mut self,
        name: &str,
        matches_null: bool,
        write: impl FnOnce(Engine, &ColumnRef, Reading) -> Written,
    ) {
        match self.resolved(name) {
            None => {}
            Some(Operand::Absent) => self.constant(matches_null),
            Some(Operand::Column(column, reading)) => match write(self.engine, &column, reading) {
                Err(problem) => self.problems.push((self.names.complain)(name, &column, &problem)),
                Ok(written) => {
                    self.out.joins.extend(column.join);
                    // A flag's null is dealt with where its value is compared.
                    if matches_null && reading != Reading::Flag {
                        self.out.push(&format!("({} is null or ", column.sql)).append(&written).push(")");
                    } else {
                        self.out.append(&written);
                    }
                }
            },
        }
    }
}

const fn negation(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Eq => CompareOp::Ne,
        CompareOp::Ne => CompareOp::Eq,
        CompareOp::Lt => CompareOp::Ge,
        CompareOp::Le => CompareOp::Gt,
        CompareOp::Gt => CompareOp::Le,
        CompareOp::Ge => CompareOp::Lt,
    }
}

const fn symbol(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => " = ",
        CompareOp::Ne => " <> ",
        CompareOp::Lt => " < ",
        CompareOp::Le => " <= ",
        CompareOp::Gt => " > ",
        CompareOp::Ge => " >= ",
    }
}

fn not(condition: &Fragment) -> Fragment {
    let mut negated = Fragment::new("not (");
    negated.append(condition).push(")");
    negated
}

fn written(expression: &str, op: CompareOp, value: impl Into<Value>) -> Fragment {
    let mut fragment = Fragment::new(expression);
    fragment.push(symbol(op)).bind(value);
    fragment
}

fn compare(engine: Engine, column: &ColumnRef, reading: Reading, op: CompareOp, value: &Literal) -> Written {
    let sql = &column.sql;
    if let Some(millis) = as_time(engine, column, reading)? {
        return Ok(written(&millis, op, time_of(value)?));
    }
    if reading == Reading::Flag || matches!(value, Literal::Bool(_)) {
        let Literal::Bool(value) = value else {
            return Err("is a boolean: compare it with true or false".to_owned());
        };
        let wanted = match op {
            CompareOp::Eq => *value,
            CompareOp::Ne => !*value,
            _ => return Err("is compared with a boolean, which has no order: use == or !=".to_owned()),
        };
        return truth(engine, column, reading, wanted);
    }
    match column.kind {
        ColumnKind::Integer => Ok(written(sql, op, int_of(value)?)),
        ColumnKind::Boolean => Err("is a boolean: compare it with true or false".to_owned()),
        ColumnKind::Float | ColumnKind::Decimal => match value {
            Literal::Int(number) => Ok(written(sql, op, *number)),
            Literal::Text(text) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(written(sql, op, number)),
                _ => Err("is a number".to_owned()),
            },
            Literal::Bool(_) => Err("is a number".to_owned()),
        },
        ColumnKind::Text | ColumnKind::Other | ColumnKind::DateTime | ColumnKind::Bytes => {
            let text = text_column(engine, column)?;
            let exact = if matches!(op, CompareOp::Eq | CompareOp::Ne) {
                engine.exact_text(&text)
            } else {
                engine.byte_ordered(&text)
            };
            Ok(written(&exact, op, text_of(value)))
        }
    }
}

fn one_of(engine: Engine, column: &ColumnRef, reading: Reading, values: &[Literal]) -> Written {
    let mut list = Fragment::default();
    if let Some(millis) = as_time(engine, column, reading)? {
        let times = values.iter().map(time_of).collect::<Result<_, _>>()?;
        list.push(&millis).in_list(Value::IntList(times));
        return Ok(list);
    }
    let has_booleans = values.iter().any(|value| matches!(value, Literal::Bool(_)));
    match column.kind {
        ColumnKind::Integer if reading == Reading::Plain && !has_booleans => {
            let numbers = values.iter().map(int_of).collect::<Result<_, _>>()?;
            list.push(&column.sql).in_list(Value::IntList(numbers));
        }
        ColumnKind::Text | ColumnKind::Other if reading == Reading::Plain && !has_booleans => {
            let texts = values.iter().map(text_of).collect();
            list.push(&engine.exact_text(&text_column(engine, column)?)).in_list(Value::TextList(texts));
        }
        _ => {
            list.push("(");
            for (index, value) in values.iter().enumerate() {
                list.push(if index == 0 { "" } else { " or " });
                list.append(&compare(engine, column, reading, CompareOp::Eq, value)?);
            }
            list.push(")");
        }
    }
    Ok(list)
}

fn matches(engine: Engine, column: &ColumnRef, reading: Reading, part: Part, text: &str) -> Written {
    if as_time(engine, column, reading)?.is_some() {
        return Err("is a time: compare it with <, <=, > or >=".to_owned());
    }
    if reading == Reading::Flag {
        return Err("is a boolean: compare it with true or false".to_owned());
    }
    let expression = match column.kind {
        ColumnKind::Integer => engine.as_text(&column.sql),
        ColumnKind::Boolean => return Err("is a boolean: compare it with true or false".to_owned()),
        ColumnKind::Float | ColumnKind::Decimal => return Err("is a number, not text".to_owned()),
        _ => text_column(engine, column)?,
    };
    let (before, after) = match part {
        Part::Start => (false, true),
        Part::End => (true, false),
        Part::Anywhere => (true, true),
    };
    let mut condition = Fragment::new(engine.like(&expression));
    condition.params.push(Value::from(engine.like_pattern(before, text, after)));
    Ok(condition)
}

/// The column in epoch milliseconds if it is a time, and an error if nothing may be compared.
fn as_time(engine: Engine, column: &ColumnRef, reading: Reading) -> Result<Option<String>, String> {
    let kind = match reading {
        Reading::NullOnly(reason) => return Err(format!("{reason}: it can only be compared with null")),
        Reading::Time(kind) => kind,
        Reading::Plain if column.kind == ColumnKind::DateTime => TimeKind::DateTime,
        Reading::Plain | Reading::Flag => return Ok(None),
    };
    change::millis(engine, column, kind).map(Some).map_err(|lack| lack.problem)
}

/// That a column means true, or false. Any number but 0 is true; a flag's null is false.
fn truth(engine: Engine, column: &ColumnRef, reading: Reading, wanted: bool) -> Written {
    let sql = &column.sql;
    let mut condition = Fragment::default();
    match column.kind {
        ColumnKind::Boolean => {
            condition = written(sql, CompareOp::Eq, Value::Bool(Some(wanted)));
        }
        ColumnKind::Integer | ColumnKind::Float | ColumnKind::Decimal => {
            condition.push(sql).push(if wanted { " <> 0" } else { " = 0" });
        }
        ColumnKind::Text | ColumnKind::Other => {
            let words = if wanted { TRUE_WORDS } else { FALSE_WORDS };
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            condition
                .push(&format!("lower({})", text_column(engine, column)?))
                .in_list(Value::TextList(words));
        }
        ColumnKind::Bytes | ColumnKind::DateTime => return Err("is no boolean".to_owned()),
    }
    if reading == Reading::Flag {
        let null = if wanted { "is not null and" } else { "is null or" };
        condition.text = format!("({sql} {null} {})", condition.text);
    }
    Ok(condition)
}

fn text_column(engine: Engine, column: &ColumnRef) -> Result<String, String> {
    match column.kind {
        ColumnKind::Text => Ok(column.sql.clone()),
        ColumnKind::Bytes => Err("holds bytes: it can only be compared with null".to_owned()),
        _ => Ok(engine.as_text(&column.sql)),
    }
}

fn text_of(value: &Literal) -> String {
    match value {
        Literal::Text(text) => text.clone(),
        Literal::Int(number) => number.to_string(),
        Literal::Bool(flag) => flag.to_string(),
    }
}

fn int_of(value: &Literal) -> Result<i64, String> {
    match value {
        Literal::Int(number) => Ok(*number),
        Literal::Text(text) => text.parse().map_err(|_| "is a whole number".to_owned()),
        Literal::Bool(_) => Err("is a whole number".to_owned()),
    }
}

fn time_of(value: &Literal) -> Result<i64, String> {
    match value {
        Literal::Int(millis) => Ok(*millis),
        Literal::Text(text) => text.parse().map(Timestamp::as_millisecond).map_err(|_| {
            "is a time: write it with date, time and offset, as in \"2026-01-31T00:00:00Z\"".to_owned()
        }),
        Literal::Bool(_) => Err("is a time, not a boolean".to_owned()),
    }
}
