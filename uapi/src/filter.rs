//! `linux/filter.h`: classic BPF, the instructions of socket filters and of `tcpdump -d`; with the
//! parts of `linux/bpf_common.h` that only these have.

use crate::layout::{constants, structs};

constants! {
    u8 {
        /// Class: return.
        BPF_RET = 0x06;
        /// Class: moves between the two registers.
        BPF_MISC = 0x07;
        /// Mode: the length of the packet.
        BPF_LEN = 0x80;
        /// Mode: four times the low four bits of a byte, the length of an IPv4 header.
        BPF_MSH = 0xa0;
        /// Return: the value of the accumulator.
        BPF_A = 0x10;
        /// Move: `x = a`.
        BPF_TAX = 0x00;
        /// Move: `a = x`.
        BPF_TXA = 0x80;
    }

    u16 {
        /// The most instructions of a program.
        BPF_MAXINSNS = 4096;
    }

    u32 {
        /// The words of scratch memory.
        BPF_MEMWORDS = 16;
    }

    i32 {
        /// Loads at this offset and behind it read what the kernel knows of a packet.
        SKF_AD_OFF = -0x1000;
        /// Behind [`SKF_AD_OFF`]: the Ethernet type.
        SKF_AD_PROTOCOL = 0;
        /// Behind [`SKF_AD_OFF`]: whom the packet is for (`PACKET_*`).
        SKF_AD_PKTTYPE = 4;
        /// Behind [`SKF_AD_OFF`]: the index of the interface.
        SKF_AD_IFINDEX = 8;
        /// Behind [`SKF_AD_OFF`]: finds a netlink attribute.
        SKF_AD_NLATTR = 12;
        /// Behind [`SKF_AD_OFF`]: finds an attribute in a netlink attribute.
        SKF_AD_NLATTR_NEST = 16;
        /// Behind [`SKF_AD_OFF`]: the packet's mark.
        SKF_AD_MARK = 20;
        /// Behind [`SKF_AD_OFF`]: the number of the queue.
        SKF_AD_QUEUE = 24;
        /// Behind [`SKF_AD_OFF`]: the type of the interface (`ARPHRD_*`).
        SKF_AD_HATYPE = 28;
        /// Behind [`SKF_AD_OFF`]: the hash of the flow.
        SKF_AD_RXHASH = 32;
        /// Behind [`SKF_AD_OFF`]: the number of the CPU.
        SKF_AD_CPU = 36;
        /// Behind [`SKF_AD_OFF`]: no load, `a ^= x`.
        SKF_AD_ALU_XOR_X = 40;
        /// Behind [`SKF_AD_OFF`]: the VLAN tag that is not in the packet.
        SKF_AD_VLAN_TAG = 44;
        /// Behind [`SKF_AD_OFF`]: whether there is a VLAN tag that is not in the packet.
        SKF_AD_VLAN_TAG_PRESENT = 48;
        /// Behind [`SKF_AD_OFF`]: where the payload begins.
        SKF_AD_PAY_OFFSET = 52;
        /// Behind [`SKF_AD_OFF`]: a random number.
        SKF_AD_RANDOM = 56;
        /// Behind [`SKF_AD_OFF`]: the type of the VLAN tag that is not in the packet.
        SKF_AD_VLAN_TPID = 60;
        /// The end of what is behind [`SKF_AD_OFF`].
        SKF_AD_MAX = 64;
        /// Loads at this offset and behind it read the network header.
        SKF_NET_OFF = -0x10_0000;
        /// Loads at this offset and behind it read the link header.
        SKF_LL_OFF = -0x20_0000;
    }
}

structs! {
    /// A classic instruction.
    pub struct sock_filter(8, Same) {
        /// What it does.
        0: code: u16,
        /// How many instructions are left out if the condition is true.
        2: jt: u8,
        /// How many instructions are left out if the condition is false.
        3: jf: u8,
        /// Its number: an offset, a constant, a word of memory, the length of a jump.
        4: k: u32,
    }
}
