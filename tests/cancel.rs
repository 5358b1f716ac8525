//! What cancellation promises, through the public API.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use gristmill::{CancelKind, CancellationToken};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn first_canceller_wins_and_its_location_is_recorded() {
    let token = CancellationToken::new();
    assert!(token.check().is_ok());
    let line = line!() + 1;
    assert!(token.cancel_with("first"));
    assert!(!token.cancel_with("second"));
    let cancelled = token.check().unwrap_err();
    assert_eq!(cancelled.kind(), CancelKind::Cancelled);
    assert_eq!(cancelled.cause().unwrap().to_string(), "first");
    assert_eq!((cancelled.location().file(), cancelled.location().line()), (file!(), line));
}

#[test]
fn record_flows_down_but_not_over_an_earlier_one() {
    let root = CancellationToken::new();
    let (early, late) = (root.child(), root.child());
    let below_early = early.child();
    early.cancel_with("early");
    assert!(!root.is_cancelled());
    root.cancel_with("root");
    for (token, cause) in
        [(&early, "early"), (&below_early, "early"), (&late, "root"), (&root.child(), "root")]
    {
        assert_eq!(token.cause().unwrap().cause().unwrap().to_string(), cause);
    }
}

#[test]
fn deadline_cancels_and_says_so() {
    let token = CancellationToken::new().child_with_timeout(Duration::from_millis(5));
    let below = token.child();
    assert_eq!(below.deadline(), token.deadline());
    let cancelled = below.wait();
    assert_eq!(cancelled.kind(), CancelKind::DeadlineExceeded);
    assert!(cancelled.cause().is_none());
    assert!(token.is_cancelled());
}

#[test]
fn receiver_disconnects_at_a_deadline() {
    let token = CancellationToken::with_timeout(Duration::from_millis(5));
    assert!(token.cancelled().recv().is_err());
    assert!(token.is_cancelled());
}

#[test]
fn zero_timeout_is_born_cancelled_and_an_endless_one_is_no_deadline() {
    let token = CancellationToken::with_timeout(Duration::ZERO);
    assert_eq!(token.cause().unwrap().kind(), CancelKind::DeadlineExceeded);
    assert_eq!(CancellationToken::with_timeout(Duration::MAX).deadline(), None);
    assert_eq!(CancellationToken::new().child_with_timeout(Duration::MAX).deadline(), None);
}

#[test]
fn sleep_ends_at_once_on_cancel() {
    let token = CancellationToken::new();
    let sleeper = thread::spawn({
        let token = token.clone();
        move || token.sleep(Duration::MAX)
    });
    token.cancel_with("up");
    assert_eq!(sleeper.join().unwrap().unwrap_err().cause().unwrap().to_string(), "up");
    assert!(CancellationToken::new().sleep(Duration::from_millis(1)).is_ok());
}

#[test]
fn callbacks_run_in_order_of_registration_across_the_subtree() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let root = CancellationToken::new();
    let child = root.child();
    let mut registrations = Vec::new();
    for number in 0..10 {
        let (seen, token) = (seen.clone(), if number % 2 == 0 { &root } else { &child });
        registrations.push(token.on_cancel(move |_| {
            seen.lock().unwrap().push(number);
            assert!(number != 4, "this panic is part of the test");
        }));
    }
    assert!(registrations.remove(3).unregister());
    root.cancel();
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert!(registrations.into_iter().all(|registration| !registration.unregister()));
}

#[test]
fn callback_of_a_cancelled_token_runs_at_once_in_the_calling_thread() {
    let token = CancellationToken::new();
    token.cancel();
    let (sender, receiver) = mpsc::channel();
    let registration = token.on_cancel(move |_| sender.send(thread::current().id()).unwrap());
    assert_eq!(receiver.try_recv(), Ok(thread::current().id()));
    assert!(!registration.unregister());
}

#[test]
fn slow_callback_of_one_deadline_delays_no_other() {
    let (release, held) = mpsc::channel::<()>();
    let slow = CancellationToken::with_timeout(Duration::from_millis(1));
    let (started, start) = mpsc::channel();
    slow.on_cancel(move |_| {
        started.send(()).unwrap();
        held.recv().unwrap();
    })
    .detach();
    start.recv().unwrap();
    let other = CancellationToken::with_timeout(Duration::from_millis(1));
    let (sender, receiver) = mpsc::channel();
    other.on_cancel(move |_| sender.send(()).unwrap()).detach();
    receiver.recv().unwrap();
    release.send(()).unwrap();
}

#[test]
fn hundred_nodes_cancelled_at_once_have_one_winner_each() {
    for _ in 0..50 {
        let mut nodes = vec![CancellationToken::new()];
        for index in 1..100_usize {
            nodes.push(nodes[(index - 1) / 3].child());
        }
        let (start, wins) = (Barrier::new(4), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..4 {
                let (nodes, start, wins) = (&nodes, &start, &wins);
                scope.spawn(move || {
                    start.wait();
                    for node in nodes.iter().skip(thread).step_by(4).rev() {
                        wins.fetch_add(usize::from(node.cancel()), Ordering::Relaxed);
                        assert!(node.is_cancelled());
                    }
                    nodes[0].cancel();
                    assert!(
                        nodes.iter().all(CancellationToken::is_cancelled),
                        "winner or loser, all is cancelled"
                    );
                });
            }
        });
        assert!(wins.into_inner() >= 1);
    }
}

#[test]
fn chain_of_a_million_cancels_and_drops_without_recursion() {
    let root = CancellationToken::new();
    let mut leaf = root.child();
    for _ in 0..1_000_000 {
        leaf = leaf.child();
    }
    root.cancel();
    assert!(leaf.is_cancelled());
    drop(leaf);
    let mut leaf = CancellationToken::new();
    for _ in 0..1_000_000 {
        leaf = leaf.child();
    }
    drop(leaf);
}

#[test]
fn guard_cancels_unless_disarmed() {
    let token = CancellationToken::new();
    assert!(!token.clone().cancel_on_drop().disarm().is_cancelled());
    let line = line!() + 1;
    drop(token.clone().cancel_on_drop());
    assert_eq!(token.cause().unwrap().location().line(), line);
}

#[test]
fn cause_of_a_timeout_is_reported_only_if_it_fires() {
    let fired = CancellationToken::with_timeout_cause(Duration::from_millis(1), "too slow");
    assert_eq!(fired.wait().cause().unwrap().to_string(), "too slow");
    let called = CancellationToken::with_timeout_cause(HOUR, "too slow");
    called.cancel();
    assert!(called.cause().unwrap().cause().is_none());
}
