//! What ships: `parking_lot`, the standard library's atomics and threads, the machine's clock.

pub use parking_lot::{Condvar, Mutex, MutexGuard, WaitTimeoutResult};

pub(super) mod thread;

/// Atomics and fences.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}

/// Busy-wait hint.
pub mod hint {
    pub use std::hint::spin_loop;
}

/// The clock.
pub mod time {
    pub use std::time::{Duration, Instant};

    /// The current instant.
    #[inline]
    #[allow(clippy::disallowed_methods)] // this is the door that the lint points to
    pub fn now() -> Instant {
        Instant::now()
    }

    /// A time of day, as the user's code has it.
    pub type TimeOfDay = std::time::SystemTime;

    /// How long after the start of 1970 (UTC) it is, by a clock that may be set, forward or back; zero before.
    pub fn since_unix_epoch() -> Duration {
        std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
    }
}

/// A process-wide value, made on first use (per execution under a model checker).
#[macro_export]
#[doc(hidden)]
macro_rules! __process_static {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $(#[$attribute])*
        static $name: std::sync::LazyLock<$type> = std::sync::LazyLock::new(|| $init);
    };
}
pub use crate::__process_static as process_static;

pub use std::thread_local;

/// Where the model channel's `Select` starts to look, out of `count` operations: each call one further.
#[cfg(any(test, gristmill_model_std))]
pub(super) fn first_choice(count: usize) -> usize {
    thread_local!(static TURN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
    TURN.with(|turn| turn.replace(turn.get().wrapping_add(1))) % count
}
