//! Text that fits the terminal.

/// Returns the words of `text` in lines of at most `width` columns. A word that is longer has a
/// line of its own.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn words_fill_lines_and_are_not_cut() {
        assert_eq!(wrapped("a bb  ccc dddd", 4), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrapped("a longest b", 3), ["a", "longest", "b"]);
        assert_eq!(wrapped("äöü x", 5), ["äöü x"]);
        assert!(wrapped(" ", 5).is_empty());
    }
}
