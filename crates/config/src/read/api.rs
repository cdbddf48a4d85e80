//! Reads `api`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use annals_model::{ObjectType, Role};

use crate::fields::Fields;
use crate::node::shortened;
use crate::profile::{Profile, PropertyValue};
use crate::read::oidc::oidc;
use crate::service::{ApiSettings, ScopeAsOf};
use crate::suggest::known_words;
use crate::transform::{PropertySource, TransformConfig};
use crate::value::{Placed, Value};

/// Hidden attributes and where they stand, for the check that there are such attributes.
pub(crate) type HiddenAt = Vec<(ObjectType, Placed)>;

/// More than a person's browser or a program that waits for answers sends.
const REQUESTS_PER_SECOND: u32 = 1_000;

pub(crate) fn api(fields: &mut Fields<'_>, dir: &Path) -> (ApiSettings, HiddenAt) {
    let mut api = ApiSettings {
        listen: None,
        tls: None,
        requests_per_second: REQUESTS_PER_SECOND,
        heavy_queries: 4,
        query_s: 30,
        scope_as_of: ScopeAsOf::Now,
        hidden_attributes: BTreeMap::new(),
        hidden_shown_to: Vec::new(),
        oidc: None,
    };
    let Some(mut fields) = fields.get("api").and_then(|value| value.fields("`api`")) else {
        return (api, Vec::new());
    };
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
    let words = [("now", ScopeAsOf::Now), ("date", ScopeAsOf::Date)];
    if let Some(as_of) = fields.get("scopeAsOf").and_then(|value| value.word(&words)) {
        api.scope_as_of = as_of;
    }
    let hidden_at = fields.get("hiddenAttributes").map(|value| hidden(&value)).unwrap_or_default();
    for (object_type, name) in &hidden_at {
        api.hidden_attributes.entry(*object_type).or_default().push(name.text.clone());
    }
    if let Some(value) = fields.get("hiddenAttributesShownTo") {
        api.hidden_shown_to = roles(&value);
    }
    api.oidc = fields.get("oidc").and_then(|value| oidc(&value)).map(Box::new);
    fields.finish();
    (api, hidden_at)
}

/// Names of roles.
fn roles(value: &Value<'_>) -> Vec<Role> {
    let words: Vec<(&'static str, Role)> = Role::ALL.into_iter().map(|role| (role.as_str(), role)).collect();
    value.list().into_iter().flatten().filter_map(|element| element.word(&words)).collect()
}

fn hidden(value: &Value<'_>) -> HiddenAt {
    let mut hidden = Vec::new();
    for entry in value.entries().unwrap_or_default() {
        let Ok(object_type) = entry.key.parse::<ObjectType>() else {
            let known: Vec<&str> = ObjectType::ALL.iter().map(|known| known.as_str()).collect();
            let message = format!("`{}` is no object type", shortened(&entry.key));
            value.file.error(entry.at, message, known_words(&entry.key, &known, ""));
            continue;
        };
        let names = Value::of(value.file, entry).names().unwrap_or_default();
        hidden.extend(names.into_iter().map(|name| (object_type, name)));
    }
    hidden
}

/// What is wrong with a hidden attribute, and what to write: it must be a field that images of its object type can
/// have, or lie in one, for nothing would be hidden by a name that is misspelt; and nothing that objects are called by,
/// which is told wherever they are.
pub(crate) fn wrong_hidden<'t>(
    object_type: ObjectType,
    name: &str,
    profile: &Profile,
    transforms: impl Iterator<Item = &'t TransformConfig>,
) -> Option<(String, String)> {
    let Some(known) = profile.object_types.get(&object_type) else {
        let message = format!("the source profile `{}` has no object type `{object_type}`", profile.name);
        return Some((message, "remove it".to_owned()));
    };
    let field = name.split('.').next().unwrap_or(name);
    let is_name = known.properties.iter().any(|(property, how)| {
        let path = match &how.value {
            PropertyValue::Column { path, .. } => Some(path),
            _ => None,
        };
        property.eq_ignore_ascii_case(name) && path.is_some() && path == known.name.as_ref()
    });
    if is_name || matches!(name, "id" | "name") {
        let message =
            format!("`{name}` cannot be hidden: objects of the type `{object_type}` are called by it");
        return Some((message, "remove it".to_owned()));
    }
    let mut fields = known.member_names();
    for image in transforms.filter_map(|transform| transform.images.get(&object_type)) {
        let named =
            image.properties.iter().filter(|made| made.from != PropertySource::Property("*".to_owned()));
        fields.extend(named.map(|made| made.name.as_str()));
    }
    if fields.iter().any(|known| known.eq_ignore_ascii_case(field)) {
        return None;
    }
    let help = match known.attribute_map.as_deref().filter(|_| !name.contains('.')) {
        Some(map) => format!("write `{map}.{name}` for a member of that map"),
        None => String::new(),
    };
    let near = crate::suggest::nearest(field, fields.iter().copied());
    let help = match near {
        Some(near) if help.is_empty() => format!("did you mean `{near}`?"),
        Some(near) => format!("did you mean `{near}`? Else {help}"),
        None if help.is_empty() => "write the name of a field".to_owned(),
        None => help,
    };
    Some((format!("images of the object type `{object_type}` have no field `{}`", shortened(field)), help))
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
