//! Reads `annals.yaml`.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use annals_model::JsonFormat;

use crate::fields::Fields;
use crate::file::File;
use crate::node::Position;
use crate::read::api::{HiddenAt, api};
use crate::read::broker::nats;
use crate::read::schedule::time_zone;
use crate::read::tracing::tracing;
use crate::read::url::{HISTORY_SCHEMES, SOURCE_SCHEMES, database_url, literal_password};
use crate::service::{
    CaptureSettings, HistoryDb, HistoryIndexes, HttpSettings, InterceptedRows, Limits, LogSettings,
    QueueSettings, Replica, Service, SourceDb, Transport,
};
use crate::value::Value;

/// The shortest key that a keyed hash is worth something with.
const SECRET_KEY_CHARS_MIN: usize = 16;
/// Long enough that a busy host is not taken for a dead one, short enough that a night does not wait for it.
const LEASE_SECONDS: u32 = 30;

/// Days for which the partitions of a run that has ended are kept.
const RUN_DETAILS_DAYS: u32 = 90;
const MIB: u64 = 1 << 20;

/// The service configuration and what the rest of the reading needs of it.
pub(crate) struct ServiceFile {
    pub(crate) service: Service,
    /// The value of `source.profile`, for the check that there is such a profile.
    pub(crate) profile_at: Position,
    /// What `api.hiddenAttributes` names.
    pub(crate) hidden_at: HiddenAt,
    /// Bytes of the file that hold secrets and are left out of the snapshot.
    pub(crate) secrets: Vec<Range<usize>>,
}

/// What a configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// All that Annals does.
    All,
    /// What asks the history database alone: what else takes secrets is passed over.
    History,
}

/// Reads the tree of `annals.yaml`. Whatever cannot be read is noted and stands in the result as its default.
pub(crate) fn service(root: &Value<'_>, dir: &Path, needs: Needs) -> Option<ServiceFile> {
    let mut fields = root.fields("the service configuration")?;
    let mut secrets = Vec::new();
    let access_history_enabled = fields.flag("accessHistoryEnabled", false);
    let (source, profile_at) = source(&mut fields, dir, needs, &mut secrets);
    let history = history(&mut fields, dir, &mut secrets);
    let worker_slots = fields.get("workerSlots").and_then(|value| value.whole_u32(1..=256));
    let lease_seconds = fields.get("leaseSeconds").and_then(|value| value.whole_u32(2..=600));
    let capture = capture(&mut fields);
    let queue = queue(&mut fields, dir, &mut secrets);
    let limits = limits(&mut fields, &queue);
    let zone = fields.get("timeZone").and_then(|value| time_zone(&value));
    let secret_hash_key = secret_hash_key(&mut fields, needs, &mut secrets);
    let log = log(&mut fields, dir, root.file);
    let http = http(&mut fields);
    let (api, hidden_at) = api(&mut fields, dir);
    let run_details_days = retention(&mut fields);
    let tracing = tracing(&mut fields, needs, &mut secrets);
    fields.finish();
    let service = Service {
        access_history_enabled,
        source,
        history,
        worker_slots: worker_slots.unwrap_or_else(cores),
        lease_ms: i64::from(lease_seconds.unwrap_or(LEASE_SECONDS)) * 1_000,
        capture,
        queue,
        limits,
        time_zone: zone.unwrap_or_else(|| "UTC".to_owned()),
        secret_hash_key,
        log,
        http,
        api,
        run_details_days,
        tracing,
    };
    Some(ServiceFile { service, profile_at, hidden_at, secrets })
}

fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    u32::try_from(cores).unwrap_or(u32::MAX).min(256)
}

fn source(
    fields: &mut Fields<'_>,
    dir: &Path,
    needs: Needs,
    secrets: &mut Vec<Range<usize>>,
) -> (SourceDb, Position) {
    let mut source = SourceDb {
        profile: String::new(),
        url: String::new(),
        overlap_ms: 60_000,
        intercepted_deletes: InterceptedRows::Keep,
        replica: Replica::Warn,
    };
    let mut profile_at = fields.at;
    let help = "write source: with the keys `profile` and `url` below it";
    if let Some(value) = fields.need("source", help)
        && let Some(mut fields) = value.fields("`source`")
    {
        if let Some(value) = fields.need("profile", "write the name of a file in sources/") {
            profile_at = value.at();
            source.profile = value.name().unwrap_or_default();
        }
        if let Some(value) = fields.need("url", "write the URL of the identity system's database") {
            if needs == Needs::All {
                source.url = database_url(&value, &SOURCE_SCHEMES, dir).unwrap_or_default();
            }
            note_password(&value, secrets);
        }
        if let Some(seconds) = fields.get("overlapSeconds").and_then(|value| value.whole_u32(0..=86_400)) {
            source.overlap_ms = i64::from(seconds) * 1_000;
        }
        let words = [("keep", InterceptedRows::Keep), ("remove", InterceptedRows::Remove)];
        if let Some(rows) = fields.get("interceptedDeletes").and_then(|value| value.word(&words)) {
            source.intercepted_deletes = rows;
        }
        let words = [("warn", Replica::Warn), ("refuse", Replica::Refuse)];
        if let Some(replica) = fields.get("replica").and_then(|value| value.word(&words)) {
            source.replica = replica;
        }
        fields.finish();
    }
    (source, profile_at)
}

fn history(fields: &mut Fields<'_>, dir: &Path, secrets: &mut Vec<Range<usize>>) -> HistoryDb {
    let mut history = HistoryDb { url: String::new(), indexes: HistoryIndexes::Needed };
    let help = "write history: {url: \"sqlite:history.db\"}";
    if let Some(value) = fields.need("history", help)
        && let Some(mut fields) = value.fields("`history`")
    {
        if let Some(value) = fields.need("url", "write url: \"sqlite:history.db\"") {
            history.url = database_url(&value, &HISTORY_SCHEMES, dir).unwrap_or_default();
            note_password(&value, secrets);
        }
        let words = [("needed", HistoryIndexes::Needed), ("reference", HistoryIndexes::Reference)];
        if let Some(indexes) = fields.get("historyIndexes").and_then(|value| value.word(&words)) {
            history.indexes = indexes;
        }
        fields.finish();
    }
    history
}

const CLEAR_TEXT_HELP: &str = "write `${NAME}` and set that environment variable, or `file:PATH`";

/// A secret that stands in the file itself is warned of, and kept out of the snapshot.
pub(crate) fn note_secret(value: &Value<'_>, secrets: &mut Vec<Range<usize>>) {
    let Some(scalar) = value.node.scalar() else { return };
    if scalar.text.contains("${") || scalar.text.starts_with("file:") {
        return;
    }
    value.file.warning(value.at(), format!("{} stands here in clear text", value.label), CLEAR_TEXT_HELP);
    secrets.push(scalar.bytes.clone());
}

pub(crate) fn note_password(value: &Value<'_>, secrets: &mut Vec<Range<usize>>) {
    let Some(scalar) = value.node.scalar() else { return };
    let Some(range) = literal_password(&scalar.text) else { return };
    value.file.warning(value.at(), "the URL holds its password in clear text", CLEAR_TEXT_HELP);
    let password = &scalar.text[range];
    let written = value.file.text.get(scalar.bytes.clone()).unwrap_or_default();
    let found = written.find(password).map(|at| {
        let start = scalar.bytes.start + at;
        start..start + password.len()
    });
    secrets.push(found.unwrap_or_else(|| scalar.bytes.clone()));
}

fn secret_hash_key(fields: &mut Fields<'_>, needs: Needs, secrets: &mut Vec<Range<usize>>) -> String {
    let help = "write secretHashKey: ${ANNALS_SECRET_HASH_KEY} and set that variable to a random text";
    let Some(value) = fields.need("secretHashKey", help) else { return String::new() };
    let key = match needs {
        Needs::All => value.text(),
        Needs::History => None,
    };
    if let Some(key) = &key
        && key.chars().count() < SECRET_KEY_CHARS_MIN
    {
        let message = format!("`secretHashKey` is shorter than {SECRET_KEY_CHARS_MIN} characters");
        value.error(message, "use a long random text, for example what `openssl rand -hex 32` prints");
    }
    note_secret(&value, secrets);
    key.unwrap_or_default()
}

fn capture(fields: &mut Fields<'_>) -> CaptureSettings {
    let mut capture = CaptureSettings {
        json_format: JsonFormat::Zipped,
        max_allowed_patches: 0,
        capture_max_age_days: None,
        create_discarded_message_event: false,
        audit_removed_events: true,
    };
    let Some(mut fields) = fields.get("capture").and_then(|value| value.fields("`capture`")) else {
        return capture;
    };
    let words = JsonFormat::ALL.map(|format| (format.as_str(), format));
    if let Some(format) = fields.get("jsonFormat").and_then(|value| value.word(&words)) {
        capture.json_format = format;
    }
    if let Some(patches) = fields.get("maxAllowedPatches").and_then(|value| value.whole_u32(0..=1_000)) {
        capture.max_allowed_patches = patches;
    }
    let age = fields.either("captureMaxAgeInDays", "captureMaxAge");
    capture.capture_max_age_days = age.and_then(|value| value.whole_u32(1..=36_500));
    capture.create_discarded_message_event = fields.flag("createDiscardedMessageEvent", false);
    capture.audit_removed_events = fields.flag("auditRemovedEvents", true);
    fields.finish();
    capture
}

fn queue(fields: &mut Fields<'_>, dir: &Path, secrets: &mut Vec<Range<usize>>) -> QueueSettings {
    let mut queue = QueueSettings {
        transport: Transport::InProcess,
        capacity: 1,
        message_bytes_max: 64 << 20,
        batch_objects_max: 500,
        batch_bytes_max: 1 << 20,
        redeliveries_max: 5,
        redelivery_delay_s: 60,
    };
    let Some(mut fields) = fields.get("queue").and_then(|value| value.fields("`queue`")) else {
        return queue;
    };
    let words = [("in-process", false), ("nats", true)];
    let over_nats = fields.get("transport").and_then(|value| value.word(&words)).unwrap_or(false);
    let nats = nats(&mut fields, dir, over_nats, secrets);
    if let Some(nats) = nats.filter(|_| over_nats) {
        queue.transport = Transport::Nats(nats);
    }
    if let Some(capacity) = fields.get("capacity").and_then(|value| value.whole_u32(1..=10_000)) {
        queue.capacity = capacity;
    }
    let bytes = 1_024..=1_024 * MIB;
    set(&mut fields, "messageBytesMax", bytes.clone(), &mut queue.message_bytes_max);
    set(&mut fields, "batchObjectsMax", 1..=100_000, &mut queue.batch_objects_max);
    set(&mut fields, "batchBytesMax", bytes, &mut queue.batch_bytes_max);
    if let Some(times) = fields.get("maxRedeliveries").and_then(|value| value.whole_u32(0..=1_000)) {
        queue.redeliveries_max = times;
    }
    if let Some(delay) = fields.get("redeliveryDelaySeconds").and_then(|value| value.whole_u32(0..=86_400)) {
        queue.redelivery_delay_s = delay;
    }
    fields.finish();
    queue
}

fn set(
    fields: &mut Fields<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u64>,
    target: &mut usize,
) -> Option<Position> {
    let value = fields.get(key)?;
    *target = value.whole_usize(range)?;
    Some(value.at())
}

fn limits(fields: &mut Fields<'_>, queue: &QueueSettings) -> Limits {
    let mut limits = Limits { attribute_bytes_max: 16 << 20, document_bytes_max: 32 << 20, nesting_max: 100 };
    let value = fields.get("limits");
    let mut document_at = value.as_ref().map_or(fields.at, Value::at);
    if let Some(mut fields) = value.and_then(|value| value.fields("`limits`")) {
        let bytes = 1_024..=1_024 * MIB;
        set(&mut fields, "attributeBytesMax", bytes.clone(), &mut limits.attribute_bytes_max);
        if let Some(at) = set(&mut fields, "documentBytesMax", bytes, &mut limits.document_bytes_max) {
            document_at = at;
        }
        set(&mut fields, "nestingMax", 1..=100, &mut limits.nesting_max);
        fields.finish();
    }
    if limits.document_bytes_max > queue.message_bytes_max {
        let (document, message) = (limits.document_bytes_max, queue.message_bytes_max);
        fields.file.error(
            document_at,
            format!(
                "`limits.documentBytesMax` ({document}) is larger than `queue.messageBytesMax` ({message})"
            ),
            "a document must fit into a message: lower the first or raise the second",
        );
    }
    limits
}

/// Folders that a supervisor gives a service to write into, the first that there is: the configuration is often not.
const WRITABLE: [&str; 2] = ["LOGS_DIRECTORY", "STATE_DIRECTORY"];

fn log(fields: &mut Fields<'_>, dir: &Path, file: &File<'_>) -> LogSettings {
    let given = |name: &&str| file.resolver.and_then(|resolver| (resolver.env)(name));
    let folders = WRITABLE.iter().find_map(given).filter(|folders| !folders.is_empty());
    let folder = folders.as_deref().and_then(|folders| folders.split(':').next()).map_or(dir, Path::new);
    let mut log = LogSettings {
        filter: "info".to_owned(),
        json: false,
        discarded_messages: Some(folder.join("discarded-messages.log")),
    };
    let Some(mut fields) = fields.get("log").and_then(|value| value.fields("`log`")) else { return log };
    if let Some(filter) = fields.get("filter").and_then(|value| value.name()) {
        log.filter = filter;
    }
    log.json = fields.flag("json", false);
    if let Some(path) = fields.get("discardedMessages").and_then(|value| value.name()) {
        log.discarded_messages = Some(dir.join(path));
    }
    fields.finish();
    log
}

/// `retention.runDetailsDays`.
fn retention(fields: &mut Fields<'_>) -> Option<u32> {
    let mut days = RUN_DETAILS_DAYS;
    if let Some(mut fields) = fields.get("retention").and_then(|value| value.fields("`retention`")) {
        if let Some(given) = fields.get("runDetailsDays").and_then(|value| value.whole_u32(0..=36_500)) {
            days = given;
        }
        fields.finish();
    }
    (days > 0).then_some(days)
}

fn http(fields: &mut Fields<'_>) -> HttpSettings {
    let mut http = HttpSettings::default();
    let Some(mut fields) = fields.get("http").and_then(|value| value.fields("`http`")) else { return http };
    http.listen = fields.get("listen").and_then(|value| loopback(&value));
    fields.finish();
    http
}

/// An address and a port that only this host reaches: what is served there is neither encrypted nor guarded.
fn loopback(value: &Value<'_>) -> Option<SocketAddr> {
    let text = value.name()?;
    let Ok(address) = text.parse::<SocketAddr>() else {
        value.error(
            format!("{} is no address with a port: `{text}`", value.label),
            "write an address of this host and a port, such as 127.0.0.1:9464",
        );
        return None;
    };
    if !address.ip().is_loopback() {
        value.error(
            format!("{} may only be an address that this host alone reaches, not {address}", value.label),
            format!(
                "write 127.0.0.1:{} or [::1]:{0}; for others, put a proxy with TLS and a login on this host before it",
                address.port()
            ),
        );
        return None;
    }
    Some(address)
}
