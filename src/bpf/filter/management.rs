//! The packets without which a machine cannot be reached: they stay with the kernel.

use super::action::Action;
use super::condition::Condition;
use super::direction::Direction;
use super::filter::Filter;
use std::net::IpAddr;

/// The port of ssh.
const SSH: u16 = 22;
/// IPv6 neighbour discovery: router solicitation to redirect (RFC 4861).
const NEIGHBOUR_DISCOVERY: &str = "icmp6 and icmp6[0] >= 133 and icmp6[0] <= 137";
/// What a DHCP server sends, to clients and to relays (RFC 2131, RFC 8415).
const DHCP: &str = "udp src port 67 or (ip6 and udp src port 547)";

impl Filter {
    /// How many rules [`keep_management`](Self::keep_management) puts before the others: the first of
    /// those has this number then, in [`FilterCounts::rules`](crate::bpf::FilterCounts::rules) and
    /// [`Verdict::rule`](crate::bpf::Verdict::rule).
    pub const MANAGEMENT_RULES: usize = 4;

    /// Puts rules before all others that leave management with the kernel: ARP, IPv6 neighbour
    /// discovery, DHCP replies, and ssh from and to the addresses of this host: TCP with port 22 at
    /// either end, or with one of `ports`; all of it also behind one VLAN tag. Fragments but the first
    /// do not stay, nor does ICMP. These are [`MANAGEMENT_RULES`](Self::MANAGEMENT_RULES), by which the
    /// numbers of the rules that are there grow.
    ///
    /// [`Interface::addresses`](crate::Interface::addresses) returns the addresses of an interface.
    /// Without an address ssh of any address stays with the kernel.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use xsk::bpf::{Action, Condition, Filter};
    ///
    /// let host = Ipv4Addr::new(192, 0, 2, 1);
    /// let filter = Filter::new()
    ///     .rule(Condition::every_packet(), Action::Queue)
    ///     .take_everything(true) // but for what the next call keeps
    ///     .keep_management([host.into()], [2222]);
    /// assert_eq!(filter.rules().len(), Filter::MANAGEMENT_RULES + 1);
    /// assert_eq!(filter.matches(&[0; 60]).rule, Some(Filter::MANAGEMENT_RULES));
    /// let (ssh, action) = filter.rules().nth(3).expect("the fourth rule");
    /// assert_eq!(action, Action::Pass);
    /// assert!(ssh.to_string().contains("dst host 192.0.2.1"));
    /// ```
    #[must_use]
    pub fn keep_management(
        self,
        addresses: impl IntoIterator<Item = IpAddr>,
        ports: impl IntoIterator<Item = u16>,
    ) -> Self {
        let ports = [SSH].into_iter().chain(ports).map(|port| {
            // Of sessions from elsewhere to here, and from here to elsewhere.
            Condition::tcp_port(Direction::Destination, port)
                | Condition::tcp_port(Direction::Source, port)
        });
        let mut ssh = Condition::any(ports);
        let to_host: Vec<Condition> = addresses.into_iter().map(Condition::destination).collect();
        if !to_host.is_empty() {
            ssh = Condition::any(to_host) & ssh;
        }
        let conditions =
            [Some(Condition::arp()), NEIGHBOUR_DISCOVERY.parse().ok(), DHCP.parse().ok()];
        let rules = conditions.into_iter().flatten().chain([ssh]).map(|condition| {
            // Behind a VLAN tag, too.
            match condition.clone().behind(1) {
                Ok(behind) => condition | (Condition::any_vlan() & behind),
                Err(_) => condition,
            }
        });
        self.before(rules.map(|condition| (condition, Action::Pass)))
    }
}
