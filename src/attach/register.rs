//! Puts sockets of this crate into slots.

use super::{Attachment, MapSlot, Registration};
use crate::bpf::XskMap;
use crate::error::{AttachConflict, Error, Result};
use crate::interface::Interface;
use crate::socket::{
    PacketSocket, RxSocket, SharedQueue, SharedRxQueue, SharedRxSocket, SharedSocket, Socket,
    SocketHandle,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Checks that a socket is bound to an interface that a program is attached to: the index counts
/// within a network namespace.
fn require_interface(
    handle: &SocketHandle,
    socket: BorrowedFd<'_>,
    attached_to: &Interface,
) -> Result<()> {
    let name = attached_to.name().to_owned();
    let conflict = if handle.interface_index() != attached_to.index() {
        AttachConflict::OtherInterface { name }
    } else if attached_to.shares_namespace_with(socket) == Some(false) {
        AttachConflict::OtherNamespace { name }
    } else {
        return Ok(());
    };
    Err(Error::OtherAttachment {
        interface: attached_to.name().to_owned(),
        wanted: format!("a program on {}", handle.interface()),
        conflict,
    })
}

/// Refuses a slot of the default program that is another queue's.
fn require_slot(handle: &SocketHandle, program: &Attachment, slot: u32) -> Result<()> {
    if slot == handle.queue() || !program.shared.running().is_default {
        return Ok(());
    }
    let rule = "is the queue: this crate's default program has one slot for each queue; \
        `bpf::spread` has one for each socket";
    Err(Error::Setting { name: "slot", value: slot.into(), rule })
}

/// Puts the socket of a handle, beside which there is the RX ring `rx`, into a slot.
fn insert(map: &XskMap, slot: u32, socket: BorrowedFd<'_>, rx: BorrowedFd<'_>) -> Result<()> {
    if socket.as_raw_fd() == rx.as_raw_fd() {
        map.insert_unchecked(slot, socket)
    } else {
        // The parts were exchanged for those of another socket: this one may have no RX ring, and the
        // kernel may crash at the first packet then.
        map.insert(slot, socket)
    }
}

macro_rules! register {
    ($($socket:ty),*) => {$(
        impl $socket {
            /// Puts the socket into its queue's slot of the attached program: packets of the queue
            /// come to it while the returned value lives. A socket without an RX ring has no such
            /// method.
            ///
            /// The returned value keeps a descriptor of the socket open, and its packet memory:
            /// drop it together with the socket's parts, or the queue stays taken.
            ///
            /// # Errors
            /// [`Error::OtherAttachment`] if the program is on another interface, also one of the
            /// same index in another network namespace (before 5.14 that is known only with
            /// `CAP_NET_ADMIN` there); else as [`Attachment::register`].
            pub fn register(&self, program: &Attachment) -> Result<Registration> {
                require_interface(&self.handle, self.as_fd(), program.interface())?;
                let (queue, socket) = (self.handle.queue(), self.as_fd());
                let insert = || insert(program.map(), queue, socket, self.rx.as_fd());
                let registration = program.put_into_slot(queue, socket, insert)?;
                Ok(registration.keeping(self.handle.inner()))
            }
        }
    )*};
}
register!(Socket, RxSocket, PacketSocket);

macro_rules! register_in_slot {
    ($($socket:ty),*) => {$(
        impl $socket {
            /// Puts the socket into a slot of the attached program: the packets that the program
            /// redirects to that slot come to it while the returned value lives. A socket without an
            /// RX ring has no such method.
            ///
            /// The returned value keeps a descriptor of the socket open, and its packet memory:
            /// drop it together with the socket's parts, or the queue stays taken.
            ///
            /// # Errors
            /// As [`Socket::register`]; [`Error::Setting`] for another slot of this crate's default
            /// program than that of the socket's queue: packets of other queues would be dropped.
            /// They are, without a counter, if the slot of another program is that of another
            /// queue; or if this process joined the default program by
            /// [`with_map`](Attachment::with_map) and may not open it to see which one it is
            /// (`CAP_SYS_ADMIN`).
            pub fn register(&self, program: &Attachment, slot: u32) -> Result<Registration> {
                require_interface(&self.handle, self.as_fd(), program.interface())?;
                require_slot(&self.handle, program, slot)?;
                let insert = || insert(program.map(), slot, self.as_fd(), self.rx.as_fd());
                let registration = program.put_into_slot(slot, self.as_fd(), insert)?;
                Ok(registration.keeping(self.handle.inner()))
            }
        }
    )*};
}
register_in_slot!(SharedQueue, SharedRxQueue, SharedSocket, SharedRxSocket);

macro_rules! register_in_map {
    ($($socket:ty),*) => {$(
        impl $socket {
            /// Puts the socket into a slot of a map whose program another process has attached: the
            /// packets that the program redirects to that slot come to it while the returned value
            /// lives. It takes no capability ([`MapSlot`]). A socket without an RX ring has no such
            /// method.
            ///
            /// Of this crate's default program the slot is the socket's queue; in any other slot of
            /// its map, and if the program is on another interface, the packets are dropped without
            /// a counter.
            ///
            /// # Errors
            /// As [`MapSlot::new`].
            pub fn register_in(&self, map: &XskMap, slot: u32) -> Result<MapSlot> {
                let socket = self.as_fd();
                let insert = || insert(map, slot, socket, self.rx.as_fd());
                let registered = MapSlot::with(map, slot, socket, insert)?;
                Ok(registered.keeping(self.handle.inner()))
            }
        }
    )*};
}
register_in_map!(
    Socket,
    RxSocket,
    PacketSocket,
    SharedQueue,
    SharedRxQueue,
    SharedSocket,
    SharedRxSocket
);
