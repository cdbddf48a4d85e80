//! A day: what happens on it, and how it is written and logged.

mod arrivals;
mod attributes;
mod campaigns;
mod conflicts;
mod definitions;
mod departures;
mod edit;
mod errand;
mod memberships;
mod moves;
mod pick;
mod requesting;
mod save;
mod subject;
mod touches;

use std::collections::{BTreeMap, BTreeSet};

use annals_model::ObjectType;
use annals_sql::{Db, Stmt, Tx};

use crate::deed::{
    AttributeChange, Change, Deed, DeedKind, Named, ObjectChange, Part, RowWrite, Stamp, object_type_of,
};
use crate::dice::Dice;
use crate::error::{Doing as _, Result};
use crate::id::{Ids, Kind};
use crate::organisation::DEPARTMENTS;
use crate::record::text_at;
use crate::row::Rows;
use crate::schema::Schema;
use crate::stage::{DAY_MS, HOUR_MS, Stage};
use crate::world::{State, World, write_state};

pub(crate) use errand::Errand;

/// Somebody to whom others report.
#[derive(Debug, Clone)]
struct Manager {
    id: String,
    login: String,
    display: String,
    department: usize,
}

/// Where things of the stage are found by what rows call them.
#[derive(Debug)]
struct Atlas {
    applications: BTreeMap<String, usize>,
    application_names: BTreeMap<&'static str, usize>,
    grants: BTreeMap<(usize, String), usize>,
    role_names: BTreeMap<String, usize>,
}

impl Atlas {
    fn of(stage: &Stage) -> Self {
        let by_id = |(nth, id): (usize, &String)| (id.clone(), nth);
        Self {
            applications: stage
                .applications
                .iter()
                .map(|application| &application.id)
                .enumerate()
                .map(by_id)
                .collect(),
            application_names: stage
                .applications
                .iter()
                .enumerate()
                .map(|(nth, application)| (application.kind.name, nth))
                .collect(),
            grants: stage
                .grants
                .iter()
                .enumerate()
                .map(|(nth, grant)| ((grant.application, grant.value.clone()), nth))
                .collect(),
            role_names: stage.roles.iter().map(|role| &role.name).enumerate().map(by_id).collect(),
        }
    }
}

/// A day under way. All of it happens in one transaction.
struct Day<'w> {
    stage: &'w Stage,
    schema: &'static Schema,
    tx: Tx,
    rows: Rows,
    ids: Ids,
    dice: Dice,
    atlas: Atlas,
    number: u32,
    begins: i64,
    /// How many identities, in thousandths, change significantly.
    daily: u64,
    managers: Vec<Manager>,
    errands: Vec<Errand>,
    /// People to whom something happened today, who are left alone otherwise.
    busy: BTreeSet<String>,
    /// When something last happened to an object today: what follows is later.
    clock: BTreeMap<String, i64>,
    deed: Deed,
    deeds: Vec<Deed>,
}

const MANAGERS: Stmt = Stmt::new(
    "world.managers",
    "select id, name, display_name, extended1 from spt_identity where manager_status and not inactive order by id",
);
const PERMITS: Stmt =
    Stmt::new("world.permits", "select bundle, child from spt_bundle_permits order by bundle, idx");

impl World {
    /// Lets one day pass: day n begins n days after the start, and all that happens is dated within it. The deeds in
    /// the order of their times. The day happens in one transaction: either all of it or nothing.
    ///
    /// # Errors
    /// From the database; `Unexpected` where rows of the world were changed by others.
    pub async fn pass_day(&mut self, db: &Db) -> Result<Vec<Deed>> {
        let mut tx = db.begin().await.doing("beginning a day")?;
        read_permits(&mut self.stage, &mut tx).await?;
        let mut day = Day::begin(&self.stage, &self.state, tx).await?;
        day.run().await?;
        let (deeds, state) = day.end(&self.state).await?;
        self.state = state;
        Ok(deeds)
    }
}

/// What roles permit changes from day to day.
async fn read_permits(stage: &mut Stage, tx: &mut Tx) -> Result<()> {
    const DOING: &str = "reading what roles permit";
    let by_id: BTreeMap<String, usize> =
        stage.roles.iter().enumerate().map(|(nth, role)| (role.id.clone(), nth)).collect();
    stage.roles.iter_mut().for_each(|role| role.permits.clear());
    for row in tx.fetch_all(&PERMITS, Vec::new()).await.doing(DOING)? {
        if let (Some(bundle), Some(child)) = (by_id.get(&text_at(&row, 0)?), by_id.get(&text_at(&row, 1)?)) {
            stage.roles[*bundle].permits.push(*child);
        }
    }
    Ok(())
}

impl<'w> Day<'w> {
    async fn begin(stage: &'w Stage, state: &State, mut tx: Tx) -> Result<Self> {
        const DOING: &str = "reading who leads";
        let mut managers = Vec::new();
        for row in tx.fetch_all(&MANAGERS, Vec::new()).await.doing(DOING)? {
            let name = text_at(&row, 3)?;
            let department = DEPARTMENTS.iter().position(|department| department.name == name).unwrap_or(0);
            managers.push(Manager {
                id: text_at(&row, 0)?,
                login: text_at(&row, 1)?,
                display: text_at(&row, 2)?,
                department,
            });
        }
        let ids = Ids::new(state.seed, state.made.clone());
        Ok(Self {
            stage,
            schema: Schema::of(stage.release),
            tx,
            rows: Rows::traced(stage.release),
            dice: Dice::of(state.seed, "day", u64::from(state.day)),
            atlas: Atlas::of(stage),
            number: state.day,
            begins: state.start_ms + i64::from(state.day) * DAY_MS,
            daily: ids.count(Kind::Identity) * u64::from(state.daily_changes_permille),
            ids,
            managers,
            errands: state.errands.clone(),
            busy: BTreeSet::new(),
            clock: BTreeMap::new(),
            deed: Deed {
                kind: DeedKind::Joined,
                day: state.day,
                time_ms: 0,
                identity: None,
                objects: Vec::new(),
                parts: Vec::new(),
                rows: Vec::new(),
            },
            deeds: Vec::new(),
        })
    }

    /// All that happens, in the order in which it is worked out; the instants are another matter.
    async fn run(&mut self) -> Result<()> {
        self.run_errands().await?;
        self.join_people().await?;
        self.move_people().await?;
        self.dismiss_people().await?;
        self.change_attributes().await?;
        self.change_memberships().await?;
        self.find_violations().await?;
        self.change_definitions().await?;
        self.ask_for_access().await?;
        self.start_campaign().await?;
        // What was asked for in the morning may be there in the evening.
        self.run_errands().await?;
        self.touch_people().await
    }

    async fn end(mut self, before: &State) -> Result<(Vec<Deed>, State)> {
        self.flush().await?;
        let state = State {
            day: self.number + 1,
            made: self.ids.counts().clone(),
            errands: self.errands,
            ..before.clone()
        };
        let (stmt, params) = write_state(&state)?;
        self.tx.execute(&stmt, params).await.doing("writing the state of the world")?;
        self.tx.commit().await.doing("ending a day")?;
        self.deeds.sort_by_key(|deed| deed.time_ms);
        Ok((self.deeds, state))
    }

    /// So many thousandths of the day's changes, as a whole number: what is left over decides by chance, so that
    /// small worlds come to the same on average.
    fn share(&mut self, thousandths: u64) -> usize {
        let exact = self.daily * thousandths;
        let left_over = self.dice.below(1_000_000) < exact % 1_000_000;
        usize::try_from(exact / 1_000_000).unwrap_or(0) + usize::from(left_over)
    }

    /// An instant between two hours of the day, later than all that happened to these objects today.
    fn time(&mut self, hours: (i64, i64), objects: &[&str]) -> i64 {
        let thrown = self.dice.between(self.begins + hours.0 * HOUR_MS, self.begins + hours.1 * HOUR_MS);
        self.later(thrown, objects)
    }

    /// This instant, or the next one after all that happened to these objects today.
    fn later(&mut self, instant: i64, objects: &[&str]) -> i64 {
        let last = objects.iter().filter_map(|id| self.clock.get(*id)).max().copied().unwrap_or(i64::MIN);
        let time = instant.max(last.saturating_add(1000)).min(self.begins + DAY_MS - 1);
        for id in objects {
            self.clock.insert((*id).to_owned(), time);
        }
        time
    }

    /// Begins the log of a deed.
    fn open(&mut self, kind: DeedKind, time_ms: i64, identity: Option<Named>) {
        self.deed = Deed {
            kind,
            day: self.number,
            time_ms,
            identity,
            objects: Vec::new(),
            parts: Vec::new(),
            rows: Vec::new(),
        };
    }

    /// Ends the log of a deed: rows added since it began belong to it.
    fn close(&mut self) {
        for added in self.rows.take_trace() {
            let remediated = |told: &(&str, String)| told.0 == "status" && told.1 == "Remediated";
            let taken_away = added.table == "spt_identity_history_item" && added.told.iter().any(remediated);
            let object_type = if taken_away {
                Some(ObjectType::PolicyViolationRemediation)
            } else {
                object_type_of(added.table)
            };
            match object_type {
                Some(object_type) => self.deed.objects.push(ObjectChange {
                    object_type,
                    id: added.key,
                    name: added.name,
                    change: Change::Created,
                    stamp: Stamp::Significant,
                    attributes: added
                        .told
                        .into_iter()
                        .map(|(column, value)| AttributeChange::new(column, serde_json::Value::Null, value))
                        .collect(),
                }),
                None => self.part(added.table, &added.key),
            }
            self.deed.rows.push(RowWrite::Insert { table: added.table.to_owned(), cells: added.cells });
        }
        self.deed.parts.sort();
        self.deed.parts.dedup();
        // A change to what was there already is none.
        if !(self.deed.objects.is_empty() && self.deed.parts.is_empty()) {
            self.deeds.push(self.deed.clone());
        }
    }

    fn part(&mut self, table: &str, id: &str) {
        self.deed.parts.push(Part { table: table.to_owned(), id: id.to_owned() });
    }

    /// Inserts what waits, so that what follows can read it.
    async fn flush(&mut self) -> Result<()> {
        self.rows.insert(&mut self.tx).await.map(drop)
    }
}
