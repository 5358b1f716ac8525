//! What a pool tells of itself and whom it calls: snapshots, slow tasks, hooks; and the adaptive size at work.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

mod adaptive;
mod callers;
mod counts;
#[path = "../support/gate.rs"]
mod gate;
mod hooks;
mod slow;
mod times;

use gristmill::Snapshot;

/// Waits for what can be seen.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = gristmill::sync::time::now() + gate::LONG;
    while !is_so() {
        assert!(gristmill::sync::time::now() < limit, "{what}");
        std::thread::yield_now();
    }
}

/// The counts of a snapshot close.
#[track_caller]
fn closes(now: &Snapshot) {
    let ran = now.succeeded() + now.failed() + now.panicked();
    assert_eq!(now.started(), ran + now.running(), "{now}");
    assert_eq!(now.submitted(), now.started() + now.cancelled() + now.returned() + now.queued(), "{now}");
}

/// The threads of the process whose name begins so.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let is_one = |entry: std::io::Result<std::fs::DirEntry>| {
        let comm = std::fs::read_to_string(entry.expect("an entry is readable").path().join("comm"));
        comm.is_ok_and(|comm| comm.starts_with(name))
    };
    std::fs::read_dir("/proc/self/task").expect("Linux has it").map(is_one).filter(|is| *is).count()
}
