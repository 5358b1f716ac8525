//! What a caller tries before it parks: the price of a fair queue is paid in thread switches, and this is where most are saved.
//!
//! With more threads than cores the next in line mostly has no core, so handing over in the order of the calls costs a switch
//! each time: 1.3 to 6 microseconds by parking, 0.4 to 1 by yielding. A caller that tries some twenty times more, and yields a few
//! times, before it queues lets whoever has a core go on, and lets those who were woken get one, so that a queue dissolves.

use crate::sync::{hint, thread};

/// Under a model every try is a branch: one of each kind shows all there is.
const MODEL: bool = cfg!(any(gristmill_shuttle, gristmill_loom));

/// Before it queues, while whoever holds a permit is about to give it back.
const SPINS: u32 = if MODEL { 1 } else { 20 };
/// Before it queues, so that those who hold a permit, or were given one, get a core.
const YIELDS: u32 = if MODEL { 1 } else { 4 };
/// In the queue, in the strict mode, before it parks.
const STRICT_YIELDS: u32 = if MODEL { 1 } else { 16 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Tries for a moment before it queues.
    Courteous,
    /// Queues at once.
    Strict,
}

impl Pace {
    /// Before the queue: asks until it succeeds, for a moment; whether it did.
    pub(super) fn ask_again(self, mut take: impl FnMut() -> bool) -> bool {
        if self == Self::Strict {
            return false;
        }
        for _ in 0..SPINS {
            hint::spin_loop();
            if take() {
                return true;
            }
        }
        for _ in 0..YIELDS {
            thread::yield_now();
            if take() {
                return true;
            }
        }
        false
    }

    /// In the queue: looks for an answer for a moment, before the thread parks.
    pub(super) fn watch<T>(self, mut answered: impl FnMut() -> Option<T>) -> Option<T> {
        if self == Self::Courteous {
            return None;
        }
        (0..STRICT_YIELDS).find_map(|_| {
            let answer = answered();
            if answer.is_none() {
                thread::yield_now();
            }
            answer
        })
    }
}
