//! `xsk features`: what an interface, its driver and the kernel can do.

use crate::command_line::doctor::FeaturesArgs;
use crate::failure::{NotWritten, Result};
use crate::report::output::{printable, width};
use crate::report::paragraph::wrapped;
use crate::report::rates::named;
use crate::run::ended::Ended;
use crate::run::port;
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use xsk::Interface;
use xsk::interface::{
    Channels, Driver, HashFunction, InterfaceInfo, NapiSettings, Offloads, Queues, RingSizes, Rss,
    XdpFeatures,
};

/// What the kernel reports about an interface; `None` is what it does not.
struct Facts {
    kernel: String,
    info: InterfaceInfo,
    driver: Option<Driver>,
    xdp: Option<XdpFeatures>,
    queues: Queues,
    channels: Option<Channels>,
    rings: Option<RingSizes>,
    rss: Option<Rss>,
    offloads: Offloads,
    /// The settings of NAPI, and whether they are those of queue 0.
    napi: Option<(NapiSettings, bool)>,
}

pub(crate) fn run(args: &FeaturesArgs) -> Result<Ended> {
    let mut output = BufWriter::new(io::stdout());
    let mut line = |text: String| writeln!(output, "{text}").map_err(NotWritten);
    match &args.interface {
        Some(name) => {
            let facts = Facts::of(&port::interface(name)?)?;
            match args.json {
                true => line(facts.json().to_string())?,
                false => facts.lines(width()).into_iter().try_for_each(&mut line)?,
            }
        }
        None => {
            if !args.json {
                line(Facts::row([
                    "interface",
                    "driver",
                    "native",
                    "zero-copy",
                    "frames",
                    "queues",
                ]))?;
            }
            for interface in Interface::all()? {
                let facts = match Facts::of(&interface) {
                    Err(failure) if failure.is_gone() => continue,
                    facts => facts?,
                };
                line(if args.json { facts.json().to_string() } else { facts.short() })?;
            }
        }
    }
    output.flush().map_err(NotWritten)?;
    Ok(Ended::Count)
}

/// Returns a word for what is known or not.
fn known(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

fn number(value: Option<u32>) -> String {
    value.map_or("unknown".to_owned(), |value| value.to_string())
}

/// Returns the name of a hash function, as ethtool has it.
fn hash(function: HashFunction) -> String {
    match function {
        HashFunction::Toeplitz => "toeplitz".to_owned(),
        HashFunction::Xor => "xor".to_owned(),
        HashFunction::Crc32 => "crc32".to_owned(),
        other => format!("{other:?}"),
    }
}

impl Facts {
    fn of(interface: &Interface) -> Result<Self> {
        let info = interface.info()?;
        let single = interface.napi(0).ok().flatten().and_then(|napi| napi.settings());
        let napi = match single {
            Some(settings) => Some((settings, true)),
            None => interface.device_napi_settings()?.map(|settings| (settings, false)),
        };
        Ok(Self {
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            driver: interface.driver()?,
            xdp: interface.xdp_features()?,
            queues: interface.queues()?,
            channels: interface.channels()?,
            rings: interface.ring_sizes()?,
            rss: interface.rss()?,
            offloads: interface.offloads()?,
            napi,
            info,
        })
    }

    /// Returns a bit of the kernel's features.
    fn bit(&self, bit: u64) -> Option<bool> {
        self.xdp.map(|xdp| xdp.bits() & bit != 0)
    }

    fn is(&self, feature: impl Fn(&XdpFeatures) -> bool) -> Option<bool> {
        self.xdp.as_ref().map(feature)
    }

    /// Returns a feature of TX metadata.
    fn of_tx(&self, feature: impl Fn(&XdpFeatures) -> bool) -> Option<bool> {
        self.xdp.as_ref().filter(|xdp| xdp.tx_metadata_bits().is_some()).map(feature)
    }

    fn json(&self) -> Value {
        use xsk::uapi::netdev::{
            NETDEV_XDP_ACT_HW_OFFLOAD, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG,
        };
        let driver = self.driver.as_ref();
        let xdp = self.xdp.as_ref();
        json!({
            "interface": self.info.name,
            "kernel": self.kernel,
            "kind": self.info.kind,
            "driver": driver.map(|driver| &driver.name),
            "driver_version": driver.and_then(|driver| driver.version.as_ref()),
            "firmware": driver.and_then(|driver| driver.firmware.as_ref()),
            "bus": driver.and_then(|driver| driver.bus.as_ref()),
            "xdp": {
                "native": self.is(XdpFeatures::native),
                "redirect": self.is(XdpFeatures::redirect),
                "ndo_xmit": self.bit(NETDEV_XDP_ACT_NDO_XMIT),
                "zero_copy": self.is(XdpFeatures::zero_copy),
                "multi_buffer": self.is(XdpFeatures::receive_segments),
                "ndo_xmit_multi_buffer": self.bit(NETDEV_XDP_ACT_NDO_XMIT_SG),
                "hw_offload": self.bit(NETDEV_XDP_ACT_HW_OFFLOAD),
                "zero_copy_max_segments": xdp.and_then(XdpFeatures::zero_copy_max_segments),
            },
            "rx_metadata": {
                "timestamp": xdp.and_then(XdpFeatures::rx_timestamp),
                "hash": xdp.and_then(XdpFeatures::rx_hash),
                "vlan_tag": xdp.and_then(XdpFeatures::rx_vlan_tag),
            },
            "tx_metadata": {
                "timestamp": self.of_tx(XdpFeatures::tx_timestamp),
                "checksum": self.of_tx(XdpFeatures::tx_checksum),
                "launch_time": self.of_tx(XdpFeatures::tx_launch_time),
            },
            "queues": {
                "rx": self.queues.rx,
                "tx": self.queues.tx,
                "max_rx": self.queues.max_rx,
                "max_tx": self.queues.max_tx,
                "combined": self.channels.map(|channels| channels.combined),
                "max_combined": self.channels.map(|channels| channels.max_combined),
            },
            "ring_sizes": {
                "rx": self.rings.map(|rings| rings.rx),
                "tx": self.rings.map(|rings| rings.tx),
                "max_rx": self.rings.map(|rings| rings.max_rx),
                "max_tx": self.rings.map(|rings| rings.max_tx),
            },
            "mtu": { "now": self.info.mtu, "min": self.info.min_mtu, "max": self.info.max_mtu },
            "rss": {
                "function": self.rss.as_ref().and_then(|rss| rss.function).map(hash),
                "queues": self.rss.as_ref().map(|rss| rss.queues()),
                "flow_rules": self.offloads.flow_rules,
            },
            "napi": {
                "defer_hard_irqs": self.napi.map(|(napi, _)| napi.defer_hard_irqs),
                "gro_flush_timeout_ns":
                    self.napi.map(|(napi, _)| napi.gro_flush_timeout.as_nanos() as u64),
                "per_queue": self.napi.map(|(_, of_queue)| of_queue),
            },
        })
    }

    /// Returns the lines for people.
    fn lines(&self, columns: usize) -> Vec<String> {
        use xsk::uapi::netdev::{NETDEV_XDP_ACT_HW_OFFLOAD, NETDEV_XDP_ACT_NDO_XMIT};
        let xdp = self.xdp.as_ref();
        let unknown = || "unknown".to_owned();
        let driver = self.driver.as_ref().map_or(unknown(), |driver| {
            let part = |name: &str, value: &Option<String>| {
                value.as_ref().map_or(String::new(), |value| format!(", {name} {value}"))
            };
            format!(
                "{}{}{}",
                driver.name,
                part("version", &driver.version),
                part("firmware", &driver.firmware)
            )
        });
        let bus = self.driver.as_ref().and_then(|driver| driver.bus.clone());
        let segments = match (self.is(XdpFeatures::zero_copy), xdp) {
            (Some(false), _) => "none: no zero-copy mode".to_owned(),
            (_, xdp) => number(xdp.and_then(XdpFeatures::zero_copy_max_segments)),
        };
        let rows = [
            ("kernel", format!("Linux {}", self.kernel)),
            (
                "kind",
                self.info.kind.clone().unwrap_or_else(|| "a card, or none is reported".to_owned()),
            ),
            ("driver", driver),
            ("bus", bus.unwrap_or_else(unknown)),
            ("native mode", known(self.is(XdpFeatures::native)).to_owned()),
            ("redirect to sockets", known(self.is(XdpFeatures::redirect)).to_owned()),
            ("target of redirect", known(self.bit(NETDEV_XDP_ACT_NDO_XMIT)).to_owned()),
            ("zero-copy mode", known(self.is(XdpFeatures::zero_copy)).to_owned()),
            ("several frames", known(self.is(XdpFeatures::receive_segments)).to_owned()),
            ("frames in zero-copy", segments),
            ("hardware offload", known(self.bit(NETDEV_XDP_ACT_HW_OFFLOAD)).to_owned()),
            (
                "RX metadata",
                format!(
                    "timestamp {}, hash {}, VLAN tag {}",
                    known(xdp.and_then(XdpFeatures::rx_timestamp)),
                    known(xdp.and_then(XdpFeatures::rx_hash)),
                    known(xdp.and_then(XdpFeatures::rx_vlan_tag))
                ),
            ),
            (
                "TX metadata",
                format!(
                    "timestamp {}, checksum {}, launch time {} (zero-copy mode)",
                    known(self.of_tx(XdpFeatures::tx_timestamp)),
                    known(self.of_tx(XdpFeatures::tx_checksum)),
                    known(self.of_tx(XdpFeatures::tx_launch_time))
                ),
            ),
            (
                "queues",
                format!(
                    "{} RX of {}, {} TX of {}{}",
                    self.queues.rx,
                    self.queues.max_rx,
                    self.queues.tx,
                    self.queues.max_tx,
                    match self.channels {
                        Some(channels) => {
                            format!(
                                "; combined: {} of {}",
                                channels.combined, channels.max_combined
                            )
                        }
                        None => String::new(),
                    }
                ),
            ),
            (
                "ring sizes",
                self.rings.map_or(unknown(), |rings| {
                    format!(
                        "RX {} of {}, TX {} of {} entries",
                        rings.rx, rings.max_rx, rings.tx, rings.max_tx
                    )
                }),
            ),
            (
                "MTU",
                format!(
                    "{} bytes (from {} to {})",
                    self.info.mtu,
                    number(self.info.min_mtu),
                    number(self.info.max_mtu)
                ),
            ),
            (
                "receive hash",
                self.rss.as_ref().map_or(unknown(), |rss| {
                    let function = rss.function.map_or(unknown(), hash);
                    match rss.queues() {
                        queues if queues.is_empty() => format!("{function}, no table"),
                        queues => {
                            format!("{function}, over {}", named(&queues.into_iter().collect()))
                        }
                    }
                }),
            ),
            ("flow rules", known(self.offloads.flow_rules).to_owned()),
            (
                "NAPI",
                self.napi.map_or(unknown(), |(settings, of_queue)| {
                    let whose = if of_queue { "queue 0" } else { "the device" };
                    format!("{settings} ({whose})")
                }),
            ),
        ];
        const WIDTH: usize = 22;
        let mut lines = vec![printable(&self.info.name)];
        for (name, value) in rows {
            for (number, text) in wrapped(&printable(&value), columns - WIDTH).iter().enumerate() {
                let name = if number == 0 { name } else { "" };
                lines.push(format!("  {name:<19} {text}"));
            }
        }
        lines
    }

    /// Returns a line for people.
    fn short(&self) -> String {
        let driver = self.driver.as_ref().map_or("unknown", |driver| &driver.name);
        let frames = self.is(XdpFeatures::receive_segments);
        let queues = format!("{} RX, {} TX", self.queues.rx, self.queues.tx);
        Self::row([
            &printable(&self.info.name),
            &printable(driver),
            known(self.is(|xdp| xdp.native() && xdp.redirect())),
            known(self.is(XdpFeatures::zero_copy)),
            known(frames),
            &queues,
        ])
    }

    /// Returns a row of the table of all interfaces.
    fn row([name, driver, native, zero_copy, frames, queues]: [&str; 6]) -> String {
        let row =
            format!("{name:<16} {driver:<14} {native:<8} {zero_copy:<10} {frames:<8} {queues}");
        row.trim_end().to_owned()
    }
}
