//! The completion of bash: a script that knows of each option what its value is, and of each command
//! what its words are.

use crate::manual::values::Values;
use clap::{Arg, Command};
use std::fmt::Write;

/// What does not depend on the commands. `-o default` would have bash offer files wherever there is
/// nothing else, behind `-q` as well.
const FRAME: &str = r#"
_xsk() {
    local cur=$2 cmd=xsk kind= count=0 i word name options names value more IFS=$' \t\n'
    local -a position
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # `--option=value` is three words here.
        [[ $word == = ]] && continue
        if [[ -n $kind ]]; then
            kind=
            continue
        fi
        _xsk_of "$cmd" "$word"
        if [[ -n $value ]]; then
            kind=$value
        elif [[ $word == -* ]]; then
            continue
        elif [[ ${position[count]-} != '<interface>' && " $names " == *" $word "* ]]; then
            cmd="$cmd $word" count=0
        else
            ((count += 1))
        fi
    done
    if [[ -z $kind ]]; then
        _xsk_of "$cmd" ""
        kind=${position[count]-}
        [[ -z $kind && -n $more ]] && kind=$more
        [[ -z $kind || $kind == '<other>' ]] && kind="$names $options"
        [[ $cur == -* ]] && kind=$options
        if [[ $cmd == 'xsk help' ]] && ((count > 0)); then
            _xsk_of "xsk ${COMP_WORDS[*]:2:COMP_CWORD-2}" ''
            kind=$names
        fi
    fi
    case $kind in
        '<interface>')
            # What has a meaning to the shell is not offered: it would be put in without quotes.
            while IFS= read -r name; do
                [[ $name == *[!A-Za-z0-9_.@-]* ]] || COMPREPLY+=("$name")
            done < <(cd /sys/class/net 2>/dev/null && compgen -d -- "$cur") ;;
        '<file>')
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        '<directory>')
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        '<user>')
            mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
        '<other>') ;;
        *)
            mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$cur") ;;
    esac
}

complete -F _xsk xsk
if ((BASH_VERSINFO[0] > 4 || BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4)); then
    complete -F _xsk -o nosort xsk
fi
"#;

/// Returns the script; all names are built.
pub(crate) fn script(command: &Command) -> String {
    let mut text = String::from(
        "# What the command $1 has: its options, the names of the commands below it, what its words\n\
         # are, and, if $2 is an option that takes a value, what that is.\n\
         _xsk_of() {\n    options= names= value= more=\n    position=()\n    case $1 in\n",
    );
    section(&mut text, command, command.get_name());
    text.push_str("    esac\n}\n");
    text.push_str(FRAME);
    text
}

/// Adds what is known of a command and of all that are below it.
fn section(text: &mut String, command: &Command, path: &str) {
    let named = command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    let named: Vec<&Arg> = named.collect();
    let options: Vec<String> = named.iter().flat_map(|arg| spellings(arg)).collect();
    let below: Vec<&Command> = command.get_subcommands().filter(|one| !one.is_hide_set()).collect();
    let names: Vec<&str> = below.iter().map(|one| one.get_name()).collect();
    let mut add = |line: &str| {
        let _ = writeln!(text, "    {line}");
    };
    add(&format!("'{path}')"));
    add(&format!("    options='{}' names='{}'", options.join(" "), names.join(" ")));
    let kind = |arg: &Arg| match Values::of(arg) {
        Values::Words(words) => words.join(" "),
        Values::Interface => "<interface>".to_owned(),
        Values::File => "<file>".to_owned(),
        Values::Directory => "<directory>".to_owned(),
        Values::User => "<user>".to_owned(),
        Values::Other => "<other>".to_owned(),
    };
    let positions: Vec<&Arg> = command.get_positionals().collect();
    if let Some(last) = positions.last() {
        let kinds: Vec<_> = positions.iter().map(|arg| format!("'{}'", kind(arg))).collect();
        add(&format!("    position=({})", kinds.join(" ")));
        if last.get_num_args().is_some_and(|range| range.max_values() > 1) {
            add(&format!("    more='{}'", kind(last)));
        }
    }
    let mut kinds: Vec<(String, Vec<String>)> = Vec::new();
    for arg in named.iter().filter(|arg| arg.get_action().takes_values()) {
        let (kind, names) = (kind(arg), spellings(arg));
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, all)) => all.extend(names),
            None => kinds.push((kind, names)),
        }
    }
    if !kinds.is_empty() {
        add("    case $2 in");
        for (kind, names) in kinds {
            add(&format!("        {}) value='{kind}' ;;", names.join("|")));
        }
        add("    esac");
    }
    add("    ;;");
    for one in below {
        section(text, one, &format!("{path} {}", one.get_name()));
    }
}

/// Returns how an option can be written.
pub(crate) fn spellings(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().map(|letter| format!("-{letter}"));
    short.into_iter().chain(arg.get_long().map(|name| format!("--{name}"))).collect()
}
