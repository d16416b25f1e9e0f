//! Frames and pools of another UMEM are refused by a panic, before anything is changed.

use crate::area::{self, refused};
use crate::law::{chunk_number, mark};
use crate::port::{Parts, Place, parts};
use crate::world::World;

impl World {
    pub fn foreign(&mut self, s: Place, n: u8) {
        let (umem, mut pool) = area::umem(1, self.chunks);
        let mut frame = pool.take().unwrap();
        let (Parts { rx, tx, completion, .. }, fill) = parts(&mut self.ports, s, s);
        let pools = &mut self.pools;
        assert!(match n & 15 {
            0 => refused(|| pools[0].put(frame)),
            1 => refused(|| pools[0].append(pool)),
            2 => refused(|| pools[0].move_to(&mut pool, 1)),
            3 => refused(|| pool.move_to(&mut pools[0], 1)),
            4 => refused(|| fill.fill_from(&mut pool, 1)),
            5 => refused(|| tx.send_from(&mut pool, 1, 60)),
            6 => refused(|| tx.send_each(&mut pool, 1, &mut |_| ())),
            7 => refused(|| self.umem.bytes(&frame).len()),
            8 => refused(|| self.umem.write(&mut frame, b"no")),
            9 => refused(|| self.umem.grow_front(&mut frame, 1)),
            10 => match tx.reserve(1) {
                Ok(mut slots) => refused(|| slots.push(frame)),
                Err(_) => self.hostile,
            },
            11 => match fill.reserve(1) {
                Ok(mut slots) => refused(|| slots.push(frame)),
                Err(_) => self.hostile,
            },
            12 => match rx.receive(1) {
                Ok(batch) => refused(|| batch.reclaim(&mut pool)),
                Err(_) => self.hostile,
            },
            13 => match completion.reap(1) {
                Ok(batch) => refused(|| batch.reclaim(&mut pool)),
                Err(_) => self.hostile,
            },
            // A closure exchanges it for a frame of this UMEM, which stays in hand.
            14 => {
                let (mut foreign, mut swapped) = (Some(frame), None);
                let sent = refused(|| {
                    tx.send_each(&mut pools[0], 1, &mut |frames| {
                        let foreign = foreign.take();
                        swapped = foreign.map(|foreign| std::mem::replace(&mut frames[0], foreign));
                    })
                });
                let exchanged = swapped.is_some();
                self.held.extend(swapped);
                sent == exchanged
            }
            // Into a received packet; its other frames are lost then.
            _ => {
                let (mut foreign, mut swapped) = (Some(frame), None);
                let (umem, lost) = (&self.umem, &mut self.lost);
                let to = fill;
                let given = match rx.receive(1) {
                    Ok(batch) => refused(|| {
                        batch.recycle_each(to, &mut |frames| {
                            let Some(foreign) = foreign.take() else { return };
                            swapped = Some(std::mem::replace(&mut frames[0], foreign));
                            for frame in &frames[1..] {
                                lost.add(chunk_number(umem, frame.address()));
                            }
                        })
                    }),
                    Err(_) => false,
                };
                let exchanged = swapped.is_some();
                self.held.extend(swapped);
                given == exchanged
            }
        });
        if let (14.., Some(frame)) = (n & 15, self.held.last_mut()) {
            mark(&self.umem, frame);
        }
        drop(umem);
    }
}
