//! Filters as conditions: names become columns, constants become parameters.
//!
//! Filters know two values where databases know three. A comparison with a null is false, and its negation is true:
//! `department != "IT"` and `!(department == "IT")` both match those without a department. So negation is carried down to
//! the comparisons, where a null can be told apart; above them there are only `and` and `or`, which treat the
//! database's third value as false.

use annals_config::filter::{CompareOp, Expr};
use annals_config::profile::TimeKind;
use annals_sql::Engine;

use crate::catalogue::Lack;
use crate::fragment::Fragment;
use crate::scope::{ColumnRef, Scope};

mod comparison;

use comparison::{compare, matches, one_of};

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
        write: impl FnOnce(Engine, &ColumnRef, Reading) -> Result<Fragment, String>,
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

fn not(condition: &Fragment) -> Fragment {
    let mut negated = Fragment::new("not (");
    negated.append(condition).push(")");
    negated
}
