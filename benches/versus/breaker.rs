//! What a circuit breaker adds to a call: closed in each of its ways to count, open, and shared by two threads.

use super::{
    goals::Goal,
    grind::{any_order, work},
    harness::{Bench, Group},
};
use gristmill::{BreakerPermit, CircuitBreaker, CircuitBreakerBuilder, Policy};
use std::{hint::black_box, sync::Barrier, thread, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);
const THREADS: u32 = 2;

/// What is called: a few nanoseconds that the compiler cannot see through.
fn one(index: u64) -> Result<u64, ()> {
    black_box(Ok(work(index, 1)))
}

fn sum(calls: u32, call: impl Fn(u64) -> Option<u64>) -> u64 {
    (0..u64::from(calls)).filter_map(call).fold(0, any_order)
}

fn under(policy: &impl Policy<()>, calls: u32) -> u64 {
    sum(calls, |index| policy.call(|_| one(index)).ok())
}

fn breaker(set: fn(CircuitBreakerBuilder) -> CircuitBreakerBuilder) -> CircuitBreaker {
    set(CircuitBreaker::builder()).build().expect("the settings are in range")
}

pub(crate) fn run(bench: &mut Bench) {
    alone(bench);
    together(bench);
}

fn alone(bench: &mut Bench) {
    let title = "circuit breaker, one thread";
    if !bench.wants(title) {
        return;
    }
    let calls = bench.items(5_000_000);
    let expected = sum(calls, |index| one(index).ok());
    let mut group = Group::new(title, calls, "call");
    group.case("the call alone", expected, || sum(calls, |index| one(index).ok()));
    let closed = breaker(|builder| builder);
    group.case("closed, the last 100 calls", expected, move || under(&closed, calls));
    let timed = breaker(|builder| builder.time_window(MINUTE));
    group.case("closed, the last minute", expected, move || under(&timed, calls));
    let slow = breaker(|builder| builder.slow_calls(MINUTE, 0.5));
    group.case("closed, the last 100 calls, slow ones too", expected, move || under(&slow, calls));
    let permits = breaker(|builder| builder);
    group.case("closed, by `try_acquire` and `success`", expected, move || {
        sum(calls, |index| {
            let permit = permits.try_acquire().ok()?;
            let value = one(index).ok();
            permit.success();
            value
        })
    });
    let disabled = breaker(|builder| builder);
    disabled.disable();
    group.case("disabled", expected, move || under(&disabled, calls));
    let open = breaker(|builder| builder.count_window(1));
    open.try_acquire().map(BreakerPermit::failure).expect("it is closed");
    group.case("open: refused, the call left out", 0, move || under(&open, calls));
    for case in
        ["closed, the last 100 calls", "closed, the last minute", "closed, the last 100 calls, slow ones too"]
    {
        group.goal(case, Goal::OverFirst(50.0));
    }
    bench.run(group);
}

/// All threads make so many calls each, beginning together.
fn crowd(policy: &(impl Policy<()> + Sync), calls: u32) -> u64 {
    let start = Barrier::new(THREADS as usize);
    let each = || {
        start.wait();
        under(policy, calls)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(each)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).fold(0, any_order)
    })
}

/// One breaker that all share, beside one for each: what the sharing costs.
fn together(bench: &mut Bench) {
    let title = format!("circuit breaker, {THREADS} threads");
    if !bench.wants(&title) {
        return;
    }
    let calls = bench.items(2_000_000) / THREADS;
    let mine = sum(calls, |index| one(index).ok());
    let expected = (0..THREADS).fold(0, |sum, _| any_order(sum, mine));
    let mut group = Group::new(title, calls * THREADS, "call");
    let disabled = breaker(|builder| builder);
    disabled.disable();
    group.case("one for all, disabled", expected, move || crowd(&disabled, calls));
    let closed = breaker(|builder| builder);
    group.case("one for all, closed", expected, move || crowd(&closed, calls));
    let open = breaker(|builder| builder.count_window(1));
    open.try_acquire().map(BreakerPermit::failure).expect("it is closed");
    group.case("one for all, open: refused", 0, move || crowd(&open, calls));
    bench.run(group);
}
