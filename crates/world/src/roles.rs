//! Roles: organisational ones that hold business roles, business roles that require and permit IT roles, IT roles that
//! stand for what applications grant.

use crate::applications::{
    Application, DIRECTORY, FIRST_OF_JOBS, GRANTS_BY_ROLE, GROUPS_OF_DEPARTMENT, description,
};
use crate::dice::Dice;
use crate::id::{Ids, Kind};
use crate::organisation::DEPARTMENTS;
use crate::row::{Row, Rows, Stamps};
use crate::stage::Stage;
use crate::xml::{self, Xml, escape_attribute, escape_text};

/// IT roles of each application but the first two.
const ROLES_OF_APPLICATION: usize = 6;

/// A role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    /// Id.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    /// `organizational`, `business` or `it`.
    pub(crate) role_type: &'static str,
    /// Positions of the roles it inherits from.
    pub(crate) inherits: Vec<usize>,
    /// Positions of the roles that its holders must have.
    pub(crate) requires: Vec<usize>,
    /// Positions of the roles that its holders may ask for.
    pub(crate) permits: Vec<usize>,
    /// Positions in the catalogue of what it stands for, all of one application.
    pub(crate) grants: Vec<usize>,
}

/// All roles, and where the job roles begin: [department][job] in order.
pub(crate) fn roles(ids: &Ids, applications: &[Application]) -> (Vec<Role>, usize) {
    let mut roles: Vec<Role> = Vec::new();
    let mut add = |role: Role| {
        roles.push(Role { id: ids.nth(Kind::Role, roles.len() as u64), ..role });
        roles.len() - 1
    };
    let root = add(Role { name: "Organisation".to_owned(), role_type: "organizational", ..Role::default() });
    let organisations = DEPARTMENTS.map(|department| {
        add(Role {
            name: format!("Organisation - {}", department.name),
            role_type: "organizational",
            inherits: vec![root],
            ..Role::default()
        })
    });
    let mut nth_department = 0;
    let directory = DEPARTMENTS.map(|department| {
        let first = applications[DIRECTORY].first_grant + nth_department * GROUPS_OF_DEPARTMENT;
        nth_department += 1;
        add(Role {
            name: format!("Active Directory - {} Staff", department.name),
            role_type: "it",
            grants: vec![first, first + 1],
            ..Role::default()
        })
    });
    let mut of_application = Vec::new();
    for application in &applications[FIRST_OF_JOBS..] {
        let any = add(Role {
            name: format!("{} - Any Access", application.kind.name),
            role_type: "it",
            ..Role::default()
        });
        for nth in 0..ROLES_OF_APPLICATION {
            let first = application.first_grant + nth * GRANTS_BY_ROLE / ROLES_OF_APPLICATION;
            of_application.push(add(Role {
                name: format!("{} - Profile {}", application.kind.name, nth + 1),
                role_type: "it",
                inherits: vec![any],
                grants: if nth % 2 == 0 { vec![first, first + 1] } else { vec![first] },
                ..Role::default()
            }));
        }
    }
    let staff: Vec<usize> = (0..DEPARTMENTS.len())
        .map(|nth| {
            add(Role {
                name: format!("{} Staff", DEPARTMENTS[nth].name),
                role_type: "business",
                inherits: vec![organisations[nth]],
                requires: vec![directory[nth]],
                ..Role::default()
            })
        })
        .collect();
    let first_job = staff.last().map_or(0, |last| last + 1);
    for (nth, department) in DEPARTMENTS.iter().enumerate() {
        for (job, title) in department.jobs.iter().enumerate() {
            let application = (nth * 5 + job) % (applications.len() - FIRST_OF_JOBS);
            let of_this = &of_application[application * ROLES_OF_APPLICATION..][..ROLES_OF_APPLICATION];
            add(Role {
                name: (*title).to_owned(),
                role_type: "business",
                inherits: vec![staff[nth]],
                requires: vec![of_this[(nth + job) % ROLES_OF_APPLICATION]],
                permits: vec![of_this[(nth + job + 1) % ROLES_OF_APPLICATION], of_application[job]],
                ..Role::default()
            });
        }
    }
    (roles, first_job)
}

impl Stage {
    /// Position of the business role of a job.
    pub(crate) fn job_role(&self, department: usize, job: usize) -> usize {
        self.first_job_role + department * 5 + job
    }

    /// The IT roles that a role requires, those of the roles that it inherits from included.
    pub(crate) fn required_roles(&self, role: usize) -> Vec<usize> {
        let mut required = Vec::new();
        let mut open = vec![role];
        while let Some(next) = open.pop() {
            let role = &self.roles[next];
            for &child in &role.requires {
                if !required.contains(&child) {
                    required.push(child);
                }
            }
            open.extend(&role.inherits);
        }
        required
    }
}

/// Rows of roles and their parts.
pub(crate) fn write(stage: &Stage, ids: &mut Ids, rows: &mut Rows) {
    for (position, role) in stage.roles.iter().enumerate() {
        let mut dice = Dice::of(stage.seed, "role", position as u64);
        let stamps = stage.old_stamps(&mut dice, 1400);
        ids.next(Kind::Role);
        rows.add(role_row(stage, position, role, stamps, &mut dice));
        for (table, members) in [
            ("spt_bundle_children", &role.inherits),
            ("spt_bundle_requirements", &role.requires),
            ("spt_bundle_permits", &role.permits),
        ] {
            for (idx, member) in members.iter().enumerate() {
                rows.add(Row::member(table, ("bundle", &role.id), idx, ("child", &stage.roles[*member].id)));
            }
        }
        if let Some(first) = role.grants.first() {
            let application = &stage.applications[stage.grants[*first].application];
            write_profile(stage, role, application, stamps, ids, rows);
        }
        if dice.percent(8) {
            rows.add(stage.classified(ids, &role.id, "sailpoint.object.Bundle", &mut dice));
        }
    }
}

fn role_row(stage: &Stage, position: usize, role: &Role, stamps: Stamps, dice: &mut Dice) -> Row {
    let mut attributes = vec![
        ("accountSelectorRules".to_owned(), Xml::Null),
        ("allowMultipleAssignments".to_owned(), Xml::flag(false)),
        ("mergeTemplates".to_owned(), Xml::flag(false)),
        ("sysDescriptions".to_owned(), description(&format!("What {} may do.", role.name), dice.percent(25))),
    ];
    if dice.percent(30) {
        attributes.push((
            "approvalScheme".to_owned(),
            Xml::values(["manager", "owner"].into_iter().take(1 + dice.index(2))),
        ));
    }
    let row = Row::object("spt_bundle", role.id.as_str(), stamps)
        .text("name", role.name.as_str())
        .text("display_name", role.name.as_str())
        .text("displayable_name", role.name.as_str())
        .text("type", role.role_type)
        .flag("disabled", false)
        .int("risk_score_weight", dice.between(0, 500))
        .flag("or_profiles", false)
        .flag("pending_delete", false)
        .flag("iiq_elevated_access", role.name.contains("Administrator"))
        .text("owner", stage.owner(position as u64 * 5 + 2))
        .text("attributes", xml::attributes(&attributes));
    // Job roles are assigned by the job title.
    if position >= stage.first_job_role { row.text("selector", selector(&role.name)) } else { row }
}

fn selector(title: &str) -> String {
    let value = escape_attribute(title);
    format!(
        "<IdentitySelector>\n  <MatchExpression and=\"true\">\n    <MatchTerm name=\"jobTitle\" value=\"{value}\"/>\n  \
         </MatchExpression>\n</IdentitySelector>\n"
    )
}

fn write_profile(
    stage: &Stage,
    role: &Role,
    application: &Application,
    stamps: Stamps,
    ids: &mut Ids,
    rows: &mut Rows,
) {
    let profile = ids.next(Kind::Profile);
    rows.add(
        Row::object("spt_profile", profile.as_str(), stamps)
            .text("name", format!("{} profile", role.name))
            .text("bundle_id", role.id.as_str())
            .text("application", application.id.as_str())
            .flag("disabled", false)
            .int("idx", 0),
    );
    let values: Vec<&str> = role.grants.iter().map(|grant| stage.grants[*grant].value.as_str()).collect();
    rows.add(
        Row::new("spt_profile_constraints")
            .text("profile", profile.as_str())
            .int("idx", 0)
            .text("elt", constraint(application.kind.attribute, &values)),
    );
    for &grant in &role.grants {
        let relation = ids.next(Kind::ProfileRelation);
        let granted = &stage.grants[grant];
        rows.add(
            Row::object("spt_bundle_profile_relation", relation, stamps)
                .text("bundle_id", role.id.as_str())
                .text("source_bundle_id", role.id.as_str())
                .text("source_profile_id", profile.as_str())
                .text("source_application", application.id.as_str())
                .text("type", "Entitlement")
                .text("attribute", application.kind.attribute)
                .text("value", granted.value.as_str())
                .text("display_value", granted.display.as_str())
                .flag("required", false)
                .flag("permitted", false)
                .flag("or_member", false)
                .flag("inherited", false),
        );
    }
}

/// What an account must hold for the role to be detected.
fn constraint(attribute: &str, values: &[&str]) -> String {
    let items: String =
        values.iter().map(|value| format!("      <String>{}</String>\n", escape_text(value))).collect();
    format!(
        "<Filter operation=\"CONTAINS_ALL\" property=\"{attribute}\">\n  <Value>\n    <List>\n{items}    </List>\n  \
         </Value>\n</Filter>\n"
    )
}
