//! What `deploy/` and its page tell people to call and to set is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use annals::cli::Cli;
use annals_testkit::Nats;
use clap::{Command, CommandFactory as _, Parser as _};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where command lines begin and end in a script.
const BETWEEN: [&str; 6] = ["&&", "|", ";", "#", ">", ")"];

pub(crate) fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The files of `deploy/` and the page on them, by path.
fn files() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![checkout("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs::read_to_string(path).unwrap());
            }
        }
    }
    let page = checkout("docs/deployment.md");
    files.insert(page.clone(), fs::read_to_string(page).unwrap());
    files
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn is_program(word: &str) -> bool {
    word == "annals" || word.ends_with("bin/annals") || word.ends_with("dist/annals")
}

/// Command lines in a document: what containers execute, and how their health is asked for. Those of other programs'
/// images are left out.
fn in_document(value: &Value, lines: &mut Vec<Vec<String>>) {
    let Some(entries) = value.as_object() else {
        for element in value.as_array().into_iter().flatten() {
            in_document(element, lines);
        }
        return;
    };
    if entries.get("image").and_then(Value::as_str).is_some_and(|image| !image.contains("annals")) {
        return;
    }
    for (key, value) in entries {
        let words: Option<Vec<String>> =
            value.as_array().and_then(|all| all.iter().map(|word| Some(word.as_str()?.to_owned())).collect());
        match (key.as_str(), words) {
            ("test", Some(words)) if words.get(1).is_some_and(|word| is_program(word)) => {
                lines.push(words[1..].to_vec());
            }
            ("command" | "args", Some(words)) if is_program(&words[0]) => lines.push(words),
            // Arguments alone: the image names the program.
            ("command" | "args", Some(words)) => lines.push([vec!["annals".to_owned()], words].concat()),
            _ => in_document(value, lines),
        }
    }
}

/// Command lines in a text: a unit, a container file, a script, the fenced scripts of a page.
fn in_text(text: &str, lines: &mut Vec<Vec<String>>) {
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("COPY ")) {
        let plain = line.replace(['[', ']', '"', ','], " ").replace("ExecStart=", "");
        // The image's entry point is the program.
        let plain = plain.strip_prefix("CMD ").map_or(plain.clone(), |rest| format!("annals {rest}"));
        let mut words = plain.split_whitespace();
        while words.any(is_program) {
            let arguments = words.by_ref().take_while(|word| !BETWEEN.contains(word));
            let arguments: Vec<String> = arguments.map(|word| word.trim_matches('\'').to_owned()).collect();
            if !arguments.is_empty() {
                lines.push([vec!["annals".to_owned()], arguments].concat());
            }
        }
    }
}

fn fenced(page: &str) -> String {
    page.split("```").skip(1).step_by(2).filter_map(|fence| fence.strip_prefix("sh\n")).collect()
}

fn variables(command: &Command, into: &mut BTreeSet<String>) {
    let of_arguments = command.get_arguments().filter_map(|argument| argument.get_env());
    into.extend(of_arguments.map(|name| name.to_string_lossy().into_owned()));
    for command in command.get_subcommands() {
        variables(command, into);
    }
}

/// Every call of the program is one that its command tree takes, and every file of YAML is one.
#[test]
fn what_is_called_is_a_command() {
    let mut called: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for (path, text) in files() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let lines = called.entry(name.clone()).or_default();
        match path.extension().and_then(|extension| extension.to_str()) {
            // Several documents in a file, as Kubernetes has them.
            Some("yaml") => text.split("\n---\n").for_each(|text| in_document(&yaml(text), lines)),
            Some("md") => in_text(&fenced(&text), lines),
            Some("sql" | "dockerignore" | "conf") => {}
            _ => in_text(&text, lines),
        }
        for line in lines {
            if let Err(error) = Cli::try_parse_from(&*line) {
                panic!("{name}: {line:?}: {error}");
            }
        }
    }
    let of = |name: &str| called[name].iter().map(|line| line[1..].join(" ")).collect::<Vec<_>>();
    assert_eq!(of("annals.service"), ["daemon"]);
    assert_eq!(of("Containerfile"), ["init /etc/annals", "daemon --check", "daemon"]);
    assert_eq!(of("compose.yaml").len(), 3);
    let roles = ["daemon --role scheduler,extract", "daemon --role writer", "daemon --check"];
    assert_eq!(of("compose.nats.yaml"), roles);
    assert_eq!(of("kubernetes.yaml"), Vec::<String>::new());
    assert_eq!(of("migrate.yaml"), ["migrate"]);
    assert_eq!(of("daemon.yaml").len(), 4);
    assert!(of("deployment.md").iter().any(|line| line.contains("source delete-triggers")));
}

/// Every variable that is set for the program is one that it reads.
#[test]
fn what_is_set_is_read() {
    let mut known = BTreeSet::new();
    variables(&Cli::command(), &mut known);
    let mut set = BTreeSet::new();
    for text in files().into_values() {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        set.extend(words.filter(|word| word.starts_with("ANNALS_")).map(str::to_owned));
    }
    // These the configuration names; `annals init` writes them there.
    let config = fs::read_to_string(checkout("config/annals.yaml")).unwrap();
    for name in ["ANNALS_SOURCE_URL", "ANNALS_SECRET_HASH_KEY"] {
        assert!(config.contains(&format!("${{{name}}}")));
        known.insert(name.to_owned());
    }
    // This one the page has people write there.
    let page = fs::read_to_string(checkout("docs/deployment.md")).unwrap();
    assert!(page.contains("url: ${ANNALS_HISTORY_URL}"));
    known.insert("ANNALS_HISTORY_URL".to_owned());
    assert!(set.contains("ANNALS_LOCK_FILE") && set.contains("ANNALS_CONFIG"));
    assert_eq!(set.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// On Kubernetes the service is the container's; `roles` runs with it.
#[test]
fn kubernetes_has_the_service_of_the_container() {
    let map = yaml(&fs::read_to_string(checkout("deploy/kubernetes/configmap.yaml")).unwrap());
    let service = fs::read_to_string(checkout("deploy/container/annals.yaml")).unwrap();
    assert_eq!(map["data"]["annals.yaml"], service);
}

/// The broker's nodes are configured as their server wants it, with their passwords from the environment, on Kubernetes
/// as elsewhere.
#[test]
fn the_brokers_configuration_is_one() {
    let looks = |config: &Path, secrets: bool| {
        let mut server = std::process::Command::new(Nats::program().unwrap());
        server.arg("-t").arg("--config").arg(config).env_clear().env("POD_NAME", "annals-nats-0");
        if secrets {
            server.env("NATS_ROUTE_PASSWORD", "route-secret").env("NATS_ANNALS_PASSWORD", "annals-secret");
            server.env(
                "NATS_ROUTES",
                r#"["nats://route:route-secret@mq1:6222", "nats://route:route-secret@mq2:6222"]"#,
            );
        }
        let done = server.output().unwrap();
        (done.status.success(), String::from_utf8(done.stderr).unwrap())
    };
    let dir = TempDir::new().unwrap();
    let kubernetes = dir.path().join("nats.conf");
    let manifest = fs::read_to_string(checkout("deploy/nats/kubernetes.yaml")).unwrap();
    let map = manifest.split("\n---\n").map(yaml).find(|part| part["kind"] == "ConfigMap").unwrap();
    fs::write(&kubernetes, map["data"]["nats.conf"].as_str().unwrap()).unwrap();
    let nodes = (1..=3).map(|node| checkout(&format!("deploy/nats/node-{node}.conf")));
    for config in nodes.chain([kubernetes]) {
        let (is_good, said) = looks(&config, true);
        assert!(is_good, "{}: {said}", config.display());
        let (is_good, said) = looks(&config, false);
        assert!(!is_good && said.contains("NATS_"), "{}: {said}", config.display());
    }
}

/// The service of hosts with a broker is the container's, and its queue beside it; what it lets a document have, the
/// broker takes.
#[test]
fn the_service_with_a_broker_is_the_containers_and_fits() {
    let read = |file: &str| yaml(&fs::read_to_string(checkout(file)).unwrap());
    let mut service = read("deploy/nats/annals.yaml");
    let with = service.as_object_mut().unwrap();
    let (queue, limits) = (with.remove("queue").unwrap(), with.remove("limits").unwrap());
    assert_eq!(service, read("deploy/container/annals.yaml"));
    assert_eq!((&queue["transport"], &queue["nats"]["replicas"]), (&json!("nats"), &json!(3)));
    let taken = limits["documentBytesMax"].as_u64().unwrap() + (128 << 10);
    assert!(taken <= 8_000_000, "{taken}");
    assert!(fs::read_to_string(checkout("deploy/nats/common.conf")).unwrap().contains("max_payload: 8MB"));
}
