//! The operating-system user that a database server runs as.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::{TestkitError, program};

/// Who runs a server. PostgreSQL refuses to run as root, and MariaDB had better not: when we are root, it is the
/// unprivileged user that the server's package made; otherwise it is ourselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerAccount {
    unprivileged: Option<&'static str>,
}

impl ServerAccount {
    /// The account for a server whose package made this user.
    pub(crate) fn for_server(package_user: &'static str) -> Result<Self, TestkitError> {
        let own = fs::metadata("/proc/self").map_err(TestkitError::io("cannot tell who we are"))?;
        Ok(Self { unprivileged: (own.uid() == 0).then_some(package_user) })
    }

    /// Gives a file or folder to the account.
    pub(crate) fn own(self, path: &Path) -> Result<(), TestkitError> {
        let Some(user) = self.unprivileged else { return Ok(()) };
        let id = |flag| -> Result<u32, TestkitError> {
            let printed = program::run(Command::new("id").args([flag, user]), "")?;
            printed.trim().parse().map_err(|_| TestkitError::Program {
                program: "id".to_owned(),
                status: "no number".to_owned(),
                output: printed.clone(),
            })
        };
        chown(path, Some(id("-u")?), Some(id("-g")?))
            .map_err(TestkitError::io(format!("cannot give {} to {user}", path.display())))
    }

    /// A command that runs the program as this account, in a process group of its own (Ctrl-C is for us, who then
    /// stop the server in good order), and that gets `death_signal` when the thread that starts it ends: a server
    /// must not outlive even a parent that was killed outright.
    pub(crate) fn command(self, program: &Path, death_signal: &str) -> Result<Command, TestkitError> {
        let mut command = Command::new(program::find("setpriv")?);
        if let Some(user) = self.unprivileged {
            command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--init-groups");
        }
        command.arg(format!("--pdeathsig={death_signal}")).arg("--").arg(program).process_group(0);
        Ok(command)
    }
}
