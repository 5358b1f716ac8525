//! What a hostile user found: each test is a hang, a leak, an abort or a broken promise that there was.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::pedantic)] // watchdogs on real threads and the real clock: a hang is what is looked for

use std::panic::panic_any;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gristmill::combine::{wait_all, wait_all_timeout};
use gristmill::{
    AcquireError, Attempt, CancellationToken, ErrorGroup, KeyFailure, ManualClock, Nest, Policy, PolicyError,
    Refusal, Retry, Saturation, Semaphore, Shutdown, Submitter, TaskError, ThreadPool, TimeLimit, WaitError,
};

/// Long enough for anything that does happen.
const LONG: Duration = Duration::from_secs(20);

/// Runs `body` on a thread of its own, and fails if it does not end.
fn must_end<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = channel();
    thread::spawn(move || drop(done.send(body())));
    ended.recv_timeout(LONG).expect("it ends")
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "{what}");
        thread::yield_now();
    }
}

/// Lets other threads go on. What is claimed holds in whatever order; this makes the telling one likely.
fn give_way() {
    (0..1000).for_each(|_| thread::yield_now());
}

fn until_one_is_idle(pool: &ThreadPool) {
    until("a worker is idle", || pool.snapshot().workers().iter().any(|worker| worker.idle_for().is_some()));
}

/// A task that says that it runs, and ends when it is told to.
fn gate() -> (impl FnOnce() + Send + 'static, Receiver<()>, Sender<()>) {
    let (begun, runs) = channel();
    let (go, goes) = channel::<()>();
    let task = move || {
        begun.send(()).unwrap();
        let _ = goes.recv_timeout(LONG);
    };
    (task, runs, go)
}

#[test]
fn worker_that_kept_a_rest_through_a_pause_does_not_count_as_searching() {
    for _ in 0..10 {
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        let (first, first_runs, first_go) = gate();
        let (second, second_runs, second_go) = gate();
        pool.pause();
        let first = pool.submit(first).unwrap();
        let second = pool.submit(second).unwrap();
        pool.resume();
        first_runs.recv_timeout(LONG).unwrap();
        pool.pause();
        pool.resize(2).unwrap();
        first_go.send(()).unwrap();
        first.wait().unwrap();
        until_one_is_idle(&pool);
        pool.resume();
        second_runs.recv_timeout(LONG).unwrap();
        until_one_is_idle(&pool);
        // One worker runs `second`, the other one is idle.
        let third = pool.submit(|| 3).unwrap().wait_timeout(LONG);
        second_go.send(()).unwrap();
        assert_eq!(third.expect("the idle worker is woken").unwrap(), 3);
        second.wait().unwrap();
    }
}

#[test]
fn pool_that_is_closed_while_it_is_paused_lets_its_workers_go() {
    let stopped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&stopped);
    let hook = move |_| _ = count.fetch_add(1, Ordering::SeqCst);
    let pool = ThreadPool::builder().workers(2).on_worker_stop(hook).build().unwrap();
    pool.pause();
    pool.close();
    until("the workers have left", || stopped.load(Ordering::SeqCst) == 2);
}

#[test]
fn pause_does_not_hold_up_a_pool_that_ends() {
    must_end(|| {
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        let (submitter, closed) = (pool.submitter().clone(), pool.submitter().clone());
        let pauses = pool.submit(move || {
            until("it is closed", || closed.is_closed());
            submitter.pause();
        });
        drop(pauses.unwrap());
        let last = pool.submit(|| 1).unwrap();
        drop(pool);
        assert_eq!(last.wait().unwrap(), 1);
    });
}

#[test]
fn tasks_may_resize_while_somebody_waits_for_them_to_leave() {
    must_end(|| {
        let pool = Arc::new(ThreadPool::builder().workers(3).build().unwrap());
        let shrinking = Arc::new(AtomicBool::new(false));
        let submitter = pool.submitter();
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let (pool, shrinking) = (Arc::clone(&pool), Arc::clone(&shrinking));
                let task = move || {
                    until("somebody shrinks the pool", || shrinking.load(Ordering::SeqCst));
                    give_way();
                    let _ = format!("{pool:?}");
                    pool.try_resize(3).unwrap();
                    pool.resize(3).unwrap();
                };
                submitter.submit(task).unwrap()
            })
            .collect();
        until("both run", || pool.queued() == 0);
        let shrinks = thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.resize(1)
        });
        until("the idle one leaves", || pool.workers() == 2);
        shrinking.store(true, Ordering::SeqCst);
        tasks.into_iter().for_each(|task| task.wait().unwrap());
        shrinks.join().unwrap().unwrap();
        assert_eq!(pool.workers(), 3, "the last call counts");
    });
}

#[test]
fn resize_that_may_not_wait_does_not_wait_for_another_one() {
    let pool = Arc::new(ThreadPool::builder().workers(2).build().unwrap());
    let (one, one_runs, one_go) = gate();
    let (two, two_runs, two_go) = gate();
    let tasks = [pool.submit(one).unwrap(), pool.submit(two).unwrap()];
    one_runs.recv_timeout(LONG).unwrap();
    two_runs.recv_timeout(LONG).unwrap();
    let shrinks = thread::spawn({
        let pool = Arc::clone(&pool);
        move || pool.resize(1)
    });
    give_way();
    let other = Arc::clone(&pool);
    must_end(move || other.try_resize(3)).unwrap();
    one_go.send(()).unwrap();
    two_go.send(()).unwrap();
    shrinks.join().unwrap().unwrap();
    tasks.into_iter().for_each(|task| task.wait().unwrap());
}

#[test]
fn leavers_are_joined_when_resize_returns() {
    let stopped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&stopped);
    let hook = move |_| {
        give_way();
        count.fetch_add(1, Ordering::SeqCst);
    };
    let pool = ThreadPool::builder().workers(1).on_worker_stop(hook).build().unwrap();
    for round in 1..=100 {
        pool.resize(4).unwrap();
        for _ in 0..50 {
            drop(pool.submit(|| ()).unwrap());
        }
        pool.resize(1).unwrap();
        assert_eq!(stopped.load(Ordering::SeqCst), 3 * round);
    }
}

#[test]
fn task_that_its_submitter_runs_cannot_wait_for_its_pool() {
    must_end(|| {
        let settings = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::CallerRuns);
        let pool = Arc::new(settings.build().unwrap());
        let submitter = pool.submitter().clone();
        pool.pause();
        drop(submitter.submit(|| ()).unwrap());
        let inside = submitter.clone();
        let waits = submitter.submit(move || inside.wait()).unwrap();
        assert!(matches!(waits.wait().unwrap(), Err(WaitError::OwnTask)));
        // Closes, and does not wait; and the pool is dropped there.
        let ends = submitter.submit(move || pool.shutdown(Shutdown::Drain).is_complete()).unwrap();
        assert!(!ends.wait().unwrap());
        submitter.wait().unwrap();
    });
}

#[test]
fn task_that_its_submitter_runs_has_a_token_of_the_pool() {
    let token = CancellationToken::new();
    let settings = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::CallerRuns);
    let pool = settings.token(&token).build().unwrap();
    pool.pause();
    drop(pool.submit(|| ()).unwrap());
    let inline = pool.task().submit(move |context| {
        let own = context.token();
        token.cancel();
        (own.is_cancelled(), context.worker())
    });
    assert_eq!(inline.unwrap().wait().unwrap(), (true, None));
}

#[test]
fn rest_of_a_batch_of_a_stuck_worker_is_taken_over_whoever_else_is_there() {
    // After shrinking, the two workers that are left are far from each other; with twelve, eleven are stuck.
    for (most, workers) in [(16, 2), (12, 12)] {
        let pool = ThreadPool::builder().workers(1).queue_bound(4096).build().unwrap();
        pool.resize(most).unwrap();
        pool.resize(1).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stuck = |runs: Sender<()>| {
            let stop = Arc::clone(&stop);
            move || {
                runs.send(()).unwrap();
                until("the end of the test", || stop.load(Ordering::SeqCst));
            }
        };
        let (runs, is_running) = channel();
        pool.pause();
        drop(pool.submit(stuck(runs.clone())).unwrap());
        let (starts, late) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..31 {
            let (starts, late) = (Arc::clone(&starts), Arc::clone(&late));
            let rest = move || _ = late.fetch_max(starts.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
            drop(pool.submit(rest).unwrap());
        }
        pool.resume();
        is_running.recv_timeout(LONG).unwrap();
        pool.pause();
        for _ in 0..workers - 2 {
            drop(pool.submit(stuck(runs.clone())).unwrap());
        }
        for _ in 0..4000 {
            let starts = Arc::clone(&starts);
            drop(pool.submit(move || _ = starts.fetch_add(1, Ordering::SeqCst)).unwrap());
        }
        pool.resize(workers).unwrap();
        pool.resume();
        until("what was queued has started", || starts.load(Ordering::SeqCst) == 4000);
        until("the rest of the batch, too", || late.load(Ordering::SeqCst) > 0);
        let late = late.load(Ordering::SeqCst);
        stop.store(true, Ordering::SeqCst);
        pool.wait().unwrap();
        // Twice what it takes where threads start at once; a quarter to a half of what was queued.
        assert!(late <= 2 * (64 * workers + 8 * most + 64), "{late} starts late with {workers} workers");
    }
}

#[test]
fn turn_of_a_key_goes_by_the_number_of_submission() {
    let pool = ThreadPool::builder().workers(1).queue_bound(1024).build().unwrap();
    pool.pause();
    let order = Arc::new(Mutex::new(Vec::new()));
    let push = |what| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(what)
    };
    for _ in 0..5 {
        let push = push(true);
        drop(pool.task().key("hot").submit(move |_| push()).unwrap());
    }
    for _ in 0..1000 {
        drop(pool.submit(push(false)).unwrap());
    }
    pool.resume();
    pool.wait().unwrap();
    let order = order.lock().unwrap();
    let last = order.iter().rposition(|is_keyed| *is_keyed).unwrap();
    assert!(last <= 4 * 32, "the last of five tasks with one key was {last} late");
}

#[derive(Hash, PartialEq, Eq)]
struct PanicsWhenDropped(u32);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("the drop of a key");
    }
}

#[test]
fn keys_whose_drops_panic_do_not_abort_a_close() {
    let pool = ThreadPool::builder().workers(1).on_key_failure(KeyFailure::Hold).build().unwrap();
    for key in 0..2 {
        let fails = pool.task().key(PanicsWhenDropped(key)).submit(|_| panic!("failed"));
        assert!(fails.unwrap().wait().is_err_and(|error: TaskError| error.is_panicked()));
    }
    assert_eq!(pool.held_keys().len(), 2);
    pool.close();
    assert!(pool.held_keys().is_empty());
}

#[test]
fn dropped_pool_drops_what_it_handed_back() {
    let witness = Arc::new(());
    let pool = ThreadPool::builder().workers(1).on_key_failure(KeyFailure::Hold).build().unwrap();
    pool.pause();
    drop(pool.task().key(1).submit(|_| panic!("failed")).unwrap());
    let (held, submitter) = (Arc::clone(&witness), pool.submitter().clone());
    // A circle: the pool's core, the task that was handed back, the core.
    drop(pool.task().key(1).submit(move |_| drop((held, submitter))).unwrap());
    drop(pool);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn wait_for_a_detached_pool_ends_with_its_token() {
    let token = CancellationToken::new();
    let pool = ThreadPool::builder().workers(1).token(&token).build().unwrap();
    let (task, runs, go) = gate();
    let task = pool.submit(task).unwrap();
    runs.recv_timeout(LONG).unwrap();
    let submitter = pool.submitter().clone();
    pool.detach();
    let cancels = thread::spawn(move || {
        give_way();
        token.cancel();
    });
    assert!(matches!(must_end(move || submitter.wait()), Err(WaitError::Cancelled(_))));
    cancels.join().unwrap();
    go.send(()).unwrap();
    task.wait().unwrap();
}

#[test]
fn report_counts_failed_tasks() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    drop(pool.task().fallible().submit(|_| Err::<(), _>("no")).unwrap());
    drop(pool.submit(|| ()).unwrap());
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.submitted(), report.succeeded(), report.failed()), (2, 1, 1));
    assert_eq!(report.to_string(), "2 tasks: 1 succeeded, 1 failed, 0 panicked, 0 cancelled, 0 handed back");
}

#[test]
fn panic_without_a_location_does_not_get_that_of_an_earlier_task() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    pool.submit(|| drop(catch_unwind(|| panic!("handled")))).unwrap().wait().unwrap();
    let resumes = pool.submit(|| -> () { resume_unwind(Box::new("resumed")) }).unwrap();
    let Err(TaskError::Panicked(panic)) = resumes.wait() else { unreachable!("it panicked") };
    assert_eq!(panic.location(), None);
}

#[test]
fn dropping_a_task_that_came_back_drops_its_closure_whoever_has_the_handle() {
    let witness = Arc::new(());
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    pool.pause();
    let held = Arc::clone(&witness);
    let handle = pool.submit(move || drop(held)).unwrap();
    drop(pool.purge());
    assert_eq!(Arc::strong_count(&witness), 1);
    assert!(handle.wait().is_err_and(|error| error.is_returned()));
}

/// The `left` last links of a chain of tasks, each of which submits the next one.
fn link(submitter: &Submitter<'static>, left: usize, ran: &Arc<AtomicUsize>, refused: &Arc<AtomicUsize>) {
    let mut left = left;
    loop {
        ran.fetch_add(1, Ordering::SeqCst);
        left -= 1;
        if left == 0 {
            return;
        }
        let (next, ran, refusals) = (submitter.clone(), Arc::clone(ran), Arc::clone(refused));
        let Err(error) = submitter.submit(move || link(&next, left, &ran, &refusals)) else { return };
        assert!(matches!(error.refusal(), Refusal::Full), "{error:?}");
        // The task goes on itself, instead of its successor.
        drop(error.into_task());
        refused.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn chain_of_submissions_does_not_overflow_the_stack() {
    const LINKS: usize = 100_000;
    for saturation in [Saturation::Block, Saturation::CallerRuns] {
        let settings = ThreadPool::builder().workers(1).queue_bound(1);
        let pool = settings.saturation(saturation).build().unwrap();
        let (ran, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // The queue stays full while the chain goes on.
        let (submitter, counts) = (pool.submitter().clone(), (Arc::clone(&ran), Arc::clone(&refused)));
        let first = pool.submit(move || {
            drop(submitter.try_submit(|| ()).unwrap());
            link(&submitter, LINKS, &counts.0, &counts.1);
        });
        first.unwrap().wait().unwrap();
        pool.wait().unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), LINKS);
        let refused = refused.load(Ordering::SeqCst);
        assert!(refused > 0);
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!(report.submitted() as usize, LINKS + 1 - refused, "what was refused does not count");
        assert_eq!(report.succeeded(), report.submitted());
    }
}

#[test]
fn report_keeps_the_first_panics_of_hooks_and_counts_the_others() {
    let hook = |_: &_| panic!("the hook of a panic");
    let pool = ThreadPool::builder().workers(1).on_task_panic(hook).build().unwrap();
    for _ in 0..1003 {
        drop(pool.submit(|| panic!("a task")).unwrap());
    }
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.worker_panics().len(), report.more_worker_panics()), (1000, 3));
    assert!(report.to_string().ends_with("\n3 more panics of hooks"));
}

/// A policy of the user's, around another.
struct Wrapped<P>(P);

impl<E, P: Policy<E>> Policy<E> for Wrapped<P> {
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.0.apply(attempt, work)
    }

    fn would_wait_for_itself(&self) -> bool {
        self.0.would_wait_for_itself()
    }
}

/// Runs `inner` inside of a bulkhead, on the one worker of a pool.
fn inside<T: Send + 'static>(
    bulkhead: &Arc<Semaphore>,
    inner: impl FnMut(&Submitter<'static>) -> T + Send + 'static,
) -> T {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let (submitter, mut inner) = (pool.submitter().clone(), inner);
    let outer =
        pool.task().under(Arc::clone(bulkhead)).submit(move |_, _| Ok::<_, String>(inner(&submitter)));
    outer.expect("open").wait_timeout(LONG).expect("every wait ends").expect("no panic").expect("no failure")
}

/// Submits a task under the policy that waits for its own permit, and waits for it a moment.
fn waits_in_vain<P: Policy<String> + Send + 'static>(pool: &Submitter<'static>, policy: P) -> bool {
    let handle = pool.task().under(policy).submit(|_, _| Ok(())).expect("room");
    let handle =
        handle.wait_timeout(Duration::from_millis(1)).expect_err("it waits for the permit of this thread");
    let token = CancellationToken::with_timeout(Duration::from_millis(1));
    let handle = handle.wait_with(&token).expect_err("the token ends the wait").into_handle();
    let left = wait_all_timeout([handle], Duration::from_millis(1)).expect_err("in a set, too");
    left.len() == 1
}

type InVain = Box<dyn Fn(&Submitter<'static>) -> bool + Send>;

#[test]
fn wait_inside_of_a_bulkhead_for_a_task_that_needs_its_permit_ends_with_its_time_and_its_token() {
    let bulkhead = Arc::new(Semaphore::new(1));
    let at = || Arc::clone(&bulkhead);
    let policies: [InVain; 6] = [
        Box::new({
            let it = at();
            move |pool| waits_in_vain(pool, Arc::clone(&it))
        }),
        Box::new({
            let it = at();
            move |pool| waits_in_vain(pool, Wrapped(Some(Box::new(Arc::clone(&it)))))
        }),
        Box::new({
            let it = at();
            move |pool| waits_in_vain(pool, it.entry_owned(1, Duration::MAX))
        }),
        Box::new({
            let it = at();
            let retry = Retry::new(2).expect("attempts");
            move |pool| waits_in_vain(pool, retry.clone().around(Arc::clone(&it)))
        }),
        Box::new({
            let it = at();
            move |pool| waits_in_vain(pool, Arc::clone(&it).around(TimeLimit::new(LONG)))
        }),
        Box::new({
            let it = at();
            move |pool| waits_in_vain(pool, Arc::clone(&it).terminal_if(|_: &String| false))
        }),
    ];
    for policy in policies {
        assert!(inside(&bulkhead, move |pool| policy(pool)));
        assert_eq!(bulkhead.available(), 1);
    }
}

#[test]
fn time_limit_around_the_bulkhead_ends_the_wait_of_a_task_that_runs_where_it_is_waited_for() {
    let bulkhead = Arc::new(Semaphore::new(1));
    let limited = TimeLimit::new(Duration::from_millis(1)).around(Arc::clone(&bulkhead));
    let error = inside(&bulkhead, move |pool| {
        let handle = pool.task().under(limited.clone()).submit(|_, _| Ok::<_, String>(()));
        handle.expect("room").wait().expect("no panic").expect_err("there is no permit")
    });
    assert!(error.is_timed_out(), "{error}");
}

/// Neither `Duration::MAX` nor what the clock cannot count to ends a wait: the task must not run where it would wait for itself.
#[test]
fn limits_that_no_clock_can_count_to_end_no_wait_inside_of_a_bulkhead() {
    let bulkhead = Arc::new(Semaphore::new(1));
    for limit in [Duration::MAX, Duration::MAX - Duration::from_nanos(1), Duration::from_secs(u64::MAX / 2)] {
        let it = Arc::clone(&bulkhead);
        let limited = move || TimeLimit::new(limit).around(Arc::clone(&it));
        assert!(inside(&bulkhead, move |pool| waits_in_vain(pool, limited())));
        let it = Arc::clone(&bulkhead);
        let on_a_clock =
            move || TimeLimit::new(limit).clock(ManualClock::new()).around(it.entry_owned(1, limit));
        assert!(inside(&bulkhead, move |pool| waits_in_vain(pool, on_a_clock())));
        let it = Arc::clone(&bulkhead);
        assert!(inside(&bulkhead, move |pool| waits_in_vain(pool, it.entry_owned(1, limit))));
        assert_eq!(bulkhead.available(), 1);
    }
}

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// Its answer is a panic, and so is the end of that.
struct Panics;

impl<E> Policy<E> for Panics {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        work(attempt)
    }

    fn would_wait_for_itself(&self) -> bool {
        panic_any(Grenade)
    }
}

#[test]
fn policy_that_panics_when_it_is_asked_is_taken_to_need_nothing() {
    let sum = inside(&Arc::new(Semaphore::new(1)), |pool| {
        let task = pool.task().under(Panics).submit(|_, _| Ok::<_, String>(1)).expect("room");
        let group = ErrorGroup::<_, PolicyError<String>>::builder().limit(1).on(pool).expect("a limit");
        group.task().under(Panics).spawn(|_, _| Ok(2)).expect("room");
        let values = group.into_results().expect("none fails");
        task.wait().expect("no panic").expect("no failure") + values[0]
    });
    assert_eq!(sum, 3);
}

#[test]
fn wait_inside_of_a_bulkhead_for_a_task_ahead_by_key_that_needs_its_permit_ends() {
    let bulkhead = Arc::new(Semaphore::new(1));
    let policy = Arc::clone(&bulkhead);
    let ended = inside(&bulkhead, move |pool| {
        let first = pool.task().key(1).under(Arc::clone(&policy)).submit(|_, _| Ok::<_, String>(()));
        let second = pool.task().key(1).submit(|_| ()).expect("room");
        drop(first.expect("room"));
        second.wait_timeout(Duration::from_millis(1)).is_err()
    });
    assert!(ended, "what is ahead waits for the permit of this thread");
}

#[test]
fn group_that_needs_the_permit_of_who_waits_for_it_is_waited_for_no_longer_than_told() {
    let bulkhead = Arc::new(Semaphore::new(1));
    let policy = Arc::clone(&bulkhead);
    let ended = inside(&bulkhead, move |pool| {
        let group = ErrorGroup::<(), PolicyError<String>>::builder()
            .limit(2)
            .queue_bound(0)
            .on(pool)
            .expect("a limit");
        group.task().under(Arc::clone(&policy)).spawn(|_, _| Ok(())).expect("room");
        group.spawn(|| Ok(())).expect("room");
        let full = group.spawn_timeout(|| Ok(()), Duration::from_millis(1)).is_err();
        let ended = full && group.wait_timeout(Duration::from_millis(1)).is_none();
        group.cancel();
        ended
    });
    assert!(ended);
    assert_eq!(bulkhead.available(), 1);
}

/// Tells how often it is asked.
struct Asked<P>(P, Sender<()>);

impl<E, P: Policy<E>> Policy<E> for Asked<P> {
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.0.apply(attempt, work)
    }

    fn would_wait_for_itself(&self) -> bool {
        let answer = self.0.would_wait_for_itself();
        let _ = self.1.send(());
        answer
    }
}

/// Runs `inner` inside of a bulkhead for two, with a policy that is the same bulkhead; somebody else is in there until it has been asked so many times.
fn beside_another(
    asks: usize,
    inner: impl Fn(&Submitter<'static>, Asked<Arc<Semaphore>>) -> i32 + Send + 'static,
) {
    let bulkhead = Arc::new(Semaphore::new(2));
    let other = bulkhead.acquire_owned(1).unwrap();
    let (ask, asked) = channel();
    let policy = Mutex::new(Some(Asked(Arc::clone(&bulkhead), ask)));
    let leaves = thread::spawn(move || {
        (0..asks).for_each(|_| asked.recv().unwrap());
        drop(other);
    });
    assert_eq!(inside(&bulkhead, move |pool| inner(pool, policy.lock().unwrap().take().unwrap())), 1);
    leaves.join().unwrap();
    assert_eq!(bulkhead.available(), 2);
}

#[test]
fn permit_that_another_gives_back_is_found_by_who_waits_inside_of_the_bulkhead() {
    // Before it sleeps it asks twice, and in a set once.
    beside_another(2, |pool, policy| {
        let task = pool.task().under(policy).submit(|_, _| Ok::<_, String>(1));
        task.unwrap().wait().unwrap().unwrap()
    });
    beside_another(1, |pool, policy| {
        let task = pool.task().under(policy).submit(|_, _| Ok::<_, String>(1));
        wait_all([task.unwrap()]).pop().unwrap().unwrap().unwrap()
    });
    beside_another(2, |pool, policy| {
        let ahead = pool.task().key(1).under(policy).submit(|_, _| Ok::<_, String>(1)).unwrap();
        pool.task().key(1).submit(|_| ()).unwrap().wait().unwrap();
        ahead.wait().unwrap().unwrap()
    });
    beside_another(1, |pool, policy| {
        let group = ErrorGroup::<_, PolicyError<String>>::builder().limit(1).on(pool).unwrap();
        group.task().under(policy).spawn(|_, _| Ok(1)).unwrap();
        group.into_results().unwrap()[0]
    });
    beside_another(1, |pool, policy| {
        let settings = ErrorGroup::<_, PolicyError<String>>::builder().limit(1).queue_bound(0);
        let group = settings.on(pool).unwrap();
        group.task().under(policy).spawn(|_, _| Ok(1)).unwrap();
        group.spawn_timeout(|| Ok(0), LONG).unwrap();
        group.into_results().unwrap().into_iter().sum()
    });
}

#[test]
fn what_a_semaphore_answers_at_once_is_asked_for_inside_of_it() {
    let bulkhead = Arc::new(Semaphore::new(1));
    let it = Arc::clone(&bulkhead);
    inside(&bulkhead, move |pool| {
        let run = |permits| {
            let policy = it.entry_owned(permits, Duration::MAX);
            pool.task().under(policy).submit(|_, _| Ok::<_, String>(())).unwrap().wait().unwrap()
        };
        run(0).unwrap();
        assert!(matches!(run(2), Err(PolicyError::Permits(AcquireError::ExceedsCapacity { .. }))));
        it.close();
        assert!(matches!(run(1), Err(PolicyError::Permits(AcquireError::Closed))));
    });
}

#[test]
fn inside_of_a_bulkhead_tasks_that_find_a_permit_or_need_another_run_where_they_are_waited_for() {
    let bulkhead = Arc::new(Semaphore::new(2));
    let (same, other) = (Arc::clone(&bulkhead), Arc::new(Semaphore::new(1)));
    let sum = inside(&bulkhead, move |pool| {
        let under_same =
            pool.task().under(Arc::clone(&same)).submit(|_, _| Ok::<_, String>(1)).expect("room");
        let under_other =
            pool.task().under(Arc::clone(&other)).submit(|_, _| Ok::<_, String>(2)).expect("room");
        let under_none = pool.submit(|| 4).expect("room");
        let guarded =
            [under_same, under_other].map(|handle| handle.wait().expect("no panic").expect("a permit"));
        guarded.into_iter().sum::<i32>() + under_none.wait().expect("no panic")
    });
    assert_eq!(sum, 7);
}

#[test]
fn task_that_is_told_to_stop_sees_who_shut_its_pool_down() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let (began, begins) = channel();
    let task = pool.task().submit(move |context| {
        began.send(()).unwrap();
        context.token().wait().location().file().to_owned()
    });
    begins.recv_timeout(LONG).unwrap();
    assert!(pool.shutdown(Shutdown::Abort).is_complete());
    assert!(task.unwrap().wait().unwrap().ends_with("pool_hostile.rs"));
}
