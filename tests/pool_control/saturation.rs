//! What a submission does while the queue is full.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use gristmill::{BuildError, CancelOutcome, Refusal, Saturation, Shutdown, ThreadPool};

use crate::gate::{Gate, LONG, ended, occupy};

fn full(saturation: Saturation) -> (ThreadPool, Gate, gristmill::TaskHandle<u32>) {
    let builder = ThreadPool::builder().workers(1).queue_bound(1).saturation(saturation);
    let pool = builder.build().expect("good settings");
    let (gate, running) = occupy(&pool);
    drop(running);
    let queued = pool.submit(|| 1).expect("there is one place");
    (pool, gate, queued)
}

#[test]
fn reject_gives_the_task_back_unchanged_and_does_not_count_it() {
    let (pool, gate, queued) = full(Saturation::Reject);
    let captured = String::from("grist");
    let refused = pool.submit(move || captured).map(drop).unwrap_err();
    assert!(refused.is_full() && matches!(refused.refusal(), Refusal::Full));
    assert_eq!(refused.into_task()(), "grist");
    let refused = pool.task().submit(|_| 3).map(drop).unwrap_err();
    assert!(refused.is_full());
    gate.open();
    assert_eq!(ended(queued).expect("it succeeds"), 1);
    assert_eq!(ended(pool.submit(|| 4).expect("there is space again")).expect("it succeeds"), 4);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.submitted(), report.succeeded()), (3, 3));
}

#[test]
fn reject_leaves_submissions_with_a_time_out_their_time() {
    let (pool, gate, queued) = full(Saturation::Reject);
    let refused = pool.submit_timeout(|| 2, Duration::ZERO).map(drop).unwrap_err();
    assert!(refused.is_timed_out());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.submit_timeout(|| 2, LONG).map(ended));
        gate.open();
        let second = waiting.join().expect("it does not panic").expect("there is space in time");
        assert_eq!(second.expect("it succeeds"), 2);
    });
    assert_eq!(ended(queued).expect("it succeeds"), 1);
}

#[test]
fn caller_runs_a_task_that_finds_the_queue_full_and_it_is_counted() {
    let (pool, gate, queued) = full(Saturation::CallerRuns);
    let handle = pool.submit(|| thread::current().id()).expect("the caller runs it");
    assert!(handle.is_finished(), "before `submit` returns");
    assert_eq!(handle.cancel(), CancelOutcome::Finished);
    assert_eq!(ended(handle).expect("it succeeds"), thread::current().id());
    let panicking = pool.submit(|| panic!("in the caller")).expect("a panic stays in the task");
    let panicked: Result<(), _> = ended(panicking);
    assert!(panicked.unwrap_err().is_panicked());
    let worker = pool.task().submit(|context| context.worker().is_some()).map(ended).expect("open");
    assert!(!worker.expect("it succeeds"), "the caller is none");
    assert!(!queued.is_finished(), "it waits for the worker all the same");
    assert!(pool.try_submit(|| 2).unwrap_err().is_full(), "`try_submit` only tries");
    gate.open();
    assert_eq!(ended(queued).expect("it succeeds"), 1);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.submitted(), report.succeeded(), report.panicked()), (5, 4, 1));
}

#[test]
fn caller_runs_only_while_the_queue_is_full() {
    let builder = ThreadPool::builder().workers(1).queue_bound(8).saturation(Saturation::CallerRuns);
    let pool = builder.build().expect("good settings");
    let here = thread::current().id();
    let handle = pool.submit(move || thread::current().id() == here).expect("open");
    assert!(!ended(handle).expect("it succeeds"));
}

#[test]
fn caller_does_not_run_for_a_pool_that_is_closed() {
    let (pool, gate, queued) = full(Saturation::CallerRuns);
    pool.close();
    let refused =
        pool.submit(|| panic!("it ran")).map(|handle: gristmill::TaskHandle<()>| drop(handle)).unwrap_err();
    assert!(refused.is_closed());
    gate.open();
    assert_eq!(ended(queued).expect("it succeeds"), 1);
}

#[test]
fn caller_runs_is_refused_where_tasks_may_ask_for_a_state() {
    let builder = ThreadPool::builder().saturation(Saturation::CallerRuns).worker_state(|_| 0, |_, _| ());
    assert!(matches!(builder.build(), Err(BuildError::CallerHasNoState)));
}

#[test]
fn keyed_task_waits_for_space_instead_of_passing_others_of_its_key_in_the_caller() {
    let (pool, gate, queued) = full(Saturation::CallerRuns);
    thread::scope(|scope| {
        let here = thread::current().id();
        let keyed = scope.spawn(|| {
            let mine = thread::current().id();
            let handle = pool.task().key(7).submit(move |_| thread::current().id());
            (mine, handle.map(ended).expect("open").expect("it succeeds"))
        });
        gate.open();
        let (caller, ran_on) = keyed.join().expect("it does not panic");
        assert!(ran_on != caller && ran_on != here);
    });
    assert_eq!(ended(queued).expect("it succeeds"), 1);
}

#[test]
fn worker_runs_what_it_submits_to_its_own_full_pool_whatever_is_chosen() {
    for saturation in [Saturation::Block, Saturation::Reject, Saturation::CallerRuns] {
        let builder = ThreadPool::builder().workers(1).queue_bound(1).saturation(saturation);
        let pool = builder.build().expect("good settings");
        let submitter = pool.submitter().clone();
        let outer = pool.submit(move || {
            let queued = submitter.submit(|| thread::current().id()).expect("there is one place");
            assert!(submitter.try_submit(|| ()).unwrap_err().is_full(), "{saturation:?}");
            let inline = submitter.submit(|| thread::current().id()).expect("it runs at once");
            assert!(inline.is_finished(), "{saturation:?}");
            let timed = submitter.submit_timeout(|| thread::current().id(), LONG).expect("it runs at once");
            assert!(timed.is_finished(), "{saturation:?}");
            assert!(!queued.is_finished(), "{saturation:?}");
            let me = Ok(thread::current().id());
            [inline, timed, queued].map(|handle| handle.wait().map_err(drop) == me)
        });
        assert_eq!(ended(outer.expect("open")).expect("it succeeds"), [true; 3], "{saturation:?}");
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!((report.submitted(), report.succeeded()), (4, 4), "{saturation:?}");
    }
}

/// Submitters that race the close: what is accepted runs, what is refused comes back, and nothing is both.
#[test]
fn submissions_that_race_a_close_run_or_come_back() {
    for saturation in [Saturation::Block, Saturation::Reject, Saturation::CallerRuns] {
        for round in 0..50 {
            let builder = ThreadPool::builder().workers(2).queue_bound(2).saturation(saturation);
            let pool = builder.build().expect("good settings");
            let ran = Arc::new(AtomicUsize::new(0));
            let (ready, started) = mpsc::channel();
            let (accepted, refused) = thread::scope(|scope| {
                let submitters: Vec<_> = (0..3)
                    .map(|_| {
                        let (pool, ran, ready) = (&pool, &ran, ready.clone());
                        scope.spawn(move || {
                            let (mut accepted, mut refused) = (Vec::new(), 0);
                            ready.send(()).expect("the test waits for it");
                            for _ in 0..20 {
                                let ran = Arc::clone(ran);
                                match pool.submit(move || ran.fetch_add(1, Ordering::SeqCst)) {
                                    Ok(handle) => accepted.push(handle),
                                    Err(error) => {
                                        let expected = error.is_closed() || saturation == Saturation::Reject;
                                        assert!(expected, "{:?}", error.refusal());
                                        drop(error.into_task());
                                        refused += 1;
                                    }
                                }
                            }
                            (accepted, refused)
                        })
                    })
                    .collect();
                (0..3).for_each(|_| started.recv_timeout(LONG).expect("three submitters"));
                (0..round).for_each(|_| thread::yield_now());
                pool.close();
                let ended: Vec<_> =
                    submitters.into_iter().map(|thread| thread.join().expect("it does not panic")).collect();
                let refused: usize = ended.iter().map(|(_, refused)| refused).sum();
                (ended.into_iter().flat_map(|(accepted, _)| accepted).collect::<Vec<_>>(), refused)
            });
            let count = accepted.len();
            assert_eq!(count + refused, 60, "{saturation:?}");
            for handle in accepted {
                _ = ended(handle).expect("accepted tasks run");
            }
            assert_eq!(ran.load(Ordering::SeqCst), count, "{saturation:?}");
            let report = pool.shutdown(Shutdown::Drain);
            assert_eq!(
                (report.submitted(), report.succeeded()),
                (count as u64, count as u64),
                "{saturation:?}"
            );
        }
    }
}
