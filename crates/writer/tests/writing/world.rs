//! A history database, a run with one leased partition, and a writer.

use std::sync::Arc;

use annals_history::{EventRow, PageRequest, TimelineRange};
use annals_model::{
    CapturedImage, Delivery, Image, ImageHashes, ImageSchema, JsonFormat, Message, ObjectKey, ObjectType,
    Operation, PartitionLease, Reference, RequestState, canonical_bytes, hash_bytes,
};
use annals_runs::{
    ChunkKind, Driver, NewChunk, NewRun, Objects, RunState, Trigger, WriteCounts, partitions, run,
};
use annals_sql::{Access, Cell, Db, Stmt};
use annals_testkit::{StillClock, TestDb, database, history_engines};
use annals_writer::{Error, WriteSummary, Writer, WriterSettings};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) db: Db,
    /// Looks at what was written by another way than the code under test, and does what nobody should.
    pub(crate) outside: TestDb,
    pub(crate) clock: Arc<StillClock>,
    pub(crate) writer: Writer,
    pub(crate) lease: PartitionLease,
}

/// Full captures only, readable as they stand.
pub(crate) const FULL: WriterSettings = WriterSettings {
    json_format: JsonFormat::Minified,
    max_allowed_patches: 0,
    expects_new: false,
    capture_max_age_days: Some(30),
    audit_removed_events: true,
    redeliveries_max: 0,
    redelivery_delay_ms: 0,
    discarded_message_event: false,
};

/// The clock of a new world, epoch milliseconds.
pub(crate) const START_MS: i64 = 1_000_000;

/// A world on each engine.
pub(crate) async fn worlds(settings: &WriterSettings) -> Vec<World> {
    let mut worlds = Vec::new();
    for engine in history_engines() {
        let outside = database(engine);
        let db = Db::open(outside.url(), Access::ReadWrite).await.unwrap();
        db.migrate(annals_history::migrations(db.engine())).await.unwrap();
        let lease = leased_partition(&db).await;
        let clock = Arc::new(StillClock::at(START_MS));
        let writer = Writer::new(settings.clone(), clock.clone());
        worlds.push(World { db, outside, clock, writer, lease });
    }
    worlds
}

/// A run with a partition of five chunks, claimed.
async fn leased_partition(db: &Db) -> PartitionLease {
    let mut tx = db.begin().await.unwrap();
    let new_run = NewRun {
        task: "T".to_owned(),
        trigger: Trigger::Adhoc,
        host: "h".to_owned(),
        config_version: 1,
        since_ms: None,
        horizon_ms: 0,
        scope: None,
        follows: None,
        driver: Some(Driver { host: 1, lease_ms: 600_000 }),
    };
    let driven = run::begin(&mut tx, &new_run).await.unwrap();
    let run_id = driven.run_id;
    partitions::insert(&mut tx, run_id, &[5]).await.unwrap();
    let chunks: Vec<NewChunk> = (0..5)
        .map(|number| NewChunk {
            partition: 0,
            number,
            object_type: ObjectType::Identity,
            kind: ChunkKind::Modified,
            objects: Objects::Ids(vec![number.to_string()]),
        })
        .collect();
    partitions::insert_chunks(&mut tx, run_id, &chunks).await.unwrap();
    run::advance(&mut tx, &driven, RunState::Running, &Default::default()).await.unwrap();
    let lease = partitions::claim(&mut tx, run_id, "w", 600_000).await.unwrap().expect("a partition").lease;
    tx.commit().await.unwrap();
    lease
}

impl World {
    /// Writes messages without a state; what they came to.
    pub(crate) async fn write(&self, messages: Vec<Message>) -> WriteSummary {
        self.deliver(messages, None).await.unwrap()
    }

    /// Writes one message with other settings.
    pub(crate) async fn write_as(&self, settings: WriterSettings, message: Message) {
        let delivery =
            Delivery { lease: self.lease.clone(), number: None, messages: vec![message], checkpoint: None };
        Writer::new(settings, self.clock.clone()).write(&self.db, delivery).await.unwrap();
    }

    pub(crate) async fn deliver(
        &self,
        messages: Vec<Message>,
        checkpoint: Option<RequestState>,
    ) -> Result<WriteSummary, Error> {
        self.writer
            .write(&self.db, Delivery { lease: self.lease.clone(), number: None, messages, checkpoint })
            .await
    }

    /// Writes messages of identities; what they came to.
    pub(crate) async fn counts(&self, messages: Vec<Message>) -> WriteCounts {
        self.write(messages).await.counts.get(&ObjectType::Identity).copied().unwrap_or_default()
    }

    /// What the engine's own program prints: rows by line, columns parted by `|`.
    pub(crate) fn sql(&self, statements: &str) -> String {
        self.outside.sql(statements).trim_end().replace('\t', "|")
    }

    /// The events of an object in their order: type, property, old and new value.
    pub(crate) async fn told(&self, key: &ObjectKey) -> Vec<[String; 4]> {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let rows = self.timeline(key).await.into_iter();
        rows.map(|row| [row.event_type, text(row.property_name), text(row.old_value), text(row.new_value)])
            .collect()
    }

    pub(crate) async fn timeline(&self, key: &ObjectKey) -> Vec<EventRow> {
        let mut tx = self.db.begin_read().await.unwrap();
        let page = annals_history::timeline(
            &mut tx,
            key,
            TimelineRange::default(),
            &PageRequest { limit: 1_000, after: None },
        );
        page.await.unwrap().rows
    }

    /// The fields of an object's image as of an instant; none if it was not there.
    pub(crate) async fn as_of(&self, key: &ObjectKey, at_ms: i64) -> Option<Value> {
        let mut tx = self.db.begin_read().await.unwrap();
        let state = annals_history::as_of(&mut tx, key, at_ms, None).await.unwrap()?;
        state.image.map(|image| Value::Object(image.image_fields))
    }

    /// What history says of all objects, in a canonical order, without ids and times of recording: for each capture the
    /// one that it is a patch of, and for each event the captures before and after it, are named by their dates.
    pub(crate) fn canonical(&self) -> Vec<String> {
        let capture = |table: &str, object: &str, columns: &str| {
            let date = |id: &str| format!("(select k.effective_date from {table} k where k.id = {id})");
            format!(
                "select '{table}', c.{object}, c.effective_date, c.extended_to_date, c.transform_type,
                    c.full_hash, c.smart_hash, c.json_format, length(c.json), {}{columns} from {table} c
                 order by c.{object}, c.effective_date;",
                date("c.patch_doc_parent")
            )
        };
        let identity = "spt_hist_identity_capture";
        let child = |table: &str, column: &str| {
            format!(
                "select '{table}', c.identity_id, c.effective_date, r.idx, r.{column} from {table} r
                 left join {identity} c on c.id = r.capture_id order by c.identity_id, c.effective_date, r.idx;"
            )
        };
        let statements = [
            capture(identity, "identity_id", ", c.identity_name, c.latest, c.display_name, c.inactive"),
            capture("spt_hist_account_capture", "account_id", ", c.identity_id, c.identity_name, c.deleted"),
            capture("spt_hist_mattr_capture", "mattr_id", ", c.mattr_hash, c.display_name"),
            child("spt_hist_assigned_roles", "role_id"),
            "select 'identity', identity_id, name, display_name, significant_modified, deleted
             from spt_hist_identity order by identity_id;"
                .to_owned(),
            "select 'mattr', mattr_id, display_name, mattr_hash, significant_modified, deleted
             from spt_hist_mattr order by mattr_id;"
                .to_owned(),
            events(
                "spt_hist_identity_event",
                "entity_name",
                "coalesce(e.account_id, e.entity_id)",
                "identity_id",
            ),
            events("spt_hist_mattr_event", "display_name", "e.entity_id", "mattr_id"),
            "select 'head', h.object_id, h.name, h.effective_date, h.extended_to_date, h.observed_date,
                h.full_observed_date, h.patches_since_full, h.deleted, hex_of_full, hex_of_smart,
                h.full_capture_id is null
             from (select annals_head.*, HEX(full_hash) as hex_of_full, HEX(smart_hash) as hex_of_smart
                   from annals_head) h order by h.kind, h.object_id;"
                .to_owned(),
            intervals(),
        ];
        let mut script = statements.concat();
        if self.db.engine() != annals_sql::Engine::Sqlite {
            for hash in ["full_hash", "smart_hash", "a.opened_by", "a.closed_by"] {
                script = script.replace(&format!("HEX({hash})"), &format!("encode({hash}, 'hex')"));
            }
        }
        self.sql(&script).lines().map(str::to_owned).collect()
    }

    /// All rows of all tables of history, heads and dead letters included, counters and request states not.
    pub(crate) async fn everything(&self) -> Vec<String> {
        let tables = self.outside.sql(match self.db.engine() {
            annals_sql::Engine::Sqlite => {
                "select name from sqlite_master where type = 'table' order by name;"
            }
            _ => "select tablename from pg_tables where schemaname = 'public' order by tablename;",
        });
        let counted =
            ["annals_run_write", "annals_run_attribute", "annals_request_state", "annals_partition"];
        let mut everything = Vec::new();
        let mut tx = self.db.begin_read().await.unwrap();
        for table in tables.lines().filter(|table| !counted.contains(table) && !table.starts_with("sqlite_"))
        {
            let rows = tx
                .fetch_all(&Stmt::built("all", format!("select * from {table}")), Vec::new())
                .await
                .unwrap();
            let mut rows: Vec<String> = rows.iter().map(|row| format!("{table}: {}", shown(row))).collect();
            rows.sort();
            everything.extend(rows);
        }
        assert!(!everything.is_empty());
        everything
    }
}

/// Access intervals as they are known, the captures that open and close them named by their dates.
fn intervals() -> String {
    let date = |column: &str| {
        format!(
            "(select k.effective_date from spt_hist_identity_capture k where k.id = lower(HEX(a.{column})))"
        )
    };
    format!(
        "select 'interval', a.identity_id, a.item, a.valid_from, a.valid_to, a.acquired, a.native_identity, a.cause,
            a.assigner, a.request_item_id, i.kind, i.name, {}, {}
         from annals_access_interval a left join annals_access_item i on i.id = a.item
         where a.recorded_to is null order by 2, 4, 3, 7;",
        date("opened_by"),
        date("closed_by")
    )
}

/// Events without ids and times of recording, the captures before and after named by their dates.
fn events(table: &str, name: &str, object: &str, capture_object: &str) -> String {
    let captures = if capture_object == "identity_id" {
        "select id, effective_date from spt_hist_identity_capture
         union all select id, effective_date from spt_hist_account_capture"
    } else {
        "select id, effective_date from spt_hist_mattr_capture"
    };
    format!(
        "with captures as ({captures})
         select '{table}', {object}, e.event_date, e.entity_id, e.{name}, e.event_type, e.event_source_type,
            e.property_name, e.old_value, e.new_value, e.qry_property1,
            (select effective_date from captures where captures.id = e.prev_capture_id),
            e.prev_capture_id is null,
            (select effective_date from captures where captures.id = e.capture_id)
         from {table} e order by 2, 3, 4, e.event_type, e.property_name, e.old_value, e.new_value, e.qry_property1;"
    )
}

fn shown(row: &annals_sql::Row) -> String {
    let mut shown = String::new();
    let mut index = 0;
    while let Ok(cell) = row.cell(index) {
        match cell {
            Cell::Null => shown.push_str("null"),
            other => shown.push_str(&format!("{other:?}")),
        }
        shown.push('|');
        index += 1;
    }
    shown
}

pub(crate) fn identity(object_id: &str) -> ObjectKey {
    key(ObjectType::Identity, object_id)
}

pub(crate) fn key(object_type: ObjectType, object_id: &str) -> ObjectKey {
    ObjectKey { source: "hr".into(), object_type, object_id: object_id.to_owned() }
}

/// A message that an identity looks like this. Its `lastRefresh` is insignificant.
pub(crate) fn capture(object_id: &str, fields: Value, occurred_ms: i64, observed_ms: i64) -> Message {
    capture_of(ObjectType::Identity, object_id, fields, occurred_ms, observed_ms)
}

pub(crate) fn capture_of(
    object_type: ObjectType,
    object_id: &str,
    fields: Value,
    occurred_ms: i64,
    observed_ms: i64,
) -> Message {
    let Value::Object(image_fields) = fields else { panic!("fields are an object") };
    let name = image_fields.get("name").and_then(Value::as_str).unwrap_or(object_id).to_owned();
    let mut image = Image { image_fields, image_type: object_type.as_str().to_owned() };
    let bytes = canonical_bytes(&serde_json::to_value(&image).unwrap());
    let last_refresh = image.image_fields.remove("lastRefresh");
    let smart = hash_bytes(&canonical_bytes(&serde_json::to_value(&image).unwrap()));
    image.image_fields.extend(last_refresh.map(|value| ("lastRefresh".to_owned(), value)));
    let hashes = ImageHashes { full: hash_bytes(&bytes), smart };
    let schema = ImageSchema { insignificant: ["lastRefresh".to_owned()].into(), ..Default::default() };
    let captured = CapturedImage { image, bytes, hashes, include_hash: true, schema: Arc::new(schema) };
    message(key(object_type, object_id), name, occurred_ms, observed_ms, Operation::Capture(captured))
}

/// A message that an object is gone.
pub(crate) fn deletion(object_id: &str, occurred_ms: i64, observed_ms: i64) -> Message {
    deletion_of(ObjectType::Identity, object_id, occurred_ms, observed_ms)
}

/// It knows nothing but the object's id.
pub(crate) fn deletion_of(
    object_type: ObjectType,
    object_id: &str,
    occurred_ms: i64,
    observed_ms: i64,
) -> Message {
    let key = key(object_type, object_id);
    Message {
        identity: None,
        ..message(key, object_id.to_owned(), occurred_ms, observed_ms, Operation::Delete)
    }
}

fn message(
    key: ObjectKey,
    name: String,
    occurred_ms: i64,
    observed_ms: i64,
    operation: Operation,
) -> Message {
    let has_timeline =
        [ObjectType::Identity, ObjectType::Role, ObjectType::Workgroup, ObjectType::ManagedAttribute];
    let identity = (!has_timeline.contains(&key.object_type))
        .then(|| Reference { id: "i-ann".to_owned(), name: "ann".to_owned() });
    Message {
        key,
        name,
        identity,
        occurred_ms,
        observed_ms,
        transform: "AccessHistoryImageConfig".into(),
        operation,
    }
}

/// An identity in a department.
pub(crate) fn ann(department: &str) -> Value {
    json!({"name": "ann", "displayName": "Ann Lee", "department": department})
}

/// The state of a partition after so many chunks, with so many messages published.
pub(crate) fn state(chunks_done: u32, published: u64) -> RequestState {
    let mut state = RequestState { chunks_done, ..Default::default() };
    state.counters.total_extracted_objects = published;
    state.counters.total_extracted_objects_published = published;
    state
}
