//! What a pool measures of itself between two ticks, and what one measurement says.

use std::time::Duration;

/// A share of the busy time, in thousandths, from which on workers count as all busy: between two short tasks a worker is
/// not.
const SATURATED_MILLI: u128 = 900;

/// The share, in thousandths, that a smaller pool may be busy. Well below [`SATURATED_MILLI`], so that shrinking makes no
/// backlog.
const COMFORTABLE_MILLI: u128 = 750;

/// One look at a pool. Any values are taken; those that contradict each other lead to no wrong size, only to a poor one.
///
/// ```
/// use std::time::Duration;
/// use gristmill::AdaptiveSize;
/// use gristmill::pool::adaptive::{Controller, Sample};
///
/// // In a tenth of a second two workers, both busy all the time, started 40 tasks; 7 wait.
/// let elapsed = Duration::from_millis(100);
/// let sample = Sample { elapsed, workers: 2, queued: 7, busy_milli: 2000, started: 40 };
/// let mut controller = Controller::new(AdaptiveSize::between(2, 8))?;
/// assert_eq!(controller.decide(&sample), 2); // one measurement is nothing that lasts
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The time since the measurement before. With zero, a measurement says nothing and is left out.
    pub elapsed: Duration,
    /// How many workers there are now. If these are not those that were decided, they are still coming or going, and the
    /// measurement says nothing else.
    pub workers: usize,
    /// How many tasks are queued now that more workers could start. A pool leaves out what waits for a key, a rate or a cap, as far as
    /// it knows, and counts none in a pause.
    pub queued: usize,
    /// How many workers were running tasks on average, in thousandths of a worker: 2500 for two and a half.
    pub busy_milli: u64,
    /// How many tasks were started since the measurement before.
    pub started: u64,
}

impl Sample {
    /// Whether there is more work than these workers can take.
    pub(super) fn is_backlog(&self) -> bool {
        let busy = u128::from(self.busy_milli);
        self.queued > 0 && busy >= self.workers as u128 * SATURATED_MILLI
    }

    /// Whether three quarters of the workers would be comfortable: after growing by half nothing is too large at once.
    pub(super) fn is_idle(&self) -> bool {
        self.comfortable() as u128 * 4 <= self.workers as u128 * 3
    }

    /// The smallest number of workers that would be comfortable with this work.
    pub(super) fn comfortable(&self) -> usize {
        let busy = u128::from(self.busy_milli);
        usize::try_from(busy.div_ceil(COMFORTABLE_MILLI)).unwrap_or(usize::MAX)
    }
}
