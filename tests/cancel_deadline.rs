//! What cancellation promises about deadlines and waits, through the public API.
#![allow(clippy::disallowed_methods)] // deadlines are held against the real clock

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gristmill::{CancelKind, CancellationToken, Cancelled};

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(5);

#[test]
fn deadline_cancels_the_subtree_and_says_who_set_it() {
    let root = CancellationToken::new();
    let line = line!() + 1;
    let token = root.child_with_timeout(MOMENT);
    let below = token.child();
    assert_eq!(below.deadline(), token.deadline());
    let cancelled = below.wait();
    assert!(Instant::now() >= token.deadline().unwrap(), "never early");
    assert_eq!(cancelled.kind(), CancelKind::DeadlineExceeded);
    assert!(cancelled.cause().is_none());
    assert_eq!((cancelled.location().file(), cancelled.location().line()), (file!(), line));
    assert!(token.is_cancelled() && !root.is_cancelled());
    assert!(!token.cancel(), "the deadline was first");
}

#[test]
fn deadline_needs_nobody_who_waits_or_polls() {
    let token = CancellationToken::with_timeout(MOMENT);
    let receiver = token.cancelled();
    assert!(receiver.recv().is_err());
    assert_eq!(token.cause().unwrap().kind(), CancelKind::DeadlineExceeded);
}

#[test]
fn poll_in_a_loop_sees_the_deadline() {
    let token = CancellationToken::with_deadline(Instant::now() + MOMENT);
    while !token.is_cancelled() {
        std::hint::spin_loop();
    }
    assert!(Instant::now() >= token.deadline().unwrap());
}

#[test]
fn earlier_deadline_above_makes_the_one_below_moot() {
    let root = CancellationToken::with_timeout(MOMENT);
    let line = line!() - 1;
    let child = root.child_with_timeout(HOUR);
    assert_eq!(child.deadline(), root.deadline());
    assert_eq!(child.child_with_deadline(root.deadline().unwrap()).deadline(), root.deadline());
    assert_eq!(child.wait().location().line(), line, "the record of the one above");
}

#[test]
fn later_deadline_above_leaves_the_one_below_in_force() {
    let root = CancellationToken::with_timeout(HOUR);
    let child = root.child_with_timeout(MOMENT);
    let grandchild = child.child_with_timeout(HOUR);
    assert_eq!(grandchild.deadline(), child.deadline());
    assert!(child.deadline() < root.deadline());
    assert_eq!(grandchild.wait().kind(), CancelKind::DeadlineExceeded);
    assert!(!root.is_cancelled());
}

#[test]
fn zero_and_past_deadlines_are_born_cancelled() {
    let (root, past) = (CancellationToken::new(), Instant::now());
    let tokens = [
        CancellationToken::with_timeout(Duration::ZERO),
        CancellationToken::with_deadline(past),
        root.child_with_timeout(Duration::ZERO),
        root.child_with_deadline(past),
        CancellationToken::with_timeout(HOUR).child_with_deadline(past),
    ];
    for token in tokens {
        assert_eq!(token.check().unwrap_err().kind(), CancelKind::DeadlineExceeded);
        assert!(token.deadline().is_some());
        assert!(!token.cancel());
        assert!(token.child().is_cancelled());
        assert!(token.cancelled().recv().is_err());
    }
    assert!(!root.is_cancelled());
    root.cancel();
    let late = root.child_with_timeout(Duration::ZERO);
    assert_eq!(late.cause().unwrap().kind(), CancelKind::Cancelled, "the parent's record came first");
}

#[test]
fn timeout_beyond_the_clock_is_no_deadline() {
    assert_eq!(CancellationToken::with_timeout(Duration::MAX).deadline(), None);
    assert_eq!(CancellationToken::new().child_with_timeout(Duration::MAX).deadline(), None);
    let root = CancellationToken::with_timeout(HOUR);
    assert_eq!(root.child_with_timeout(Duration::MAX).deadline(), root.deadline());
}

#[test]
fn farthest_deadline_of_the_clock_is_kept_and_disturbs_no_other() {
    let mut far = Duration::from_secs(u64::MAX);
    while Instant::now().checked_add(far).is_none() {
        far /= 2;
    }
    let token = CancellationToken::with_timeout(far);
    assert!(token.deadline().is_some());
    assert_eq!(CancellationToken::with_timeout(MOMENT).wait().kind(), CancelKind::DeadlineExceeded);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| token.wait());
        assert!(token.cancel());
        assert_eq!(waiter.join().unwrap().kind(), CancelKind::Cancelled);
    });
}

#[test]
fn cause_of_a_timeout_is_reported_only_if_it_fires() {
    let fired = CancellationToken::with_timeout_cause(MOMENT, "too slow");
    let cancelled = fired.wait();
    assert_eq!(cancelled.kind(), CancelKind::DeadlineExceeded);
    assert_eq!(cancelled.cause().unwrap().to_string(), "too slow");
    let called = CancellationToken::new().child_with_timeout_cause(HOUR, "too slow");
    called.cancel();
    assert!(called.cause().unwrap().cause().is_none());
    let moot = fired.child_with_timeout_cause(HOUR, "slower still");
    assert_eq!(moot.cause().unwrap().cause().unwrap().to_string(), "too slow");
    let born = CancellationToken::with_timeout_cause(Duration::ZERO, "no time at all");
    assert_eq!(born.cause().unwrap().cause().unwrap().to_string(), "no time at all");
}

#[test]
fn slow_callback_of_one_deadline_delays_no_other() {
    let (release, held) = mpsc::channel::<()>();
    let slow = CancellationToken::with_timeout(MOMENT);
    let (started, start) = mpsc::channel();
    let me = thread::current().id();
    slow.on_cancel(move |_| {
        started.send(()).unwrap();
        // Here only if the time was over before it was registered.
        if thread::current().id() != me {
            held.recv().unwrap();
        }
    })
    .detach();
    start.recv().unwrap();
    let other = CancellationToken::with_timeout(MOMENT);
    let (sender, receiver) = mpsc::channel();
    other.on_cancel(move |cancelled| sender.send(cancelled.kind()).unwrap()).detach();
    assert_eq!(receiver.recv(), Ok(CancelKind::DeadlineExceeded));
    let _ = release.send(());
}

#[test]
fn callbacks_of_a_deadline_run_in_order_and_a_panic_stops_neither_them_nor_later_deadlines() {
    let is_in_time = || {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let token = CancellationToken::with_timeout(MOMENT);
        let (sender, receiver) = mpsc::channel();
        for number in 0..5 {
            let (seen, sender) = (seen.clone(), sender.clone());
            let note = move |_: &Cancelled| {
                seen.lock().unwrap().push(number);
                if number == 4 {
                    sender.send(()).unwrap();
                }
                assert!(number != 2, "this panic is part of the test");
            };
            let registered = catch_unwind(AssertUnwindSafe(|| token.on_cancel(note)));
            let Ok(registration) = registered else { return false };
            registration.detach();
        }
        if token.is_cancelled() {
            return false; // some may have been registered too late, and ran at once
        }
        receiver.recv().unwrap();
        assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4]);
        true
    };
    while !is_in_time() {}
    assert!(CancellationToken::with_timeout(MOMENT).cancelled().recv().is_err());
}

#[test]
fn thousand_deadlines_fire_in_any_order_of_making() {
    let now = Instant::now();
    let tokens: Vec<_> = (0..1000_u64)
        .map(|number| CancellationToken::with_deadline(now + Duration::from_micros(number * 7919 % 20_000)))
        .collect();
    for token in &tokens {
        assert_eq!(token.wait().kind(), CancelKind::DeadlineExceeded);
    }
}

#[test]
fn wait_ends_at_once_on_cancel() {
    let token = CancellationToken::new();
    thread::scope(|scope| {
        let waits = [
            scope.spawn(|| Some(token.wait())),
            scope.spawn(|| token.wait_timeout(Duration::MAX)),
            scope.spawn(|| token.wait_timeout(HOUR)),
            scope.spawn(|| token.sleep(Duration::MAX).err()),
            scope.spawn(|| token.sleep(Duration::from_secs(u64::MAX)).err()),
            scope.spawn(|| token.child().sleep(HOUR).err()),
            scope.spawn(|| token.child_with_timeout(HOUR).wait_timeout(HOUR)),
        ];
        token.cancel_with("up");
        for wait in waits {
            let cancelled = wait.join().unwrap().expect("it is told");
            assert_eq!(cancelled.cause().unwrap().to_string(), "up");
        }
    });
}

#[test]
fn wait_of_a_live_token_ends_by_its_limit() {
    let token = CancellationToken::with_timeout(HOUR);
    assert!(token.wait_timeout(Duration::ZERO).is_none());
    assert!(token.sleep(Duration::ZERO).is_ok());
    let start = Instant::now();
    assert!(token.wait_timeout(MOMENT).is_none());
    assert!(token.sleep(MOMENT).is_ok());
    assert!(start.elapsed() >= 2 * MOMENT);
    assert!(!token.is_cancelled());
}

#[test]
fn wait_of_a_cancelled_token_does_not_wait() {
    let token = CancellationToken::new();
    token.cancel();
    assert!(token.wait_timeout(Duration::ZERO).is_some());
    assert!(token.sleep(Duration::ZERO).is_err(), "even a sleep of no time");
    assert!(token.sleep(Duration::MAX).is_err());
    assert_eq!(token.wait().kind(), CancelKind::Cancelled);
}

#[test]
fn deadline_ends_a_longer_sleep() {
    let token = CancellationToken::new().child_with_timeout(MOMENT).child();
    let cancelled = token.sleep(HOUR).unwrap_err();
    assert_eq!(cancelled.kind(), CancelKind::DeadlineExceeded);
}
