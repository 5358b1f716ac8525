//! Telling of calls that do not return, once each.

use super::every::{Watch, WatchError};
use crate::observe::{Health, Runner, StuckCall};
use crate::sync::time::{Duration, Instant};

/// How often one looks within the threshold.
const LOOKS: u32 = 4;

/// One does not look more often than this.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

impl Watch {
    /// Calls `told` with each call that has been stuck for `threshold` or longer: once, and not again until its runner has gone on and is stuck
    /// in another one. `look` gives the health of a pool or a pipeline by that threshold.
    ///
    /// It looks four times within the threshold, at most once a millisecond, on its own thread, so it sees a pool or a pipeline of which every thread is
    /// stuck; within a quarter of the threshold, or half of it where nobody knows when a call began before the first look
    /// ([`RunningTask::elapsed`](crate::RunningTask::elapsed)). The calls go on: what to do about one is up to `told`, which may look at the part, cancel a
    /// token or end the process. For tasks of one pool [`slow_task`](crate::ThreadPoolBuilder::slow_task) does the same without a second part
    /// to keep, and in scoped pools too.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    /// use gristmill::pipeline::PipelineMonitor;
    /// use gristmill::{CancellationToken, Pipeline, Watch};
    ///
    /// let (say, said) = channel();
    /// let monitor = PipelineMonitor::new();
    /// let watched = monitor.clone();
    /// let detector = Watch::stuck(
    ///     Duration::from_millis(5), // in earnest, longer than any call should take
    ///     move |threshold| watched.health(threshold),
    ///     move |call| _ = say.send(call.name().to_owned()),
    /// )?;
    /// Pipeline::from_iter(["17.png"])
    ///     .monitored_by(&monitor)
    ///     .for_each("resize", move |_| assert_eq!(said.recv().as_deref(), Ok("resize"))) // it was told of itself
    ///     .run(&CancellationToken::new())?;
    /// detector.stop()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The threshold is zero, or the thread could not be created; nothing has been called. `Duration::MAX` never looks, but at the end.
    ///
    /// # Panics
    /// A panic of `look` or `told` ends the watching; [`stop`](Self::stop) gives it back.
    pub fn stuck(
        threshold: Duration,
        mut look: impl FnMut(Duration) -> Health + Send + 'static,
        mut told: impl FnMut(&StuckCall) + Send + 'static,
    ) -> Result<Self, WatchError> {
        if threshold.is_zero() {
            return Err(WatchError::ZeroThreshold);
        }
        let mut known: Vec<(Runner, Instant)> = Vec::new();
        Self::every((threshold / LOOKS).max(SHORTEST_INTERVAL), move || {
            let health = look(threshold);
            let stuck = |call: &StuckCall| (call.runner(), call.since());
            known.retain(|before| health.stuck().iter().any(|call| stuck(call) == *before));
            for call in health.stuck() {
                if !known.contains(&stuck(call)) {
                    known.push(stuck(call));
                    told(call);
                }
            }
        })
    }
}
