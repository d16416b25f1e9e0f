//! The two interfaces of a cable while packets go over it: whether they are there and ready, and
//! whether the receiver's program is.

use crate::failure::{Failure, Result};
use crate::link::Link;
use crate::output::{Lines, printable};
use crate::watch::Watch;
use xsk::{Attachment, XdpMode};

/// One of the two.
#[derive(Debug)]
struct End {
    name: String,
    watch: Watch,
    link: Link,
}

/// Both interfaces, and the program on the one that receives.
#[derive(Debug)]
pub(crate) struct BothEnds {
    ends: [End; 2],
    program: (XdpMode, u32),
    notes: Lines,
}

impl BothEnds {
    /// Takes the names and watches of the interface that sends, and of the one that receives.
    pub(crate) fn new(ends: [(&str, Watch); 2], program: &Attachment) -> Result<Self> {
        let end =
            |(name, watch): (&str, Watch)| End { name: name.to_owned(), watch, link: Link::Ready };
        Ok(Self {
            ends: ends.map(end),
            program: (program.mode(), program.program_id()),
            notes: Lines::new(std::io::stderr())?,
        })
    }

    /// Returns whether packets can go, by what was seen last. A link that goes down, or comes back, is
    /// noted.
    pub(crate) fn are_ready(&mut self) -> Result<bool> {
        let (mode, id) = self.program;
        for (number, end) in self.ends.iter_mut().enumerate() {
            let info = match end.watch.take() {
                Some((_, info)) => info?,
                None => continue,
            };
            if number == 1 && info.programs.program(mode) != Some(id) {
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
