//! Reads `api`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::fields::Fields;
use crate::service::ApiSettings;
use crate::value::Value;

/// More than a person's browser or a program that waits for answers sends.
const REQUESTS_PER_SECOND: u32 = 1_000;

pub(crate) fn api(fields: &mut Fields<'_>, dir: &Path) -> ApiSettings {
    let mut api = ApiSettings {
        listen: None,
        tls: None,
        requests_per_second: REQUESTS_PER_SECOND,
        heavy_queries: 4,
        query_s: 30,
    };
    let Some(mut fields) = fields.get("api").and_then(|value| value.fields("`api`")) else { return api };
    let listen = fields.get("listen");
    api.listen = listen.as_ref().and_then(address);
    let has_tls = fields.get("tls").map(|value| api.tls = tls(&value, dir)).is_some();
    if let (Some(value), Some(address)) = (&listen, api.listen)
        && !address.ip().is_loopback()
        && !has_tls
    {
        value.error(
            format!("other hosts reach {address}, and tokens would go there in clear text"),
            "write tls: {certificate: FILE, key: FILE} beside it, or an address of this host alone such as 127.0.0.1:8443",
        );
    }
    if let Some(requests) = fields.get("requestsPerSecond").and_then(|value| value.whole_u32(1..=1_000_000)) {
        api.requests_per_second = requests;
    }
    if let Some(queries) = fields.get("heavyQueries").and_then(|value| value.whole_u32(1..=1_000)) {
        api.heavy_queries = queries;
    }
    if let Some(seconds) = fields.get("querySeconds").and_then(|value| value.whole_u32(1..=3_600)) {
        api.query_s = seconds;
    }
    fields.finish();
    api
}

fn address(value: &Value<'_>) -> Option<SocketAddr> {
    let text = value.name()?;
    let address = text.parse().ok();
    if address.is_none() {
        value.error(
            format!("{} is no address with a port: `{text}`", value.label),
            "write an address and a port, such as 127.0.0.1:8443 or 0.0.0.0:8443",
        );
    }
    address
}

fn tls(value: &Value<'_>, dir: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut fields = value.fields("`tls`")?;
    let certificate = fields.need("certificate", "write certificate: FILE, a PEM file");
    let key = fields.need("key", "write key: FILE, a PEM file");
    fields.finish();
    let path = |value: Value<'_>| -> Option<PathBuf> { Some(dir.join(value.name()?)) };
    certificate.and_then(path).zip(key.and_then(path))
}
