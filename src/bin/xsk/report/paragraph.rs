//! Text in lines that fit the terminal.

use crate::report::output::printable;

/// Returns a text as one line in which nothing controls a terminal.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// Returns `text` in lines of at most `width` columns; at least one line. Lines end between words; a
/// word that is longer than a line goes over several.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    let mut used = 0;
    for word in text.split([' ', '\n']) {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            if used == width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += 1;
        }
    }
    lines.push(line);
    lines
}

/// Returns `text` behind `label`, in lines of at most so many columns, which begin under the first
/// one's text.
pub(crate) fn labelled(label: &str, text: &str, width: usize) -> String {
    let indent = label.chars().count();
    let room = width.saturating_sub(indent).max(20);
    let between = format!("\n{}", " ".repeat(indent));
    format!("{label}{}\n", wrapped(&one_line(text), room).join(&between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words() {
        let text = labelled("  maps  ", "one two three four five six", 28);
        assert_eq!(text, "  maps  one two three four\n        five six\n");
        assert_eq!(labelled("a ", "", 80), "a \n");
    }

    #[test]
    fn words_fill_lines() {
        assert_eq!(wrapped("a bb  ccc dddd", 4), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrapped("one\ntwo", 9), ["one two"]);
        assert_eq!(wrapped("äöü x", 5), ["äöü x"]);
        assert_eq!(wrapped("a longest b", 3), ["a", "lon", "ges", "t b"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn a_long_word_goes_over_several_lines() {
        let text = labelled("- ", &format!("at {} end", "x".repeat(50)), 22);
        for line in text.lines() {
            assert!(line.len() <= 22, "{text}");
        }
        assert_eq!(text.lines().count(), 4, "{text}");
    }

    #[test]
    fn nothing_controls_the_terminal() {
        assert_eq!(labelled("", "a\nb\x1b[31m", 80), "a\\nb\\u{1b}[31m\n");
    }
}
