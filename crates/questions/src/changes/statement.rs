//! The statements of changes: one pass over the intervals that begin or end between the two instants.

use annals_history::PageRequest;
use annals_history::find::Ids;
use annals_sql::{Engine, Stmt, Value as Param};
use serde_json::Value;

use super::{ChangesQuestion, GroupBy};
use crate::Result;

/// Which access items are the same access, whatever they are called: `AccessItem::access` in other words.
const SAME_ACCESS: &str = "select id,
        min(id) over (partition by kind, permission,
            case when kind in (1, 2) then coalesce(application_id, application) else coalesce(item_id, name) end,
            case when kind in (1, 2) then instance end, case when kind in (1, 2) then attribute end,
            case when kind in (1, 2) then value end) as access
    from annals_access_item";

/// What is known of an interval, by an instant.
const KNOWN: &str = "a.recorded_from <= ? and (a.recorded_to is null or a.recorded_to > ?)";

/// What nothing explains: what is given (accounts are only found, and detected roles follow from what is held), and neither
/// asked for nor certified nor granted through a role nor given by a rule.
const UNEXPLAINED: &str = "c.net > 0 and i.kind in (2, 3, 5, 6) and (c.acquired & 28) = 0
    and c.request_item_id is null and (c.cause is null or c.cause <> 'Rule')";

const EVERYTHING: &str = "1 = 1";

/// What begins or ends at one instant for one identity, access and account: where as much begins as ends, it goes on. Of what
/// is added the new interval tells the rest, of what is removed the last one.
fn change() -> String {
    let of_interval = |column: &str| {
        format!(
            "case when sum(s.step) > 0 then max(case when s.step = 1 then s.{column} end)
                else max(case when s.step = -1 then s.{column} end) end as {column}"
        )
    };
    let columns = ["item", "acquired", "cause", "assigner", "request_item_id"].map(of_interval).join(", ");
    format!(
        "select s.identity_id, i.access, s.native_identity, s.instant, sum(s.step) as net,
            max(s.recorded) as recorded, {columns}
         from step s join same_access i on i.id = s.item
         group by s.identity_id, i.access, s.native_identity, s.instant having sum(s.step) <> 0"
    )
}

/// A statement as it grows.
pub(super) struct Statement<'q> {
    engine: Engine,
    question: &'q ChangesQuestion<'q>,
    /// Those who are asked about, where a condition says it.
    population: Option<&'q Ids>,
    known_ms: Param,
    text: String,
    params: Vec<Param>,
}

impl<'q> Statement<'q> {
    pub(super) fn new(
        engine: Engine,
        question: &'q ChangesQuestion<'q>,
        population: Option<&'q Ids>,
    ) -> Self {
        let known_ms = question.known_at_ms.unwrap_or(i64::MAX).into();
        Self { engine, question, population, known_ms, text: String::new(), params: Vec::new() }
    }

    fn add(&mut self, text: &str, params: impl IntoIterator<Item = Param>) {
        self.text.push_str(text);
        self.params.extend(params);
    }

    /// Only intervals `a` of those who are asked about.
    fn of_population(&mut self) {
        if let Some(ids) = self.population {
            self.add(&format!(" and a.identity_id in ({})", ids.text), ids.params.iter().cloned());
        }
        if let Some(within) = self.question.within {
            self.add(" and a.identity_id {in}", [within.to_vec().into()]);
        }
    }

    fn built(self, name: &'static str) -> (Stmt, Vec<Param>) {
        (Stmt::built(name, self.text), self.params)
    }

    /// `with` of what changed. The two halves of the steps each go through the table: what is kept for both is written to
    /// disk and read again, which takes longer.
    fn with_changes(&mut self) {
        let known = self.known_ms.clone();
        let [from, to]: [Param; 2] = [self.question.from_ms.into(), self.question.to_ms.into()];
        let columns =
            "a.identity_id, a.item, a.native_identity, a.acquired, a.cause, a.assigner, a.request_item_id";
        self.add(
            &format!(
                "with same_access as ({SAME_ACCESS}),
                 step as (
                    select {columns}, a.valid_from as instant, a.recorded_from as recorded, 1 as step
                    from annals_access_interval a where {KNOWN} and a.valid_from > ? and a.valid_from <= ?"
            ),
            [&known, &known, &from, &to].map(Param::clone),
        );
        self.of_population();
        self.add(
            &format!(
                " union all
                    select {columns}, a.valid_to, a.end_recorded, -1
                    from annals_access_interval a
                    where {KNOWN} and a.valid_to > ? and a.valid_to <= ? and a.end_recorded <= ?"
            ),
            [&known, &known, &from, &to, &known].map(Param::clone),
        );
        self.of_population();
        self.add(&format!("), change as ({})", change()), []);
    }

    fn which(&self) -> &'static str {
        if self.question.unexplained_only { UNEXPLAINED } else { EVERYTHING }
    }

    /// A page of changes.
    pub(super) fn changes(mut self, page: &PageRequest) -> Result<(Stmt, Vec<Param>)> {
        let account = self.engine.byte_ordered("coalesce(c.native_identity, '')");
        let identity = self.engine.byte_ordered("c.identity_id");
        let (net, which) = (self.engine.as_integer("c.net"), self.which());
        self.with_changes();
        self.add(
            &format!(
                " select c.identity_id, {net}, c.instant, c.recorded, i.kind, i.permission, i.item_id, i.name,
                    i.application_id, i.application, i.instance, i.attribute, i.value, c.native_identity, c.acquired,
                    c.cause, c.assigner, c.request_item_id, c.access
                 from change c join annals_access_item i on i.id = c.item where {which}"
            ),
            [],
        );
        if let Some(after) = &page.after {
            let (identity_id, access, instant, native_identity) = place(&after.id)?;
            self.add(
                &format!(" and (c.recorded, {identity}, c.access, c.instant, {account}) > (?, ?, ?, ?, ?)"),
                [
                    after.recorded_ms.into(),
                    identity_id.into(),
                    access.into(),
                    instant.into(),
                    native_identity.into(),
                ],
            );
        }
        self.add(
            &format!(" order by c.recorded, {identity}, c.access, c.instant, {account} limit ?"),
            [page.limit()],
        );
        Ok(self.built("questions.changes"))
    }

    /// How many changes there are of each group: its key, name, added, removed, and the same of all groups.
    pub(super) fn groups(mut self, by: GroupBy, page: &PageRequest) -> (Stmt, Vec<Param>) {
        let (engine, which) = (self.engine, self.which());
        let (key, name) = match by {
            GroupBy::Cause => ("coalesce(c.cause, '')", "max(c.cause)"),
            GroupBy::Application => (
                "coalesce(i.application_id, i.application, '')",
                "coalesce(max(i.application), max(i.application_id))",
            ),
            GroupBy::Identity => ("c.identity_id", "max(c.identity_id)"),
            // Days before the epoch are whole days too.
            GroupBy::Day => {
                ("(c.instant - case when c.instant < 0 then 86399999 else 0 end) / 86400000", "max(c.cause)")
            }
        };
        let by_day = by == GroupBy::Day;
        let key = if by_day { key.to_owned() } else { engine.byte_ordered(key) };
        let count = |sign: &str| {
            engine.as_integer(&format!("sum(case when c.net {sign} 0 then abs(c.net) else 0 end)"))
        };
        let of_all = |column: &str| engine.as_integer(&format!("sum({column}) over ()"));
        self.with_changes();
        self.add(
            &format!(
                ", grouped as (
                    select {key} as grouped, {name} as name, {} as added, {} as removed
                    from change c join annals_access_item i on i.id = c.item where {which} group by 1),
                 counted as (select g.*, {} as all_added, {} as all_removed from grouped g)
                 select grouped, name, added, removed, all_added, all_removed from counted",
                count(">"),
                count("<"),
                of_all("added"),
                of_all("removed")
            ),
            [],
        );
        match &page.after {
            Some(after) if by_day => self.add(" where grouped > ?", [after.recorded_ms.into()]),
            Some(after) => self.add(
                " where (added + removed < ? or (added + removed = ? and grouped > ?))",
                [after.recorded_ms.into(), after.recorded_ms.into(), after.id.as_str().into()],
            ),
            None => {}
        }
        let order = if by_day { "grouped" } else { "added + removed desc, grouped" };
        self.add(&format!(" order by {order} limit ?"), [page.limit()]);
        self.built("questions.change_groups")
    }

    /// How much was held at the beginning, and at the end.
    pub(super) fn held(mut self) -> (Stmt, Vec<Param>) {
        let known = self.known_ms.clone();
        let [from, to]: [Param; 2] = [self.question.from_ms.into(), self.question.to_ms.into()];
        let held = self.engine.as_integer(
            "coalesce(sum(case when a.valid_from <= ?
                and (a.valid_to is null or a.valid_to > ? or a.end_recorded > ?) then 1 else 0 end), 0)",
        );
        self.add(
            &format!(
                "select {held}, {held} from annals_access_interval a where {KNOWN} and a.valid_from <= ?"
            ),
            [&from, &from, &known, &to, &to, &known, &known, &known, &to].map(Param::clone),
        );
        self.of_population();
        self.built("questions.held")
    }
}

/// The rest of a place: identity, access, instant, account.
fn place(text: &str) -> Result<(String, i64, i64, String)> {
    let wrong = || crate::Error::History(annals_history::Error::Place);
    let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let Some([Value::String(identity), access, instant, account]) = value.as_array().map(Vec::as_slice)
    else {
        return Err(wrong());
    };
    let account = account.as_str().unwrap_or_default();
    match (access.as_i64(), instant.as_i64()) {
        (Some(access), Some(instant)) if !identity.contains('\0') && !account.contains('\0') => {
            Ok((identity.clone(), access, instant, account.to_owned()))
        }
        _ => Err(wrong()),
    }
}
