//! schemathesis, in an environment of Python's of its own, and sqlmap, as Debian has it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::outsider::Outsider;
use crate::bench::server::printed;
use crate::root::Root;

/// What sqlmap says of a parameter that it got nothing through.
const NOT_INJECTABLE: &str = "parameter '#";

/// Where what asks is.
#[derive(Debug)]
pub(crate) struct Tools {
    python: PathBuf,
    folder: PathBuf,
}

impl Tools {
    /// Installs schemathesis where that has not been done: the versions that tests/contract/requirements.txt names.
    pub(crate) fn installed(root: &Root) -> Result<Self> {
        let folder = root.folder().join("tests/contract");
        let wanted = folder.join("requirements.txt");
        let home = root.folder().join("target/contract");
        let tools = Self { python: home.join("bin"), folder };
        let installed = home.join("requirements.txt");
        if fs::read(&installed).ok() != Some(fs::read(&wanted)?) {
            printed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
            let pip = tools.python.join("pip");
            printed(
                Command::new(pip)
                    .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
                    .arg(&wanted),
            )?;
            fs::copy(&wanted, &installed)?;
        }
        Ok(tools)
    }

    /// Lets schemathesis ask; how many requests it made.
    pub(crate) fn schemathesis(&self, outsider: &Outsider, examples: u32, seed: u64) -> Result<u32> {
        let mut command = Command::new(self.python.join("st"));
        command.arg("run").arg(&outsider.description).args(["--url", &outsider.url, "--checks", "all"]);
        command.args(["--header", &format!("Authorization: Bearer {}", outsider.token)]);
        command.args(["--workers", "2", "--no-color", "--max-examples", &examples.to_string()]);
        // A busy machine is slow, and no fault of what is asked.
        command.args(["--seed", &seed.to_string(), "--suppress-health-check", "all"]);
        command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", &self.folder);
        command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(outsider.folder()).stdin(Stdio::null());
        let output = command.output().context("cannot start schemathesis")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "schemathesis found what is not as described:\n{said}");
        let made = said.lines().find_map(|line| line.trim().split_once(" generated, ")?.0.parse().ok());
        made.with_context(|| format!("schemathesis does not say how many requests it made:\n{said}"))
    }

    /// Lets sqlmap try to get in; how many parameters it tried. First it has to get into a server that is open.
    pub(crate) fn sqlmap(&self, outsider: &Outsider, level: u32) -> Result<usize> {
        let open = Open::start(&self.folder)?;
        let said = sqlmap(outsider, "open", &[format!("{}/?name=a*", open.url)], 1)?;
        ensure!(said.contains("is vulnerable"), "sqlmap does not get into a server that is open:\n{said}");
        drop(open);
        let urls = outsider.marked_urls()?;
        let said = sqlmap(outsider, "closed", &urls, level)?;
        ensure!(!said.contains("is vulnerable"), "sqlmap gets in:\n{said}");
        let tried = said
            .lines()
            .filter(|line| line.contains(NOT_INJECTABLE) && line.contains("does not seem to be injectable"))
            .count();
        let marks: usize = urls.iter().map(|url| url.matches('*').count()).sum();
        ensure!(tried == marks, "sqlmap tried {tried} of {marks} parameters:\n{said}");
        Ok(tried)
    }
}

fn sqlmap(outsider: &Outsider, name: &str, urls: &[String], level: u32) -> Result<String> {
    let list = outsider.folder().join(format!("{name}.urls"));
    fs::write(&list, urls.join("\n"))?;
    let mut command = Command::new("sqlmap");
    command.arg("-m").arg(&list).arg("--output-dir").arg(outsider.folder().join(name));
    command.arg(format!("--headers=Authorization: Bearer {}", outsider.token));
    // What is refused as wrong is no sign of a wall.
    command.args(["--batch", "--flush-session", "--disable-coloring", "--ignore-code=400,404", "--level"]);
    command.arg(level.to_string());
    printed(&mut command)
}

/// A server that lets everything in.
#[derive(Debug)]
struct Open {
    child: Child,
    url: String,
}

impl Open {
    fn start(folder: &std::path::Path) -> Result<Self> {
        let mut command = Command::new("python3");
        let mut child = command
            .arg(folder.join("open.py"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It complains of clients that go away.
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the server that is open")?;
        let mut line = String::new();
        let Some(stdout) = child.stdout.take() else { bail!("the server that is open has no output") };
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
        Ok(Self { child, url: line.trim().to_owned() })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
