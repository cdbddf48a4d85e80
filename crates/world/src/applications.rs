//! Applications and the catalogue of what they grant.

use crate::dice::Dice;
use crate::id::{Ids, Kind, hex};
use crate::organisation::{
    APPLICATIONS, ApplicationKind, DEPARTMENTS, Department, GrantStyle, LEVELS, SUBJECTS,
};
use crate::row::{Row, Rows, Stamps};
use crate::stage::Stage;
use crate::xml::{self, Xml};
use sha2::{Digest as _, Sha256};

/// Position of the authoritative application among all.
pub(crate) const PERSONNEL: usize = 0;
/// Position of the directory that almost everyone has an account in.
pub(crate) const DIRECTORY: usize = 1;
/// Position of the first application whose access goes by job.
pub(crate) const FIRST_OF_JOBS: usize = 2;
/// Groups of the directory for each department.
pub(crate) const GROUPS_OF_DEPARTMENT: usize = 3;
/// What each application but the first two grants.
const GRANTS_OF_APPLICATION: usize = 20;
/// Of these, the first ones are granted by roles.
pub(crate) const GRANTS_BY_ROLE: usize = 12;

/// Groups of the directory for everyone. One has a name with other letters, one a very long one.
const COMMON_GROUPS: [&str; 10] = [
    "VPN-Users",
    "Remote-Desktop",
    "Printers-Colour",
    "Wiki-Editors",
    "All-Hands",
    "Video-Conferencing",
    "Qualitäts-Prüfer",
    "Local-Admins",
    "Drucker-für-Gäste, 3. Stock",
    "Very-Old-Share",
];

/// An application.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    /// Id.
    pub(crate) id: String,
    /// What it is.
    pub(crate) kind: ApplicationKind,
    /// Where in the catalogue its grants begin.
    pub(crate) first_grant: usize,
    /// How many it has.
    pub(crate) grants: usize,
}

/// An entry of the catalogue: something that an application grants. IdentityIQ calls it a managed attribute.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    /// Id.
    pub(crate) id: String,
    /// Position of its application.
    pub(crate) application: usize,
    /// Value, as accounts hold it.
    pub(crate) value: String,
    /// Name for people.
    pub(crate) display: String,
}

/// The applications of a world of so many identities.
pub(crate) fn applications(ids: &Ids, identities: u32) -> (Vec<Application>, Vec<Grant>) {
    let count = (12 + identities as usize / 2500).min(APPLICATIONS.len());
    let mut grants: Vec<Grant> = Vec::new();
    let applications = APPLICATIONS
        .iter()
        .take(count)
        .enumerate()
        .map(|(position, kind)| {
            let first_grant = grants.len();
            for (value, display) in values(position, kind) {
                let id = ids.nth(Kind::ManagedAttribute, grants.len() as u64);
                grants.push(Grant { id, application: position, value, display });
            }
            Application {
                id: ids.nth(Kind::Application, position as u64),
                kind: *kind,
                first_grant,
                grants: grants.len() - first_grant,
            }
        })
        .collect();
    (applications, grants)
}

fn values(position: usize, kind: &ApplicationKind) -> Vec<(String, String)> {
    if position == DIRECTORY {
        let departments = DEPARTMENTS.iter().flat_map(groups_of_department);
        return departments.chain(COMMON_GROUPS.into_iter().map(common_group)).collect();
    }
    let count = if kind.style == GrantStyle::None { 0 } else { GRANTS_OF_APPLICATION };
    (0..count)
        .map(|nth| {
            let subject = SUBJECTS[(position * 7 + nth) % SUBJECTS.len()];
            let level = LEVELS[nth % LEVELS.len()];
            (value(kind.style, subject, level), format!("{level} {subject}"))
        })
        .collect()
}

fn groups_of_department(department: &Department) -> [(String, String); GROUPS_OF_DEPARTMENT] {
    ["Staff", "Share-RW", "Approvers"].map(|group| {
        let name = format!("{}-{group}", department.code);
        (format!("CN={name},OU={},OU=Groups,DC=example,DC=com", department.name), name)
    })
}

fn common_group(name: &str) -> (String, String) {
    // Commas inside a name are escaped in a distinguished name.
    let escaped = name.replace(',', "\\,");
    let path = if name == "Very-Old-Share" {
        "OU=Migrated from the former domain,".repeat(9)
    } else {
        String::new()
    };
    (format!("CN={escaped},{path}OU=Groups,DC=example,DC=com"), name.to_owned())
}

fn value(style: GrantStyle, subject: &str, level: &str) -> String {
    match style {
        GrantStyle::None => String::new(),
        GrantStyle::DistinguishedName => {
            format!("cn={},ou=groups,dc=extranet,dc=example", format!("{subject}-{level}").replace(' ', "-"))
        }
        GrantStyle::Code => format!("Z_{}_{}", subject, level).to_uppercase().replace(' ', "_"),
        GrantStyle::Words => format!("{level} {subject}"),
        GrantStyle::Path => format!("example/{}/{}", subject.replace(' ', "-"), level).to_lowercase(),
    }
}

/// Rows of applications with their schemas, and of the catalogue.
pub(crate) fn write(stage: &Stage, ids: &mut Ids, rows: &mut Rows) {
    for (position, application) in stage.applications.iter().enumerate() {
        let mut dice = Dice::of(stage.seed, "application", position as u64);
        let stamps = stage.old_stamps(&mut dice, 1500);
        ids.next(Kind::Application);
        rows.add(application_row(stage, position, application, stamps));
        write_schema(application, ids, rows, stamps);
    }
    for (position, grant) in stage.grants.iter().enumerate() {
        let mut dice = Dice::of(stage.seed, "grant", position as u64);
        ids.next(Kind::ManagedAttribute);
        rows.add(grant_row(stage, position, grant, &mut dice));
        write_parts(stage, position, grant, ids, rows, &mut dice);
    }
}

fn application_row(stage: &Stage, position: usize, application: &Application, stamps: Stamps) -> Row {
    let kind = application.kind;
    let attributes = [
        ("host".to_owned(), Xml::text(format!("app{position:02}.example.com"))),
        ("port".to_owned(), Xml::Number("Integer", "443".to_owned())),
        ("password".to_owned(), Xml::text(secret(&mut Dice::of(stage.seed, "apppass", position as u64)))),
        ("partitionMode".to_owned(), Xml::flag(false)),
        ("deltaAggregation".to_owned(), Xml::flag(position.is_multiple_of(2))),
    ];
    Row::object("spt_application", application.id.as_str(), stamps)
        .text("name", kind.name)
        .text("type", kind.connector)
        .text("connector", "sailpoint.connector.ConnectorProxy")
        .text("features_string", "PROVISIONING, SYNC_PROVISIONING, ENABLE, PASSWORD")
        .text("aggregation_types", "account, group")
        .flag("authoritative", position == PERSONNEL)
        .flag("case_insensitive", kind.style == GrantStyle::DistinguishedName)
        .flag("supports_provisioning", position != PERSONNEL)
        .flag("supports_authenticate", position == DIRECTORY)
        .flag("manages_other_apps", false)
        .flag("logical", false)
        .text("owner", stage.owner(position as u64))
        .text("attributes", xml::attributes(&attributes))
}

fn write_schema(application: &Application, ids: &mut Ids, rows: &mut Rows, stamps: Stamps) {
    let id = ids.next(Kind::ApplicationSchema);
    let kind = application.kind;
    rows.add(
        Row::object("spt_application_schema", id.as_str(), stamps)
            .text("name", "account")
            .text("object_type", "account")
            .text("native_object_type", "user")
            .text("identity_attribute", "nativeIdentity")
            .text("display_attribute", "displayName")
            .text("application", application.id.as_str())
            .flag("include_permissions", false)
            .int("idx", 0),
    );
    for (idx, name) in ["nativeIdentity", "displayName", "mail", kind.attribute].into_iter().enumerate() {
        if !name.is_empty() {
            rows.add(
                Row::new("spt_schema_attributes")
                    .text("applicationschema", id.as_str())
                    .int("idx", i64::try_from(idx).unwrap_or(0))
                    .text("name", name)
                    .text("type", "string")
                    .flag("entitlement", name == kind.attribute)
                    .flag("is_group", name == kind.attribute)
                    .flag("managed", name == kind.attribute)
                    .flag("multi_valued", name == kind.attribute),
            );
        }
    }
}

fn grant_row(stage: &Stage, position: usize, grant: &Grant, dice: &mut Dice) -> Row {
    let application = &stage.applications[grant.application];
    let stamps = stage.old_stamps(dice, 1200);
    let hash = hex(&Sha256::digest(format!(
        "{}|{}|{}",
        application.kind.name, application.kind.attribute, grant.value
    )));
    Row::object("spt_managed_attribute", grant.id.as_str(), stamps)
        .text("application", application.id.as_str())
        .text("type", "Entitlement")
        .text("attribute", application.kind.attribute)
        .text("value", grant.value.as_str())
        .text("hash", hash)
        .text("display_name", grant.display.as_str())
        .text("displayable_name", grant.display.as_str())
        .text("owner", stage.owner(position as u64 * 3 + 1))
        .flag("aggregated", dice.percent(90))
        .flag("requestable", dice.percent(70))
        .flag("uncorrelated", false)
        .flag("iiq_elevated_access", grant.display.contains("dmin"))
        .text("uuid", hex(&dice.bytes(16)))
        .int("last_refresh", stage.start_ms - dice.between(3_600_000, 86_400_000))
        .text("attributes", grant_attributes(grant, dice))
}

fn grant_attributes(grant: &Grant, dice: &mut Dice) -> String {
    let mut entries = vec![
        (
            "sysDescriptions".to_owned(),
            description(&format!("Allows to {}.", grant.display.to_lowercase()), dice.percent(20)),
        ),
        ("riskLevel".to_owned(), Xml::text(*dice.pick(&["low", "medium", "high"]))),
        ("privileged".to_owned(), Xml::flag(dice.percent(8))),
    ];
    if dice.percent(30) {
        entries.push((
            "tags".to_owned(),
            Xml::values(["sox", "gdpr", "prod"].into_iter().take(1 + dice.index(3))),
        ));
    }
    if dice.percent(10) {
        entries.push(("reviewedOn".to_owned(), Xml::DateString("1/2/2025".to_owned())));
    }
    xml::attributes(&entries)
}

/// Descriptions by language; some have an empty one beside.
pub(crate) fn description(text: &str, with_empty: bool) -> Xml {
    let mut languages = vec![("en_US".to_owned(), Xml::text(text))];
    if with_empty {
        languages.push(("de_DE".to_owned(), Xml::Null));
    }
    Xml::Map(languages)
}

fn write_parts(
    stage: &Stage,
    position: usize,
    grant: &Grant,
    ids: &mut Ids,
    rows: &mut Rows,
    dice: &mut Dice,
) {
    let application = &stage.applications[grant.application];
    // Groups within groups: a share of the department's belongs to its staff group.
    if grant.application == DIRECTORY && grant.display.ends_with("-Share-RW") {
        let parent = &stage.grants[position - 1];
        rows.add(Row::member(
            "spt_managed_attr_inheritance",
            ("managedattribute", &grant.id),
            0,
            ("inherits_from", &parent.id),
        ));
    }
    if dice.percent(6) {
        rows.add(
            Row::new("spt_managed_attr_perms")
                .text("managedattribute", grant.id.as_str())
                .int("idx", 0)
                .text(
                    "target",
                    format!("\\\\files\\{}", application.kind.name.to_lowercase().replace(' ', "-")),
                )
                .text("rights", "read, write"),
        );
    }
    if dice.percent(5) {
        rows.add(stage.classified(ids, &grant.id, "sailpoint.object.ManagedAttribute", dice));
    }
}

/// An encrypted value in the form that IdentityIQ gives it: key alias, marker, base64 of an initialisation vector and
/// blocks.
pub(crate) fn secret(dice: &mut Dice) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text: String =
        dice.bytes(43).into_iter().map(|byte| char::from(DIGITS[usize::from(byte & 63)])).collect();
    format!("1:ACP:{text}=")
}
