//! A map over a slice in memory: into a new `Vec`, and into a buffer that the caller keeps.
//!
//! Only the map is timed, with the making of a new `Vec` in it. The results are summed up outside of that, for at one
//! round per item the sum would take as long as the work. A new `Vec` is freed there too, and a kept buffer wiped, so
//! that no case passes with the results of another.

use super::{
    goals::Goal,
    grind::{in_order, ordered_sum, work},
    harness::{Bench, Group},
    ours, peers,
};
use paralight::threads::{RangeStrategy, ThreadPool};
use std::{cell::RefCell, thread};

/// Rounds per item, and items enough for 10 to 60 ms of the plain loop. Those of one round fill more than 32 MiB: below
/// that glibc keeps the memory of freed results for the next ones, so that a case would profit from the one before.
const SIZES: [(u32, u32); 3] = [(1, 5_000_000), (100, 200_000), (10_000, 2_000)];

/// The buffer that a caller keeps, lent to one case after the other.
pub(crate) type Kept = RefCell<Vec<u64>>;

/// What the groups of one size share.
struct Size {
    rounds: u32,
    items: u32,
    workers: usize,
    expected: u64,
    slice: &'static [u64],
    rayon: rayon::ThreadPool,
    fixed: ThreadPool,
    stealing: ThreadPool,
}

impl Size {
    fn new(bench: &Bench, rounds: u32, items: u32) -> Self {
        let (workers, items) = (bench.workers(), bench.items(items));
        Self {
            rounds,
            items,
            workers,
            expected: ordered_sum(items, rounds),
            // Leaked: a pool that is kept takes only what lives as long.
            slice: (0..u64::from(items)).collect::<Vec<_>>().leak(),
            rayon: peers::rayon(workers),
            fixed: peers::paralight(workers, RangeStrategy::Fixed),
            stealing: peers::paralight(workers, RangeStrategy::WorkStealing),
        }
    }

    fn group<'a>(&self, title: String) -> Group<'a> {
        let mut group = Group::new(title, self.items, "item");
        group.ideal(self.workers);
        group.yardstick("of the fastest peer");
        group
    }
}

pub(crate) fn run(bench: &mut Bench) {
    for (rounds, items) in SIZES {
        let into_new = format!("map over a slice, collected, {rounds} rounds per item");
        let into_kept = format!("map over a slice, kept buffer, {rounds} rounds per item");
        let (wants_new, wants_kept) = (bench.wants(&into_new), bench.wants(&into_kept));
        if !wants_new && !wants_kept {
            continue;
        }
        let mut size = Size::new(bench, rounds, items);
        if wants_new {
            collected(bench, into_new, &mut size);
        }
        if wants_kept {
            kept(bench, into_kept, &mut size);
        }
    }
}

/// The sum over a new `Vec`, which ends here.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn sum(results: Vec<u64>) -> u64 {
    results.iter().copied().fold(0, in_order)
}

/// The sum over the kept buffer, which is wiped.
pub(crate) fn sum_and_wipe(kept: &Kept) -> u64 {
    let mut kept = kept.borrow_mut();
    let sum = kept.iter().copied().fold(0, in_order);
    kept.fill(0);
    sum
}

fn collected(bench: &mut Bench, title: String, size: &mut Size) {
    let mut group = size.group(title);
    let Size { rounds, workers, expected, slice, rayon, fixed, stealing, .. } = size;
    let (rounds, workers, expected, slice) = (*rounds, *workers, *expected, *slice);
    let stage = move |&index: &u64| work(index, rounds);

    group.checked("loop", expected, || slice.iter().map(stage).collect(), sum);
    group
        .checked("rayon `par_iter`, `collect`", expected, || rayon_collected(rayon, slice, stage), sum)
        .as_yardstick();
    let name = "paralight `collect`, fixed ranges";
    group.checked(name, expected, || paralight_collected(fixed, slice, stage), sum).as_yardstick();
    let name = "paralight `collect`, work stealing";
    group.checked(name, expected, || paralight_collected(stealing, slice, stage), sum).as_yardstick();
    let name = "static parts by `std::thread::scope`, a `Vec` each, appended";
    group.checked(name, expected, || parts_appended(workers, slice, stage), sum).as_yardstick();
    let name = "static parts by `std::thread::scope`, into zeros";
    let into_zeros = || {
        let mut results = vec![0; slice.len()];
        parts_into(workers, slice, &mut results, stage);
        results
    };
    group.checked(name, expected, into_zeros, sum).as_yardstick();
    ours::slice_collected(&mut group, slice, rounds, workers);
    group.goal("gristmill `map`", Goal::OfFastest(1.0));
    bench.run(group);
}

fn kept(bench: &mut Bench, title: String, size: &mut Size) {
    let kept = Kept::new(vec![0; size.slice.len()]);
    let mut group = size.group(title);
    let Size { rounds, workers, expected, slice, rayon, fixed, stealing, .. } = size;
    let (rounds, workers, expected, slice) = (*rounds, *workers, *expected, *slice);
    let stage = move |&index: &u64| work(index, rounds);
    let wipe = |()| sum_and_wipe(&kept);

    let plain = || part(slice, &mut kept.borrow_mut(), stage);
    group.checked("loop", expected, plain, wipe);
    let name = "rayon `par_iter`, `collect_into_vec`";
    let into_vec = || rayon_into_vec(rayon, slice, &mut kept.borrow_mut(), stage);
    group.checked(name, expected, into_vec, wipe).as_yardstick();
    let name = "rayon `par_iter_mut`, `zip`";
    let zipped = || rayon_zipped(rayon, slice, &mut kept.borrow_mut(), stage);
    group.checked(name, expected, zipped, wipe).as_yardstick();
    let name = "paralight `par_iter_mut`, `zip_eq`, fixed ranges";
    let zipped = || paralight_zipped(fixed, slice, &mut kept.borrow_mut(), stage);
    group.checked(name, expected, zipped, wipe).as_yardstick();
    let name = "paralight `par_iter_mut`, `zip_eq`, work stealing";
    let zipped = || paralight_zipped(stealing, slice, &mut kept.borrow_mut(), stage);
    group.checked(name, expected, zipped, wipe).as_yardstick();
    let name = "static parts by `std::thread::scope`";
    let parts = || parts_into(workers, slice, &mut kept.borrow_mut(), stage);
    group.checked(name, expected, parts, wipe).as_yardstick();
    ours::slice_kept(&mut group, slice, &kept, rounds, workers);
    group.goal("gristmill `map_into`, with the start of its pool", Goal::OfFastest(1.0));
    bench.run(group);
}

fn part(slice: &[u64], kept: &mut [u64], stage: impl Fn(&u64) -> u64) {
    for (place, item) in kept.iter_mut().zip(slice) {
        *place = stage(item);
    }
}

/// As many parts as workers; the calling thread is one of the workers.
fn parts_into(workers: usize, slice: &[u64], kept: &mut [u64], stage: impl Fn(&u64) -> u64 + Copy + Send) {
    let length = slice.len().div_ceil(workers);
    let mut parts = slice.chunks(length).zip(kept.chunks_mut(length));
    thread::scope(|scope| {
        let mine = parts.next();
        for (slice, kept) in parts {
            scope.spawn(move || part(slice, kept, stage));
        }
        if let Some((slice, kept)) = mine {
            part(slice, kept, stage);
        }
    });
}

/// For results that no value stands in for: the calling thread's `Vec` is as long as all, and takes up the others.
fn parts_appended(workers: usize, slice: &[u64], stage: impl Fn(&u64) -> u64 + Copy + Send) -> Vec<u64> {
    let mut parts = slice.chunks(slice.len().div_ceil(workers));
    thread::scope(|scope| {
        let mine = parts.next().unwrap_or_default();
        let others: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(stage).collect::<Vec<_>>())).collect();
        let mut results = Vec::with_capacity(slice.len());
        results.extend(mine.iter().map(stage));
        for other in others {
            results.append(&mut other.join().expect("the stage does not panic"));
        }
        results
    })
}

fn rayon_collected(
    pool: &rayon::ThreadPool,
    slice: &[u64],
    stage: impl Fn(&u64) -> u64 + Sync + Send,
) -> Vec<u64> {
    use rayon::prelude::*;
    pool.install(|| slice.par_iter().map(stage).collect())
}

fn rayon_into_vec(
    pool: &rayon::ThreadPool,
    slice: &[u64],
    kept: &mut Vec<u64>,
    stage: impl Fn(&u64) -> u64 + Sync + Send,
) {
    use rayon::prelude::*;
    pool.install(|| slice.par_iter().map(stage).collect_into_vec(kept));
}

fn rayon_zipped(
    pool: &rayon::ThreadPool,
    slice: &[u64],
    kept: &mut [u64],
    stage: impl Fn(&u64) -> u64 + Sync + Send,
) {
    use rayon::prelude::*;
    pool.install(|| kept.par_iter_mut().zip(slice).for_each(|(place, item)| *place = stage(item)));
}

fn paralight_collected(pool: &mut ThreadPool, slice: &[u64], stage: impl Fn(&u64) -> u64 + Sync) -> Vec<u64> {
    use paralight::prelude::*;
    slice.par_iter().map(stage).with_thread_pool(pool).collect()
}

fn paralight_zipped(
    pool: &mut ThreadPool,
    slice: &[u64],
    kept: &mut [u64],
    stage: impl Fn(&u64) -> u64 + Sync,
) {
    use paralight::prelude::*;
    (kept.par_iter_mut(), slice.par_iter())
        .zip_eq()
        .with_thread_pool(pool)
        .for_each(|(place, item)| *place = stage(item));
}
