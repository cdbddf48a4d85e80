//! Killing a process when it is about to send something to the database, by strace: what was sent before has its effect,
//! and nobody hears the answer.

use std::fs;

use annals_testkit::Engine;
use anyhow::{Result, bail, ensure};

use super::site::{Said, Site};

/// The calls by which something is sent, on sockets alone.
const CALLS: &str = "sendto,sendmsg,writev";

/// Has the program do everything on one thread: strace counts the calls of each thread apart.
const ONE_THREAD: (&str, &str) = ("ANNALS_ONE_THREAD", "yes");

/// Kills `annals run` at its nth send.
pub(crate) fn kill_at(site: &Site, nth: u32) -> Result<Said> {
    run(site, &[format!("--inject={CALLS}:signal=SIGKILL:when={nth}")], "/dev/null")
}

/// How often `annals run` sends something to its database, if nothing happens to it.
pub(crate) fn count(site: &Site) -> Result<u32> {
    ensure!(site.history.engine() == Engine::Postgres, "only a server is sent anything");
    let log = site.folder().join("sends");
    let said = run(site, &["-yy".to_owned()], &log.to_string_lossy())?;
    ensure!(said.is_well(), "an uninterrupted run failed under strace: {}", said.err);
    let log = fs::read_to_string(log)?;
    let port = site.history.url().rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).unwrap_or("");
    let (ours, others): (Vec<&str>, Vec<&str>) =
        log.lines().partition(|line| line.contains(&format!(":{port}]>")));
    let threads: std::collections::BTreeSet<&str> =
        ours.iter().filter_map(|line| line.split_whitespace().next()).collect();
    ensure!(threads.len() == 1, "{} threads send to the database: strace counts each apart", threads.len());
    if !others.is_empty() {
        bail!("not only the database is sent something, but: {}", others[0]);
    }
    Ok(u32::try_from(ours.len())?)
}

fn run(site: &Site, options: &[String], log: &str) -> Result<Said> {
    // Without --seccomp-bpf, under which what is to be injected is not.
    let strace = ["strace", "-f", "-qq", "-o", log];
    let mut before: Vec<String> = strace.map(str::to_owned).to_vec();
    before.push(format!("--trace={CALLS}"));
    before.extend_from_slice(options);
    let said = site.start(site.command(&before, &["run"]).env(ONE_THREAD.0, ONE_THREAD.1))?.end()?;
    if said.err.contains("PTRACE") && said.err.contains("not permitted") {
        bail!(
            "strace may not trace here: {}. In a container, add the capability SYS_PTRACE; elsewhere set the kernel's \
             kernel.yama.ptrace_scope to 0 or 1",
            said.err
        );
    }
    Ok(said)
}
