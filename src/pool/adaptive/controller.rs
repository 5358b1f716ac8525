//! The controller: rules, and what they remember.

use super::ceiling::Ceiling;
use super::sample::Sample;
use super::settings::{AdaptiveSize, AdaptiveSizeError};
use super::stretch::{Pace, Stretch};

/// A growth that has yet to show its use.
#[derive(Clone, Copy, Debug)]
struct Trial {
    from: usize,
    pace: Pace,
}

/// Decides how many workers a pool should have, from what was measured and nothing else: the same measurements in the same
/// order give the same decisions. [The module](super) says by which rules.
///
/// ```
/// use std::time::Duration;
/// use gristmill::AdaptiveSize;
/// use gristmill::pool::adaptive::{Controller, Sample};
///
/// let mut controller = Controller::new(AdaptiveSize::between(1, 8))?;
/// let elapsed = Duration::from_millis(100);
/// // Half a minute without anything to do: four workers become as few as may be.
/// let mut workers = 4;
/// for _ in 0..300 {
///     workers = controller.decide(&Sample { elapsed, workers, queued: 0, busy_milli: 0, started: 0 });
/// }
/// assert_eq!(workers, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Controller {
    settings: AdaptiveSize,
    /// What was decided last; `None` before the first measurement.
    target: Option<usize>,
    /// The size has just changed: the next measurement is part the old size and part the new, and says nothing.
    is_settling: bool,
    backlog: Stretch,
    /// Of the backlog.
    pace: Pace,
    trial: Option<Trial>,
    ceiling: Ceiling,
    idleness: Stretch,
    /// The most that the idle moments needed.
    needed: usize,
    absence: Stretch,
}

impl Controller {
    /// A controller that has seen nothing yet.
    ///
    /// # Errors
    /// A setting makes no sense; see [`AdaptiveSizeError`].
    pub fn new(settings: AdaptiveSize) -> Result<Self, AdaptiveSizeError> {
        settings.check()?;
        Ok(Self {
            settings,
            target: None,
            is_settling: false,
            backlog: Stretch::default(),
            pace: Pace::default(),
            trial: None,
            ceiling: Ceiling::default(),
            idleness: Stretch::default(),
            needed: 0,
            absence: Stretch::default(),
        })
    }

    /// How many workers the pool should have now, from `min` to `max`. It starts from the workers of the first measurement.
    ///
    /// The answer stays until it is reached: workers that leave may be busy for a while, and are waited for.
    ///
    /// # Cost
    /// A few comparisons and divisions; no allocation.
    pub fn decide(&mut self, measured: &Sample) -> usize {
        let target = *self.target.get_or_insert(self.clamp(measured.workers));
        if measured.elapsed.is_zero() {
            return target;
        }
        self.ceiling.age(measured.elapsed);
        let decided = if measured.workers != target {
            self.await_workers(measured, target)
        } else if self.is_settling {
            self.is_settling = false;
            target
        } else {
            self.observe(measured);
            self.judge(measured, target)
        };
        if decided != target {
            self.target = Some(decided);
            self.is_settling = true;
            self.forget_stretches();
        }
        decided
    }

    fn clamp(&self, workers: usize) -> usize {
        workers.clamp(self.settings.min, self.settings.max)
    }

    fn forget_stretches(&mut self) {
        self.forget_backlog();
        (self.idleness, self.needed) = (Stretch::default(), 0);
        self.absence = Stretch::default();
    }

    fn forget_backlog(&mut self) {
        (self.backlog, self.pace) = (Stretch::default(), Pace::default());
    }

    /// There are other workers than were decided: on their way, or, after `grow_after`, not to be had.
    fn await_workers(&mut self, measured: &Sample, target: usize) -> usize {
        let mut absence = self.absence;
        self.forget_stretches();
        self.is_settling = true;
        if measured.workers > target {
            return target;
        }
        absence.extend(measured.elapsed, self.settings.tick);
        self.absence = absence;
        let available = self.clamp(measured.workers);
        if available < target && absence.has_lasted(self.settings.grow_after) {
            self.ceiling.set(available, self.settings.remember);
            self.trial = None;
            return available;
        }
        target
    }

    /// Extends the stretches that go on, and ends the others.
    fn observe(&mut self, measured: &Sample) {
        let Sample { elapsed, started, .. } = *measured;
        self.absence = Stretch::default();
        if measured.is_backlog() {
            self.backlog.extend(elapsed, self.settings.tick);
            self.pace.extend(elapsed, started);
        } else {
            // Whatever ended the backlog, the growth was no harm.
            self.trial = None;
            self.forget_backlog();
        }
        if measured.is_idle() {
            self.idleness.extend(elapsed, self.settings.tick);
            self.needed = self.needed.max(measured.comfortable());
        } else {
            (self.idleness, self.needed) = (Stretch::default(), 0);
        }
    }

    /// Grows, goes back, shrinks, or none of them.
    fn judge(&mut self, measured: &Sample, target: usize) -> usize {
        let AdaptiveSize { grow_after, judge_within, shrink_after, .. } = self.settings;
        let before = self.trial.map_or(target, |trial| trial.from);
        let is_known = self.pace.is_known(target, self.ceiling.doubts(before) || self.ceiling.doubts(target));
        if self.backlog.has_lasted(grow_after) && (is_known || self.backlog.has_lasted(judge_within)) {
            return self.climb(measured.queued, target);
        }
        if self.idleness.has_lasted(shrink_after) {
            let surplus = target.saturating_sub(self.clamp(self.needed));
            self.trial = None;
            (self.idleness, self.needed) = (Stretch::default(), 0);
            return target - surplus.div_ceil(2);
        }
        target
    }

    /// The backlog has lasted: back, if the growth before was in vain; otherwise up, as far as that is not known to be in
    /// vain.
    fn climb(&mut self, queued: usize, target: usize) -> usize {
        let pace = self.pace;
        if let Some(trial) = self.trial.take() {
            match pace.is_in_vain(target, &trial.pace, trial.from, self.ceiling.doubts(trial.from)) {
                Some(true) => {
                    self.ceiling.set(trial.from, self.settings.remember);
                    return trial.from;
                }
                Some(false) => self.ceiling.lift(target),
                None => {}
            }
        }
        // Measured anew if it stays: a later growth is compared with the pace right before it.
        self.forget_backlog();
        let step = queued.clamp(target.div_ceil(2), target);
        let next = target.saturating_add(step).min(self.ceiling.limit(self.settings.max));
        if next <= target {
            return target;
        }
        self.trial = Some(Trial { from: target, pace });
        next
    }
}
