//! The worker pool beside its peers: raw crossbeam with boxed closures, `threadpool`, rayon.
//!
//! All submit from one thread to two workers and then wait for all; gristmill with a result handle each, the others
//! without. Start and stop: two threads are started, each pool runs one empty task, and the pool is dropped. rayon's drop
//! does not wait for its threads to end (it has no way to), gristmill's does: the comparison favours rayon.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gristmill::ThreadPool;

const WORKERS: usize = 2;
const BOUND: usize = 1024;

/// Rounds of xorshift64*, the unit of work.
#[inline(never)]
fn spin(seed: u64, rounds: u32) -> u64 {
    let mut x = seed | 1;
    for _ in 0..rounds {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        x = x.wrapping_mul(0x2545_f491_4f6c_dd1d);
    }
    x
}

/// The same for peers without results.
fn work(seed: u64, rounds: u32) {
    black_box(spin(seed, rounds));
}

fn gristmill_pool() -> ThreadPool {
    ThreadPool::builder().workers(WORKERS).queue_bound(BOUND).build().expect("two threads can be created")
}

fn gristmill(pool: &ThreadPool, tasks: u64, rounds: u32) -> u64 {
    let handles: Vec<_> = (0..tasks).map(|i| pool.submit(move || spin(i, rounds)).expect("open")).collect();
    handles.into_iter().map(|handle| handle.wait().expect("no panic")).fold(0, |sum, x| sum ^ x)
}

fn raw_crossbeam(tasks: u64, rounds: u32) {
    let (sender, receiver) = crossbeam_channel::bounded::<Box<dyn FnOnce() + Send>>(BOUND);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            let receiver = receiver.clone();
            scope.spawn(move || receiver.into_iter().for_each(|task| task()));
        }
        for i in 0..tasks {
            sender.send(Box::new(move || work(i, rounds))).expect("workers listen");
        }
        drop(sender);
    });
}

fn threadpool(pool: &threadpool::ThreadPool, tasks: u64, rounds: u32) {
    for i in 0..tasks {
        pool.execute(move || work(i, rounds));
    }
    pool.join();
}

fn rayon_pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("two threads can be created")
}

/// From outside of the pool, as the others do; the scope waits for all.
fn rayon(pool: &rayon::ThreadPool, tasks: u64, rounds: u32) {
    pool.in_place_scope(|scope| {
        for i in 0..tasks {
            scope.spawn(move |_| work(i, rounds));
        }
    });
}

fn submit_and_wait(criterion: &mut Criterion) {
    for (name, tasks, rounds) in [("empty", 200_000, 0), ("1000_rounds", 20_000, 1000)] {
        let mut group = criterion.benchmark_group(format!("pool/submit_and_wait/{name}"));
        group.throughput(Throughput::Elements(tasks)).sample_size(10);
        group.bench_function("gristmill_with_handles", |bencher| {
            let pool = gristmill_pool();
            bencher.iter(|| gristmill(&pool, tasks, rounds));
        });
        group.bench_function("raw_crossbeam", |bencher| bencher.iter(|| raw_crossbeam(tasks, rounds)));
        group.bench_function("threadpool", |bencher| {
            let pool = threadpool::ThreadPool::new(WORKERS);
            bencher.iter(|| threadpool(&pool, tasks, rounds));
        });
        group.bench_function("rayon", |bencher| {
            let pool = rayon_pool();
            bencher.iter(|| rayon(&pool, tasks, rounds));
        });
        group.bench_function("plain_loop", |bencher| {
            bencher.iter(|| (0..tasks).map(|i| spin(i, rounds)).fold(0, |sum, x| sum ^ x));
        });
        group.finish();
    }
}

fn round_trip(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool/round_trip");
    group.bench_function("gristmill", |bencher| {
        let pool = gristmill_pool();
        bencher.iter(|| pool.submit(|| 1).expect("open").wait().expect("no panic"));
    });
    group.bench_function("rayon", |bencher| {
        let pool = rayon_pool();
        bencher.iter(|| pool.install(|| 1));
    });
    group.finish();
}

fn start_and_stop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool/start_and_stop");
    group.bench_function("gristmill", |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                let pool = gristmill_pool();
                pool.submit(|| 1).expect("open").wait().expect("no panic")
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("rayon", |bencher| {
        bencher.iter_batched(|| (), |()| rayon_pool().install(|| 1), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, submit_and_wait, round_trip, start_and_stop);
criterion_main!(benches);
