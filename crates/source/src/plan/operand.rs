//! What names mean in the filter of an extract configuration.

use annals_config::filter::Expr;
use annals_config::profile::Format;

use super::{PropertyPlan, TypePlan, ValuePlan};
use crate::column::ColumnPlan;
use crate::condition::{self, Names, Operand, Reading};
use crate::error::{Error, Result};
use crate::fragment::Fragment;
use crate::secret::SecretPolicy;

impl TypePlan {
    /// Compiles the filter of an extract configuration. Its names are properties (of a reference the first member, or
    /// `reference.member`), `id`, `name`, or columns as the profile's own filters name them.
    pub(crate) fn task_filter(&self, filter: &Expr, secrets: &SecretPolicy) -> Result<Fragment> {
        let names = Names {
            resolve: &|name| self.operand(name, secrets),
            complain: &|name, _, problem| format!("`{name}` {problem}"),
        };
        condition::compile(self.engine, filter, &names)
            .map_err(|problems| Error::Filter { object_type: self.object_type, problems })
    }

    fn operand(&self, name: &str, secrets: &SecretPolicy) -> std::result::Result<Operand, String> {
        if let Some(property) = self.properties.get(name) {
            let is_secret = property.secret || secrets.is_secret_name(name);
            return of_property(name, property, is_secret);
        }
        if self.collections.contains_key(name) {
            return Err(format!("`{name}` is a collection, and filters compare single values"));
        }
        if let Some((property, member)) = name.split_once('.')
            && let Some(PropertyPlan { value: ValuePlan::Object { members, .. }, .. }) =
                self.properties.get(property)
            && let Some((_, plan)) = members.iter().find(|(known, _)| known == member)
        {
            return Ok(of_column(plan));
        }
        match name {
            "id" => return Ok(Operand::plain(self.id.column.clone())),
            "name" if self.name.is_some() => {
                return Ok(self.name.as_ref().map_or(Operand::Absent, of_column));
            }
            _ => {}
        }
        self.scope.column_by_name(name).map(Operand::plain).map_err(|_| {
            format!(
                "`{name}` is neither a property of {} in the source profile nor a column of {}",
                self.object_type,
                self.scope.base_name()
            )
        })
    }
}

fn of_property(name: &str, property: &PropertyPlan, is_secret: bool) -> std::result::Result<Operand, String> {
    let operand = match &property.value {
        ValuePlan::Absent => Operand::Absent,
        ValuePlan::Column(plan) => of_column(plan),
        ValuePlan::Object { members, .. } => {
            members.first().map_or(Operand::Absent, |(_, plan)| of_column(plan))
        }
        ValuePlan::Constant(_) => return Err(format!("`{name}` is a constant, the same for every object")),
    };
    Ok(match operand {
        Operand::Column(column, _) if is_secret => Operand::Column(column, Reading::NullOnly("is a secret")),
        other => other,
    })
}

fn of_column(plan: &ColumnPlan) -> Operand {
    let reading = match plan.format {
        Format::Auto | Format::Text | Format::Boolean => Reading::Plain,
        Format::Flag => Reading::Flag,
        Format::Time(kind) => Reading::Time(kind),
        Format::Xml => Reading::NullOnly("is an XML tree"),
        Format::Json => Reading::NullOnly("is a JSON tree"),
        Format::CommaList => Reading::NullOnly("is a list"),
    };
    Operand::Column(plan.column.clone(), reading)
}
