//! The harness of all model tests.
//!
//! ```text
//! RUSTFLAGS="--cfg gristmill_shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --release --test shuttle_sync
//! RUSTFLAGS="--cfg gristmill_loom -C debug-assertions" CARGO_TARGET_DIR=target/loom cargo nextest run --release --test loom_sync
//! ```
//! (`cargo test` in place of `cargo nextest run` works too; but loom aborts the process on a deadlock while a lock is
//! held, and then the tests after it do not run.)
//!
//! Under shuttle, [`check`] runs its body in random schedules and in PCT schedules of depth 3:
//! - `GRISTMILL_ITERATIONS`: executions of a test for each of the two, 2000 if absent; its rows share them;
//! - `GRISTMILL_SEED`: the seed of both, fixed if absent; printed with a failure;
//! - `GRISTMILL_REPLAY`: runs one schedule instead: the text printed with a failure, or a file that holds it. A
//!   schedule means something only to the very code that it failed on;
//! - `GRISTMILL_ONLY`: runs only the checks that have this in their name, such as the one to be replayed;
//! - `GRISTMILL_MAX_STEPS`: the steps after which an execution counts as a livelock, 100 000 if absent.
//!
//! Under loom, [`check`] explores all executions with at most `LOOM_MAX_PREEMPTIONS` (2 if absent) preemptions.
#![allow(dead_code, unused_imports, clippy::disallowed_methods)] // each test file uses a part; the harness stands outside of the models

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Collects what executions end with; the collection outlives them.
#[derive(Clone, Default)]
pub(crate) struct Outcomes<T>(Arc<Mutex<BTreeSet<T>>>);

impl<T: Ord + Clone> Outcomes<T> {
    pub(crate) fn add(&self, outcome: T) {
        self.0.lock().expect("no panic while it is held").insert(outcome);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().expect("no panic while it is held").iter().cloned().collect()
    }
}

/// Says at the end of a check how it went; when it unwinds, how to see it again.
struct Report {
    what: String,
    executions: Arc<AtomicUsize>,
    start: std::time::Instant,
}

impl Report {
    fn new(what: String) -> Self {
        Self { what, executions: Arc::default(), start: std::time::Instant::now() }
    }

    fn count(&self, body: impl Fn() + Send + Sync + 'static) -> impl Fn() + Send + Sync + 'static {
        let executions = Arc::clone(&self.executions);
        move || {
            executions.fetch_add(1, Ordering::Relaxed);
            body();
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() { "FAILED in execution" } else { "passed" };
        let executions = self.executions.load(Ordering::Relaxed);
        eprintln!("{}: {outcome} {executions}, {:?}", self.what, self.start.elapsed());
    }
}

#[cfg(gristmill_shuttle)]
pub(crate) use on_shuttle::{check, check_share, failure, run_random};

#[cfg(gristmill_shuttle)]
mod on_shuttle {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::str::FromStr;
    use std::sync::Arc;

    use shuttle::scheduler::{PctScheduler, RandomScheduler};
    use shuttle::{Config, MaxSteps, Runner};

    use super::Report;

    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    const PCT_DEPTH: usize = 3;

    fn setting<T: FromStr>(name: &str, otherwise: T) -> T {
        match std::env::var(name) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
            Err(_) => otherwise,
        }
    }

    fn config() -> Config {
        let mut config = Config::new();
        config.silence_warnings = true;
        config.stack_size = 0x4_0000;
        config.max_steps = MaxSteps::FailAfter(setting("GRISTMILL_MAX_STEPS", 100_000));
        config
    }

    /// Runs `body` in many schedules; panics if one of them panics, deadlocks or does not end.
    pub(crate) fn check(name: &str, body: impl Fn() + Send + Sync + 'static) {
        check_share(name, 1, body);
    }

    /// As [`check`], with one `share`-th of its executions, for one of so many rows that a test has, or for a cell of a large table: never
    /// fewer than one. A test as a whole has at least as many as one without rows.
    pub(crate) fn check_share(name: &str, share: usize, body: impl Fn() + Send + Sync + 'static) {
        if std::env::var("GRISTMILL_ONLY").is_ok_and(|only| !name.contains(&only)) {
            return;
        }
        // PCT refuses bodies whose first execution never has two tasks to choose from.
        let body = move || {
            shuttle::thread::spawn(|| ());
            shuttle::thread::yield_now();
            body();
        };
        if let Ok(replay) = std::env::var("GRISTMILL_REPLAY") {
            if std::path::Path::new(&replay).exists() {
                return shuttle::replay_from_file(body, replay);
            }
            return shuttle::replay(body, &replay);
        }
        let body = Arc::new(body);
        let iterations = (setting("GRISTMILL_ITERATIONS", 2000) / share).max(1);
        let seed = setting("GRISTMILL_SEED", SEED);
        {
            let body = Arc::clone(&body);
            let report = Report::new(format!("{name}, random, GRISTMILL_SEED={seed}"));
            let scheduler = RandomScheduler::new_from_seed(seed, iterations);
            Runner::new(scheduler, config()).run(report.count(move || body()));
        }
        let report = Report::new(format!("{name}, pct, GRISTMILL_SEED={seed}"));
        let scheduler = PctScheduler::new_from_seed(seed, PCT_DEPTH, iterations);
        Runner::new(scheduler, config()).run(report.count(move || body()));
    }

    /// Runs `body` in exactly `iterations` random schedules that `seed` decides.
    pub(crate) fn run_random(seed: u64, iterations: usize, body: impl Fn() + Send + Sync + 'static) {
        Runner::new(RandomScheduler::new_from_seed(seed, iterations), config()).run(body);
    }

    /// The text of the failure that [`check`] finds, for bodies with a seeded bug.
    pub(crate) fn failure(name: &str, body: impl Fn() + Send + Sync + 'static) -> Option<String> {
        let payload = catch_unwind(AssertUnwindSafe(|| check(name, body))).err()?;
        let text = payload.downcast_ref::<String>().cloned();
        Some(text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    }
}

#[cfg(gristmill_loom)]
pub(crate) use on_loom::check;

#[cfg(gristmill_loom)]
mod on_loom {
    use super::Report;

    /// Explores `body`; panics or aborts if an execution panics, deadlocks or leaves something behind.
    pub(crate) fn check(name: &str, body: impl Fn() + Send + Sync + 'static) {
        let report = Report::new(format!("{name}, loom"));
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 10_000;
        builder.preemption_bound = builder.preemption_bound.or(Some(2));
        builder.check(report.count(body));
    }
}
