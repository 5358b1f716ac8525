//! The state machine of a task, in every interleaving: run, cancel, hand back and wait decide one end, and all see it.
#![cfg(gristmill_loom)]

use std::sync::Arc;

use gristmill::pool::model::Solo;
use gristmill::sync::atomic::{AtomicUsize, Ordering};
use gristmill::sync::thread::{Builder, JoinHandle};
use gristmill::{CancelOutcome, TaskError};

#[path = "support/model.rs"]
mod model;
use model::check;

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

/// A task that notes that it ran, with a plain write that only the result's publication makes visible.
fn noting() -> (Solo<usize>, Arc<AtomicUsize>) {
    let ran = Arc::new(AtomicUsize::new(0));
    let note = Arc::clone(&ran);
    let solo = Solo::new(move || {
        note.store(note.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        7
    });
    (solo, ran)
}

#[test]
fn waiter_sees_what_the_task_did() {
    check("waiter_sees_what_the_task_did", || {
        let (solo, ran) = noting();
        let (runner, handle) = (solo.clone(), solo.handle());
        let runner = spawn(move || runner.run());
        assert_eq!(handle.wait().expect("it succeeds"), 7);
        assert_eq!(ran.load(Ordering::Relaxed), 1);
        assert_eq!(solo.ends(), [1, 0, 0], "counted before it can be seen");
        assert!(runner.join().expect("no panic"));
    });
}

#[test]
fn run_cancel_and_wait_agree_on_one_end() {
    check("run_cancel_and_wait_agree_on_one_end", || {
        let (solo, ran) = noting();
        let (runner, canceller, handle) = (solo.clone(), solo.handle(), solo.handle());
        let runner = spawn(move || runner.run());
        let canceller = spawn(move || canceller.cancel());
        let result = handle.wait();
        let (did_run, outcome) = (runner.join().expect("no panic"), canceller.join().expect("no panic"));
        assert_eq!(did_run, outcome != CancelOutcome::Prevented);
        assert_eq!(ran.load(Ordering::Relaxed), usize::from(did_run));
        match result {
            Ok(value) => assert!(did_run && value == 7),
            Err(error) => assert!(!did_run && error.is_cancelled()),
        }
        assert_eq!(solo.ends(), [u64::from(did_run), u64::from(!did_run), 0]);
    });
}

#[test]
fn run_and_hand_back_agree_on_one_end() {
    check("run_and_hand_back_agree_on_one_end", || {
        let (solo, ran) = noting();
        let (runner, stopper, handle) = (solo.clone(), solo.clone(), solo.handle());
        let runner = spawn(move || runner.run());
        let stopper = spawn(move || stopper.hand_back());
        let result = handle.wait();
        let (did_run, returned) = (runner.join().expect("no panic"), stopper.join().expect("no panic"));
        assert_ne!(did_run, returned);
        assert_eq!(ran.load(Ordering::Relaxed), usize::from(did_run));
        assert_eq!(matches!(result, Err(TaskError::Returned { .. })), returned);
        assert_eq!(solo.ends(), [u64::from(did_run), 0, u64::from(returned)]);
    });
}

#[test]
fn wait_for_all_sees_the_last_end() {
    check("wait_for_all_sees_the_last_end", || {
        let (solo, _) = noting();
        let runner = {
            let solo = solo.clone();
            spawn(move || solo.run())
        };
        solo.wait_quiet();
        assert!(solo.handle().is_finished(), "who has seen the count finds the result");
        runner.join().expect("no panic");
    });
}
