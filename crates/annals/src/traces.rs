//! Spans of runs, partitions, batches and deliveries, sent to a collector by OTLP where the configuration names one.
//!
//! They are sent by a thread of their own. A collector that is away costs what it did not take, and one warning.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals_config::service::OtlpSettings;
use annals_dispatcher::Finished;
use annals_extract::TRACED;
use annals_model::TaskStatus;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::field::Empty;
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use ureq::tls::{RootCerts, TlsConfig};

/// How long a collector may take for what it is sent.
const SEND_MAX: Duration = Duration::from_secs(5);

/// What is sent, to be told of the end.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Sends spans to the collector of the configuration.
///
/// # Errors
/// Where the exporter cannot be made.
pub(crate) fn layer<S>(
    settings: &OtlpSettings,
    host: &str,
) -> Result<impl Layer<S> + use<S>, ExporterBuildError>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new(&settings.endpoint))
        .with_endpoint(format!("{}/v1/traces", settings.endpoint))
        .with_headers(settings.headers.iter().cloned().collect())
        .with_timeout(SEND_MAX)
        .build()?;
    let resource = Resource::builder()
        .with_service_name(settings.service_name.clone())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", format!("{host}:{}", std::process::id())),
            KeyValue::new("host.name", host.to_owned()),
        ])
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .with_sampler(sampler)
        .build();
    let tracer = provider.tracer("annals");
    PROVIDER.get_or_init(|| provider);
    let is_ours =
        |metadata: &Metadata<'_>| metadata.target().starts_with("annals") && *metadata.level() <= Level::INFO;
    Ok(tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_ours).with_max_level_hint(Level::INFO)))
}

/// The span of a run of a task, from before it has a number.
pub(crate) fn of_run(task: &str) -> Span {
    tracing::error_span!(
        target: TRACED,
        "run",
        task,
        run = Empty,
        status = Empty,
        otel.status_description = Empty
    )
}

/// Notes in the span of a run how it ended.
pub(crate) fn note_end(span: &Span, finished: Option<&Finished>) {
    let Some(finished) = finished else { return };
    span.record("status", finished.status.as_str());
    if matches!(finished.status, TaskStatus::Error | TaskStatus::Terminated) {
        span.record("otel.status_description", finished.status.as_str());
    }
}

/// Sends what has not been sent yet, for so long at most; what comes later is not sent.
pub fn end(within: Duration) {
    if let Some(provider) = PROVIDER.get() {
        // Whether it was taken, the collector's own warning tells; a second end finds nothing to do.
        drop(provider.shutdown_with_timeout(within));
    }
}

/// The way to the collector.
#[derive(Debug)]
struct Collector {
    agent: ureq::Agent,
    endpoint: String,
    /// It did not take what it was sent last, and somebody was told.
    away: AtomicBool,
}

impl Collector {
    fn new(endpoint: &str) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(SEND_MAX))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("annals/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Self { agent: config.new_agent(), endpoint: endpoint.to_owned(), away: AtomicBool::new(false) }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = request.into_parts();
        let answer = self.agent.run(Request::from_parts(head, body.to_vec()))?;
        let (head, mut body) = answer.into_parts();
        Ok(Response::from_parts(head, Bytes::from(body.read_to_vec()?)))
    }

    /// Warns once when the collector takes nothing any more, and says when it does again.
    fn note(&self, sent: &Result<Response<Bytes>, ureq::Error>) {
        let why = match sent {
            Ok(answer) if answer.status().is_success() => {
                if self.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("the collector of traces at {} takes them again", self.endpoint);
                }
                return;
            }
            Ok(answer) => format!("it answers {}", answer.status()),
            Err(error) => error.to_string(),
        };
        if !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the collector of traces at {} does not take them: {why}; what it does not take is lost",
                self.endpoint
            );
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // This is the sending thread's own future: nothing else waits in it.
        let sent = self.send(request);
        self.note(&sent);
        Ok(sent?)
    }
}
