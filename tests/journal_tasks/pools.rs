//! Durable tasks in pools of all kinds.

use gristmill::{ThreadPool, combine};

use crate::gate::LONG;
use crate::{Place, pool, square};

#[test]
fn one_worker_that_waits_for_durable_tasks_of_its_own_pool_does_not_deadlock() {
    let (place, pool) = (Place::new(), std::sync::Arc::new(pool(1)));
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    let inside = std::sync::Arc::clone(&pool);
    let outer = pool.submit(move || {
        let started: Vec<_> =
            (0..5_u64).map(|number| handler.submit(&inside, number, number).unwrap()).collect();
        combine::as_completed(started).map(|(_, square)| square.unwrap()).sum::<u64>()
    });
    let Ok(sum) = outer.unwrap().wait_timeout(LONG) else { panic!("it hangs") };
    assert_eq!((sum.unwrap(), runs.since()), (30, 5));
}

#[test]
fn scoped_pools_run_durable_tasks() {
    let place = Place::new();
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    let sum = ThreadPool::builder().workers(2).scope(|pool| {
        let started: Vec<_> =
            (0..10_u64).map(|number| handler.submit(pool, number, number).unwrap()).collect();
        combine::wait_all(started).into_iter().map(|square| square.unwrap()).sum::<u64>()
    });
    assert_eq!((sum.unwrap(), runs.since()), (285, 10));
}

#[test]
fn many_workers_and_many_submitters_record_everything_once() {
    let (place, pool) = (Place::new(), pool(8));
    let count = |journal: &gristmill::journal::Journal| {
        let scope = journal.scope("s");
        let (handler, runs) = square(&scope, 1);
        std::thread::scope(|threads| {
            for part in 0..4_u64 {
                let (handler, pool) = (&handler, &pool);
                threads.spawn(move || {
                    let keys = (0..500).map(|number| number * 4 + part);
                    let started: Vec<_> = keys.map(|key| handler.submit(pool, key, key).unwrap()).collect();
                    let ends = combine::as_completed(started);
                    ends.for_each(|(index, square)| {
                        let key = index as u64 * 4 + part;
                        assert_eq!(square.unwrap(), key * key);
                    });
                });
            }
        });
        runs.since()
    };
    assert_eq!(count(&place.open()), 2000);
    assert_eq!(count(&place.open()), 0);
}

#[test]
fn failures_count_as_failures_of_the_pool() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let handler = journal.scope("s").handler("fail", 1, |_, fails: &bool| {
        if *fails { Err(gristmill::journal::HandlerError::terminal("no")) } else { Ok(()) }
    });
    let ends = [true, false].map(|fails| handler.submit(&pool, fails, fails).unwrap());
    combine::wait_all(ends).into_iter().for_each(drop);
    pool.wait().unwrap();
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.failed(), snapshot.succeeded()), (1, 1));
}
