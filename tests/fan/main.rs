//! The router and the merge against their claims; a file for each topic.
// Where the model channel stands in, its types differ from the ones that users send with.
#![cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]
// Helpers and closures are test code too, though not inside of a `#[test]`.
#![allow(clippy::unwrap_used)]

mod broadcast;
mod hostile;
mod keys;
mod lanes;
mod merging;
mod policies;
mod sequence;
mod sorting;
mod support;
mod together;
