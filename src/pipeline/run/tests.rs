//! What cannot be brought about from outside: a deadline that passes at one moment.

use super::super::board::Layout;
use super::super::staff::Staff;
use super::*;
use crate::sync::fault;
use crate::sync::time::Duration;

#[test]
fn look_under_the_lock_of_a_wake_up_calls_nobody_and_the_one_before_it_does() {
    let calls = Arc::new(AtomicUsize::new(0));
    let token = CancellationToken::unwatched(Duration::from_millis(1));
    let counted = Arc::clone(&calls);
    let _fault = fault::fail_every_spawn(); // so callbacks run in the thread that sees the deadline
    let bounds = Bounds { window: 1, weight: None, expansions: Vec::new(), timed: false };
    let names = ["source".to_owned(), "sink".to_owned()];
    let layout = Layout { names: &names, serial_points: &[], timeline: false, watched: false };
    let board = Arc::new(Board::new(&layout, Staff::new(1, &[])));
    let run = Run::<()>::new(bounds, 1, Vec::new(), &token, token.clone(), board);
    // It may have passed by now: then this call is the one that it is.
    token.on_cancel(move |_| _ = counted.fetch_add(1, Ordering::SeqCst)).detach();
    let before = calls.load(Ordering::SeqCst);
    while token.deadline().is_some_and(|at| at > crate::sync::time::now()) {
        crate::sync::thread::yield_now();
    }
    assert_eq!((run.must_stop(), calls.load(Ordering::SeqCst)), (before == 1, before));
    assert!(run.stopped() && run.must_stop());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
