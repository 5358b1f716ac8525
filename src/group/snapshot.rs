//! What a group is doing now.

use std::fmt;

use super::ledger::Counts;
use super::report::GroupReport;
use super::spawner::Spawner;
use crate::observe::{Measured, Measurement, Measuring, metrics, share};

/// A group at one moment, by [`Spawner::snapshot`].
///
/// The counts close: `spawned = waiting + running + succeeded + failed + panicked + cancelled`. A task that moves on meanwhile is seen
/// where it was or where it went, never twice and never nowhere. One that is given up counts as waiting until it has been dropped, or as
/// running where a thread had just taken it.
///
/// ```
/// use gristmill::{Done, ErrorGroup};
///
/// let group = ErrorGroup::builder().done(Done::all_finished()).build()?;
/// group.spawn(|| "42".parse::<u32>())?;
/// group.spawn(|| "x".parse::<u32>())?;
/// assert!(group.wait().is_err());
/// let now = group.snapshot();
/// assert_eq!((now.spawned(), now.succeeded(), now.failed()), (2, 1, 1));
/// assert_eq!((now.running(), now.error_rate()), (0, 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSnapshot {
    spawned: u64,
    waiting: u64,
    counts: Counts,
    limit: usize,
}

impl GroupSnapshot {
    /// How many tasks the group took.
    pub fn spawned(&self) -> u64 {
        self.spawned
    }

    /// How many have not started.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// How many are running.
    pub fn running(&self) -> u64 {
        self.spawned - self.waiting - ended(&self.counts)
    }

    /// How many returned a value.
    pub fn succeeded(&self) -> u64 {
        self.counts.succeeded
    }

    /// How many returned an error.
    pub fn failed(&self) -> u64 {
        self.counts.failed
    }

    /// How many panicked.
    pub fn panicked(&self) -> u64 {
        self.counts.panicked
    }

    /// How many never started, because the group was done or cancelled before.
    pub fn cancelled(&self) -> u64 {
        self.counts.unrun
    }

    /// How many may run at a time.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Running tasks for each that may run: 0 to 1, and above 1 while a task that spawns runs others itself.
    pub fn utilisation(&self) -> f64 {
        share(self.running(), self.limit as u64)
    }

    /// The share of tasks that failed or panicked in those that ran to their end, 0 to 1.
    pub fn error_rate(&self) -> f64 {
        error_rate(&self.counts)
    }
}

fn ended(counts: &Counts) -> u64 {
    let Counts { succeeded, failed, panicked, unrun } = *counts;
    succeeded + failed + panicked + unrun
}

fn error_rate(counts: &Counts) -> f64 {
    let errors = counts.failed + counts.panicked;
    share(errors, counts.succeeded + errors)
}

impl fmt::Display for GroupSnapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { succeeded, failed, panicked, unrun } = self.counts;
        write!(
            formatter,
            "{} tasks: {} waiting, {} running, {succeeded} succeeded, {failed} failed, {panicked} panicked, {unrun} cancelled",
            self.spawned,
            self.waiting,
            self.running(),
        )
    }
}

impl<T, E> Spawner<'_, T, E> {
    /// What the group is doing now, and how its tasks have ended so far.
    ///
    /// ```
    /// use gristmill::ErrorGroup;
    ///
    /// let group = ErrorGroup::<u32, String>::builder().limit(2).build()?;
    /// let spawner = group.spawner().clone();
    /// group.spawn(|| Ok(1)).ok();
    /// group.into_results().expect("it succeeds");
    /// let now = spawner.snapshot();
    /// assert_eq!((now.spawned(), now.succeeded(), now.running(), now.waiting()), (1, 1, 0, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// Takes the group's locks, one after the other, each for a moment. Nothing is counted for it that is not counted anyway.
    pub fn snapshot(&self) -> GroupSnapshot {
        // While nobody can start: whoever has ended waits no more. So no difference is below zero, and nobody who waits seems to run.
        let (spawned, waiting, counts) = self.core.line.waiting(|| self.core.ledger.counts());
        GroupSnapshot { spawned, waiting, counts, limit: self.core.line.limit() }
    }
}

fn measure(counts: &Counts, spawned: u64, measuring: &mut Measuring<'_>) {
    let outcomes = [
        ("succeeded", counts.succeeded),
        ("failed", counts.failed),
        ("panicked", counts.panicked),
        ("cancelled", counts.unrun),
    ];
    measuring
        .add(&metrics::GROUP_SPAWNED, spawned)
        .split(&metrics::GROUP_TASKS, &[], outcomes)
        .add(&metrics::GROUP_ERRORS, error_rate(counts));
}

impl Measured for GroupSnapshot {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        let mut measuring = Measuring(visit);
        measure(&self.counts, self.spawned, &mut measuring);
        measuring
            .add(&metrics::GROUP_WAITING, self.waiting)
            .add(&metrics::GROUP_RUNNING, self.running())
            .add(&metrics::GROUP_LIMIT, self.limit)
            .add(&metrics::GROUP_UTILISATION, self.utilisation());
    }
}

impl<T, E> GroupReport<T, E> {
    /// The share of tasks that failed or panicked in those that ran to their end, 0 to 1.
    pub fn error_rate(&self) -> f64 {
        error_rate(&self.counts)
    }
}

impl<T, E> Measured for GroupReport<T, E> {
    fn measure(&self, visit: &mut dyn FnMut(Measurement<'_>)) {
        measure(&self.counts, self.spawned(), &mut Measuring(visit));
    }
}
