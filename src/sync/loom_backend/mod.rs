//! Loom: every schedule and every value that a small protocol's atomics may show, up to a preemption bound.
//!
//! Everything here works only inside loom's model. Its limits are the model's: at most 5 threads with the main one,
//! a wait with a time-out waits as if it had none (unless its deadline has passed, then it ends at once), wake-ups are
//! never spurious, there are no scoped threads ([`thread::start_scoped`] refuses), the clock stands still, and a panic
//! while a lock is held makes the lock unusable. Time-outs and panics are shuttle's part.

mod lock;
mod parker;
pub(super) mod thread;

pub use lock::{Condvar, Mutex, MutexGuard, WaitTimeoutResult};

pub use crate::{__loom_thread_local as thread_local, __process_static as process_static};

/// Atomics and fences.
pub mod atomic {
    pub use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}

/// Busy-wait hint: lets another thread run.
pub mod hint {
    pub use loom::hint::spin_loop;
}

/// The clock, which stands still.
pub mod time {
    use std::sync::LazyLock;
    pub use std::time::{Duration, Instant};

    #[allow(clippy::disallowed_methods)] // read once per process: loom must see the same time in every execution
    static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

    /// The one instant that there is.
    pub fn now() -> Instant {
        *BASE
    }

    /// A time of day, as the user's code has it.
    pub type TimeOfDay = std::time::SystemTime;

    /// How long after the start of 1970 it is, for ever.
    pub fn since_unix_epoch() -> Duration {
        Duration::ZERO
    }
}

/// Where the model channel's `Select` starts to look: at the first, since loom cannot follow a random choice.
pub(super) fn first_choice(_count: usize) -> usize {
    0
}

/// `std::thread_local!`, per thread of the model.
#[macro_export]
#[doc(hidden)]
macro_rules! __loom_thread_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = const $init:block $(; $($rest:tt)*)?) => {
        $crate::__loom_thread_local!($(#[$attribute])* $visibility static $name: $type = $init $(; $($rest)*)?);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr $(; $($rest:tt)*)?) => {
        ::loom::thread_local!($(#[$attribute])* $visibility static $name: $type = $init);
        $($crate::__loom_thread_local!($($rest)*);)?
    };
}

/// A value of which every execution has its own, made on first use.
#[macro_export]
#[doc(hidden)]
macro_rules! __process_static {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $init:expr;) => {
        ::loom::lazy_static! {
            $(#[$attribute])*
            static ref $name: $type = $init;
        }
    };
}
