//! The one door to locks, atomics, channels, threads and the clock.
//!
//! Nothing else in the crate names `parking_lot`, `crossbeam_channel`, `std::sync::atomic`, `std::thread` or
//! `Instant::now`. What this module hands out depends on the configuration, and the library code above it is the
//! same in all of them:
//!
//! | configuration | locks, atomics, threads, clock | channels | for |
//! |---|---|---|---|
//! | none | `parking_lot`, `std` | `crossbeam_channel` | what ships |
//! | `--cfg gristmill_shuttle` | shuttle | the model channel | seeded random schedules of whole pools and pipelines |
//! | `--cfg gristmill_loom` | loom | the model channel | exhaustive checking of small protocols |
//! | `--cfg gristmill_model_std` | `parking_lot`, `std` | the model channel | holding the model channel to crossbeam's behaviour |
//!
//! The surface is the same everywhere, with two differences that library code has to leave room for: `new` of locks
//! and atomics is `const` only in what ships (so statics go through [`process_static!`], and what is to be `const` for the user's through
//! `const_where_it_ships!`), and `notify_one` and
//! `notify_all` answer nothing under a model.
//!
//! `std::sync::{Arc, Weak}` are named directly everywhere: no model needs to see a reference count.

#[cfg(all(gristmill_shuttle, gristmill_loom))]
compile_error!("choose one of --cfg gristmill_shuttle and --cfg gristmill_loom");

#[cfg(not(any(gristmill_shuttle, gristmill_loom)))]
#[path = "real/mod.rs"]
mod backend;
#[cfg(all(gristmill_shuttle, not(gristmill_loom)))]
#[path = "shuttle_backend/mod.rs"]
mod backend;
#[cfg(gristmill_loom)]
#[path = "loom_backend/mod.rs"]
mod backend;

/// Functions that are `const` in what ships, as `new` of locks and atomics is, and ordinary ones under a model.
macro_rules! const_where_it_ships {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:tt)*) -> $result:ty $body:block)+) => {$(
        #[cfg(not(any(gristmill_shuttle, gristmill_loom)))]
        $(#[$attribute])*
        $visibility const fn $name($($argument)*) -> $result $body

        #[cfg(any(gristmill_shuttle, gristmill_loom))]
        $(#[$attribute])*
        $visibility fn $name($($argument)*) -> $result $body
    )+};
}
pub(crate) use const_where_it_ships;

pub use backend::{
    Condvar, Mutex, MutexGuard, WaitTimeoutResult, atomic, hint, process_static, thread_local, time,
};

#[cfg(gristmill_shuttle)]
pub use backend::model;

// Named by the expansion of `thread_local!`.
#[cfg(gristmill_shuttle)]
#[doc(hidden)]
pub use backend::{AccessError, LocalKey};

mod builder;
mod padded;
mod slots;

pub use padded::Padded;
pub use slots::Slots;

#[cfg(any(test, gristmill_shuttle, gristmill_loom, gristmill_model_std))]
pub mod fault;

// In an ordinary test build the model channel is there too, to be compared with crossbeam's.
#[cfg(any(test, gristmill_shuttle, gristmill_loom, gristmill_model_std))]
#[cfg_attr(
    not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)),
    allow(unreachable_pub, unused_imports, dead_code)
)]
mod model_channel;

/// Multi-producer multi-consumer channels.
pub mod channel {
    #[cfg(any(gristmill_shuttle, gristmill_loom, gristmill_model_std))]
    pub use super::model_channel::*;
    #[cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]
    pub use crossbeam_channel::{
        IntoIter, Iter, ReadyTimeoutError, Receiver, RecvError, RecvTimeoutError, Select, SendError,
        SendTimeoutError, Sender, TryIter, TryReadyError, TryRecvError, TrySendError, bounded,
    };
}

/// Threads.
pub mod thread {
    pub use super::backend::thread::{
        JoinHandle, Scope, ScopedJoinHandle, Thread, ThreadId, available_cores, current, panicking, park,
        park_timeout, physical_cores, scope, yield_now,
    };
    pub use super::builder::Builder;
}
