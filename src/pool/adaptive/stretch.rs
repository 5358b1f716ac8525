//! How long something has been so, without a break.

use std::time::Duration;

/// Consecutive measurements that all said the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    lasted: Duration,
    measurements: u32,
}

impl Stretch {
    /// One more measurement, of which at most two ticks count: it saw the queue only once.
    pub(super) fn extend(&mut self, elapsed: Duration, tick: Duration) {
        self.lasted = self.lasted.saturating_add(elapsed.min(tick.saturating_mul(2)));
        self.measurements = self.measurements.saturating_add(1);
    }

    /// Whether it has lasted that long, in more than a single measurement.
    pub(super) fn has_lasted(&self, patience: Duration) -> bool {
        self.measurements > 1 && self.lasted >= patience && patience < Duration::MAX
    }
}

/// How fast tasks were started, at one size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    elapsed: Duration,
    started: u64,
}

/// With fewer starts nothing can be told: two paces that are the same would often seem to differ by a quarter.
const FEWEST: u64 = 32;

/// With so many, chance moves the pace by an eighth if the times of tasks vary as much as exponential ones do.
const ENOUGH: u64 = 64;

/// And so many for each worker: starts come in steps of as many as there are workers.
const ENOUGH_EACH: u64 = 4;

impl Pace {
    pub(super) fn extend(&mut self, elapsed: Duration, started: u64) {
        self.elapsed = self.elapsed.saturating_add(elapsed);
        self.started = self.started.saturating_add(started);
    }

    /// Whether it is known well enough; twice as well, for which it takes four times as many tasks, where there is doubt.
    pub(super) fn is_known(&self, workers: usize, is_doubted: bool) -> bool {
        let enough = if is_doubted { 4 * ENOUGH } else { ENOUGH };
        self.started >= enough.max(ENOUGH_EACH.saturating_mul(workers as u64))
    }

    fn can_be_compared(&self) -> bool {
        self.started >= FEWEST && !self.elapsed.is_zero()
    }

    /// Tasks a second.
    #[allow(clippy::cast_precision_loss)] // far below what chance does
    fn rate(&self) -> f64 {
        self.started as f64 / self.elapsed.as_secs_f64()
    }

    /// Whether, after a growth from `from` workers at pace `before`, `to` workers bring less than a fifth of what they
    /// would bring if each brought as much as those before; `None` if that cannot be told. A growth that was in vain the
    /// last time (`is_doubted`) has to bring more than chance explains as well.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn is_in_vain(&self, to: usize, before: &Self, from: usize, is_doubted: bool) -> Option<bool> {
        if !(self.can_be_compared() && before.can_be_compared()) {
            return None;
        }
        let added = to.saturating_sub(from) as f64 / from.max(1) as f64;
        // Twice the standard deviation of the ratio of two counts of random events, which is at most that of Poisson's law.
        let chance = 2.0 * (1.0 / self.started as f64 + 1.0 / before.started as f64).sqrt();
        let wanted = 1.0 + added / 5.0 + if is_doubted { chance } else { 0.0 };
        Some(self.rate() < before.rate() * wanted)
    }
}
