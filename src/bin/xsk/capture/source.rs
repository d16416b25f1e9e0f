//! The RX ring of a capture: with what the card knows of each packet, or without.

use crate::command_line::capture::{CaptureArgs, Metadata};
use crate::run::sockets::RxRing;
use std::slice;
use xsk::attach::AttachMode;
use xsk::bpf::{MetadataProgram, XskMap};
use xsk::interface::HashFunction;
use xsk::packet::RxMetadata;
use xsk::socket::{MetadataRx, PacketRx};
use xsk::{Fill, Frame, FramePool, Interface, RingError, Rx};

/// A ring of packets.
pub(crate) enum Source<R> {
    Plain(R),
    /// The frames come back by way of a pool.
    Metadata(Box<MetadataRx>, FramePool),
}

/// A ring that may have what the card knows of packets.
pub(crate) trait WithMetadata: RxRing + Sized {
    /// Returns the ring of the socket in a slot of the program's map.
    fn source(
        self,
        metadata: Option<&MetadataProgram>,
        slot: u32,
        pool: FramePool,
    ) -> xsk::Result<Source<Self>>;
}

impl WithMetadata for Rx {
    fn source(
        self,
        metadata: Option<&MetadataProgram>,
        slot: u32,
        pool: FramePool,
    ) -> xsk::Result<Source<Self>> {
        Ok(match metadata {
            Some(metadata) => Source::Metadata(Box::new(self.with_metadata(metadata, slot)?), pool),
            None => Source::Plain(self),
        })
    }
}

impl WithMetadata for PacketRx {
    fn source(
        self,
        _: Option<&MetadataProgram>,
        _: u32,
        _: FramePool,
    ) -> xsk::Result<Source<Self>> {
        Ok(Source::Plain(self))
    }
}

impl<R: RxRing> Source<R> {
    /// Shows up to `most` packets to `look`, and gives their chunks to the fill ring; returns how
    /// many.
    #[inline]
    pub(crate) fn each(
        &mut self,
        most: u32,
        fill: &mut Fill,
        mut look: impl FnMut(&[Frame], Option<RxMetadata>),
    ) -> Result<u32, RingError> {
        match self {
            Self::Plain(rx) => rx.recycle_each(most, fill, |frames| look(frames, None)),
            Self::Metadata(rx, pool) => {
                let mut count = 0;
                for (frame, metadata) in rx.receive(most)? {
                    look(slice::from_ref(&frame), metadata);
                    pool.put(frame);
                    count += 1;
                }
                if count > 0 {
                    fill.fill_from(pool, u32::MAX)?;
                }
                Ok(count)
            }
        }
    }
}

/// Returns the program that hands over what the card knows, and its map, if that is wanted and the
/// driver knows any of it. Where another program is attached, this one is not.
pub(crate) fn metadata(
    args: &CaptureArgs,
    interface: &Interface,
) -> Option<(MetadataProgram, XskMap)> {
    let is_veth = || matches!(interface.driver(), Ok(Some(driver)) if driver.name == "veth");
    let wanted = match args.metadata {
        Metadata::Always => true,
        Metadata::Auto => !is_veth(),
        Metadata::Never => false,
    };
    let wanted = wanted
        && !(args.port.frags || args.rx.filter.is_given())
        && args.port.mode.choice() != AttachMode::Generic;
    if !wanted || !interface.attached_programs().ok()?.is_empty() {
        return None;
    }
    let features = interface.xdp_features().ok()??;
    let known = [features.rx_timestamp(), features.rx_hash(), features.rx_vlan_tag()];
    if !known.contains(&Some(true)) {
        return None;
    }
    let map = XskMap::create(XskMap::DEFAULT_NAME, interface.max_queues().ok()?).ok()?;
    // A driver may refuse it all the same.
    let program = MetadataProgram::load(&map, interface.index()).ok()?;
    Some((program, map))
}

/// Returns whether the card's hashes are computed by Toeplitz.
pub(crate) fn hashes_by_toeplitz(interface: &Interface) -> bool {
    let rss = interface.rss().ok().flatten();
    rss.is_some_and(|rss| rss.function == Some(HashFunction::Toeplitz))
}
