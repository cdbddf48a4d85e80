//! What a configuration directory gives: typed forms, defaults, the snapshot, banners, and no panic whatever
//! stands in its files.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "load/broker.rs"]
mod broker;
#[path = "load/snapshot.rs"]
mod snapshot;

use std::path::{Path, PathBuf};

use annals_config::banner::run_banners;
use annals_config::filter::parse;
use annals_config::profile::{Deletions, Element, Format, PropertyValue, Reads, TimeKind};
use annals_config::service::{HistoryIndexes, InterceptedRows};
use annals_config::transform::{PropertySource, Transformer, ValueKind};
use annals_config::{Config, Severity, check};
use annals_model::{JsonFormat, ObjectType, TaskArguments, TaskStatus};
use proptest::prelude::*;

const FILES: [&str; 5] = [
    "annals.yaml",
    "sources/small.yaml",
    "extract/AccessHistoryExportConfig.yaml",
    "transform/AccessHistoryImageConfig.yaml",
    "tasks/nightly.yaml",
];

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wrong-config/base")
}

fn base_text(file: &str) -> String {
    std::fs::read_to_string(base().join(file)).expect("file of the base")
}

fn env(name: &str) -> Option<String> {
    match name {
        "ANNALS_SOURCE_URL" => Some("postgres://reader:open-sesame@db/identityiq".to_owned()),
        "ANNALS_SECRET_HASH_KEY" => Some("a key that only this test has".to_owned()),
        _ => None,
    }
}

/// The base with some files replaced.
fn directory(replaced: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("directory");
    for folder in ["sources", "extract", "transform", "tasks"] {
        std::fs::create_dir(dir.path().join(folder)).expect("folder");
    }
    for file in FILES {
        std::fs::copy(base().join(file), dir.path().join(file)).expect("copied");
    }
    for (file, bytes) in replaced {
        std::fs::write(dir.path().join(file), bytes).expect("written");
    }
    dir
}

fn load(replaced: &[(&str, &[u8])]) -> Config {
    let dir = directory(replaced);
    Config::load(dir.path(), &env).unwrap_or_else(|problems| panic!("{problems}"))
}

fn edited(file: &str, from: &str, to: &str) -> Vec<u8> {
    let text = base_text(file);
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replace(from, to).into_bytes()
}

#[test]
fn the_service_is_read_with_its_defaults() {
    let dir = directory(&[]);
    let service = Config::load(dir.path(), &env).expect("right").service;
    assert!(service.access_history_enabled);
    assert_eq!(service.source.url, "postgres://reader:open-sesame@db/identityiq");
    assert_eq!(service.source.overlap_ms, 60_000);
    assert_eq!(service.source.intercepted_deletes, InterceptedRows::Keep, "a source is only read");
    assert_eq!(service.history.url, format!("sqlite://{}", dir.path().join("history.db").display()));
    assert_eq!(service.history.indexes, HistoryIndexes::Needed);
    assert!(service.worker_slots >= 1);
    assert_eq!(service.lease_ms, 30_000);
    assert_eq!(service.capture.json_format, JsonFormat::Zipped);
    assert_eq!((service.capture.max_allowed_patches, service.capture.capture_max_age_days), (0, None));
    assert!(!service.capture.create_discarded_message_event);
    assert_eq!((service.queue.capacity, service.queue.batch_objects_max), (8, 500));
    assert_eq!(service.queue.message_bytes_max, 67_108_864);
    assert_eq!(service.limits.nesting_max, 100);
    assert_eq!(service.secret_hash_key, "a key that only this test has");
    assert_eq!(service.log.discarded_messages, Some(dir.path().join("discarded-messages.log")));
}

/// IIQ-13: switched off unless the configuration says otherwise.
#[test]
fn access_history_is_off_by_default() {
    let text = edited("annals.yaml", "accessHistoryEnabled: true\n", "");
    assert!(!load(&[("annals.yaml", &text)]).service.access_history_enabled);
}

#[test]
fn a_relative_sqlite_path_begins_at_the_configuration_directory() {
    let cases = [("sqlite:data/h.db", "data/h.db", ""), ("sqlite://h.db?mode=ro", "h.db", "?mode=ro")];
    for (url, path, parameters) in cases {
        let text = edited("annals.yaml", "sqlite:history.db", url);
        let dir = directory(&[("annals.yaml", &text)]);
        let found = Config::load(dir.path(), &env).expect("right").service.history.url;
        assert_eq!(found, format!("sqlite://{}{parameters}", dir.path().join(path).display()));
    }
    for (url, expected) in
        [("sqlite:/var/h.db", "sqlite:///var/h.db"), ("sqlite::memory:", "sqlite://:memory:")]
    {
        let text = edited("annals.yaml", "sqlite:history.db", url);
        assert_eq!(load(&[("annals.yaml", &text)]).service.history.url, expected);
    }
}

#[test]
fn a_value_may_come_from_a_variable_or_a_file() {
    let text = edited("annals.yaml", "capacity: 8", "capacity: ${SLOTS}\n  batchObjectsMax: file:objects");
    let dir = directory(&[("annals.yaml", &text)]);
    std::fs::write(dir.path().join("objects"), "77\n").expect("written");
    let env = |name: &str| if name == "SLOTS" { Some("5".to_owned()) } else { env(name) };
    let queue = Config::load(dir.path(), &env).expect("right").service.queue;
    assert_eq!((queue.capacity, queue.batch_objects_max), (5, 77));
}

#[test]
fn the_profile_is_read() {
    let config = load(&[]);
    let profile = config.profile();
    assert_eq!(profile.name, "small");
    assert_eq!(profile.secrets, ["hint"]);
    let identity = &profile.object_types[&ObjectType::Identity];
    assert_eq!((identity.table.as_str(), identity.id.as_str()), ("person", "id"));
    assert_eq!(identity.filter, Some(parse("kind == 1 || kind == null").expect("right")));
    let kinds: Vec<TimeKind> = identity.changed.iter().map(|column| column.kind).collect();
    assert_eq!(kinds, [TimeKind::EpochMillis, TimeKind::DateTime]);
    assert_eq!(identity.deletions, Deletions::Intercepted, "the profile has interceptedDeletes");
    assert_eq!(profile.object_types[&ObjectType::Role].deletions, Deletions::Sweep);
    let PropertyValue::Object { members, class } = &identity.properties["manager"].value else {
        panic!("an object")
    };
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, class), (vec!["id", "name"], &None));
    assert_eq!(members[1].1.alias.as_deref(), Some("boss"));
    assert!(identity.properties["password"].secret);
    let format = |name: &str| match &identity.properties[name].value {
        PropertyValue::Column { format, .. } => *format,
        other => panic!("{other:?}"),
    };
    assert_eq!(format("displayName"), Format::Auto);
    assert_eq!(format("inactive"), Format::Flag);
    assert_eq!(format("lastLogin"), Format::Time(TimeKind::EpochMillis));
    let roles = &identity.collections["roles"];
    assert_eq!(roles.key, ["id"]);
    assert!(matches!(&roles.parts[0].element, Element::Object(members) if members.len() == 2));
    let groups = &identity.collections["groups"];
    assert!(
        matches!(&groups.parts[0].element, Element::Value(path, Format::Auto) if path.column == "group_name")
    );
    assert_eq!(groups.since.as_deref(), Some("8.4"));
    assert_eq!(identity.qualifies.len(), 1);
}

/// The groups of the base, whose rows lie in two tables.
const GROUPS: &str = "      groups:
        key: [id, via]
        parts:
          - {table: person_group, parent: person_id, element: {id: group_id, via: {constant: direct}}}
          - table: role_group
            parent: held.person_id
            joins: {held: {table: person_role, on: {role_id: role_id}}}
            element: {id: group_id, via: role_id, role: role_id}
";

fn with_groups(groups: &str) -> Vec<u8> {
    let text = base_text("sources/small.yaml");
    let start = text.find("      groups:\n").expect("groups");
    let end = text.find("    qualifies:\n").expect("what follows them");
    format!("{}{groups}{}", &text[..start], &text[end..]).into_bytes()
}

#[test]
fn a_collection_may_have_its_rows_in_several_tables() {
    let config = load(&[("sources/small.yaml", &with_groups(GROUPS))]);
    let groups = &config.profile().object_types[&ObjectType::Identity].collections["groups"];
    let tables: Vec<&str> = groups.parts.iter().map(|part| part.table.as_str()).collect();
    assert_eq!(tables, ["person_group", "role_group"]);
    assert_eq!(groups.parts[1].parent.alias.as_deref(), Some("held"));
    assert_eq!(
        (groups.key.as_slice(), &groups.order),
        (["id".to_owned(), "via".to_owned()].as_slice(), &None)
    );
}

/// Parts have no order among each other, and each of them has the members of the key.
#[test]
fn what_parts_cannot_have_is_refused() {
    let refused = |from: &str, to: &str| {
        let dir = directory(&[("sources/small.yaml", &with_groups(&GROUPS.replace(from, to)))]);
        Config::load(dir.path(), &env).expect_err("wrong").to_string()
    };
    let ordered = refused("key: [id, via]", "order: position");
    assert!(
        ordered.contains("small.yaml:33:9: error: unknown key `order` in the collection `groups`"),
        "{ordered}"
    );
    let one_lacks_it = refused("key: [id, via]", "key: [id, role]");
    assert!(one_lacks_it.contains("small.yaml:33:19: error: `key` names `role`"), "{one_lacks_it}");
    let table = refused("- {table: person_group, ", "- {");
    assert!(table.contains("small.yaml:35:13: error: the part of `groups` lacks the key `table`"), "{table}");
}

#[test]
fn all_objects_of_a_type_are_read_if_the_profile_says_so() {
    let config = load(&[]);
    assert_eq!(config.profile().object_types[&ObjectType::Identity].reads, Reads::Changed);
    let text = edited(
        "sources/small.yaml",
        "    table: role\n    properties",
        "    table: role\n    reads: all\n    properties",
    );
    let config = load(&[("sources/small.yaml", &text)]);
    assert_eq!(config.profile().object_types[&ObjectType::Role].reads, Reads::All);
}

/// What becomes of rows about deletions, and what triggers write into columns that must not be empty.
#[test]
fn rows_about_deletions_are_removed_where_that_is_asked_for() {
    let service = edited("annals.yaml", "source:\n", "source:\n  interceptedDeletes: remove\n");
    let profile =
        edited("sources/small.yaml", "deleted: deleted_at}", "deleted: deleted_at, others: {by: us}}");
    let config = load(&[("annals.yaml", &service), ("sources/small.yaml", &profile)]);
    assert_eq!(config.service.source.intercepted_deletes, InterceptedRows::Remove);
    assert_eq!(config.profile().intercepted_deletes.as_ref().expect("read").others["by"], "us");
}

/// Where no deletions are intercepted, the sweep finds them.
#[test]
fn deletions_are_swept_by_default() {
    let text = base_text("sources/small.yaml");
    let line = text.lines().find(|line| line.starts_with("interceptedDeletes")).expect("there");
    let config = load(&[("sources/small.yaml", text.replace(line, "").as_bytes())]);
    assert_eq!(config.profile().object_types[&ObjectType::Identity].deletions, Deletions::Sweep);
}

#[test]
fn a_name_a_class_and_a_bare_class_stand_for_an_object_type() {
    let config = load(&[]);
    let of = |name: &str| config.profile().object_type(name);
    for name in ["identity", "Identity", "sailpoint.object.Identity"] {
        assert_eq!(of(name), Some(ObjectType::Identity), "{name}");
    }
    for name in ["role", "Bundle", "bundle", "sailpoint.object.Bundle"] {
        assert_eq!(of(name), Some(ObjectType::Role), "{name}");
    }
    assert_eq!(of("account"), None, "an object type that this profile lacks");
    assert_eq!(of("other.Identity"), None, "another class");
}

/// In IdentityIQ a workgroup is a row of the identities' table: both object types have one class.
#[test]
fn of_two_object_types_with_one_class_the_namesake_is_meant() {
    let text = base_text("sources/small.yaml")
        + "  workgroup: {className: sailpoint.object.Identity, table: person}\n";
    let config = load(&[("sources/small.yaml", text.as_bytes())]);
    assert_eq!(config.profile().object_type("sailpoint.object.Identity"), Some(ObjectType::Identity));
    assert_eq!(config.profile().object_type("Identity"), Some(ObjectType::Identity));
    assert_eq!(config.profile().object_type("workgroup"), Some(ObjectType::Workgroup));
}

#[test]
fn extract_transform_and_task_are_read() {
    let config = load(&[]);
    let extract = &config.extracts["AccessHistoryExportConfig"];
    assert_eq!(extract.transform.as_deref(), Some("AccessHistoryImageConfig"));
    let identity = &extract.objects[&ObjectType::Identity];
    assert_eq!(identity.filter, Some(parse("inactive == false").expect("right")));
    assert_eq!((identity.limit, identity.exclude.as_slice()), (Some(1_000), ["hint".to_owned()].as_slice()));
    assert_eq!(extract.objects[&ObjectType::Role].filter, None, "a key without a value takes everything");
    let image = &config.transforms["AccessHistoryImageConfig"].images[&ObjectType::Identity];
    assert!(image.include_hash);
    let names: Vec<&str> = image.properties.iter().map(|property| property.name.as_str()).collect();
    assert_eq!(names, ["*", "lastLogin", "dept", "costCenter"]);
    assert!(!image.properties[1].significant && image.properties[0].significant);
    assert_eq!(image.properties[2].transformers, [Transformer::Cast(ValueKind::String)]);
    assert_eq!(image.properties[3].from, PropertySource::Attribute("costCenter".to_owned()));
    let task = &config.tasks["Nightly"];
    assert_eq!(task.extract_configuration, "AccessHistoryExportConfig", "IIQ-21: the default");
    assert_eq!(task.arguments, TaskArguments::default());
    let schedule = task.schedule.as_ref().expect("a schedule");
    assert_eq!(schedule.cadence.to_string(), "0 0 * * * in Europe/Berlin");
}

#[test]
fn every_transformer_is_read() {
    let image = "imageConfigDescriptors:\n  - objectClassName: identity\n    includeHash: false\n    \
        imagePropertyConfigDescriptors:\n      - name: all\n        type: string\n        \
        propertyTransformerConfigDescriptors:\n          \
        - {type: compositeKey, args: {properties: [displayName, department]}}\n          \
        - {type: date, args: {format: '%Y', timeZone: Europe/Berlin}}\n          - {type: date}\n          \
        - {type: epoch}\n          - {type: reference}\n          - {type: subset, args: {members: [a]}}\n          \
        - {type: rename, args: {members: {a: b}}}\n          - {type: mask}\n          - {type: hash}\n      \
        - {name: fixed, propertyTransformerConfigDescriptors: [{type: constant, args: {value: [012, no, 1.5, ~]}}]}\n";
    let config = load(&[("transform/AccessHistoryImageConfig.yaml", image.as_bytes())]);
    let image = &config.transforms["AccessHistoryImageConfig"].images[&ObjectType::Identity];
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let expected = [
        Transformer::CompositeKey {
            properties: texts(&["displayName", "department"]),
            separator: "|".to_owned(),
        },
        Transformer::Date { format: Some("%Y".to_owned()), time_zone: "Europe/Berlin".to_owned() },
        Transformer::Date { format: None, time_zone: "UTC".to_owned() },
        Transformer::Epoch { format: None },
        Transformer::Reference(texts(&["id", "name"])),
        Transformer::Subset(texts(&["a"])),
        Transformer::Rename([("a".to_owned(), "b".to_owned())].into()),
        Transformer::Mask,
        Transformer::Hash,
    ];
    assert_eq!(image.properties[0].transformers, expected);
    assert_eq!(image.properties[0].kind, ValueKind::String);
    assert!(!image.include_hash);
    // YAML 1.2: `no` is text; `012`, about which versions of YAML disagree, is text as well.
    let constant = Transformer::Constant(serde_json::json!(["012", "no", 1.5, null]));
    assert_eq!(image.properties[1].transformers, [constant]);
}

/// IIQ-31: the reference has two names for this argument.
#[test]
fn both_names_of_the_argument_are_accepted() {
    for name in ["maxObjectsPerExtractPartition", "maxObjectsPerPartition"] {
        let text = format!("name: Nightly\narguments: {{{name}: 77}}\n");
        let config = load(&[("tasks/nightly.yaml", text.as_bytes())]);
        assert_eq!(config.tasks["Nightly"].arguments.max_objects_per_extract_partition, 77);
    }
}

/// The banners of the only task, with their status, and the objects of a run.
fn banners(replaced: &[(&str, &[u8])]) -> (Vec<(TaskStatus, String)>, Vec<ObjectType>) {
    let config = load(replaced);
    let found = run_banners(&config, &config.tasks["Nightly"]);
    (found.banners.into_iter().map(|banner| (banner.status, banner.text)).collect(), found.objects)
}

const EXTRACT: &str = "extract/AccessHistoryExportConfig.yaml";

#[test]
fn nothing_wrong_gives_no_banner_and_objects_in_reading_order() {
    assert_eq!(banners(&[]), (Vec::new(), vec![ObjectType::Role, ObjectType::Identity]));
}

/// IIQ-45.
#[test]
fn switched_off_is_a_warning() {
    let text = edited("annals.yaml", "accessHistoryEnabled: true", "accessHistoryEnabled: false");
    let expected =
        "The Access History feature must be enabled in order to support history events.".to_owned();
    assert_eq!(banners(&[("annals.yaml", &text)]), (vec![(TaskStatus::Warning, expected)], Vec::new()));
}

/// IIQ-46.
#[test]
fn no_transform_name_fails() {
    let text = edited(EXTRACT, "transformConfigurationName: AccessHistoryImageConfig\n", "");
    let expected = "No transformation configuration name was found in the Export YAMLConfig.".to_owned();
    assert_eq!(banners(&[(EXTRACT, &text)]), (vec![(TaskStatus::Error, expected)], Vec::new()));
}

/// IIQ-47.
#[test]
fn an_unknown_transform_name_fails() {
    let text = edited(EXTRACT, "AccessHistoryImageConfig", "AccessHistoryImageConfig2");
    let expected = "Unable to find YAMLConfig AccessHistoryImageConfig2.".to_owned();
    assert_eq!(banners(&[(EXTRACT, &text)]), (vec![(TaskStatus::Error, expected)], Vec::new()));
}

/// IIQ-48.
#[test]
fn no_objects_are_a_warning() {
    let expected = "The selected Export YAMLConfig is missing entry for exportedObjects.".to_owned();
    let expected = (vec![(TaskStatus::Warning, expected)], Vec::new());
    for objects in ["", "extractedObjects:\n", "exportedObjects: []\n", "extractedObjects: {}\n"] {
        let text = format!("transformConfigurationName: AccessHistoryImageConfig\n{objects}");
        assert_eq!(banners(&[(EXTRACT, text.as_bytes())]), expected, "{objects}");
    }
}

/// IIQ-49 and IIQ-50 together: each object that cannot be processed has its banner, the others are processed.
#[test]
fn unknown_objects_and_missing_descriptors_are_warnings_and_the_rest_is_processed() {
    let profile = base_text("sources/small.yaml")
        + "  certification: {className: sailpoint.object.Certification, table: certification}\n";
    let extract = "transformConfigurationName: AccessHistoryImageConfig\n\
        exportedObjects: [Identity, identiti, Certification, account]\n";
    let warning = |text: &str| (TaskStatus::Warning, text.to_owned());
    let expected = vec![
        warning("The Transform YAMLConfig is missing imageConfigDescriptor for exportedObject [identiti]."),
        warning("The Transform YAMLConfig is missing imageConfigDescriptor for exportedObject [account]."),
        warning(
            "The Transform YAMLConfig is missing ImageConfigDescriptor for importedObject Certification.",
        ),
    ];
    let replaced = [("sources/small.yaml", profile.as_bytes()), (EXTRACT, extract.as_bytes())];
    assert_eq!(banners(&replaced), (expected, vec![ObjectType::Identity]));
}

#[test]
fn problems_are_printed_with_the_directory_before_the_file() {
    let dir = directory(&[("annals.yaml", &edited("annals.yaml", "timeZone: UTC", "timezone: UTC"))]);
    let problems = check(dir.path(), &env);
    let expected = format!(
        "{}:12:1: error: unknown key `timezone` in the service configuration\n    help: did you mean `timeZone`?",
        dir.path().join("annals.yaml").display()
    );
    assert_eq!(problems.to_string(), expected);
    assert_eq!(problems.iter().next().map(|problem| problem.severity), Some(Severity::Error));
}

/// What Annals ships is right: IIQ-02, IIQ-13, IIQ-20, IIQ-43: off, and a daily task with its extract configuration.
#[test]
fn the_shipped_configuration_has_no_problem() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let problems = check(&shipped, &env);
    assert!(problems.is_empty(), "{problems}");
    let config = Config::load(&shipped, &env).unwrap();
    assert!(!config.service.access_history_enabled);
    let task = &config.tasks["Dispatch Access History"];
    let schedule = task.schedule.as_ref().unwrap();
    assert_eq!(schedule.cadence.to_string(), "0 0 * * * in UTC");
    assert_eq!(task.extract_configuration, "AccessHistoryExportConfig");
    assert_eq!(config.extracts["AccessHistoryExportConfig"].objects.len(), ObjectType::ALL.len());
}

/// A file of many levels, keys or aliases is refused at once.
#[test]
fn files_meant_to_exhaust_are_refused() {
    let deep = "[".repeat(100_000);
    let deep_block: String = (0..2_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    let wide = format!("x: [{}]\n", "1,".repeat(60_000));
    let large = format!("# {}\n", "x".repeat(2 << 20));
    let long_alias = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a,".repeat(40_000));
    for text in [deep, deep_block, wide, large, long_alias] {
        let dir = directory(&[("annals.yaml", text.as_bytes())]);
        let problems = check(dir.path(), &env);
        assert_eq!(problems.error_count(), 1, "{problems}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_the_loader_panic(
        file in prop::sample::select(FILES.to_vec()),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let dir = directory(&[(file, &bytes)]);
        let problems = check(dir.path(), &env);
        prop_assert!(problems.iter().all(|problem| problem.line >= 1 && problem.column >= 1));
    }

    /// Files that are nearly right reach further into the readers than random bytes do.
    #[test]
    fn no_damage_to_a_right_file_makes_the_loader_panic(
        file in prop::sample::select(FILES.to_vec()),
        from in any::<prop::sample::Index>(),
        length in 0usize..12,
        put in "[a-z\\[\\]{}:,'\"|>&*!#?\\-\\n \\\\$]{0,8}",
    ) {
        let mut characters: Vec<char> = base_text(file).chars().collect();
        let start = from.index(characters.len());
        let end = (start + length).min(characters.len());
        characters.splice(start..end, put.chars());
        let text: String = characters.into_iter().collect();
        let dir = directory(&[(file, text.as_bytes())]);
        let problems = check(dir.path(), &env);
        let lines = u32::try_from(text.lines().count()).expect("few lines");
        let within = problems.iter().all(|problem| problem.file != file || problem.line <= lines + 1);
        prop_assert!(within, "a place outside of the file");
    }
}

/// A supervisor's folder for logs is written, the configuration's often is not.
#[test]
fn discarded_messages_are_logged_where_a_supervisor_says() {
    let dir = directory(&[]);
    let under = |logs: Option<&'static str>| {
        let env =
            move |name: &str| if name == "LOGS_DIRECTORY" { logs.map(str::to_owned) } else { env(name) };
        Config::load(dir.path(), &env).expect("right").service.log.discarded_messages
    };
    let file = "discarded-messages.log";
    assert_eq!(under(Some("/var/log/annals:/var/log/more")), Some(Path::new("/var/log/annals").join(file)));
    assert_eq!(under(None), Some(dir.path().join(file)));
}
