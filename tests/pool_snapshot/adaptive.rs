//! The adaptive size at work, on real threads. Nothing here depends on how fast it goes: what is to happen is waited for; what must
//! not happen is looked at when something slower has happened, and more than once, because a worker that is kept from the processor
//! leaves what it has not come to yet in the queue, where it rightly is a backlog for that time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use gristmill::{AdaptiveSize, RateLimiter, Shutdown, ThreadPool, ThreadPoolBuilder};

use crate::gate::{Gate, LONG, Log, ended, spawn};
use crate::{closes, until};

const NEVER: Duration = Duration::MAX;

/// Patient for two ticks of a millisecond.
fn hasty(min: usize, max: usize) -> AdaptiveSize {
    patient_for(Duration::from_millis(2), min, max)
}

/// Patient enough for a worker that is a little late.
fn patient(min: usize, max: usize) -> AdaptiveSize {
    patient_for(Duration::from_millis(20), min, max)
}

fn patient_for(soon: Duration, min: usize, max: usize) -> AdaptiveSize {
    AdaptiveSize::between(min, max)
        .tick(Duration::from_millis(1))
        .grow_after(soon)
        .judge_within(soon)
        .shrink_after(soon)
        .remember(soon)
}

fn pool(builder: ThreadPoolBuilder<'static>, size: AdaptiveSize) -> Arc<ThreadPool> {
    Arc::new(builder.workers(1).adaptive(size).build().expect("good settings"))
}

/// Tasks that block until their gates are opened.
struct Blocked {
    gates: Vec<Gate>,
    tasks: Vec<gristmill::TaskHandle<()>>,
}

impl Blocked {
    fn new(pool: &ThreadPool, count: usize) -> Self {
        let (gates, passes): (Vec<_>, Vec<_>) = (0..count).map(|_| Gate::new()).unzip();
        let tasks = passes.into_iter().map(|pass| pool.submit(pass).expect("open")).collect();
        Self { gates, tasks }
    }

    /// How many of them have begun, since the last time.
    fn begun(&self) -> usize {
        self.gates.iter().filter(|gate| gate.has_come()).count()
    }

    fn release(self) {
        self.gates.into_iter().for_each(Gate::open);
        self.tasks.into_iter().for_each(|task| ended(task).expect("it succeeds"));
    }
}

/// Waits until a pool of the same patience has grown from one worker to four under a backlog: had another one had a reason to grow
/// meanwhile, it would have.
fn another_pool_grows(size: AdaptiveSize) {
    let other = pool(ThreadPool::builder(), size);
    let blocked = Blocked::new(&other, 8);
    until("the other pool grows", || other.workers() == 4);
    blocked.release();
}

#[test]
fn pool_grows_to_its_maximum_under_blocked_tasks_and_shrinks_to_its_minimum_in_idleness() {
    let sizes = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let (up, down) = (Arc::clone(&sizes), Arc::clone(&sizes));
    let builder = ThreadPool::builder()
        .on_worker_start(move |_| {
            let now = up.0.fetch_add(1, Ordering::SeqCst) + 1;
            up.1.fetch_max(now, Ordering::SeqCst);
        })
        .on_worker_stop(move |_| _ = down.0.fetch_sub(1, Ordering::SeqCst));
    let pool = pool(builder, hasty(1, 5));
    for _ in 0..2 {
        let blocked = Blocked::new(&pool, 12);
        let mut begun = 0;
        until("as many run as may", || {
            begun += blocked.begun();
            begun >= 5
        });
        another_pool_grows(hasty(1, 4));
        assert_eq!((pool.workers(), begun + blocked.begun()), (5, 5), "and no more");
        let now = pool.snapshot();
        closes(&now);
        assert_eq!((now.workers().len(), now.running(), now.queued()), (5, 5, 7), "{now}");
        blocked.release();
        until("it shrinks", || pool.workers() == 1);
    }
    until("the others have stopped", || sizes.0.load(Ordering::SeqCst) == 1);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.succeeded(), report.submitted()), (24, 24));
    assert_eq!((sizes.0.load(Ordering::SeqCst), sizes.1.load(Ordering::SeqCst)), (0, 5));
}

/// The most workers that there ever were.
fn counted(builder: ThreadPoolBuilder<'static>) -> (ThreadPoolBuilder<'static>, Arc<AtomicUsize>) {
    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    (builder.on_worker_start(move |_| _ = count.fetch_add(1, Ordering::SeqCst)), started)
}

/// Whether a pool stays at one worker while something is in its queue that no worker could run; looks at ten pools, because one of them may
/// have grown before its worker came to what the claim is about.
fn stays_small(at_work: impl Fn(ThreadPoolBuilder<'static>, &dyn Fn())) {
    let stayed = (0..10).any(|_| {
        let (builder, started) = counted(ThreadPool::builder());
        let small = std::cell::Cell::new(false);
        at_work(builder, &|| {
            another_pool_grows(patient(1, 4));
            small.set(started.load(Ordering::SeqCst) == 1);
        });
        small.get()
    });
    assert!(stayed, "a worker more could do nothing");
}

#[test]
fn pause_is_no_backlog() {
    stays_small(|builder, look| {
        let pool = pool(builder, patient(1, 8).shrink_after(NEVER));
        let (gate, running) = crate::gate::occupy(&pool);
        pool.pause();
        let waiting = Blocked::new(&pool, 12);
        look();
        pool.resume();
        until("now it grows", || pool.workers() == 8);
        gate.open();
        ended(running).expect("it succeeds");
        waiting.release();
    });
}

#[test]
fn what_waits_for_its_key_is_no_backlog() {
    stays_small(|builder, look| {
        let pool = pool(builder, patient(1, 8));
        let (gate, pass) = Gate::new();
        let first = pool.task().key("mill").submit(|_| pass()).expect("open");
        gate.wait();
        let rest: Vec<_> =
            (0..12).map(|i| pool.task().key("mill").submit(move |_| i).expect("open")).collect();
        look();
        gate.open();
        ended(first).expect("it succeeds");
        assert!(rest.into_iter().all(|task| ended(task).is_ok()));
    });
}

#[test]
fn what_waits_for_a_cap_is_no_backlog() {
    stays_small(|builder, look| {
        let pool = pool(builder.priority_cap(3, 1), patient(1, 8));
        let (gate, pass) = Gate::new();
        let first = pool.task().priority(3).submit(|_| pass()).expect("open");
        gate.wait();
        let rest: Vec<_> =
            (0..12).map(|i| pool.task().priority(3).submit(move |_| i).expect("open")).collect();
        look();
        gate.open();
        ended(first).expect("it succeeds");
        assert!(rest.into_iter().all(|task| ended(task).is_ok()));
    });
}

#[test]
fn what_waits_for_a_rate_is_no_backlog() {
    stays_small(|builder, look| {
        let clock = gristmill::ManualClock::new();
        let rate =
            RateLimiter::builder(1, Duration::from_secs(1)).clock(clock).build().expect("good settings");
        let pool = pool(builder, patient(1, 8));
        let rated = |i| pool.task().rate(&rate).submit(move |_| i).expect("open");
        ended(rated(0)).expect("it has the only permit");
        let rest: Vec<_> = (1..13).map(rated).collect();
        // The worker has asked for those before it comes to this.
        let (gate, running) = crate::gate::occupy(&pool);
        look();
        // First of all, or the drop would wait for them.
        assert_eq!(pool.purge().len(), rest.len());
        gate.open();
        ended(running).expect("it succeeds");
    });
}

#[test]
fn size_set_by_hand_is_a_passing_nudge() {
    let pool = pool(ThreadPool::builder(), hasty(2, 4).shrink_after(NEVER).grow_after(NEVER));
    assert_eq!(pool.workers(), 2, "brought into the range");
    pool.resize(7).expect("beyond the range, too");
    until("it goes back", || pool.workers() == 2);
    pool.resize(1).expect("below the range, too");
    until("it comes back", || pool.workers() == 2);
    assert!(pool.resize(0).is_err());
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete());
}

#[test]
fn pool_that_ends_while_it_grows_joins_who_has_come() {
    for mode in [Shutdown::Drain, Shutdown::Abort] {
        for _ in 0..10 {
            let threads = Log::new();
            let (start, stop) = (threads.clone(), threads.clone());
            let builder = ThreadPool::builder()
                .on_worker_start(move |_| start.add(1))
                .on_worker_stop(move |_| stop.add(-1));
            let pool = pool(builder, hasty(1, 32));
            let blocked = Blocked::new(&pool, 40);
            until("it grows", || pool.workers() > 1);
            let ending = {
                let pool = Arc::clone(&pool);
                spawn(move || pool.shutdown(mode))
            };
            until("it is closed", || pool.is_closed());
            for gate in blocked.gates {
                gate.open();
            }
            let report = ending.join().expect("it does not panic");
            assert!(report.is_complete(), "{report}");
            assert_eq!(report.submitted(), report.succeeded() + report.returned());
            assert_eq!(threads.all().iter().sum::<i32>(), 0, "whoever started has stopped");
            assert_eq!(pool.workers(), 0);
            drop(blocked.tasks);
        }
    }
}

#[test]
fn workers_that_cannot_be_had_neither_hang_nor_break_the_counts() {
    let tries = Arc::new(AtomicUsize::new(0));
    let (counted, ended_states) = (Arc::clone(&tries), Log::new());
    let log = ended_states.clone();
    let builder = ThreadPool::builder().workers(1).adaptive(hasty(1, 6)).worker_state(
        move |worker| {
            if worker >= 2 {
                counted.fetch_add(1, Ordering::SeqCst);
                panic!("no state for worker {worker}");
            }
        },
        move |worker, ()| log.add(worker),
    );
    let pool = Arc::new(builder.build().expect("good settings"));
    let (gates, passes): (Vec<_>, Vec<_>) = (0..6).map(|_| Gate::new()).unzip();
    let tasks: Vec<_> = passes.into_iter().map(|pass| pool.submit(pass).expect("open")).collect();
    until("it has tried, given up, and tried again", || tries.load(Ordering::SeqCst) > 20);
    until("it has what can be had", || pool.workers() == 2 && pool.snapshot().running() == 2);
    let now = pool.snapshot();
    closes(&now);
    assert_eq!((now.queued(), now.submitted()), (4, 6));
    Blocked { gates, tasks }.release();
    let (done, ends) = mpsc::channel();
    let ending = Arc::clone(&pool);
    spawn(move || drop(done.send(ending.shutdown(Shutdown::Drain))));
    let report = ends.recv_timeout(LONG).expect("it ends");
    assert!(report.is_complete());
    assert_eq!((report.succeeded(), report.submitted(), report.worker_panics().len()), (6, 6, 0));
    assert!(ended_states.all().iter().all(|worker| *worker < 2));
}

#[test]
fn settings_out_of_range_are_refused() {
    let built = ThreadPool::builder().adaptive(AdaptiveSize::between(3, 2)).build();
    assert_eq!(built.map(drop).unwrap_err().to_string(), "the adaptive size makes no sense");
}
