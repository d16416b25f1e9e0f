//! The keywords that are nearest to a word.

use super::names::KEYWORDS;

/// Returns the keyword that is nearest to a word: at most two letters differ, and fewer than half.
/// Capital letters do not matter.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    near(word).map(|(nearest, _)| nearest)
}

/// Returns the keyword that is nearest to a word, and another one that is as near, if there is one.
pub(super) fn near(word: &str) -> Option<(&'static str, Option<&'static str>)> {
    let word: Vec<char> = word.to_ascii_lowercase().chars().take(24).collect();
    let most = if word.len() < 5 { 1 } else { 2 };
    let near = || KEYWORDS.iter().map(|keyword| (distance(&word, keyword), *keyword));
    let (steps, nearest) = near().min_by_key(|(steps, _)| *steps)?;
    let other = near().find(|(other, keyword)| *other == steps && *keyword != nearest);
    let other = other.map(|(_, keyword)| keyword);
    (steps <= most && word.len() > 1).then_some((nearest, other))
}

/// Returns how many letters have to be inserted, left out, replaced, or exchanged with the next one
/// (the restricted distance of Damerau and Levenshtein).
fn distance(word: &[char], keyword: &str) -> usize {
    let keyword: Vec<char> = keyword.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=keyword.len()).collect();
    for (index, letter) in word.iter().enumerate() {
        let mut next = vec![index.saturating_add(1)];
        for (column, other) in keyword.iter().enumerate() {
            let get = |row: &Vec<usize>, at: usize| row.get(at).copied().unwrap_or(usize::MAX);
            let replaced = get(&row, column).saturating_add(usize::from(letter != other));
            let left_out = get(&row, column.saturating_add(1)).saturating_add(1);
            let inserted = get(&next, column).saturating_add(1);
            let mut best = replaced.min(left_out).min(inserted);
            if let (Some(i), Some(j)) = (index.checked_sub(1), column.checked_sub(1)) {
                if word.get(i) == Some(other) && keyword.get(j) == Some(letter) {
                    best = best.min(get(&before, j).saturating_add(1));
                }
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{near, nearest};

    #[test]
    fn the_nearest_keyword_is_found() {
        for (word, keyword) in [
            ("nad", Some("and")),
            ("prot", Some("port")),
            ("potr", Some("port")),
            ("hots", Some("host")),
            ("multicst", Some("multicast")),
            ("porrtange", Some("portrange")),
            ("udpp", Some("udp")),
            ("TCP", Some("tcp")),
            ("x", None),
            ("example.org", None),
            ("", None),
        ] {
            assert_eq!(nearest(word), keyword, "{word}");
        }
        assert_eq!(near("prot"), Some(("port", Some("proto"))));
        assert_eq!(near("hots"), Some(("host", None)));
    }
}
