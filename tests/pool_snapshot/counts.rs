//! The counts: of the pool, of each worker, of each priority.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill::{
    KeyFailure, Shutdown, ShutdownReport, Snapshot, TaskError, TaskHandle, ThreadPool, ThreadPoolBuilder,
    WorkerSnapshot,
};

use crate::gate::{LONG, ended, occupy, spawn};
use crate::{closes, until};

fn pool(builder: ThreadPoolBuilder<'static>) -> Arc<ThreadPool> {
    Arc::new(builder.build().expect("good settings"))
}

/// Succeeded, failed, panicked, cancelled, returned.
type Ends = [u64; 5];

fn ends_of(now: &Snapshot) -> Ends {
    [now.succeeded(), now.failed(), now.panicked(), now.cancelled(), now.returned()]
}

fn ends_of_report(report: &ShutdownReport<'_>) -> Ends {
    [report.succeeded(), report.failed(), report.panicked(), report.cancelled(), report.returned()]
}

fn end_of<T>(result: &Result<T, TaskError>, is_failure: bool) -> usize {
    match result {
        Ok(_) => usize::from(is_failure),
        Err(TaskError::Panicked(_)) => 2,
        Err(TaskError::Cancelled { .. }) => 3,
        Err(_) => 4,
    }
}

fn tally<T>(handles: Vec<TaskHandle<T>>, is_failure: impl Fn(&T) -> bool) -> Ends {
    let mut ends = Ends::default();
    for handle in handles {
        let result = ended(handle);
        let failed = result.as_ref().is_ok_and(&is_failure);
        ends[end_of(&result, failed)] += 1;
    }
    ends
}

const ROUNDS: u64 = 150;

/// Plain tasks, one by one and many at once; some panic.
fn plain(pool: &ThreadPool, seed: u64) -> Ends {
    let submit = |i: u64| pool.submit(move || assert_ne!(i % 50, seed, "one in fifty")).expect("open");
    let singles = tally((0..ROUNDS).map(submit).collect(), |()| false);
    let many = pool.submit_many((0..ROUNDS).map(|i| move || i)).expect("open").wait();
    let mut ends = singles;
    for result in &many {
        ends[end_of(result, false)] += 1;
    }
    ends
}

/// Tasks of two keys, of which some fail, and take what waits behind them along.
fn keyed(pool: &ThreadPool) -> Ends {
    let submit = |i: u64| {
        let task = pool.task().key(i % 2).priority(i8::from(i % 3 == 0)).fallible();
        task.submit(move |_| if i % 7 == 0 { Err(i) } else { Ok(i) }).expect("open")
    };
    tally((0..ROUNDS).map(submit).collect(), Result::is_err)
}

/// Tasks that are cancelled as soon as they are submitted.
fn cancelled(pool: &ThreadPool) -> Ends {
    let submit = |_| {
        let handle = pool.task().name("brief").submit(|_| ()).expect("open");
        let _ = handle.cancel();
        handle
    };
    tally((0..ROUNDS).map(submit).collect(), |()| false)
}

#[test]
fn counts_close_at_every_instant_whatever_is_going_on() {
    let builder = ThreadPool::builder().workers(2).queue_bound(32).on_key_failure(KeyFailure::DropRest);
    let pool = pool(builder);
    let work = |run: fn(&ThreadPool) -> Ends| {
        let pool = Arc::clone(&pool);
        spawn(move || run(&pool))
    };
    let threads = [work(|pool| plain(pool, 7)), work(|pool| plain(pool, 31)), work(keyed), work(cancelled)];
    let interferer = {
        let pool = Arc::clone(&pool);
        spawn(move || {
            for round in 0..ROUNDS / 5 {
                pool.pause();
                if round % 3 == 0 {
                    drop(pool.purge());
                }
                pool.resume();
                pool.resize(1 + usize::try_from(round).unwrap_or(0) % 4).expect("open");
            }
        })
    };
    let mut before = pool.snapshot();
    while !threads.iter().all(std::thread::JoinHandle::is_finished) {
        let now = pool.snapshot();
        closes(&now);
        assert!(before.submitted() <= now.submitted() && before.started() <= now.started());
        let pairs = ends_of(&before).into_iter().zip(ends_of(&now));
        assert!(pairs.into_iter().all(|(before, now)| before <= now), "{before}\n{now}");
        before = now;
    }
    interferer.join().expect("it does not panic");
    let mut seen = Ends::default();
    for thread in threads {
        let ends = thread.join().expect("it does not panic");
        seen.iter_mut().zip(ends).for_each(|(sum, one)| *sum += one);
    }
    pool.wait().expect("nothing is cancelled");
    let last = pool.snapshot();
    assert_eq!(ends_of(&last), seen, "as their handles say: {last}");
    assert_eq!((last.submitted(), last.queued(), last.running()), (seen.iter().sum(), 0, 0));
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!(ends_of_report(&report), seen);
}

#[test]
fn report_and_last_snapshot_agree() {
    for mode in [Shutdown::Drain, Shutdown::Abort] {
        let pool = pool(ThreadPool::builder().workers(1).queue_bound(8));
        let (gate, running) = occupy(&pool);
        let queued: Vec<_> = (0..3).map(|i| pool.submit(move || i).expect("open")).collect();
        assert_eq!(queued[1].cancel(), gristmill::CancelOutcome::Prevented);
        let ending = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.shutdown(mode))
        };
        until("it is closed", || pool.is_closed());
        // An abort closes before it stops.
        until("it has stopped", || mode == Shutdown::Drain || pool.snapshot().returned() == 2);
        gate.open();
        let report = ending.join().expect("it does not panic");
        ended(running).expect("it succeeds");
        let last = pool.snapshot();
        closes(&last);
        assert!(report.is_complete());
        assert_eq!(report.submitted(), last.submitted());
        assert_eq!(ends_of_report(&report), ends_of(&last), "{mode:?}");
        let expected = if mode == Shutdown::Drain { [3, 0, 0, 1, 0] } else { [1, 0, 0, 1, 2] };
        assert_eq!(ends_of(&last), expected);
        assert!(last.workers().is_empty() && last.queued_by_priority().is_empty(), "{last}");
    }
}

#[test]
fn workers_shares_sum_to_the_totals_once_it_is_quiet() {
    let pool = pool(ThreadPool::builder().workers(3));
    for i in 0..300 {
        drop(pool.submit(move || i).expect("open"));
    }
    pool.wait().expect("nothing is cancelled");
    until("all rest", || pool.snapshot().workers().iter().all(|one| one.idle_for().is_some()));
    let now = pool.snapshot();
    assert_eq!(now.workers().iter().map(WorkerSnapshot::started).sum::<u64>(), 300);
    assert_eq!((now.started(), now.succeeded()), (300, 300));
    let there: Vec<_> = now.workers().iter().map(WorkerSnapshot::worker).collect();
    assert_eq!(there, [0, 1, 2]);
    for one in now.workers() {
        assert!((0.0..=1.0).contains(&one.utilisation()), "{one}");
        assert!(one.idle() <= one.there() && one.idle_for() <= Some(one.idle()), "{one}");
        assert!(one.running().is_none());
    }
    pool.resize(1).expect("open");
    assert_eq!(pool.snapshot().workers().len(), 1);
    assert_eq!(pool.snapshot().started(), 300, "what those started who have left is not lost");
}

#[test]
fn snapshot_has_as_many_workers_as_the_pool_from_its_first_instant() {
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    let builder = ThreadPool::builder().workers(3);
    let pool = pool(builder.on_worker_start(move |_| {
        let _ = goes.lock().expect("not poisoned").recv_timeout(LONG);
    }));
    let now = pool.snapshot();
    assert_eq!((now.workers().len(), pool.workers()), (3, 3));
    assert!(now.workers().iter().all(|one| one.idle_for().is_some() && one.started() == 0), "{now}");
    drop(go);
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("it succeeds"), 7);
}

#[test]
fn priorities_sum_to_what_is_queued_but_for_what_waits_for_its_key() {
    let pool = pool(ThreadPool::builder().workers(1).queue_bound(256));
    pool.pause();
    assert!(pool.snapshot().queued_by_priority().is_empty());
    let many = pool.submit_many((0..70).map(|i| move || i)).expect("open");
    let sum = |now: &Snapshot| now.queued_by_priority().values().sum::<usize>();
    assert_eq!(pool.snapshot().queued_by_priority(), &BTreeMap::from([(0, 70)]));
    let plain = pool.submit(|| ()).expect("open");
    for priority in [-1, 9, -1, 0] {
        drop(pool.task().priority(priority).submit(|_| ()).expect("open"));
    }
    for _ in 0..3 {
        drop(pool.task().key("mill").priority(2).submit(|_| ()).expect("open"));
    }
    let now = pool.snapshot();
    assert_eq!(now.queued_by_priority(), &BTreeMap::from([(-1, 2), (0, 72), (2, 1), (9, 1)]));
    assert_eq!((pool.queued(), sum(&now), now.queued()), (78, 76, 78));
    assert_eq!(plain.cancel(), gristmill::CancelOutcome::Prevented);
    let now = pool.snapshot();
    assert_eq!((pool.queued(), sum(&now), now.queued()), (78, 76, 77), "no worker has come to it");
    pool.resume();
    assert!(many.wait().into_iter().all(|result| result.is_ok()));
    pool.wait().expect("nothing is cancelled");
    // The one that was cancelled counts until a worker comes to it, and nobody waits for that.
    until("the queue is empty", || pool.snapshot().queued_by_priority().is_empty());
}
