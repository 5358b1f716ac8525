//! The recipe of `docs/model-checking.md`, as a user would write it: with this crate's public interface and shuttle's, and nothing of our harness.
//! The bug that is seeded here is found, and its schedule replayed.
#![cfg(gristmill_shuttle)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gristmill::{CancellationToken, Pipeline, ThreadPool};
use shuttle::scheduler::RandomScheduler;
use shuttle::sync::Mutex;
use shuttle::{Config, Runner};

/// Words by their number, counted by tasks of a pool.
#[derive(Default)]
struct Counts {
    total: Mutex<u64>,
}

impl Counts {
    /// Reads under one lock and writes under the next: what another task adds in between is lost.
    fn add_in_two_steps(&self, words: u64) {
        let before = *self.total.lock().expect("no panic under it");
        *self.total.lock().expect("no panic under it") = before + words;
    }

    fn add(&self, words: u64) {
        *self.total.lock().expect("no panic under it") += words;
    }
}

fn count_with(add: fn(&Counts, u64)) {
    let counts = Arc::new(Counts::default());
    let pool = ThreadPool::builder().workers(2).build().expect("good settings");
    let tasks = [3, 4].map(|words| {
        let counts = Arc::clone(&counts);
        pool.submit(move || add(&counts, words)).expect("it is open")
    });
    for task in tasks {
        task.wait().expect("no panic");
    }
    assert_eq!(*counts.total.lock().expect("no panic under it"), 7, "a count was lost");
}

/// Runs `body` in so many schedules that `seed` decides.
fn explore(seed: u64, schedules: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    config.silence_warnings = true;
    Runner::new(RandomScheduler::new_from_seed(seed, schedules), config).run(body);
}

#[test]
fn seeded_bug_in_a_task_is_found_and_its_seed_finds_it_again() {
    let found = || {
        let run = || explore(7, 1000, || count_with(Counts::add_in_two_steps));
        let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("no schedule shows the bug");
        panic.downcast_ref::<String>().cloned().expect("a text")
    };
    let (first, again) = (found(), found());
    assert!(first.contains("a count was lost"), "{first}");
    assert_eq!(first, again, "the same seed, the same failure");
}

#[test]
fn without_the_bug_no_schedule_fails() {
    explore(7, 1000, || count_with(Counts::add));
}

#[test]
fn pipeline_of_a_user_keeps_its_order_in_every_schedule() {
    explore(7, 300, || {
        let (squares, _) = Pipeline::from_iter(0..4_u64)
            .workers(2)
            .map("square", |number| number * number)
            .in_order()
            .collect::<Vec<u64>>()
            .run(&CancellationToken::new())
            .expect("no panic");
        assert_eq!(squares, [0, 1, 4, 9]);
    });
}
