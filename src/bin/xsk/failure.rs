//! The error type of the tool: one readable message, with the tool's flags where one helps.

use std::fmt;
use std::io;
use xsk::error::ExpressionError;
use xsk::{Errno, Error};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// What keeps the tool from what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error.
    Xsk(Error),
    /// The library's error, where packets of several frames were asked for already.
    DespiteFrags(Error),
    /// The library's error about the packet memory of one of so many queues.
    MemoryOfQueues(Box<Error>, Queues),
    /// The library's error about a queue that is taken, and the processes that may have it.
    Taken(Box<Error>, Vec<String>),
    /// A filter that cannot be read.
    Expression(ExpressionError),
    /// A filter that is a number: with tcpdump's letters it is a count.
    NumberAsFilter(String),
    /// The output is closed.
    Output(io::Error),
    /// The interface is gone.
    Gone {
        /// Its name.
        name: String,
        /// The error number that showed it.
        errno: Option<Errno>,
        /// The program that stays on an interface which was moved to another network namespace,
        /// and what takes it off there.
        program: Option<(u32, String)>,
    },
    /// Another process took the program off the interface.
    TakenOff {
        /// The interface's name.
        name: String,
        /// The program's id.
        id: u32,
    },
    /// A signal came while it waited for something.
    Interrupted {
        /// The signal.
        number: u8,
        /// What it waited for.
        waited_for: String,
    },
    /// A word on the command line that is wrong by what is known while the command runs.
    Usage(String),
    /// Something else, in words.
    Text(String),
}

impl Failure {
    /// Returns the failure of a thread that cannot be started.
    pub(crate) fn of_thread(work: &str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Text(format!("a thread for {work} cannot be started: {error}"))
    }

    /// Returns whether the interface is gone.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Gone { .. } => true,
            Self::Xsk(error) | Self::DespiteFrags(error) => error.is_gone(),
            Self::MemoryOfQueues(error, _) => error.is_gone(),
            _ => false,
        }
    }

    /// Returns the failure with the advice for a process that gives its rights up: what netlink
    /// holds, it could not take off.
    pub(crate) fn without_rights(self) -> Self {
        let Self::Xsk(error @ Error::OtherAttachment { .. }) = self else { return self };
        let text = error.to_string();
        match text.split_once(". Ask for what is there") {
            Some((what, _)) => Self::Text(format!(
                "{what}. With --user the program has to be held by a link: end the processes that use \
                 this one, or start them with `--attach link`"
            )),
            None => Self::Xsk(error),
        }
    }

    /// Returns the failure of several sockets on a queue, with a word on a program that is the
    /// tool's own for one.
    pub(crate) fn of_spread(self) -> Self {
        match self {
            Self::Xsk(Error::ForeignProgram { name: Some(ref name), .. })
                if name.starts_with(REDIRECT) =>
            {
                Self::Text(format!(
                    "{self}. By its name it is that of `xsk` without -M: the processes that use it \
                     and several sockets on a queue (-M) do not go together on one interface"
                ))
            }
            other => other,
        }
    }

    /// Returns the failure without the advice to use packets of several frames, which is in vain
    /// where they were asked for already.
    pub(crate) fn despite_frags(self) -> Self {
        match self {
            Self::Xsk(error) => Self::DespiteFrags(error),
            other => other,
        }
    }

    /// Returns the failure for one of several queues, each of which has packet memory of its own.
    pub(crate) fn of_queues(self, queues: usize) -> Self {
        self.of_memory(Queues { number: queues, share: false })
    }

    /// Returns the failure for one of several queues, which have one packet memory.
    pub(crate) fn of_sharing_queues(self, queues: usize) -> Self {
        self.of_memory(Queues { number: queues, share: true })
    }

    fn of_memory(self, queues: Queues) -> Self {
        match self {
            Self::Xsk(error @ Error::RegisterUmem { .. }) if queues.number > 1 => {
                Self::MemoryOfQueues(Box::new(error), queues)
            }
            other => other,
        }
    }

    /// Returns whether the reader of the output has ended, as `head` does: no reason to complain.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xsk(error) => match missing_capability(error) {
                // Root without it is root of another user namespace, or gave it up.
                Some((deed, capability)) if !rustix::process::geteuid().is_root() => write!(
                    f,
                    "to {deed} takes {capability}, which this process does not have: run `{}`",
                    with_sudo()
                ),
                _ => f.write_str(&in_words_of_the_tool(error, ONE)),
            },
            Self::DespiteFrags(error) => {
                f.write_str(&in_words_of_the_tool(error, ONE).replace(OR_FRAGS, ""))
            }
            Self::MemoryOfQueues(error, queues) => {
                f.write_str(&in_words_of_the_tool(error, *queues))
            }
            Self::Taken(error, holders) => {
                f.write_str(&in_words_of_the_tool(error, ONE))?;
                match &holders[..] {
                    [] => Ok(()),
                    holders => write!(
                        f,
                        ". Those with rings of sockets in this network namespace: {}",
                        holders.join(", ")
                    ),
                }
            }
            Self::Expression(error) => {
                write!(f, "the filter cannot be read: {error}")
            }
            Self::NumberAsFilter(number) => write!(
                f,
                "`{number}` is no filter: a number of packets is -C {number} (-c is copy mode)"
            ),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::TakenOff { name, id } => write!(
                f,
                "program {id} was taken off {name} by another process: packets go past this socket"
            ),
            Self::Gone { name, errno, program } => {
                write!(f, "{name} is gone: it was removed, or moved to another network namespace")?;
                match *errno {
                    Some(Errno::NODEV) => f.write_str(" (ENODEV)")?,
                    Some(Errno::NXIO) => f.write_str(" (ENXIO)")?,
                    _ => {}
                }
                match program {
                    Some((id, command)) => write!(
                        f,
                        ". If it was moved to another network namespace, program {id} is still on \
                         it: take it off there with `{command}`"
                    ),
                    None => Ok(()),
                }
            }
            Self::Interrupted { waited_for, .. } => {
                write!(f, "a signal came while it waited for {waited_for}")
            }
            Self::Usage(text) | Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Xsk(error)
    }
}

/// Why something was not written to the output.
#[derive(Debug)]
pub(crate) struct NotWritten(pub(crate) io::Error);

impl From<NotWritten> for Failure {
    fn from(NotWritten(error): NotWritten) -> Self {
        Self::Output(error)
    }
}

impl From<xsk::RingError> for Failure {
    fn from(fault: xsk::RingError) -> Self {
        Self::Xsk(fault.into())
    }
}

/// What the library proposes in its own words, and the flag of the tool for it.
const FLAGS: [(&str, &str); 11] = [
    (
        "Choose the packets by an XDP program of your own instead",
        "There the XDP program chooses the packets: `xsk rxdrop -i IF FILTER` and the other commands \
         with FILTER take them on every interface",
    ),
    (
        "(`AttachmentBuilder::frags`, `SocketBuilder::multi_buffer`; with a program of one's own \
         `Filter::frags` or `ProgramBuilder::frags`)",
        "(`-F`)",
    ),
    ("(`CopyMode::Copy`)", "(`-c`)"),
    ("with `UmemBuilder::unaligned`", "with `-u`"),
    ("(`AttachMode::Generic`)", "(`-S`)"),
    ("(`replace_foreign`)", "(`--replace`)"),
    ("`replace_foreign`", "`--replace`"),
    ("`AttachMethod::Netlink`", "`--attach netlink`"),
    ("`AttachMethod::Link`", "`--attach link`"),
    ("`AttachMode::Native`", "`-N`"),
    ("`AttachMode::Generic`", "`-S`"),
];

/// The names of the programs for several sockets on a queue, and for one (or how it begins).
const SPREAD: &str = "xsk_spread";
const REDIRECT: &str = "xsk_redirect";
/// Those of programs with FILTER, and of `capture --tee`.
const FILTER: &str = "xsk_filter";
const TAP: &str = "xsk_tap";

/// The advice to use packets of several frames, in the words of the tool.
const OR_FRAGS: &str = ". Or take longer packets in several frames (`-F`)";

/// What the library says to programs with several sockets, or maps, of their own.
const NOT_HERE: [&str; 6] = [
    " (`Interface::set_ntuple(true)`)",
    ", make the socket `rx_only()`",
    ", make the socket `tx_only()`",
    " one of this process of which a part is not dropped yet,",
    ", or, if a process of this program left it that was killed, take it over (`take_over`)",
    ". Without it, use the program's map from a pin or a descriptor (`Attachment::with_map`)",
];

/// The queues that have the packet memory that an error names: each of them, or together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queues {
    number: usize,
    share: bool,
}

const ONE: Queues = Queues { number: 1, share: false };

/// Returns the library's text, with the tool's flags where the library names its own calls. These
/// queues have as much packet memory as an error names.
fn in_words_of_the_tool(error: &Error, queues: Queues) -> String {
    let mut text = error.to_string();
    for words in NOT_HERE {
        text = text.replace(words, "");
    }
    for (call, flag) in FLAGS {
        text = text.replace(call, flag);
    }
    match error {
        // Memory that may not be pinned.
        Error::RegisterUmem {
            bytes,
            chunk_size,
            memlock: Some(limit),
            errno: Errno::NOBUFS,
            ..
        } => {
            // Half of what is possible, or was asked for: other memory of the user counts, too.
            let Queues { number, share } = queues;
            let bytes = if share { *bytes / number as u64 } else { *bytes };
            let most = bytes.min(*limit / number as u64) / u64::from(*chunk_size) / 2;
            let chunks = 1 << most.max(1).ilog2();
            let each = match number {
                1 => String::new(),
                _ if share => format!(". That is for {number} queues together"),
                _ => format!(". Each of the {number} queues has as much"),
            };
            format!("{text}{each}. Or ask for fewer chunks: `--chunks {chunks}`")
        }
        Error::ForeignProgram { name: Some(name), .. } if name == SPREAD => format!(
            "{text}. By its name it is the program of an `xsk` with several sockets on a queue \
             (-M), which is that process's own: no option joins it, neither on this queue nor on \
             another one"
        ),
        Error::ForeignProgram { name: Some(name), .. } if [FILTER, TAP].contains(&&**name) => {
            format!(
                "{text}. By its name it is the {} of an `xsk`, which is that process's own: `xsk status` \
             names the process, and `xsk unload` takes off what no process has any more",
                if name == FILTER { "filter" } else { "copy of packets" }
            )
        }
        Error::NeedsKernel { feature, .. } => format!("{text}{}", without(feature)),
        Error::LoadProgram { log, .. } if lacks_perfmon(log) => {
            "the kernel takes a filter only from a process with CAP_PERFMON, beside CAP_BPF and \
             CAP_NET_ADMIN"
                .to_owned()
        }
        _ => text,
    }
}

/// Returns what there is without a feature of a newer kernel, to follow its error.
fn without(feature: &str) -> &'static str {
    if feature.contains("AttachMethod::Link") {
        ": without it there is `--attach netlink`"
    } else if feature.contains("XDP_USE_SG") {
        ". Older kernels receive and send packets that fit a chunk (without `-F`; `xsk demo` up to \
         3520 bytes)"
    } else {
        ""
    }
}

/// Returns whether the verifier refused what it takes from a process with CAP_PERFMON: filters
/// compute where headers begin, and how long packets are.
fn lacks_perfmon(log: &str) -> bool {
    ["prohibited for !root", "pointer -= pointer prohibited"].iter().any(|text| log.contains(text))
}

/// Returns what the kernel refused, and the capability that is missing for it.
fn missing_capability(error: &Error) -> Option<(&'static str, &'static str)> {
    if !matches!(error.errno(), Some(Errno::PERM | Errno::ACCESS)) {
        return None;
    }
    match error {
        Error::CreateSocket { .. } => Some(("make an AF_XDP socket", "CAP_NET_RAW")),
        Error::LoadProgram { log, .. } if lacks_perfmon(log) => {
            Some(("load a filter", "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"))
        }
        // Else EACCES comes from the verifier, and has nothing to do with privileges.
        Error::LoadProgram { errno: Errno::PERM, .. } => {
            Some(("load an XDP program", "CAP_BPF and CAP_NET_ADMIN"))
        }
        Error::CreateMap { .. } => Some(("make a BPF map", "CAP_BPF and CAP_NET_ADMIN")),
        Error::Attach { .. } | Error::Detach { .. } => {
            Some(("attach an XDP program", "CAP_NET_ADMIN"))
        }
        Error::BpfObject { .. } => Some(("look up an attached program", "CAP_SYS_ADMIN")),
        Error::Namespace { .. } => Some(("make a network namespace", "CAP_SYS_ADMIN")),
        _ => None,
    }
}

/// Returns this command line, to be run as root. The path is whole: root's `PATH` is another one.
fn with_sudo() -> String {
    let mut words = vec!["sudo".to_owned()];
    let path = std::env::current_exe().map(|path| path.display().to_string());
    words.push(quoted(&path.unwrap_or_else(|_| "xsk".to_owned())));
    words.extend(std::env::args().skip(1).map(|word| quoted(&word)));
    words.join(" ")
}

/// Returns a word as a shell takes it: in quotes where it needs them, and with the numbers of
/// control characters.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains(char::is_control) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let escaped = |byte: u8| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        byte => format!("\\{byte:03o}"),
    };
    format!("$'{}'", word.bytes().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{Failure, quoted, without};

    #[test]
    fn a_thread_that_cannot_be_started_is_no_error_of_the_output() {
        let error = std::io::ErrorKind::WouldBlock.into();
        let text = Failure::of_thread("signals")(error).to_string();
        assert!(text.starts_with("a thread for signals cannot be started: "), "{text}");
    }

    #[test]
    fn an_old_kernel_has_what_came_before() {
        let text = without("packets of several frames (XDP_USE_SG)");
        assert!(text.contains("packets that fit a chunk (without `-F`;"), "{text}");
        assert_eq!(without("something else"), "");
    }

    #[test]
    fn a_shell_takes_a_quoted_word_for_one_word() {
        for (word, text) in [
            ("eth1.100", "eth1.100"),
            ("a;b", "'a;b'"),
            ("it's", r"'it'\''s'"),
            ("v\u{1b}[31m", r"$'v\033[31m'"),
            ("'\n", r"$'\'\012'"),
        ] {
            assert_eq!(quoted(word), text);
        }
    }
}
