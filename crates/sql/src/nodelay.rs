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
    use std::io;

    use rustix::net::sockopt;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    pub(super) fn send_at_once() -> io::Result<()> {
        let this = pidfd_open(getpid(), PidfdFlags::empty())?;
        for entry in fs::read_dir("/proc/self/fd")? {
            let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A copy of the descriptor, for the same socket; one that was closed meanwhile needs nothing.
            let Ok(copy) = pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) else { continue };
            // What is no TCP socket refuses.
            sockopt::set_tcp_nodelay(&copy, true).ok();
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
}
