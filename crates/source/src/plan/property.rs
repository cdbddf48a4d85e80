//! Where the values of properties come from.

use std::collections::BTreeMap;

use annals_config::profile::{Format, Property, PropertyValue};
use serde_json::Value;

use crate::catalogue::Survey;
use crate::column::ColumnPlan;
use crate::scope::Scope;

/// A property of an object, or a member of an element of a collection.
#[derive(Debug)]
pub(crate) struct PropertyPlan {
    pub(crate) value: ValuePlan,
    pub(crate) secret: bool,
}

/// Where its value comes from.
#[derive(Debug)]
pub(crate) enum ValuePlan {
    /// The release does not have it.
    Absent,
    Column(ColumnPlan),
    /// Null where the first member is null.
    Object {
        members: Vec<(String, ColumnPlan)>,
        class: Option<String>,
    },
    Constant(Value),
}

/// Resolves properties; `prefix` is the way to them, for messages.
pub(crate) fn all(
    survey: &mut Survey<'_>,
    prefix: &str,
    scope: &Scope,
    properties: &BTreeMap<String, Property>,
) -> BTreeMap<String, PropertyPlan> {
    let mut plans = BTreeMap::new();
    for (name, property) in properties {
        let place = format!("{prefix}{name}");
        let value = survey
            .attempt(property.since.as_deref(), |survey| value(survey, &place, scope, &property.value))
            .unwrap_or(ValuePlan::Absent);
        plans.insert(name.clone(), PropertyPlan { value, secret: property.secret });
    }
    plans
}

fn value(survey: &mut Survey<'_>, place: &str, scope: &Scope, value: &PropertyValue) -> Option<ValuePlan> {
    match value {
        PropertyValue::Column { path, format } => {
            survey.note(place, ColumnPlan::new(scope, path, *format)).map(ValuePlan::Column)
        }
        PropertyValue::Object { members, class } => {
            let plans: Vec<_> = members
                .iter()
                .filter_map(|(name, path)| {
                    // A reference is followed by its id, and ids are text.
                    let format = if name == "id" { Format::Text } else { Format::Auto };
                    let plan =
                        survey.note(&format!("{place}.{name}"), ColumnPlan::new(scope, path, format))?;
                    Some((name.clone(), plan))
                })
                .collect();
            let members = (plans.len() == members.len()).then_some(plans)?;
            Some(ValuePlan::Object { members, class: class.clone() })
        }
        PropertyValue::Constant(value) => Some(ValuePlan::Constant(value.clone())),
    }
}
