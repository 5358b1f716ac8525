//! The example `thumbnails` as its users meet it: a process with folders, streams, signals and an exit status.

#![cfg(all(unix, not(gristmill_shuttle), not(gristmill_loom)))]

mod arguments;
mod broken;
#[path = "../support/example.rs"]
mod example;
mod images;
mod support;
