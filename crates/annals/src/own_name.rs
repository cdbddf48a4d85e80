//! Whether this host can reach itself by its own name (IIQ-44).
//!
//! Where the name resolves to an address that nobody answers at, everything that asks for it waits: fail-over becomes
//! slow, and hosts are taken for dead. That deserves a warning when a host begins, and is never a reason to wait.

use std::fmt::Display;
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::Duration;

/// Longer than a resolver takes that is well.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// What is wrong with a host's name, in a sentence; `None`: all is well. Takes no longer than a few seconds.
#[must_use]
pub fn problem(name: &str) -> Option<String> {
    let (sender, answer) = mpsc::channel();
    let asked = name.to_owned();
    // A resolver cannot be interrupted: the thread may outlive the question.
    std::thread::spawn(move || sender.send(found(&asked)).is_ok());
    answer.recv_timeout(ANSWER_MAX).unwrap_or_else(|_| {
        Some(format!("the host's name `{name}` is not resolved within {} s", ANSWER_MAX.as_secs()))
    })
}

/// Warns of what is wrong with a host's name, some time soon.
pub fn warn_of_problem(name: &str) {
    let name = name.to_owned();
    std::thread::spawn(move || {
        if let Some(problem) = problem(&name) {
            tracing::warn!("{problem}: what asks for it may wait long; mend /etc/hosts or the name service");
        }
    });
}

fn found(name: &str) -> Option<String> {
    let addresses = match (name, 0).to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(error) => return Some(format!("the host's name `{name}` does not resolve ({error})")),
    };
    let mut unreachable = Vec::new();
    for address in addresses {
        let reached = TcpListener::bind(address)
            .and_then(|listener| TcpStream::connect_timeout(&listener.local_addr()?, Duration::from_secs(1)));
        match reached {
            Ok(_) => return None,
            Err(error) => unreachable.push(unreached(address.ip(), &error)),
        }
    }
    Some(format!("the host's name `{name}` leads nowhere: {}", unreachable.join(", ")))
}

fn unreached(address: impl Display, error: &std::io::Error) -> String {
    format!("{address} is none of this host's addresses ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IIQ-44: 192.0.2.1 is an address that documents alone have; `.invalid` never resolves.
    #[test]
    fn a_name_that_does_not_lead_to_this_host_is_told() {
        assert_eq!(problem("localhost"), None);
        let elsewhere = problem("192.0.2.1").expect("no address of this host");
        assert!(elsewhere.contains("`192.0.2.1` leads nowhere: 192.0.2.1 is none of"), "{elsewhere}");
        let unknown = problem("no-such-host.invalid").expect("no name");
        assert!(unknown.contains("`no-such-host.invalid`"), "{unknown}");
    }
}
