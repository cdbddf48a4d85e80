//! Small packets at once, and no wait for ever.
//!
//! The driver's sockets wait with a small packet until the packet before is acknowledged, and the server waits 40 ms
//! with an acknowledgement that it has nothing to send along with: every `COPY` and every long list of parameters
//! stands still for so long. The driver lets nobody at its sockets (0.9.0; mended in its repository by pull request
//! 4336, not yet released), so they are found among the descriptors of this process.
//!
//! A server that is gone without a word, its host or the way to it, is found out the same way: the system then ends the
//! connection, and with it the call that waits for an answer (TRAP-09).

/// A server that acknowledges nothing for so long is gone.
#[cfg(target_os = "linux")]
const SILENCE_MAX: std::time::Duration = std::time::Duration::from_secs(30);

/// Sends small packets at once, and finds out servers that are gone, on all TCP sockets that this process has. Where the system does not let us, everything
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
    use std::os::fd::OwnedFd;
    use std::{io, mem};

    use rustix::io::Errno;
    use rustix::net::sockopt;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    use super::SILENCE_MAX;

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
            match sockopt::set_tcp_nodelay(&socket, true) {
                Ok(()) => end_in_silence(&socket)?,
                Err(Errno::NOTSOCK) => mem::forget(socket),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Asks the other end for a sign of life when nothing comes for a third of the time, and ends what gets none.
    fn end_in_silence(socket: &OwnedFd) -> io::Result<()> {
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, SILENCE_MAX / 3)?;
        sockopt::set_tcp_keepintvl(socket, SILENCE_MAX / 6)?;
        sockopt::set_tcp_keepcnt(socket, 4)?;
        let user_timeout_ms = u32::try_from(SILENCE_MAX.as_millis()).unwrap_or(u32::MAX);
        Ok(sockopt::set_tcp_user_timeout(socket, user_timeout_ms)?)
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

    /// TRAP-09: 30 s without a sign of life end a connection, whether something was sent or not.
    #[cfg(target_os = "linux")]
    #[test]
    fn open_sockets_end_when_the_other_end_is_gone() {
        use rustix::net::sockopt;

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        send_at_once();
        assert_eq!(sockopt::tcp_user_timeout(&stream), Ok(30_000));
        assert_eq!(sockopt::socket_keepalive(&stream), Ok(true));
        let idle = sockopt::tcp_keepidle(&stream).unwrap();
        let probes = sockopt::tcp_keepintvl(&stream).unwrap() * sockopt::tcp_keepcnt(&stream).unwrap();
        assert_eq!((idle + probes).as_secs(), 30);
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
