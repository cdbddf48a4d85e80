//! Runs under a memory limit, and what became of them.

use std::path::Path;
use std::process::Command;

use annals_testkit::Engine;

use crate::program::{Said, call, program};
use crate::site::Site;

/// What the program may use, in MiB: the bound on its own memory.
const MEMORY_MIB: u32 = 256;

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended(Said);

impl Ended {
    /// All went well; how many objects there were.
    #[track_caller]
    pub(crate) fn succeeds(self) -> u64 {
        let said = self.0.exits(0);
        let objects = number(&said, "qualified=");
        assert_eq!((number(&said, "published="), number(&said, "failed=")), (objects, 0), "{said:#?}");
        objects
    }

    /// So many objects failed and the run went on with the others; how many objects there were.
    #[track_caller]
    pub(crate) fn fails(self, failed: u64) -> u64 {
        let said = self.0.exits(3).tells("status=warning");
        let objects = number(&said, "qualified=");
        assert_eq!(
            (number(&said, "published="), number(&said, "failed=")),
            (objects - failed, failed),
            "{said:#?}"
        );
        objects
    }
}

fn number(said: &Said, name: &str) -> u64 {
    let (_, rest) = said.err.split_once(name).unwrap_or_else(|| panic!("no {name}: {said:#?}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// A site on each engine that history is kept on, its source on the same.
pub(crate) async fn sites() -> Vec<Site> {
    let mut sites = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        sites.push(Site::new(engine, engine, 20).await);
    }
    sites
}

/// A run of everything that there is, by the program.
pub(crate) fn run(site: &Site) -> Ended {
    run_within(MEMORY_MIB, site)
}

/// [`run`] with another limit.
pub(crate) fn run_within(mebibytes: u32, site: &Site) -> Ended {
    site.forget_timestamp();
    Ended(annals_within(mebibytes, site.path(), &["run", "--quiet"]))
}

/// Another command.
pub(crate) fn annals(site: &Site, arguments: &[&str]) -> Said {
    annals_within(MEMORY_MIB, site.path(), arguments)
}

/// The program with so much memory and no more: what it writes to outside of its stacks and its own text. A process that
/// needs more ends with a signal.
fn annals_within(mebibytes: u32, config: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -d {}; exec \"$0\" \"$@\"", mebibytes * 1024)]).arg(program());
    call(command, config, &[], arguments)
}

/// What failed in the newest run: type, id, stage, error.
pub(crate) fn failures(site: &Site) -> Vec<String> {
    site.look(
        "select object_type, object_id, stage, error from annals_run_failure
         where run_id = (select max(id) from annals_run) order by object_type, object_id;",
    )
}
