//! The kernel's counters of a socket.

use xsk_uapi::if_xdp::xdp_statistics;

/// The kernel's counters of one socket (`XDP_STATISTICS`), since it was made.
///
/// Linux 5.9 and later report the last three. Before, packets that found the RX ring full are in
/// [`rx_dropped`](Self::rx_dropped).
///
/// ```no_run
/// # fn f(socket: &xsk::Socket) -> xsk::Result<()> {
/// let counters = socket.handle.statistics()?;
/// println!("dropped {}, RX ring full {:?}", counters.rx_dropped, counters.rx_ring_full);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Packets dropped for other reasons than a full RX ring: too long for a chunk, no chunk; on a
    /// socket for packets of several frames, too few chunks for the whole packet.
    pub rx_dropped: u64,
    /// Fill entries that the kernel refused. (Kernels up to 6.18 read another ring's counter: stays
    /// 0.)
    pub rx_invalid_descs: u64,
    /// TX descriptors that the kernel refused. This crate never publishes one.
    pub tx_invalid_descs: u64,
    /// Packets dropped because the RX ring was full.
    pub rx_ring_full: Option<u64>,
    /// Times that a packet found the fill ring empty. In copy mode this does not count packets of
    /// several frames for which there were some chunks, and not enough.
    pub fill_ring_empty: Option<u64>,
    /// Times that the kernel looked into an empty TX ring. Not an error.
    pub tx_ring_empty: Option<u64>,
}

/// Returns the counters in a reply of `len` bytes.
pub(crate) fn of_reply(raw: &xdp_statistics, len: usize) -> Statistics {
    let newer = |value| (len >= size_of_val(raw)).then_some(value);
    Statistics {
        rx_dropped: raw.rx_dropped,
        rx_invalid_descs: raw.rx_invalid_descs,
        tx_invalid_descs: raw.tx_invalid_descs,
        rx_ring_full: newer(raw.rx_ring_full),
        fill_ring_empty: newer(raw.rx_fill_ring_empty_descs),
        tx_ring_empty: newer(raw.tx_ring_empty_descs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromBytes;

    /// The fields 1 to 6, of which a reply before 5.9 (24 bytes) has three.
    fn raw() -> xdp_statistics {
        let words: Vec<u8> = (1..=6_u64).flat_map(u64::to_ne_bytes).collect();
        xdp_statistics::read_from_bytes(&words).unwrap()
    }

    #[test]
    fn before_5_9_three_counters_are_unknown_and_not_zero() {
        let old = of_reply(&raw(), 24);
        let counted = (old.rx_dropped, old.rx_invalid_descs, old.tx_invalid_descs);
        assert_eq!(counted, (1, 2, 3));
        let newer = (old.rx_ring_full, old.fill_ring_empty, old.tx_ring_empty);
        assert_eq!(newer, (None, None, None));
    }

    #[test]
    fn since_5_9_all_six_are_known() {
        let new = of_reply(&raw(), 48);
        let newer = (new.rx_ring_full, new.fill_ring_empty, new.tx_ring_empty);
        assert_eq!(newer, (Some(4), Some(5), Some(6)));
    }
}
