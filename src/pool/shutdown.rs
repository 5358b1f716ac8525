//! Ending a pool: close, stop, wait, join, report.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::error::UNNAMED;
use super::gate::{Noted, Phase, deadline};
use super::report::{ReturnedTask, ShutdownReport, StuckTask};
use super::running::Sighting;
use super::seat;
use super::threads::Threads;

/// How a pool ends. All ways close it first: nothing more is accepted, from its own tasks either. A paused pool is resumed, for good.
///
/// ```
/// use gristmill::{Shutdown, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// pool.pause();
/// let task = pool.submit(|| 42)?;
/// let report = pool.shutdown(Shutdown::Abort); // what has not started is handed back
/// assert_eq!((report.succeeded(), report.returned()), (0, 1));
/// assert!(task.wait().is_err_and(|error| error.is_returned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// Every accepted task runs; waits without limit.
    Drain,
    /// Drains for at most this long, then goes on as [`Abort`](Self::Abort). `Duration::ZERO` is `Abort`, and
    /// `Duration::MAX` is `Drain`.
    DrainFor(Duration),
    /// Hands back what has not started, cancels the tokens of what runs, and waits for that for at most the pool's
    /// [`stop_grace`](super::ThreadPoolBuilder::stop_grace).
    Abort,
}

impl Threads<'_> {
    /// Ends the pool in the given way and says what became of its tasks.
    #[track_caller]
    pub(super) fn shutdown<'env>(&self, core: &Core<'env>, mode: Shutdown) -> ShutdownReport<'env> {
        let gate = &*core.gate;
        core.advance(Phase::Closed);
        let drain = match mode {
            Shutdown::Drain => Duration::MAX,
            Shutdown::DrainFor(time) => time,
            Shutdown::Abort => Duration::ZERO,
        };
        // Before it is resumed: what an abort finds paused comes back, and does not start.
        if drain.is_zero() {
            stop(core);
        }
        core.resume_for_good();
        if seat::is_inside(gate) {
            return report(core, false);
        }
        if !drain.is_zero() {
            if gate.wait_finished(deadline(drain)) {
                return self.finish(core);
            }
            stop(core);
        }
        if gate.wait_finished(deadline(gate.grace)) { self.finish(core) } else { report(core, false) }
    }

    fn finish<'env>(&self, core: &Core<'env>) -> ShutdownReport<'env> {
        self.join();
        let report = report(core, true);
        debug_assert_eq!(report.totals.submitted, report.totals.ended(), "the counts close");
        report
    }
}

/// Makes the pool hand back what has not started, and asks what runs to stop.
#[track_caller]
fn stop(core: &Core<'_>) {
    // The phase first: a worker that takes a task from now on hands it back, and does not run it under a dead token.
    core.advance(Phase::Stopping);
    core.gate.stop.cancel();
    core.hand_back_queue();
}

fn report<'env>(core: &Core<'env>, joined: bool) -> ShutdownReport<'env> {
    let stuck = |sighting: Sighting| StuckTask {
        name: sighting.name.unwrap_or_else(|| Arc::from(UNNAMED)),
        worker: sighting.worker,
        elapsed: sighting.elapsed,
    };
    let Noted { panics, more } = core.gate.take_panics();
    ShutdownReport {
        totals: core.gate.counters.totals(),
        returned: core.take_returned().into_iter().flat_map(ReturnedTask::each).collect(),
        stuck: if joined {
            Vec::new()
        } else {
            core.gate.running.sightings().into_iter().map(stuck).collect()
        },
        panics,
        more_panics: more,
        joined,
    }
}
