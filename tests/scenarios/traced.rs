//! Traces, as a collector of OTLP gets them: a receiver here decodes them with OpenTelemetry's own types.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use annals_testkit::Engine;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, status::StatusCode};
use prost::Message as _;

use crate::daemon::{Daemon, wait_for};
use crate::program::{annals, annals_with};
use crate::site::{Site, TASK};

/// What a collector was sent.
#[derive(Default)]
struct Sent {
    spans: Vec<Span>,
    resources: BTreeSet<(String, String)>,
    heads: Vec<String>,
}

/// A collector on a port of its own; it serves as long as the test process lives.
struct Collector {
    address: String,
    sent: Arc<Mutex<Sent>>,
}

impl Collector {
    fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let sent = Arc::new(Mutex::new(Sent::default()));
        let receives = Arc::clone(&sent);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let sent = Arc::clone(&receives);
                std::thread::spawn(move || receive(stream.unwrap(), &sent));
            }
        });
        Self { address, sent }
    }

    /// The lines of annals.yaml that name it.
    fn configured(&self, more: &str) -> String {
        format!("tracing: {{otlp: {{endpoint: \"http://{}/tenant/\"{more}}}}}\n", self.address)
    }

    fn spans(&self) -> Vec<Span> {
        self.sent.lock().unwrap().spans.clone()
    }
}

/// Takes requests of one connection until it ends.
fn receive(stream: TcpStream, sent: &Mutex<Sent>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            let line = line.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        {
            let mut sent = sent.lock().unwrap();
            sent.heads.push(head);
            for of_resource in request.resource_spans {
                let resource = of_resource.resource.unwrap().attributes;
                sent.resources.extend(resource.into_iter().map(|pair| (pair.key.clone(), text(&pair))));
                sent.spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        let answer = ExportTraceServiceResponse::default().encode_to_vec();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length:";
        let mut stream = stream.try_clone().unwrap();
        write!(stream, "{head} {}\r\n\r\n", answer.len()).unwrap();
        stream.write_all(&answer).unwrap();
    }
}

fn text(pair: &KeyValue) -> String {
    match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// A run is one trace: its dispatch, partitions, batches and deliveries stand below it, and say what they are about.
#[tokio::test]
async fn a_run_is_one_trace() {
    for site in Site::on_each_history(40).await {
        let collector = Collector::begin();
        site.service(
            &collector.configured(
                ", serviceName: nights, headers: {authorization: \"Bearer ${ANNALS_OTLP_TOKEN}\"}",
            ),
        );
        annals_with(site.path(), &[("ANNALS_OTLP_TOKEN", "a-token")], &["run"]).exits(0);
        let spans = collector.spans();
        let runs = named(&spans, "run");
        let [run] = runs.as_slice() else { panic!("{} runs", runs.len()) };
        let said = attributes(&run.attributes);
        assert_eq!(
            (said["task"].as_str(), said["run"].as_str(), said["status"].as_str()),
            (TASK, "1", "success")
        );
        assert!(run.parent_span_id.is_empty() && run.status.as_ref().is_none_or(|status| status.code == 0));
        assert!(spans.iter().all(|span| span.trace_id == run.trace_id), "one trace");
        for child in ["dispatch", "partition", "delivery"] {
            let children = named(&spans, child);
            assert!(!children.is_empty(), "no {child}");
            assert!(children.iter().all(|span| span.parent_span_id == run.span_id), "{child}");
            assert!(children.iter().all(|span| span.start_time_unix_nano < span.end_time_unix_nano));
        }
        let partitions = named(&spans, "partition");
        let numbers: BTreeSet<String> =
            partitions.iter().map(|span| attributes(&span.attributes)["partition"].clone()).collect();
        assert_eq!(numbers.len() as u64, site.count("select count(*) from annals_partition;"));
        let mut read: BTreeMap<String, u64> = BTreeMap::new();
        for batch in named(&spans, "batch") {
            assert!(partitions.iter().any(|partition| partition.span_id == batch.parent_span_id));
            let said = attributes(&batch.attributes);
            *read.entry(said["object_type"].clone()).or_default() += said["objects"].parse::<u64>().unwrap();
        }
        let types: BTreeSet<String> =
            site.look("select object_type from annals_object_kind;").into_iter().collect();
        assert_eq!(read.keys().cloned().collect::<BTreeSet<_>>(), types);
        assert_eq!(read.values().sum::<u64>(), site.count("select count(*) from annals_head;"));

        let sent = collector.sent.lock().unwrap();
        assert!(
            sent.resources.contains(&("service.name".to_owned(), "nights".to_owned())),
            "{:?}",
            sent.resources
        );
        for head in &sent.heads {
            assert!(head.starts_with("post /tenant/v1/traces "), "{head}");
            assert!(
                head.contains("authorization: bearer a-token") && head.contains("application/x-protobuf")
            );
        }
        // No secret and no other setting of a collector makes another configuration.
        drop(sent);
        let snapshot = &site.look("select snapshot from annals_config_version;")[0];
        assert!(!snapshot.contains("a-token"), "{snapshot}");
    }
}

/// What failed stands in the trace: objects as events with what the log says of them, deliveries, partitions and runs by
/// their status, with the reason.
#[tokio::test]
async fn failures_stand_in_the_trace() {
    let (site, spans, code) = with_people_refused(3).await;
    assert_eq!(code, 3);
    let events = spans.iter().flat_map(|span| &span.events).map(|event| attributes(&event.attributes));
    let told: BTreeSet<String> = events.filter_map(|event| event.get("object").cloned()).collect();
    let parked = site.look("select object_id from annals_parked_message;");
    assert_eq!(parked.len(), 2);
    assert_eq!(told, parked.into_iter().collect());

    // Where nothing of a delivery can be written, the partition fails.
    let (_, spans, code) = with_people_refused(100).await;
    assert_eq!(code, 4);
    let reasons = [("delivery", "UNIQUE constraint"), ("partition", "UNIQUE constraint"), ("run", "error")];
    for (name, why) in reasons {
        let statuses = named(&spans, name).into_iter().filter_map(|span| span.status.clone());
        let says = |status: Status| status.code() == StatusCode::Error && status.message.contains(why);
        assert!(statuses.into_iter().any(says), "{name}: {spans:#?}");
    }
}

/// A run after so many people were changed whom history refuses but for one, what it sent and its exit code.
async fn with_people_refused(people: u32) -> (Site, Vec<Span>, i32) {
    let site = Site::small().await;
    let task = format!("name: {TASK}\narguments: {{maxFailuresPercent: 100}}\n");
    site.write("tasks/dispatch-access-history.yaml", &task);
    annals(site.path(), &["run"]).exits(0);
    site.history.sql(
        "create unique index refuse on spt_hist_identity_capture (display_name) where display_name = 'Refused';",
    );
    let started = site.count("select max(started) from annals_run;");
    site.change(&format!(
        "update spt_identity set display_name = 'Refused', modified = {started} where id in
           (select id from spt_identity where coalesce(workgroup, 0) = 0 order by id limit {people});"
    ));
    let collector = Collector::begin();
    site.service(&collector.configured(""));
    let said = annals(site.path(), &["run"]);
    let spans = collector.spans();
    (site, spans, said.code)
}

/// The share that is asked for, here none, is sent.
#[tokio::test]
async fn a_share_of_nothing_is_nothing() {
    let site = Site::small().await;
    let collector = Collector::begin();
    site.service(&collector.configured(", sampleRatio: 0"));
    annals(site.path(), &["run"]).exits(0);
    assert!(collector.spans().is_empty());
}

/// A collector that is away, or takes what it is sent and says nothing, fails and delays nothing: one warning, the run
/// succeeds, the daemon ends in time and with the spans of what it did where the collector is there.
#[tokio::test]
async fn a_collector_that_is_away_is_one_warning() {
    let site = Site::new(Engine::Sqlite, Engine::Sqlite, 20).await;
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    site.service(&format!("tracing: {{otlp: {{endpoint: \"http://{gone}\"}}}}\n"));
    let said = annals(site.path(), &["run"]).exits(0);
    let warnings = said.err.lines().filter(|line| line.contains("does not take them")).count();
    assert_eq!(warnings, 1, "{}", said.err);

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    site.service(&format!("tracing: {{otlp: {{endpoint: \"http://{}\"}}}}\n", silent.local_addr().unwrap()));
    let seldom = format!("name: {TASK}\nschedule: {{everySeconds: 604800}}\n");
    site.write("tasks/dispatch-access-history.yaml", &seldom);
    let triggered = |daemon: Daemon| {
        let before = site.count("select count(*) from annals_run where state = 'ended';");
        annals(site.path(), &["schedule", "trigger", TASK]).exits(0);
        wait_for("the run", || site.count("select count(*) from annals_run where state = 'ended';") > before);
        let began = Instant::now();
        daemon.stops();
        began.elapsed()
    };
    let took = triggered(Daemon::serving(site.path(), &[]));
    assert!(took.as_secs() < 5, "{took:?}");

    let collector = Collector::begin();
    site.service(&collector.configured(""));
    triggered(Daemon::serving(site.path(), &[]));
    let spans = collector.spans();
    assert_eq!(named(&spans, "run").len(), 1, "sent before the end");
}
