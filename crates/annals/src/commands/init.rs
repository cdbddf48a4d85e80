//! `annals init`: writes the ready-made configuration.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::InitArgs;
use crate::exit::{Exit, Failure};
use crate::output::say;

/// A ready-made source profile with the extract and transform configuration that go with it.
struct ReadyMade {
    profile: &'static str,
    source: &'static str,
    extract: &'static str,
    transform: &'static str,
}

const READY_MADE: [ReadyMade; 2] = [
    ReadyMade {
        profile: "identityiq",
        source: include_str!("../../../../config/sources/identityiq.yaml"),
        extract: include_str!("../../../../config/extract/AccessHistoryExportConfig.yaml"),
        transform: include_str!("../../../../config/transform/AccessHistoryImageConfig.yaml"),
    },
    ReadyMade {
        profile: "request-tracker",
        source: include_str!("../../../../config/sources/request-tracker.yaml"),
        extract: include_str!("../../../../config/request-tracker/extract/AccessHistoryExportConfig.yaml"),
        transform: include_str!("../../../../config/request-tracker/transform/AccessHistoryImageConfig.yaml"),
    },
];

const SERVICE: &str = include_str!("../../../../config/annals.yaml");
const TASK: &str = include_str!("../../../../config/tasks/dispatch-access-history.yaml");

pub(crate) fn execute(arguments: &InitArgs) -> Result<Exit, Failure> {
    let (written, kept) = write(&arguments.dir, &arguments.profile, arguments.force)?;
    for path in &written {
        say(format_args!("{path}"))?;
    }
    if !kept.is_empty() {
        eprintln!("Left as they are: {}. Write over them with --force.", kept.join(", "));
    }
    eprintln!(
        "Next: set source.url, history.url and ANNALS_SECRET_HASH_KEY, set accessHistoryEnabled: true, then `annals check`, `annals migrate`, `annals run`; `annals daemon` runs every night."
    );
    Ok(Exit::Ok)
}

/// Writes the files for a profile; the paths that were written, and those that were there and left alone.
pub(crate) fn write(dir: &Path, profile: &str, force: bool) -> Result<(Vec<String>, Vec<String>), Failure> {
    let ready = READY_MADE.iter().find(|ready| ready.profile == profile).ok_or_else(|| {
        let known = READY_MADE.map(|ready| ready.profile).join("`, `");
        Failure::usage(
            format!("there is no ready-made profile `{profile}`"),
            format!("Take one of `{known}`; docs/source-profiles.md tells how to write another."),
        )
    })?;
    let service = SERVICE.replace("profile: identityiq", &format!("profile: {profile}"));
    let files = [
        ("annals.yaml".to_owned(), service.as_str()),
        ("tasks/dispatch-access-history.yaml".to_owned(), TASK),
        ("extract/AccessHistoryExportConfig.yaml".to_owned(), ready.extract),
        ("transform/AccessHistoryImageConfig.yaml".to_owned(), ready.transform),
        (format!("sources/{profile}.yaml"), ready.source),
    ];
    let mut written = Vec::new();
    let mut kept = Vec::new();
    for (path, content) in files {
        let target = dir.join(&path);
        if target.exists() && !force {
            kept.push(path);
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
