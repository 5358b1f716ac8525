//! Cancellation in all schedules, and with all values that its atomics may show, up to a preemption bound.
#![cfg(gristmill_loom)]

use std::sync::Arc;

use gristmill::CancellationToken;
use gristmill::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use gristmill::sync::thread::{Builder, JoinHandle};

#[path = "support/model.rs"]
mod model;
use model::check;

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

#[test]
fn whoever_sees_the_cancel_sees_what_was_written_before() {
    check("whoever_sees_the_cancel_sees_what_was_written_before", || {
        let root = CancellationToken::new();
        let child = root.child();
        let written = Arc::new(AtomicUsize::new(0));
        let writer = {
            let written = written.clone();
            spawn(move || {
                written.store(1, Relaxed);
                root.cancel();
            })
        };
        if child.is_cancelled() {
            assert_eq!(written.load(Relaxed), 1);
            assert!(child.cause().is_some());
        }
        writer.join().unwrap();
        assert!(child.is_cancelled());
    });
}

#[test]
fn child_made_during_a_cancel_is_cancelled_after_it() {
    check("child_made_during_a_cancel_is_cancelled_after_it", || {
        let root = CancellationToken::new();
        let maker = {
            let root = root.clone();
            spawn(move || {
                let child = root.child();
                let grandchild = child.child();
                (child, grandchild)
            })
        };
        root.cancel();
        let (child, grandchild) = maker.join().unwrap();
        assert!(child.is_cancelled() && grandchild.is_cancelled());
    });
}

#[test]
fn every_cancel_returns_with_its_subtree_cancelled() {
    check("every_cancel_returns_with_its_subtree_cancelled", || {
        let root = CancellationToken::new();
        let child = root.child();
        let rival = {
            let (root, child) = (root.clone(), child.clone());
            spawn(move || {
                let won = root.cancel();
                assert!(root.is_cancelled() && child.is_cancelled());
                won
            })
        };
        let child_won = child.cancel();
        assert!(child.is_cancelled());
        let root_won = root.cancel();
        assert!(root.is_cancelled() && child.is_cancelled());
        assert!(rival.join().unwrap() != root_won, "one of the two");
        let own = child.cause().unwrap().location() != root.cause().unwrap().location();
        assert_eq!(child_won, own);
    });
}

#[test]
fn unregister_answers_whether_the_callback_runs() {
    check("unregister_answers_whether_the_callback_runs", || {
        let token = CancellationToken::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let registration = token.on_cancel(move |_| _ = counted.fetch_add(1, Relaxed));
        let canceller = spawn(move || token.cancel());
        let prevented = registration.unregister();
        assert!(canceller.join().unwrap());
        assert_eq!(runs.load(Relaxed) + usize::from(prevented), 1);
    });
}

#[test]
fn callback_registered_during_a_cancel_runs_exactly_once() {
    check("callback_registered_during_a_cancel_runs_exactly_once", || {
        let token = CancellationToken::new();
        let canceller = {
            let token = token.clone();
            spawn(move || token.cancel())
        };
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        token.on_cancel(move |_| _ = counted.fetch_add(1, Relaxed)).detach();
        assert!(canceller.join().unwrap());
        assert_eq!(runs.load(Relaxed), 1);
    });
}

#[test]
fn dropping_a_child_during_a_cancel_of_its_parent_is_safe() {
    check("dropping_a_child_during_a_cancel_of_its_parent_is_safe", || {
        let root = CancellationToken::new();
        let (first, second) = (root.child(), root.child());
        let dropper = spawn(move || drop(first));
        assert!(root.cancel());
        dropper.join().unwrap();
        assert!(second.is_cancelled());
    });
}

#[test]
fn no_wake_up_of_a_wait_is_lost() {
    check("no_wake_up_of_a_wait_is_lost", || {
        let root = CancellationToken::new();
        let child = root.child();
        let waiter = spawn(move || child.wait());
        root.cancel();
        let cancelled = waiter.join().unwrap();
        assert_eq!(cancelled.location(), root.cause().unwrap().location());
    });
}
