//! What cancellation costs, beside a bare `AtomicBool` and tokio-util's token; then how late deadlines fire.
//!
//! `cargo bench --bench cancel`; the lateness table is printed at the end, or alone with `-- lateness`.
#![allow(missing_docs, clippy::disallowed_methods)] // criterion's macros; the benches read the real clock

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group};
use gristmill::CancellationToken;
use tokio_util::sync::CancellationToken as TokioToken;

const HOUR: Duration = Duration::from_secs(3600);
const CHILDREN: usize = 10_000;

fn below<T: Clone>(root: T, depth: usize, child: impl Fn(&T) -> T) -> T {
    (0..depth).fold(root, |parent, _| child(&parent))
}

fn poll(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poll");
    let bare = Arc::new(AtomicBool::new(false));
    group.bench_function("bare AtomicBool, relaxed", |bencher| {
        bencher.iter(|| black_box(&bare).load(Ordering::Relaxed));
    });
    for depth in [0, 2, 100] {
        let token = below(CancellationToken::new(), depth, CancellationToken::child);
        group.bench_function(format!("depth {depth}"), |bencher| {
            bencher.iter(|| black_box(&token).is_cancelled());
        });
    }
    let token = CancellationToken::with_timeout(HOUR).child();
    group
        .bench_function("depth 1 with deadline", |bencher| bencher.iter(|| black_box(&token).is_cancelled()));
    group.bench_function("check()", |bencher| bencher.iter(|| black_box(&token).check().is_ok()));
    let tokio = below(TokioToken::new(), 2, TokioToken::child_token);
    group.bench_function("tokio-util, depth 2", |bencher| bencher.iter(|| black_box(&tokio).is_cancelled()));
    group.finish();
}

fn child_and_drop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("child and drop");
    let (root, tokio) = (CancellationToken::new(), TokioToken::new());
    group.bench_function("plain", |bencher| bencher.iter(|| black_box(&root).child()));
    group.bench_function("with deadline", |bencher| {
        bencher.iter(|| black_box(&root).child_with_timeout(HOUR));
    });
    group.bench_function("with callback", |bencher| {
        bencher.iter(|| {
            let child = black_box(&root).child();
            let registration = child.on_cancel(|_| ());
            (child, registration)
        });
    });
    group.bench_function("tokio-util, plain", |bencher| bencher.iter(|| black_box(&tokio).child_token()));
    group.finish();
}

fn cancel_many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cancel 10 000 children");
    group.bench_function("gristmill", |bencher| {
        let family = || {
            let root = CancellationToken::new();
            let children: Vec<_> = (0..CHILDREN).map(|_| root.child()).collect();
            (root, children)
        };
        bencher.iter_batched_ref(family, |(root, _)| root.cancel(), BatchSize::LargeInput);
    });
    group.bench_function("tokio-util", |bencher| {
        let family = || {
            let root = TokioToken::new();
            let children: Vec<_> = (0..CHILDREN).map(|_| root.child_token()).collect();
            (root, children)
        };
        bencher.iter_batched_ref(family, |(root, _)| root.cancel(), BatchSize::LargeInput);
    });
    group.finish();
}

/// How long after a deadline a thread that waits for the token's receiver runs again: the helper's lateness and one
/// wake-up. Nobody polls and no wait has a limit, so that only the helper can end it.
fn lateness(busy: usize) {
    let stop = CancellationToken::new();
    let mut late: Vec<Duration> = std::thread::scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| while !stop.is_cancelled() {});
        }
        let _stops = stop.clone().cancel_on_drop();
        (0..300)
            .map(|number| {
                let token = CancellationToken::with_timeout(Duration::from_micros(1000 + number * 37 % 2000));
                let _ = token.cancelled().recv();
                token.deadline().map_or(Duration::ZERO, |deadline| deadline.elapsed())
            })
            .collect()
    });
    late.sort_unstable();
    let at = |percent: usize| late[(late.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("| {busy:>12} | {:>8.3} | {:>8.3} | {:>8.3} |", at(50), at(99), at(100));
}

fn lateness_table() {
    println!(
        "\ndeadline to wake-up of a waiting thread, ms\n| busy threads |      p50 |      p99 |      max |\n|---|---|---|---|"
    );
    [0, 1, 2, 16].into_iter().for_each(lateness);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = poll, child_and_drop, cancel_many
}

fn main() {
    if !std::env::args().any(|argument| argument == "lateness") {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
    lateness_table();
}
