//! Reads `queue.nats`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::fields::Fields;
use crate::read::service::{note_password, note_secret};
use crate::service::{NatsLogin, NatsSettings, NatsTls};
use crate::value::Value;

const SERVERS_HELP: &str = "write servers: [\"nats://HOST:4222\"]";

/// Reads it; `needed` where nothing works without. What is wrong stands in the result as its default.
pub(crate) fn nats(
    fields: &mut Fields<'_>,
    dir: &Path,
    needed: bool,
    secrets: &mut Vec<Range<usize>>,
) -> Option<NatsSettings> {
    let value = if needed {
        fields.need("nats", "write nats: {servers: [\"nats://HOST:4222\"]} beside the transport")?
    } else {
        fields.get("nats")?
    };
    let mut fields = value.fields("`nats`")?;
    let servers = fields.need("servers", SERVERS_HELP).and_then(|value| servers(&value, secrets));
    let stream = fields.get("stream").and_then(|value| stream(&value));
    let replicas = fields.get("replicas").and_then(|value| value.whole_u32(1..=5));
    let window = fields.get("duplicateWindowSeconds").and_then(|value| value.whole_u32(1..=86_400));
    let patience = fields.get("patienceSeconds").and_then(|value| value.whole_u32(1..=86_400));
    let login = login(&mut fields, dir, secrets);
    let tls = tls(&mut fields, dir);
    fields.finish();
    Some(NatsSettings {
        servers: servers.unwrap_or_default(),
        stream: stream.unwrap_or_else(|| "ANNALS".to_owned()),
        replicas: replicas.unwrap_or(1),
        duplicate_window_s: window.unwrap_or(120),
        patience_s: patience.unwrap_or(300),
        login,
        tls,
    })
}

fn servers(value: &Value<'_>, secrets: &mut Vec<Range<usize>>) -> Option<Vec<String>> {
    let list = value.list()?;
    if list.is_empty() {
        value.error(format!("{} is empty", value.label), SERVERS_HELP);
        return None;
    }
    let server = |value: &Value<'_>| {
        let url = value.name()?;
        let place = ["nats://", "tls://"].into_iter().find_map(|scheme| url.strip_prefix(scheme));
        let host = place.map(|place| place.rsplit_once('@').map_or(place, |(_, host)| host));
        if host.is_none_or(|host| host.is_empty() || host.contains(['/', '?']) || host.starts_with(':')) {
            value.error(
                format!("{} is no server of NATS", value.label),
                "write `nats://HOST:4222` or `tls://HOST:4222`",
            );
            return None;
        }
        Some(url)
    };
    let mut servers = Vec::new();
    for value in &list {
        note_password(value, secrets);
        servers.push(server(value));
    }
    servers.into_iter().collect()
}

/// A name that NATS takes as a stream's and as the first word of its subjects.
fn stream(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    if name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        return Some(name);
    }
    value.error(
        format!("{} has characters that NATS does not take in the name of a stream", value.label),
        "write letters, digits, `-` and `_`",
    );
    None
}

/// One way to log in, at most.
fn login(fields: &mut Fields<'_>, dir: &Path, secrets: &mut Vec<Range<usize>>) -> NatsLogin {
    let (user, password) = (fields.get("user"), fields.get("password"));
    let (token, credentials) = (fields.get("token"), fields.get("credentials"));
    for secret in [&password, &token].into_iter().flatten() {
        note_secret(secret, secrets);
    }
    let ways = [user.as_ref().or(password.as_ref()), token.as_ref(), credentials.as_ref()];
    if let Some(second) = ways.into_iter().flatten().nth(1) {
        second.error(
            format!("{} is a second way to log in", second.label),
            "write user and password, or token, or credentials",
        );
    }
    match (user, password) {
        (Some(user), Some(password)) => {
            if let (Some(user), Some(password)) = (user.name(), password.text()) {
                return NatsLogin::User(user, password);
            }
        }
        (Some(user), None) => user.error("`user` has no `password` beside it", "write password: ${NAME}"),
        (None, Some(password)) => password.error("`password` has no `user` beside it", "write user: NAME"),
        (None, None) => {}
    }
    if let Some(token) = token.and_then(|value| value.name()) {
        return NatsLogin::Token(token);
    }
    if let Some(path) = credentials.and_then(|value| value.name()) {
        return NatsLogin::Credentials(dir.join(path));
    }
    NatsLogin::None
}

fn tls(fields: &mut Fields<'_>, dir: &Path) -> NatsTls {
    let mut tls = NatsTls::default();
    let Some(mut fields) = fields.get("tls").and_then(|value| value.fields("`tls`")) else { return tls };
    let path = |value: Value<'_>| -> Option<PathBuf> { Some(dir.join(value.name()?)) };
    tls.required = fields.flag("required", true);
    tls.authorities = fields.get("authorities").and_then(path);
    match (fields.get("certificate"), fields.get("key")) {
        (Some(certificate), Some(key)) => tls.certificate = path(certificate).zip(path(key)),
        (Some(certificate), None) => {
            certificate.error("`certificate` has no `key` beside it", "write key: FILE");
        }
        (None, Some(key)) => key.error("`key` has no `certificate` beside it", "write certificate: FILE"),
        (None, None) => {}
    }
    fields.finish();
    tls
}
