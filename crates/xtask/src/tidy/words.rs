//! Words that must not land: leftovers, machine paths, the driver outside its crate, names that say nothing.

use super::Finding;
use crate::root::TextFile;

/// A text that must not stand in some files. The words are put together here so that this file may hold them.
struct Forbidden {
    word: &'static str,
    /// Which files it is looked for in.
    within: Within,
    why: &'static str,
}

enum Within {
    Everything,
    Rust,
    RustOutside(&'static str),
}

const FORBIDDEN: [Forbidden; 6] = [
    Forbidden { word: concat!("FIX", "ME"), within: Within::Everything, why: "mend it or open an issue" },
    Forbidden { word: concat!("to", "do!("), within: Within::Rust, why: "write it before it lands" },
    Forbidden { word: concat!("db", "g!("), within: Within::Rust, why: "log it properly or take it out" },
    Forbidden {
        word: concat!("#[ign", "ore"),
        within: Within::Rust,
        why: "a test that never runs shows nothing",
    },
    Forbidden { word: concat!("allow(dead", "_code"), within: Within::Rust, why: "delete what nothing uses" },
    Forbidden {
        word: concat!("sql", "x::"),
        within: Within::RustOutside("crates/sql/"),
        why: "only crates/sql names the driver; call that",
    },
];

/// Folders of one machine; what is shared must not know them.
const MACHINE_FOLDERS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// Names for folders and modules that could hold anything.
const EMPTY_NAMES: [&str; 4] = ["utils", "common", "helpers", "types"];

/// Findings about words and names.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    files.iter().flat_map(|file| in_text(file).into_iter().chain(in_path(&file.path))).collect()
}

/// Findings in a file's text.
fn in_text(file: &TextFile) -> Vec<Finding> {
    let forbidden: Vec<&Forbidden> = FORBIDDEN.iter().filter(|one| one.within.holds(&file.path)).collect();
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let place = format!("{}:{}", file.path, number + 1);
        for one in &forbidden {
            if line.contains(one.word) {
                findings.push(Finding::new(&place, format!("`{}` must not land: {}", one.word, one.why)));
            }
        }
        for folder in MACHINE_FOLDERS {
            if names_folder(line, folder) {
                findings.push(Finding::new(
                    &place,
                    format!("`{folder}` is a folder of one machine: take it out"),
                ));
            }
        }
    }
    findings
}

/// Whether a line names this folder from the top of a file system, and not one of the same name further down.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|character| !(character.is_alphanumeric() || "._-~/*}$<>%".contains(character)))
    })
}

/// Findings in a file's path.
fn in_path(path: &str) -> Option<Finding> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let module = name.strip_suffix(".rs");
    let empty = folders.split('/').chain(module).find(|name| EMPTY_NAMES.contains(name))?;
    Some(Finding::new(path, format!("`{empty}` says nothing: name it after the noun that it holds")))
}

impl Within {
    fn holds(&self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Rust => path.ends_with(".rs"),
            Self::RustOutside(folder) => path.ends_with(".rs") && !path.starts_with(folder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        check(&[file]).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn each_forbidden_word_is_found_at_its_line() {
        for one in &FORBIDDEN {
            let text = format!("fine\n  {}x\n", one.word);
            assert_eq!(found("crates/model/src/a.rs", &text), ["crates/model/src/a.rs:2"], "{}", one.word);
        }
    }

    #[test]
    fn words_of_rust_are_free_elsewhere() {
        assert_eq!(found("docs/a.md", concat!("write to", "do!() never")), [""; 0]);
        assert_eq!(found("docs/a.md", concat!("FIX", "ME")), ["docs/a.md:1"]);
    }

    #[test]
    fn the_driver_is_named_in_its_crate_alone() {
        let text = concat!("use sql", "x::Row;");
        assert_eq!(found("crates/sql/src/a.rs", text), [""; 0]);
        assert_eq!(found("crates/sqlite/src/a.rs", text), ["crates/sqlite/src/a.rs:1"]);
    }

    #[test]
    fn folders_of_one_machine_are_found_and_their_namesakes_are_not() {
        for folder in MACHINE_FOLDERS {
            for text in [format!("{folder}x"), format!("cd {folder}main"), format!("at \"{folder}\"")] {
                assert_eq!(found("a.md", &text), ["a.md:1"], "{text}");
            }
            for text in
                [format!("https://example.org{folder}x"), format!("$HOME{folder}x"), format!("~{folder}")]
            {
                assert_eq!(found("a.md", &text), [""; 0], "{text}");
            }
        }
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        assert_eq!(found("crates/model/src/utils.rs", ""), ["crates/model/src/utils.rs"]);
        assert_eq!(found("tests/common/mod.rs", ""), ["tests/common/mod.rs"]);
        assert_eq!(found("docs/common.md", ""), [""; 0]);
        assert_eq!(found("crates/model/src/object_types.rs", ""), [""; 0]);
    }
}
