//! Releases of an identity system: which one it is, and whether a column may be missing from it.

use std::cmp::Ordering;

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
