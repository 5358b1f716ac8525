//! What cancellation costs, beside a bare `AtomicBool` and tokio-util's token: `cargo bench --bench cancel`.
//!
//! How late deadlines fire is a group of `versus`.
#![allow(missing_docs, clippy::disallowed_methods)] // criterion's macros; the benches read the real clock

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
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

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = poll, child_and_drop, cancel_many
}

criterion_main!(benches);
