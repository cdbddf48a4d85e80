//! Why the interface cannot be served.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A server that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody else but this host may be answered in clear text.
    #[error(
        "{0} is reached from other hosts, and there is no certificate: plain HTTP is for this host alone"
    )]
    ClearText(SocketAddr),
    /// Another program has the port.
    #[error("listening on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The certificate or its key cannot be read.
    #[error("reading {path}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: tokio_rustls::rustls::pki_types::pem::Error,
    },
    /// The certificate and its key are not of each other, or of no use.
    #[error("the certificate in {path}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: tokio_rustls::rustls::Error,
    },
}
