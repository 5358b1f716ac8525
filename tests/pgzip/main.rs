//! The example `pgzip` as its users meet it: a process with files, streams, signals and an exit status.
//!
//! Where the system has `gzip` and `pigz`, they read what it writes, and it reads what they write.

#![cfg(all(unix, not(gristmill_shuttle), not(gristmill_loom)))]

mod arguments;
mod damage;
mod endings;
#[path = "../support/example.rs"]
mod example;
mod files;
mod formats;
mod memory;
mod support;
