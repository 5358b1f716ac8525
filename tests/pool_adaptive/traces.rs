//! Loads as programs have them.

use std::time::Duration;

use gristmill::AdaptiveSize;

use crate::simulator::{Simulator, Work, sizes};
use crate::support::{steps, turns};

const MINUTE: Duration = Duration::from_secs(60);

fn waiting(service: f64) -> Work {
    Work { service, cores: None, is_random: true }
}

fn computing(service: f64, cores: usize) -> Work {
    Work { service, cores: Some(cores), is_random: true }
}

/// Random loads are tried with several seeds: what a test says must not be luck.
const SEEDS: std::ops::Range<u64> = 1..3;

fn simulator(work: Work, workers: usize, seed: u64) -> Simulator {
    let mut simulator = Simulator::new(work, workers);
    simulator.seed = seed;
    simulator
}

/// A batch that is there from the start.
fn batch(work: Work, workers: usize, seed: u64) -> Simulator {
    let mut simulator = simulator(work, workers, seed);
    simulator.queue(10_000_000);
    simulator
}

/// The second in which the size was first reached.
fn reached(sizes: &[usize], size: usize) -> f64 {
    sizes.iter().position(|it| *it >= size).map_or(f64::INFINITY, |tick| tick as f64 / 10.0)
}

#[test]
fn batch_of_waiting_tasks_gets_all_workers_within_seconds() {
    for (service, within) in [(0.001, 2.5), (0.01, 4.0), (0.1, 16.0), (1.0, 40.0)] {
        for seed in SEEDS {
            let simulator = batch(waiting(service), 1, seed);
            let sizes = sizes(AdaptiveSize::between(1, 64), simulator, MINUTE, |_| 0.0);
            let seconds = reached(&sizes, 64);
            assert!(seconds <= within, "{service}: {seconds} s: {:?}", steps(&sizes));
            assert_eq!(turns(&sizes), 0, "{service}: {:?}", steps(&sizes));
        }
    }
}

#[test]
fn batch_of_computing_tasks_stays_near_its_cores() {
    for cores in [1, 2, 3, 4, 6, 8] {
        for service in [0.001, 0.01, 0.05] {
            for seed in SEEDS {
                let simulator = batch(computing(service, cores), 1, seed);
                let sizes = sizes(AdaptiveSize::between(1, 64), simulator, 2 * MINUTE, |_| 0.0);
                let last = *sizes.last().expect("there are ticks");
                // A sixth of the throughput is given up at most; by chance, a doubling too much is kept now and then.
                let is_near = last * 6 >= cores * 5 && last <= 4 * cores;
                assert!(is_near, "{cores} cores, {service}: {:?}", steps(&sizes));
            }
        }
    }
}

#[test]
fn pool_that_starts_at_its_cores_stays_there_under_any_backlog() {
    for seed in SEEDS {
        let simulator = batch(computing(0.005, 4), 4, seed);
        let sizes = sizes(AdaptiveSize::between(4, 64), simulator, 20 * MINUTE, |_| 0.0);
        let above = sizes.iter().filter(|size| **size > 4).count();
        // Once at first, and after 30 s, 60 s, 2 min, 4 min and 8 min: each ends within a second.
        assert!(turns(&sizes) <= 11, "{:?}", steps(&sizes));
        assert!(above <= 70, "{above} of {} ticks above the cores", sizes.len());
    }
}

#[test]
fn steady_arrivals_find_a_size_with_room_and_keep_it() {
    for seed in SEEDS {
        // 400 tasks a second that wait 20 ms: eight are under way on average, and up to 18 in a tick.
        let simulator = simulator(waiting(0.02), 1, seed);
        let sizes = sizes(AdaptiveSize::between(1, 64), simulator, 10 * MINUTE, |_| 400.0);
        let settled = &sizes[600..];
        assert!(settled.iter().all(|size| (9..=24).contains(size)), "{:?}", steps(&sizes));
        assert!(turns(settled) <= 2, "{:?}", steps(settled));
    }
}

#[test]
fn idle_pool_gives_up_its_workers_down_to_the_minimum() {
    let simulator = Simulator::new(waiting(0.01), 64);
    let sizes = sizes(AdaptiveSize::between(2, 64), simulator, MINUTE, |_| 0.0);
    assert_eq!(steps(&sizes), [64, 33, 17, 9, 5, 3, 2]);
}

#[test]
fn ramp_up_and_down_turns_a_few_times() {
    for work in [waiting(0.02), computing(0.02, 24)] {
        for seed in SEEDS {
            // Up to 20 tasks at a time, in two minutes up and two minutes down.
            let load = |seconds: f64| 1000.0 * (1.0 - (seconds - 120.0).abs() / 120.0).max(0.0);
            let simulator = simulator(work, 1, seed);
            let sizes = sizes(AdaptiveSize::between(1, 64), simulator, 5 * MINUTE, load);
            assert!(sizes.iter().max().is_some_and(|most| (20..=60).contains(most)), "{:?}", steps(&sizes));
            assert_eq!(sizes.last(), Some(&1));
            assert!(turns(&sizes) <= 7, "{:?}", steps(&sizes));
        }
    }
}

#[test]
fn bursts_minutes_apart_get_workers_and_give_them_back() {
    for seed in SEEDS {
        let load = |seconds: f64| if seconds % 120.0 < 20.0 { 1000.0 } else { 10.0 };
        let simulator = simulator(waiting(0.02), 1, seed);
        let sizes = sizes(AdaptiveSize::between(1, 32), simulator, 10 * MINUTE, load);
        for (burst, ticks) in sizes.chunks(1200).enumerate() {
            assert!(ticks.iter().any(|size| *size >= 20), "burst {burst}: {:?}", steps(ticks));
            assert!(ticks[1199] <= 3, "burst {burst}: {:?}", steps(ticks));
        }
        assert!(turns(&sizes) <= 12, "{:?}", steps(&sizes));
    }
}
