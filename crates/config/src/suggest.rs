//! "Did you mean": the known word nearest to a mistyped one.

/// The known word that is nearest to `word`, if it is near enough to be meant: at most a third of its letters
/// differ, or it is the only one that begins with `word`. Case does not count. Of equally near words the
/// first one in order wins, so that messages are stable.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const BEGINNING_CHARS_MIN: usize = 3;
    let length = word.chars().count();
    // A word far longer than any name is no slip of the fingers, and comparing it would cost time.
    if length > 80 {
        return None;
    }
    let lower = word.to_lowercase();
    let mut beginnings = Vec::new();
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let lower_candidate = candidate.to_lowercase();
        if length >= BEGINNING_CHARS_MIN && lower_candidate.starts_with(&lower) {
            beginnings.push(candidate);
        }
        let longest = candidate.chars().count().max(length);
        let distance = distance(&lower, &lower_candidate);
        let near = distance <= (longest / 3).max(1) && distance < longest;
        if near && best.is_none_or(|best| (distance, candidate) < best) {
            best = Some((distance, candidate));
        }
    }
    match (best, beginnings.as_slice()) {
        (Some((_, candidate)), _) => Some(candidate),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// Edit distance that counts two swapped neighbours as one edit (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Help for a word that is none of the known ones: the nearest of them, or else all of them.
pub(crate) fn known_words(word: &str, known: &[&str], none: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => none.to_owned(),
        None => format!("use one of {}", listed(known)),
    }
}

/// `a`, `b`, `c`: at most forty words, so that a message stays readable.
pub(crate) fn listed(words: &[&str]) -> String {
    const SHOWN_MAX: usize = 40;
    let shown: Vec<String> = words.iter().take(SHOWN_MAX).map(|word| format!("`{word}`")).collect();
    let more = words.len().saturating_sub(SHOWN_MAX);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_by_hand() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("limti", "limit"), 1);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["lossLimit", "maxObjectAttempts", "limit"];
        assert_eq!(nearest("losslimit", known), Some("lossLimit"));
        assert_eq!(nearest("lostLimit", known), Some("lossLimit"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", ["y"]), None, "a word of one letter is not one slip away from any other");
        assert_eq!(nearest("bool", ["boolean", "text"]), Some("boolean"), "the only one that begins so");
        assert_eq!(nearest("max", ["maxAge", "maxCount"]), None, "two begin so");
    }

    #[test]
    fn of_equally_near_words_the_first_in_order_wins() {
        assert_eq!(nearest("names", ["namex", "named"]), Some("named"));
    }

    #[test]
    fn help_names_the_nearest_word_or_all() {
        assert_eq!(known_words("jsn", &["json", "xml"], ""), "did you mean `json`?");
        assert_eq!(known_words("zzzzz", &["json", "xml"], ""), "use one of `json`, `xml`");
        assert_eq!(known_words("zzzzz", &[], "there is none"), "there is none");
    }
}
