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

/// Waits, since a thread gives itself its name, and ends, a moment after the call that brought it about.
#[track_caller]
fn wait_for_helpers(expected: usize) {
    let start = Instant::now();
    while helpers() != expected {
        assert!(start.elapsed() < Duration::from_secs(20), "{} helpers and not {expected}", helpers());
        std::thread::yield_now();
    }
}

#[test]
fn one_helper_serves_all_deadlines_and_ends_when_none_is_left() {
    let plain = CancellationToken::new();
    assert_eq!(helpers(), 0, "a token without deadline needs none");

    let tokens: Vec<_> = (0..100).map(|_| CancellationToken::with_timeout(HOUR)).collect();
    wait_for_helpers(1);
    drop(tokens);
    wait_for_helpers(0);

    let cancelled = plain.child_with_timeout(HOUR);
    wait_for_helpers(1); // it starts again
    cancelled.cancel();
    wait_for_helpers(0); // although the token and its deadline are an hour from their end

    let below = plain.child_with_timeout(HOUR);
    plain.cancel();
    assert!(below.is_cancelled());
    wait_for_helpers(0);

    let fired = CancellationToken::with_timeout(Duration::from_millis(1));
    fired.on_cancel(|_| ()).detach();
    assert!(fired.cancelled().recv().is_err());
    wait_for_helpers(0);

    // The one that it slept for goes, one that is later goes: it must not sleep on for either.
    let (first, second) = (CancellationToken::with_timeout(HOUR), CancellationToken::with_timeout(2 * HOUR));
    drop(first);
    drop(second);
    wait_for_helpers(0);

    // A deadline before the one that it sleeps for wakes it.
    let far = CancellationToken::with_timeout(HOUR);
    for _ in 0..20 {
        let near = CancellationToken::with_timeout(Duration::from_millis(2));
        let told = near.cancelled().recv_timeout(Duration::from_secs(20));
        assert!(told.is_err_and(|error| error.is_disconnected()), "the helper slept on");
    }
    drop(far);
    wait_for_helpers(0);
}
