//! The names of the language: keywords, constants, protocols, services, and what is not taken.

/// The keywords that are taken, for the search for the nearest one; more common ones first.
pub(super) const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "port",
    "host",
    "net",
    "src",
    "dst",
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "arp",
    "ip",
    "ip6",
    "ether",
    "vlan",
    "proto",
    "portrange",
    "multicast",
    "broadcast",
    "mask",
    "rarp",
    "less",
    "greater",
    "len",
    "length",
    "sctp",
    "igmp",
    "ah",
    "esp",
    "pim",
    "vrrp",
    "link",
    "protochain",
    "behind",
    "igrp",
    "carp",
];

/// Returns the value of a named constant.
pub(super) fn constant(name: &str) -> Option<u32> {
    Some(match name {
        "icmptype" | "icmp6type" | "icmp-echoreply" => 0,
        "icmpcode" | "icmp6code" | "tcp-fin" | "icmp6-destinationunreach" => 1,
        "tcp-syn" | "icmp6-packettoobig" => 2,
        "icmp-unreach" | "icmp6-timeexceeded" => 3,
        "icmp-sourcequench" | "tcp-rst" | "icmp6-parameterproblem" => 4,
        "icmp-redirect" => 5,
        "icmp-echo" | "tcp-push" => 8,
        "icmp-routeradvert" => 9,
        "icmp-routersolicit" => 10,
        "icmp-timxceed" => 11,
        "icmp-paramprob" => 12,
        "icmp-tstamp" | "tcpflags" => 13,
        "icmp-tstampreply" => 14,
        "icmp-ireq" => 15,
        "icmp-ireqreply" | "tcp-ack" => 16,
        "icmp-maskreq" => 17,
        "icmp-maskreply" => 18,
        "tcp-urg" => 32,
        "tcp-ece" => 64,
        "tcp-cwr" | "icmp6-echo" => 128,
        "icmp6-echoreply" => 129,
        "icmp6-multicastlistenerquery" => 130,
        "icmp6-multicastlistenerreportv1" => 131,
        "icmp6-multicastlistenerdone" => 132,
        "icmp6-routersolicit" => 133,
        "icmp6-routeradvert" => 134,
        "icmp6-neighborsolicit" => 135,
        "icmp6-neighboradvert" => 136,
        "icmp6-redirect" => 137,
        "icmp6-routerrenum" => 138,
        "icmp6-nodeinformationquery" => 139,
        "icmp6-nodeinformationresponse" => 140,
        "icmp6-ineighbordiscoverysolicit" => 141,
        "icmp6-ineighbordiscoveryadvert" => 142,
        "icmp6-multicastlistenerreportv2" => 143,
        "icmp6-homeagentdiscoveryrequest" => 144,
        "icmp6-homeagentdiscoveryreply" => 145,
        "icmp6-mobileprefixsolicit" => 146,
        "icmp6-mobileprefixadvert" => 147,
        "icmp6-certpathsolicit" => 148,
        "icmp6-certpathadvert" => 149,
        "icmp6-multicastrouteradvert" => 151,
        "icmp6-multicastroutersolicit" => 152,
        "icmp6-multicastrouterterm" => 153,
        _ => return None,
    })
}

/// Protocol numbers of IP by their names (IANA, Assigned Internet Protocol Numbers).
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igrp", 9),
    ("igp", 9),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("ipv6-icmp", 58),
    ("eigrp", 88),
    ("ospf", 89),
    ("ipip", 94),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("carp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

/// Returns the number of a protocol of IP.
pub(super) fn protocol(name: &str) -> Option<u8> {
    PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// Returns the number of a protocol over Ethernet.
pub(super) fn ether_type(name: &str) -> Option<u16> {
    Some(match name {
        "ip" => 0x0800,
        "arp" => 0x0806,
        "rarp" => 0x8035,
        "ip6" => 0x86dd,
        "loopback" => 0x9000,
        _ => return None,
    })
}

/// Services: name, port, and the protocol if there is only one (IANA, Service Name and Transport
/// Protocol Port Number Registry).
const SERVICES: &[(&str, u16, Option<u8>)] = &[
    ("echo", 7, None),
    ("discard", 9, None),
    ("daytime", 13, Some(6)),
    ("ftp-data", 20, Some(6)),
    ("ftp", 21, Some(6)),
    ("ssh", 22, Some(6)),
    ("telnet", 23, Some(6)),
    ("smtp", 25, Some(6)),
    ("time", 37, None),
    ("whois", 43, Some(6)),
    ("tacacs", 49, None),
    ("domain", 53, None),
    ("bootps", 67, Some(17)),
    ("bootpc", 68, Some(17)),
    ("tftp", 69, Some(17)),
    ("http", 80, Some(6)),
    ("kerberos", 88, None),
    ("pop3", 110, Some(6)),
    ("sunrpc", 111, None),
    ("auth", 113, Some(6)),
    ("ntp", 123, Some(17)),
    ("netbios-ns", 137, Some(17)),
    ("netbios-dgm", 138, Some(17)),
    ("netbios-ssn", 139, Some(6)),
    ("imap2", 143, Some(6)),
    ("imap", 143, Some(6)),
    ("snmp", 161, None),
    ("snmp-trap", 162, None),
    ("bgp", 179, Some(6)),
    ("ldap", 389, None),
    ("https", 443, None),
    ("microsoft-ds", 445, None),
    ("isakmp", 500, Some(17)),
    ("syslog", 514, Some(17)),
    ("rtsp", 554, None),
    ("submission", 587, Some(6)),
    ("ipp", 631, Some(6)),
    ("ldaps", 636, None),
    ("domain-s", 853, None),
    ("rsync", 873, Some(6)),
    ("imaps", 993, Some(6)),
    ("pop3s", 995, Some(6)),
    ("openvpn", 1194, None),
    ("mysql", 3306, Some(6)),
    ("ms-wbt-server", 3389, Some(6)),
    ("ipsec-nat-t", 4500, Some(17)),
    ("vxlan", 4789, Some(17)),
    ("sip", 5060, None),
    ("sip-tls", 5061, None),
    ("mdns", 5353, Some(17)),
    ("postgresql", 5432, Some(6)),
    ("x11", 6000, Some(6)),
    ("geneve", 6081, Some(17)),
    ("http-alt", 8080, None),
    ("diameter", 3868, None),
    ("m2ua", 2904, Some(132)),
    ("m3ua", 2905, Some(132)),
];

/// Returns a service's port, and its protocol if it has only one.
pub(super) fn service(name: &str) -> Option<(u16, Option<u8>)> {
    let (_, port, protocol) = SERVICES.iter().find(|(known, ..)| *known == name)?;
    Some((*port, *protocol))
}

/// Why a keyword of the tcpdump language is not taken.
pub(super) fn not_taken(name: &str) -> Option<&'static str> {
    Some(match name {
        "gateway" => "it needs a resolver; write the Ethernet address: `ether host ...`",
        "inbound" | "outbound" => "a program of XDP sees what an interface receives, only",
        "ifindex" | "ifname" | "on" => "a filter is attached to one interface",
        "rset" | "ruleset" | "rnr" | "rulenum" | "srnr" | "subrulenum" | "reason" | "action" => {
            "it is for the log of OpenBSD's packet filter"
        }
        "wlan" | "type" | "subtype" | "direction" | "dir" | "addr1" | "addr2" | "addr3"
        | "addr4" | "address1" | "address2" | "address3" | "address4" | "ra" | "ta" | "radio" => {
            "it is for frames of wireless LANs"
        }
        "fddi" | "tr" | "ppp" | "slip" => "only Ethernet is taken",
        "mpls" => "headers behind it are not looked at; its packets are `ether proto 0x8847`",
        "pppoed" => "headers behind it are not looked at; its packets are `ether proto 0x8863`",
        "pppoes" => "headers behind it are not looked at; its packets are `ether proto 0x8864`",
        "vxlan" => "headers behind it are not looked at; its packets are `udp dst port 4789`",
        "geneve" => "headers behind it are not looked at; its packets are `udp dst port 6081`",
        "llc" | "iso" | "esis" | "es-is" | "isis" | "is-is" | "clnp" | "l1" | "l2" | "iih"
        | "lsp" | "snp" | "csnp" | "psnp" | "stp" | "ipx" | "netbeui" => {
            "frames of IEEE 802.2 are not taken"
        }
        "atalk" | "aarp" | "decnet" | "lat" | "sca" | "moprc" | "mopdl" => {
            "write its Ethernet type: `ether proto NUMBER`"
        }
        "byte" => "write `ether[OFFSET] = VALUE`",
        "lane" | "metac" | "bcc" | "sc" | "ilmic" | "oam" | "oamf4" | "oamf4ec" | "oamf4sc"
        | "vpi" | "vci" | "connectmsg" | "metaconnect" => "it is for ATM",
        "fisu" | "lssu" | "lsu" | "msu" | "hfisu" | "hlssu" | "hmsu" | "sio" | "opc" | "dpc"
        | "sls" | "hsio" | "hopc" | "hdpc" | "hsls" => "it is for signalling system 7",
        _ => return None,
    })
}

/// Returns whether a word is a keyword that is taken.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// Returns whether a word is a protocol that can begin a condition.
pub(super) fn is_protocol(word: &str) -> bool {
    matches!(
        word,
        "ether"
            | "link"
            | "ip"
            | "ip6"
            | "arp"
            | "rarp"
            | "tcp"
            | "udp"
            | "sctp"
            | "icmp"
            | "icmp6"
            | "igmp"
            | "igrp"
            | "pim"
            | "vrrp"
            | "carp"
            | "ah"
            | "esp"
    )
}
