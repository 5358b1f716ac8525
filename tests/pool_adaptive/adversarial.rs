//! Loads and measurements that are made to mislead.

use std::time::Duration;

use gristmill::AdaptiveSize;
use gristmill::pool::MAX_WORKERS;
use gristmill::pool::adaptive::Sample;

use crate::support::{TICK, backlog, controller, nothing, steps, turns};

/// Decisions over a wave of `on` ticks of backlog and `off` ticks of nothing, from `start` workers.
fn wave(start: usize, on: usize, off: usize, ticks: usize) -> Vec<usize> {
    let mut controller = controller(AdaptiveSize::between(1, 64));
    let mut size = start;
    let decide = |tick| {
        let measured = if tick % (on + off) < on { backlog(size) } else { nothing(size) };
        size = controller.decide(&measured);
        size
    };
    (0..ticks).map(decide).collect()
}

#[test]
fn square_wave_below_both_patiences_moves_nothing() {
    // Backlogs of one tick, where two are `grow_after`; idle for up to 49 ticks, where 50 are `shrink_after`.
    for off in 1..50 {
        assert_eq!(steps(&wave(8, 1, off, 5_000)), [8], "idle for {off} ticks");
    }
}

#[test]
fn square_wave_of_short_pauses_never_shrinks() {
    for on in [2, 3, 5, 50, 500] {
        for off in [1, 10, 49] {
            assert_eq!(turns(&wave(8, on, off, 5_000)), 0, "{on} ticks of backlog, {off} of nothing");
        }
    }
}

#[test]
fn square_wave_of_any_period_turns_the_size_at_most_twice_a_period() {
    for on in [1, 2, 3, 4, 7, 20, 60, 100, 300] {
        for off in [1, 2, 30, 49, 50, 51, 52, 100, 300] {
            let (ticks, period) = (6_000, on + off);
            let turned = turns(&wave(8, on, off, ticks));
            assert!(turned <= 2 * ticks.div_ceil(period), "{on} on, {off} off: {turned}");
        }
    }
}

#[test]
fn spike_in_one_measurement_moves_nothing_however_large_or_late() {
    let spikes = [
        backlog(4),
        Sample { queued: usize::MAX, started: u64::MAX, ..backlog(4) },
        Sample { elapsed: Duration::from_secs(3600), ..backlog(4) },
        Sample { elapsed: Duration::MAX, ..backlog(4) },
    ];
    for spike in spikes {
        let mut controller = controller(AdaptiveSize::between(1, 64));
        for _ in 0..100 {
            assert_eq!(controller.decide(&spike), 4, "{spike:?}");
            for _ in 0..20 {
                assert_eq!(controller.decide(&nothing(4)), 4, "after {spike:?}");
            }
        }
    }
}

#[test]
fn late_measurement_of_nothing_is_no_lasting_idleness() {
    let mut controller = controller(AdaptiveSize::between(1, 64));
    let late = Sample { elapsed: Duration::from_secs(3600), ..nothing(4) };
    for _ in 0..24 {
        assert_eq!(controller.decide(&late), 4);
    }
    assert_eq!(controller.decide(&late), 2, "25 measurements of two ticks are `shrink_after`");
}

#[test]
fn busiest_moment_decides_how_far_to_shrink() {
    let mut controller = controller(AdaptiveSize::between(1, 64));
    let busy = |busy_milli, workers| Sample { busy_milli, started: 10, ..nothing(workers) };
    let mut size = 16;
    for tick in 0..1_000 {
        size = controller.decide(&busy(if tick % 40 == 0 { 5_900 } else { 10 }, size));
    }
    // Eight workers would be 74 % busy with 5.9: halfway there, and once more; then three quarters would be too few.
    assert_eq!(size, 10);
}

#[test]
fn tasks_that_are_queued_but_cannot_run_keep_no_workers() {
    // Held back by a rate or a key: the workers have nothing to do.
    let mut controller = controller(AdaptiveSize::between(1, 64));
    let mut size = 32;
    for _ in 0..600 {
        let was = size;
        size = controller.decide(&Sample { queued: 1000, ..nothing(size) });
        assert!(size <= was);
    }
    assert_eq!(size, 1);
}

#[test]
fn threads_that_cannot_be_started_are_given_up_and_asked_for_later() {
    let mut controller = controller(AdaptiveSize::between(1, 64));
    let available = 5;
    let (mut workers, mut asked) = (4, Vec::new());
    for _ in 0..1_000 {
        let target = controller.decide(&backlog(workers));
        workers = target.min(available);
        asked.push(target);
    }
    assert_eq!(steps(&asked)[..3], [4, 8, 5]);
    let above = asked.iter().filter(|target| **target > available).count();
    // At first and after 30 s, a few ticks each; the third time would be after 90 s.
    assert!((2..=12).contains(&above), "{above} ticks: {:?}", steps(&asked));
    // Now they can be started.
    for _ in 0..3_000 {
        workers = controller.decide(&backlog(workers));
    }
    assert_eq!(workers, 64);
}

#[test]
fn workers_that_are_still_busy_are_waited_for() {
    let mut controller = controller(AdaptiveSize::between(1, 64));
    for _ in 0..50 {
        controller.decide(&nothing(64));
    }
    for _ in 0..10_000 {
        assert_eq!(controller.decide(&nothing(64)), 32, "the decision stays until it is reached");
        assert_eq!(controller.decide(&backlog(40)), 32);
    }
    assert_eq!(controller.decide(&nothing(31)), 32, "that one is missing has not lasted yet");
}

#[test]
fn first_tasks_of_new_workers_do_not_make_a_growth_look_useful() {
    // Tasks on four cores, which eight workers do not speed up.
    let on_cores = |workers, started| Sample { started, ..backlog(workers) };
    for is_late in [false, true] {
        let mut controller = controller(AdaptiveSize::between(1, 64));
        assert_eq!(controller.decide(&on_cores(4, 40)), 4);
        assert_eq!(controller.decide(&on_cores(4, 40)), 8);
        if is_late {
            assert_eq!(controller.decide(&on_cores(6, 500)), 8);
        }
        // Whatever was started in the interval in which they came.
        assert_eq!(controller.decide(&on_cores(8, 500)), 8);
        let sizes = [(); 3].map(|()| controller.decide(&on_cores(8, 40)));
        assert_eq!(sizes, [8, 4, 4], "late: {is_late}");
    }
}

#[test]
fn interval_in_which_a_worker_came_back_says_nothing() {
    let mut controller = controller(AdaptiveSize::between(1, 64));
    let series = [backlog(4), backlog(3), backlog(4), backlog(4), backlog(4)];
    assert_eq!(series.map(|measured| controller.decide(&measured)), [4, 4, 4, 4, 8]);
}

#[test]
fn second_try_has_to_bring_more_than_chance_explains() {
    let settings = AdaptiveSize::between(4, 8).remember(10 * TICK);
    // A quarter more tasks are enough for a first growth.
    let tasks = |size: usize, gain: u64| if size == 4 { 40 } else { 40 + gain };
    let mut first = controller(settings);
    let mut size = 4;
    for _ in 0..100 {
        size = first.decide(&Sample { started: tasks(size, 10), ..backlog(size) });
    }
    assert_eq!(size, 8);
    // After one in vain, with some hundred tasks to compare, a quarter may be chance; double is not.
    for (gain, expected) in [(10_u64, [4, 8, 4, 8, 4].as_slice()), (40, &[4, 8, 4, 8])] {
        let mut second = controller(settings);
        let (mut size, mut sizes) = (4, Vec::new());
        for tick in 0..40 {
            let started = tasks(size, if tick < 10 { 0 } else { gain });
            size = second.decide(&Sample { started, ..backlog(size) });
            sizes.push(size);
        }
        assert_eq!(steps(&sizes), expected);
    }
}

#[test]
fn growth_beside_which_too_few_tasks_were_started_counts_as_useful() {
    // What is started at four workers and then at eight, each within the four seconds after which it is judged in any case; and what
    // comes of the growth. Fewer than 32 on either side tell nothing, also where they make the pace look much slower than before.
    for (at_four, at_eight, expected) in [
        (&[40, 40][..], 32, 4),
        (&[40, 40], 31, 16),
        (&[32], 32, 4),
        (&[31], 32, 16),
        (&[32], 31, 16),
        (&[31], 31, 16),
    ] {
        let mut controller = controller(AdaptiveSize::between(1, 64));
        let started = |tick: usize| at_four.get(tick).copied().unwrap_or(0);
        let mut at_four_workers = |tick| controller.decide(&Sample { started: started(tick), ..backlog(4) });
        let grown = (0..100).find(|tick| at_four_workers(*tick) == 8);
        assert_eq!(grown, Some(if at_four.len() > 1 { 1 } else { 39 }), "{at_four:?}");
        assert_eq!(controller.decide(&backlog(8)), 8, "the interval in which they came says nothing");
        let mut sizes = (0..40).map(|tick| {
            let started = if tick == 0 { at_eight } else { 0 };
            controller.decide(&Sample { started, ..backlog(8) })
        });
        assert!(sizes.by_ref().take(39).all(|size| size == 8), "{at_four:?}, {at_eight}");
        assert_eq!(sizes.next(), Some(expected), "{at_four:?}, {at_eight}");
    }
}

#[test]
fn pool_outside_of_its_bounds_is_brought_inside() {
    for (workers, expected) in [(0, 3), (1, 3), (3, 3), (9, 9), (10, 9), (usize::MAX, 9)] {
        let mut controller = controller(AdaptiveSize::between(3, 9));
        for _ in 0..20 {
            assert_eq!(controller.decide(&nothing(workers)), expected, "{workers} workers");
        }
    }
}

#[test]
fn largest_pool_grows_without_overflow() {
    let mut controller = controller(AdaptiveSize::between(1, MAX_WORKERS));
    let mut size = 1;
    for _ in 0..200 {
        let busy = 1000 * size as u64;
        let measured = Sample { queued: usize::MAX, busy_milli: busy, started: busy, ..backlog(size) };
        size = controller.decide(&measured);
    }
    assert_eq!(size, MAX_WORKERS);
}
