//! Sets of ports.

use super::super::ports::Ports;
use super::next_number;
use crate::bpf::map::SharedValue;
use crate::error::Result;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of one bit for each port.
const BYTES: u16 = 8192;

/// A set of ports, for [`Condition::port_in`](crate::bpf::Condition::port_in). It can be changed at
/// any time, also while programs use it: they see the change at once. Whether a port is in it costs
/// one load.
///
/// Clones are the same set. After `fork(2)` only the parent changes what programs see.
///
/// ```
/// use xsk::bpf::{Action, Condition, Direction, Filter, PortSet};
///
/// # fn main() -> xsk::Result<()> {
/// let services = PortSet::new("services");
/// services.insert(8000..=8999);
/// services.remove(8080);
/// assert!(services.contains(8081) && !services.contains(8080));
/// let condition = Condition::port_in(Direction::Destination, &services);
/// let filter = Filter::new().rule(Condition::tcp() & condition, Action::Queue);
/// # let _ = filter.compile()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PortSet(Arc<Shared>);

struct Shared {
    number: u64,
    name: String,
    state: Mutex<State>,
}

struct State {
    bits: Vec<u8>,
    /// Once a filter is loaded.
    map: Option<Arc<SharedValue>>,
}

impl PortSet {
    /// Makes an empty set. The text of conditions calls it `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let state = Mutex::new(State { bits: vec![0; usize::from(BYTES)], map: None });
        Self(Arc::new(Shared { number: next_number(), name: name.to_owned(), state }))
    }

    /// Returns the set's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns whether a port is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        let byte = self.state().bits.get(usize::from(port / 8)).copied();
        byte.is_some_and(|byte| byte & (1 << (port % 8)) != 0)
    }

    /// Adds a port, or a range of them.
    pub fn insert(&self, ports: impl Into<Ports>) {
        self.change(ports.into(), true);
    }

    /// Removes a port, or a range of them.
    pub fn remove(&self, ports: impl Into<Ports>) {
        self.change(ports.into(), false);
    }

    fn change(&self, ports: Ports, add: bool) {
        let mut state = self.state();
        for port in ports.first..=ports.last {
            if let Some(byte) = state.bits.get_mut(usize::from(port / 8)) {
                let bit = 1 << (port % 8);
                *byte = if add { *byte | bit } else { *byte & !bit };
            }
        }
        for word in ports.first / 32..=ports.last / 32 {
            state.publish(word);
        }
    }

    /// Returns what programs look into; makes it for the first of them.
    pub(in super::super) fn map(&self) -> Result<Arc<SharedValue>> {
        let mut state = self.state();
        if let Some(map) = &state.map {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(SharedValue::create("xsk_ports", BYTES.into())?);
        state.map = Some(Arc::clone(&map));
        for word in 0..BYTES / 4 {
            state.publish(word);
        }
        Ok(map)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes the ports `32 * word` to `32 * word + 31` to what programs look into.
    fn publish(&self, word: u16) {
        let offset = u32::from(word).saturating_mul(4);
        let bytes = self.bits.get(crate::num::usize32(offset)..).and_then(<[u8]>::first_chunk);
        if let (Some(map), Some(bytes)) = (&self.map, bytes) {
            map.write(offset, u32::from_ne_bytes(*bytes));
        }
    }
}

impl PartialEq for PortSet {
    fn eq(&self, other: &Self) -> bool {
        self.0.number == other.0.number
    }
}

impl Eq for PortSet {}

impl Hash for PortSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number.hash(state);
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortSet").field("name", &self.name()).finish_non_exhaustive()
    }
}
