//! The pipeline alone, by weight of the items, by window, by workers and by error policy.
//!
//! For changes of the pipeline against its own past: `cargo bench --bench pipeline -- --save-baseline before`, then
//! `-- --baseline before`. How it stands against its peers is measured by the bench `versus`.

use criterion::{BenchmarkId, Criterion, Throughput};
use gristmill::pipeline::ErrorLog;
use gristmill::{CancellationToken, Pipeline};
use std::{hint::black_box, time::Duration};

mod versus {
    // Shared with the comparison, so that both speak of the same work; it uses more of the file than this bench.
    #[allow(dead_code)]
    pub(crate) mod grind;
}
use versus::grind::{in_order, work};

/// Rounds of work per item, and how many items one measured run takes.
const SIZES: [(u32, u64); 4] = [(10, 200_000), (100, 50_000), (1000, 10_000), (10_000, 1000)];
/// What is held fixed while the other setting varies: the library's default window, and two workers.
const WINDOW: usize = 4096;
const WORKERS: usize = 2;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    by_window(&mut criterion);
    by_workers(&mut criterion);
    by_policy(&mut criterion);
    whole_run_of_nothing(&mut criterion);
    criterion.final_summary();
}

fn run(items: u64, rounds: u32, window: usize, workers: usize) -> u64 {
    let mut sum = 0;
    Pipeline::from_iter(0..items)
        .window(window)
        .workers(workers)
        .map("grind", |index| work(index, rounds))
        .for_each("sum", |value| sum = in_order(sum, value))
        .run(&CancellationToken::new())
        .expect("nothing in it fails");
    sum
}

fn by_window(criterion: &mut Criterion) {
    for (rounds, items) in SIZES {
        let mut group = criterion.benchmark_group(format!("window/{rounds} rounds"));
        group.throughput(Throughput::Elements(items));
        for window in [1, 16, 256, 1024, 4096, 65_536] {
            group.bench_with_input(BenchmarkId::from_parameter(window), &window, |bencher, &window| {
                bencher.iter(|| black_box(run(items, rounds, window, WORKERS)));
            });
        }
        group.finish();
    }
}

fn by_workers(criterion: &mut Criterion) {
    for (rounds, items) in SIZES {
        let mut group = criterion.benchmark_group(format!("workers/{rounds} rounds"));
        group.throughput(Throughput::Elements(items));
        for workers in [1, 2, 4, 16] {
            group.bench_with_input(BenchmarkId::from_parameter(workers), &workers, |bencher, &workers| {
                bencher.iter(|| black_box(run(items, rounds, WINDOW, workers)));
            });
        }
        group.finish();
    }
}

/// What an error policy costs where nothing fails and where one item in ten does, on one worker.
fn by_policy(criterion: &mut Criterion) {
    const ROUNDS: u32 = 10;
    const ITEMS: u64 = 200_000;
    // The stage, with what follows it.
    macro_rules! run {
        ($each:expr, $($policy:tt)*) => {{
            let mut sum = 0;
            Pipeline::from_iter(0..ITEMS)
                .workers(1)
                .try_map("grind", |index| {
                    let value = work(index, ROUNDS);
                    if index % $each == $each - 1 { Err(value) } else { Ok(value) }
                })
                $($policy)*
                .for_each("sum", |value| sum = in_order(sum, value))
                .run(&CancellationToken::new())
                .expect("every failure is put up with");
            black_box(sum)
        }};
    }
    for (name, each) in [("nothing fails", u64::MAX), ("one in ten fails", 10)] {
        let mut group = criterion.benchmark_group(format!("policy/{name}"));
        group.throughput(Throughput::Elements(ITEMS));
        if each > ITEMS {
            group.bench_function("none", |bencher| bencher.iter(|| run!(each,)));
        }
        group.bench_function("skip", |bencher| bencher.iter(|| run!(each, .skip_errors())));
        group.bench_function("handle", |bencher| bencher.iter(|| run!(each, .handle_errors(|_| Ok(())))));
        group.bench_function("collect", |bencher| {
            bencher.iter(|| run!(each, .collect_errors(&ErrorLog::new(usize::MAX))));
        });
        group.bench_function("divert", |bencher| {
            bencher.iter(|| {
                let (sender, _receiver) = crossbeam_channel::bounded(20_000);
                run!(each, .divert_errors(sender))
            });
        });
        group.finish();
    }
}

/// What a run costs before its first item: threads started and joined, a report made.
fn whole_run_of_nothing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("empty source");
    for workers in [1, 2, 16] {
        group.bench_with_input(BenchmarkId::from_parameter(workers), &workers, |bencher, &workers| {
            bencher.iter(|| black_box(run(0, 0, WINDOW, workers)));
        });
    }
    group.finish();
}
