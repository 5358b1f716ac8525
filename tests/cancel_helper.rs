//! The thread behind deadlines: one for all, and only while there is need. Alone in its process, so that it can count.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods)] // deadlines are held against the real clock

use std::time::{Duration, Instant};

use gristmill::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);

fn helpers() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("this is Linux");
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.expect("an entry").path().join("comm")).ok())
        .filter(|name| name.starts_with("grist"))
        .count()
}

#[track_caller]
fn wait_until_helpers_are_gone() {
    let start = Instant::now();
    while helpers() > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the helper outlives its need");
        std::thread::yield_now();
    }
}

#[test]
fn one_helper_serves_all_deadlines_and_ends_when_none_is_left() {
    let plain = CancellationToken::new();
    assert_eq!(helpers(), 0, "a token without deadline needs none");

    let tokens: Vec<_> = (0..100).map(|_| CancellationToken::with_timeout(HOUR)).collect();
    assert_eq!(helpers(), 1);
    drop(tokens);
    wait_until_helpers_are_gone();

    let cancelled = plain.child_with_timeout(HOUR);
    assert_eq!(helpers(), 1, "it starts again");
    cancelled.cancel();
    wait_until_helpers_are_gone(); // although the token and its deadline are an hour from their end

    let below = plain.child_with_timeout(HOUR);
    plain.cancel();
    assert!(below.is_cancelled());
    wait_until_helpers_are_gone();

    let fired = CancellationToken::with_timeout(Duration::from_millis(1));
    fired.on_cancel(|_| ()).detach();
    assert!(fired.cancelled().recv().is_err());
    wait_until_helpers_are_gone();

    // The one that it slept for goes, one that is later goes: it must not sleep on for either.
    let (first, second) = (CancellationToken::with_timeout(HOUR), CancellationToken::with_timeout(2 * HOUR));
    drop(first);
    drop(second);
    wait_until_helpers_are_gone();
}
