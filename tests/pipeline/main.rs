//! The pipeline against its claims, over a grid of workers and windows; a file for each topic.
// Where the model channel stands in, its types differ from the ones that users send with.
#![cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]
// Helpers and closures are test code too, though not inside of a `#[test]`.
#![allow(clippy::unwrap_used)]

mod batch_timeouts;
mod batches;
mod blocking;
mod borrowed;
mod bottleneck;
mod branches;
mod cancellation;
mod counts;
mod draining;
mod error_policies;
mod error_policy_model;
mod errors;
mod expansions;
mod figures;
mod heavy;
mod iterators;
mod keyed;
mod lone;
mod model;
mod monitor;
mod panics;
mod parents;
mod sources;
mod state;
mod support;
mod together;
mod under;
mod unordered;
mod weights;
mod window;
