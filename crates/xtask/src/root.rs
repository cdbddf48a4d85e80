//! The checkout that the chores work on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

/// Text files larger than this are data, which no check looks into.
const TEXT_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Folders that hold nothing of ours, for checkouts without git.
const FOREIGN_FOLDERS: [&str; 2] = ["target", ".git"];

/// How the variables begin that cargo sets for a package that it runs.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// The checkout's top folder.
#[derive(Debug)]
pub(crate) struct Root {
    folder: PathBuf,
}

/// A text file of the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextFile {
    /// Path below the top folder, with forward slashes.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

impl Root {
    /// The nearest folder at or above the current one that is a workspace of ours.
    pub(crate) fn find() -> Result<Self> {
        let current = env::current_dir().context("cannot tell the current folder")?;
        let folder = current.ancestors().find(|folder| folder.join("crates/xtask/Cargo.toml").is_file());
        let Some(folder) = folder else { bail!("{} is not inside a checkout of Annals", current.display()) };
        Ok(Self { folder: folder.to_owned() })
    }

    /// The top folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A `cargo` command at the top folder.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new("cargo");
        // What cargo tells of the package that these chores are: build scripts that ask for it would take it for news, and
        // half of the workspace be compiled anew.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix)))
            {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.folder);
        command
    }

    /// Paths of all files that are tracked or could be: what git ignores is left out. Sorted.
    pub(crate) fn paths(&self) -> Result<Vec<String>> {
        let mut paths = match self.paths_by_git() {
            Some(paths) => paths,
            None => self.paths_by_walking()?,
        };
        paths.retain(|path| self.folder.join(path).is_file());
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    /// All text files of the checkout: UTF-8 and not huge.
    pub(crate) fn text_files(&self) -> Result<Vec<TextFile>> {
        let mut files = Vec::new();
        for path in self.paths()? {
            let full = self.folder.join(&path);
            let bytes = fs::metadata(&full).with_context(|| format!("cannot look at {path}"))?.len();
            if bytes > TEXT_BYTES_MAX {
                continue;
            }
            let content = fs::read(&full).with_context(|| format!("cannot read {path}"))?;
            if let Ok(text) = String::from_utf8(content) {
                files.push(TextFile { path, text });
            }
        }
        Ok(files)
    }

    /// What git says; nothing where there is no git or this is no repository.
    fn paths_by_git(&self) -> Option<Vec<String>> {
        let output = Command::new("git")
            .current_dir(&self.folder)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .ok()?;
        let listed = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| listed.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Every file but those in folders that a build makes.
    fn paths_by_walking(&self) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let entries =
                fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
            for entry in entries {
                let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
                let relative = path.strip_prefix(&self.folder)?.to_string_lossy().into_owned();
                if !path.is_dir() {
                    paths.push(relative);
                } else if !FOREIGN_FOLDERS.contains(&relative.as_str()) {
                    folders.push(path);
                }
            }
        }
        Ok(paths)
    }

    /// A checkout at this folder, for tests.
    #[cfg(test)]
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in [
            (".gitignore", &b"/target\n/made\n"[..]),
            ("src/a.rs", b"fn a() {}\n"),
            ("target/built.rs", b"built"),
            ("made/out.txt", b"made"),
            ("picture.png", &[0x89, b'P', 0xff]),
        ] {
            let full = folder.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, content).unwrap();
        }
        let root = Root::at(folder.path());
        (folder, root)
    }

    #[test]
    fn without_git_all_but_built_files_are_listed() {
        let (_folder, root) = checkout();
        assert_eq!(root.paths().unwrap(), [".gitignore", "made/out.txt", "picture.png", "src/a.rs"]);
    }

    #[test]
    fn with_git_ignored_and_deleted_files_are_left_out() {
        let (folder, root) = checkout();
        let git = |arguments: &[&str]| {
            assert!(
                Command::new("git").current_dir(folder.path()).args(arguments).status().unwrap().success()
            );
        };
        git(&["init", "--quiet"]);
        fs::write(folder.path().join("gone.rs"), "").unwrap();
        git(&["add", "gone.rs", "src/a.rs"]);
        fs::remove_file(folder.path().join("gone.rs")).unwrap();
        assert_eq!(root.paths().unwrap(), [".gitignore", "picture.png", "src/a.rs"]);
    }

    #[test]
    fn what_is_no_text_is_not_read() {
        let (_folder, root) = checkout();
        let paths: Vec<String> = root.text_files().unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, [".gitignore", "made/out.txt", "src/a.rs"]);
    }
}
