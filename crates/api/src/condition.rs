//! From the tree of a filter to a condition on the properties that a class has.

use annals_history::Hidden;
use annals_history::find::{
    ACCESS, Collection, Comparison, Condition, Operand, Part, Property, PropertyKind, collections, properties,
};
use annals_model::ObjectType;

use crate::odata::{self, Expr, Literal, LiteralValue, ParseError, Path, TextFunction};

/// The condition that a filter means.
///
/// # Errors
/// A name that the class does not have, or a value of another kind.
pub(crate) fn condition(
    object_type: ObjectType,
    expr: &Expr,
    hidden: &Hidden,
) -> Result<Condition, ParseError> {
    Names { object_type, hidden, element_of: None }.condition(expr)
}

/// The property that a path names.
///
/// # Errors
/// A name that the class does not have.
pub(crate) fn property_of(
    object_type: ObjectType,
    path: &Path,
    hidden: &Hidden,
) -> Result<&'static Property, ParseError> {
    Names { object_type, hidden, element_of: None }.property(path)
}

/// What names in an expression are names of. What is hidden from who asks is not there for him.
struct Names<'h> {
    object_type: ObjectType,
    hidden: &'h Hidden,
    /// In `any`, of its collection's elements.
    element_of: Option<&'static Collection>,
}

impl Names<'_> {
    fn condition(&self, expr: &Expr) -> Result<Condition, ParseError> {
        let all =
            |parts: &[Expr]| parts.iter().map(|part| self.condition(part)).collect::<Result<Vec<_>, _>>();
        Ok(match expr {
            Expr::And(parts) => Condition::All(all(parts)?),
            Expr::Or(parts) => Condition::Any(all(parts)?),
            Expr::Not(inner) => Condition::Not(Box::new(self.condition(inner)?)),
            Expr::Compare { path, comparison, value } => self.compare(path, *comparison, value)?,
            Expr::In { path, values } => {
                let property = self.property(path)?;
                let equal =
                    |value| Ok(Condition::Compare(property, Comparison::Equal, operand(property, value)?));
                Condition::Any(values.iter().map(equal).collect::<Result<_, _>>()?)
            }
            Expr::Text { function, path, part } => {
                let property = self.property(path)?;
                let Operand::Text(text) = operand(property, part)? else {
                    return Err(wrong(
                        path.position,
                        format!("expected a property that is a text, found `{path}`"),
                    ));
                };
                let place = match function {
                    TextFunction::Contains => Part::Anywhere,
                    TextFunction::StartsWith => Part::AtStart,
                    TextFunction::EndsWith => Part::AtEnd,
                };
                Condition::Text(property, place, text)
            }
            Expr::Any { path, condition, .. } => {
                let collection = self.collection(path)?;
                let names = Names { element_of: Some(collection), ..*self };
                let inner = condition.as_ref().map(|inner| names.condition(inner)).transpose()?;
                Condition::Some(collection, inner.map(Box::new))
            }
        })
    }

    fn compare(
        &self,
        path: &Path,
        comparison: odata::Comparison,
        value: &Literal,
    ) -> Result<Condition, ParseError> {
        let property = self.property(path)?;
        if value.value == LiteralValue::Null {
            let absent = Condition::Absent(property);
            let is_absent = comparison == odata::Comparison::Eq;
            return Ok(if is_absent { absent } else { Condition::Not(Box::new(absent)) });
        }
        let comparison = match comparison {
            odata::Comparison::Eq => Comparison::Equal,
            odata::Comparison::Ne => Comparison::Unequal,
            odata::Comparison::Gt => Comparison::Greater,
            odata::Comparison::Ge => Comparison::GreaterOrEqual,
            odata::Comparison::Lt => Comparison::Less,
            odata::Comparison::Le => Comparison::LessOrEqual,
        };
        Ok(Condition::Compare(property, comparison, operand(property, value)?))
    }

    fn property(&self, path: &Path) -> Result<&'static Property, ParseError> {
        let there: Vec<&'static Property> = match self.element_of {
            Some(collection) => {
                let is_hidden = |one: &&_| self.hidden.hides_element(self.object_type, collection, one);
                collection.elements.iter().filter(|one| !is_hidden(one)).collect()
            }
            None => shown(self.object_type, self.hidden).collect(),
        };
        let found = match &path.names[..] {
            [name] => there.iter().copied().find(|property| property.name == *name),
            _ => None,
        };
        let names = || there.iter().map(|property| property.name.as_str()).collect::<Vec<_>>();
        found.ok_or_else(|| unknown("property", path, names()))
    }

    fn is_hidden(&self, collection: &Collection) -> bool {
        match collection.name {
            ACCESS => self.hidden.hides_access(),
            name => self.hidden.hides(self.object_type, name),
        }
    }

    fn collection(&self, path: &Path) -> Result<&'static Collection, ParseError> {
        let all = if self.element_of.is_none() { collections(self.object_type) } else { &[] };
        let there: Vec<&'static Collection> = all.iter().filter(|one| !self.is_hidden(one)).collect();
        let found = match &path.names[..] {
            [name] => there.iter().copied().find(|one| one.name == *name),
            _ => None,
        };
        let names = || there.iter().map(|collection| collection.name).collect();
        found.ok_or_else(|| unknown("collection", path, names()))
    }
}

/// The properties of a class that are not hidden.
pub(crate) fn shown(object_type: ObjectType, hidden: &Hidden) -> impl Iterator<Item = &'static Property> {
    properties(object_type).iter().filter(move |property| !hidden.hides_property(object_type, property))
}

fn wrong(position: usize, message: String) -> ParseError {
    ParseError { position, message }
}

fn unknown(what: &str, path: &Path, there: Vec<&str>) -> ParseError {
    let expected = match there.is_empty() {
        true => format!("expected no {what} here, for there is none"),
        false => format!("expected a {what} that there is ({})", there.join(", ")),
    };
    wrong(path.position, format!("{expected}, found `{path}`"))
}

/// The value to compare a property with, which is of its kind.
fn operand(property: &Property, literal: &Literal) -> Result<Operand, ParseError> {
    Ok(match (property.kind, &literal.value) {
        (PropertyKind::Text, LiteralValue::Text(text)) => Operand::Text(text.clone()),
        (PropertyKind::Int, LiteralValue::Int(number)) => Operand::Int(*number),
        (PropertyKind::Flag, LiteralValue::Bool(flag)) => Operand::Int((*flag).into()),
        (PropertyKind::Instant, LiteralValue::Instant(ms)) => Operand::Int(*ms),
        (kind, value) => {
            let expected = match kind {
                PropertyKind::Text => "a text in quotes",
                PropertyKind::Int => "a whole number",
                PropertyKind::Flag => "true or false",
                PropertyKind::Instant => "an instant such as 2026-03-01T14:30:00Z, or a date",
            };
            let name = &property.name;
            let message = format!("expected {expected} to compare `{name}` with, found {value}");
            return Err(wrong(literal.position, message));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(object_type: ObjectType, filter: &str) -> (usize, String) {
        let expr = odata::filter(filter).expect(filter);
        let error = condition(object_type, &expr, &Hidden::default()).expect_err(filter);
        (error.position, error.message)
    }

    const THERE: &str =
        "expected a property that there is (id, name, deleted, since, lastSeen, description, displayName)";

    /// The caret in each filter is where it is wrong.
    #[test]
    fn names_and_kinds_are_checked_with_their_place() {
        use ObjectType::{Capability, Identity};
        for (object_type, filter, message) in [
            (Capability, "‸nme eq 'a'", "PLACE, found `nme`"),
            (Capability, "name eq 'a' or not (‸a/b eq 1)", "PLACE, found `a/b`"),
            (Capability, "‸x/any()", "expected a collection that there is (history), found `x`"),
            (
                Identity,
                "access/any(a: a/name eq 'x' and ‸a/curent eq true)",
                "expected a property that there is (kind, id, name, application, applicationId, instance, permission, attribute, value, account, cause, assigner, requestItem, current, since, until), found `curent`",
            ),
            (
                Identity,
                "access/any(a: a/current eq ‸1)",
                "expected true or false to compare `current` with, found 1",
            ),
            (
                Identity,
                "history/any(h: ‸h/phone eq '1')",
                "expected a property that there is (managerId, displayName, firstname, lastname, email, managerStatus, inactive, type, name, since), found `phone`",
            ),
            (Capability, "name eq ‸5", "expected a text in quotes to compare `name` with, found 5"),
            (
                Capability,
                "name in ('a', ‸true)",
                "expected a text in quotes to compare `name` with, found true",
            ),
            (Capability, "deleted eq ‸'x'", "expected true or false to compare `deleted` with, found 'x'"),
            (
                Capability,
                "since ge ‸5",
                "expected an instant such as 2026-03-01T14:30:00Z, or a date to compare `since` with, found 5",
            ),
            (
                Capability,
                "contains(deleted, ‸'a')",
                "expected true or false to compare `deleted` with, found 'a'",
            ),
            (
                Identity,
                "‸managers/any()",
                "expected a collection that there is (accounts, entitlements, assignedRoles, detectedRoles, policyViolations, access, history), found `managers`",
            ),
            (
                Identity,
                "accounts/any(a: ‸a/name eq 'x')",
                "expected a property that there is (id), found `name`",
            ),
            (
                Identity,
                "accounts/any(a: ‸a/b/any())",
                "expected no collection here, for there is none, found `b`",
            ),
        ] {
            let position = filter.chars().position(|c| c == '‸').expect(filter);
            let message = message.replace("PLACE", THERE);
            assert_eq!(refused(object_type, &filter.replace('‸', "")), (position, message), "{filter}");
        }
    }

    #[test]
    fn filters_are_conditions() {
        let of = |filter: &str| {
            condition(ObjectType::Identity, &odata::filter(filter).expect(filter), &Hidden::default())
                .expect(filter)
        };
        let path = |name: &str| Path { names: vec![name.to_owned()], position: 0 };
        let property =
            |name: &str| property_of(ObjectType::Identity, &path(name), &Hidden::default()).expect(name);
        assert_eq!(of("email eq null"), Condition::Absent(property("email")));
        assert_eq!(of("email ne null"), Condition::Not(Box::new(Condition::Absent(property("email")))));
        let equal = |text: &str| {
            Condition::Compare(property("name"), Comparison::Equal, Operand::Text(text.to_owned()))
        };
        assert_eq!(of("name in ('a', 'b')"), Condition::Any(vec![equal("a"), equal("b")]));
        assert_eq!(
            of("endswith(name, 'a') and deleted ne true"),
            Condition::All(vec![
                Condition::Text(property("name"), Part::AtEnd, "a".to_owned()),
                Condition::Compare(property("deleted"), Comparison::Unequal, Operand::Int(1)),
            ])
        );
    }
    /// What is hidden is answered exactly as what does not exist, and is not among what there is.
    #[test]
    fn what_is_hidden_is_not_there() {
        let hidden = [
            (ObjectType::Identity, "Email"),
            (ObjectType::Identity, "assignedRoles"),
            (ObjectType::Identity, "accounts.id"),
            (ObjectType::Account, "displayName"),
            (ObjectType::Account, "identity"),
        ];
        let hidden = Hidden::new(hidden);
        let refused = |object_type, filter: &str, hidden: &Hidden| {
            condition(object_type, &odata::filter(filter).expect(filter), hidden).expect_err(filter).message
        };
        for (object_type, one, absent) in [
            (ObjectType::Identity, "email eq 'x'", "nobody eq 'x'"),
            (ObjectType::Identity, "assignedRoles/any()", "nobodyAtAll/any()"),
            (ObjectType::Account, "displayableName eq 'x'", "nobody eq 'x'"),
            (ObjectType::Account, "identityName eq 'x'", "nobody eq 'x'"),
            (ObjectType::Account, "identityId eq 'x'", "nobody eq 'x'"),
            (ObjectType::Identity, "accounts/any(a: a/id eq 'x')", "entitlements/any(a: a/nobody eq 'x')"),
        ] {
            let message = refused(object_type, one, &hidden);
            let (expected, found) =
                message.rsplit_once(", found").expect("what there is, and what was found");
            assert!(
                odata::filter(one)
                    .is_ok_and(|expr| condition(object_type, &expr, &Hidden::default()).is_ok())
            );
            assert!(!expected.contains(found.trim_matches(['`', ' '])), "{message}");
            if !one.contains("a:") {
                let absent = refused(object_type, absent, &hidden);
                assert_eq!(absent.rsplit_once(", found").map(|(expected, _)| expected), Some(expected));
            }
        }
        let path = |name: &str| Path { names: vec![name.to_owned()], position: 0 };
        assert!(property_of(ObjectType::Identity, &path("email"), &hidden).is_err());
        assert!(property_of(ObjectType::Identity, &path("lastname"), &hidden).is_ok());
    }
}
