//! What a million keys leave behind when their tasks are over: nothing. Counted by an allocator that is in this process only.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use allocation_counter::measure;
use gristmill::{KeyFailure, Saturation, ThreadPool};

/// What a pool and its threads may keep for the next tasks.
const KEPT: i64 = 64 * 1024;

/// The counter counts the allocations of the thread that asks. So that thread has to do everything: it submits to a full pool whose
/// tasks its one worker, which is this thread, runs inline.
fn on_a_worker(body: impl FnOnce(&gristmill::Submitter<'static>) + Send + 'static) {
    let builder = ThreadPool::builder().workers(1).queue_bound(1 << 21).key_bound(1 << 21);
    let pool = builder
        .saturation(Saturation::Reject)
        .on_key_failure(KeyFailure::DropRest)
        .build()
        .expect("good settings");
    let submitter = pool.submitter().clone();
    let ran = pool.submit(move || body(&submitter)).expect("open");
    ran.wait().expect("the claim holds");
}

#[test]
fn million_keys_one_after_the_other_leave_nothing() {
    on_a_worker(|pool| {
        let left = measure(|| {
            for key in 0..1_000_000_u32 {
                // The waiting worker runs it here.
                pool.task().key(key).submit(|_| ()).expect("open").wait().expect("it runs");
                if key % 1024 == 0 {
                    drop(pool.purge()); // what is left of tasks that did not need the queue
                }
            }
            drop(pool.purge());
        });
        assert!(left.bytes_current <= KEPT, "{} bytes left", left.bytes_current);
        assert!(left.bytes_max <= 4 << 20, "{} bytes at the most", left.bytes_max);
    });
}

#[test]
fn many_keys_at_once_leave_nothing_when_they_have_gone() {
    const TASKS: u32 = 200_000;
    on_a_worker(|pool| {
        // The queue keeps the room that it once had: let it have it before.
        drop((0..TASKS).map(|_| pool.submit(|| ()).expect("open")).collect::<Vec<_>>());
        drop(pool.purge());
        let left = measure(|| {
            let tasks: Vec<_> =
                (0..TASKS).map(|i| pool.task().key(i / 2).submit(|_| ()).expect("open")).collect();
            for task in tasks {
                task.wait().expect("it runs here");
            }
            drop(pool.purge());
            assert_eq!(pool.queued(), 0);
        });
        assert!(left.bytes_current <= KEPT, "{} bytes left", left.bytes_current);
    });
}
