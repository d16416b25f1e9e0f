//! Classic BPF programs as filters.

use super::action::Action;
use super::classic::{self, Op};
use super::compiled_filter::CompiledFilter;
use super::counters::RuleKey;
use super::filter_program::FilterProgram;
use super::filter_rule::FilterRule;
use crate::bpf::XskMap;
use crate::error::{ClassicError, Error, FilterFault, Result};
use std::fmt;
use std::str::FromStr;
use xsk_uapi::filter::sock_filter;

/// What stands for the program where conditions are shown.
const CONDITION: &str = "a classic program";

/// A filter that is a classic BPF program, such as `tcpdump -ddd` prints: the packets that it takes
/// have one action, and all others go on to the kernel's stack. It is a program of its own, and cannot
/// be a rule beside others: for that there is [`Condition`](super::Condition), which reads the
/// language that such programs are compiled from.
///
/// It is made of instructions ([`new`](Self::new)), or read from text; its
/// [`Display`](fmt::Display) is text that reads back as an equal program.
///
/// ```
/// use xsk::bpf::{Action, ClassicFilter};
///
/// # fn main() -> xsk::Result<()> {
/// // tcpdump -ddd -y EN10MB udp dst port 4789 and ip
/// let text = "11
/// 40 0 0 12
/// 21 0 8 2048
/// 48 0 0 23
/// 21 0 6 17
/// 40 0 0 20
/// 69 4 0 8191
/// 177 0 0 14
/// 72 0 0 16
/// 21 0 1 4789
/// 6 0 0 262144
/// 6 0 0 0";
/// let filter: ClassicFilter = text.parse()?;
/// assert_eq!(filter.to_string(), text);
///
/// let mut packet = [0; 60];
/// packet[12..15].copy_from_slice(&[0x08, 0x00, 0x45]); // IPv4, 20 bytes of header
/// packet[23] = 17; // UDP
/// packet[36..38].copy_from_slice(&4789_u16.to_be_bytes());
/// assert!(filter.matches(&packet));
/// assert!(filter.compile(Action::Queue)?.len() < 40);
/// # Ok(())
/// # }
/// ```
///
/// # Text
/// Taken are the output of `tcpdump -ddd`, a number of instructions and then a line with the numbers
/// `code jt jf k` for each, and that of `tcpdump -dd`, a C initializer for each. In the first form,
/// commas can stand for line ends, as `tc` and `iptables` have it. `tcpdump` compiles for the link
/// type of an interface or of `-y`; that has to be Ethernet, `EN10MB`.
///
/// # Meaning
/// A program takes a packet if it returns something else than 0. One that reads behind the packet's
/// end, or divides by 0, does not take it. Registers have 32 bits, and are 0 at first. All this is as
/// in libpcap and in the kernel; where these two differ, it is as in libpcap:
/// - an offset that becomes larger than 32 bits when X is added is behind every packet;
/// - a shift by more than 31 bits, in X, gives 0.
///
/// Of a packet at most 65535 bytes are read: so many does the kernel let an XDP program see. Of a
/// packet in several frames it sees the first one, and the packet's length is the length of that.
///
/// What the kernel knows of a packet beside its bytes (loads behind `SKF_AD_OFF`) is refused by name,
/// except for what an XDP program knows, too:
/// - the Ethernet type (`SKF_AD_PROTOCOL`) is the one that follows the addresses, that of a VLAN tag
///   too;
/// - VLAN tags are in the packet, so the tag beside it (`SKF_AD_VLAN_TAG` and its sisters) is always
///   0. A tag that the card has taken off is not seen.
///
/// The link header (`SKF_LL_OFF`) begins with the packet, and the network header (`SKF_NET_OFF`) 14
/// bytes behind that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicFilter {
    program: Vec<sock_filter>,
    ops: Vec<Op>,
    take_everything: bool,
    counters: bool,
    frags: bool,
}

impl ClassicFilter {
    /// Makes a filter of instructions.
    ///
    /// ```
    /// use xsk::bpf::ClassicFilter;
    /// use xsk::uapi::filter::sock_filter;
    ///
    /// let one = |code, k| sock_filter { code, jt: 0, jf: 0, k };
    /// let filter = ClassicFilter::new(&[one(0x80, 0), one(0x16, 0)])?; // return the length
    /// assert!(filter.matches(&[0; 60]) && !filter.matches(&[]));
    /// # Ok::<(), xsk::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ClassicError`] for what the kernel refuses, too: unknown instructions, jumps out of the
    /// program, divisions by a constant 0, shifts by more than 31 bits, memory that is not there or
    /// not written, a last instruction that is no return, no instruction or more than 4096; and for
    /// loads of what an XDP program cannot know.
    pub fn new(program: &[sock_filter]) -> Result<Self, ClassicError> {
        let ops = classic::check(program)?;
        Ok(Self {
            program: program.to_vec(),
            ops,
            take_everything: false,
            counters: false,
            frags: false,
        })
    }

    /// Sets whether the program may take all packets from the kernel's stack, as
    /// [`Filter::take_everything`](super::Filter::take_everything) does. By default such a program
    /// is refused.
    #[must_use]
    pub fn take_everything(mut self, yes: bool) -> Self {
        self.take_everything = yes;
        self
    }

    /// Sets whether the program counts packets and bytes, as
    /// [`Filter::counters`](super::Filter::counters) does: those that it takes, as those of rule 0
    /// ([`FilterProgram::counts`]), and all others. By default it does not.
    #[must_use]
    pub fn counters(mut self, yes: bool) -> Self {
        self.counters = yes;
        self
    }

    /// Sets whether the program takes packets in several frames, as
    /// [`ProgramBuilder::frags`](crate::bpf::ProgramBuilder::frags) does. By default it does not.
    #[must_use]
    pub fn frags(mut self, yes: bool) -> Self {
        self.frags = yes;
        self
    }

    /// Returns the instructions.
    #[must_use]
    pub fn instructions(&self) -> &[sock_filter] {
        &self.program
    }

    /// Returns whether the program takes a packet, which begins with the Ethernet header. Nothing is
    /// compiled, and no kernel is asked.
    #[must_use]
    pub fn matches(&self, packet: &[u8]) -> bool {
        classic::run(&self.ops, packet)
    }

    /// Translates the program: packets that it takes have this action. Needs no rights, and no
    /// kernel.
    ///
    /// # Errors
    /// [`Error::Filter`] if the program would be too large, or takes all packets and
    /// [`take_everything`](Self::take_everything) is not set.
    pub fn compile(&self, action: Action) -> Result<CompiledFilter> {
        let failed = |fault| Error::Filter { fault };
        let code = classic::translate(&self.ops, action, self.counters)
            .map_err(|_| failed(FilterFault::TooLarge { rules: 1 }))?;
        if code.everything.is_some() && !self.take_everything {
            let condition = CONDITION.to_owned();
            return Err(failed(FilterFault::TakesEverything { rule: 0, condition }));
        }
        let key = self.counters.then(|| RuleKey::Classic(self.to_string(), action));
        let counted = key.map(|key| [key].into());
        let rules = vec![FilterRule::new(action, CONDITION.to_owned())];
        Ok(CompiledFilter { code, rules, counted, frags: self.frags, last_slot: action.slot() })
    }

    /// Translates the program, and loads it for the sockets of `map`.
    ///
    /// # Errors
    /// Those of [`compile`](Self::compile) and [`CompiledFilter::load`].
    pub fn load(&self, map: &XskMap, action: Action) -> Result<FilterProgram> {
        self.compile(action)?.load(map)
    }
}

impl FromStr for ClassicFilter {
    type Err = ClassicError;

    fn from_str(text: &str) -> Result<Self, ClassicError> {
        let (program, lines) = classic::parse(text)?;
        Self::new(&program).map_err(|error| {
            let line = error.instruction().and_then(|at| lines.get(at)).copied();
            error.in_line(line)
        })
    }
}

impl fmt::Display for ClassicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        classic::write(&self.program, f)
    }
}
