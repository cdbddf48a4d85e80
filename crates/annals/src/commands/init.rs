//! `annals init`: writes the ready-made configuration.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::InitArgs;
use crate::exit::{Exit, Failure};
use crate::output::say;

/// The ready-made files: path in the configuration directory, content.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("annals.yaml", include_str!("../../../../config/annals.yaml")),
    (
        "tasks/dispatch-access-history.yaml",
        include_str!("../../../../config/tasks/dispatch-access-history.yaml"),
    ),
    (
        "extract/AccessHistoryExportConfig.yaml",
        include_str!("../../../../config/extract/AccessHistoryExportConfig.yaml"),
    ),
    (
        "transform/AccessHistoryImageConfig.yaml",
        include_str!("../../../../config/transform/AccessHistoryImageConfig.yaml"),
    ),
    ("sources/identityiq.yaml", include_str!("../../../../config/sources/identityiq.yaml")),
];

pub(crate) fn execute(arguments: &InitArgs) -> Result<Exit, Failure> {
    let (written, kept) = write(&arguments.dir, arguments.force)?;
    for path in &written {
        say(format_args!("{path}"))?;
    }
    if !kept.is_empty() {
        eprintln!("Left as they are: {}. Write over them with --force.", kept.join(", "));
    }
    eprintln!(
        "Next: set source.url, history.url and ANNALS_SECRET_HASH_KEY, set accessHistoryEnabled: true, then `annals check`, `annals migrate`, `annals run`."
    );
    Ok(Exit::Ok)
}

/// Writes the files; the paths that were written, and those that were there and left alone.
pub(crate) fn write(dir: &Path, force: bool) -> Result<(Vec<String>, Vec<&'static str>), Failure> {
    let mut written = Vec::new();
    let mut kept = Vec::new();
    for (path, content) in FILES {
        let target = dir.join(path);
        if target.exists() && !force {
            kept.push(*path);
            continue;
        }
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        std::fs::write(&target, content).with_context(|| format!("writing {}", target.display()))?;
        written.push(target.display().to_string());
    }
    Ok((written, kept))
}
