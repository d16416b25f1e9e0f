//! Hints for attaching and detaching, and for what is attached already.

use super::wording::{Hint, NET_ADMIN, NO_HINT, ip_word, needs};
use crate::error::AttachConflict;
use crate::error::shell_word::shell_word;
use crate::types::{AttachMethod, XdpMode};
use rustix::io::Errno;

/// The MTU that every driver with native XDP takes.
const USUAL_MTU: u32 = 1500;

const NO_PROGRAM: &str = "Nothing is attached there, or something detached it: attach again, and \
    register the sockets again";
const OTHER_INTERFACE: &str = "Register the socket with an attachment on its own interface";
const OTHER_USERS: &str = "A program that netlink holds is replaced by its only user, because the others \
    know it by its id: close their attachments first, or attach by a link (`AttachMethod::Link`), whose \
    users all may replace the program";
const OTHER_LINK: &str = "Take another path or descriptor for each interface: `ip link` shows the \
    indices, `bpftool link show` the links. A pin that is not needed any more is removed with `rm`";
const OTHERS_PROGRAM: &str = "Replace it in the process that attached it";
const REPLACED: &str = "Another program was attached in the meantime; it is left alone";
const HELD_BY_LINK: &str = "A link holds it, and only its owner can close that: `bpftool link` \
    shows it, `bpftool link detach id N` detaches it";
const HIDDEN_LINK: &str = "To join its users takes CAP_SYS_ADMIN in the initial user namespace \
    (CAP_BPF is not enough). Without it, use the program's map from a pin or a descriptor (`Attachment::with_map`). The program \
    goes when the processes end that hold the link";
const IN_USE: &str = "Processes have it in use; to join them takes CAP_SYS_ADMIN in the \
    initial user namespace (CAP_BPF is not enough). Without it, use the program's map from a pin or a descriptor (`Attachment::with_map`)";
const ASK_THE_DRIVER: &str = ". For a link the kernel passes on no reason: with \
    `AttachMethod::Netlink` the error has the driver's own words";
const OR_FRAGS: &str = ". Or take longer packets in several frames (`AttachmentBuilder::frags`, \
    `SocketBuilder::multi_buffer`; with a program of one's own `Filter::frags` or \
    `ProgramBuilder::frags`)";
const OR_GENERIC: &str = ". Or use generic mode (`AttachMode::Generic`), whose largest packet is \
    the chunk size less 256 less the headroom (3840 bytes in chunks of 4096)";

pub(super) const NATIVE_BOND: &str = "Attach and bind to each member, which is quicker; or use generic \
    mode on the bond (`AttachMode::Generic`)";

const BOUND_ELSEWHERE: &str = "The program was loaded for another interface (`MetadataProgram::load`, \
    `ProgramBuilder::bound_to`): load it anew for this one";
const BOUND_IS_NATIVE: &str = "A program that is bound to an interface (`MetadataProgram::load`, \
    `ProgramBuilder::bound_to`) runs in native mode only: ask for it (`AttachMode::Native`); the error \
    then says what the driver has against it, if anything";

/// A refused attempt to attach, as [`Error::Attach`](crate::Error::Attach) has it.
pub(super) struct Refused<'a> {
    pub(super) interface: &'a str,
    pub(super) mode: XdpMode,
    pub(super) method: AttachMethod,
    pub(super) errno: Errno,
    pub(super) message: Option<&'a str>,
    pub(super) mtu: Option<u32>,
    pub(super) rx_queues: Option<u32>,
}

impl Refused<'_> {
    pub(super) fn hint(&self) -> Hint {
        let interface = shell_word(self.interface);
        // The sentences of `dev_xdp_attach` (net/core/dev.c).
        let said = |words| self.message.is_some_and(|message| message.contains(words));
        match self.errno {
            Errno::PERM => needs(NET_ADMIN),
            Errno::INVAL if said("bound to different device") => BOUND_ELSEWHERE.into(),
            Errno::INVAL if said("device-bound programs in generic mode") => BOUND_IS_NATIVE.into(),
            Errno::OPNOTSUPP if self.mode == XdpMode::Native => format!(
                "The driver of {interface} has no native XDP: use generic mode \
                 (`AttachMode::Generic`)"
            )
            .into(),
            Errno::RANGE | Errno::INVAL | Errno::NOSPC | Errno::TOOBIG
                if self.mode == XdpMode::Native =>
            {
                self.by_driver().into()
            }
            Errno::INVAL if self.method == AttachMethod::Link => format!(
                "Perhaps {interface} is gone, or the program is bound to an interface (it runs in \
                     native mode then){ASK_THE_DRIVER}"
            )
            .into(),
            Errno::BUSY | Errno::EXIST => format!(
                "A program is attached already (`ip -d link show dev {interface}`): in another \
                 mode, by a link (`bpftool link`), or to the bond or bridge that it belongs to"
            )
            .into(),
            _ => NO_HINT,
        }
    }

    /// Returns what may be wrong for native mode, by the driver's sentence where it gave one.
    fn by_driver(&self) -> String {
        let said = self.message.map(str::to_lowercase);
        let cause = match said.as_deref() {
            Some(said) if said.contains("peer") && said.contains("mtu") => Some(format!(
                "Set a smaller MTU at the other end of the cable: `ip link set dev PEER mtu \
                 1500`{OR_FRAGS}"
            )),
            Some(said) if said.contains("mtu") => Some(self.smaller_mtu() + OR_FRAGS),
            Some(said) if said.contains("peer") && said.contains("queues") => {
                Some(self.more_queues())
            }
            Some(_) => None,
            None => Some(format!("{}{}", self.likely_causes(), self.ask_the_driver())),
        };
        match cause {
            Some(cause) => format!("{cause}{OR_GENERIC}"),
            None => OR_GENERIC.replacen(". Or use", "Use", 1),
        }
    }

    /// Returns the causes that the error number and the interface suggest, the likeliest first.
    fn likely_causes(&self) -> String {
        let interface = shell_word(self.interface);
        match self.errno {
            Errno::RANGE => {
                let smaller = self.smaller_mtu();
                format!("Likely an MTU is too large for native XDP here. {smaller}{OR_FRAGS}")
            }
            Errno::NOSPC => self.more_queues(),
            _ => {
                let (mtu, queues) = (self.mtu(), self.rx_queues());
                let queues = format!("the number of queues ({queues}`ethtool -l {interface}`)");
                let (causes, or_frags) = if self.mtu.is_some_and(|mtu| mtu > USUAL_MTU) {
                    ([mtu, queues], OR_FRAGS)
                } else {
                    ([queues, mtu], "")
                };
                let bound = match self.method {
                    AttachMethod::Link => ", or the program is bound to another interface",
                    AttachMethod::Netlink => "",
                };
                format!(
                    "The driver refuses the program, likely for {}; or {interface} is \
                     gone{bound}{or_frags}",
                    causes.join(", ")
                )
            }
        }
    }

    fn smaller_mtu(&self) -> String {
        let interface = shell_word(self.interface);
        match self.mtu {
            Some(mtu) if mtu <= USUAL_MTU => format!(
                "The MTU of {interface} is {mtu}; on a veth the peer's counts: set a smaller one \
                 there (`ip link set dev PEER mtu 1500`)"
            ),
            Some(mtu) => format!(
                "The MTU of {interface} is {mtu}: set a smaller one (`ip link set dev {interface} \
                 mtu 1500`); on a veth, at its peer"
            ),
            None => format!(
                "Set a smaller MTU (`ip link set dev {interface} mtu 1500`); on a veth, at its peer"
            ),
        }
    }

    fn more_queues(&self) -> String {
        let interface = shell_word(self.interface);
        format!(
            "{interface} needs as many receive queues as its peer has transmit queues \
             ({}`ethtool -L {interface} rx N`)",
            self.rx_queues()
        )
    }

    fn mtu(&self) -> String {
        match self.mtu {
            Some(mtu) => format!("the MTU ({mtu}; on a veth, the peer's counts)"),
            None => "the MTU (on a veth, the peer's counts)".to_owned(),
        }
    }

    fn rx_queues(&self) -> String {
        self.rx_queues.map_or_else(String::new, |queues| format!("rx {queues}; "))
    }

    fn ask_the_driver(&self) -> &'static str {
        if self.method == AttachMethod::Link { ASK_THE_DRIVER } else { "" }
    }
}

pub(super) fn detach(interface: &str, mode: XdpMode, errno: Errno) -> Hint {
    match errno {
        Errno::PERM => needs(NET_ADMIN),
        Errno::EXIST => REPLACED.into(),
        Errno::BUSY => HELD_BY_LINK.into(),
        Errno::NOTUNIQ => "By hand: `bpftool link detach id N`".into(),
        _ => format!("By hand: `{}`", take_off(interface, mode)).into(),
    }
}

/// Returns the command that detaches a program which netlink holds.
fn take_off(interface: &str, mode: XdpMode) -> String {
    format!("ip link set dev {} {} off", shell_word(interface), ip_word(mode))
}

pub(super) fn foreign(
    interface: &str,
    mode: XdpMode,
    method: AttachMethod,
    link: Option<u32>,
    is_dispatcher: bool,
) -> Hint {
    let command = match (method, link) {
        // `ip` would leave its pins behind, and the programs of its chain with them.
        (AttachMethod::Netlink, _) if is_dispatcher => {
            format!("xdp-loader unload {} --all", shell_word(interface))
        }
        (AttachMethod::Netlink, _) => take_off(interface, mode),
        (AttachMethod::Link, Some(link)) => format!("bpftool link detach id {link}"),
        (AttachMethod::Link, None) => "bpftool link detach id N".to_owned(),
    };
    let left = match method {
        AttachMethod::Netlink if !is_dispatcher => {
            ", or, if a process of this program left it that was killed, take it over (`take_over`)"
        }
        _ => "",
    };
    let owner = match method {
        AttachMethod::Netlink => "",
        AttachMethod::Link => "end the processes that hold its link (`bpftool link`), or ",
    };
    format!(
        "It is left alone. If nothing needs it, {owner}detach it with `{command}`, or allow this \
         program to replace it (`replace_foreign`){left}"
    )
    .into()
}

pub(super) fn hidden(interface: &str, mode: XdpMode, method: AttachMethod, in_use: bool) -> Hint {
    match method {
        AttachMethod::Link => HIDDEN_LINK.into(),
        AttachMethod::Netlink if in_use => IN_USE.into(),
        AttachMethod::Netlink => format!(
            "A process that was killed may have left it behind; to take it over takes \
             CAP_SYS_ADMIN in the initial user namespace (CAP_BPF is not enough). If nothing needs it, detach it with `{}`, or \
             allow this program to replace it (`replace_foreign`). A program attached by link \
             (`AttachMethod::Link`) is not left behind",
            take_off(interface, mode)
        )
        .into(),
    }
}

/// Returns the hint about something else than what was wanted.
pub(super) fn conflict(interface: &str, conflict: &AttachConflict) -> Hint {
    let show = shell_word(interface);
    match conflict {
        AttachConflict::NoProgram => NO_PROGRAM.into(),
        AttachConflict::OtherInterface { .. } | AttachConflict::OtherNamespace { .. } => {
            OTHER_INTERFACE.into()
        }
        AttachConflict::OtherUsers { .. } => OTHER_USERS.into(),
        AttachConflict::OtherLink { .. } => OTHER_LINK.into(),
        AttachConflict::OthersProgram { .. } => OTHERS_PROGRAM.into(),
        AttachConflict::OtherMode { mode, method } => {
            let mode = match mode {
                XdpMode::Native => "`AttachMode::Native`, ",
                XdpMode::Generic => "`AttachMode::Generic`, ",
                XdpMode::Hardware => "",
            };
            let method = match method {
                AttachMethod::Netlink => "`AttachMethod::Netlink`",
                AttachMethod::Link => "`AttachMethod::Link`",
            };
            format!(
                "Ask for what is there ({mode}{method}), or for no mode and no method, which joins \
                 any; or end the processes that use it (`ip -d link show dev {show}`, `bpftool \
                 net`)"
            )
            .into()
        }
        _ => format!(
            "Ask for what is there, or end the processes that use it \
             (`ip -d link show dev {show}`, `bpftool net`)"
        )
        .into(),
    }
}
