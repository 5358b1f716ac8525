//! The hot paths on one thread, each called so many times and nothing else: what `ci/instructions.sh` counts the instructions of.
//!
//! ```text
//! bash ci/instructions.sh                               # counts all of them and compares with benches/instructions.txt
//! cargo bench --bench instructions                      # each of them a few times, for their assertions
//! cargo bench --bench instructions -- token_poll 1000   # one of them, so many times
//! ```
//!
//! A count is worth something only if it repeats. So only one thread has anything to do while it is counted: pools have one worker, which is
//! held in a task or is the one that is counted, and pipelines run on the caller's thread. Parts that take a clock have one that is moved by hand; the
//! others read one that moves by the same step with every reading. Nothing asks for random keys.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use gristmill::combine::{as_completed, wait_all, wait_first};
use gristmill::waitable::ready;
use gristmill::{
    CancellationToken, CircuitBreaker, ManualClock, ObjectPool, Pipeline, Policy, RateLimiter, Retry, Router,
    Semaphore, ThreadPool,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Why no error of these calls is handled.
const SOUND: &str = "nothing in it fails";

/// What a reading of the clock moves it by, in nanoseconds, where `ci/steady-clock.c` stands in for the system's: whatever sizes its chunks by
/// time then makes them as large as it may, or, with a reading that takes long, as small.
const LIGHT: u64 = 100;
const HEAVY: u64 = 100_000;

/// What to count: its name, the step of the clock, and what is called with how many times to do it.
type Case = (&'static str, u64, fn(u64));

const CASES: [Case; 24] = [
    ("token_poll", LIGHT, token_poll),
    ("token_poll_with_deadline", LIGHT, token_poll_with_deadline),
    ("token_child", LIGHT, token_child),
    ("semaphore_acquire", LIGHT, semaphore_acquire),
    ("semaphore_try_acquire", LIGHT, semaphore_try_acquire),
    ("pool_submit", LIGHT, pool_submit),
    ("pool_submit_and_wait", LIGHT, pool_submit_and_wait),
    ("bulk_submit", LIGHT, bulk_submit),
    ("bulk_submit_and_wait", LIGHT, bulk_submit_and_wait),
    ("bulk_map_item", LIGHT, bulk_map),
    ("bulk_map_range", HEAVY, bulk_map),
    ("pipeline_item", LIGHT, pipeline),
    ("pipeline_chunk", HEAVY, pipeline),
    ("pipeline_chunk_window_of_2", LIGHT, pipeline_window_of_2),
    ("pipeline_chunk_with_serial", HEAVY, pipeline_with_serial),
    ("router_round_robin", LIGHT, router_round_robin),
    ("router_shared_queue", LIGHT, router_shared_queue),
    ("breaker_call", LIGHT, breaker_call),
    ("limiter_acquire", LIGHT, limiter_acquire),
    ("retry_call", LIGHT, retry_call),
    ("object_pool_take", LIGHT, object_pool_take),
    ("combine_wait_all", LIGHT, combine_wait_all),
    ("combine_wait_first", LIGHT, combine_wait_first),
    ("combine_as_completed", LIGHT, combine_as_completed),
];

fn main() -> ExitCode {
    // Cargo passes `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => CASES.iter().for_each(|(_, _, case)| case(64)),
        ["--list"] => CASES.iter().for_each(|(name, step, _)| println!("{name} {step}")),
        [name, times] => match (CASES.iter().find(|(case, ..)| *case == name), times.parse()) {
            (Some((_, _, case)), Ok(times)) => case(times),
            _ => return usage(),
        },
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions [--list | CASE TIMES]");
    ExitCode::from(2)
}

/// The instructions of this call are counted, those of the thread that calls it: callgrind is told the name.
#[inline(never)]
fn within_count<R>(body: impl FnOnce() -> R) -> R {
    black_box(body())
}

fn repeat<R>(times: u64, mut call: impl FnMut(u64) -> R) {
    within_count(|| {
        for time in 0..times {
            black_box(call(time));
        }
    });
}

fn token_poll(times: u64) {
    let token = CancellationToken::new().child().child();
    repeat(times, |_| black_box(&token).is_cancelled());
}

fn token_poll_with_deadline(times: u64) {
    let token = CancellationToken::with_timeout(HOUR).child();
    repeat(times, |_| black_box(&token).is_cancelled());
}

fn token_child(times: u64) {
    let token = CancellationToken::new();
    repeat(times, |_| black_box(&token).child());
}

fn semaphore_acquire(times: u64) {
    let semaphore = Semaphore::new(2);
    repeat(times, |_| drop(black_box(&semaphore).acquire().expect(SOUND)));
    assert_eq!(semaphore.available(), 2);
}

fn semaphore_try_acquire(times: u64) {
    let semaphore = Semaphore::new(2);
    repeat(times, |_| drop(black_box(&semaphore).try_acquire().expect(SOUND)));
    assert_eq!(semaphore.available(), 2);
}

/// A pool of one worker.
fn pool(bound: u64) -> ThreadPool {
    let bound = usize::try_from(bound.max(1)).expect("it fits");
    ThreadPool::builder().workers(1).queue_bound(bound).build().expect("one thread can be created")
}

/// The same, with the worker in a task that does not end: one without work may be looking for some still, and is then not rung for.
fn occupied_pool(bound: u64) -> ThreadPool {
    let pool = pool(bound);
    let (tell, told) = sync_channel(0);
    let occupy = move || {
        tell.send(()).expect("it is waited for");
        while black_box(true) {
            thread::park();
        }
    };
    drop(pool.submit(occupy).expect(SOUND));
    told.recv().expect("it begins");
    pool
}

/// The queue's way in. The tasks are never run: they would be run by another thread.
fn pool_submit(times: u64) {
    let pool = occupied_pool(times);
    repeat(times, |time| drop(pool.submit(move || time).expect(SOUND)));
    assert_eq!(pool.queued() as u64, times);
    forget(pool);
}

/// Its end would wait for the worker.
fn forget(pool: ThreadPool) {
    std::mem::forget(pool);
}

/// Runs `body` as the only task of the only worker, so that what it submits is run by itself as it waits for it.
fn on_the_only_worker(bound: u64, body: impl FnOnce(&gristmill::Submitter<'static>) + Send + 'static) {
    let pool = pool(bound);
    let submitter = pool.submitter().clone();
    pool.submit(move || body(&submitter)).expect(SOUND).wait().expect(SOUND);
}

fn pool_submit_and_wait(times: u64) {
    on_the_only_worker(64, move |submitter| {
        repeat(times, |time| submitter.submit(move || time).expect(SOUND).wait().expect(SOUND));
    });
}

fn bulk_submit(times: u64) {
    let pool = occupied_pool(times);
    within_count(|| drop(pool.submit_many((0..times).map(|time| move || time)).expect(SOUND)));
    assert_eq!(pool.queued() as u64, times);
    forget(pool);
}

fn bulk_submit_and_wait(times: u64) {
    on_the_only_worker(times, move |submitter| {
        let tasks = (0..times).map(|time| move || time);
        let results = within_count(|| submitter.submit_many(tasks).expect(SOUND).wait());
        assert_eq!(results.len() as u64, times);
    });
}

fn bulk_map(times: u64) {
    on_the_only_worker(64, move |submitter| {
        // What the tasks of such a pool borrow has no end.
        let items = (0..times).collect::<Vec<u64>>().leak();
        let results = within_count(|| submitter.map(items, |item| item + 1).expect(SOUND));
        assert_eq!(results.last(), Some(&times));
    });
}

fn pipeline(times: u64) {
    let mut sum = 0;
    let pipeline = Pipeline::from_iter(0..times)
        .workers(1)
        .map("add", |item| item + 1)
        .for_each("sum", |item| sum += item);
    let report = within_count(|| pipeline.run(&CancellationToken::new()));
    assert_eq!((report.expect(SOUND).finished(), sum), (times, times * (times + 1) / 2));
}

/// One worker and a window of two: every item is a chunk of its own.
fn pipeline_window_of_2(times: u64) {
    let mut sum = 0;
    let pipeline = Pipeline::from_iter(0..times)
        .workers(1)
        .window(2)
        .map("add", |item| item + 1)
        .for_each("sum", |item| sum += item);
    let report = within_count(|| pipeline.run(&CancellationToken::new()));
    assert_eq!((report.expect(SOUND).finished(), sum), (times, times * (times + 1) / 2));
}

fn pipeline_with_serial(times: u64) {
    let mut sum = 0;
    let pipeline = Pipeline::from_iter(0..times)
        .workers(1)
        .map("add", |item| item + 1)
        .serial("pass", |item| item)
        .map("add again", |item| item + 1)
        .for_each("sum", |item| sum += item);
    let report = within_count(|| pipeline.run(&CancellationToken::new()));
    assert_eq!((report.expect(SOUND).finished(), sum), (times, times * (times + 3) / 2));
}

/// Sends an item and receives it from the lane that it went to.
fn routed(router: &Router<u64>, times: u64) {
    let lanes = [router.add_lane(), router.add_lane()];
    repeat(times, |time| {
        router.send(time).expect(SOUND);
        let received = lanes.iter().find_map(|lane| lane.try_recv().ok());
        assert_eq!(received, Some(time));
    });
}

fn router_round_robin(times: u64) {
    routed(&Router::round_robin(16).expect(SOUND), times);
}

fn router_shared_queue(times: u64) {
    routed(&Router::shared_queue(16).expect(SOUND), times);
}

fn breaker_call(times: u64) {
    let breaker = CircuitBreaker::builder().clock(ManualClock::new()).build().expect(SOUND);
    repeat(times, |time| breaker.call(|_| black_box(Ok::<_, ()>(time))).expect(SOUND));
}

fn limiter_acquire(times: u64) {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder(1000, Duration::from_secs(1)).burst(2).clock(clock.clone());
    let limiter = limiter.build().expect(SOUND);
    repeat(times, |_| {
        limiter.try_acquire().expect(SOUND);
        clock.advance(Duration::from_millis(1));
    });
}

fn retry_call(times: u64) {
    let retry = Retry::builder().attempts(3).clock(ManualClock::new()).seed(1).build().expect(SOUND);
    repeat(times, |time| retry.call(|_| black_box(Ok::<_, ()>(time))).expect(SOUND));
}

fn object_pool_take(times: u64) {
    let pool = ObjectPool::builder(2, || 0_u64).build().expect(SOUND);
    repeat(times, |time| *pool.take().expect(SOUND) += time);
    assert_eq!(pool.report().created, 1);
}

fn combine_wait_all(times: u64) {
    repeat(times, |time| wait_all([0, 1, 2, 3].map(|more| ready(time + more))));
}

fn combine_wait_first(times: u64) {
    repeat(times, |time| {
        let first = wait_first([0, 1, 2, 3].map(|more| ready(time + more)));
        assert!(first.is_some());
    });
}

fn combine_as_completed(times: u64) {
    repeat(times, |time| {
        assert_eq!(as_completed([0, 1, 2, 3].map(|more| ready(time + more))).count(), 4);
    });
}
