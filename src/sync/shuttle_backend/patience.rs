//! How a wait may end without being notified: by its time-out, or for no reason.
//!
//! A task that may give up stays runnable, so that the scheduler can let it give up at any step and no wait with a
//! time-out counts as a deadlock. How many turns it sits out is drawn anew for every wait, from none to many, since a
//! time-out that always fires early never meets the states that come late. PCT lowers a task that yields below all
//! others: a wait that yields then gives up when nothing else can run, one that does not gives up at once.

use std::time::Instant;

use shuttle::rand::{Rng, thread_rng};

use super::waiter::Waiter;
use super::{model, time};

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Notified,
    TimedOut,
    Spurious,
}

/// A point at which the scheduler may let another task run.
pub(super) fn switch() {
    shuttle::thread::sleep(std::time::Duration::ZERO);
}

/// Waits until notified, but not always so long: see the module.
pub(super) fn wait(waiter: &Waiter, deadline: Option<Instant>) -> Ending {
    let mut random = thread_rng();
    let deadline = deadline.filter(|_| model::timeouts_may_fire());
    let spurious = random.gen_ratio(1, 8);
    if deadline.is_none() && !spurious {
        waiter.block();
        return Ending::Notified;
    }
    let doublings = random.gen_range(0..7_u32);
    let turns = random.gen_range(0..1_u32 << doublings);
    let yields = random.gen_bool(0.5);
    for _ in 0..=turns {
        if yields {
            shuttle::thread::yield_now();
        } else {
            switch();
        }
        if waiter.is_notified() {
            return Ending::Notified;
        }
    }
    match deadline {
        Some(deadline) if !spurious => {
            time::advance_to(deadline);
            Ending::TimedOut
        }
        _ => Ending::Spurious,
    }
}
