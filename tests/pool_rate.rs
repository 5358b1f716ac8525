//! Rates of a pool and of classes of tasks, on a clock that stands still until the test moves it.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
#![allow(clippy::redundant_closure_for_method_calls)] // the path of the method is not general enough in its lifetimes

#[path = "support/gate.rs"]
mod gate;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gate::{LONG, Log, ended, occupy, spawn};
use gristmill::{
    BulkError, CancelOutcome, CancellationToken, Clock, ManualClock, RateLimiter, Refusal, Saturation,
    Shutdown, TaskHandle, ThreadPool, ThreadPoolBuilder,
};

const SECOND: Duration = Duration::from_secs(1);

/// One permit a second, up to `burst` at once, none of which is left.
fn used_up(burst: u32) -> (ManualClock, RateLimiter) {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder(1, SECOND).burst(burst).clock(clock.clone()).build();
    let limiter = limiter.expect("good settings");
    limiter.try_acquire_many(burst).expect("nobody has taken any");
    (clock, limiter)
}

fn builder(workers: usize) -> ThreadPoolBuilder<'static> {
    ThreadPool::builder().workers(workers).queue_bound(64)
}

/// A worker has come to a task of this limiter, and was refused.
fn until_refused(limiter: &RateLimiter) {
    while limiter.report().refused == 0 {
        thread::yield_now();
    }
}

/// Somebody waits on the clock itself.
fn until_waiting(clock: &ManualClock) {
    while clock.waiting() == 0 {
        thread::yield_now();
    }
}

fn all_ended<T>(handles: Vec<TaskHandle<T>>) -> Vec<T> {
    handles.into_iter().map(|handle| ended(handle).expect("it succeeds")).collect()
}

/// Moves the clock second by second until `log` has `count` entries; no entry may come without a move. Each permit is that of a task
/// which makes an entry.
fn move_until(clock: &ManualClock, limiter: &RateLimiter, log: &Log<u64>, count: usize) {
    while log.all().len() < count {
        let (acquired, entries) = (limiter.report().acquired, log.all().len());
        clock.advance(SECOND);
        while limiter.report().acquired == acquired
            || log.all().len() - entries < usize::try_from(limiter.report().acquired - acquired).expect("few")
        {
            thread::yield_now();
        }
    }
}

#[test]
fn nothing_starts_before_the_clock_moves_and_then_exactly_what_the_rate_allows() {
    for workers in [1, 3] {
        let (clock, limiter) = used_up(4);
        let pool = builder(workers).rate(&limiter).build().expect("good settings");
        let start = clock.now();
        let mut tasks: Vec<_> = (0..10)
            .map(|_| {
                let clock = clock.clone();
                pool.submit(move || clock.now()).expect("open")
            })
            .collect();
        until_refused(&limiter);
        assert_eq!((pool.queued(), limiter.report().acquired), (10, 4));
        let mut passed = Duration::ZERO;
        for step in [1_u32, 3, 2, 4] {
            clock.advance(SECOND * step);
            passed += SECOND * step;
            for _ in 0..step {
                let at = ended(tasks.remove(0)).expect("the rate allows it");
                assert_eq!(at.duration_since(start), passed, "they start in order, and not before");
            }
            assert!(tasks.iter().all(|task| !task.is_finished()), "{step} and no more");
            assert_eq!(pool.queued(), tasks.len());
        }
        assert_eq!(limiter.report().acquired, 4 + 10);
    }
}

#[test]
fn advance_beyond_the_burst_starts_no_more_than_the_burst() {
    let (clock, limiter) = used_up(2);
    let pool = builder(2).rate(&limiter).build().expect("good settings");
    let mut tasks: Vec<_> = (0..5).map(|i| pool.submit(move || i).expect("open")).collect();
    until_refused(&limiter);
    for first in [0, 2] {
        let rest = tasks.split_off(2);
        let refused = limiter.report().refused;
        clock.advance(SECOND * 1000);
        assert_eq!(all_ended(tasks), [first, first + 1]);
        while limiter.report().refused == refused {
            thread::yield_now(); // somebody has asked since
        }
        assert!(rest.iter().all(|task| !task.is_finished()));
        tasks = rest;
    }
    clock.advance(SECOND);
    assert_eq!(all_ended(tasks), [4]);
    assert_eq!(limiter.report().acquired, 2 + 5);
}

/// The clock moves whenever it likes: between the refusal of a worker and its sleep, too.
#[test]
fn move_of_the_clock_is_never_missed() {
    for round in 0..400_u32 {
        let (clock, limiter) = used_up(1);
        let (builder, class) =
            if round % 2 == 0 { (builder(2).rate(&limiter), false) } else { (builder(2), true) };
        let pool = builder.build().expect("good settings");
        for _ in 0..4 {
            let task = pool.task();
            let task = if class { task.rate(&limiter) } else { task };
            let task = task.submit(|_| ()).expect("open");
            let spins = round % 64 * 20;
            (0..spins).for_each(|_| std::hint::spin_loop());
            clock.advance(SECOND);
            ended(task).expect("its permit is there");
        }
    }
}

#[test]
fn closed_class_holds_up_neither_plain_tasks_nor_other_classes_and_keeps_its_order() {
    let (clock, slow) = used_up(1);
    let (_, never) = used_up(1);
    let fast = RateLimiter::builder(1000, SECOND).burst(1000).clock(clock.clone()).build();
    let fast = fast.expect("good settings");
    let pool = builder(1).build().expect("good settings");
    let (gate, running) = occupy(&pool);
    let log = Log::new();
    let submit = |limiter: Option<&RateLimiter>, number: u64| {
        let log = log.clone();
        let task = pool.task();
        let task = if let Some(limiter) = limiter { task.rate(limiter) } else { task };
        task.submit(move |_| log.add(number)).expect("open")
    };
    let mut slow_ones = Vec::new();
    let mut others = Vec::new();
    let mut stuck = Vec::new();
    for i in 0..5 {
        slow_ones.push(submit(Some(&slow), i));
        stuck.push(submit(Some(&never), 1000 + i));
        others.push(submit(Some(&fast), 10 + i));
        others.push(submit(None, 20 + i));
    }
    gate.open();
    all_ended(others);
    ended(running).expect("it finishes");
    let plain: Vec<u64> = (0..5).flat_map(|i| [10 + i, 20 + i]).collect();
    assert_eq!(log.all(), plain, "in the order of submission, past the closed ones");
    move_until(&clock, &slow, &log, 15);
    all_ended(slow_ones);
    assert_eq!(log.all()[10..], [0, 1, 2, 3, 4]);
    assert!(stuck.iter().all(|task| !task.is_finished()));
    // A worker may have one in its hand, to ask whether its class is open.
    pool.pause();
    let mut purged = 0;
    while purged < 5 {
        purged += pool.purge().len();
        thread::yield_now();
    }
    assert_eq!(purged, 5);
}

#[test]
fn class_is_limited_across_priorities_and_the_higher_starts_first() {
    let (clock, limiter) = used_up(1);
    let pool = builder(2).build().expect("good settings");
    pool.pause();
    let log = Log::new();
    let tasks: Vec<_> = [(-3, 2), (7, 0), (0, 1)]
        .map(|(priority, number)| {
            let log = log.clone();
            let task = pool.task().priority(priority).rate(&limiter);
            task.submit(move |_| log.add(number)).expect("open")
        })
        .into();
    pool.resume();
    until_refused(&limiter);
    assert!(log.all().is_empty());
    for started in 1..=3 {
        move_until(&clock, &limiter, &log, started);
    }
    all_ended(tasks);
    assert_eq!(log.all(), [0, 1, 2]);
}

#[test]
fn task_needs_permits_of_its_class_and_of_the_pool_and_takes_both_or_none() {
    let (clock, class) = used_up(1);
    let pool_rate = RateLimiter::builder(1, SECOND * 3600).burst(2).clock(clock.clone()).build();
    let pool_rate = pool_rate.expect("good settings");
    let pool = builder(1).rate(&pool_rate).build().expect("good settings");
    let task = |number| pool.task().rate(&class).submit(move |_| number).expect("open");
    let tasks: Vec<_> = (0..3).map(task).collect();
    until_refused(&class);
    assert_eq!(pool_rate.report().acquired, 0, "the class refuses: the pool's permit is not used");
    let mut tasks = tasks.into_iter();
    for expected in 0..2 {
        clock.advance(SECOND);
        let task = tasks.next().expect("three");
        assert_eq!(ended(task).expect("both are there"), expected);
    }
    clock.advance(SECOND); // for the class; the pool's are used up
    until_refused(&pool_rate);
    let last = tasks.next().expect("three");
    assert!(!last.is_finished());
    // What the pool refuses costs the class nothing: the permit goes back, right behind the refusal.
    while class.report().acquired != 1 + 2 {
        thread::yield_now();
    }
    clock.advance(SECOND * 3600);
    assert_eq!(ended(last).expect("both are there"), 2);
    assert_eq!((class.report().acquired, pool_rate.report().acquired), (4, 3));
}

/// The one worker waits for a task behind another one of its key, which has to wait for a permit: nobody else asks for it.
#[test]
fn worker_that_waits_behind_a_rated_task_of_the_same_key_asks_for_its_permit() {
    let limiter = RateLimiter::builder(200, SECOND).build().expect("good settings");
    let pool = builder(1).rate(&limiter).build().expect("good settings");
    let submitter = pool.submitter().clone();
    let outer = pool.submit(move || {
        let ahead = submitter.task().key(1).submit(|_| 1).expect("open");
        let behind = submitter.task().key(1).submit(|_| 2).expect("open");
        let behind = behind.wait().expect("it succeeds");
        (ahead.wait().expect("it succeeds"), behind)
    });
    assert_eq!(ended(outer.expect("open")).expect("it succeeds"), (1, 2));
    assert_eq!(limiter.report().acquired, 3);
}

#[test]
fn cancelled_tasks_need_no_permit() {
    let (clock, limiter) = used_up(1);
    let pool = builder(1).rate(&limiter).build().expect("good settings");
    let token = CancellationToken::new();
    let by_token = pool.task().token(&token).submit(|_| 1).expect("open");
    let by_handle = pool.submit(|| 2).expect("open");
    let stays = pool.submit(|| 3).expect("open");
    until_refused(&limiter);
    token.cancel();
    assert!(ended(by_token).unwrap_err().is_cancelled());
    assert_eq!(by_handle.cancel(), CancelOutcome::Prevented);
    assert!(ended(by_handle).unwrap_err().is_cancelled());
    clock.advance(SECOND); // one permit, for the one that is left
    assert_eq!(ended(stays).expect("the two before it took none"), 3);
    assert_eq!(limiter.report().acquired, 2);
    assert_eq!(pool.shutdown(Shutdown::Drain).cancelled(), 2);
}

#[test]
fn token_of_the_pool_ends_what_waits_for_a_rate_without_the_clock() {
    for (round, class) in (0..100).zip([false, true].into_iter().cycle()) {
        let (_clock, limiter) = used_up(1);
        let token = CancellationToken::new();
        let builder = builder(2).token(&token);
        let pool = if class { builder.build() } else { builder.rate(&limiter).build() };
        let pool = pool.expect("good settings");
        let submit = |_| {
            let task = pool.task();
            let task = if class { task.rate(&limiter) } else { task };
            task.submit(|_| ()).expect("open")
        };
        let tasks: Vec<_> = (0..20).map(submit).collect();
        if round % 4 < 2 {
            until_refused(&limiter);
        }
        token.cancel();
        // Nobody asks for the tasks, so it is the workers who end them.
        let report = pool.shutdown(Shutdown::DrainFor(LONG));
        assert_eq!((report.cancelled(), report.returned(), report.is_complete()), (20, 0, true));
        assert!(tasks.into_iter().all(|task| ended(task).unwrap_err().is_cancelled()));
    }
}

#[test]
fn caller_that_runs_its_task_takes_a_permit_and_waits_for_it() {
    let (clock, limiter) = used_up(1);
    let builder = ThreadPool::builder().workers(1).queue_bound(1).rate(&limiter);
    let pool = builder.saturation(Saturation::CallerRuns).build().expect("good settings");
    let queued = pool.submit(|| 1).expect("there is one place");
    until_refused(&limiter);
    let submitter = pool.submitter().clone();
    let caller = spawn(move || {
        let me = thread::current().id();
        let ran_on = submitter.submit(|| thread::current().id()).expect("open");
        (ended(ran_on).expect("it ran"), me)
    });
    until_waiting(&clock);
    assert_eq!(limiter.report().acquired, 1);
    clock.advance(SECOND);
    let (ran_on, me) = caller.join().expect("it does not panic");
    assert_eq!(ran_on, me);
    clock.advance(SECOND);
    assert_eq!(ended(queued).expect("the next permit is its"), 1);
    assert_eq!(limiter.report().acquired, 3);
}

/// A worker with a full pool runs what it submits; it waits for the permit, and a stop of the pool ends that wait.
#[test]
fn worker_that_runs_its_task_inline_takes_a_permit_and_an_abort_gives_the_task_back() {
    let (clock, limiter) = used_up(1);
    let pool = ThreadPool::builder().workers(1).queue_bound(1).build().expect("good settings");
    let submitter = pool.submitter().clone();
    let rate = limiter.clone();
    let (answer, answers) = mpsc::channel();
    let outer = pool.submit(move || {
        let filler = submitter.submit(|| ()).expect("there is one place");
        let inline = submitter.task().rate(&rate).submit(|_| 1).expect("it runs here");
        assert!(inline.is_finished());
        answer.send(()).expect("the test waits");
        let refused = submitter.task().rate(&rate).submit(|_| 2).map(drop).unwrap_err();
        assert!(matches!(refused.refusal(), Refusal::Closed), "{:?}", refused.refusal());
        drop(filler);
    });
    let outer = outer.expect("open");
    until_waiting(&clock);
    clock.advance(SECOND);
    answers.recv_timeout(LONG).expect("the permit is there");
    until_waiting(&clock);
    let report = pool.shutdown(Shutdown::Abort);
    ended(outer).expect("it goes on");
    assert_eq!((report.succeeded(), report.returned(), report.submitted()), (2, 1, 3));
    assert_eq!(limiter.report().acquired, 2);
}

#[test]
fn token_of_a_task_ends_its_wait_for_the_rate_on_the_submitters_thread() {
    let (clock, limiter) = used_up(1);
    let builder = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::CallerRuns);
    let pool = builder.build().expect("good settings");
    pool.pause();
    let filler = pool.submit(|| ()).expect("there is one place");
    let token = CancellationToken::new();
    let (submitter, given, rate) = (pool.submitter().clone(), token.clone(), limiter.clone());
    let caller = spawn(move || {
        let refused = submitter.task().token(&given).rate(&rate).submit(|_| ()).map(drop).unwrap_err();
        matches!(refused.refusal(), Refusal::Cancelled(_))
    });
    until_waiting(&clock);
    token.cancel();
    assert!(caller.join().expect("it does not panic"));
    assert_eq!((clock.waiting(), limiter.report().acquired), (0, 1));
    pool.resume();
    ended(filler).expect("it runs");
    assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 1);
}

/// With the queue full a worker runs what it submits itself; the wait for the rate counts into the time that it may take.
#[test]
fn time_out_of_a_submission_by_a_worker_ends_its_wait_for_the_rate() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    let (class_clock, class) = used_up(1);
    class_clock.advance(SECOND);
    let (clock, limiter) = used_up(2);
    clock.advance(SECOND);
    let pool = ThreadPool::builder().workers(1).queue_bound(1).rate(&limiter).build().expect("good settings");
    let (submitter, rate) = (pool.submitter().clone(), class.clone());
    let outer = pool.submit(move || {
        let filler = submitter.try_submit(|| 0).expect("there is one place");
        let refused = submitter.submit_timeout(|| 1, TIMEOUT).map(drop).unwrap_err();
        assert!(refused.is_timed_out(), "{:?}", refused.refusal());
        assert_eq!(refused.into_task()(), 1);
        let task = submitter.task().rate(&rate);
        let refused = task.submit_timeout(|_| (), TIMEOUT).map(drop).unwrap_err();
        assert!(refused.is_timed_out(), "{:?}", refused.refusal());
        let many = submitter.submit_many_timeout((0..3).map(|i| move || i), TIMEOUT);
        let (accepted, rest, refusal) = many.unwrap_err().into_parts();
        assert!(matches!(refusal, Refusal::TimedOut), "{refusal:?}");
        assert_eq!((accepted.len(), rest.map(|task| task()).collect()), (0, vec![0, 1, 2]));
        filler
    });
    let filler = ended(outer.expect("open")).expect("it does not panic");
    assert_eq!((limiter.report().acquired, limiter.report().timed_out, clock.waiting()), (3, 3, 0));
    // Its class had let the second one pass, and has the permit again.
    assert_eq!((class.report().acquired, class.report().given_back), (1, 1));
    clock.advance(SECOND);
    assert_eq!(ended(filler).expect("nothing else has taken its permit"), 0);
    assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 2);
}

#[test]
fn token_of_a_submission_by_a_worker_ends_its_wait_for_the_rate() {
    let (clock, limiter) = used_up(2);
    clock.advance(SECOND);
    let pool = ThreadPool::builder().workers(1).queue_bound(1).rate(&limiter).build().expect("good settings");
    let submitter = pool.submitter().clone();
    let outer = pool.submit(move || {
        let filler = submitter.try_submit(|| ()).expect("there is one place");
        let token = CancellationToken::with_timeout(Duration::from_millis(1));
        let many = submitter.submit_many_with((0..3).map(|i| move || i), &token);
        let (accepted, rest, refusal) = many.unwrap_err().into_parts();
        assert!(matches!(refusal, Refusal::Cancelled(_)), "{refusal:?}");
        assert_eq!((accepted.len(), rest.map(|task| task()).collect()), (0, vec![0, 1, 2]));
        let token = CancellationToken::with_timeout(Duration::from_millis(1));
        let refused = submitter.for_each_with(&token, &[1, 2], |_| ()).unwrap_err();
        assert!(matches!(refused, BulkError::Cancelled { done: 0, .. }), "{refused:?}");
        drop(filler);
    });
    ended(outer.expect("open")).expect("it does not panic");
    assert_eq!((limiter.report().acquired, clock.waiting()), (3, 0));
    clock.advance(SECOND);
    assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 2);
}

#[test]
fn worker_runs_as_many_of_a_timed_submission_as_its_rate_allows_in_the_time() {
    let (clock, limiter) = used_up(3);
    clock.advance(3 * SECOND);
    let pool = ThreadPool::builder().workers(1).queue_bound(1).rate(&limiter).build().expect("good settings");
    let submitter = pool.submitter().clone();
    let outer = pool.submit(move || {
        let filler = submitter.try_submit(|| ()).expect("there is one place");
        let many = submitter.submit_many_timeout((0..5).map(|i| move || i), SECOND / 2);
        let (accepted, rest, refusal) = many.unwrap_err().into_parts();
        assert!(matches!(refusal, Refusal::TimedOut), "{refusal:?}");
        let ran: Vec<_> = accepted.wait().into_iter().map(|result| result.expect("it ran")).collect();
        assert_eq!((ran, rest.map(|task| task()).collect()), (vec![0, 1], vec![2, 3, 4]));
        drop(filler);
    });
    ended(outer.expect("open")).expect("it does not panic");
    clock.advance(SECOND);
    assert_eq!(pool.shutdown(Shutdown::Drain).succeeded(), 4);
}

#[test]
fn task_that_waits_for_a_rated_one_runs_it_when_the_clock_moves() {
    for pool_wide in [false, true] {
        let (clock, limiter) = used_up(1);
        let builder = builder(1);
        let pool = if pool_wide { builder.rate(&limiter).build() } else { builder.build() };
        let pool = pool.expect("good settings");
        let submitter = pool.submitter().clone();
        let rate = limiter.clone();
        let outer = pool.submit(move || {
            let task = submitter.task();
            let task = if pool_wide { task } else { task.rate(&rate) };
            let inner = task.submit(|context| context.worker()).expect("open");
            inner.wait().expect("it runs here")
        });
        let outer = outer.expect("open");
        if pool_wide {
            clock.advance(SECOND); // for the outer one
        }
        until_waiting(&clock);
        assert!(!outer.is_finished());
        clock.advance(SECOND);
        assert_eq!(ended(outer).expect("it does not hang"), Some(0));
        assert_eq!(limiter.report().acquired, if pool_wide { 3 } else { 2 });
    }
}

/// The limit of such a wait is on the system's clock, the rate on one that stands still.
#[test]
fn wait_for_a_rated_task_from_a_task_ends_at_its_limit_and_with_its_token() {
    let (_clock, limiter) = used_up(1);
    let pool = builder(1).build().expect("good settings");
    let submitter = pool.submitter().clone();
    let (rate, token) = (limiter.clone(), CancellationToken::new());
    let given = token.clone();
    let (waits, waiting) = mpsc::channel();
    let outer = pool.submit(move || {
        let inner = submitter.task().rate(&rate).submit(|_| ()).expect("open");
        let inner = inner.wait_timeout(Duration::from_millis(1)).expect_err("the clock stands still");
        let inner = inner.wait_timeout(Duration::ZERO).expect_err("the clock stands still");
        waits.send(()).expect("the test waits");
        let inner = inner.wait_with(&given).expect_err("the clock stands still").into_handle();
        inner.cancel()
    });
    let outer = outer.expect("open");
    waiting.recv_timeout(LONG).expect("both limits have passed");
    token.cancel();
    assert_eq!(ended(outer).expect("it does not hang"), CancelOutcome::Prevented);
    assert_eq!(limiter.report().acquired, 1);
}

#[test]
fn purge_and_abort_give_back_what_waits_for_rates_in_the_order_of_submission() {
    for abort in [false, true] {
        let (_, pool_rate) = used_up(1);
        let (_, class) = used_up(1);
        for pool_wide in [false, true] {
            let builder = builder(2);
            let pool = if pool_wide { builder.rate(&pool_rate).build() } else { builder.build() };
            let pool = pool.expect("good settings");
            let tasks: Vec<_> = (0..30_i8)
                .map(|i| {
                    let task = pool.task().name(i.to_string()).priority(i % 3);
                    let task = if pool_wide && i % 2 == 0 { task } else { task.rate(&class) };
                    task.submit(|_| ()).expect("open")
                })
                .collect();
            until_refused(if pool_wide { &pool_rate } else { &class });
            // A worker may have one in its hand at that moment, so a purge is asked until it has them all.
            let names: Vec<_> = if abort {
                let report = pool.shutdown(Shutdown::Abort);
                assert!(report.is_complete());
                report.tasks().iter().map(|task| task.name().to_string()).collect()
            } else {
                pool.pause();
                let mut names = Vec::new();
                while names.len() < 30 {
                    names.extend(pool.purge().iter().map(|task| task.name().to_string()));
                }
                names
            };
            let mut sorted = names.clone();
            sorted.sort_by_key(|name| name.parse::<u32>().expect("a number"));
            let all: Vec<_> = (0..30).map(|i| i.to_string()).collect();
            assert_eq!(sorted, all);
            assert!(tasks.into_iter().all(|task| ended(task).unwrap_err().is_returned()));
        }
        assert_eq!((pool_rate.report().acquired, class.report().acquired), (1, 1), "no permit was used");
    }
}

/// The stop comes at any moment, also while a worker holds a task for which it asks the limiter.
#[test]
fn abort_of_a_pool_whose_workers_ask_for_permits_loses_no_task() {
    for round in 0..400_u32 {
        let (_, limiter) = used_up(1);
        let pool = builder(2).stop_grace(LONG).rate(&limiter).build().expect("good settings");
        let tasks: Vec<_> = (0..4).map(|_| pool.submit(|| ()).expect("open")).collect();
        (0..round % 100 * 10).for_each(|_| std::hint::spin_loop());
        let report = pool.shutdown(Shutdown::Abort);
        assert_eq!((report.returned(), report.tasks().len(), report.is_complete()), (4, 4, true));
        assert!(tasks.into_iter().all(|task| ended(task).unwrap_err().is_returned()));
    }
}

#[test]
fn drain_with_a_limit_hands_back_what_a_closed_rate_keeps() {
    let (_clock, limiter) = used_up(1);
    let pool = builder(2).rate(&limiter).build().expect("good settings");
    let tasks: Vec<_> = (0..5).map(|_| pool.submit(|| ()).expect("open")).collect();
    until_refused(&limiter);
    let report = pool.shutdown(Shutdown::DrainFor(Duration::from_millis(5)));
    assert_eq!((report.succeeded(), report.returned(), report.is_complete()), (0, 5, true));
    assert!(tasks.into_iter().all(|task| ended(task).unwrap_err().is_returned()));
}

#[test]
fn drain_of_a_rated_pool_runs_all_as_the_clock_moves() {
    let (clock, limiter) = used_up(1);
    let pool = builder(2).rate(&limiter).build().expect("good settings");
    let log = Log::new();
    for i in 0..6 {
        let log = log.clone();
        drop(pool.submit(move || log.add(i)).expect("open"));
    }
    let draining = spawn(move || pool.shutdown(Shutdown::Drain));
    move_until(&clock, &limiter, &log, 6);
    let report = draining.join().expect("it does not panic");
    assert_eq!((report.succeeded(), report.is_complete()), (6, true));
    assert_eq!(limiter.report().acquired, 7);
}

#[test]
fn many_tasks_of_a_rated_pool_are_limited_one_by_one() {
    let (clock, limiter) = used_up(3);
    let pool = builder(2).rate(&limiter).build().expect("good settings");
    let log = Log::new();
    let tasks = (0..12_u64).map(|i| {
        let log = log.clone();
        move || log.add(i)
    });
    let many = pool.submit_many(tasks).expect("open");
    until_refused(&limiter);
    assert!(log.all().is_empty());
    for step in 1..=4 {
        clock.advance(SECOND * 3);
        while log.all().len() < 3 * step {
            thread::yield_now();
        }
        assert_eq!(limiter.report().acquired, 3 + 3 * step as u64);
    }
    let results = many.wait_timeout(LONG).expect("all have run");
    assert!(results.len() == 12 && results.into_iter().all(|result| result.is_ok()));
}

/// The worker runs them itself, one permit each; it must not run ahead of the rate.
#[test]
fn task_that_waits_for_many_of_a_rated_pool_runs_them_at_its_rate() {
    for timeout in [Duration::MAX, LONG] {
        let (clock, limiter) = used_up(1);
        let pool = builder(1).rate(&limiter).build().expect("good settings");
        let submitter = pool.submitter().clone();
        let log = Log::new();
        let noted = log.clone();
        let outer = pool.submit(move || {
            let tasks = (0..3_u64).map(|i| {
                let log = noted.clone();
                move || log.add(i)
            });
            let many = submitter.submit_many(tasks).expect("open");
            many.wait_timeout(timeout).expect("the clock moves").len()
        });
        clock.advance(SECOND); // for the outer one
        while limiter.report().acquired < 2 {
            thread::yield_now();
        }
        let mut refused = 0;
        for step in 1..=3_u64 {
            while limiter.report().refused == refused {
                thread::yield_now();
            }
            assert_eq!(log.all().len() as u64, step - 1, "no permit, no start");
            refused = limiter.report().refused;
            clock.advance(SECOND);
            while (log.all().len() as u64) < step {
                thread::yield_now();
            }
            assert_eq!(limiter.report().acquired, 2 + step);
        }
        assert_eq!(ended(outer.expect("open")).expect("it does not hang"), 3);
    }
}

#[test]
fn rate_that_is_raised_counts_for_what_waits_in_the_pool() {
    for pool_wide in [false, true] {
        let (clock, limiter) = used_up(1);
        let builder = builder(2);
        let pool = if pool_wide { builder.rate(&limiter).build() } else { builder.build() };
        let pool = pool.expect("good settings");
        clock.advance(SECOND / 2);
        let task = if pool_wide { pool.task() } else { pool.task().rate(&limiter) };
        let task = task.submit(|_| 7).expect("open");
        until_refused(&limiter);
        limiter.set_rate(1_000_000_000, SECOND).expect("a good rate");
        // A thousand-millionth of the way is left of the permit: a nanosecond will do.
        while !task.is_finished() {
            clock.advance(Duration::from_nanos(1));
        }
        assert_eq!(ended(task).expect("it succeeds"), 7);
    }
}

#[test]
fn worker_that_waits_behind_a_cancelled_task_of_the_same_key_does_not_sleep_on() {
    for of_the_pool in [true, false] {
        let (clock, limiter) = used_up(8);
        clock.advance(8 * SECOND);
        let pool = if of_the_pool { builder(1).rate(&limiter) } else { builder(1) };
        let pool = pool.build().expect("good settings");
        let (submitter, of_task) = (pool.submitter().clone(), limiter.clone());
        let outer = pool.submit(move || {
            let first = submitter.task().key(1_u32);
            let first = if of_the_pool { first } else { first.rate(&of_task) };
            let first = first.submit(|_| 1).expect("room");
            let second = submitter.task().key(1_u32).submit(|_| 2).expect("room");
            assert_eq!(first.cancel(), CancelOutcome::Prevented);
            second.wait().expect("it runs here")
        });
        assert_eq!(ended(outer.expect("open")).expect("no panic"), 2);
    }
}
