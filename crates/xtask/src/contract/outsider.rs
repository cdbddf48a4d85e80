//! A daemon that answers over REST, and what somebody outside knows of it.

use std::time::{Duration, Instant};
use std::{fs, thread};

use annals_testkit::Engine;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench::{program::executable, server::printed};
use crate::root::Root;
use crate::sweep::site::{Running, Settings, Site, TASK};

/// A day on which something has happened.
const INSTANT: &str = "2026-01-07";

/// How long a daemon may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A history that is asked, on PostgreSQL.
#[derive(Debug)]
pub(crate) struct Outsider {
    site: Site,
    _daemon: Running,
    /// Where it answers: `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// May do everything.
    pub(crate) token: String,
    /// docs/openapi.json
    pub(crate) description: std::path::PathBuf,
}

impl Outsider {
    /// Two nights of a small identity system, and a daemon that answers.
    pub(crate) fn new(root: &Root) -> Result<Self> {
        let mut cargo = root.cargo();
        cargo.args(["build", "--quiet", "--package", "annals", "--bin", "annals"]);
        cargo.args(["--message-format=json-render-diagnostics"]);
        let program = executable(&printed(&mut cargo)?).context("cargo has built no program")?;
        let site = Site::new(root.folder(), &program, Engine::Sqlite, Engine::Postgres)?;
        site.configure(Settings { worker_slots: 2, loss_limit: 100, batch_objects_max: 500, arguments: "" })?;
        let file = site.folder().join("annals.yaml");
        let api = "api: {listen: \"127.0.0.1:0\", requestsPerSecond: 100000}\n";
        fs::write(&file, fs::read_to_string(&file)? + api)?;
        let url = site.source.url().to_owned();
        let start = "2026-01-05T00:00:00Z";
        for call in [
            &["demo", "source", "--url", &url, "--start", start, "--identities", "40"][..],
            &["migrate"],
            &["run", TASK],
            &["demo", "days", "--days", "3", "--url", &url],
            &["run", TASK],
        ] {
            let said = site.call(call, &[])?;
            ensure!(said.is_well(), "`annals {}` failed: {}", call.join(" "), said.err);
        }
        let mut create = site.command(&[], &["token", "create", "outsider", "--role", "admin,auditor"]);
        let token = printed(&mut create)?.trim().to_owned();
        let daemon = site.start(site.command(&[], &["daemon", "--role", "api"]).env("ANNALS_LOG", "info"))?;
        let began = Instant::now();
        let url = loop {
            let told = daemon.told();
            let address = told.split_once("REST at ").and_then(|(_, rest)| rest.split_whitespace().next());
            if let Some(address) = address {
                break address.to_owned();
            }
            ensure!(began.elapsed() < READY_WITHIN, "the daemon does not answer: {told}");
            thread::sleep(Duration::from_millis(50));
        };
        let description = root.folder().join("docs/openapi.json");
        Ok(Self { site, _daemon: daemon, url, token, description })
    }

    /// A URL for each operation that asks, with every place and option filled in, each followed by the mark `*`.
    pub(crate) fn marked_urls(&self) -> Result<Vec<String>> {
        let description: Value = serde_json::from_str(&fs::read_to_string(&self.description)?)?;
        let paths = description["paths"].as_object().context("the description has paths")?;
        let mut urls = Vec::new();
        for (path, operations) in paths {
            let Some(parameters) = operations["get"]["parameters"].as_array() else { continue };
            let class = class(&paths[path.split("/{").next().unwrap_or_default()]);
            let mut path = path.clone();
            let mut options = Vec::new();
            for parameter in parameters {
                let name = parameter["name"].as_str().context("a parameter has a name")?;
                if parameter["in"] == "path" {
                    let value = self.place(name, class.as_deref());
                    path = path.replace(&format!("{{{name}}}"), &format!("{value}*"));
                } else {
                    options.push(format!("{name}={}*", option(name, parameter)));
                }
            }
            if path.contains('*') || !options.is_empty() {
                let mark = if options.is_empty() { "" } else { "?" };
                urls.push(format!("{}{path}{mark}{}", self.url, options.join("&")));
            }
        }
        Ok(urls)
    }

    /// What there is for an open place of a path: the task, a run, the id of an object of the class.
    fn place(&self, name: &str, class: Option<&str>) -> String {
        match (name, class) {
            ("task", _) => TASK.replace(' ', "%20"),
            ("run", _) => "1".to_owned(),
            (_, None) => "none".to_owned(),
            (_, Some(class)) => {
                let newest = format!(
                    "select object_id from annals_head h join annals_object_kind k on k.id = h.kind
                     where k.object_type = '{class}' limit 1;"
                );
                self.site.history.sql(&newest).trim().to_owned()
            }
        }
    }

    /// A folder for what tools write.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.site.folder()
    }
}

/// The class of the objects that are listed there.
fn class(list: &Value) -> Option<String> {
    let answer = &list["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    let items = answer["properties"]["value"]["items"]["$ref"].as_str()?;
    Some(items.rsplit_once('/')?.1.to_owned())
}

/// A good value of an option.
fn option(name: &str, parameter: &Value) -> String {
    let schema = &parameter["schema"];
    match (name, schema["type"].as_str()) {
        ("$filter", _) => "name%20ne%20'a".to_owned(),
        ("$orderby" | "$select", _) => "id".to_owned(),
        ("$skiptoken", _) => "5b5d".to_owned(),
        (_, Some("integer")) => "1".to_owned(),
        (_, Some("boolean")) => "true".to_owned(),
        _ if schema["anyOf"].is_array() => INSTANT.to_owned(),
        _ => schema["enum"][0].as_str().unwrap_or("a").to_owned(),
    }
}
