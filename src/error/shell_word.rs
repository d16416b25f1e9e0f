//! Words of a command line for a shell.

use std::borrow::Cow;

/// Returns `word` as a shell takes it: quoted if it has a character that may mean something to it.
///
/// With a control character in it the quotes are `$'...'` (bash, zsh, ksh, POSIX 2024), because a
/// terminal would act on the character itself.
pub(super) fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    if !word.contains(char::is_control) {
        return format!("'{}'", word.replace('\'', r"'\''")).into();
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    quoted.push_str(&format!("\\{byte:03o}"));
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_it_is_quoted() {
        for (word, quoted) in [
            ("eth1.5@if2", "eth1.5@if2"),
            ("schnittstelle_ä", "schnittstelle_ä"),
            ("", "''"),
            ("a;reboot", "'a;reboot'"),
            ("$(id)", "'$(id)'"),
            ("a'b\\", r"'a'\''b\'"),
            ("a'\u{1b}[31m\\", r"$'a\'\033[31m\\'"),
            ("\u{9b}1", r"$'\302\2331'"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }

    #[test]
    fn a_shell_takes_them_as_they_were() {
        for word in ["a;b", "$(id)", "`id`", "a'b", "*", "~", "a'\u{1b}[31m\\\u{9b}", "#x", "ä"] {
            let script = format!("printf %s {}", shell_word(word));
            let run = std::process::Command::new("bash").args(["-c", &script]).output();
            // Some systems have no such shell.
            if let Ok(run) = run {
                assert_eq!(String::from_utf8_lossy(&run.stdout), word, "{script}");
            }
        }
    }
}
