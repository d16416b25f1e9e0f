//! The header of a record in a ring buffer.

use xsk_uapi::bpf::{BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ};

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A program has reserved the record, and still writes.
    Busy,
    /// A program has given the record up; it has so many bytes with its header.
    Skip { whole: u64 },
    /// A record of `len` bytes, `whole` with its header.
    Record { len: u32, whole: u64 },
    /// A record that goes on behind what is written.
    Bad { len: u32 },
}

/// Reads a header, behind which the kernel has written up to `available` bytes from the header on.
pub(super) fn step(header: u32, available: u64) -> Step {
    if header & BPF_RINGBUF_BUSY_BIT != 0 {
        return Step::Busy;
    }
    let len = header & !BPF_RINGBUF_DISCARD_BIT;
    // Below 2^31: nothing is lost.
    let whole = u64::from(len).saturating_add(BPF_RINGBUF_HDR_SZ.into()).next_multiple_of(8);
    if whole > available {
        Step::Bad { len }
    } else if header & BPF_RINGBUF_DISCARD_BIT != 0 {
        Step::Skip { whole }
    } else {
        Step::Record { len, whole }
    }
}

#[cfg(test)]
mod tests {
    use super::{Step, step};

    const BUSY: u32 = 1 << 31;
    const DISCARD: u32 = 1 << 30;

    #[test]
    fn headers_are_read() {
        assert_eq!(step(0, 8), Step::Record { len: 0, whole: 8 });
        assert_eq!(step(1, 16), Step::Record { len: 1, whole: 16 });
        assert_eq!(step(8, 4096), Step::Record { len: 8, whole: 16 });
        assert_eq!(step(9, 4096), Step::Record { len: 9, whole: 24 });
        assert_eq!(step(9 | DISCARD, 4096), Step::Skip { whole: 24 });
        assert_eq!(step(9 | BUSY, 4096), Step::Busy);
        assert_eq!(step(9 | BUSY | DISCARD, 4096), Step::Busy);
    }

    #[test]
    fn a_record_that_goes_on_behind_what_is_written_is_refused() {
        for header in [9, DISCARD | 9, 17, DISCARD - 1, (DISCARD - 1) | DISCARD] {
            assert_eq!(step(header, 16), Step::Bad { len: header & !DISCARD }, "{header:#x}");
        }
        assert_eq!(step(0, 0), Step::Bad { len: 0 });
    }
}
