//! `annals demo`: a generated identity system, runs while days pass in it, answers about the past.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use annals_config::Config;
use annals_dispatcher::Scope;
use annals_extract::Stop;
use annals_history::{FoundObject, PageRequest, TimelineRange};
use annals_model::{Clock, ObjectType};
use annals_runs::{Trigger, run as runs};
use annals_sql::{Access, Db};
use annals_world::{Deed, Progress, Step, World, WorldOptions};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::{DemoArgs, DemoPart, Global, WorldArgs};
use crate::commands::run::{done_line, host_name};
use crate::commands::{init, migrate, timeline};
use crate::context::{SystemClock, find_task, load_config, open_source};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, say};
use crate::pipeline::{Done, Pipeline};
use crate::presence::Presence;
use crate::times;

const DAY_MS: i64 = 86_400_000;
/// A demo's night run reads the source so long after midnight.
const NIGHT_MS: i64 = 30 * 60_000;
/// Lines that the closing examples show at most.
const LINES_MAX: usize = 14;

/// The demo's service configuration: what `init` writes, but switched on and with databases of its own.
const DEMO_YAML: &str = "\
# The demo's service configuration; config/annals.yaml of the project explains every key.
accessHistoryEnabled: true
source:
  profile: identityiq
  url: \"sqlite:source.db\"
history:
  url: \"sqlite:history.db\"
capture:
  jsonFormat: ZIPPED
  maxAllowedPatches: 5
  captureMaxAgeInDays: 30
secretHashKey: file:secret-hash.key
";

pub(crate) async fn execute(global: &Global, arguments: &DemoArgs) -> Result<Exit, Failure> {
    match &arguments.part {
        None => demo(global, arguments).await,
        Some(DemoPart::Source { world, url, start }) => source(global, world, url, start.as_deref()).await,
        Some(DemoPart::Days { url, days, deeds }) => pass_days(url, *days, deeds.as_deref()).await,
    }
}

async fn source(
    global: &Global,
    arguments: &WorldArgs,
    url: &str,
    start: Option<&str>,
) -> Result<Exit, Failure> {
    let now_ms = SystemClock.now_ms();
    let zone = crate::context::time_zone(global, None)?;
    let start_ms = start.map_or(Ok(now_ms / DAY_MS * DAY_MS), |start| times::read(start, &zone, now_ms));
    let start_ms = start_ms.map_err(|error| Failure::usage(error, "See `annals demo source --help`."))?;
    let db =
        Db::open(url, Access::ReadWrite).await.context("opening the database of the new identity system")?;
    let began = Instant::now();
    create(&db, arguments, start_ms).await?;
    eprintln!(
        "Made an identity system of {} identities in {:.1} s. Let days pass with `annals demo days --url {url}`.",
        arguments.identities,
        began.elapsed().as_secs_f64()
    );
    Ok(Exit::Ok)
}

async fn pass_days(url: &str, days: u32, deeds: Option<&Path>) -> Result<Exit, Failure> {
    let db = Db::open(url, Access::ReadWrite).await.context("opening the identity system's database")?;
    let mut world = World::open(&db).await?;
    for _ in 0..days {
        let done = world.pass_day(&db).await?;
        let day = done.first().map_or_else(String::new, |deed| format!(" {}", deed.day + 1));
        eprintln!("Day{day} passed: {} deeds.", done.len());
        if let Some(path) = deeds {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let mut file = file.with_context(|| format!("opening {}", path.display()))?;
            for deed in &done {
                writeln!(file, "{}", serde_json::to_string(deed)?).context("writing the deeds")?;
            }
        }
    }
    Ok(Exit::Ok)
}

async fn create(db: &Db, arguments: &WorldArgs, start_ms: i64) -> Result<World, Failure> {
    let options = WorldOptions {
        seed: arguments.seed,
        identities: arguments.identities,
        start_ms,
        ..WorldOptions::default()
    };
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len}") {
        bar.set_style(style);
    }
    let show = |progress: Progress| {
        bar.set_message(match progress.step {
            Step::Tables => "tables",
            Step::People => "people",
            Step::Indexes => "indexes",
        });
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let world = World::create(db, options, &show).await?;
    bar.finish_and_clear();
    Ok(world)
}

async fn demo(global: &Global, arguments: &DemoArgs) -> Result<Exit, Failure> {
    let dir = &arguments.dir;
    if dir.exists() {
        return Err(Failure::usage(
            format!("{} is there already", dir.display()),
            format!("Remove it, or choose another directory: `annals demo --dir {}-2`.", dir.display()),
        ));
    }
    init::write(dir, "identityiq", false)?;
    std::fs::write(dir.join("annals.yaml"), DEMO_YAML).context("writing annals.yaml")?;
    std::fs::write(dir.join("secret-hash.key"), "a-key-for-the-demo-alone")
        .context("writing secret-hash.key")?;
    let config = Arc::new(load_config(dir)?);
    let zone = crate::context::time_zone(global, Some(&config))?;

    let today_ms = SystemClock.now_ms() / DAY_MS * DAY_MS;
    let start_ms = today_ms - i64::from(arguments.days) * DAY_MS;
    eprintln!(
        "1. An identity system of {} identities, in {}/source.db",
        arguments.world.identities,
        dir.display()
    );
    let source_db = Db::open(&config.service.source.url, Access::ReadWrite).await?;
    let mut world = create(&source_db, &arguments.world, start_ms).await?;
    let history = Db::open(&config.service.history.url, Access::ReadWrite).await?;
    migrate::apply(&config, &history).await?;

    eprintln!("2. The first run: everything is new");
    night(&config, &history, start_ms).await?;
    eprintln!("3. {} days pass, with a run after each", arguments.days);
    let mut deeds = Vec::new();
    for day in 1..=i64::from(arguments.days) {
        deeds.extend(world.pass_day(&source_db).await?);
        night(&config, &history, start_ms + day * DAY_MS).await?;
    }
    show_results(&config, &history, &zone, &deeds, start_ms, dir).await?;
    Ok(Exit::Ok)
}

/// A clock of the demo's own days.
struct NightClock(i64);

impl Clock for NightClock {
    fn now_ms(&self) -> i64 {
        self.0
    }
}

/// The run in the night after a day that ended at `midnight_ms`.
async fn night(config: &Arc<Config>, history: &Db, midnight_ms: i64) -> Result<(), Failure> {
    let now_ms = midnight_ms + NIGHT_MS;
    let began = Instant::now();
    let lease_ms = config.service.lease_ms;
    let presence = Presence::begin(history, Arc::new(SystemClock), &host_name(), "demo", lease_ms).await?;
    let pipeline = Pipeline {
        config: Arc::clone(config),
        history: history.clone(),
        source: Arc::new(open_source(config).await?.with_time(now_ms)),
        clock: Arc::new(NightClock(now_ms)),
        host: host_name(),
        presence,
        stop: Stop::default(),
    };
    let task = find_task(config, None)?;
    let outcome = pipeline.execute(task, Trigger::Adhoc, Scope::Task, Arc::new(Done::default())).await?;
    pipeline.presence.end().await;
    let mut tx = history.begin_read().await?;
    let run = runs::get(&mut tx, outcome.run_id).await?;
    for message in runs::messages(&mut tx, outcome.run_id).await? {
        eprintln!("   {}: {}", message.status.as_str(), message.text);
    }
    eprintln!("   {}", done_line(&run, began.elapsed().as_secs_f64()));
    Ok(())
}

async fn show_results(
    config: &Config,
    history: &Db,
    zone: &TimeZone,
    deeds: &[Deed],
    start_ms: i64,
    dir: &Path,
) -> Result<(), Failure> {
    let mut tx = history.begin_read().await?;
    let mut results = Listing::new(&[
        "run",
        "qualified",
        "full captures",
        "patch captures",
        "unchanged",
        "deleted",
        "events",
    ]);
    let mut all = runs::list(&mut tx, None, None, u32::MAX).await?;
    all.reverse();
    for run in &all {
        let sum = |name: &str| -> u64 {
            let types = run.by_type.iter().filter_map(Value::as_object).flat_map(|types| types.values());
            types.filter_map(|counts| counts.get(name).and_then(Value::as_u64)).sum()
        };
        results.push(vec![
            json!(run.id),
            json!(run.counters.total_object_messages),
            json!(sum("fullCaptures")),
            json!(sum("patchCaptures")),
            json!(sum("unchanged")),
            json!(sum("deleted")),
            json!(sum("events")),
        ]);
    }
    say(format_args!("\nThe runs"))?;
    results.print(Format::Table)?;

    let Some(person) = busiest(&mut tx, deeds).await? else { return Ok(()) };
    say(format_args!("\nWhat happened to {}", person.name))?;
    let request = PageRequest { limit: 1_000, after: None };
    let page = annals_history::timeline(&mut tx, &person.key, TimelineRange::default(), &request).await?;
    cut(timeline::listing(&page.rows, zone))
        .without(&["recorded", "account", "source"])
        .print(Format::Table)?;

    // The end of the first day: the first instant at which anything may have changed.
    let at_ms = start_ms + DAY_MS - 1;
    let at = times::show(at_ms, zone);
    say(format_args!("\nWhat {} had at {at}", person.name))?;
    if let Some(state) = annals_history::as_of(&mut tx, &person.key, at_ms, None).await? {
        let fields = state.image.map(|image| image.image_fields).unwrap_or_default();
        cut(access(&fields)).print(Format::Table)?;
    }
    let task = find_task(config, None)?;
    let (config, name) = (dir.display(), &person.name);
    say(format_args!("\nTry next"))?;
    say(format_args!("  annals -c {config} runs show"))?;
    say(format_args!("  annals -c {config} timeline identity '{name}'"))?;
    say(format_args!("  annals -c {config} as-of identity '{name}' --at '{at}'"))?;
    say(format_args!("  annals -c {config} transform identity '{name}'"))?;
    say(format_args!("  annals -c {config} plan '{}'", task.name))?;
    say(format_args!("  annals demo days --url sqlite:{config}/source.db && annals -c {config} run"))?;
    Ok(())
}

/// The living identity with the most deeds.
async fn busiest(tx: &mut annals_sql::Tx, deeds: &[Deed]) -> Result<Option<FoundObject>, Failure> {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for identity in deeds.iter().filter_map(|deed| deed.identity.as_ref()) {
        *counts.entry(identity.id.as_str()).or_default() += 1;
    }
    let mut by_count: Vec<(usize, &str)> = counts.into_iter().map(|(id, count)| (count, id)).collect();
    by_count.sort_by(|left, right| right.cmp(left));
    for (_, id) in by_count {
        let found = annals_history::find_objects(tx, ObjectType::Identity, id).await?;
        if let Some(living) = found.into_iter().find(|object| !object.deleted) {
            return Ok(Some(living));
        }
    }
    Ok(None)
}

/// The access that an identity's image tells of.
fn access(fields: &serde_json::Map<String, Value>) -> Listing {
    let mut listing = Listing::new(&["kind", "application", "item"]);
    let text = |element: &Value, member: &str| element.get(member).cloned().unwrap_or(Value::Null);
    for (field, kind) in [
        ("assignedRoles", "assigned role"),
        ("detectedRoles", "detected role"),
        ("capabilities", "capability"),
        ("workgroups", "workgroup"),
    ] {
        for element in fields.get(field).and_then(Value::as_array).into_iter().flatten() {
            listing.push(vec![json!(kind), Value::Null, text(element, "name")]);
        }
    }
    for element in fields.get("accounts").and_then(Value::as_array).into_iter().flatten() {
        listing.push(vec![
            json!("account"),
            text(element, "applicationName"),
            text(element, "nativeIdentity"),
        ]);
    }
    for element in fields.get("entitlements").and_then(Value::as_array).into_iter().flatten() {
        let item = format!(
            "{} = {}",
            element.get("name").and_then(Value::as_str).unwrap_or_default(),
            element.get("value").and_then(Value::as_str).unwrap_or_default()
        );
        listing.push(vec![json!("entitlement"), text(element, "applicationName"), json!(item)]);
    }
    listing
}

fn cut(mut listing: Listing) -> Listing {
    let lines = listing.rows.len();
    if lines > LINES_MAX {
        listing.rows.truncate(LINES_MAX);
        listing.cut = Some(format!("{LINES_MAX} of {lines} lines"));
    }
    listing
}
