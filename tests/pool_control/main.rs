//! A pool at its limits and in somebody's hands: saturation, pause, resume, purge, change of size.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

#[path = "../support/gate.rs"]
mod gate;
mod hold;
mod purge;
mod resize;
mod saturation;
