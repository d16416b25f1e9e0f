//! The name that was probably meant.

/// The most letters that a typo changes.
const MOST: usize = 2;

/// Returns the name that differs from `wanted` in the fewest letters, if that are few.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Of a short name not every letter may be another one.
    let most = MOST.min(wanted.chars().count().div_ceil(3));
    names
        .map(|name| (distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// Returns how many letters have to be changed, put in, left out, or exchanged with the next one to
/// make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let changed = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typo_has_the_name_that_was_meant() {
        let names = ["lo", "eth0", "eth1", "enp3s0f1", "wlan0"];
        for (wanted, found) in [
            ("eht1", Some("eth1")),
            ("eth", Some("eth0")),
            ("enp3s0", Some("enp3s0f1")),
            ("enp3sOf1", Some("enp3s0f1")),
            ("wlan00", Some("wlan0")),
            ("o", Some("lo")),
            ("x", None),
            ("ol", Some("lo")),
            ("tunnel0", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, names.into_iter()), found, "{wanted}");
        }
    }
}
