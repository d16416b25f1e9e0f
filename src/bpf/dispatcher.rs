//! Recognises libxdp's dispatcher, and reads the chain of its programs.
//!
//! The configuration is a struct in the program's read-only data, a frozen array of one value
//! (`struct xdp_dispatcher_config` of libxdp's `xdp/prog_dispatcher.h`):
//!
//! | bytes | version 1 | version 2 | version 3 |
//! |---|---|---|---|
//! | 0 | number of programs | 236 | 236 |
//! | 1 | | 2 | 3 |
//! | 2 | | number of programs | number of programs |
//! | 3 | | takes several buffers | takes several buffers |
//! | 4 to 43 | chain actions | chain actions | chain actions |
//! | 44 to 83 | priorities | priorities | priorities |
//! | 84 to 123 | | flags | flags |
//! | 124 | | | bound to its interface |
//!
//! A program of the chain replaces one of the functions `prog0` to `prog9`, or, where it is the only
//! one, all of the dispatcher: a link holds it there, which reports the dispatcher and the function
//! since 5.13. libxdp pins the programs and their
//! links as well, as `prog0-prog` and `prog0-link` in a directory for each dispatcher.

use super::btf::Btf;
use super::info::{MapInfo, ProgramInfo, of_program};
use super::links::{Hold, LinkRecord};
use super::pin;
use crate::num::usize32;
use crate::sys;
use crate::types::{ChainActions, Dispatcher, DispatcherComponent};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use xsk_uapi::bpf::{BPF_MAP_TYPE_ARRAY, BPF_PROG_TYPE_EXT};

/// The program's name.
const NAME: &str = "xdp_dispatcher";
/// How the name of a map of read-only data ends.
const DATA: &str = ".rodata";
/// The first byte of a configuration since version 2: 'X' + 'D' + 'P'.
const MAGIC: u8 = 236;
/// The longest chain.
const PLACES: usize = 10;
/// The bytes of a configuration of version 1, and of the part that versions 2 and 3 share.
const V1_LEN: usize = 84;
const V2_LEN: usize = 124;
/// More bytes than a configuration has in any version: no more are read.
const LEN_MAX: u32 = 4096;

/// Reads a configuration; `None` if these bytes are none.
fn read(bytes: &[u8]) -> Option<Dispatcher> {
    let first = *bytes.first()?;
    if bytes.len() == V1_LEN {
        let components = chain(bytes, usize::from(first), false)?;
        return Some(Dispatcher::new(1, None, Some(components)));
    }
    let (version, count, frags) = match bytes {
        [MAGIC, version, count, frags, ..] if bytes.len() >= V2_LEN => (*version, *count, *frags),
        _ => return None,
    };
    let components = match version {
        2 | 3 => Some(chain(bytes, usize::from(count), true)?),
        _ => None,
    };
    Some(Dispatcher::new(version, components.is_some().then_some(frags != 0), components))
}

/// Reads the first `count` places of the arrays of a configuration.
fn chain(bytes: &[u8], count: usize, has_flags: bool) -> Option<Vec<DispatcherComponent>> {
    let array = |number: usize| {
        let words = bytes.get(4..)?.chunks_exact(4).skip(number.checked_mul(PLACES)?).take(PLACES);
        Some(words.filter_map(|word| word.try_into().ok().map(u32::from_ne_bytes)))
    };
    let (actions, priorities) = (array(0)?, array(1)?);
    let mut flags = array(2)?;
    let places = (0..count).zip(actions).zip(priorities);
    let components: Vec<_> = places
        .map(|((place, actions), priority)| {
            let flags = if has_flags { flags.next() } else { None };
            DispatcherComponent::new(place, priority, ChainActions::from_bits(actions), flags)
        })
        .collect();
    (components.len() == count).then_some(components)
}

/// Returns what the program `info` is if it is libxdp's dispatcher, attached to the interface of
/// the index `ifindex`. `links` lists those of the system. What this process may not look at is
/// left out.
pub(crate) fn dispatcher<L: AsRef<[LinkRecord]>>(
    info: &ProgramInfo,
    ifindex: u32,
    links: impl FnOnce() -> L,
) -> Option<Dispatcher> {
    if info.name != NAME {
        return None;
    }
    let mut dispatcher = info.map_ids.iter().find_map(|id| read(&read_only_data(*id)?))?;
    if let Some(components) = &mut dispatcher.components {
        let by_links = find_by_links(info.id, links().as_ref(), components);
        // Since 5.13 a place that no link holds is empty, whatever is pinned.
        if by_links.is_none() || sys::release::is_before(5, 13) {
            find_by_pins(info.id, ifindex, components);
        }
    }
    Some(dispatcher)
}

/// Returns the value of the map `id` if it is a program's read-only data.
fn read_only_data(id: u32) -> Option<Vec<u8>> {
    let (fd, info) = MapInfo::open(id).ok()?;
    let fits = info.kind == BPF_MAP_TYPE_ARRAY
        && (info.key_size, info.entries) == (4, 1)
        && info.value_size <= LEN_MAX
        && info.name.ends_with(DATA);
    let (map, _) = fits.then(|| sys::bpf::MapFd::open(fd).ok())??;
    let mut value = vec![0; usize32(info.value_size)];
    map.lookup(&[0; 4], &mut value).ok()?;
    Some(value)
}

/// Fills in the programs that links hold in the place of the dispatcher's functions. `None` if the
/// dispatcher's type information cannot be read.
fn find_by_links(
    dispatcher: u32,
    links: &[LinkRecord],
    components: &mut [DispatcherComponent],
) -> Option<()> {
    let fd = sys::bpf::prog_by_id(dispatcher).ok()?;
    let types = Btf::by_id(of_program(fd.as_fd()).ok()??.btf_id)?;
    let is_alone = components.len() == 1;
    for component in components {
        let mut functions = vec![types.function(&format!("prog{}", component.place))?];
        // libxdp puts a single program in the place of the whole dispatcher.
        functions.extend(types.function(NAME).filter(|_| is_alone));
        let holds = |link: &&LinkRecord| {
            let hold = |number| Hold::Function { of_program: dispatcher, number };
            functions.iter().any(|number| link.hold == hold(*number))
        };
        if let Some(link) = links.iter().find(holds) {
            component.link = Some(link.id);
            component.id = Some(link.program);
            if let Ok(fd) = sys::bpf::prog_by_id(link.program) {
                fill_in(component, fd.as_fd());
            }
        }
    }
    Some(())
}

/// Fills in the programs that libxdp has pinned for this dispatcher.
fn find_by_pins(dispatcher: u32, ifindex: u32, components: &mut [DispatcherComponent]) {
    let directory = PathBuf::from(format!("/sys/fs/bpf/xdp/dispatch-{ifindex}-{dispatcher}"));
    for component in components.iter_mut().filter(|component| component.id.is_none()) {
        let path = directory.join(format!("prog{}-prog", component.place));
        if let Ok(fd) = pin::open(&path) {
            fill_in(component, fd.as_fd());
        }
    }
}

/// Fills in what the kernel reports about a program of the chain.
fn fill_in(component: &mut DispatcherComponent, program: BorrowedFd<'_>) {
    if let Ok(Some(info)) = of_program(program) {
        if info.r#type == BPF_PROG_TYPE_EXT {
            component.id = Some(info.id);
            component.tag = Some(info.tag);
            component.name = Some(sys::bpf::text(&info.name)).filter(|name| !name.is_empty());
        }
    }
}

#[cfg(test)]
mod tests;
