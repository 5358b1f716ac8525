//! Shuttle: random but seeded schedules, a virtual clock, time-outs that fire at any step, spurious wake-ups.
//!
//! Everything here works only inside an execution that shuttle runs, as all of shuttle does. Its tasks share one
//! operating-system thread, so whatever is per thread or per process must come from this module: a plain
//! `std::thread_local!` would be common to all tasks, and a plain `static` to all executions.
//!
//! What shuttle leaves out and this module adds:
//! - Waits with a time-out end by themselves ([`patience`]); shuttle's never do.
//! - Condition variables wake any waiter, and wake spuriously.
//! - Parking has a token of its own, which no lock and no join can swallow ([`waiter`]).
//! - Scopes wait for their threads when the scope's own code panics ([`thread`]); shuttle's would leave them with
//!   dangling borrows.
//!
//! What stays different from the platform: atomics are sequentially consistent (loom and Miri look at orderings), a
//! panic that leaves a thread fails the execution instead of reaching `join`, and `thread::panicking` is true for all
//! tasks while one unwinds.

mod condvar;
mod execution;
mod local;
pub mod model;
mod mutex;
mod patience;
pub(super) mod thread;
pub mod time;
mod waiter;

pub use condvar::{Condvar, WaitTimeoutResult};
pub use local::{AccessError, LocalKey};
pub use mutex::{Mutex, MutexGuard};

pub use crate::{__process_static as process_static, __shuttle_thread_local as thread_local};

/// Atomics and fences.
pub mod atomic {
    pub use shuttle::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// Busy-wait hint: lets another task run.
pub mod hint {
    pub use shuttle::hint::spin_loop;
}

/// Where the model channel's `Select` starts to look, out of `count` operations: anywhere.
pub(super) fn first_choice(count: usize) -> usize {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().gen_range(0..count)
}
