//! The spans of tasks, batches, runs and stages, as a subscriber sees them.
// A model sees no spans.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
#![allow(clippy::unwrap_used)] // helpers are test code too

mod bulk;
mod collector;
mod hostile;
mod pipelines;
mod subscribers;
mod tasks;

#[path = "../support/gate.rs"]
mod gate;
