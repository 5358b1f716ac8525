//! The settings of an adaptive size, and which of them make no sense.

use std::time::Duration;

use crate::pool::limits::MAX_WORKERS;

const MIN_TICK: Duration = Duration::from_millis(1);
const MAX_TICK: Duration = Duration::from_secs(60);

/// Between which sizes a pool adapts itself, and how patient it is; the rules are those of [the module](super).
///
/// Not for work that computes all the time: one worker per core is the best size for it, and known. For that, set the
/// number of workers.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`tick`](Self::tick) | 100 ms | two make up `grow_after`; ten times a second costs nothing measurable |
/// | [`grow_after`](Self::grow_after) | 200 ms | a burst that is gone sooner needs no help; a thread that is started costs a thousandth of it |
/// | [`judge_within`](Self::judge_within) | 4 s | judges growth for tasks of up to a quarter of a second on two cores |
/// | [`shrink_after`](Self::shrink_after) | 5 s | a worker too many costs its stack, a worker too few costs time: be slow to give up |
/// | [`remember`](Self::remember) | 30 s | a growth in vain costs its users little, but not nothing |
///
/// The values are checked where they are used: by [`Controller::new`](super::Controller::new) and when a pool is built.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{AdaptiveSize, ThreadPool};
///
/// let size = AdaptiveSize::between(2, 16).shrink_after(Duration::from_secs(30));
/// let pool = ThreadPool::builder().adaptive(size).build()?;
/// assert!((2..=16).contains(&pool.workers()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct AdaptiveSize {
    pub(in crate::pool) min: usize,
    pub(in crate::pool) max: usize,
    pub(in crate::pool) tick: Duration,
    pub(super) grow_after: Duration,
    pub(super) judge_within: Duration,
    pub(super) shrink_after: Duration,
    pub(super) remember: Duration,
}

impl AdaptiveSize {
    /// From `min` to `max` workers, both included, 1 to [`MAX_WORKERS`] each. The same number
    /// twice is a fixed size.
    pub fn between(min: usize, max: usize) -> Self {
        Self {
            min,
            max,
            tick: Duration::from_millis(100),
            grow_after: Duration::from_millis(200),
            judge_within: Duration::from_secs(4),
            shrink_after: Duration::from_secs(5),
            remember: Duration::from_secs(30),
        }
    }

    /// How often the pool measures itself, 1 ms to 1 min. A measurement that came late counts for two ticks at most, so
    /// that a single one is never taken for something that lasts.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// How long a backlog must last before the pool grows; not zero. `Duration::MAX`: it never grows.
    pub fn grow_after(mut self, backlog: Duration) -> Self {
        self.grow_after = backlog;
        self
    }

    /// How long to wait at each size, while the backlog lasts, for enough tasks to tell how fast this size is (64, and four
    /// for each worker), not zero. With fewer than 32 when the time is over, nothing can be told, and the growth before it
    /// counts as useful. So it bounds how slowly a pool for long tasks grows, and how long tasks may be for a growth in
    /// vain to be noticed.
    pub fn judge_within(mut self, patience: Duration) -> Self {
        self.judge_within = patience;
        self
    }

    /// How long workers must have been idle before the pool shrinks; not zero. `Duration::MAX`: it never does because of
    /// that.
    pub fn shrink_after(mut self, idleness: Duration) -> Self {
        self.shrink_after = idleness;
        self
    }

    /// For how long a growth in vain is not tried again, not zero; doubled each time, up to 64 times this. `Duration::MAX`:
    /// never again.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    /// Whether these settings can be used.
    pub(in crate::pool) fn check(&self) -> Result<(), AdaptiveSizeError> {
        let Self { min, max, tick, .. } = *self;
        if min == 0 {
            return Err(AdaptiveSizeError::NoWorkers);
        }
        if min > max {
            return Err(AdaptiveSizeError::MinAboveMax { min, max });
        }
        if max > MAX_WORKERS {
            return Err(AdaptiveSizeError::TooManyWorkers { max });
        }
        if !(MIN_TICK..=MAX_TICK).contains(&tick) {
            return Err(AdaptiveSizeError::Tick { tick });
        }
        let durations = [
            ("grow_after", self.grow_after),
            ("judge_within", self.judge_within),
            ("shrink_after", self.shrink_after),
            ("remember", self.remember),
        ];
        match durations.iter().find(|(_, duration)| duration.is_zero()) {
            Some((setting, _)) => Err(AdaptiveSizeError::NoTime { setting }),
            None => Ok(()),
        }
    }
}

/// Why the settings of an adaptive size cannot be used.
///
/// ```
/// use gristmill::pool::adaptive::{AdaptiveSizeError, Controller};
/// use gristmill::{AdaptiveSize, BuildError, ThreadPool};
///
/// let size = AdaptiveSize::between(8, 2);
/// let error = Controller::new(size).unwrap_err();
/// assert_eq!(error, AdaptiveSizeError::MinAboveMax { min: 8, max: 2 });
/// let error = ThreadPool::builder().adaptive(size).build().unwrap_err();
/// assert!(matches!(error, BuildError::AdaptiveSize(AdaptiveSizeError::MinAboveMax { .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptiveSizeError {
    /// The minimum is zero: the pool could come to a state in which it accepts tasks and runs none.
    #[error("an adaptive pool keeps at least 1 worker, not 0")]
    NoWorkers,
    /// The minimum is above the maximum.
    #[error("the least number of workers, {min}, is above the largest, {max}")]
    MinAboveMax {
        /// The minimum that was asked for.
        min: usize,
        /// The maximum that was asked for.
        max: usize,
    },
    /// The maximum is above [`MAX_WORKERS`].
    #[error("a pool has at most {limit} workers, not {max}", limit = MAX_WORKERS)]
    TooManyWorkers {
        /// The maximum that was asked for.
        max: usize,
    },
    /// The tick is below a millisecond or above a minute.
    #[error("an adaptive pool measures itself every 1 ms to 1 min, not every {tick:?}")]
    Tick {
        /// The tick that was asked for.
        tick: Duration,
    },
    /// A duration is zero: the size would follow every single measurement.
    #[error("{setting} is zero, but nothing lasts no time")]
    NoTime {
        /// The name of the setting.
        setting: &'static str,
    },
}
