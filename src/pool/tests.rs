//! What cannot be brought about from outside: threads that cannot be created, and a worker caught between two steps.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::gate::{Gate, Phase};
use super::seat::Seat;
use super::{BuildError, Submitter, ThreadPool};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::fault::fail_spawn_at;

const WORKERS: usize = 4;

#[test]
fn kth_thread_that_cannot_be_created_fails_the_build_and_the_others_are_joined() {
    for k in 1..=WORKERS {
        let (started, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (start, stop) = (Arc::clone(&started), Arc::clone(&stopped));
        let builder = ThreadPool::builder()
            .workers(WORKERS)
            .on_worker_start(move |_| {
                start.fetch_add(1, Ordering::SeqCst);
            })
            .on_worker_stop(move |_| {
                stop.fetch_add(1, Ordering::SeqCst);
            });
        let fault = fail_spawn_at(k);
        let error = builder.build().map(drop).unwrap_err();
        drop(fault);
        let BuildError::Thread { worker, source } = error else { panic!("it says what failed: {error}") };
        assert_eq!((worker, source.kind()), (k - 1, std::io::ErrorKind::WouldBlock));
        // Joined: whatever the threads do has happened when `build` returns.
        let counts = [&started, &stopped].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(counts, [k - 1, k - 1], "k = {k}");
        assert_eq!(Arc::strong_count(&started), 1, "nothing of the pool is left");
    }
}

#[test]
fn scope_whose_kth_thread_cannot_be_created_never_calls_its_body() {
    for k in 1..=WORKERS {
        let live = AtomicUsize::new(0);
        let fault = fail_spawn_at(k);
        let built = ThreadPool::builder()
            .workers(WORKERS)
            .worker_state(
                |_| live.fetch_add(1, Ordering::SeqCst),
                |_, _| {
                    live.fetch_sub(1, Ordering::SeqCst);
                },
            )
            .scope(|_| panic!("there is no pool"));
        drop(fault);
        assert!(matches!(built, Err(BuildError::Thread { worker, .. }) if worker == k - 1));
        assert_eq!(live.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn worker_of_a_stopping_pool_hands_back_what_it_takes_from_the_queue() {
    let core = Arc::new(Core::new(Gate::new(Arc::from("unmanned"), 1, 1, Duration::ZERO, None)));
    let handle = Submitter::<()>::new(Arc::clone(&core)).submit(|| panic!("it ran")).expect("open");
    let task = core.next().expect("it was queued");
    core.gate.advance(Phase::Stopping);
    core.execute(task, &Seat::new(Arc::clone(&core.gate), 0, Rc::new(())));
    let result: Result<(), _> = handle.wait();
    assert!(result.unwrap_err().is_returned());
    assert_eq!(core.take_returned().len(), 1);
    core.gate.settle(); // as the worker does when it finds the queue empty
    assert!(core.gate.is_finished());
}
