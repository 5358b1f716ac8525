//! Progress bars: what a pipeline or a pool has done, on a bar of the user's.

use std::fmt;

use indicatif::ProgressBar;

use super::every::{Watch, WatchError};
use crate::panics::Panic;
use crate::pipeline::PipelineMonitor;
use crate::pool::Submitter;
use crate::sync::time::Duration;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(100);

/// Shows on a progress bar how far a pipeline or a pool has come, for as long as it lives. With the feature `progress`, which takes the crate `indicatif` in version
/// 0.18.
///
/// The bar is the caller's: style, message and the place where it is drawn are his, and it may be one of a `MultiProgress`. A bar whose target is no
/// terminal draws nothing, by indicatif's default. What else the program writes to that terminal, a callback of an alert or a log, goes through
/// indicatif's `println` or `suspend`, or it and the bar write over each other. Ten times a second a thread reads the counts and sets position and length; rate and remaining
/// time are what indicatif makes of that. So nothing is done for each item, and the bar is never ahead of what was done.
///
/// [`stop`](Self::stop) and `Drop` set the true counts a last time and finish the bar where it stands, after an error or a cancellation too: it is not pushed to its
/// end. What should be there instead can be said afterwards, with `finish_and_clear` for example. A bar that was finished before is left alone.
///
/// # Examples
/// ```
/// use gristmill::pipeline::PipelineMonitor;
/// use gristmill::{CancellationToken, Pipeline, Progress};
/// use indicatif::ProgressBar;
///
/// let files = ["a.png", "b.png", "c.png"];
/// let bar = ProgressBar::no_length(); // three, as soon as the pipeline runs: the source is a slice
/// let monitor = PipelineMonitor::new();
/// let shown = Progress::of_pipeline(&monitor, &bar)?;
/// Pipeline::from_slice(&files)
///     .monitored_by(&monitor)
///     .for_each("resize", drop)
///     .run(&CancellationToken::new())?;
/// shown.stop()?;
/// assert_eq!((bar.position(), bar.length()), (3, Some(3)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it finishes the bar"]
pub struct Progress {
    /// There until it is stopped.
    watch: Option<Watch>,
    bar: ProgressBar,
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watch: _, bar } = self;
        formatter
            .debug_struct("Progress")
            .field("position", &bar.position())
            .field("length", &bar.length())
            .finish_non_exhaustive()
    }
}

impl Progress {
    /// Shows how many of its items the pipeline that `monitor` is given has finished: they have left through the sink, or were dropped on the way.
    ///
    /// The length becomes what the source will give, [if it knows](crate::pipeline::PipelineSnapshot::expected); otherwise it stays what it is, none
    /// for a spinner. The bar waits for the run to begin, and its time and rate begin with it. Where the monitor is given to several runs in turn, it shows the
    /// one that began last: one that is over, until the next begins, and then that one from its beginning.
    ///
    /// # Errors
    /// The thread could not be created.
    ///
    /// # Cost
    /// Ten snapshots of the monitor each second, besides what the [monitor](crate::Pipeline::monitored_by) costs.
    pub fn of_pipeline(monitor: &PipelineMonitor, bar: &ProgressBar) -> Result<Self, WatchError> {
        let (monitor, shown, mut known) = (monitor.clone(), bar.clone(), None);
        let look = move || {
            let now = monitor.snapshot();
            if now.has_begun() {
                if std::mem::replace(&mut known, now.started()) != now.started() && !shown.is_finished() {
                    shown.reset_elapsed();
                    shown.reset_eta();
                }
                show(&shown, now.finished(), now.expected());
            }
        };
        Self::start(bar, look)
    }

    /// Shows how many of the tasks that the pool has accepted have ended, however; the length is how many it has accepted so far. Works for a
    /// [scoped](crate::ThreadPool::scope) pool too.
    ///
    /// # Errors
    /// The thread could not be created.
    ///
    /// # Cost
    /// Ten times a second a few words are read for each worker.
    pub fn of_pool<S: 'static>(pool: &Submitter<'_, S>, bar: &ProgressBar) -> Result<Self, WatchError> {
        let (counts, shown) = (pool.ended_and_submitted(), bar.clone());
        let look = move || {
            let (ended, submitted) = counts();
            show(&shown, ended, Some(submitted));
        };
        Self::start(bar, look)
    }

    fn start(bar: &ProgressBar, look: impl FnMut() + Send + 'static) -> Result<Self, WatchError> {
        Ok(Self { watch: Some(Watch::every(INTERVAL, look)?), bar: bar.clone() })
    }

    /// Sets the true counts a last time, finishes the bar where it stands, and returns when the thread is gone.
    ///
    /// # Errors
    /// The terminal that the bar is drawn on has panicked, or a rule of the monitor's that cannot be caught; the counts are those of before.
    pub fn stop(mut self) -> Result<(), Panic> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Panic> {
        let Some(watch) = self.watch.take() else { return Ok(()) };
        watch.stop()?;
        if !self.bar.is_finished() {
            self.bar.abandon();
        }
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The length first: the position is never beyond it.
fn show(bar: &ProgressBar, position: u64, length: Option<u64>) {
    if bar.is_finished() {
        return;
    }
    if let Some(length) = length.filter(|length| bar.length() != Some(*length)) {
        bar.set_length(length);
    }
    bar.set_position(position);
}
