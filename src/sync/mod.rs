//! The one door to locks, atomics, channels, threads and the clock.
//!
//! Nothing else in the crate names `parking_lot`, `crossbeam_channel`, `std::sync::atomic`, `std::thread` or
//! `Instant::now`. What this module hands out depends on the configuration, and the library code above it is the
//! same in all of them:
//!
//! | configuration | locks, atomics, threads | channels | for |
//! |---|---|---|---|
//! | none | `parking_lot`, `std` | `crossbeam_channel` | what ships |
//! | `--cfg gristmill_shuttle` | shuttle | the model channel | seeded random schedules of whole pools and pipelines |
//! | `--cfg gristmill_loom` | loom | the model channel | exhaustive checking of small protocols |
//! | `--cfg gristmill_model_std` | `parking_lot`, `std` | the model channel | holding the model channel to crossbeam's behaviour |
//!
//! `std::sync::{Arc, Weak}` are named directly everywhere: no model needs to see a reference count.

mod padded;
mod real;

pub use padded::Padded;
pub use real::*;
