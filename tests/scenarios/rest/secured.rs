//! TLS, limits, and the end of a daemon that answers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use annals_testkit::Engine;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{LISTEN, Rest, address, answered, token};
use crate::daemon::Daemon;
use crate::program::annals;
use crate::site::Site;

/// A certificate for `localhost`, its own authority, and its key; for these tests alone.
const CERTIFICATE: &str = include_str!("localhost.pem");
const KEY: &str = include_str!("localhost.key");

/// A site with them beside its configuration.
async fn secured(lines: &str) -> (Site, CertificateDer<'static>) {
    let site = Site::new(Engine::Sqlite, Engine::Sqlite, 20).await;
    site.write("host.pem", CERTIFICATE);
    site.write("host.key", KEY);
    site.service(&format!("api: {{{lines}}}\n"));
    (site, CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap())
}

/// With a certificate whoever trusts it is answered, and who speaks in clear text is not.
#[tokio::test]
async fn answers_are_secret_where_there_is_a_certificate() {
    let (site, certificate) =
        secured("listen: \"0.0.0.0:0\", tls: {certificate: host.pem, key: host.key}").await;
    let daemon = Daemon::serving(site.path(), &["--role", "api"]);
    let port = address(&daemon, "https").rsplit_once(':').unwrap().1.to_owned();
    let token = token(&site, "eve", "auditor");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let head = format!("Host: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}");
    write!(stream, "GET /api/v1/runs HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let mut text = Vec::new();
    // Who closes without a word of farewell has said all the same.
    drop(stream.read_to_end(&mut text));
    let told = answered(&String::from_utf8(text).unwrap());
    assert_eq!((told.status, told.body), (200, serde_json::json!({"value": []})));

    let mut clear = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    clear.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    // It may be hung up on before all of it is sent.
    drop(write!(clear, "GET /api/v1/runs HTTP/1.1\r\n{head}\r\n\r\n"));
    let mut text = Vec::new();
    drop(clear.read_to_end(&mut text));
    assert!(!text.starts_with(b"HTTP/1.1"), "{text:?}");
}

/// What keeps a daemon from answering is told before it serves.
#[tokio::test]
async fn a_daemon_that_cannot_answer_says_why() {
    let (site, _) = secured("listen: \"127.0.0.1:0\", tls: {certificate: host.pem, key: host.pem}").await;
    let run = |arguments: &[&str]| annals(site.path(), &[&["daemon"], arguments].concat());
    run(&["--role", "api"]).exits(2).tells("host.pem").tells("the key that belongs to it");
    site.service("api: {listen: \"127.0.0.1:0\", tls: {certificate: away.pem, key: host.key}}\n");
    run(&["--role", "api"]).exits(2).tells("away.pem");
    site.service("api: {listen: \"0.0.0.0:0\"}\n");
    run(&["--role", "api"]).exits(2).tells("tokens would go there in clear text");
    site.service("");
    run(&["--role", "api"]).exits(2).tells("the role api has nowhere to listen");
}

/// Who asks too often is told to wait, and his requests are no rows of the access log.
#[tokio::test]
async fn requests_have_a_rate() {
    let site = Site::new(Engine::Sqlite, Engine::Sqlite, 20).await;
    site.service("api: {listen: \"127.0.0.1:0\", requestsPerSecond: 2}\n");
    let daemon = Daemon::serving(site.path(), &["--role", "api"]);
    let address = address(&daemon, "http");
    let auditor = token(&site, "eve", "auditor");
    let rest = Rest { site, daemon, address, auditor };
    let statuses: Vec<u16> = (0..40).map(|_| rest.ask(Some(&rest.auditor), "/api/v1/hosts").status).collect();
    let good = statuses.iter().filter(|status| **status == 200).count();
    let refused = rest_of(&statuses, 200);
    assert!(refused.iter().all(|status| *status == 429) && !refused.is_empty(), "{statuses:?}");
    assert_eq!(rest.site.count("select count(*) from annals_access;"), good as u64);
}

fn rest_of(statuses: &[u16], but: u16) -> Vec<u16> {
    statuses.iter().copied().filter(|status| *status != but).collect()
}

/// All roles with nothing named: the daemon answers beside its other work, and ends within five seconds though a client
/// keeps its connection.
#[tokio::test]
async fn a_daemon_answers_beside_its_work_and_ends() {
    let site = Site::new(Engine::Sqlite, Engine::Sqlite, 20).await;
    site.service(LISTEN);
    let daemon = Daemon::serving(site.path(), &["--host", "alpha"]);
    let address = address(&daemon, "http");
    let kept = TcpStream::connect(&address).unwrap();
    let said = annals(site.path(), &["daemon", "--check", "--host", "alpha"]).exits(0);
    assert!(said.out.contains("serves as scheduler, extract, writer, api"), "{said:#?}");
    daemon.stops();
    drop(kept);
}
