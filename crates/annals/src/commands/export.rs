//! Answers as files: `--export FILE` of every question.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use annals_audit::{Access, note_access};
use annals_questions::export::{Export, ExportFormat, Pages};
use annals_sql::{Db, Tx};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use tempfile::NamedTempFile;

use crate::cli::ExportArgs;
use crate::commands::run::{host_name, signalled};
use crate::exit::{Exit, Failure};

/// How the name of who exports is known: the operating system tells it (AQL-06).
const LOCAL: &str = "local";

const BAR_EVERY: Duration = Duration::from_millis(200);

/// A file that was asked for.
pub(crate) struct ToFile {
    path: PathBuf,
    format: ExportFormat,
    quiet: bool,
}

impl ToFile {
    /// What was asked for, if anything was.
    pub(crate) fn asked(arguments: &ExportArgs, quiet: bool) -> Result<Option<Self>, Failure> {
        let Some(path) = arguments.export.clone() else { return Ok(None) };
        let of_name = || {
            ExportFormat::of_file(&path).ok_or_else(|| {
                Failure::usage(
                    format!("the name of `{}` does not say which form of file it is", path.display()),
                    "Let it end with .csv, .json, .ndjson or .parquet, or say --export-format.",
                )
            })
        };
        let format = arguments.export_format.map_or_else(of_name, Ok)?;
        Ok(Some(Self { path, format, quiet }))
    }

    /// Notes in the access log who has what exported, and then writes all pages to the file. The file has its name when it
    /// is whole, and not before; one that is there under this name stays until then.
    pub(crate) async fn write(
        &self,
        history: &Db,
        mut tx: Tx,
        (operation, mut pages): (&'static str, Box<dyn Pages>),
        zone: &TimeZone,
    ) -> Result<Exit, Failure> {
        // What cannot be answered is said before anything is noted or written.
        let first = pages.next(&mut tx).await.map_err(Failure::of_question)?;
        let begun = self.begin()?;
        note(history, operation).await?;
        let bar = self.progress();
        let out = BufWriter::new(begun);
        let mut export = Export::begin(self.format, pages.columns(), zone.clone(), out)?;
        export.write(first.unwrap_or_default())?;
        let written = tokio::select! {
            written = export.write_all(&mut tx, &mut *pages, |rows| bar.set_position(rows)) => written,
            _ = signalled() => return Ok(Exit::Interrupted),
        };
        bar.finish_and_clear();
        written.map_err(Failure::of_question)?;
        let (out, rows) = export.end()?;
        tx.rollback().await?;
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error);
        let path = &self.path;
        let naming = || format!("writing {}", path.display());
        let file = file.with_context(naming)?;
        file.as_file().sync_all().with_context(naming)?;
        file.persist(path).map_err(|error| error.error).with_context(naming)?;
        eprintln!("{rows} rows in {}", path.display());
        Ok(Exit::Ok)
    }

    /// A file beside the one that was asked for, gone unless it is given its name.
    fn begin(&self) -> Result<NamedTempFile<File>, Failure> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let file = NamedTempFile::with_prefix_in(".annals-export-", folder)
            .with_context(|| format!("no file can be made in {}", folder.display()))?;
        if self.path.is_dir() {
            return Err(Failure::usage(
                format!("`{}` is a folder", self.path.display()),
                "Name a file in it.",
            ));
        }
        Ok(file)
    }

    /// Rows so far, on a terminal.
    fn progress(&self) -> ProgressBar {
        if self.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {human_pos} rows, {per_sec}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(BAR_EVERY);
        bar
    }
}

/// A row of the access log, in a transaction of its own: it is there whatever comes of the file.
async fn note(history: &Db, operation: &'static str) -> Result<(), Failure> {
    let arguments = std::env::args().skip(1).map(|argument| {
        if argument.contains(char::is_whitespace) { format!("'{argument}'") } else { argument }
    });
    let access = Access {
        principal: whoami::username().unwrap_or_else(|_| "unknown".to_owned()),
        roles: Vec::new(),
        authentication: LOCAL,
        address: LOCAL.to_owned(),
        host: host_name(),
        method: "EXPORT".to_owned(),
        path: "annals".to_owned(),
        operation,
        query: Some(arguments.collect::<Vec<_>>().join(" ")),
        rows: None,
        status: 200,
    };
    let noted = async {
        let mut tx = history.begin().await?;
        note_access(&mut tx, &access).await.context("the export could not be noted in the access log")?;
        Ok::<_, anyhow::Error>(tx.commit().await?)
    };
    noted.await.map_err(Failure::from)
}
