//! Text that fits the terminal.

use std::io;

/// The columns of text for people where there is no terminal, and the least of a terminal that are
/// used.
const COLUMNS: usize = 80;
/// Longer lines are hard to read.
const MOST: usize = 120;

/// Returns how many columns a line of the standard output has.
pub(crate) fn columns() -> usize {
    let terminal = rustix::termios::tcgetwinsize(io::stdout());
    terminal.map_or(COLUMNS, |size| usize::from(size.ws_col).clamp(COLUMNS, MOST))
}

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
