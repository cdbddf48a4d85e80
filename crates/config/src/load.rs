//! Reads the files of a configuration directory, in the order in which one needs another: service, profiles,
//! transforms, extracts, tasks.

use std::collections::BTreeMap;
use std::path::Path;

use crate::banner::{config_unknown, image_descriptor_missing};
use crate::config::Config;
use crate::directory::{Directory, Folder, Named, SERVICE_FILE};
use crate::file::Environment;
use crate::node::shortened;
use crate::problem::Notes;
use crate::problem::Problems;
use crate::profile::Profile;
use crate::read;
use crate::read::extract::ExtractFile;
use crate::read::service::{Needs, ServiceFile};
use crate::read::task::TaskFile;
use crate::suggest::known_words;
use crate::transform::TransformConfig;

/// Reads a directory; everything wrong in it is found in one go.
pub(crate) fn load(dir: &Path, env: Environment<'_>, needs: Needs) -> Result<Config, Problems> {
    let notes = Notes::default();
    let directory = Directory::new(dir, &notes);
    directory.note_misnamed_folders();
    let config = read_all(directory, dir, env, needs);
    outcome(config, notes, dir)
}

/// Reads a snapshot; what this host's files alone can say is taken from `own`.
pub(crate) fn of_snapshot(
    own: &Config,
    snapshot: &serde_json::Value,
    env: Environment<'_>,
) -> Result<Config, Problems> {
    let notes = Notes::default();
    let config = read_all(Directory::of_snapshot(&own.dir, snapshot, &notes), &own.dir, env, Needs::All);
    let mut config = outcome(config, notes, &own.dir)?;
    let service = &mut config.service;
    service.source.url.clone_from(&own.service.source.url);
    service.history.url.clone_from(&own.service.history.url);
    service.worker_slots = own.service.worker_slots;
    service.lease_ms = own.service.lease_ms;
    service.secret_hash_key.clone_from(&own.service.secret_hash_key);
    service.log.clone_from(&own.service.log);
    service.tracing.clone_from(&own.service.tracing);
    service.queue.transport.clone_from(&own.service.queue.transport);
    config.snapshot = snapshot.clone();
    Ok(config)
}

fn outcome(config: Option<Config>, notes: Notes, dir: &Path) -> Result<Config, Problems> {
    let problems = notes.into_problems(dir);
    match config {
        Some(config) if !problems.has_errors() => Ok(Config { warnings: problems, ..config }),
        _ => Err(problems),
    }
}

fn read_all(mut directory: Directory<'_>, dir: &Path, env: Environment<'_>, needs: Needs) -> Option<Config> {
    let service = directory.service(env, needs);
    let profiles = directory.folder("sources", |root| {
        let (profile, at) = read::profile::profile(root)?;
        Some(Named { name: profile.name.clone(), at, item: profile })
    });
    let profile = service_profile(&directory, service.as_ref(), &profiles);
    let transforms = directory.folder("transform", |root| {
        let (transform, at) = read::transform::transform(root, profile)?;
        Some(Named { name: transform.name.clone(), at, item: transform })
    });
    check_hidden(&directory, service.as_ref(), profile, &transforms);
    let extracts = directory.folder("extract", |root| {
        let extract = read::extract::extract(root, profile)?;
        Some(Named { name: extract.config.name.clone(), at: extract.name_at, item: extract })
    });
    for (extract, file) in extracts.iter() {
        check_extract(&directory, extract, file, &transforms, profile);
    }
    let zone = service.as_ref().map_or("UTC", |found| found.service.time_zone.as_str());
    let tasks = directory.folder("tasks", |root| {
        let task = read::task::task(root, zone)?;
        Some(Named { name: task.task.name.clone(), at: task.name_at, item: task })
    });
    check_tasks(&directory, &tasks, &extracts);
    let profile = profile.cloned();
    let snapshot = directory.into_snapshot();
    Some(Config {
        dir: dir.to_owned(),
        service: service?.service,
        tasks: tasks.into_map(|file| file.task),
        extracts: extracts.into_map(|file| file.config),
        transforms: transforms.into_map(|transform| transform),
        profiles: profiles.into_map(|profile| profile),
        snapshot,
        warnings: Problems::default(),
        profile: profile?,
    })
}

/// The profile that the service names. Where that cannot be told, a profile that is the only one stands in,
/// so that its users are checked all the same.
fn service_profile<'p>(
    directory: &Directory<'_>,
    service: Option<&ServiceFile>,
    profiles: &'p Folder<Profile>,
) -> Option<&'p Profile> {
    let name = service.map_or("", |found| found.service.source.profile.as_str());
    // A profile without object types has been noted; against it, everything else would be wrong as well.
    let usable = |profile: &&Profile| !profile.object_types.is_empty();
    if let Some(profile) = profiles.get(name) {
        return Some(profile).filter(usable);
    }
    if let Some(found) = service
        && !name.is_empty()
        && !profiles.knows(name)
    {
        let message = format!("there is no source profile `{}`", shortened(name));
        let none = "write one into sources/, for example with `annals init`";
        directory.error(SERVICE_FILE, found.profile_at, message, known_words(name, &profiles.names(), none));
    }
    profiles.only().filter(usable)
}

/// What is to be hidden is there.
fn check_hidden(
    directory: &Directory<'_>,
    service: Option<&ServiceFile>,
    profile: Option<&Profile>,
    transforms: &Folder<TransformConfig>,
) {
    let (Some(service), Some(profile)) = (service, profile) else { return };
    for (object_type, name) in &service.hidden_at {
        let transforms = transforms.iter().map(|(transform, _)| transform);
        if let Some((message, help)) = read::api::wrong_hidden(*object_type, &name.text, profile, transforms)
        {
            directory.error(SERVICE_FILE, name.at, message, help);
        }
    }
}

/// What a run would complain about (IIQ-47, IIQ-50).
fn check_extract(
    directory: &Directory<'_>,
    extract: &ExtractFile,
    file: &str,
    transforms: &Folder<TransformConfig>,
    profile: Option<&Profile>,
) {
    let Some(name) = extract.config.transform.as_deref() else { return };
    let Some(transform) = transforms.get(name) else {
        if !transforms.knows(name) {
            let help = known_words(name, &transforms.names(), "write one into transform/");
            directory.warning(file, extract.transform_at, config_unknown(name), help);
        }
        return;
    };
    // Without a profile nobody knows which class a descriptor means.
    let Some(profile) = profile else { return };
    for (object_type, at) in &extract.objects_at {
        if let Some(known) = profile.object_types.get(object_type)
            && !transform.images.contains_key(object_type)
        {
            let message = image_descriptor_missing(known.bare_class());
            let help = format!("add a descriptor of `{object_type}` to the transform configuration `{name}`");
            directory.warning(file, *at, message, help);
        }
    }
}

/// Each task has an extract configuration of its own (IIQ-21).
fn check_tasks(directory: &Directory<'_>, tasks: &Folder<TaskFile>, extracts: &Folder<ExtractFile>) {
    // By file, so that the second of two is the one whose file comes later.
    let mut by_file: Vec<(&TaskFile, &str)> = tasks.iter().collect();
    by_file.sort_by_key(|(_, file)| *file);
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (task, file) in &by_file {
        let sweeps = by_file
            .iter()
            .find(|(other, _)| other.task.reconcile.is_some() && other.task.sweep_name() == task.task.name);
        if let Some((_, other)) = sweeps {
            let name = shortened(&task.task.name);
            let message = format!("the name `{name}` belongs to the reconcile sweep of {other}");
            directory.error(file, task.name_at, message, "give the task another name");
        }
    }
    for (task, file) in by_file {
        let extract = task.task.extract_configuration.as_str();
        if !extracts.knows(extract) {
            let message = format!("there is no extract configuration `{}`", shortened(extract));
            let help = known_words(extract, &extracts.names(), "write one into extract/");
            directory.error(file, task.extract_at, message, help);
        } else if let Some(other) = taken.insert(extract, file) {
            let message =
                format!("the extract configuration `{}` belongs to {other} already", shortened(extract));
            let help =
                "each task needs an extract configuration of its own: copy the file under another name";
            directory.error(file, task.extract_at, message, help);
        }
    }
}
