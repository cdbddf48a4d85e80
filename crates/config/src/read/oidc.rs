//! Reads `api.oidc`.

use std::collections::BTreeMap;

use annals_model::Role;

use crate::node::shortened;
use crate::service::OidcSettings;
use crate::value::Value;

/// Algorithms that a token may be signed with: those that take a public key.
const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// What most issuers sign with.
const USUAL: [&str; 2] = ["RS256", "ES256"];

const CLOCK_SKEW_S: u32 = 60;

/// Parts of history that an issuer's scoped readers may read.
const SCOPES: [(&str, Part); 2] = [("own", Part::Own), ("managerTree", Part::ManagerTree)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Own,
    ManagerTree,
}

pub(crate) fn oidc(value: &Value<'_>) -> Option<OidcSettings> {
    let mut fields = value.fields("`oidc`")?;
    let issuer = fields
        .need("issuer", "write the issuer's URL, as its tokens say it")
        .and_then(|value| issuer(&value));
    let audience =
        fields.need("audience", "write what tokens for Annals name as `aud`").and_then(|value| value.name());
    let words = ALGORITHMS.map(|name| (name, name));
    let algorithms = fields.get("algorithms").map(|value| listed(&value, &words));
    let name_claim = fields.get("nameClaim").and_then(|value| value.name());
    let roles_claim = fields.get("rolesClaim").and_then(|value| value.name());
    let roles = fields.need("roles", "write roles: with lines such as `annals-auditors: auditor`");
    let roles = roles.map(|value| roles_of(&value));
    let identity_claim = fields.get("identityClaim").and_then(|value| value.name());
    let scopes = fields.get("scopes").map(|value| listed(&value, &SCOPES)).unwrap_or_default();
    let applications = fields.get("applications").map(|value| applications(&value)).unwrap_or_default();
    let skew_s = fields.get("clockSkewSeconds").and_then(|value| value.whole_u32(0..=600));
    fields.finish();
    if identity_claim.is_none() && !scopes.is_empty() {
        let help = "write identityClaim: with the claim that holds the name or id of an identity";
        value.error("`scopes` are those of an identity, and no claim names one", help);
    }
    Some(OidcSettings {
        issuer: issuer?,
        audience: audience?,
        algorithms: algorithms.unwrap_or_else(|| USUAL.to_vec()).into_iter().map(str::to_owned).collect(),
        name_claim: name_claim.unwrap_or_else(|| "sub".to_owned()),
        roles_claim: roles_claim.unwrap_or_else(|| "roles".to_owned()),
        roles: roles?,
        identity_claim,
        own: scopes.contains(&Part::Own),
        manager_tree: scopes.contains(&Part::ManagerTree),
        applications,
        clock_skew_s: skew_s.unwrap_or(CLOCK_SKEW_S),
    })
}

/// The URL of an issuer: what a token is checked with is fetched from there, so nobody may come in between.
fn issuer(value: &Value<'_>) -> Option<String> {
    let text = value.name()?;
    let rest = text.strip_prefix("https://");
    let local = text.strip_prefix("http://").filter(|rest| {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        matches!(host, "localhost" | "127.0.0.1")
    });
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@' | '"' | '<' | '>' | '\\');
    let host = rest.or(local).map(|rest| rest.split('/').next().unwrap_or_default());
    if host.is_none_or(str::is_empty) || !text.chars().all(is_plain) {
        let help = "write https://, a host, and a path if it has one; http:// is for this host alone";
        value.error(format!("{} is no address of an issuer: `{}`", value.label, shortened(&text)), help);
        return None;
    }
    Some(text)
}

fn listed<T: Copy>(value: &Value<'_>, words: &[(&'static str, T)]) -> Vec<T> {
    value.list().into_iter().flatten().filter_map(|element| element.word(words)).collect()
}

/// Which role each value of the claim gives.
fn roles_of(value: &Value<'_>) -> BTreeMap<String, Role> {
    let words: Vec<(&'static str, Role)> = Role::ALL.into_iter().map(|role| (role.as_str(), role)).collect();
    let entries = value.entries().unwrap_or_default().iter();
    entries
        .filter_map(|entry| Some((entry.key.clone(), Value::of(value.file, entry).word(&words)?)))
        .collect()
}

/// Which applications each value of the claim answers for.
fn applications(value: &Value<'_>) -> BTreeMap<String, Vec<String>> {
    let entries = value.entries().unwrap_or_default().iter();
    let named = entries.filter_map(|entry| {
        let names = Value::of(value.file, entry).names()?;
        Some((entry.key.clone(), names.into_iter().map(|name| name.text).collect()))
    });
    named.collect()
}
