//! Faults, one after the other, in everything that calls the user's code or starts a thread; after each one the same questions.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
#![allow(clippy::disallowed_methods)] // threads are counted and watched on the real clock

mod callbacks;
mod cancels;
mod consumers;
mod listed;
mod script;
mod shapes;
mod spawns;
mod support;
mod time;
mod trial;
