//! A pool as a queue with workers, in steps of a few milliseconds: what its controller would have measured, and what it decided.
//!
//! Deterministic: chance comes from a seed.

use std::time::Duration;

use gristmill::AdaptiveSize;
use gristmill::pool::adaptive::Sample;

use crate::support::{TICK, controller};

/// What the tasks are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// How long a task takes by itself, in seconds.
    pub(crate) service: f64,
    /// On how many cores; `None` for tasks that only wait.
    pub(crate) cores: Option<usize>,
    /// Whether times between arrivals and of tasks are random (exponential) or all alike.
    pub(crate) is_random: bool,
}

pub(crate) struct Simulator {
    work: Work,
    /// What remains of each worker's task, in seconds; 0 without one.
    workers: Vec<f64>,
    target: usize,
    queued: usize,
    /// Seconds to the next arrival, for a rate of one a second.
    to_arrival: f64,
    pub(crate) seed: u64,
    /// Of a tick.
    steps: u32,
}

impl Simulator {
    pub(crate) fn new(work: Work, workers: usize) -> Self {
        Self {
            work,
            workers: vec![0.0; workers],
            target: workers,
            queued: 0,
            to_arrival: 1.0,
            seed: 42,
            steps: (TICK.as_secs_f64() / (work.service / 8.0).clamp(0.002, 0.01)).ceil() as u32,
        }
    }

    /// A number of mean 1: exponential, or 1.
    fn chance(&mut self) -> f64 {
        if !self.work.is_random {
            return 1.0;
        }
        // SplitMix64: G. L. Steele et al., "Fast Splittable Pseudorandom Number Generators", 2014.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.seed;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        -(((bits >> 11) as f64 + 1.0) / 2_f64.powi(53)).ln()
    }

    pub(crate) fn queue(&mut self, tasks: usize) {
        self.queued += tasks;
    }

    /// Decided: workers that are too many leave when their task ends.
    pub(crate) fn resize(&mut self, target: usize) {
        self.target = target;
        self.workers.resize(self.workers.len().max(target), 0.0);
    }

    /// One tick with `rate` arrivals a second.
    pub(crate) fn tick(&mut self, rate: f64) -> Sample {
        let step = TICK.as_secs_f64() / f64::from(self.steps);
        let (mut busy, mut started) = (0.0, 0);
        for _ in 0..self.steps {
            self.to_arrival -= rate * step;
            while self.to_arrival <= 0.0 {
                self.queued += 1;
                self.to_arrival += self.chance();
            }
            let running = self.workers.iter().filter(|rest| **rest > 0.0).count();
            let wanted = (running + self.queued).min(self.workers.len()).max(1);
            let speed = self.work.cores.map_or(1.0, |cores| (cores as f64 / wanted as f64).min(1.0));
            let mut worker = 0;
            while worker < self.workers.len() {
                let (mut rest, mut budget) = (self.workers[worker], step * speed);
                let mut leaves = false;
                while budget > 0.0 {
                    if rest <= 0.0 {
                        leaves = self.workers.len() > self.target;
                        if leaves || self.queued == 0 {
                            break;
                        }
                        self.queued -= 1;
                        started += 1;
                        rest = self.work.service * self.chance();
                    }
                    let spent = rest.min(budget);
                    (rest, budget) = (rest - spent, budget - spent);
                    busy += spent / speed;
                }
                if leaves {
                    self.workers.swap_remove(worker);
                } else {
                    self.workers[worker] = rest.max(0.0);
                    worker += 1;
                }
            }
        }
        let busy_milli = (busy / TICK.as_secs_f64() * 1000.0) as u64;
        Sample { elapsed: TICK, workers: self.workers.len(), queued: self.queued, busy_milli, started }
    }
}

/// What the controller decides at each tick, for a load of `rate(seconds)` arrivals a second.
pub(crate) fn sizes(
    settings: AdaptiveSize,
    mut simulator: Simulator,
    time: Duration,
    rate: impl Fn(f64) -> f64,
) -> Vec<usize> {
    let mut controller = controller(settings);
    let ticks = (time.as_secs_f64() / TICK.as_secs_f64()) as u32;
    let decide = |tick| {
        let measured = simulator.tick(rate(f64::from(tick) * TICK.as_secs_f64()));
        let size = controller.decide(&measured);
        simulator.resize(size);
        size
    };
    (0..ticks).map(decide).collect()
}

#[test]
fn simulated_pool_serves_what_arrives() {
    let mut simulator = Simulator::new(Work { service: 0.01, cores: Some(2), is_random: true }, 4);
    let (mut started, mut busy) = (0, 0);
    for _ in 0..1000 {
        let measured = simulator.tick(100.0);
        started += measured.started;
        busy += measured.busy_milli;
    }
    // 100 tasks a second of 10 ms each keep one of two cores busy; with two servers that makes 4/3 tasks under way (M/M/2).
    assert!((9_500..10_500).contains(&started), "{started} started");
    assert!((1_200_000..1_450_000).contains(&busy), "{busy} busy");
    assert!(simulator.queued < 50);
}

#[test]
fn simulated_cores_bound_the_throughput() {
    for (cores, expected) in [(Some(2), 200), (None, 800)] {
        let mut simulator = Simulator::new(Work { service: 0.01, cores, is_random: false }, 8);
        simulator.queue(100_000);
        simulator.tick(0.0);
        let started: u64 = (0..10).map(|_| simulator.tick(0.0).started).sum();
        assert!(started.abs_diff(expected) <= 10, "{started} a second on {cores:?}");
    }
}
