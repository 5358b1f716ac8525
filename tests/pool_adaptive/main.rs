//! The controller of adaptive pools: its settings, and what it decides on simulated and on adversarial traces.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
// A simulation counts in floating point; its numbers are small and positive.
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]

mod adversarial;
mod constant_load;
mod property;
mod settings;
mod simulator;
mod support;
mod traces;
