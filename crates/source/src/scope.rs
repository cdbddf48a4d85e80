//! The tables of one statement: a base table and its left joins, and the columns that paths name in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use annals_config::profile::{ColumnPath, Join};
use annals_sql::{CatalogTable, ColumnKind, Engine};

use crate::catalogue::{Catalogue, Lack, NO_COLUMN};
use crate::condition::{self, Operand};
use crate::fragment::Fragment;

/// How columns of the base table begin.
pub(crate) const BASE_ALIAS: &str = "t0.";

/// A column of a statement.
#[derive(Debug, Clone)]
pub(crate) struct ColumnRef {
    /// As statements name it: `t1."name"`.
    pub(crate) sql: String,
    pub(crate) kind: ColumnKind,
    /// The most characters or bytes that the engine lets into it, if it sets a bound.
    pub(crate) width_max: Option<i64>,
    /// Number of the joined table that has it; `None` is the base table.
    pub(crate) join: Option<usize>,
    /// Real names, for messages.
    pub(crate) table: Arc<str>,
    pub(crate) column: Arc<str>,
}

impl ColumnRef {
    /// A complaint about this column.
    pub(crate) fn lack(&self, problem: impl Into<String>) -> Lack {
        let (table, column) = (self.table.to_string(), Some(self.column.to_string()));
        Lack { table, column, problem: problem.into() }
    }
}

/// A base table and its joins. Statements contain those joins only that their columns need.
#[derive(Debug)]
pub(crate) struct Scope {
    engine: Engine,
    base: Table,
    /// A join that cannot be made is a lack of whatever uses it.
    aliases: BTreeMap<String, Result<usize, Lack>>,
    joins: Vec<Joined>,
}

#[derive(Debug)]
struct Table {
    catalog: Arc<CatalogTable>,
    name: Arc<str>,
    alias: String,
    join: Option<usize>,
}

#[derive(Debug)]
struct Joined {
    table: Table,
    /// The condition, and as its joins those that have to stand before this one.
    on: Fragment,
}

impl Table {
    fn new(catalog: Arc<CatalogTable>, join: Option<usize>) -> Self {
        let name = Arc::from(catalog.name.as_str());
        let alias = format!("t{}", join.map_or(0, |join| join + 1));
        Self { catalog, name, alias, join }
    }

    fn column(&self, engine: Engine, column: &str) -> Result<ColumnRef, Lack> {
        let found = self.catalog.columns.get(&column.to_lowercase()).ok_or_else(|| Lack {
            table: self.name.to_string(),
            column: Some(column.to_owned()),
            problem: NO_COLUMN.to_owned(),
        })?;
        let sql = format!("{}.{}", self.alias, engine.quote(&found.name));
        Ok(ColumnRef {
            sql: if found.is_zoned { engine.zoned_in_utc(&sql) } else { sql },
            kind: found.kind,
            width_max: found.width_max,
            join: self.join,
            table: Arc::clone(&self.name),
            column: Arc::from(found.name.as_str()),
        })
    }
}

impl Scope {
    /// Finds the base table and those joins that can be made.
    pub(crate) fn new(
        catalogue: &Catalogue,
        table: &str,
        joins: &BTreeMap<String, Join>,
    ) -> Result<Self, Lack> {
        let base = Table::new(catalogue.table(table)?, None);
        let mut scope = Self { engine: catalogue.engine, base, aliases: BTreeMap::new(), joins: Vec::new() };
        let mut waiting: Vec<(&String, &Join)> = joins.iter().collect();
        // A join follows those that its condition uses.
        while !waiting.is_empty() {
            let known = |alias: &Option<String>| {
                alias
                    .as_ref()
                    .is_none_or(|alias| scope.aliases.contains_key(alias) || !joins.contains_key(alias))
            };
            let (ready, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(_, join)| join.on.values().all(|path| known(&path.alias)));
            if ready.is_empty() {
                for (alias, join) in rest {
                    let problem = format!("the joins refer to each other in a circle at `{alias}`");
                    let lack = Lack { table: join.table.clone(), column: None, problem };
                    scope.aliases.insert(alias.clone(), Err(lack));
                }
                break;
            }
            for (alias, join) in ready {
                let joined = scope.join(catalogue, join);
                let number = joined.map(|joined| {
                    scope.joins.push(joined);
                    scope.joins.len() - 1
                });
                scope.aliases.insert(alias.clone(), number);
            }
            waiting = rest;
        }
        Ok(scope)
    }

    fn join(&self, catalogue: &Catalogue, join: &Join) -> Result<Joined, Lack> {
        let table = Table::new(catalogue.table(&join.table)?, Some(self.joins.len()));
        let mut on = Fragment::default();
        for (column, path) in &join.on {
            let (joined, other) = (table.column(self.engine, column)?, self.column(path)?);
            if !on.text.is_empty() {
                on.push(" and ");
            }
            on.push(&equal(self.engine, &joined, &other));
            on.joins.extend(other.join);
        }
        if let Some(filter) = &join.filter {
            let names = condition::Names {
                resolve: &|name| table.column(self.engine, name).map(Operand::plain),
                complain: &|_, column, problem| {
                    column.lack(format!("the join's filter: the column {problem}"))
                },
            };
            let condition =
                condition::compile(self.engine, filter, &names).map_err(|mut lacks| lacks.swap_remove(0))?;
            on.push(" and ").push(&condition.text);
            on.params.extend(condition.params);
        }
        Ok(Joined { table, on })
    }

    /// The column that a path names.
    pub(crate) fn column(&self, path: &ColumnPath) -> Result<ColumnRef, Lack> {
        let Some(alias) = &path.alias else { return self.base.column(self.engine, &path.column) };
        match self.aliases.get(alias) {
            Some(Ok(join)) => self.joins[*join].table.column(self.engine, &path.column),
            Some(Err(lack)) => Err(lack.clone()),
            None => Err(Lack {
                table: self.base.name.to_string(),
                column: Some(path.column.clone()),
                problem: format!("no join is called `{alias}`"),
            }),
        }
    }

    /// The column that a name of a profile's filter means: `column` or `alias.column`.
    pub(crate) fn column_by_name(&self, name: &str) -> Result<ColumnRef, Lack> {
        let (alias, column) = match name.split_once('.') {
            Some((alias, column)) => (Some(alias.to_owned()), column),
            None => (None, name),
        };
        self.column(&ColumnPath { alias, column: column.to_owned() })
    }

    /// The base table's real name.
    pub(crate) fn base_name(&self) -> &Arc<str> {
        &self.base.name
    }

    /// ` from ...` with these joins and those that they need.
    pub(crate) fn from(&self, needed: &BTreeSet<usize>) -> Fragment {
        let mut needed = needed.clone();
        for number in (0..self.joins.len()).rev() {
            if needed.contains(&number) {
                needed.extend(&self.joins[number].on.joins);
            }
        }
        let named = |table: &Table| format!("{} {}", self.engine.quote(&table.name), table.alias);
        let mut from = Fragment::new(format!(" from {}", named(&self.base)));
        for number in needed {
            let Joined { table, on } = &self.joins[number];
            from.push(" left join ").push(&named(table)).push(" on ").append(on);
        }
        from
    }
}

/// That two columns are equal, also where one is a number and the other one text.
pub(crate) fn equal(engine: Engine, one: &ColumnRef, other: &ColumnRef) -> String {
    let numeric = |kind| matches!(kind, ColumnKind::Integer | ColumnKind::Decimal | ColumnKind::Float);
    if one.kind == other.kind || (numeric(one.kind) && numeric(other.kind)) {
        format!("{} = {}", one.sql, other.sql)
    } else {
        format!("{} = {}", engine.as_text(&one.sql), engine.as_text(&other.sql))
    }
}
