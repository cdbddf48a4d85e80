//! A world: made once, opened again, with a day after another passing in it.

use std::collections::BTreeMap;

use annals_model::ObjectType;
use annals_sql::{Db, Stmt, Value};
use serde::{Deserialize, Serialize};

use crate::day::Errand;
use crate::ddl;
use crate::error::{Doing as _, Result, WorldError};
use crate::id::{Ids, Kind};
use crate::population::Population;
use crate::record::{text_at, texts};
use crate::row::Rows;
use crate::schema::{Release, Schema};
use crate::stage::Stage;
use crate::{applications, governance, roles};

/// Rows in one transaction.
const ROWS_PER_TRANSACTION: usize = 2_500;
/// With fewer people the departments would have no heads.
const IDENTITIES_MIN: u32 = 20;

/// What world to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// People at the start; at least 20.
    pub identities: u32,
    /// The instant at which the first day begins, epoch milliseconds: everything made at the start is older.
    pub start_ms: i64,
    /// The release of IdentityIQ whose database it has.
    pub release: Release,
    /// How many identities in a thousand change significantly on a day.
    pub daily_changes_permille: u32,
}

impl Default for WorldOptions {
    /// 2,000 people of release 8.4, one in a hundred changing on a day, from 2026-01-05 00:00 UTC.
    fn default() -> Self {
        Self {
            seed: 1,
            identities: 2_000,
            start_ms: 1_767_571_200_000,
            release: Release::V8_4,
            daily_changes_permille: 10,
        }
    }
}

/// How far the making of a world has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being made.
    pub step: Step,
    /// So many of them are done.
    pub done: u64,
    /// Of so many.
    pub total: u64,
}

/// A step in the making of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Tables.
    Tables,
    /// People with everything that they have.
    People,
    /// Indexes, table by table.
    Indexes,
}

/// What the database keeps about its world.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) seed: u64,
    pub(crate) identities: u32,
    pub(crate) start_ms: i64,
    pub(crate) release: Release,
    pub(crate) daily_changes_permille: u32,
    /// Days that have passed.
    pub(crate) day: u32,
    /// Rows made so far, by kind: the next one's number.
    pub(crate) made: BTreeMap<Kind, u64>,
    /// What is still to happen because of what happened.
    pub(crate) errands: Vec<Errand>,
}

/// A generated identity system.
#[derive(Debug)]
pub struct World {
    pub(crate) stage: Stage,
    pub(crate) state: State,
}

const STATE_TABLE: &str = "annals_world";
const READ_STATE: Stmt = Stmt::new("world.read_state", "select value from annals_world where name = 'world'");
const WRITE_STATE: Stmt =
    Stmt::new("world.write_state", "update annals_world set value = ? where name = 'world'");
const INSERT_STATE: Stmt =
    Stmt::new("world.insert_state", "insert into annals_world (name, value) values ('world', ?)");

impl World {
    /// Makes a world in an empty database: tables, the initial population, indexes.
    ///
    /// # Errors
    /// `NotEmpty` where there are tables already; `TooSmall` for fewer than 20 identities; else from the database.
    pub async fn create(
        db: &Db,
        options: WorldOptions,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self> {
        if options.identities < IDENTITIES_MIN {
            return Err(WorldError::TooSmall { least: IDENTITIES_MIN, found: options.identities });
        }
        let WorldOptions { seed, identities, start_ms, release, daily_changes_permille } = options;
        let stage = Stage::new(seed, identities, start_ms, release);
        let schema = Schema::of(release);
        create_tables(db, schema, progress).await?;

        let mut ids = Ids::new(seed, BTreeMap::new());
        let mut rows = Rows::new(release);
        governance::write(&stage, &mut ids, &mut rows);
        applications::write(&stage, &mut ids, &mut rows);
        roles::write(&stage, &mut ids, &mut rows);
        let mut population = Population::new(&stage, &mut ids, &mut rows);
        let report = |done| progress(Progress { step: Step::People, done, total: u64::from(identities) });
        for number in 0..identities {
            population.write(number, &mut ids, &mut rows);
            if rows.len() >= ROWS_PER_TRANSACTION {
                insert(db, &mut rows).await?;
                report(u64::from(number));
            }
        }
        population.finish(&mut ids, &mut rows);
        insert(db, &mut rows).await?;
        report(u64::from(identities));

        create_indexes(db, schema, progress).await?;
        let state = State {
            seed,
            identities,
            start_ms,
            release,
            daily_changes_permille,
            day: 0,
            made: ids.counts().clone(),
            errands: Vec::new(),
        };
        let mut tx = db.begin().await.doing("writing the state of the world")?;
        tx.execute(&INSERT_STATE, vec![state_value(&state)?])
            .await
            .doing("writing the state of the world")?;
        tx.commit().await.doing("writing the state of the world")?;
        Ok(Self { stage, state })
    }

    /// Opens a world that was made earlier, at the day to which it has come.
    ///
    /// # Errors
    /// `NoWorld` where there is none; else from the database.
    pub async fn open(db: &Db) -> Result<Self> {
        const DOING: &str = "reading the state of the world";
        let mut tx = db.begin_read().await.doing(DOING)?;
        if tx.catalog(&[STATE_TABLE.to_owned()]).await.doing(DOING)?.is_empty() {
            return Err(WorldError::NoWorld);
        }
        let row =
            tx.fetch_optional(&READ_STATE, Vec::new()).await.doing(DOING)?.ok_or(WorldError::NoWorld)?;
        let state: State = serde_json::from_str(&text_at(&row, 0)?).map_err(WorldError::State)?;
        let stage = Stage::new(state.seed, state.identities, state.start_ms, state.release);
        Ok(Self { stage, state })
    }

    /// How many days have passed.
    #[must_use]
    pub const fn day(&self) -> u32 {
        self.state.day
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.state.seed
    }

    /// The release of IdentityIQ whose database this is.
    #[must_use]
    pub const fn release(&self) -> Release {
        self.state.release
    }

    /// The instant at which the next day begins, epoch milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.state.start_ms + i64::from(self.state.day) * crate::stage::DAY_MS
    }
}

/// The statement that keeps the state, with its parameters.
pub(crate) fn write_state(state: &State) -> Result<(Stmt, Vec<Value>)> {
    Ok((WRITE_STATE, vec![state_value(state)?]))
}

fn state_value(state: &State) -> Result<Value> {
    Ok(Value::from(serde_json::to_string(state).map_err(WorldError::State)?))
}

async fn insert(db: &Db, rows: &mut Rows) -> Result<()> {
    let mut tx = db.begin().await.doing("inserting rows of the world")?;
    rows.insert(&mut tx).await?;
    tx.commit().await.doing("inserting rows of the world")
}

async fn create_tables(db: &Db, schema: &Schema, progress: &(dyn Fn(Progress) + Sync)) -> Result<()> {
    const DOING: &str = "making the tables of the world";
    let names: Vec<String> =
        schema.tables().map(|table| table.name.to_owned()).chain([STATE_TABLE.to_owned()]).collect();
    let total = names.len() as u64;
    let mut tx = db.begin().await.doing(DOING)?;
    if let Some(table) = tx.catalog(&names).await.doing(DOING)?.into_keys().next() {
        return Err(WorldError::NotEmpty { table });
    }
    let engine = db.engine();
    for (done, table) in schema.tables().enumerate() {
        tx.execute_script("world.create_table", &ddl::create_table(engine, table)).await.doing(DOING)?;
        progress(Progress { step: Step::Tables, done: done as u64, total });
    }
    tx.execute_script("world.create_state", &ddl::create_state(engine)).await.doing(DOING)?;
    tx.commit().await.doing(DOING)?;
    progress(Progress { step: Step::Tables, done: total, total });
    Ok(())
}

/// After the rows, because building an index at once costs far less than keeping it up to date row by row.
async fn create_indexes(db: &Db, schema: &Schema, progress: &(dyn Fn(Progress) + Sync)) -> Result<()> {
    const DOING: &str = "making the indexes of the world";
    let total = schema.tables().count() as u64;
    for (done, table) in schema.tables().enumerate() {
        let script = ddl::create_indexes(db.engine(), table);
        if !script.is_empty() {
            let mut tx = db.begin().await.doing(DOING)?;
            tx.execute_script("world.create_indexes", &script).await.doing(DOING)?;
            tx.commit().await.doing(DOING)?;
        }
        progress(Progress { step: Step::Indexes, done: done as u64 + 1, total });
    }
    Ok(())
}

impl World {
    /// How many objects there are of each type.
    ///
    /// # Errors
    /// From the database.
    pub async fn census(&self, db: &Db) -> Result<BTreeMap<ObjectType, u64>> {
        let mut census = BTreeMap::new();
        for object_type in ObjectType::ALL {
            census.insert(object_type, self.ids(db, object_type).await?.len() as u64);
        }
        Ok(census)
    }

    /// Ids of all objects of a type, in order. A certification item is a `certificationRemediation` once it was
    /// decided to take away what it is about, and a line of history a `policyViolationRemediation` if it tells of
    /// such a decision about a violation.
    ///
    /// # Errors
    /// From the database.
    pub async fn ids(&self, db: &Db, object_type: ObjectType) -> Result<Vec<String>> {
        const DOING: &str = "reading ids of the world";
        let mut tx = db.begin_read().await.doing(DOING)?;
        texts(&mut tx, &ids_stmt(object_type), Vec::new()).await
    }
}

const fn ids_stmt(object_type: ObjectType) -> Stmt {
    let text = match object_type {
        // A bit, an integer or a boolean, each of which coalesces with its own kind only.
        ObjectType::Identity => {
            "select id from spt_identity where workgroup is null or not workgroup order by id"
        }
        ObjectType::Workgroup => "select id from spt_identity where workgroup order by id",
        ObjectType::Account => "select id from spt_link order by id",
        ObjectType::Role => "select id from spt_bundle order by id",
        ObjectType::Entitlement => "select id from spt_identity_entitlement order by id",
        ObjectType::ManagedAttribute => "select id from spt_managed_attribute order by id",
        ObjectType::Certification => "select id from spt_certification order by id",
        ObjectType::CertificationRemediation => {
            "select i.id from spt_certification_item i join spt_certification_action a on a.id = i.action
             where a.status = 'Remediated' order by i.id"
        }
        ObjectType::IdentityRequest => "select id from spt_identity_request order by id",
        ObjectType::IdentityRequestItem => "select id from spt_identity_request_item order by id",
        ObjectType::PolicyViolation => "select id from spt_policy_violation order by id",
        ObjectType::PolicyViolationRemediation => {
            "select id from spt_identity_history_item where policy is not null and status = 'Remediated' order by id"
        }
        ObjectType::Capability => "select id from spt_capability order by id",
        ObjectType::ObjectConfig => "select id from spt_object_config order by id",
    };
    Stmt::new("world.ids", text)
}
