//! A storm over all parts, on real threads: each turn draws one scenario from a seed, runs it, and holds it to exact answers.
//!
//! ```text
//! cargo test --release --all-features --test stress
//! GRISTMILL_STRESS_SECONDS=900 GRISTMILL_STRESS_WORKERS=16 cargo test --release --all-features --test stress
//! GRISTMILL_SEED=1700000000 GRISTMILL_STRESS_WORKERS=2 cargo test --all-features --test stress
//! ```
//!
//! - `GRISTMILL_STRESS_SECONDS`: how long the storm lasts, about 2 seconds if absent;
//! - `GRISTMILL_STRESS_WORKERS`: workers for each core; if absent two, then sixteen, for half of the time each;
//! - `GRISTMILL_SEED`: that of the first turn, the clock if absent; each turn adds one. A failure names the seed of its turn.
//!
//! Between the turns the process has as many threads as before, and as many bytes on the heap: see `heap`.
// The channels that users send with, which the model channel is not.
#![cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]
// It lasts for a time of the real clock, and so does its watchdog.
#![allow(clippy::disallowed_methods)]

mod bulk;
mod combinators;
mod dice;
mod fans;
mod groups;
mod heap;
#[cfg(feature = "journal")]
mod journals;
mod ledger;
mod permits;
mod pipelines;
mod planned;
mod pools;
mod relays;
mod tokens;
mod watchdog;

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use dice::Dice;
use heap::Heap;
use watchdog::Watchdog;

/// So long that only a hang reaches it.
const LONG: Duration = Duration::from_secs(120);

/// What a scenario is given.
struct Turn<'a> {
    dice: Dice,
    /// The most workers that it starts.
    workers: usize,
    watchdog: &'a Watchdog,
}

impl Turn<'_> {
    /// Says what was drawn, for whoever looks into a failure or a hang.
    fn plan(&self, plan: &impl std::fmt::Debug) {
        self.watchdog.plan(format!("{plan:?}"));
    }

    /// All of them mostly; or few, or one.
    fn draw_workers(&mut self) -> usize {
        let all = self.workers;
        self.dice.pick(&[1, 2, all.div_ceil(2), all, all, all])
    }
}

type Scenario = fn(&mut Turn<'_>);

const SCENARIOS: &[(&str, Scenario)] = &[
    ("pool", pools::storm),
    ("pipeline", pipelines::storm),
    ("group", groups::storm),
    ("pool", pools::storm),
    ("combinators", combinators::storm),
    ("pipeline", pipelines::storm),
    ("loops", bulk::storm),
    ("tokens", tokens::storm),
    ("pool", pools::storm),
    ("semaphore", permits::semaphore),
    ("pipeline", pipelines::storm),
    ("objects", permits::objects),
    ("router", fans::router),
    ("merge", fans::merge),
    ("relay", relays::storm),
    #[cfg(feature = "journal")]
    ("journal", journals::storm),
    // So that a seed means the same with the feature and without.
    #[cfg(not(feature = "journal"))]
    ("pool", pools::storm),
];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("one thread more")
}

/// Threads of this process, where the system says.
fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

/// The helper of deadlines goes a moment after the last of them, and the system may show a joined thread for a moment longer.
fn threads_settle_at(wanted: Option<usize>) {
    let limit = Instant::now() + LONG;
    while threads() != wanted {
        assert!(Instant::now() < limit, "{:?} threads are there, and {wanted:?} were before", threads());
        thread::yield_now();
    }
}

/// Turns for that long, with the heap looked at in the end; the seed of the next turn.
fn storm(seed: u64, time: Duration, workers_per_core: usize, watchdog: &Watchdog) -> u64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = cores * workers_per_core;
    let (start, before) = (Instant::now(), threads());
    let mut heap = Heap::new(SCENARIOS.len());
    let mut turns = 0;
    while !heap.is_warm() || start.elapsed() < time {
        let seed = seed.wrapping_add(turns);
        // Neighbours in seed are neighbours in the list, so that every scenario has its share of a short storm.
        let kind = usize::try_from(seed % SCENARIOS.len() as u64).expect("small");
        let (name, run) = SCENARIOS[kind];
        watchdog.begin(name, seed, workers_per_core);
        run(&mut Turn { dice: Dice::new(seed), workers, watchdog });
        threads_settle_at(before);
        watchdog.end();
        heap.look(kind, start.elapsed() < time / 4);
        turns += 1;
    }
    println!("{turns} turns with {workers} workers on {cores} cores, seeds from {seed}; {heap}");
    heap.check(SCENARIOS.iter().map(|(name, _)| *name));
    seed.wrapping_add(turns)
}

#[test]
fn whatever_is_going_on_the_answers_are_exact_and_nothing_is_left_behind() {
    planned::hush();
    let watchdog = Watchdog::start();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    let mut seed = number("GRISTMILL_SEED").unwrap_or(since.as_secs());
    let time = Duration::from_secs(number("GRISTMILL_STRESS_SECONDS").unwrap_or(2));
    match number("GRISTMILL_STRESS_WORKERS") {
        Some(workers) => _ = storm(seed, time, usize::try_from(workers).expect("not that many"), &watchdog),
        None => {
            for workers_per_core in [2, 16] {
                seed = storm(seed, time / 2, workers_per_core, &watchdog);
            }
        }
    }
}
