//! What asking a rate limiter costs: permits that are there and permits that are not, for all or by key, alone and in a crowd.

use super::{
    goals::Goal,
    harness::{Bench, Group},
};
use governor::Quota;
use gristmill::{KeyedRateLimiter, RateLimiter};
use std::{
    hint::black_box,
    num::NonZeroU32,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

const SECOND: Duration = Duration::from_secs(1);
/// So many a second, and at once, that they never run out.
const PLENTY: u32 = 1_000_000_000;

fn count(calls: u32, ask: impl Fn() -> bool) -> u64 {
    (0..calls).filter(|_| black_box(ask())).count() as u64
}

fn ours(permits: u32, per: Duration, burst: u32) -> RateLimiter {
    RateLimiter::builder(permits, per).burst(burst).build().expect("it is a rate")
}

fn quota(permits: u32) -> Quota {
    Quota::per_second(NonZeroU32::new(permits).expect("not zero"))
}

/// Keys in use in the groups by key.
const KEYS: u64 = 1000;
/// Limiters that a shard would be, to see what one lock for all keys costs.
const SHARDS: u64 = 16;

pub(crate) fn run(bench: &mut Bench) {
    alone(bench);
    by_key(bench);
    by_key_in_a_crowd(bench);
}

fn alone(bench: &mut Bench) {
    let title = "rate limiter, one thread";
    if !bench.wants(title) {
        return;
    }
    let calls = bench.items(5_000_000);
    let expected = u64::from(calls);
    let mut group = Group::new(title, calls, "call");
    group.case("a look at the system's clock", expected, move || {
        let start = Instant::now();
        count(calls, || Instant::now() >= start)
    });
    let limiter = ours(PLENTY, SECOND, PLENTY);
    group.case("gristmill", expected, move || count(calls, || limiter.try_acquire().is_ok()));
    let limiter = ours(PLENTY, SECOND, PLENTY);
    group.case("gristmill, a reservation", expected, move || {
        count(calls, || limiter.try_reserve(1).map(gristmill::Reservation::commit).is_ok())
    });
    let limiter = ours(1, 3600 * SECOND, 1);
    limiter.acquire();
    group.case("gristmill, refused", 0, move || count(calls, || limiter.try_acquire().is_ok()));
    let peer = governor::RateLimiter::direct(quota(PLENTY));
    group.case("governor", expected, move || count(calls, || peer.check().is_ok()));
    let clock = governor::clock::MonotonicClock;
    let peer = governor::RateLimiter::direct_with_clock(quota(PLENTY), clock);
    group.case("governor, by the system's clock", expected, move || count(calls, || peer.check().is_ok()));
    let peer = governor::RateLimiter::direct(Quota::with_period(3600 * SECOND).expect("not zero"));
    assert!(peer.check().is_ok(), "the first of the hour");
    group.case("governor, refused", 0, move || count(calls, || peer.check().is_ok()));
    group.goal("gristmill", Goal::Nanoseconds(30.0));
    bench.run(group);
}

fn ours_by_key(permits: u32, burst: u32, most_keys: u64) -> KeyedRateLimiter<u64> {
    let most_keys = usize::try_from(most_keys).expect("not so many");
    KeyedRateLimiter::builder(permits, SECOND, most_keys).burst(burst).build().expect("it is a rate")
}

/// The keys in an order in which none is in the cache because it was the last.
fn nth_key(call: u64) -> u64 {
    call.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS
}

fn count_by_key(calls: u32, ask: impl Fn(u64) -> bool) -> u64 {
    (0..u64::from(calls)).filter(|call| black_box(ask(*call))).count() as u64
}

fn by_key(bench: &mut Bench) {
    let title = "rate limiter by key, one thread";
    if !bench.wants(title) {
        return;
    }
    let calls = bench.items(2_000_000);
    let expected = u64::from(calls);
    let mut group = Group::new(title, calls, "call");
    let limiter = ours(PLENTY, SECOND, PLENTY);
    group.case("one limiter for all keys", expected, move || count(calls, || limiter.try_acquire().is_ok()));
    let limiter = ours_by_key(PLENTY, PLENTY, KEYS);
    group.case("gristmill, 1000 keys", expected, move || {
        count_by_key(calls, |call| limiter.try_acquire(&nth_key(call)).is_ok())
    });
    // Each key is a new one, and the oldest has its permits back.
    let limiter = ours_by_key(PLENTY, 1, KEYS);
    group.case("gristmill, a flood with room", expected, move || {
        count_by_key(calls, |call| limiter.try_acquire(&call).is_ok())
    });
    let limiter = KeyedRateLimiter::builder(1, 3600 * SECOND, 1000).build().expect("it is a rate");
    (0..KEYS).for_each(|key| limiter.acquire(&(u64::MAX - key)));
    group.case("gristmill, a flood without room", 0, move || {
        count_by_key(calls, |call| limiter.try_acquire(&call).is_ok())
    });
    let peer = governor::RateLimiter::hashmap(quota(PLENTY));
    group.case("governor, a locked table", expected, move || {
        count_by_key(calls, |call| peer.check_key(&nth_key(call)).is_ok())
    });
    let peer = governor::RateLimiter::dashmap(quota(PLENTY));
    group.case("governor, a sharded table", expected, move || {
        count_by_key(calls, |call| peer.check_key(&nth_key(call)).is_ok())
    });
    bench.run(group);
}

/// All threads ask so many times each, beginning together.
fn crowd(threads: usize, each: u32, ask: impl Fn(u64) -> bool + Sync) -> u64 {
    let start = Barrier::new(threads);
    let calls = || {
        start.wait();
        count_by_key(each, &ask)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(calls)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

fn by_key_in_a_crowd(bench: &mut Bench) {
    let threads = bench.workers();
    let title = format!("rate limiter by key, {threads} threads");
    if !bench.wants(&title) {
        return;
    }
    let each = bench.items(1_000_000);
    let items = each * u32::try_from(threads).expect("not so many workers");
    let expected = u64::from(items);
    let mut group = Group::new(title, items, "call");
    let limiter = ours_by_key(PLENTY, PLENTY, KEYS);
    group.case("gristmill, one lock", expected, move || {
        crowd(threads, each, |call| limiter.try_acquire(&nth_key(call)).is_ok())
    });
    let shards: Vec<_> = (0..SHARDS).map(|_| ours_by_key(PLENTY, PLENTY, KEYS)).collect();
    group.case("gristmill, 16 limiters for a sixteenth of the keys each", expected, move || {
        crowd(threads, each, |call| {
            let key = nth_key(call);
            shards[usize::try_from(key % SHARDS).expect("below sixteen")].try_acquire(&key).is_ok()
        })
    });
    let peer = governor::RateLimiter::hashmap(quota(PLENTY));
    group.case("governor, a locked table", expected, move || {
        crowd(threads, each, |call| peer.check_key(&nth_key(call)).is_ok())
    });
    let peer = governor::RateLimiter::dashmap(quota(PLENTY));
    group.case("governor, a sharded table", expected, move || {
        crowd(threads, each, |call| peer.check_key(&nth_key(call)).is_ok())
    });
    bench.run(group);
}
