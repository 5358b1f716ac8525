//! The process has as many threads after a pool as before it. One test in a binary of its own: it counts them all.
#![cfg(all(target_os = "linux", not(any(gristmill_shuttle, gristmill_loom))))]

use std::time::Duration;

use gristmill::sync::time;
use gristmill::{Shutdown, ThreadPool};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux has it").count()
}

/// The system may show a joined thread for a moment longer.
fn threads_settle_at(wanted: usize) -> bool {
    let limit = time::now() + Duration::from_secs(5);
    while threads() != wanted && time::now() < limit {
        std::thread::yield_now();
    }
    threads() == wanted
}

#[test]
fn threads_are_as_many_as_before() {
    let before = threads();
    let pool =
        ThreadPool::builder().workers(5).worker_state(|_| (), |_, ()| ()).build().expect("good settings");
    assert_eq!(threads(), before + 5);
    drop(pool.submit(|| 1).expect("open"));
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    assert!(threads_settle_at(before), "after a drain");

    let pool = ThreadPool::builder().workers(5).build().expect("good settings");
    drop(pool.submit(|| panic!("crack")).map(|handle: gristmill::TaskHandle<()>| handle).expect("open"));
    drop(pool);
    assert!(threads_settle_at(before), "after a drop");

    ThreadPool::scope(|pool| drop(pool.submit(|| 1).expect("open"))).expect("good settings");
    assert!(threads_settle_at(before), "after a scope");

    let failing = ThreadPool::builder().workers(5).worker_state(|worker| assert_ne!(worker, 3), |_, ()| ());
    assert!(failing.build().is_err());
    assert!(threads_settle_at(before), "after a build that failed");

    let failing = ThreadPool::builder().workers(5).stack_size(1 << 46);
    assert!(failing.build().is_err());
    assert!(threads_settle_at(before), "after a thread that could not be created");
}
