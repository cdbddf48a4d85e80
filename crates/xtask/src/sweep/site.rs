//! An installation that is swept: an identity system in a file, a history database, a configuration, the program.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use annals_testkit::{Engine, TestDb, database};
use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Ready-made files that a site has besides its own `annals.yaml` and task.
const FILES: [&str; 3] = [
    "extract/AccessHistoryExportConfig.yaml",
    "transform/AccessHistoryImageConfig.yaml",
    "sources/identityiq.yaml",
];

/// The one task.
pub(crate) const TASK: &str = "Dispatch Access History";

/// How long a call of the program may take: far longer than any takes that ends at all.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// How often a process is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What differs from site to site, and from call to call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) worker_slots: u32,
    pub(crate) loss_limit: u32,
    pub(crate) batch_objects_max: u32,
    /// More arguments of the task, as the inside of a YAML mapping.
    pub(crate) arguments: &'static str,
}

/// An installation.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) source: TestDb,
    pub(crate) history: TestDb,
    folder: TempDir,
    program: PathBuf,
    root: PathBuf,
}

/// How a call of the program ended, and what it told people.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) err: String,
}

impl Said {
    /// It did what it was asked to, though objects may have failed.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.status.code(), Some(0 | 3))
    }
}

impl Site {
    /// Empty databases; `root` is the checkout, `program` the program under test.
    pub(crate) fn new(root: &Path, program: &Path, source: Engine, history: Engine) -> Result<Self> {
        Self::of(root, program, database(source), database(history))
    }

    /// Another site that is as this one, while nobody works on it.
    pub(crate) fn copy(&self) -> Result<Self> {
        Self::of(&self.root, &self.program, self.source.copy(), self.history.copy())
    }

    fn of(root: &Path, program: &Path, source: TestDb, history: TestDb) -> Result<Self> {
        let folder = TempDir::with_prefix("annals-sweep-").context("cannot make a folder")?;
        for file in FILES {
            let target = folder.path().join(file);
            fs::create_dir_all(target.parent().context("a folder in the configuration")?)?;
            fs::copy(root.join("config").join(file), target)
                .with_context(|| format!("cannot copy {file}"))?;
        }
        fs::create_dir(folder.path().join("tasks"))?;
        Ok(Self { source, history, folder, program: program.to_owned(), root: root.to_owned() })
    }

    /// Writes the configuration. Deliveries that fail are not tried again within a test's time.
    pub(crate) fn configure(&self, settings: Settings) -> Result<()> {
        let Settings { worker_slots, loss_limit, batch_objects_max, arguments } = settings;
        let remove = if self.source.engine() == Engine::Sqlite { ", interceptedDeletes: remove" } else { "" };
        let service = format!(
            "accessHistoryEnabled: true\n\
             source: {{profile: identityiq, overlapSeconds: 0, url: \"{}\"{remove}}}\n\
             history: {{url: \"{}\"}}\nworkerSlots: {worker_slots}\nsecretHashKey: a-key-for-tests-alone\n\
             capture: {{jsonFormat: MINIFIED, maxAllowedPatches: 3}}\n\
             queue: {{redeliveryDelaySeconds: 3600, batchObjectsMax: {batch_objects_max}}}\n",
            self.source.url(),
            self.history.url()
        );
        fs::write(self.folder.path().join("annals.yaml"), service)?;
        let task = format!(
            "name: {TASK}\nextractConfiguration: AccessHistoryExportConfig\n\
             arguments: {{lossLimit: {loss_limit}, minExtractPartitions: 2, {arguments}}}\n"
        );
        self.write("tasks/dispatch-access-history.yaml", &task)
    }

    /// Writes a file of the configuration.
    pub(crate) fn write(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.folder.path().join(file), text).with_context(|| format!("cannot write {file}"))
    }

    /// A folder for what belongs to this site.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A call of the program, not yet started, behind other words if there are any.
    pub(crate) fn command(&self, before: &[String], arguments: &[&str]) -> Command {
        let mut words = before.iter().map(PathBuf::from).chain([self.program.clone()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(arguments).args(["--quiet", "--config"]).arg(self.folder.path());
        for name in ["ANNALS_CONFIG", "ANNALS_LOG", "FAILPOINTS", "ANNALS_DEFECT", "ANNALS_FAULT_HITS"] {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path());
        command
    }

    /// Calls the program and waits for its end.
    pub(crate) fn call(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Said> {
        self.start(self.command(&[], arguments).envs(variables.iter().copied()))?.end()
    }

    /// Starts a call of the program.
    pub(crate) fn start(&self, command: &mut Command) -> Result<Running> {
        let told = tempfile::NamedTempFile::new_in(self.folder.path()).context("cannot make a file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(told.path()).context("cannot write a file")?)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Running { child, told, began: Instant::now() })
    }

    /// The one number that a query on history prints.
    pub(crate) fn count(&self, query: &str) -> Result<i64> {
        let printed = self.history.sql(query);
        printed.trim().parse().with_context(|| format!("{query} printed {printed:?}"))
    }

    /// Lets the leases of processes that are gone, or stand still, run out.
    pub(crate) fn let_leases_run_out(&self) {
        self.history.sql(
            "update annals_partition set lease_until = 1 where state = 'leased';
             update annals_run set driver_until = 1 where state <> 'ended';",
        );
    }
}

/// A call of the program that has not ended yet; it ends with this value at the latest.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    told: tempfile::NamedTempFile,
    began: Instant,
}

impl Running {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Result<Said> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(
                self.began.elapsed() < ENDS_WITHIN,
                "it has not ended in {ENDS_WITHIN:?}: {}",
                self.told()
            );
            thread::sleep(LOOK_EVERY);
        };
        Ok(Said { status, err: self.told() })
    }

    /// Waits until it stands still, as a fault told it to.
    pub(crate) fn stands_still(&mut self) -> Result<()> {
        let stat = format!("/proc/{}/stat", self.pid());
        while !fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")) {
            ensure!(self.child.try_wait()?.is_none(), "it ended instead of standing still: {}", self.told());
            ensure!(self.began.elapsed() < ENDS_WITHIN, "it never stood still: {}", self.told());
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Lets it go on.
    pub(crate) fn goes_on(&self) -> Result<()> {
        let sent = Command::new("kill").args(["-CONT", &self.pid().to_string()]).status()?;
        ensure!(sent.success(), "process {} cannot be told to go on", self.pid());
        Ok(())
    }

    /// What it has said so far.
    pub(crate) fn told(&self) -> String {
        fs::read_to_string(self.told.path()).unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
