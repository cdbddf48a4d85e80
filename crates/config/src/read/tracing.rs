//! Reads `tracing` of `annals.yaml`.

use std::ops::Range;

use crate::fields::Fields;
use crate::node::{Kind, shortened};
use crate::read::service::Needs;
use crate::service::OtlpSettings;
use crate::value::Value;

/// Under which a collector files what Annals sends, unless the configuration says otherwise.
const SERVICE_NAME: &str = "annals";

/// `tracing.otlp`; `None` where it is not given, or wrong.
pub(crate) fn tracing(
    fields: &mut Fields<'_>,
    needs: Needs,
    secrets: &mut Vec<Range<usize>>,
) -> Option<OtlpSettings> {
    let mut fields = fields.get("tracing")?.fields("`tracing`")?;
    let otlp = fields.get("otlp").and_then(|value| otlp(&value, needs, secrets));
    fields.finish();
    otlp
}

fn otlp(value: &Value<'_>, needs: Needs, secrets: &mut Vec<Range<usize>>) -> Option<OtlpSettings> {
    note_headers(value, secrets);
    if needs == Needs::History {
        return None;
    }
    let mut fields = value.fields("`otlp`")?;
    let help = "write the address of a collector, such as http://127.0.0.1:4318";
    let endpoint = fields.need("endpoint", help).and_then(|value| endpoint(&value));
    let headers = fields.get("headers").map_or_else(Vec::new, |value| headers(&value));
    let service_name = fields.get("serviceName").and_then(|value| value.name());
    let sample_ratio = fields.get("sampleRatio").and_then(|value| value.ratio());
    fields.finish();
    Some(OtlpSettings {
        endpoint: endpoint?,
        headers,
        service_name: service_name.unwrap_or_else(|| SERVICE_NAME.to_owned()),
        sample_ratio: sample_ratio.unwrap_or(1.0),
    })
}

/// The address of a collector, without `/` at its end.
fn endpoint(value: &Value<'_>) -> Option<String> {
    let text = value.name()?;
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@' | '"' | '<' | '>' | '\\');
    if host.is_none_or(str::is_empty) || !text.chars().all(is_plain) {
        let help = "write http:// or https://, a host, and a port, such as http://127.0.0.1:4318";
        value.error(format!("{} is no address of a collector: `{}`", value.label, shortened(&text)), help);
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// Values of headers may be secrets: none that stands here reaches a snapshot.
fn note_headers(otlp: &Value<'_>, secrets: &mut Vec<Range<usize>>) {
    let Kind::Map(entries) = &otlp.node.kind else { return };
    let Some(headers) = entries.iter().find(|entry| entry.key == "headers") else { return };
    let Kind::Map(headers) = &headers.value.kind else { return };
    let is_literal = |text: &str| !text.contains("${") && !text.starts_with("file:");
    let values = headers.iter().filter_map(|header| header.value.scalar());
    secrets.extend(values.filter(|scalar| is_literal(&scalar.text)).map(|scalar| scalar.bytes.clone()));
}

/// Headers that go along with what is sent.
fn headers(value: &Value<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for entry in value.entries().unwrap_or_default() {
        let header = Value::of(value.file, entry);
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if entry.key.is_empty() || !entry.key.chars().all(is_token) {
            let message = format!("`{}` is no name of a header", shortened(&entry.key));
            value.file.error(entry.at, message, "write letters, digits and `-`");
            continue;
        }
        let Some(text) = header.text() else { continue };
        if !text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            let message = format!("{} cannot be sent as a header", header.label);
            header.error(message, "write ASCII characters on one line");
            continue;
        }
        headers.push((entry.key.clone(), text));
    }
    headers
}
