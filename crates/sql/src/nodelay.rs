//! Small packets at once.
//!
//! The driver's sockets wait with a small packet until the packet before is acknowledged, and the server waits 40 ms
//! with an acknowledgement that it has nothing to send along with: every `COPY` and every long list of parameters
//! stands still for so long. The driver lets nobody at its sockets (0.9.0; mended in its repository by pull request
//! 4336, not yet released), so they are found among the descriptors of this process.

/// Sends small packets at once on all TCP sockets that this process has. Where the system does not let us, everything
/// works as before, slower.
pub(crate) fn send_at_once() {
    #[cfg(target_os = "linux")]
    if let Err(error) = linux::send_at_once() {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "small packets to the database wait for the ones before"
        );
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::{io, mem};

    use rustix::io::Errno;
    use rustix::net::sockopt;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    pub(super) fn send_at_once() -> io::Result<()> {
        let this = pidfd_open(getpid(), PidfdFlags::empty())?;
        for entry in fs::read_dir("/proc/self/fd")? {
            let path = entry?.path();
            // Never a file: to close any descriptor of a file drops this process's locks on it, SQLite's among them.
            if !fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().starts_with("socket:")) {
                continue;
            }
            let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            // A second descriptor of the same socket; one that was closed meanwhile needs nothing.
            let Some(Ok(socket)) = number.map(|number| pidfd_getfd(&this, number, PidfdGetfdFlags::empty()))
            else {
                continue;
            };
            // What is no TCP socket refuses. What has become a file since it was looked at stays open.
            if sockopt::set_tcp_nodelay(&socket, true) == Err(Errno::NOTSOCK) {
                mem::forget(socket);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn open_sockets_send_small_packets_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!stream.nodelay().unwrap());
        send_at_once();
        assert!(stream.nodelay().unwrap());
    }

    /// A lock that another process would meet (fcntl's belong to a process and a file) outlives a look at the sockets.
    #[cfg(target_os = "linux")]
    #[test]
    fn locks_on_files_stay() {
        use rustix::fs::{FlockOperation, fcntl_lock};

        let file = tempfile::NamedTempFile::new().unwrap();
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        let is_locked = || {
            let locker =
                "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)";
            let mut other = std::process::Command::new("python3");
            other.args(["-c", locker]).arg(file.path()).stderr(std::process::Stdio::null());
            !other.status().unwrap().success()
        };
        assert!(is_locked());
        send_at_once();
        assert!(is_locked());
        fcntl_lock(&file, FlockOperation::NonBlockingUnlock).unwrap();
        assert!(!is_locked());
    }
}
