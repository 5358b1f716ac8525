//! Thread creation that fails, at every place where it can.

use std::sync::Arc;

use super::{BuildError, ThreadPool};
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
        assert!(matches!(built.map(|()| ()), Err(BuildError::Thread { worker, .. }) if worker == k - 1));
        assert_eq!(live.load(Ordering::SeqCst), 0);
    }
}
