//! Looking into a journal and tidying it up: what is shown is what was recorded, what is forgotten runs again, damage is told and survived.
//!
//! - `GRISTMILL_KILLS`: how many processes are killed at random moments, 24 if absent; the seed of each is printed with a failure.
//! - `GRISTMILL_FLIPS`: how many bits of a small journal are flipped, one at a time, 200 if absent.
#![cfg(unix)]

mod damage;
#[path = "../support/example.rs"]
mod example;
mod faults;
mod forgetting;
mod kills;
mod seeing;
mod support;
mod tool;
