//! Installs what tests need from Debian's packages, as far as it is missing, without starting a service.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The file that Debian's packages ask before they start a service.
const POLICY_FILE: &str = "/usr/sbin/policy-rc.d";

/// Its answer "no".
const POLICY_TEXT: &str = "#!/bin/sh\nexit 101\n";

/// A package that tests need.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// What is installed when it is missing.
    package: &'static str,
    /// Packages, or names that packages provide, that serve as well.
    or: &'static [&'static str],
    /// Services that the package would start at every boot; tests start servers of their own.
    services: &'static [&'static str],
}

impl Wanted {
    const fn plain(package: &'static str) -> Self {
        Self { package, or: &[], services: &[] }
    }
}

/// Everything that tests need. For the alternatives that Request Tracker's package depends on, the choice is the one
/// that does least: no web server, no mail server, no database made behind our back.
const WANTED: [Wanted; 19] = [
    Wanted::plain("git"),
    Wanted {
        package: "postgresql-15",
        or: &["postgresql-16", "postgresql-17", "postgresql-18"],
        services: &["postgresql.service"],
    },
    Wanted { package: "mariadb-server", or: &[], services: &["mariadb.service", "mariadb.socket"] },
    Wanted::plain("mariadb-client"),
    Wanted { package: "nats-server", or: &[], services: &["nats-server.service"] },
    Wanted::plain("sqlite3"),
    Wanted::plain("python3"),
    Wanted::plain("python3-psycopg2"),
    Wanted::plain("python3-venv"),
    Wanted::plain("sqlmap"),
    Wanted::plain("strace"),
    Wanted::plain("faketime"),
    Wanted { package: "request-tracker5", or: &[], services: &["request-tracker5.service"] },
    Wanted { package: "rt5-fcgi", or: &["rt5-standalone", "rt5-apache2"], services: &["rt5-fcgi.service"] },
    Wanted::plain("rt5-db-sqlite"),
    Wanted::plain("rt5-db-postgresql"),
    Wanted::plain("rt5-db-mysql"),
    Wanted {
        package: "dbconfig-no-thanks",
        or: &["dbconfig-sqlite3", "dbconfig-pgsql", "dbconfig-mysql"],
        services: &[],
    },
    Wanted { package: "dma", or: &["mail-transport-agent"], services: &[] },
];

/// What stands for each package where there is no apt-get to ask.
const PROGRAMS: [(&str, &str); 11] = [
    ("git", "git"),
    ("initdb", "the PostgreSQL server, version 15"),
    ("mariadbd", "the MariaDB server"),
    ("mariadb", "the MariaDB client"),
    ("nats-server", "the NATS server, 2.9 or later"),
    ("sqlite3", "the SQLite shell"),
    ("python3", "Python 3 with psycopg2"),
    ("sqlmap", "sqlmap"),
    ("strace", "strace"),
    ("faketime", "libfaketime and its program"),
    ("rt-setup-database-5", "Request Tracker 5"),
];

/// Installs what is missing; says nothing when nothing is.
pub(crate) fn run() -> Result<()> {
    if !is_program("apt-get") {
        return look_for_programs();
    }
    let wanted = missing(&installed(&dpkg_list()?));
    if wanted.is_empty() {
        return Ok(());
    }
    let rights = Rights::find(&packages(&wanted))?;
    eprintln!("==> installing {}", packages(&wanted).join(" "));
    rights.run(&["apt-get", "-o", "DPkg::Lock::Timeout=300", "--quiet", "update"])?;
    let available: Vec<&str> = packages(&wanted).into_iter().map(as_available).collect();
    let silence = ServiceSilence::begin(&rights)?;
    // Rather fail than remove something that was chosen by the machine's owner.
    let mut install =
        vec!["apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"];
    install.extend(["--quiet", "--yes", "--no-install-recommends", "--no-remove", "install"]);
    install.extend(available);
    let outcome = rights.run(&install);
    silence.end(&rights)?;
    outcome?;
    forget_services(&rights, &wanted);
    let still = missing(&installed(&dpkg_list()?));
    ensure!(still.is_empty(), "apt-get did not install {}", packages(&still).join(" "));
    Ok(())
}

/// The first of the names under which this release of Debian has the package.
fn as_available(package: &str) -> &str {
    let known = Command::new("apt-cache")
        .args(["show", package])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match package {
        "postgresql-15" if !known.is_ok_and(|status| status.success()) => "postgresql",
        other => other,
    }
}

/// A machine without apt-get has what tests need, or is told what that is.
fn look_for_programs() -> Result<()> {
    let lacking: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !is_program(program)).map(|(_, what)| *what).collect();
    ensure!(
        lacking.is_empty(),
        "tests need {}, and there is no apt-get here to install it with: install it by your system's means",
        lacking.join(", ")
    );
    Ok(())
}

/// Every package that dpkg knows: name, state, names that it provides, parted by tabs.
fn dpkg_list() -> Result<String> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package}\\t${db:Status-Status}\\t${Provides}\\n"])
        .output()
        .context("cannot ask dpkg what is installed")?;
    String::from_utf8(output.stdout).context("dpkg's list of packages is not UTF-8")
}

/// Names of installed packages and of what they provide.
fn installed(dpkg_list: &str) -> HashSet<&str> {
    let mut names = HashSet::new();
    for line in dpkg_list.lines() {
        let mut columns = line.split('\t');
        let (package, state) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
        if state != "installed" {
            continue;
        }
        names.insert(package);
        // A provided name may stand with a version: `mail-transport-agent, other (= 1.2)`.
        let provided =
            columns.next().unwrap_or_default().split(',').filter_map(|one| one.split_whitespace().next());
        names.extend(provided);
    }
    names
}

/// What of the wanted is neither installed nor stood in for.
fn missing(installed: &HashSet<&str>) -> Vec<Wanted> {
    let has = |wanted: &Wanted| {
        installed.contains(wanted.package) || wanted.or.iter().any(|other| installed.contains(other))
    };
    WANTED.iter().filter(|wanted| !has(wanted)).copied().collect()
}

/// The packages' names.
fn packages(wanted: &[Wanted]) -> Vec<&'static str> {
    wanted.iter().map(|wanted| wanted.package).collect()
}

/// Takes the services of freshly installed packages out of the boot: that is not what a developer asked for.
fn forget_services(rights: &Rights, wanted: &[Wanted]) {
    let services: Vec<&str> = wanted.iter().flat_map(|wanted| wanted.services).copied().collect();
    if services.is_empty() || !is_program("systemctl") {
        return;
    }
    let command: Vec<&str> = ["systemctl", "--quiet", "disable"].into_iter().chain(services).collect();
    if let Err(error) = rights.run(&command) {
        eprintln!("warning: services of the new packages may start at the next boot: {error:#}");
    }
}

/// Whether a program is on the search path or where servers' programs are.
fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder: std::path::PathBuf| folder.join(name).is_file())
}

/// How commands are run that only root may run.
#[derive(Debug)]
struct Rights {
    prefix: &'static [&'static str],
}

impl Rights {
    /// Root's own, or sudo's; else an error that says what to have installed.
    fn find(packages: &[&str]) -> Result<Self> {
        let own = fs::metadata("/proc/self").context("cannot tell who we are")?;
        if own.uid() == 0 {
            return Ok(Self { prefix: &[] });
        }
        if is_program("sudo") {
            return Ok(Self { prefix: &["sudo"] });
        }
        bail!(
            "tests need packages that are not installed, and installing takes root or sudo. As root, run:\n  \
             apt-get update && apt-get install --no-install-recommends {}",
            packages.join(" ")
        )
    }

    /// Runs a command as root, without questions; its output goes to our standard error.
    fn run(&self, command: &[&str]) -> Result<()> {
        let line: Vec<&str> = self
            .prefix
            .iter()
            .chain(&["env", "DEBIAN_FRONTEND=noninteractive"])
            .chain(command)
            .copied()
            .collect();
        let (program, arguments) = line.split_first().context("no command to run")?;
        let status = Command::new(program)
            .args(arguments)
            .stdin(Stdio::inherit())
            .stdout(std::io::stderr())
            .status()
            .with_context(|| format!("cannot start `{program}`"))?;
        ensure!(status.success(), "`{}` failed ({status})", command.join(" "));
        Ok(())
    }
}

/// While this is in force, no package starts a service.
#[derive(Debug)]
struct ServiceSilence {
    ours: bool,
}

impl ServiceSilence {
    /// Puts the policy in force, unless the machine has one: then its owner has decided.
    fn begin(rights: &Rights) -> Result<Self> {
        if Path::new(POLICY_FILE).exists() {
            return Ok(Self { ours: false });
        }
        let draft = tempfile::NamedTempFile::new().context("cannot write a service policy")?;
        fs::write(draft.path(), POLICY_TEXT).context("cannot write a service policy")?;
        fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o755))
            .context("cannot write a service policy")?;
        rights.run(&["install", "--mode=755", &draft.path().to_string_lossy(), POLICY_FILE])?;
        Ok(Self { ours: true })
    }

    /// Takes our policy away again.
    fn end(self, rights: &Rights) -> Result<()> {
        if self.ours { rights.run(&["rm", "--force", POLICY_FILE]) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "bash\tinstalled\t\nlibc6\tinstalled\tlibc6-2.36 (= 1)\n";

    #[test]
    fn a_bare_machine_lacks_everything() {
        let names = packages(&missing(&installed(BARE)));
        assert_eq!(names.len(), WANTED.len());
        assert!(names.contains(&"postgresql-15") && names.contains(&"dma"));
    }

    #[test]
    fn what_is_installed_or_stood_in_for_is_not_missing() {
        let list = format!(
            "{BARE}exim4-daemon-light\tinstalled\tmail-transport-agent, something (= 2)\n\
             postgresql-17\tinstalled\tpostgresql-contrib-17\nmariadb-server\tinstalled\tvirtual-mysql-server\n\
             dbconfig-pgsql\tinstalled\t\n"
        );
        let names = packages(&missing(&installed(&list)));
        for absent in ["dma", "postgresql-15", "mariadb-server", "dbconfig-no-thanks"] {
            assert!(!names.contains(&absent), "{absent} in {names:?}");
        }
        assert!(names.contains(&"request-tracker5"));
    }

    /// Removed packages whose configuration is still there stand in dpkg's list too.
    #[test]
    fn a_removed_package_is_missing() {
        let list = format!("{BARE}sqlite3\tconfig-files\t\nmariadb-client\tnot-installed\tsqlite3\n");
        let names = packages(&missing(&installed(&list)));
        assert!(names.contains(&"sqlite3") && names.contains(&"mariadb-client"));
    }

    #[test]
    fn this_machine_has_a_shell_and_no_nonsense() {
        assert!(is_program("sh"));
        assert!(!is_program("no-such-program-anywhere"));
    }
}
