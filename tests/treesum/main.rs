//! The example `treesum` as its users meet it: a process with arguments, streams, signals and an exit status.
//!
//! Where the system has `sha256sum` and `find`, they are the oracle.

#![cfg(all(unix, not(gristmill_shuttle), not(gristmill_loom)))]

mod arguments;
mod check;
mod endings;
#[path = "../support/example.rs"]
mod example;
#[cfg(feature = "journal")]
mod journal;
mod memory;
mod progress;
mod sums;
mod support;
