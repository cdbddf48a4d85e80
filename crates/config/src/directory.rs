//! The files of a configuration directory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use crate::file::{Environment, FILE_BYTES_MAX, File, Resolver};
use crate::node::{Position, shortened};
use crate::problem::Notes;
use crate::read::service::{Needs, ServiceFile, service};
use crate::resolve::reason;
use crate::suggest::nearest;
use crate::value::Value;

/// The service configuration.
pub(crate) const SERVICE_FILE: &str = "annals.yaml";
const FOLDERS: [&str; 4] = ["sources", "transform", "extract", "tasks"];

/// What stands in a snapshot for a secret that was left out of it.
const LEFT_OUT: &str = "***";
/// What is read in its place: it must pass for a secret until the service's own one takes its place.
const STAND_IN: &str = "left-out-of-the-snapshot";

/// A directory that is being read, or the snapshot of one.
pub(crate) struct Directory<'d> {
    dir: &'d Path,
    /// The texts of its files by path, where they were read before.
    snapshot: Option<BTreeMap<String, String>>,
    notes: &'d Notes,
    /// Texts for the snapshot, by path.
    texts: BTreeMap<String, String>,
}

/// A configuration with the name that it goes by and where that stands.
pub(crate) struct Named<T> {
    pub(crate) name: String,
    pub(crate) at: Position,
    pub(crate) item: T,
}

/// The configurations of one folder by name, each with the path of its file.
pub(crate) struct Folder<T> {
    items: BTreeMap<String, (T, String)>,
    /// Default names of files that could not be read: who refers to them has done nothing wrong.
    broken: BTreeSet<String>,
}

impl<T> Folder<T> {
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.items.get(name).map(|(item, _)| item)
    }

    /// There is a file of this name, readable or not.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.items.contains_key(name) || self.broken.contains(name)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.items.keys().map(String::as_str).collect()
    }

    /// The only configuration of the folder.
    pub(crate) fn only(&self) -> Option<&T> {
        match (self.items.values().next(), self.items.len(), self.broken.is_empty()) {
            (Some((item, _)), 1, true) => Some(item),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&T, &str)> {
        self.items.values().map(|(item, file)| (item, file.as_str()))
    }

    pub(crate) fn into_map<U>(self, of: impl Fn(T) -> U) -> BTreeMap<String, U> {
        self.items.into_iter().map(|(name, (item, _))| (name, of(item))).collect()
    }
}

impl<'d> Directory<'d> {
    pub(crate) fn new(dir: &'d Path, notes: &'d Notes) -> Self {
        Self { dir, snapshot: None, notes, texts: BTreeMap::new() }
    }

    /// The files of a snapshot, as [`Self::into_snapshot`] makes them; what they refer to is looked for in `dir`.
    pub(crate) fn of_snapshot(dir: &'d Path, snapshot: &serde_json::Value, notes: &'d Notes) -> Self {
        let files = snapshot.get("files").and_then(serde_json::Value::as_object).into_iter().flatten();
        let mut texts: BTreeMap<String, String> =
            files.filter_map(|(path, text)| Some((path.clone(), text.as_str()?.to_owned()))).collect();
        if let Some(service) = texts.get_mut(SERVICE_FILE) {
            *service = service.replace(LEFT_OUT, STAND_IN);
        }
        Self { dir, snapshot: Some(texts), notes, texts: BTreeMap::new() }
    }

    pub(crate) fn error(&self, file: &str, at: Position, message: String, help: impl Into<String>) {
        File::new(file, String::new(), self.notes, None).error(at, message, help);
    }

    pub(crate) fn warning(&self, file: &str, at: Position, message: String, help: impl Into<String>) {
        File::new(file, String::new(), self.notes, None).warning(at, message, help);
    }

    /// `{"files": {path: text}}`.
    pub(crate) fn into_snapshot(self) -> serde_json::Value {
        serde_json::json!({ "files": self.texts })
    }

    /// Reads `annals.yaml`; secrets in it do not reach the snapshot.
    pub(crate) fn service(&mut self, env: Environment<'_>, needs: Needs) -> Option<ServiceFile> {
        let help = "run `annals init` to write a configuration, or name its directory";
        let text = self.text(SERVICE_FILE, help)?;
        let resolver = Resolver { env, dir: self.dir };
        let file = File::new(SERVICE_FILE, text, self.notes, Some(resolver));
        let root = crate::yaml::parse(&file)?;
        let value = Value { file: &file, node: &root, label: "the service configuration".to_owned() };
        let mut found = service(&value, self.dir, needs)?;
        let mut text = file.text.clone();
        // From the last to the first, so that the places of the earlier ones stay right.
        found.secrets.sort_by_key(|range| std::cmp::Reverse(range.start));
        for range in &found.secrets {
            if text.get(range.clone()).is_some() {
                text.replace_range(range.clone(), LEFT_OUT);
            }
        }
        self.texts.insert(SERVICE_FILE.to_owned(), text);
        Some(found)
    }

    /// Reads every `*.yaml` of a folder, in the order of their names. A folder that is not there is empty.
    pub(crate) fn folder<T>(
        &mut self,
        folder: &str,
        read: impl Fn(&Value<'_>) -> Option<Named<T>>,
    ) -> Folder<T> {
        let mut found = Folder { items: BTreeMap::new(), broken: BTreeSet::new() };
        for name in self.file_names(folder) {
            let path = format!("{folder}/{name}");
            let Some(text) = self.text(&path, "make it readable, or remove it") else {
                found.broken.insert(stem(&name).to_owned());
                continue;
            };
            let file = File::new(&path, text, self.notes, None);
            let root = crate::yaml::parse(&file);
            let label = "the configuration".to_owned();
            let named = root.as_ref().and_then(|node| read(&Value { file: &file, node, label }));
            match named {
                Some(named) => add(&mut found, named, &file, folder),
                None => {
                    found.broken.insert(stem(&name).to_owned());
                }
            }
            self.texts.insert(path, file.text);
        }
        found
    }

    /// Names of the YAML files of a folder, sorted. Hidden files and what editors leave behind are passed
    /// over.
    fn file_names(&self, folder: &str) -> Vec<String> {
        if let Some(snapshot) = &self.snapshot {
            let of_folder = |path: &String| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
            return snapshot.keys().filter_map(of_folder).collect();
        }
        let entries = match std::fs::read_dir(self.dir.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let message = format!("the folder cannot be read: {}", reason(&error));
                self.error(folder, Position::START, message, "make it a readable folder");
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            if name.ends_with(".yaml") {
                names.push(name);
            } else if name.ends_with(".yml") {
                let path = format!("{folder}/{name}");
                let help = format!("rename it to `{}.yaml`", stem(&name));
                let message = "the file is not read, because its name does not end in `.yaml`";
                self.error(&path, Position::START, message.to_owned(), help);
            }
        }
        names.sort_unstable();
        names
    }

    /// A folder `task` beside `tasks` would be passed over in silence.
    pub(crate) fn note_misnamed_folders(&self) {
        let Ok(entries) = std::fs::read_dir(self.dir) else { return };
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if FOLDERS.contains(&name.as_str()) || name.starts_with('.') {
                continue;
            }
            if let Some(near) = nearest(&name, FOLDERS) {
                let message = format!("the folder `{}` is not read", shortened(&name));
                self.warning(&name, Position::START, message, format!("did you mean `{near}`?"));
            }
        }
    }

    /// The text of a file; `None`: what is wrong with it has been noted.
    fn text(&self, path: &str, help: &str) -> Option<String> {
        if let Some(snapshot) = &self.snapshot {
            let text = snapshot.get(path).cloned();
            if text.is_none() {
                self.error(path, Position::START, "the snapshot lacks the file".to_owned(), help);
            }
            return text;
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(self.dir.join(path))
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            let message = format!("the file cannot be read: {}", reason(&error));
            self.error(path, Position::START, message, help);
            return None;
        }
        if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
            let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
            self.error(path, Position::START, message, "split it into several files");
            return None;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
                self.error(
                    path,
                    end_of(&before),
                    "the file is not UTF-8 text here".to_owned(),
                    "save it as UTF-8",
                );
                None
            }
        }
    }
}

fn add<T>(found: &mut Folder<T>, named: Named<T>, file: &File<'_>, folder: &str) {
    let Named { name, at, item } = named;
    if let Some((_, first)) = found.items.get(&name) {
        let message = format!("the name `{}` belongs to {first} already", shortened(&name));
        file.error(at, message, format!("give each file in {folder}/ a name of its own"));
        return;
    }
    found.items.insert(name, (item, file.name.clone()));
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The place behind a text.
fn end_of(text: &str) -> Position {
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}
