//! Random histories of roles, groups and those who hold them, and a model of who had what by which path that is written
//! from the definitions alone: from states at instants, never from intervals.

use std::collections::{BTreeMap, BTreeSet};

use annals_model::{Message, ObjectType};
use serde_json::{Value, json};

use crate::world::{capture_of, deletion_of};

/// Identities of a universe: each is a history of its own.
pub(super) const IDENTITIES: u64 = 10;
const ROLES: u64 = 4;
const GROUPS: u64 = 4;

/// Numbers out of a seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    /// A number below `end` (SplitMix64).
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    pub(super) const fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn some(&mut self, of: u64, percent: u64) -> BTreeSet<u64> {
        (0..of).filter(|_| self.percent(percent)).collect()
    }
}

/// A role or a group of a universe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    Role(u64),
    Group(u64),
}

/// An object of a universe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    Identity(u64),
    Node(Node),
}

/// What somebody holds: the node as kind and name tell it, the account, how it was come by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    node: Node,
    kind: &'static str,
    name: String,
    account: Option<&'static str>,
    ways: &'static str,
    request: Option<&'static str>,
    assigner: Option<&'static str>,
}

/// What an object is at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Gone,
    Holds(BTreeSet<Held>),
    /// What it brings, how, and what that is called there.
    Brings(BTreeSet<(Node, &'static str, String)>),
}

/// A state, when it came about and in which round history is told of it.
#[derive(Debug, Clone)]
struct Told {
    object: Object,
    state: State,
    at_ms: i64,
    round: i64,
}

/// Objects with their histories.
#[derive(Debug)]
pub(super) struct Universe {
    pub(super) number: u64,
    told: Vec<Told>,
}

/// Rows of an answer.
pub(super) type Rows = BTreeSet<Row>;

/// A row of an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) identity: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) account: Option<String>,
    pub(super) ways: String,
    pub(super) through: Vec<String>,
    pub(super) since_ms: i64,
    pub(super) until_ms: Option<i64>,
}

/// A row with what is behind it.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) row: Row,
    pub(super) request: bool,
    pub(super) assigner: bool,
    /// What is held, and what each step leads to.
    pub(super) nodes: Vec<Node>,
}

/// A path at an instant: what is held, and each step with the node that it leads to.
type Walked = (u64, Held, Vec<(&'static str, Node)>);

impl Universe {
    pub(super) fn new(number: u64, rounds: u64) -> Self {
        let dice = &mut Dice::of(number);
        let mut told = Vec::new();
        let nodes = (0..ROLES).map(Node::Role).chain((0..GROUPS).map(Node::Group)).map(Object::Node);
        for object in (0..IDENTITIES).map(Object::Identity).chain(nodes) {
            let (mut at_ms, mut round) = (100, 0);
            for _ in 0..1 + dice.below(4) {
                at_ms += 1 + i64::try_from(dice.below(40)).unwrap();
                round = (round + dice.below(2)).min(rounds - 1);
                // One of ten is late, if anything came before it.
                let late = if dice.percent(12) { dice.below(rounds) } else { 0 };
                let state = if dice.percent(12) { State::Gone } else { state(object, dice) };
                let round = i64::try_from(round.max(late)).unwrap();
                told.push(Told { object, state, at_ms, round });
            }
        }
        Self { number, told }
    }

    pub(super) fn identity_id(&self, identity: u64) -> String {
        format!("u{:05}-i{identity}", self.number)
    }

    fn role_id(&self, role: u64) -> String {
        format!("u{:05}-r{role}", self.number)
    }

    fn value(&self, group: u64) -> String {
        format!("u{:05}-g{group}", self.number)
    }

    /// How it may be named.
    pub(super) fn item(&self, node: Node) -> String {
        match node {
            Node::Role(role) => format!("role:{}", self.role_id(role)),
            Node::Group(group) => format!("entitlement:AD/m={}", self.value(group)),
        }
    }

    /// The messages of a round.
    pub(super) fn messages(&self, round: i64) -> Vec<Message> {
        self.told.iter().filter(|told| told.round == round).map(|told| self.message(told)).collect()
    }

    fn message(&self, told: &Told) -> Message {
        let (object_type, id) = match told.object {
            Object::Identity(identity) => (ObjectType::Identity, self.identity_id(identity)),
            Object::Node(Node::Role(role)) => (ObjectType::Role, self.role_id(role)),
            Object::Node(Node::Group(group)) => {
                (ObjectType::ManagedAttribute, format!("m-{}", self.value(group)))
            }
        };
        let fields = match (&told.state, told.object) {
            (State::Gone, _) => return deletion_of(object_type, &id, told.at_ms, told.at_ms + 1),
            (State::Holds(held), _) => self.holds(held),
            (State::Brings(brings), object) => self.brings(object, brings),
        };
        capture_of(object_type, &id, fields, told.at_ms, told.at_ms + 1)
    }

    fn holds(&self, held: &BTreeSet<Held>) -> Value {
        let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (number, held) in held.iter().enumerate() {
            let by = json!({"id": number.to_string(), "source": "LCM", "requestItemId": held.request,
                            "assigner": held.assigner});
            let mut entry = |list, own: Value, more: Option<&Value>| {
                let mut element = more.cloned().unwrap_or_else(|| json!({}));
                element.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
                lists.entry(list).or_default().push(element);
            };
            match held.node {
                Node::Role(role) => {
                    let list = if held.kind == "assignedRole" { "assignedRoles" } else { "detectedRoles" };
                    let id = self.role_id(role);
                    entry(list, json!({"id": id, "name": held.name}), None);
                    entry("roleAssignments", json!({"name": list, "roleId": id}), Some(&by));
                }
                Node::Group(group) => entry(
                    "entitlements",
                    json!({"applicationId": "a1", "applicationName": "AD", "name": "m", "value": self.value(group),
                           "displayName": held.name, "nativeIdentity": held.account,
                           "assigned": held.ways.contains("assigned"),
                           "grantedByRole": held.ways.contains("granted")}),
                    Some(&by),
                ),
            }
        }
        let mut image = json!({"name": "ann"});
        for (list, elements) in lists {
            image[list] = elements.into();
        }
        image
    }

    fn brings(&self, object: Object, brings: &BTreeSet<(Node, &'static str, String)>) -> Value {
        let mut image = match object {
            Object::Node(Node::Group(group)) => json!({
                "name": "g", "application": {"id": "a1", "name": "AD"}, "attribute": "m", "value": self.value(group)
            }),
            _ => json!({"name": "R"}),
        };
        let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (node, way, name) in brings {
            let (list, element) = match (node, *way) {
                (Node::Role(role), "inherits") => {
                    ("inheritance", json!({"id": self.role_id(*role), "name": name}))
                }
                (Node::Role(role), _) => ("requirements", json!({"id": self.role_id(*role), "name": name})),
                (Node::Group(group), "grants") => (
                    "profileRelations",
                    json!({"applicationId": "a1", "applicationName": "AD", "attribute": "m",
                           "value": self.value(*group), "displayValue": name}),
                ),
                (Node::Group(group), _) => {
                    ("inheritance", json!({"attribute": "m", "value": self.value(*group), "name": name}))
                }
            };
            lists.entry(list).or_default().push(element);
        }
        for (list, elements) in lists {
            image[list] = elements.into();
        }
        image
    }

    /// What an object was at an instant, by what had been told up to a round.
    fn state(&self, object: Object, at_ms: i64, known: i64) -> Option<&State> {
        let told = self.told.iter().filter(|told| told.object == object);
        let told = told.filter(|told| told.at_ms <= at_ms && told.round <= known);
        told.max_by_key(|told| told.at_ms).map(|told| &told.state)
    }

    /// All paths to a node at an instant.
    fn walked(&self, wanted: Node, at_ms: i64, known: i64) -> BTreeSet<Walked> {
        let mut walked = BTreeSet::new();
        for identity in 0..IDENTITIES {
            let Some(State::Holds(held)) = self.state(Object::Identity(identity), at_ms, known) else {
                continue;
            };
            for held in held {
                let mut open = vec![(held.node, Vec::new())];
                while let Some((node, steps)) = open.pop() {
                    if node == wanted {
                        walked.insert((identity, held.clone(), steps));
                        continue;
                    }
                    if let Some(State::Brings(brings)) = self.state(Object::Node(node), at_ms, known) {
                        for (next, way, _) in brings {
                            let been = held.node == *next || steps.iter().any(|(_, node)| node == next);
                            if !been {
                                open.push((*next, [steps.clone(), vec![(*way, *next)]].concat()));
                            }
                        }
                    }
                }
            }
        }
        walked
    }

    /// What a step is called: as the newest state that tells it has it.
    fn called(&self, by: Node, way: &str, to: Node, known: i64) -> String {
        let tells = self.told.iter().filter(|told| told.object == Object::Node(by) && told.round <= known);
        let named = tells.filter_map(|told| match &told.state {
            State::Brings(brings) => {
                let (.., name) = brings.iter().find(|(node, of, _)| *node == to && *of == way)?;
                Some((told.at_ms, name))
            }
            _ => None,
        });
        format!("{way} {}", named.max().unwrap().1)
    }

    /// Instants at which something changes.
    fn changes(&self) -> BTreeSet<i64> {
        self.told.iter().map(|told| told.at_ms).collect()
    }

    /// All rows about a node as known in a round: each path of somebody, for as long as it was there without a break.
    pub(super) fn rows(&self, wanted: Node, known: i64) -> Vec<Behind> {
        let mut open: BTreeMap<Walked, i64> = BTreeMap::new();
        let mut rows = Vec::new();
        let ever = self.changes().into_iter().map(|at_ms| (at_ms, self.walked(wanted, at_ms, known)));
        for (at_ms, now) in ever.collect::<Vec<_>>() {
            open.retain(|walked, since_ms| {
                let stays = now.contains(walked);
                if !stays {
                    rows.push(self.row(walked, *since_ms, Some(at_ms), known));
                }
                stays
            });
            for walked in now {
                open.entry(walked).or_insert(at_ms);
            }
        }
        rows.extend(open.iter().map(|(walked, since_ms)| self.row(walked, *since_ms, None, known)));
        rows
    }

    fn row(
        &self,
        (identity, held, steps): &Walked,
        since_ms: i64,
        until_ms: Option<i64>,
        known: i64,
    ) -> Behind {
        let mut through = Vec::new();
        let mut by = held.node;
        for (way, to) in steps {
            if through.is_empty() {
                through.push(held.name.clone());
            }
            through.push(self.called(by, way, *to, known));
            by = *to;
        }
        let row = Row {
            identity: self.identity_id(*identity),
            kind: held.kind.to_owned(),
            name: held.name.clone(),
            account: held.account.map(str::to_owned),
            ways: held.ways.to_owned(),
            through,
            since_ms,
            until_ms,
        };
        let nodes = [vec![held.node], steps.iter().map(|(_, node)| *node).collect()].concat();
        Behind { row, request: held.request.is_some(), assigner: held.assigner.is_some(), nodes }
    }

    /// Identities that have a path at an instant.
    pub(super) fn holders_at(&self, wanted: Node, at_ms: i64, known: i64) -> BTreeSet<String> {
        self.walked(wanted, at_ms, known)
            .into_iter()
            .map(|(identity, ..)| self.identity_id(identity))
            .collect()
    }

    /// Identities that have one at each instant of a span.
    pub(super) fn holders_throughout(
        &self,
        wanted: Node,
        (from_ms, to_ms): (i64, i64),
        known: i64,
    ) -> BTreeSet<String> {
        let mut holders = self.holders_at(wanted, from_ms, known);
        for at_ms in self.changes().into_iter().filter(|at_ms| (from_ms..to_ms).contains(at_ms)) {
            let now = self.holders_at(wanted, at_ms, known);
            holders.retain(|identity| now.contains(identity));
        }
        holders
    }
}

fn state(object: Object, dice: &mut Dice) -> State {
    // What is renamed is the same: two names of each.
    let name = |node: &str, number: u64, dice: &mut Dice| {
        format!("{node}{number}{}", if dice.percent(25) { "'" } else { "" })
    };
    match object {
        Object::Identity(_) => {
            let mut held = BTreeSet::new();
            for role in dice.some(ROLES, 25) {
                let kinds = [("assignedRole", "assigned"), ("detectedRole", "detected")];
                let (kind, way) = kinds[usize::from(dice.percent(40))];
                let request = dice.percent(25).then_some("ri1");
                let assigner = dice.percent(30).then_some("bob");
                let ways = match (way, request) {
                    ("assigned", Some(_)) => "assigned+requested",
                    ("detected", Some(_)) => "detected+requested",
                    (way, _) => way,
                };
                let name = name("R", role, dice);
                held.insert(Held {
                    node: Node::Role(role),
                    kind,
                    name,
                    account: None,
                    ways,
                    request,
                    assigner,
                });
            }
            for group in dice.some(GROUPS, 25) {
                for account in ["ann", "adm"] {
                    if account == "adm" && dice.percent(80) {
                        continue;
                    }
                    let ways = ["assigned", "granted", "detected"][usize::try_from(dice.below(3)).unwrap()];
                    let name = name("G", group, dice);
                    let node = Node::Group(group);
                    let account = Some(account);
                    let (kind, request, assigner) = ("entitlement", None, None);
                    held.insert(Held { node, kind, name, account, ways, request, assigner });
                }
            }
            State::Holds(held)
        }
        Object::Node(Node::Role(_)) => {
            let mut brings = BTreeSet::new();
            for (way, percent) in [("inherits", 25), ("requires", 15)] {
                for role in dice.some(ROLES, percent) {
                    brings.insert((Node::Role(role), way, name("R", role, dice)));
                }
            }
            for group in dice.some(GROUPS, 25) {
                brings.insert((Node::Group(group), "grants", name("G", group, dice)));
            }
            State::Brings(brings)
        }
        Object::Node(Node::Group(_)) => {
            let groups = dice.some(GROUPS, 25).into_iter();
            State::Brings(groups.map(|group| (Node::Group(group), "is in", name("G", group, dice))).collect())
        }
    }
}
