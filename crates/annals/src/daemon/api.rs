//! The role `api`: answers over REST.

use std::sync::Arc;
use std::time::Duration;

use annals_api::{Api, Error, Server, TlsFiles};
use annals_config::Config;
use annals_sql::{Access, Db};

use super::{Context, Stopping};
use crate::exit::{Exit, Failure};

/// Connections of its own, so that questions and runs do not wait for each other.
const CONNECTIONS_MAX: u32 = 12;

/// Begins to listen, where the configuration says so.
///
/// # Errors
/// Exit code 2 for a certificate that is of no use, or an address that other hosts reach without one.
pub async fn listen_rest(config: &Config) -> Result<Server, Failure> {
    let settings = &config.service.api;
    let Some(address) = settings.listen else {
        return Err(Failure::usage(
            "the role api has nowhere to listen",
            "Write `api: {listen: \"127.0.0.1:8443\"}` in annals.yaml (docs/rest.md).",
        ));
    };
    let files = settings.tls.clone().map(|(certificate, key)| TlsFiles { certificate, key });
    annals_api::listen(address, files.as_ref()).await.map_err(|error| {
        let (exit, help) = match &error {
            Error::Listen { .. } => {
                (Exit::Unexpected, "Write another port in `api.listen`, or end the program that has this one.")
            }
            Error::ClearText(_) => (Exit::Usage, "Name a certificate and its key in `api.tls`."),
            Error::Pem { .. } | Error::Certificate { .. } => (
                Exit::Usage,
                "Name PEM files in `api.tls` that this user may read: a certificate, and the key that belongs to it.",
            ),
        };
        Failure::new(exit, anyhow::Error::new(error), help)
    })
}

pub(super) async fn serve(server: Server, context: Arc<Context>, stopping: Stopping) -> anyhow::Result<()> {
    let settings = &context.config.service.api;
    let url = &context.config.service.history.url;
    let history = Db::open_with(url, Access::ReadWrite, CONNECTIONS_MAX).await?;
    let history = history.with_call_max(Duration::from_secs(settings.query_s.into()));
    let api = Api::new(history, context.host.clone(), context.config.tasks.clone(), settings);
    tracing::info!(host = context.host, "REST at {}", server.url()?);
    server.serve(Arc::new(api), stopping.asked()).await;
    Ok(())
}
