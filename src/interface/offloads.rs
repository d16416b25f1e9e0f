//! What an interface leaves to its device, and what the kernel makes of packets before they come.

use super::Interface;
use crate::error::{Error, Result};
use crate::sys::ethtool::{self, Value};
use xsk_uapi::ethtool::{ETH_FLAG_LRO, ETH_FLAG_NTUPLE, ETH_FLAG_RXVLAN, ETH_FLAG_TXVLAN};

/// Which offloads of an interface are switched on (`ethtool -k`), as far as AF_XDP sockets notice
/// them.
///
/// `None` where the kernel does not report one.
///
/// ```
/// use xsk::Interface;
/// # fn main() -> xsk::Result<()> {
/// let offloads = Interface::by_name("lo")?.offloads()?;
/// if offloads.tx_checksum == Some(true) {
///     println!("what the kernel sends here has unfinished checksums");
/// }
/// # assert_eq!(offloads.tx_checksum, Some(true));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[doc(alias = "ethtool_value")]
pub struct Offloads {
    /// The checksums of packets that are sent are left to the device (`tx-checksumming`): on a
    /// virtual cable the receiver gets them unfinished.
    pub tx_checksum: Option<bool>,
    /// TCP data that is sent is left in one piece, which the device cuts
    /// (`tcp-segmentation-offload`).
    pub tcp_segmentation: Option<bool>,
    /// What is sent is cut into packets as late as possible (`generic-segmentation-offload`).
    pub generic_segmentation: Option<bool>,
    /// Received packets of a flow are joined before the network stack, and programs in generic mode,
    /// get them (`generic-receive-offload`).
    pub generic_receive: Option<bool>,
    /// The device joins received packets of a flow (`large-receive-offload`).
    pub large_receive: Option<bool>,
    /// The device takes VLAN tags out of received packets (`rx-vlan-offload`).
    pub rx_vlan: Option<bool>,
    /// The device puts VLAN tags into packets that are sent (`tx-vlan-offload`): on a virtual cable
    /// the receiver gets them beside the packet.
    pub tx_vlan: Option<bool>,
    /// The device obeys flow rules (`ntuple-filters`).
    pub flow_rules: Option<bool>,
}

impl Interface {
    /// Returns which of its offloads are switched on (`ethtool -k`).
    ///
    /// # Errors
    /// [`Error::Interface`]; with `ENODEV` if it is gone.
    #[doc(alias = "ETHTOOL_GFLAGS")]
    pub fn offloads(&self) -> Result<Offloads> {
        let ask = |wanted| {
            self.ethtool_if_any("ask for the offloads of", |device| ethtool::value(device, wanted))
        };
        let is_on = |wanted| Ok::<_, Error>(ask(wanted)?.map(|value| value != 0));
        let flags = ask(Value::Flags)?;
        let flag = |bit| flags.map(|flags| flags & bit != 0);
        Ok(Offloads {
            tx_checksum: is_on(Value::TxChecksum)?,
            tcp_segmentation: is_on(Value::TcpSegmentation)?,
            generic_segmentation: is_on(Value::GenericSegmentation)?,
            generic_receive: is_on(Value::GenericReceive)?,
            large_receive: flag(ETH_FLAG_LRO),
            rx_vlan: flag(ETH_FLAG_RXVLAN),
            tx_vlan: flag(ETH_FLAG_TXVLAN),
            flow_rules: flag(ETH_FLAG_NTUPLE),
        })
    }
}
