//! The example `wordcount` as its users meet it: a process with files, streams, signals and an exit status.

#![cfg(all(unix, not(gristmill_shuttle), not(gristmill_loom)))]

mod arguments;
mod endings;
#[path = "../support/example.rs"]
mod example;
mod log;
mod support;
mod words;
