//! Settings that make no sense are refused, with a reason.

use std::time::Duration;

use gristmill::AdaptiveSize;
use gristmill::pool::MAX_WORKERS;
use gristmill::pool::adaptive::{AdaptiveSizeError, Controller};

use crate::support::{backlog, controller, nothing};

fn refusal(settings: AdaptiveSize) -> AdaptiveSizeError {
    Controller::new(settings).expect_err("it makes no sense")
}

#[test]
fn sizes_that_no_pool_can_have_are_refused() {
    let error = refusal(AdaptiveSize::between(0, 4));
    assert_eq!(error, AdaptiveSizeError::NoWorkers);
    assert_eq!(error.to_string(), "an adaptive pool keeps at least 1 worker, not 0");
    let error = refusal(AdaptiveSize::between(5, 4));
    assert_eq!(error, AdaptiveSizeError::MinAboveMax { min: 5, max: 4 });
    assert_eq!(error.to_string(), "the least number of workers, 5, is above the largest, 4");
    for max in [MAX_WORKERS + 1, usize::MAX] {
        let error = refusal(AdaptiveSize::between(1, max));
        assert_eq!(error, AdaptiveSizeError::TooManyWorkers { max });
        assert_eq!(error.to_string(), format!("a pool has at most 65536 workers, not {max}"));
    }
    assert_eq!(refusal(AdaptiveSize::between(0, 0)), AdaptiveSizeError::NoWorkers);
}

#[test]
fn durations_that_are_none_are_refused() {
    let settings = AdaptiveSize::between(1, 4);
    let zero = Duration::ZERO;
    let cases = [
        ("grow_after", settings.grow_after(zero)),
        ("judge_within", settings.judge_within(zero)),
        ("shrink_after", settings.shrink_after(zero)),
        ("remember", settings.remember(zero)),
    ];
    for (setting, settings) in cases {
        let error = refusal(settings);
        assert_eq!(error, AdaptiveSizeError::NoTime { setting });
        assert_eq!(error.to_string(), format!("{setting} is zero, but nothing lasts no time"));
    }
    for tick in [zero, Duration::from_micros(999), Duration::from_millis(60_001), Duration::MAX] {
        assert_eq!(refusal(settings.tick(tick)), AdaptiveSizeError::Tick { tick });
    }
    let error = refusal(settings.tick(Duration::MAX)).to_string();
    assert!(
        error.starts_with("an adaptive pool measures itself every 1 ms to 1 min, not every 1844"),
        "{error}"
    );
}

#[test]
fn edges_are_accepted() {
    for (min, max) in [(1, 1), (1, MAX_WORKERS), (MAX_WORKERS, MAX_WORKERS)] {
        assert!(Controller::new(AdaptiveSize::between(min, max)).is_ok());
    }
    let settings = AdaptiveSize::between(1, 4);
    for tick in [Duration::from_millis(1), Duration::from_secs(60)] {
        assert!(Controller::new(settings.tick(tick)).is_ok());
    }
}

#[test]
fn longest_patience_never_moves() {
    let mut controller =
        controller(AdaptiveSize::between(1, 9).grow_after(Duration::MAX).shrink_after(Duration::MAX));
    for _ in 0..100_000 {
        assert_eq!(controller.decide(&backlog(4)), 4);
    }
    for _ in 0..100_000 {
        assert_eq!(controller.decide(&nothing(4)), 4);
    }
}

#[test]
fn minimum_that_is_the_maximum_is_a_fixed_size() {
    let mut controller = controller(AdaptiveSize::between(3, 3));
    for _ in 0..1_000 {
        assert_eq!(controller.decide(&backlog(3)), 3);
        assert_eq!(controller.decide(&nothing(3)), 3);
    }
    for _ in 0..1_000 {
        assert_eq!(controller.decide(&nothing(3)), 3);
    }
}
