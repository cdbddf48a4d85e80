//! Releases of an identity system: which one it is, and whether a column may be missing from it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use annals_config::profile::{ColumnPath, Format, Profile};
use annals_sql::{Stmt, Tx};

use crate::catalogue::{Catalogue, Survey};
use crate::column::{ColumnPlan, id_text};
use crate::error::{Mismatch, Result};
use crate::fragment::Fragment;
use crate::plan;

/// The release as the system calls it, where the profile says where it stands and a row is there; and what the profile
/// names in vain on the way.
pub(crate) async fn read(
    tx: &mut Tx,
    catalogue: &Catalogue,
    profile: &Profile,
) -> Result<(Option<String>, Vec<Mismatch>)> {
    let mut survey = Survey::new(catalogue);
    let query = query(&mut survey, profile);
    let (Some(query), []) = (query, survey.mismatches.as_slice()) else {
        return Ok((None, survey.mismatches));
    };
    let row = tx.fetch_optional(&Stmt::built("source.release", query.text), query.params).await?;
    let release = match &row {
        Some(row) => id_text(row.cell(0)?).map(Cow::into_owned),
        None => None,
    };
    Ok((release, Vec::new()))
}

fn query(survey: &mut Survey<'_>, profile: &Profile) -> Option<Fragment> {
    let release = profile.release.as_ref()?;
    let scope = plan::scope(survey, "release", &release.table, &BTreeMap::new())?;
    let path = ColumnPath { alias: None, column: release.column.clone() };
    let column = survey.note("release.column", ColumnPlan::new(&scope, &path, Format::Text));
    let filter = plan::filter(survey, "release.filter", &scope, release.filter.as_ref());
    let mut query = Fragment::new(format!("select {}", column?.select(survey.catalogue.engine)));
    query.append(&scope.from(&BTreeSet::new()));
    if let Some(filter) = &filter {
        query.push(" where ").append(filter);
    }
    Some(query)
}

/// Whether `since` names a later release than `release`, so that what it brought may be missing. Text after the
/// numbers counts for nothing: `8.4-00` and `8.4p2` are `8.4`.
pub(crate) fn is_later(since: &str, release: &str) -> bool {
    let (since, release) = (numbers(since), numbers(release));
    (0..since.len().max(release.len()))
        .map(|index| since.get(index).unwrap_or(&0).cmp(release.get(index).unwrap_or(&0)))
        .find(|ordering| ordering.is_ne())
        == Some(Ordering::Greater)
}

/// The numbers of a release, parted by dots, up to what is no number.
fn numbers(release: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    for part in release.trim().split('.') {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(number) = part[..digits].parse() else { break };
        numbers.push(number);
        if digits < part.len() {
            break;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_number_by_number() {
        for (since, release) in [("8.4", "8.3-15"), ("8.10", "8.9"), ("8.3.1", "8.3"), ("9", "8.4-00")] {
            assert!(is_later(since, release), "{since} is later than {release}");
        }
        for (since, release) in
            [("8.4", "8.4-00"), ("8.3", "8.4p2"), ("8.4", "8.4.0"), ("8", "8.0"), ("5.0", "5.0.3+dfsg")]
        {
            assert!(!is_later(since, release), "{since} is not later than {release}");
        }
    }
}
