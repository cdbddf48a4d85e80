//! `queue.transport` and `queue.nats`.

use std::path::Path;

use annals_config::service::{NatsLogin, NatsTls, Transport};

use crate::{edited, env, load};

/// The transport is each host's own; what it logs in with is not in the snapshot.
#[test]
fn the_broker_is_read_and_is_this_hosts_own() {
    assert_eq!(load(&[]).service.queue.transport, Transport::InProcess);
    let with = |queue: &str| load(&[("annals.yaml", &edited("annals.yaml", "capacity: 8", queue))]);
    let bare = with("transport: nats\n  nats: {servers: [\"tls://mq1\", \"nats://mq2:4333\"]}");
    let Transport::Nats(nats) = &bare.service.queue.transport else { panic!("{bare:?}") };
    assert_eq!(nats.servers, ["tls://mq1", "nats://mq2:4333"]);
    assert_eq!(
        (nats.stream.as_str(), nats.replicas, nats.duplicate_window_s, nats.patience_s),
        ("ANNALS", 1, 120, 300)
    );
    assert_eq!((&nats.login, &nats.tls), (&NatsLogin::None, &NatsTls::default()));

    let full = with(
        "transport: nats\n  nats:\n    servers: [\"nats://u:in-the-url@mq1:4222\"]\n    stream: HR\n    replicas: 3\n    \
         duplicateWindowSeconds: 60\n    patienceSeconds: 10\n    user: annals\n    password: in-the-clear\n    \
         tls: {authorities: ca.pem, certificate: /etc/a.pem, key: a.key}",
    );
    let Transport::Nats(nats) = &full.service.queue.transport else { panic!("{full:?}") };
    assert_eq!(
        (nats.stream.as_str(), nats.replicas, nats.duplicate_window_s, nats.patience_s),
        ("HR", 3, 60, 10)
    );
    assert_eq!(nats.login, NatsLogin::User("annals".to_owned(), "in-the-clear".to_owned()));
    assert!(nats.tls.required && nats.tls.authorities.as_ref().is_some_and(|path| path.ends_with("ca.pem")));
    let (certificate, key) = nats.tls.certificate.clone().expect("both");
    assert_eq!(certificate, Path::new("/etc/a.pem"));
    assert!(key.is_absolute() && key.ends_with("a.key"));
    let snapshot = full.snapshot.to_string();
    assert!(
        snapshot.contains("mq1") && !snapshot.contains("in-the-clear") && !snapshot.contains("in-the-url")
    );

    let credentials = with("transport: nats\n  nats: {servers: [\"nats://mq1\"], credentials: a.creds}");
    let Transport::Nats(nats) = &credentials.service.queue.transport else { panic!("{credentials:?}") };
    assert!(matches!(&nats.login, NatsLogin::Credentials(path) if path.ends_with("a.creds")));

    // A run that began on another host goes on here by this host's own way.
    let here = bare.of_snapshot(&load(&[]).snapshot, &env).expect("right");
    assert_eq!(here.service.queue.transport, bare.service.queue.transport);
}
