//! `why`: every path by which an identity held an access item at an instant, and what is behind it.

use std::collections::HashMap;

use annals_history::{AsOf, Hidden, HoldersQuestion, Span, as_of, holders};
use annals_model::{AccessKind, Acquired, ObjectKey, ObjectType};
use annals_sql::Tx;
use serde_json::{Map, Value, json};

use crate::Result;
use crate::item::{Access, called, find_item};
use crate::paths::paths;
use crate::row::{Column, Kind, Row};
use crate::who_had::{Holder, holder_rows};

/// Rows of an identity that are read: more than it has of one item at one instant.
const ROWS_MAX: u32 = 10_000;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Why<'q> {
    /// The identity.
    pub identity: &'q ObjectKey,
    /// What it held: `role:NAME` and its like, or a name.
    pub item: &'q str,
    /// When, epoch milliseconds.
    pub at_ms: i64,
    /// Only what history knew at this instant; none: what it knows now.
    pub known_at_ms: Option<i64>,
    /// What is not told of the objects behind a path.
    pub hidden: &'q Hidden,
}

/// A path by which an identity held something, and what is behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The path, with its interval.
    pub path: Holder,
    /// What is behind it; nothing where nothing explains it.
    pub because: Vec<Because>,
}

/// Something that explains why somebody held something.
#[derive(Debug, Clone, PartialEq)]
pub struct Because {
    /// `request`, `certification`, `role`, `assigner` or `mitigation`.
    pub kind: &'static str,
    /// In a few words.
    pub text: String,
    /// All that is known.
    pub detail: Value,
}

impl Row for Reason {
    const COLUMNS: &'static [Column] = &[
        Column::new("kind", Kind::Text),
        Column::new("name", Kind::Text),
        Column::new("through", Kind::Texts),
        Column::new("since", Kind::Instant),
        Column::new("until", Kind::Instant),
        Column::new("account", Kind::Text),
        Column::new("acquired", Kind::Texts),
        Column::new("cause", Kind::Text),
        Column::new("because", Kind::Texts),
        Column::for_programs("explained", Kind::Flag),
        Column::for_programs("evidence", Kind::Json),
        Column::for_programs("assigner", Kind::Text),
        Column::for_programs("request item", Kind::Text),
        Column::for_programs("item id", Kind::Text),
        Column::for_programs("application", Kind::Text),
        Column::for_programs("attribute", Kind::Text),
        Column::for_programs("value", Kind::Text),
        Column::for_programs("interval since", Kind::Instant),
        Column::for_programs("capture id", Kind::Text),
    ];

    fn cells(&self) -> Vec<Value> {
        let Holder { item, through, since_ms, until_ms, interval, .. } = &self.path;
        let holding = &interval.holding;
        let because: Vec<&str> = match self.because.as_slice() {
            [] => vec!["unexplained"],
            several => several.iter().map(|one| one.text.as_str()).collect(),
        };
        let evidence: Vec<Value> = self
            .because
            .iter()
            .map(|one| {
                let mut detail = one.detail.clone();
                detail["kind"] = json!(one.kind);
                detail
            })
            .collect();
        vec![
            json!(item.kind.as_str()),
            json!(item.name),
            json!(through),
            json!(since_ms),
            json!(until_ms),
            json!(holding.native_identity),
            json!(holding.acquired.words()),
            json!(holding.cause),
            json!(because),
            json!(!self.because.is_empty()),
            json!(evidence),
            json!(holding.assigner),
            json!(holding.request_item_id),
            json!(item.id),
            json!(item.application),
            json!(item.attribute),
            json!(item.value),
            json!(interval.valid_from_ms),
            json!(interval.opened_by),
        ]
    }
}

/// Every path by which an identity held an access item at an instant; none where it did not hold it.
///
/// # Errors
/// `NoItem`, `AmbiguousItem`, `TooManyPaths`; else as any call.
pub async fn why(tx: &mut Tx, question: &Why<'_>) -> Result<Vec<Reason>> {
    let item = find_item(tx, question.item).await?;
    let paths = paths(tx, item, question.known_at_ms, false).await?;
    let span = Span::at(question.at_ms, question.known_at_ms);
    let identity_id = annals_model::text::searchable(&question.identity.object_id).into_owned();
    let held = holders(
        tx,
        HoldersQuestion {
            items: &paths.by_item.keys().copied().collect::<Vec<_>>(),
            span,
            within: Some(std::slice::from_ref(&identity_id)),
            from_identity: &identity_id,
            rows_max: ROWS_MAX,
        },
    )
    .await?;
    let rows = holder_rows(held, span, &paths);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let state = as_of(tx, question.identity, question.at_ms, question.known_at_ms).await?;
    let mut evidence = Evidence {
        tx,
        question,
        fields: fields(state, ObjectType::Identity, question.hidden),
        states: HashMap::new(),
    };
    let mut reasons = Vec::with_capacity(rows.len());
    for path in &rows {
        let because = evidence.of(path, &rows).await?;
        reasons.push(Reason { path: path.clone(), because });
    }
    Ok(reasons)
}

type Fields = Map<String, Value>;

fn fields(state: Option<AsOf>, object_type: ObjectType, hidden: &Hidden) -> Fields {
    let mut fields = state.and_then(|state| state.image).map(|image| image.image_fields).unwrap_or_default();
    hidden.redact_image(object_type, &mut fields);
    fields
}

fn text<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str)
}

/// The name of a reference.
fn name_of(fields: &Fields, name: &str) -> Value {
    fields.get(name).and_then(|reference| reference.get("name")).cloned().unwrap_or_default()
}

fn list<'f>(fields: &'f Fields, name: &str) -> impl Iterator<Item = &'f Fields> {
    fields.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// Looks for what is behind a path.
struct Evidence<'t, 'q> {
    tx: &'t mut Tx,
    question: &'q Why<'q>,
    /// What the identity's image said.
    fields: Fields,
    /// What others' said; each is asked for at one instant.
    states: HashMap<ObjectKey, Fields>,
}

impl Evidence<'_, '_> {
    async fn of(&mut self, path: &Holder, all: &[Holder]) -> Result<Vec<Because>> {
        let holding = &path.interval.holding;
        let mut because = Vec::new();
        if let Some(item) = &holding.request_item_id {
            because.push(self.request(item).await?);
        }
        if let Some(row) = self.row(path) {
            because.extend(self.certification(&row).await?);
        }
        if holding.acquired.has(Acquired::GRANTED) {
            because.extend(by_role(path, all));
        }
        if let Some(assigner) = &holding.assigner {
            let text = format!("assigned by {assigner}");
            because.push(Because { kind: "assigner", text, detail: json!({"assigner": assigner}) });
        }
        because.extend(self.mitigations(path).await?);
        Ok(because)
    }

    /// The newest state of another object of the identity's source, as far as was known.
    async fn other(&mut self, object_type: ObjectType, object_id: &str) -> Result<Fields> {
        self.state(object_type, object_id, i64::MAX).await
    }

    /// The state of an object of the identity's source at an instant, read once: several paths may begin with one holding.
    async fn state(&mut self, object_type: ObjectType, object_id: &str, at_ms: i64) -> Result<Fields> {
        let Why { identity, known_at_ms, hidden, .. } = *self.question;
        let key = ObjectKey { source: identity.source.clone(), object_type, object_id: object_id.to_owned() };
        if let Some(known) = self.states.get(&key) {
            return Ok(known.clone());
        }
        let state = fields(as_of(self.tx, &key, at_ms, known_at_ms).await?, object_type, hidden);
        self.states.insert(key, state.clone());
        Ok(state)
    }

    /// The request item that brought it, with its request and approvals.
    async fn request(&mut self, item_id: &str) -> Result<Because> {
        let item = self.other(ObjectType::IdentityRequestItem, item_id).await?;
        let request_id = item.get("identityRequest").and_then(|request| request.get("id"));
        let request_id = request_id.and_then(Value::as_str).map(str::to_owned);
        let request = match &request_id {
            Some(id) => self.other(ObjectType::IdentityRequest, id).await?,
            None => Fields::new(),
        };
        let approvals: Vec<Value> = approvals(&request);
        let (requester, approver) = (name_of(&item, "requester"), item.get("approverName"));
        let mut told = format!("request {}", name_of(&item, "identityRequest").as_str().unwrap_or(item_id));
        for (word, who) in [("by", requester.as_str()), ("approved by", approver.and_then(Value::as_str))] {
            told.extend(who.map(|who| format!(" {word} {who}")));
        }
        let detail = json!({
            "requestItem": item_id,
            "request": request_id,
            "requestName": name_of(&item, "identityRequest"),
            "operation": item.get("operation"),
            "requester": requester,
            "approver": approver,
            "approvalState": item.get("approvalState"),
            "provisioningState": item.get("provisioningState"),
            "completionStatus": request.get("completionStatus"),
            "approvals": approvals,
        });
        Ok(Because { kind: "request", text: told, detail })
    }

    /// The identity's row about what it holds: of an entitlement, or of how a role was come by.
    fn row(&self, path: &Holder) -> Option<String> {
        let (item, holding) = (&path.item, &path.interval.holding);
        let is = |row: &Fields, name: &str, value: &Option<String>| text(row, name) == value.as_deref();
        let found = match item.kind {
            AccessKind::Entitlement => list(&self.fields, "entitlements").find(|row| {
                is(row, "name", &item.attribute)
                    && is(row, "value", &item.value)
                    && is(row, "nativeIdentity", &holding.native_identity)
                    && (is(row, "applicationId", &item.application_id)
                        || is(row, "applicationName", &item.application))
            }),
            AccessKind::AssignedRole | AccessKind::DetectedRole => {
                let set =
                    if item.kind == AccessKind::AssignedRole { "assignedRoles" } else { "detectedRoles" };
                list(&self.fields, "roleAssignments").find(|row| {
                    text(row, "name") == Some(set)
                        && (is(row, "roleId", &item.id) || is(row, "roleName", &item.name))
                })
            }
            _ => None,
        };
        found.and_then(|row| text(row, "id")).map(str::to_owned)
    }

    /// The certification that looked at it last, by the row's own captures.
    async fn certification(&mut self, row_id: &str) -> Result<Option<Because>> {
        let row = self.state(ObjectType::Entitlement, row_id, self.question.at_ms).await?;
        let Some(item_id) = text(&row, "certificationItemId") else { return Ok(None) };
        // Only those that take something away have captures of their own.
        let item = self.other(ObjectType::CertificationRemediation, item_id).await?;
        let certification = name_of(&item, "certification");
        let told = match (certification.as_str(), text(&item, "status")) {
            (Some(name), Some(status)) => format!("certification {name}: {status}"),
            _ => format!("certification item {item_id}"),
        };
        let detail = json!({
            "certificationItem": item_id,
            "certification": certification,
            "decision": item.get("status"),
            "decidedBy": item.get("actorName"),
            "decided": item.get("decisionDate"),
        });
        Ok(Some(Because { kind: "certification", text: told, detail }))
    }

    /// Violations that somebody has accepted and that name the role.
    async fn mitigations(&mut self, path: &Holder) -> Result<Vec<Because>> {
        let Some(name) = path.item.name.as_deref() else { return Ok(Vec::new()) };
        if !matches!(path.item.kind, AccessKind::AssignedRole | AccessKind::DetectedRole) {
            return Ok(Vec::new());
        }
        let mitigated = list(&self.fields, "policyViolations")
            .filter(|violation| text(violation, "status") == Some("Mitigated"))
            .filter_map(|violation| text(violation, "id"));
        let ids: Vec<String> = mitigated.map(str::to_owned).collect();
        let mut found = Vec::new();
        for id in ids {
            let violation = self.other(ObjectType::PolicyViolation, &id).await?;
            let names_it = ["leftBundles", "rightBundles"].iter().any(|side| match violation.get(*side) {
                Some(Value::Array(several)) => several.iter().any(|role| role == name),
                Some(one) => one == name,
                None => false,
            });
            if names_it {
                let mitigator = text(&violation, "mitigator");
                let policy = text(&violation, "policyName").unwrap_or(&id);
                let by = mitigator.map(|by| format!(", accepted by {by}")).unwrap_or_default();
                let detail = json!({
                    "policyViolation": id,
                    "policy": violation.get("policyName"),
                    "constraint": violation.get("constraintName"),
                    "mitigator": mitigator,
                });
                found.push(Because {
                    kind: "mitigation",
                    text: format!("violation of {policy}{by}"),
                    detail,
                });
            }
        }
        Ok(found)
    }
}

/// Who has approved a request, in which state.
fn approvals(request: &Fields) -> Vec<Value> {
    let summaries = request.get("attributes").and_then(|attributes| attributes.get("approvalSummaries"));
    // A list of one is that one.
    let summaries = match summaries {
        Some(Value::Array(several)) => several.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let one = |summary: &Value| {
        summary.is_object().then(|| {
            json!({
                "owner": summary.get("owner"),
                "completer": summary.get("completer"),
                "state": summary.get("state"),
            })
        })
    };
    summaries.iter().filter_map(one).collect()
}

/// The roles by which the same is had, where the row says that a role grants it.
fn by_role(path: &Holder, all: &[Holder]) -> Option<Because> {
    let grants_it = |other: &&Holder| {
        let before = other.walked.strip_suffix(&*path.walked).and_then(<[_]>::last);
        other.walked.first().is_some_and(Access::is_role) && before.is_some_and(Access::is_role)
    };
    let mut roles: Vec<String> = all.iter().filter(grants_it).map(|other| called(&other.item)).collect();
    roles.sort_unstable();
    roles.dedup();
    let text = format!("granted by {}", roles.join(", "));
    (!roles.is_empty()).then(|| Because { kind: "role", text, detail: json!({"roles": roles}) })
}
