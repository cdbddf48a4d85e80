//! `who-had` and `why`: hand-made cases, and random histories against a model that is written from the definitions alone.

mod universe;

use std::collections::BTreeSet;

use annals_history::{AccessRebuild, Hidden, PageRequest, Position, Rebuilt, Span};
use annals_model::ObjectType;
use annals_questions::{Error, Holder, Mode, Reason, WhoHad, Why, who_had, why};
use annals_sql::Tx;
use serde_json::json;

use self::universe::{Behind, Dice, IDENTITIES, Node, Row, Rows, Universe};
use crate::world::{FULL, START_MS, World, capture, capture_of, deletion_of, identity, worlds};

const EVER: Span = Span { from_ms: i64::MIN, to_ms: i64::MAX, known_at_ms: None };

fn ever(item: &str) -> WhoHad<'_> {
    WhoHad { item, span: EVER, mode: Mode::Any, direct_only: false, within: None }
}

/// All rows, in pages of so many.
async fn asked(tx: &mut Tx, question: &WhoHad<'_>, limit: u32) -> Result<Vec<Holder>, Error> {
    let (mut rows, mut after) = (Vec::new(), None::<Position>);
    loop {
        let page = who_had(tx, question, &PageRequest { limit, after }).await?;
        assert!(page.rows.len() <= usize::try_from(limit).unwrap());
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(rows);
        }
    }
}

fn row(holder: &Holder) -> Row {
    Row {
        identity: holder.identity_id.clone(),
        kind: holder.item.kind.as_str().to_owned(),
        name: holder.item.name.clone().unwrap_or_default(),
        account: holder.interval.holding.native_identity.clone(),
        ways: holder.interval.holding.acquired.words().join("+"),
        through: holder.through.clone(),
        since_ms: holder.since_ms,
        until_ms: holder.until_ms,
    }
}

/// Identity, through what, from when to when.
async fn told(world: &World, question: &WhoHad<'_>) -> Vec<String> {
    let mut tx = world.db.begin_read().await.unwrap();
    let rows = asked(&mut tx, question, 1_000).await.unwrap();
    let shown = |holder: &Holder| {
        let until = holder.until_ms.map_or_else(String::new, |ms| ms.to_string());
        format!("{} {}..{until} {}", holder.identity_id, holder.since_ms, holder.through.join(" "))
    };
    rows.iter().map(shown).collect()
}

/// TRAP-02: a role comes to its holders by roles that inherit it and require it, and an entitlement by a role's profile and
/// by groups, for as long as each of them says so.
#[tokio::test]
async fn access_comes_through_roles_and_groups() {
    for world in worlds(&FULL).await {
        let roles = |ids: &[&str]| {
            let list: Vec<_> = ids.iter().map(|id| json!({"id": id, "name": id.to_uppercase()})).collect();
            json!({"name": "x", "assignedRoles": list})
        };
        let role = |field: &str, ids: &[&str]| {
            let list: Vec<_> = ids.iter().map(|id| json!({"id": id, "name": id.to_uppercase()})).collect();
            json!({"name": "x", field: list})
        };
        let entitlement = |value: &str| {
            json!({"applicationId": "a", "applicationName": "AD", "attribute": "m", "name": "m", "value": value,
                   "nativeIdentity": "n"})
        };
        let group = |value: &str, parents: &[&str]| {
            let parents: Vec<_> =
                parents.iter().map(|value| json!({"attribute": "m", "value": value})).collect();
            json!({"name": "g", "application": {"id": "a", "name": "AD"}, "attribute": "m", "value": value,
                   "inheritance": parents})
        };
        let of = |object_type, id: &str, fields, at_ms| capture_of(object_type, id, fields, at_ms, at_ms + 1);
        world
            .write(vec![
                of(ObjectType::Role, "job", role("inheritance", &["staff"]), 50),
                of(ObjectType::Role, "staff", role("requirements", &["mail"]), 60),
                of(
                    ObjectType::Role,
                    "mail",
                    json!({"name": "x", "profileRelations": [entitlement("g1")]}),
                    70,
                ),
                of(ObjectType::ManagedAttribute, "m1", group("g1", &["g2"]), 80),
                capture("ann", roles(&["job"]), 100, 101),
                capture("bob", roles(&["mail"]), 100, 101),
                capture("cy", json!({"name": "x", "entitlements": [entitlement("g1")]}), 100, 101),
            ])
            .await;
        world.write(vec![of(ObjectType::Role, "staff", role("requirements", &[]), 200)]).await;
        world.write(vec![deletion_of(ObjectType::ManagedAttribute, "m1", 300, 301)]).await;

        assert_eq!(told(&world, &ever("role:job")).await, ["ann 100.. "]);
        assert_eq!(told(&world, &ever("STAFF")).await, ["ann 100.. JOB inherits STAFF"]);
        assert_eq!(
            told(&world, &ever("mail")).await,
            ["ann 100..200 JOB inherits STAFF requires MAIL", "bob 100.. "]
        );
        let g2 = "entitlement:AD/m=g2";
        let all = [
            "ann 100..200 JOB inherits STAFF requires MAIL grants g1 is in g2",
            "bob 100..300 MAIL grants g1 is in g2",
            "cy 100..300 g1 is in g2",
        ];
        assert_eq!(told(&world, &ever(g2)).await, all);
        assert_eq!(told(&world, &ever("entitlement:a/m=g2")).await, all, "by the application's id");
        assert_eq!(told(&world, &ever("g2")).await, all, "by the value");
        assert_eq!(told(&world, &WhoHad { direct_only: true, ..ever(g2) }).await, [""; 0]);
        let within = ["cy".to_owned(), "nobody".to_owned()];
        assert_eq!(told(&world, &WhoHad { within: Some(&within), ..ever(g2) }).await, all[2..]);
        assert_eq!(told(&world, &WhoHad { within: Some(&[]), ..ever(g2) }).await, [""; 0]);
        let span = |from_ms, to_ms| Span { from_ms, to_ms, known_at_ms: None };
        for (mode, span, expected) in [
            (Mode::Any, span(200, 250), &all[1..]),
            (Mode::Any, span(300, 400), &[]),
            (Mode::All, span(150, 200), &all),
            (Mode::All, span(150, 201), &all[1..]),
            (Mode::All, span(99, 200), &[]),
            (Mode::AtEnd, span(150, 201), &all[1..]),
            (Mode::AtEnd, span(150, 300), &all[1..]),
            (Mode::AtEnd, span(150, 301), &[]),
        ] {
            assert_eq!(told(&world, &WhoHad { span, mode, ..ever(g2) }).await, expected, "{mode:?} {span:?}");
        }
        // What the whole of the paths came to is known since the very first round only.
        let unknown = Span { known_at_ms: Some(START_MS - 1), ..EVER };
        assert_eq!(told(&world, &WhoHad { span: unknown, ..ever(g2) }).await, [""; 0]);
    }
}

/// TRAP-18: what is named wrongly is told so, with what could be meant.
#[tokio::test]
async fn a_name_of_several_is_refused() {
    for world in worlds(&FULL).await {
        let image = json!({
            "name": "x",
            "assignedRoles": [{"id": "r1", "name": "Audit"}, {"id": "r2", "name": "Audit"}],
            "capabilities": [{"id": "c1", "name": "Audit"}],
            "accounts": [{"applicationId": "a", "applicationName": "A/D", "nativeIdentity": "n"}],
            "entitlements": [{"applicationId": "a", "applicationName": "A/D", "name": "m=", "value": "x=1,y=2"},
                             {"applicationId": "b", "applicationName": "B", "name": "m", "value": "x=1,y=2",
                              "type": "Permission"}]
        });
        world.write(vec![capture("ann", image, 100, 101)]).await;
        let mut tx = world.db.begin_read().await.unwrap();
        let page = PageRequest { limit: 10, after: None };
        let refused = async |tx: &mut Tx, item: &str| match who_had(tx, &ever(item), &page).await {
            Err(error) => error.to_string(),
            Ok(page) => format!("{} rows", page.rows.len()),
        };
        assert_eq!(
            refused(&mut tx, "Audit").await,
            "`Audit` is the name of several: capability:Audit, role:r1, role:r2"
        );
        assert_eq!(
            refused(&mut tx, "role:Audit").await,
            "`role:Audit` is the name of several: role:r1, role:r2"
        );
        assert_eq!(
            refused(&mut tx, "x=1,y=2").await,
            "`x=1,y=2` is the name of several: entitlement:A/D/m==x=1,y=2, permission:B/m=x=1,y=2"
        );
        assert_eq!(refused(&mut tx, "entitlement:A/D/m==x=1,y=2").await, "1 rows");
        assert_eq!(refused(&mut tx, "permission:B/m=x=1,y=2").await, "1 rows");
        for one in ["role:r2", "account:A/D", "account:a", "A/D", "c1"] {
            assert_eq!(refused(&mut tx, one).await, "1 rows", "{one}");
        }
        for nothing in ["", "role:", "role:Nobody", "entitlement:B/m=x=1,y=2", "workgroup:Audit", "audit"] {
            let told = format!("nothing that anybody can have access to is known as `{nothing}`");
            assert_eq!(refused(&mut tx, nothing).await, told);
        }
        let empty = Span { from_ms: 5, to_ms: 5, known_at_ms: None };
        let asked = WhoHad { span: empty, ..ever("role:r1") };
        assert!(matches!(who_had(&mut tx, &asked, &page).await, Err(Error::EmptySpan)));
        let asked = WhoHad { mode: Mode::All, ..ever("role:r1") };
        assert!(matches!(who_had(&mut tx, &asked, &page).await, Err(Error::NoBeginning)));
    }
}

/// IIQ-05: behind a path stand its request with who approved it, the certification that looked at it last with its
/// decision, who assigned it, and the violation that was accepted.
#[tokio::test]
async fn what_is_behind_a_path_is_told() {
    for world in worlds(&FULL).await {
        let of = |object_type, id: &str, fields| capture_of(object_type, id, fields, 90, 91);
        let image = json!({
            "name": "ann",
            "assignedRoles": [{"id": "r1", "name": "Payer"}, {"id": "r2", "name": "Clerk"}],
            "roleAssignments": [{"id": "x1", "name": "assignedRoles", "roleId": "r1", "source": "LCM",
                                 "assigner": "bob", "requestItemId": "ri1"}],
            "policyViolations": [{"id": "v1", "status": "Mitigated"}, {"id": "v2", "status": "Open"}]
        });
        let violation = |roles| {
            json!({"name": "V", "leftBundles": roles, "rightBundles": "Payer", "policyName": "P",
                                       "constraintName": "C", "mitigator": "eve"})
        };
        world
            .write(vec![
                of(ObjectType::IdentityRequestItem, "ri1", json!({
                    "identityRequest": {"id": "q1", "name": "0017"}, "operation": "Add", "approverName": "cy",
                    "requester": {"id": "i9", "name": "dan"}, "approvalState": "Finished"
                })),
                of(ObjectType::IdentityRequest, "q1", json!({
                    "name": "0017", "completionStatus": "Success",
                    "attributes": {"approvalSummaries": {"owner": "cy", "completer": "flo", "state": "Finished"}}
                })),
                of(ObjectType::Entitlement, "x1", json!({"name": "assignedRoles", "certificationItemId": "ci1"})),
                of(ObjectType::CertificationRemediation, "ci1", json!({
                    "certification": {"id": "c1", "name": "Spring"}, "status": "Remediated", "actorName": "gil",
                    "decisionDate": 80
                })),
                of(ObjectType::PolicyViolation, "v1", violation(json!(["Auditor", "Teller"]))),
                of(ObjectType::PolicyViolation, "v2", violation(json!([]))),
                capture("ann", image, 100, 101),
            ])
            .await;
        let mut tx = world.db.begin_read().await.unwrap();
        let ann = identity("ann");
        let nothing = Hidden::default();
        let mut reasons = async |item: &str, at_ms, hidden| {
            why(&mut tx, &Why { identity: &ann, item, at_ms, known_at_ms: None, hidden }).await.unwrap()
        };
        let told = reasons("role:Payer", 100, &nothing).await;
        let because: Vec<_> = told[0].because.iter().map(|one| (one.kind, one.text.as_str())).collect();
        assert_eq!(
            because,
            [
                ("request", "request 0017 by dan approved by cy"),
                ("certification", "certification Spring: Remediated"),
                ("assigner", "assigned by bob"),
                ("mitigation", "violation of P, accepted by eve"),
            ]
        );
        let detail: Vec<_> = told[0].because.iter().map(|one| one.detail.clone()).collect();
        assert_eq!(detail[0]["approvals"], json!([{"owner": "cy", "completer": "flo", "state": "Finished"}]));
        assert_eq!(
            [&detail[0]["request"], &detail[0]["operation"], &detail[0]["completionStatus"]],
            ["q1", "Add", "Success"]
        );
        assert_eq!((&detail[1]["decidedBy"], &detail[1]["decided"]), (&json!("gil"), &json!(80)));
        assert_eq!(
            detail[3],
            json!({"policyViolation": "v1", "policy": "P", "constraint": "C", "mitigator": "eve"})
        );
        let told = reasons("role:Clerk", 100, &nothing).await;
        assert_eq!((told.len(), told[0].because.len()), (1, 0));
        assert_eq!(reasons("role:Clerk", 99, &nothing).await, []);

        // What is hidden of requests, rows and violations is not told by what stands behind a path either.
        let hidden = Hidden::new([
            (ObjectType::IdentityRequestItem, "approverName"),
            (ObjectType::IdentityRequest, "approvalSummaries"),
            (ObjectType::Entitlement, "certificationItemId"),
            (ObjectType::PolicyViolation, "mitigator"),
        ]);
        let told = reasons("role:Payer", 100, &hidden).await;
        let because: Vec<_> = told[0].because.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(because, ["request 0017 by dan", "assigned by bob", "violation of P"]);
        let evidence = told[0].because.iter().map(|one| one.detail.to_string()).collect::<String>();
        assert!(
            !["cy", "flo", "gil", "eve"].iter().any(|name| evidence.contains(&format!("\"{name}\""))),
            "{evidence}"
        );
    }
}

/// Roles that inherit each other are no endless path.
#[tokio::test]
async fn circles_come_to_an_end() {
    for world in worlds(&FULL).await {
        let role = |id: &str, other: &str| {
            let fields =
                json!({"name": "x", "inheritance": [{"id": other, "name": other}, {"id": id, "name": id}]});
            capture_of(ObjectType::Role, id, fields, 50, 51)
        };
        let held = json!({"name": "x", "assignedRoles": [{"id": "a", "name": "a"}]});
        world.write(vec![role("a", "b"), role("b", "a"), capture("ann", held, 100, 101)]).await;
        assert_eq!(told(&world, &ever("role:a")).await, ["ann 100.. "]);
        assert_eq!(told(&world, &ever("role:b")).await, ["ann 100.. a inherits b"]);
    }
}

/// Histories of identities on each engine, ten with the same roles and groups; other numbers with `ANNALS_HISTORIES`.
fn universes() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how much is tested is said from outside")]
    let asked = std::env::var("ANNALS_HISTORIES").ok().and_then(|wanted| wanted.parse::<u64>().ok());
    asked.unwrap_or(10_000).div_ceil(IDENTITIES)
}

const ROUNDS: u64 = 4;

async fn write(world: &World, count: u64) -> Vec<Universe> {
    let universes: Vec<Universe> = (0..count).map(|number| Universe::new(number, ROUNDS)).collect();
    for round in 0..i64::try_from(ROUNDS).unwrap() {
        let messages: Vec<_> = universes.iter().flat_map(|universe| universe.messages(round)).collect();
        for delivery in messages.chunks(1_000) {
            assert_eq!(world.write(delivery.to_vec()).await.failures, []);
        }
        world.clock.advance(1_000);
    }
    universes
}

/// One of the nodes, a round as of which it is known, and a span.
fn drawn(dice: &mut Dice) -> (Node, i64, (i64, i64)) {
    let number = dice.below(4);
    let node = if dice.percent(50) { Node::Role(number) } else { Node::Group(number) };
    let from_ms = 95 + i64::try_from(dice.below(150)).unwrap();
    let length_ms = 1 + i64::try_from(dice.below(60)).unwrap();
    (node, i64::try_from(dice.below(ROUNDS)).unwrap(), (from_ms, from_ms + length_ms))
}

/// Who had something in a random span by the model.
fn expected(
    universe: &Universe,
    (node, known, (from_ms, to_ms)): (Node, i64, (i64, i64)),
    mode: Mode,
) -> Rows {
    let rows = universe.rows(node, known).into_iter().map(|behind| behind.row);
    let overlaps = |row: &Row| row.since_ms < to_ms && row.until_ms.is_none_or(|until_ms| until_ms > from_ms);
    let holders = match mode {
        Mode::Any => None,
        Mode::AtEnd => Some(universe.holders_at(node, to_ms - 1, known)),
        Mode::All => Some(universe.holders_throughout(node, (from_ms, to_ms), known)),
    };
    let meant = |row: &Row| holders.as_ref().is_none_or(|holders| holders.contains(&row.identity));
    rows.filter(|row| overlaps(row) && meant(row)).collect()
}

/// IIQ-05, IIQ-61, TRAP-01, TRAP-02, TRAP-16: of random histories of people, roles and groups, with late arrivals,
/// deletions and second lives, who had what by which path from when to when, as known when, is what the model says; and so
/// is why.
#[tokio::test]
async fn random_histories_are_told_as_the_model_says() {
    for world in worlds(&FULL).await {
        let universes = write(&world, universes()).await;
        let mut tx = world.db.begin_read().await.unwrap();
        let mut rows = [0; 4];
        for universe in &universes {
            let dice = &mut Dice::of(universe.number + 1_000_000);
            for mode in Mode::ALL {
                let (node, known, (from_ms, to_ms)) = drawn(dice);
                let item = universe.item(node);
                let known_at_ms = Some(START_MS + 1_000 * known + 999);
                let span = Span { from_ms, to_ms, known_at_ms };
                let question = WhoHad { item: &item, span, mode, direct_only: false, within: None };
                // Small pages now and then: each of them looks for all paths anew.
                let limit = if dice.percent(10) { 2 } else { 1_000 };
                let found = match asked(&mut tx, &question, limit).await {
                    // Nobody ever held it, and nothing brings it.
                    Err(Error::NoItem(_)) => Vec::new(),
                    found => found.unwrap(),
                };
                let count = found.len();
                let found: Rows = found.iter().map(row).collect();
                assert_eq!(found.len(), count, "each row once");
                let expected = expected(universe, (node, known, (from_ms, to_ms)), mode);
                assert_eq!(found, expected, "{item} {mode:?} {span:?} of {universe:#?}");
                rows[0] += count;
                rows[1] += expected.iter().filter(|row| row.through.len() > 2).count();
            }
            let (node, known, (at_ms, _)) = drawn(dice);
            let id = universe.identity_id(dice.below(IDENTITIES));
            let item = universe.item(node);
            let known_at_ms = Some(START_MS + 1_000 * known + 999);
            let key = identity(&id);
            let nothing = Hidden::default();
            let found = match why(
                &mut tx,
                &Why { identity: &key, item: &item, at_ms, known_at_ms, hidden: &nothing },
            )
            .await
            {
                Err(Error::NoItem(_)) => Vec::new(),
                found => found.unwrap(),
            };
            let expected = reasons(universe, node, known, &id, at_ms);
            let found: BTreeSet<_> = found
                .iter()
                .map(|Reason { path, because }| (row(path), because.iter().map(|one| one.kind).collect()))
                .collect();
            assert_eq!(found, expected, "why {id} {item} at {at_ms}, {known} of {universe:#?}");
            rows[2] += found.len();
            rows[3] += found.iter().filter(|(_, because): &&(_, Vec<_>)| because.is_empty()).count();
        }
        let least = universes.len();
        assert!(rows[0] > 2 * least && rows[1] > least / 2, "{rows:?}");
        assert!(rows[2] > least / 4 && rows[3] > least / 20, "{rows:?}");
    }
}

/// Why somebody held something by the model: each path at that instant, and the kinds of what is behind it.
fn reasons(
    universe: &Universe,
    node: Node,
    known: i64,
    id: &str,
    at_ms: i64,
) -> BTreeSet<(Row, Vec<&'static str>)> {
    let is_there = |row: &Row| {
        row.identity == id && row.since_ms <= at_ms && row.until_ms.is_none_or(|until_ms| until_ms > at_ms)
    };
    let all: Vec<Behind> =
        universe.rows(node, known).into_iter().filter(|behind| is_there(&behind.row)).collect();
    let is_role = |node: Option<&Node>| matches!(node, Some(Node::Role(_)));
    let kinds = |one: &Behind| {
        let granted = one.row.ways.contains("granted")
            && all.iter().any(|other| {
                is_role(other.nodes.first())
                    && is_role(other.nodes.strip_suffix(&one.nodes[..]).and_then(<[_]>::last))
            });
        let kinds = [(one.request, "request"), (granted, "role"), (one.assigner, "assigner")];
        kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect()
    };
    all.iter().map(|one| (one.row.clone(), kinds(one))).collect()
}

/// The rows of what roles and groups bring, made of captures alone, are those that were written.
#[tokio::test]
async fn a_rebuilding_gives_the_same_grants() {
    for world in worlds(&FULL).await {
        write(&world, 20).await;
        let rows = || {
            world.sql(
                "select granter, valid_from, valid_to, item, granted_by, way, '.' from annals_access_grant
                 where recorded_to is null order by 1, 2, 4, 5, 6;",
            )
        };
        let before = rows();
        assert!(before.lines().count() > 100, "{before}");
        let rebuild = async || {
            let mut tx = world.db.begin_read().await.unwrap();
            let mut going = AccessRebuild::begin(&mut tx, false).await.unwrap();
            drop(tx);
            let mut rebuilt = Rebuilt::default();
            while let Some(batch) = going.batch(&world.db, 7).await.unwrap() {
                rebuilt.add(batch);
            }
            rebuilt
        };
        let rebuilt = rebuild().await;
        assert_eq!((rebuilt.changed, rebuilt.unreadable.len()), (0, 0), "{rebuilt:?}");
        assert_eq!(rows(), before);
        world.sql("delete from annals_access_grant; update annals_grant_build set complete = 0;");
        let mut tx = world.db.begin_read().await.unwrap();
        let refused = asked(&mut tx, &ever("role:u00000-r0"), 10).await;
        assert!(matches!(refused, Err(Error::History(annals_history::Error::NoIntervals))), "{refused:?}");
        drop(tx);
        // An interrupted one goes on.
        let mut tx = world.db.begin_read().await.unwrap();
        let mut going = AccessRebuild::begin(&mut tx, false).await.unwrap();
        drop(tx);
        going.batch(&world.db, 7).await.unwrap();
        assert_ne!(world.sql("select position from annals_grant_build;"), "");
        let mut tx = world.db.begin_read().await.unwrap();
        assert!(AccessRebuild::begin(&mut tx, false).await.unwrap().resumed);
        drop(tx);
        assert!(rebuild().await.changed > 20);
        assert_eq!(rows(), before);
        world.sql("update annals_access_grant set way = 1 where way = 2;");
        let mut tx = world.db.begin_read().await.unwrap();
        let check = annals_history::access_check(&mut tx, 1_000).await.unwrap();
        assert!(check.complete && check.stale.is_empty() && check.stale_granters.len() > 10, "{check:?}");
        drop(tx);
        rebuild().await;
        assert_eq!(rows(), before);
    }
}
