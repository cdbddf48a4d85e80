//! Tokens of an OpenID Connect issuer, from a small one that signs them here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use annals_testkit::Engine;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::{LISTEN, Rest, address, manager, token_with};
use crate::daemon::{Daemon, wait_for};
use crate::program::annals;

/// For these tests alone: a key of the kind that takes long to make.
const RSA: &[u8] = include_bytes!("issuer.key");

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs.
enum Key {
    Ec(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl Key {
    fn ec() -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random);
        Self::Ec(Box::new(pair.unwrap()))
    }

    fn rsa() -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(RSA).unwrap();
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap()))
    }

    fn public(&self, kid: &str) -> Value {
        match self {
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"})
            }
            Self::Rsa(pair) => {
                let parts = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": encoded(parts.n), "e": encoded(parts.e), "kid": kid})
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ec(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{signed}.{}", encoded(signature))
    }
}

/// Serves its description and its keys.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Value>>,
    fetches: Arc<AtomicU32>,
}

impl Issuer {
    fn begin(keys: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let this = Self { url, keys: Arc::new(Mutex::new(keys)), fetches: Arc::default() };
        let (url, keys, fetches) = (this.url.clone(), Arc::clone(&this.keys), Arc::clone(&this.fetches));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(line)) = lines.next() else { continue };
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let body = match line.split(' ').nth(1).unwrap() {
                    "/realm/.well-known/openid-configuration" => {
                        json!({"issuer": url, "jwks_uri": format!("{url}/keys")})
                    }
                    "/realm/keys" => {
                        fetches.fetch_add(1, Ordering::Relaxed);
                        keys.lock().unwrap().clone()
                    }
                    other => panic!("{other}"),
                };
                let body = body.to_string();
                let head = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
                drop(write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n\r\n{body}"));
            }
        });
        this
    }

    /// Claims of somebody in these groups, good for an hour.
    fn claims(&self, name: &str, groups: &[&str]) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({
            "iss": self.url, "aud": ["other", "annals"], "sub": "1", "preferred_username": name,
            "exp": now + 3_600, "iat": now, "realm": {"groups": groups},
        })
    }
}

fn settings(issuer: &str) -> String {
    LISTEN.replace(
        '}',
        &format!(
            ", oidc: {{issuer: \"{issuer}\", audience: annals, nameClaim: preferred_username, rolesClaim: realm.groups,
               roles: {{auditors: auditor, staff: scoped-reader}}, identityClaim: employee, scopes: [own, managerTree],
               applications: {{ad-team: [Active Directory]}}, clockSkewSeconds: 300}}}}"
        ),
    )
}

fn with(claims: &Value, changes: Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

const PATH: &str = "/api/v1/identities?$top=1";

/// Whoever the issuer vouches for is known by its claims, with their roles; the access log says how (AQL-06).
#[tokio::test]
async fn a_token_of_the_issuer_tells_who_asks() {
    let (ec, rsa) = (Key::ec(), Key::rsa());
    let issuer = Issuer::begin(json!({"keys": [
        {"kty": "of tomorrow", "kid": "x"}, ec.public("one"), rsa.public("two"),
    ]}));
    let rest = Rest::with(Engine::Sqlite, &settings(&issuer.url)).await;
    let es = json!({"alg": "ES256", "kid": "one", "typ": "JWT"});
    let rs = json!({"alg": "RS256", "kid": "two"});
    let ann = issuer.claims("ann", &["auditors", "others"]);
    let long_ago = jiff::Timestamp::now().as_second() - 100;
    for token in [
        ec.sign(&es, &ann),
        rsa.sign(&rs, &ann),
        ec.sign(&es, &with(&ann, json!({"aud": "annals", "exp": long_ago}))),
    ] {
        assert_eq!(rest.ask(Some(&token), PATH).status, 200);
    }
    let me = rest.ask(Some(&ec.sign(&es, &ann)), "/api/v1/me").body;
    assert_eq!(
        (&me["name"], &me["roles"], &me["authentication"]),
        (&json!("ann"), &json!(["auditor"]), &json!("oidc"))
    );
    let rows = "select distinct authentication, roles from annals_access where principal = 'ann';";
    assert_eq!(rest.site.look(rows), ["oidc|auditor"]);
    let nobody = ec.sign(&es, &issuer.claims("bob", &["others"]));
    assert_eq!(rest.ask(Some(&nobody), "/api/v1/me").status, 403, "who has no role may ask nothing");
    // A token of our own is good beside it.
    assert_eq!(rest.ask(Some(&rest.auditor), PATH).status, 200);

    // A reader of a part of history is told what one with a token of ours and the same scope is told.
    let (top, _) = manager(&rest);
    let ours = ["--role", "scoped-reader", "--scope", "own,managerTree", "--identity", &top];
    let ours = token_with(&rest.site, "ours", &ours);
    let of_app =
        ["--role", "scoped-reader", "--scope", "applicationOwner", "--application", "Active Directory"];
    let of_app = token_with(&rest.site, "app", &of_app);
    let scoped = |groups: &[&str], employee: &str| {
        ec.sign(&es, &with(&issuer.claims("boss", groups), json!({"employee": employee})))
    };
    let name = rest.get(&format!("/api/v1/identities/{top}"))["name"].as_str().unwrap().to_owned();
    for path in ["/api/v1/identities?$top=100&$count=true", "/api/v1/accounts?$top=1000&$count=true"] {
        let told = |token: &str| rest.ask(Some(token), path).body;
        assert!(told(&ours)["@odata.count"].as_u64().unwrap() > 0);
        assert_eq!(told(&scoped(&["staff"], &top)), told(&ours), "by id");
        assert_eq!(told(&scoped(&["staff"], &name)), told(&ours), "by name");
        assert_eq!(told(&scoped(&["staff", "ad-team"], "nobody")), told(&of_app), "by group");
    }
    assert_eq!(rest.ask(Some(&scoped(&["staff"], "nobody")), PATH).status, 403);
    assert_eq!(rest.ask(Some(&scoped(&["staff"], &name.to_uppercase())), PATH).status, 403);
    assert_eq!(rest.ask(Some(&scoped(&["ad-team"], &top)), PATH).status, 403, "an application is no role");
    assert_eq!(issuer.fetches.load(Ordering::Relaxed), 1, "keys are kept");
}

/// What the issuer did not sign for us, in a way that is allowed, and for now, is good for nothing; each is noted
/// (AQL-05).
#[tokio::test]
async fn what_the_issuer_did_not_sign_for_us_counts_for_nothing() {
    let (ec, rsa, other) = (Key::ec(), Key::rsa(), Key::ec());
    let issuer = Issuer::begin(json!({"keys": [ec.public("one"), rsa.public("two")]}));
    let rest = Rest::with(Engine::Sqlite, &settings(&issuer.url)).await;
    let es = json!({"alg": "ES256", "kid": "one"});
    let good = issuer.claims("ann", &["auditors"]);
    assert_eq!(rest.ask(Some(&ec.sign(&es, &good)), PATH).status, 200);
    let now = jiff::Timestamp::now().as_second();
    let header = |changes: Value| with(&es, changes);
    let claims = |changes: Value| with(&good, changes);
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let [head, _, signature] = &parts(&ec.sign(&es, &good))[..] else { panic!() };
    let admin = encoded(claims(json!({"preferred_username": "root"})).to_string());
    // The public key as the secret of a keyed hash.
    let keyed =
        format!("{}.{}", encoded(header(json!({"alg": "HS256"})).to_string()), encoded(good.to_string()));
    let point = ec.public("one")["x"].as_str().unwrap().to_owned();
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, point.as_bytes());
    let keyed = format!("{keyed}.{}", encoded(ring::hmac::sign(&secret, keyed.as_bytes())));
    let unsigned = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(good.to_string()));
    let cases = [
        ("expired token", ec.sign(&es, &claims(json!({"exp": now - 1_000})))),
        ("unknown token", ec.sign(&es, &claims(json!({"nbf": now + 1_000})))),
        ("unknown token", ec.sign(&es, &claims(json!({"exp": null})))),
        ("unknown token", ec.sign(&es, &claims(json!({"aud": "other"})))),
        ("unknown token", ec.sign(&es, &claims(json!({"aud": null})))),
        ("unknown token", ec.sign(&es, &claims(json!({"iss": "https://elsewhere.example.com"})))),
        ("unknown token", ec.sign(&es, &claims(json!({"iss": null})))),
        ("unknown token", ec.sign(&es, &claims(json!({"preferred_username": null})))),
        ("unknown token", ec.sign(&es, &claims(json!({"preferred_username": "a\nb"})))),
        ("unknown token", ec.sign(&header(json!({"kid": null})), &good)),
        ("unknown token", ec.sign(&header(json!({"kid": "three"})), &good)),
        ("unknown token", ec.sign(&header(json!({"kid": "two"})), &good)),
        ("unknown token", ec.sign(&header(json!({"alg": "RS256"})), &good)),
        ("unknown token", ec.sign(&header(json!({"alg": "ES384"})), &good)),
        ("unknown token", ec.sign(&header(json!({"crit": ["exp"]})), &good)),
        ("unknown token", rsa.sign(&json!({"alg": "PS256", "kid": "two"}), &good)),
        ("unknown token", other.sign(&es, &good)),
        ("unknown token", format!("{head}.{admin}.{signature}")),
        ("unknown token", format!("{head}.{}.", encoded(good.to_string()))),
        ("unknown token", keyed),
        ("unknown token", unsigned),
        ("unknown token", "a.b.c".to_owned()),
        ("not understood", format!("a.b.{}", "c".repeat(20_000))),
    ];
    let mut reasons: Vec<String> = Vec::new();
    for (reason, token) in &cases {
        let answered = rest.ask(Some(token), PATH);
        assert_eq!(answered.status, 401, "{reason} {token}");
        reasons.push((*reason).to_owned());
    }
    let said = annals(rest.site.path(), &["audit", "login-failures", "-o", "json"]).exits(0).json();
    let noted =
        said["items"].as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap().to_owned());
    let mut noted: Vec<String> = noted.collect();
    noted.sort();
    reasons.sort();
    assert_eq!(noted, reasons);
    assert_eq!(rest.site.count("select count(*) from annals_access where principal = 'root';"), 0);
    assert!(
        issuer.fetches.load(Ordering::Relaxed) <= 3,
        "who makes tokens up does not make us ask the issuer"
    );
}

/// A key that the issuer changes is found within a while, and the old one is of no use then; an issuer that is away keeps
/// its own from being answered and nobody else.
#[tokio::test]
async fn keys_change_and_issuers_go_away() {
    let (old, new) = (Key::ec(), Key::ec());
    let issuer = Issuer::begin(json!({"keys": [old.public("old")]}));
    let rest = Rest::with(Engine::Sqlite, &settings(&issuer.url)).await;
    let token = |key: &Key, kid: &str| {
        key.sign(&json!({"alg": "ES256", "kid": kid}), &issuer.claims("ann", &["auditors"]))
    };
    assert_eq!(rest.ask(Some(&token(&old, "old")), PATH).status, 200);
    *issuer.keys.lock().unwrap() = json!({"keys": [new.public("new")]});
    wait_for("the new key", || rest.ask(Some(&token(&new, "new")), PATH).status == 200);
    assert_eq!(rest.ask(Some(&token(&old, "old")), PATH).status, 401);

    let Rest { site, daemon, auditor, .. } = rest;
    drop(daemon);
    // Nobody listens there: the port was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = Issuer { url: format!("http://{free}"), keys: Arc::default(), fetches: Arc::default() };
    site.service(&settings(&away.url));
    let daemon = Daemon::serving(site.path(), &["--role", "api"]);
    let address = address(&daemon, "http");
    let rest = Rest { site, daemon, address, auditor };
    let unchecked = old.sign(&json!({"alg": "ES256", "kid": "old"}), &away.claims("ann", &["auditors"]));
    assert_eq!(rest.ask(Some(&unchecked), PATH).status, 503);
    assert_eq!(rest.ask(Some(&rest.auditor), PATH).status, 200);
    assert!(rest.daemon.log().contains("could not be fetched"), "{}", rest.daemon.log());
}
