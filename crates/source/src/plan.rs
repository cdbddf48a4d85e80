//! How an object type is read, with every path of its profile resolved: made once, when the source is opened.

use std::collections::BTreeMap;

use annals_config::filter::Expr;
use annals_config::profile::{Collection, ColumnPath, Element, Part, Qualifies, Reads, TypeProfile};
use annals_config::profile::{Format, IdentityPath, Join};
use annals_model::ObjectType;
use annals_sql::Engine;

use crate::catalogue::Survey;
use crate::change;
use crate::column::{ColumnPlan, IdColumn};
use crate::condition;
use crate::fragment::Fragment;
use crate::scope::Scope;

mod operand;
mod property;

pub(crate) use property::{PropertyPlan, ValuePlan};

/// An object type.
#[derive(Debug)]
pub(crate) struct TypePlan {
    pub(crate) object_type: ObjectType,
    pub(crate) engine: Engine,
    pub(crate) scope: Scope,
    pub(crate) id: IdColumn,
    pub(crate) name: Option<ColumnPlan>,
    pub(crate) identity: Option<IdentityPlan>,
    pub(crate) filter: Option<Fragment>,
    pub(crate) reads: Reads,
    /// First change time that is not null; `None` where the system does not keep any.
    pub(crate) changed: Option<Fragment>,
    pub(crate) properties: BTreeMap<String, PropertyPlan>,
    /// `None` for those of later releases.
    pub(crate) collections: BTreeMap<String, Option<CollectionPlan>>,
    pub(crate) qualifies: Vec<QualifiesPlan>,
}

/// The identity to which an object belongs.
#[derive(Debug)]
pub(crate) struct IdentityPlan {
    pub(crate) id: ColumnPlan,
    pub(crate) name: Option<ColumnPlan>,
}

/// Child rows of an object type.
#[derive(Debug)]
pub(crate) struct CollectionPlan {
    pub(crate) parts: Vec<PartPlan>,
    pub(crate) key: Vec<String>,
    pub(crate) is_ordered: bool,
}

/// Those child rows that lie in one table.
#[derive(Debug)]
pub(crate) struct PartPlan {
    pub(crate) scope: Scope,
    pub(crate) parent: IdColumn,
    pub(crate) filter: Option<Fragment>,
    pub(crate) element: ElementPlan,
    pub(crate) order: Option<ColumnPlan>,
}

/// An element of a collection.
#[derive(Debug)]
pub(crate) enum ElementPlan {
    Value(ColumnPlan),
    Object(BTreeMap<String, PropertyPlan>),
}

/// Rows elsewhere whose change qualifies objects of a type.
#[derive(Debug)]
pub(crate) struct QualifiesPlan {
    pub(crate) scope: Scope,
    pub(crate) id: IdColumn,
    pub(crate) filter: Option<Fragment>,
    pub(crate) changed: Fragment,
}

impl TypePlan {
    /// Resolves the profile; what is missing is noted in the survey.
    pub(crate) fn new(
        survey: &mut Survey<'_>,
        object_type: ObjectType,
        profile: &TypeProfile,
    ) -> Option<Self> {
        survey.object_type = Some(object_type);
        let scope = scope(survey, "table", &profile.table, &profile.joins)?;
        let id_path = ColumnPath { alias: None, column: profile.id.clone() };
        let id = IdColumn::note(survey, "id", &scope, &id_path);
        let name = text_column(survey, "name", &scope, profile.name.as_ref());
        let identity = profile.identity.as_ref().and_then(|path| identity(survey, &scope, path));
        let filter = filter(survey, "filter", &scope, profile.filter.as_ref());
        let changed = change::first(survey, "changed", &scope, &profile.changed);
        let properties = property::all(survey, "", &scope, &profile.properties);
        let collections = profile
            .collections
            .iter()
            .map(|(name, collection)| {
                let since = collection.since.as_deref();
                (name.clone(), survey.attempt(since, |survey| CollectionPlan::new(survey, name, collection)))
            })
            .collect();
        let qualifies = profile
            .qualifies
            .iter()
            .enumerate()
            .filter_map(|(index, rule)| {
                let place = format!("qualifies[{index}]");
                survey.attempt(rule.since.as_deref(), |survey| QualifiesPlan::new(survey, &place, rule))
            })
            .collect();
        Some(Self {
            object_type,
            engine: survey.catalogue.engine,
            scope,
            id: id?,
            name,
            identity,
            filter,
            reads: profile.reads,
            changed,
            properties,
            collections,
            qualifies,
        })
    }
}

impl CollectionPlan {
    fn new(survey: &mut Survey<'_>, name: &str, collection: &Collection) -> Option<Self> {
        let order = collection.order.as_ref();
        let parts: Vec<_> =
            collection.parts.iter().filter_map(|part| PartPlan::new(survey, name, part, order)).collect();
        let is_whole = parts.len() == collection.parts.len();
        is_whole.then(|| Self { parts, key: collection.key.clone(), is_ordered: order.is_some() })
    }
}

impl PartPlan {
    fn new(survey: &mut Survey<'_>, name: &str, part: &Part, order: Option<&ColumnPath>) -> Option<Self> {
        let scope = scope(survey, name, &part.table, &part.joins)?;
        let parent = IdColumn::note(survey, &format!("{name}.parent"), &scope, &part.parent);
        let filter = filter(survey, &format!("{name}.filter"), &scope, part.filter.as_ref());
        let order = order.and_then(|path| {
            survey.note(&format!("{name}.order"), ColumnPlan::new(&scope, path, Format::Auto))
        });
        let element = match &part.element {
            Element::Value(path, format) => {
                survey.note(name, ColumnPlan::new(&scope, path, *format)).map(ElementPlan::Value)
            }
            Element::Object(members) => {
                Some(ElementPlan::Object(property::all(survey, &format!("{name}."), &scope, members)))
            }
        };
        Some(Self { scope, parent: parent?, filter, element: element?, order })
    }
}

impl QualifiesPlan {
    fn new(survey: &mut Survey<'_>, place: &str, rule: &Qualifies) -> Option<Self> {
        let scope = scope(survey, place, &rule.table, &rule.joins)?;
        let id = IdColumn::note(survey, &format!("{place}.id"), &scope, &rule.id);
        let filter = filter(survey, &format!("{place}.filter"), &scope, rule.filter.as_ref());
        let changed = change::first(survey, &format!("{place}.changed"), &scope, &rule.changed);
        Some(Self { scope, id: id?, filter, changed: changed? })
    }
}

/// The tables of a statement; a missing base table is noted.
pub(crate) fn scope(
    survey: &mut Survey<'_>,
    place: &str,
    table: &str,
    joins: &BTreeMap<String, Join>,
) -> Option<Scope> {
    let scope = Scope::new(survey.catalogue, table, joins);
    survey.note(place, scope)
}

/// Compiles a filter of the profile; what it names in vain is noted.
pub(crate) fn filter(
    survey: &mut Survey<'_>,
    place: &str,
    scope: &Scope,
    filter: Option<&Expr>,
) -> Option<Fragment> {
    match condition::compile_in(scope, survey.catalogue.engine, filter?) {
        Ok(condition) => Some(condition),
        Err(lacks) => {
            for lack in lacks {
                survey.note::<()>(place, Err(lack));
            }
            None
        }
    }
}

fn text_column(
    survey: &mut Survey<'_>,
    place: &str,
    scope: &Scope,
    path: Option<&ColumnPath>,
) -> Option<ColumnPlan> {
    survey.note(place, ColumnPlan::new(scope, path?, Format::Text))
}

fn identity(survey: &mut Survey<'_>, scope: &Scope, path: &IdentityPath) -> Option<IdentityPlan> {
    let name = text_column(survey, "identity.name", scope, path.name.as_ref());
    let id = text_column(survey, "identity.id", scope, Some(&path.id))?;
    Some(IdentityPlan { id, name })
}
