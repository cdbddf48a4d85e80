//! Bearer tokens of an OpenID Connect issuer: who somebody is, by a token that the issuer has signed.
//!
//! The issuer's keys are fetched from where its own description says, kept for a while, and fetched anew when a token
//! names a key that is not among them. A token counts if one of the allowed algorithms signed it with such a key, and
//! it is of this issuer, for us, and of now. What algorithm a token names is compared with what is allowed and with
//! the kind of the key before anything is checked with it.

use std::time::{Duration, Instant};

use annals_audit::{FailureReason, Role};
use annals_config::service::OidcSettings;
use annals_model::{ObjectType, ScopeRule};
use annals_sql::Tx;
use axum::http::StatusCode;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use ureq::tls::{RootCerts, TlsConfig};

use crate::problem::Problem;
use crate::who::Principal;

/// How a name is known that such a token tells (AQL-06).
const BY_OIDC: &str = "oidc";
/// Keys are fetched anew after so long.
const FRESH: Duration = Duration::from_mins(10);
/// And are of use so long where that fails.
const USABLE: Duration = Duration::from_hours(1);
/// The issuer is asked no more often, whatever tokens come.
const RETRY: Duration = Duration::from_secs(10);
/// An issuer answers in so long.
const FETCH_MAX: Duration = Duration::from_secs(5);
/// Bytes of what it answers.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Characters of a token, and of a name in it.
const TOKEN_CHARS_MAX: usize = 16 << 10;
const NAME_CHARS_MAX: usize = 200;

/// An issuer.
#[derive(Debug)]
pub(crate) struct Oidc {
    settings: OidcSettings,
    algorithms: Vec<Algorithm>,
    agent: ureq::Agent,
    keys: Mutex<Keys>,
}

/// The issuer's keys.
#[derive(Debug, Default)]
struct Keys {
    set: JwkSet,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

/// Why a token is not taken.
#[derive(Debug, PartialEq)]
pub(crate) enum Refused {
    /// It is good for nothing.
    Token(FailureReason),
    /// Whether it is cannot be told now.
    Away(Problem),
}

/// What an issuer says of somebody.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claims {
    name: String,
    roles: Vec<Role>,
    /// Name or id of his identity.
    identity: Option<String>,
    applications: Vec<String>,
}

impl Oidc {
    pub(crate) fn new(settings: &OidcSettings) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(FETCH_MAX))
            .max_redirects(0)
            .user_agent(concat!("annals/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Self {
            settings: settings.clone(),
            algorithms: settings.algorithms.iter().filter_map(|name| name.parse().ok()).collect(),
            agent: config.new_agent(),
            keys: Mutex::default(),
        }
    }

    /// Whether a text looks like a token of an issuer.
    pub(crate) fn is_token(text: &str) -> bool {
        text.split('.').count() == 3
    }

    /// What a token says, if it counts.
    pub(crate) async fn claims(&self, token: &str) -> Result<Claims, Refused> {
        let unknown = || Refused::Token(FailureReason::UnknownToken);
        if token.len() > TOKEN_CHARS_MAX {
            return Err(Refused::Token(FailureReason::NotUnderstood));
        }
        let header = decode_header(token).map_err(|_| unknown())?;
        // What must be understood of a header (`crit`) and is not, is no token of ours.
        if !self.algorithms.contains(&header.alg) || header.crit.is_some() {
            return Err(unknown());
        }
        let key = self.key(header.kid.as_deref(), header.alg).await?.ok_or_else(unknown)?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.leeway = self.settings.clock_skew_s.into();
        validation.validate_nbf = true;
        let claims =
            decode::<Map<String, Value>>(token, &key, &validation).map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Refused::Token(FailureReason::ExpiredToken),
                _ => unknown(),
            })?;
        self.read(&claims.claims).ok_or_else(unknown)
    }

    fn read(&self, claims: &Map<String, Value>) -> Option<Claims> {
        let settings = &self.settings;
        let name = claim(claims, &settings.name_claim)?.as_str()?;
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
            return None;
        }
        let groups: Vec<&str> = match claim(claims, &settings.roles_claim) {
            Some(Value::String(group)) => vec![group],
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut roles: Vec<Role> =
            groups.iter().filter_map(|group| settings.roles.get(*group).copied()).collect();
        roles.sort_unstable();
        roles.dedup();
        let identity = settings.identity_claim.as_ref().and_then(|name| claim(claims, name)?.as_str());
        Some(Claims {
            name: name.to_owned(),
            roles,
            identity: identity.filter(|identity| !identity.is_empty()).map(str::to_owned),
            applications: groups
                .iter()
                .filter_map(|group| settings.applications.get(*group))
                .flatten()
                .cloned()
                .collect(),
        })
    }

    /// Who somebody is, with the identity that his token names.
    pub(crate) async fn principal(&self, tx: &mut Tx, claims: Claims) -> Result<Principal, Problem> {
        let mut identity = None;
        if let Some(named) = claims.identity.filter(|_| claims.roles.contains(&Role::ScopedReader)) {
            let mut found = annals_history::find_objects(tx, ObjectType::Identity, &named).await?;
            // Somebody else may have had the name, and is gone; a name of two people is nobody's.
            found.retain(|one| !one.deleted && (one.key.object_id == named || one.name == named));
            if let [one] = &found[..] {
                identity = Some(one.key.object_id.clone());
            }
        }
        let rule = ScopeRule {
            own: self.settings.own && identity.is_some(),
            manager_tree: self.settings.manager_tree && identity.is_some(),
            identity,
            applications: claims.applications,
        };
        Ok(Principal {
            name: claims.name,
            roles: claims.roles,
            authentication: BY_OIDC,
            scope: Some(rule).filter(|rule| !rule.words().is_empty()),
            view_only: false,
        })
    }

    /// The key that a token names, of the kind that its algorithm takes. One that is not known is looked for anew.
    async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Option<DecodingKey>, Refused> {
        let mut keys = self.keys.lock().await;
        let is_within =
            |since: Option<Instant>, span| since.is_some_and(|since: Instant| since.elapsed() < span);
        let is_known = find(&keys.set, kid, algorithm).is_some();
        let is_fresh = is_known && is_within(keys.fetched, FRESH);
        if !is_fresh && !is_within(keys.tried, RETRY) {
            keys.tried = Some(Instant::now());
            match self.fetch().await {
                Ok(set) => {
                    keys.set = set;
                    keys.fetched = keys.tried;
                }
                Err(why) => {
                    tracing::warn!("the keys of {} could not be fetched: {why}", self.settings.issuer)
                }
            }
        }
        if !is_within(keys.fetched, USABLE) {
            let detail = "the issuer of this token gives no answer";
            return Err(Refused::Away(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)));
        }
        Ok(find(&keys.set, kid, algorithm).and_then(|key| DecodingKey::from_jwk(key).ok()))
    }

    /// The keys, from where the issuer's description says that they are.
    async fn fetch(&self) -> Result<JwkSet, String> {
        let (agent, issuer) = (self.agent.clone(), self.settings.issuer.clone());
        let fetched = tokio::task::spawn_blocking(move || {
            let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
            let description: Value = get(&agent, &url)?;
            if description["issuer"] != *issuer {
                return Err("its description is that of another issuer".to_owned());
            }
            let keys = description["jwks_uri"].as_str().unwrap_or_default();
            // Where the issuer itself may be asked in clear text, so may be what it names.
            let is_clear = issuer.starts_with("http://") && keys.starts_with("http://");
            if !is_clear && !keys.starts_with("https://") {
                return Err("its description names no `jwks_uri` that begins with https://".to_owned());
            }
            let keys: Value = get(&agent, keys)?;
            // A key of a kind that is not known is no reason to do without the others.
            let each = keys["keys"].as_array().cloned().unwrap_or_default().into_iter();
            Ok(JwkSet { keys: each.filter_map(|key| serde_json::from_value(key).ok()).collect() })
        });
        fetched.await.map_err(|error| error.to_string())?
    }
}

/// What a URL answers.
fn get(agent: &ureq::Agent, url: &str) -> Result<Value, String> {
    let mut answer = agent.get(url).call().map_err(|error| format!("{url}: {error}"))?;
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    let body = body.map_err(|error| format!("{url}: {error}"))?;
    serde_json::from_slice(&body).map_err(|error| format!("{url}: {error}"))
}

/// The key of this id among those that sign with this algorithm; of a token that names none the only one.
fn find<'k>(keys: &'k JwkSet, kid: Option<&str>, algorithm: Algorithm) -> Option<&'k Jwk> {
    let signs = |key: &&Jwk| {
        let is_for_signing =
            key.common.public_key_use.as_ref().is_none_or(|is| *is == PublicKeyUse::Signature);
        let named = key.common.key_algorithm.map(|named| named.to_string());
        is_for_signing && named.is_none_or(|named| named.parse() == Ok(algorithm))
    };
    let mut signing = keys.keys.iter().filter(signs);
    match kid {
        Some(kid) => signing.find(|key| key.common.key_id.as_deref() == Some(kid)),
        None => signing.next().filter(|_| signing.next().is_none()),
    }
}

/// A claim by its name, or by the path of it: names between dots.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        claim(claims.get(first)?.as_object()?, rest)
    })
}
