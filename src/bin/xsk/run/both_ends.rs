//! The two interfaces of a cable while packets go over it: whether they are there and ready, and
//! whether their programs are.

use crate::failure::{Failure, Result};
use crate::report::output::{Lines, printable};
use crate::run::link::{Link, described};
use crate::run::watch::{Seen, Watch};
use xsk::interface::DeviceEvent;
use xsk::{Attachment, XdpMode};

/// One of the two.
#[derive(Debug)]
struct End {
    name: String,
    watch: Watch,
    link: Link,
}

/// Both interfaces, and the programs of those that receive.
#[derive(Debug)]
pub(crate) struct BothEnds {
    ends: [End; 2],
    programs: [Option<(XdpMode, u32)>; 2],
    notes: Lines,
}

impl BothEnds {
    /// Takes the names and watches of both interfaces, and what is attached to each that receives.
    pub(crate) fn new(
        ends: [(&str, Watch); 2],
        programs: [Option<&Attachment>; 2],
    ) -> Result<Self> {
        let end =
            |(name, watch): (&str, Watch)| End { name: name.to_owned(), watch, link: Link::Ready };
        Ok(Self {
            ends: ends.map(end),
            programs: programs.map(|one| one.map(|one| (one.mode(), one.program_id()))),
            notes: Lines::new(std::io::stderr())?,
        })
    }

    /// Returns whether packets can go, by what was seen last. A link that goes down, or comes back,
    /// is noted.
    pub(crate) fn are_ready(&mut self) -> Result<bool> {
        for (end, program) in self.ends.iter_mut().zip(self.programs) {
            let Some(Seen { info, events, .. }) = end.watch.take() else { continue };
            for event in events {
                if let Some((_, text)) = described(&event) {
                    let _ = self.notes.line(printable(&text));
                }
                if let DeviceEvent::Renamed { to, .. } = event {
                    end.name = to.to_string_lossy().into_owned();
                }
            }
            let info = info?;
            let is_off = |(mode, id): &(XdpMode, u32)| info.programs.program(*mode) != Some(*id);
            if let Some((_, id)) = program.filter(is_off) {
                return Err(Failure::TakenOff { name: end.name.clone(), id });
            }
            let link = Link::of(&info);
            if link != end.link {
                end.link = link;
                let (_, text) = link.described(&end.name);
                let _ = self.notes.line(printable(&text));
            }
        }
        Ok(self.ends.iter().all(|end| end.link == Link::Ready))
    }
}
