//! Text in lines that fit the terminal.

use crate::report::output::printable;

/// Returns a text as one line in which nothing controls a terminal.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// Returns `text` behind `label`, in lines of at most so many columns, which begin under the first
/// one's text. Lines end between words; a word that is longer than a line goes over several.
pub(crate) fn labelled(label: &str, text: &str, width: usize) -> String {
    let indent = label.chars().count();
    let room = width.saturating_sub(indent).max(20);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in one_line(text).split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + word.len() > room {
            lines.push(String::new());
            used = 0;
        }
        if used > 0 {
            word.insert(0, ' ');
        }
        for c in word {
            if used == room {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += 1;
        }
    }
    let between = format!("\n{}", " ".repeat(indent));
    format!("{label}{}\n", lines.join(&between))
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
