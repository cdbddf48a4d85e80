//! Secrets never leave this crate: they are masked where they are read.
//!
//! A mask is `{"_masked": true, "changed": digest}`. The digest is the start of an HMAC under the installation's key
//! over the object's id, the names on the way to the secret and the secret itself, so that a secret that changes
//! changes its mask, while equal secrets in other objects or under other names have masks that nobody can link. What
//! is encrypted anew with another initialisation vector shows as changed, for the clear text is never seen.

use annals_model::canonical_bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::fmt;
use thiserror::Error;

/// The fewest bytes that a key for masks may have.
///
/// A mask shows 64 bits of the digest: without a key that cannot be guessed, short secrets could be found by trial.
pub const KEY_BYTES_MIN: usize = 16;

/// The bytes of the digest that a mask shows, as twice as many hexadecimal digits.
const DIGEST_BYTES: usize = 8;

/// The members by which an element of a decoded column says which attribute it is about.
const NAMING_MEMBERS: [&str; 5] = ["_type", "name", "attribute", "property", "key"];

/// The members that stay in an element about a secret attribute; all its others may hold the secret.
const KEPT_MEMBERS: [&str; 8] = ["_type", "name", "attribute", "property", "key", "op", "operation", "type"];

/// The key for masks is too short to protect anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the key for masks has {bytes} bytes, and needs at least {KEY_BYTES_MIN}")]
pub struct KeyTooShort {
    /// How long the key is.
    pub bytes: usize,
}

/// What counts as a secret, and the key under which its masks are made.
#[derive(Clone)]
pub struct SecretPolicy {
    names: Vec<String>,
    /// An HMAC that has taken the key in already, because that is half of the work on a short secret.
    mac: Hmac<Sha256>,
}

impl fmt::Debug for SecretPolicy {
    /// Leaves the key out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretPolicy").field("names", &self.names).finish_non_exhaustive()
    }
}

impl SecretPolicy {
    /// A policy that masks the attributes and properties of these names, in any case of letters, besides whatever
    /// looks encrypted.
    ///
    /// # Errors
    /// A key of fewer than [`KEY_BYTES_MIN`] bytes.
    pub fn new<N>(names: impl IntoIterator<Item = N>, key: &[u8]) -> Result<Self, KeyTooShort>
    where
        N: AsRef<str>,
    {
        let too_short = KeyTooShort { bytes: key.len() };
        if key.len() < KEY_BYTES_MIN {
            return Err(too_short);
        }
        let mac = Hmac::new_from_slice(key).map_err(|_| too_short)?;
        Ok(Self { names: names.into_iter().map(|name| name.as_ref().to_lowercase()).collect(), mac })
    }

    /// Whether attributes and properties of this name are secret.
    pub fn is_secret_name(&self, name: &str) -> bool {
        if name.is_ascii() {
            return self.names.iter().any(|secret| secret.eq_ignore_ascii_case(name));
        }
        let name = name.to_lowercase();
        self.names.contains(&name)
    }

    /// Masks every secret inside `value`; `context` is the id of the object that it belongs to.
    ///
    /// Masked are: strings that look encrypted; members of a secret name; of a decoded element (an object with
    /// `_type`) that is itself about a secret attribute, as `{"_type": "AttributeRequest", "name": "password", ...}`,
    /// everything but its names and its operation; of another object with such a name, its `value` and `values`. A
    /// reference is left whole, for it only names an object, and `null` hides nothing. A member's name that looks
    /// encrypted is replaced by its digest.
    ///
    /// To be called once on a value: masking a mask makes another.
    pub fn mask(&self, value: &mut Value, context: &str) {
        self.walk(value, &Path { context, step: None });
    }

    /// Masks the value of the column or property called `name`: all of it if the name is secret, else what is secret
    /// inside.
    pub fn mask_member(&self, name: &str, value: &mut Value, context: &str) {
        let root = Path { context, step: None };
        self.walk_member(name, value, &root);
    }

    /// The mask of a whole value called `name`, whatever it is. For text that could not be decoded, and may therefore
    /// hold secrets that nothing can find.
    pub fn masked(&self, name: &str, value: &Value, context: &str) -> Value {
        let root = Path { context, step: None };
        self.mask_of(value, &root.to(name))
    }

    fn walk(&self, value: &mut Value, path: &Path<'_>) {
        match value {
            Value::String(text) if is_encrypted(text) => *value = self.mask_of(value, path),
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item, path)),
            Value::Object(members) => self.walk_object(members, path),
            _ => {}
        }
    }

    fn walk_object(&self, members: &mut Map<String, Value>, path: &Path<'_>) {
        if let Some(about) = self.secret_subject(members) {
            let is_element = members.contains_key("_type");
            let path = path.to(&about);
            for (name, value) in members.iter_mut() {
                let holds_secret = if is_element {
                    !KEPT_MEMBERS.contains(&name.as_str())
                } else {
                    name == "value" || name == "values"
                };
                if holds_secret && !value.is_null() {
                    *value = self.mask_of(value, &path.to(name));
                }
            }
        }
        if members.keys().any(|name| is_encrypted(name)) {
            let renamed = std::mem::take(members).into_iter().map(|(name, value)| {
                let name = if is_encrypted(&name) {
                    format!("_masked:{}", self.digest(&name.into(), path))
                } else {
                    name
                };
                (name, value)
            });
            *members = renamed.collect();
        }
        for (name, value) in members.iter_mut() {
            self.walk_member(name, value, path);
        }
    }

    fn walk_member(&self, name: &str, value: &mut Value, path: &Path<'_>) {
        let path = path.to(name);
        if self.is_secret_name(name) {
            if !value.is_null() {
                *value = self.mask_of(value, &path);
            }
        } else {
            self.walk(value, &path);
        }
    }

    /// The secret attribute that an object is about, if it is.
    fn secret_subject(&self, members: &Map<String, Value>) -> Option<String> {
        // Most objects are about nothing secret, and one pass over them costs less than looking each name up.
        let is_secret = |value: &Value| value.as_str().is_some_and(|subject| self.is_secret_name(subject));
        let names_secret =
            |(name, value): (&String, &Value)| NAMING_MEMBERS.contains(&name.as_str()) && is_secret(value);
        if !members.iter().any(names_secret) || members.get("_type").is_some_and(|kind| kind == "Reference") {
            return None;
        }
        let subjects = NAMING_MEMBERS.iter().filter_map(|member| members.get(*member)?.as_str());
        subjects.into_iter().find(|subject| self.is_secret_name(subject)).map(str::to_lowercase)
    }

    fn mask_of(&self, value: &Value, path: &Path<'_>) -> Value {
        json!({"_masked": true, "changed": self.digest(value, path)})
    }

    /// Each part goes in with its length before it, so that no two ways of cutting the input meet.
    fn digest(&self, value: &Value, path: &Path<'_>) -> String {
        let mut mac = self.mac.clone();
        let mut add = |part: &[u8]| {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        };
        add(path.context.as_bytes());
        add(&canonical_bytes(value));
        let mut step = path.step.as_ref();
        while let Some((name, parent)) = step {
            add(name.as_bytes());
            step = parent.step.as_ref();
        }
        hex(&mac.finalize().into_bytes()[..DIGEST_BYTES])
    }
}

/// Whether a text is an encrypted value as IdentityIQ writes them, `keyAlias:ACP:base64` or the older
/// `keyAlias:base64`: digits, a colon, perhaps `ACP:`, and at least 20 characters of base64. White space around it
/// counts for nothing.
pub fn is_encrypted(text: &str) -> bool {
    let text = text.trim_ascii();
    if !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let after_alias = text.trim_start_matches(|found: char| found.is_ascii_digit());
    let Some(body) = after_alias.strip_prefix(':') else {
        return false;
    };
    let body = body.strip_prefix("ACP:").unwrap_or(body);
    body.len() >= 20
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// The way to a value: the object and the member names. Places in arrays are left out, so that a secret keeps its
/// mask when its neighbours move.
struct Path<'p> {
    context: &'p str,
    step: Option<(&'p str, &'p Path<'p>)>,
}

impl<'p> Path<'p> {
    fn to(&'p self, name: &'p str) -> Path<'p> {
        Path { context: self.context, step: Some((name, self)) }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests;
