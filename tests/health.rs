//! What is said of the health of pools and pipelines: what is stuck, by whom and since when, what is degraded, and what is neither.
#![cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]
#![allow(clippy::unwrap_used)] // helpers are test code too
#![allow(clippy::disallowed_methods)] // real threads, clocks and unbounded channels of tests are not the library's

#[path = "support/gate.rs"]
mod gate;

#[path = "health/detector.rs"]
mod detector;
#[path = "health/pipelines.rs"]
mod pipelines;
#[path = "health/pools.rs"]
mod pools;
#[path = "health/stages.rs"]
mod stages;
