//! How many workers a pool of adaptive size should have: a pure function of what was measured.
//!
//! [`AdaptiveSize`] says between which sizes, and how patient; a [`Controller`] turns one [`Sample`] after the other
//! into the number of workers to have. It has no clock, no thread and no lock, so you can try your settings on traces of
//! your own:
//!
//! ```
//! use std::time::Duration;
//! use gristmill::pool::adaptive::{AdaptiveSize, Controller, Sample};
//!
//! let mut controller = Controller::new(AdaptiveSize::between(1, 8))?;
//! let mut workers = 1;
//! for _ in 0..20 {
//!     // Two seconds of more tasks than the workers can take, each of which keeps its worker for a millisecond.
//!     let elapsed = Duration::from_millis(100);
//!     let (busy_milli, started) = (1000 * workers as u64, 100 * workers as u64);
//!     workers = controller.decide(&Sample { elapsed, workers, queued: 50, busy_milli, started });
//! }
//! assert_eq!(workers, 8);
//! # Ok::<(), gristmill::pool::adaptive::AdaptiveSizeError>(())
//! ```
//!
//! # The rules
//! A measurement says *backlog* if tasks are queued and the workers are at least 90 % busy, and *idleness* if three
//! quarters of the workers would be at most 75 % busy. Between the two lies the band in which nothing happens.
//!
//! 1. **Growing.** After a backlog without a break of [`grow_after`](AdaptiveSize::grow_after), and once it is known how
//!    fast tasks are started at this size, by as many workers as tasks are queued, but at least by half and at most to
//!    double.
//! 2. **Going back.** A growth has to bring at least a fifth of what the added workers would bring if each brought as much
//!    as those before (double the workers: 1.2 times the tasks a second). If it does not, the cores, a lock or a disk are
//!    what is scarce: the size goes back, and growing beyond it is not tried for [`remember`](AdaptiveSize::remember), and
//!    for twice as long each time that it is in vain again. So up to a sixth of the throughput may be given up: work that
//!    computes all the time wants a `min` of the number of cores, or a fixed size.
//! 3. **Shrinking.** After idleness without a break of [`shrink_after`](AdaptiveSize::shrink_after), half of the way (at
//!    least by one) to the size at which the busiest moment of that time would have been 75 % busy.
//! 4. **Threads that do not come.** If the pool has had fewer workers than decided for `grow_after`, they cannot be
//!    started: the size becomes what there is, as after a growth in vain.
//!
//! # What holds
//! - The decision is always from `min` to `max`, whatever is measured.
//! - No growth without `grow_after` of backlog right before it, no shrinking without `shrink_after` of idleness, each seen
//!   in at least two measurements in a row. So a load that swings faster than that moves nothing.
//! - Under a constant load the size changes its direction at most once, and so comes to rest; except that, while a backlog
//!   lasts, a growth that was in vain is tried again after `remember`, then after twice that, four times that, and so on,
//!   up to 64 times. (A load that is constant on average only may move it more, but never down sooner than `shrink_after`.)
//!
//! # Where the rules come from
//! Throughput as what decides, and going back when it did not rise, is hill climbing as in the thread pool of .NET (J. L.
//! Hellerstein, V. Morrison, E. Eilebrecht, "Optimizing Concurrency Levels in the .NET `ThreadPool`", 2008), without its
//! waves: they move the size all the time in order to measure. Leaving after a time without work is the keep-alive of
//! Java's `ThreadPoolExecutor`; that the busiest moment of that time counts, not the last one, is the stabilisation window
//! of Kubernetes' horizontal autoscaler.

mod ceiling;
mod controller;
mod sample;
mod settings;
mod stretch;

pub use controller::Controller;
pub use sample::Sample;
pub use settings::{AdaptiveSize, AdaptiveSizeError};
