//! Closing the source of a running pipeline from outside.
//!
//! # Invariants
//! 1. A run is told of a close once: it is entered while the lock is held under which `closed` is set, so either it finds the control closed
//!    when it begins, or the one who closes finds it.
//!
//! Lock order: `state` is a leaf; tokens are cancelled, and registrations made and dropped, outside of it.

use std::fmt;
use std::sync::Arc;

use crate::cancel::{CancellationToken, Registration};
use crate::sync::Mutex;
use crate::sync::time::{self, Duration, Instant};

/// The cause of the cancellation when a closed pipeline took longer than it was given.
///
/// ```
/// use std::time::Duration;
/// use gristmill::pipeline::DrainTimedOut;
/// use gristmill::{CancellationToken, Pipeline, PipelineControl, PipelineErrorKind};
///
/// let control = PipelineControl::new();
/// let error = Pipeline::from_iter([0..10])
///     .controlled_by(&control)
///     .flat_map("numbers", |numbers| numbers)
///     .for_each("write", |_| control.close_within(Duration::ZERO))
///     .run(&CancellationToken::new())
///     .unwrap_err();
/// let PipelineErrorKind::Cancelled(cancelled) = error.kind() else { unreachable!("{error}") };
/// let cause = cancelled.cause().and_then(|cause| cause.downcast_ref::<DrainTimedOut>());
/// assert_eq!(cause.map(|cause| cause.0), Some(Duration::ZERO));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was in the pipeline was not finished {0:?} after it was closed")]
pub struct DrainTimedOut(pub Duration);

/// What a control holds of one run.
struct Live {
    number: u64,
    /// Ends the reading.
    source: CancellationToken,
    /// Ends the run.
    run: CancellationToken,
    /// The token of the time-out, which has to live, and what it does.
    timer: Option<(CancellationToken, Registration)>,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// When what is in the pipeline has to be finished, and how long that was from the close on.
    deadline: Option<(Instant, Duration)>,
    live: Vec<Live>,
    runs: u64,
}

/// Closes a running pipeline: it reads no more, and finishes what it has.
///
/// Make it, give it to the pipeline with [`controlled_by`](super::Pipeline::controlled_by), and keep a clone for the thread, the signal
/// handler or the stage that decides when it is enough. To give up what is in the pipeline as well, cancel the token of the run instead. It
/// controls every pipeline that it is given to; once closed it stays so, and a pipeline that begins later reads nothing.
///
/// # Examples
/// ```
/// use gristmill::{CancellationToken, Pipeline, PipelineControl};
///
/// let control = PipelineControl::new();
/// let mut seen = Vec::new();
/// let report = Pipeline::from_iter(0..)
///     .controlled_by(&control)
///     .window(8)
///     .for_each("note", |number| {
///         seen.push(number);
///         if number == 99 {
///             control.close(); // the run succeeds with what has been read by now
///         }
///     })
///     .run(&CancellationToken::new())?;
/// assert!((100..=108).contains(&report.finished()));
/// assert!(seen.iter().copied().eq(0..report.finished()));
/// # Ok::<(), gristmill::PipelineError>(())
/// ```
#[derive(Clone, Default)]
pub struct PipelineControl {
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for PipelineControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (closed, runs) = {
            let state = self.state.lock();
            (state.closed, state.live.len())
        };
        formatter.debug_struct("PipelineControl").field("closed", &closed).field("runs", &runs).finish()
    }
}

impl PipelineControl {
    /// Makes a control that is not closed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes the source: nothing more is read, and what has been read goes through to the sink, batches that are not full included.
    ///
    /// Returns at once; the run ends when the last item is through, and succeeds. A wait for the next item of a channel ends. A call of an
    /// iterator's `next` that is under way is not interrupted; its item, and what else is read in the same burst of a source that is fast, are the last. What was not read stays in the channel, or in the iterator if
    /// the pipeline was given `&mut iterator`. Closing twice changes nothing.
    pub fn close(&self) {
        self.close_by(None);
    }

    /// As [`close`](Self::close); what is not finished when `timeout` has passed is given up.
    ///
    /// The run then ends as cancelled, with [`DrainTimedOut`] as the cause, and its report says what is undone; see
    /// [`return_undone`](super::Pipeline::return_undone) for taking it back. Zero gives up everything at once. Of several time-outs the one that
    /// ends first holds; one that is too long to be added to the clock does not end.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// use gristmill::{CancellationToken, Pipeline, PipelineControl};
    ///
    /// let control = PipelineControl::new();
    /// let token = CancellationToken::new();
    /// let error = Pipeline::from_iter([0..10])
    ///     .controlled_by(&control)
    ///     .flat_map("numbers", |numbers| numbers)
    ///     .for_each("write", |_| control.close_within(Duration::ZERO))
    ///     .run(&token)
    ///     .unwrap_err();
    /// assert!(error.is_cancelled() && !token.is_cancelled());
    /// ```
    pub fn close_within(&self, timeout: Duration) {
        self.close_by(Some(timeout));
    }

    /// Whether it has been closed.
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    fn close_by(&self, timeout: Option<Duration>) {
        let wanted = timeout.and_then(|timeout| Some((time::now().checked_add(timeout)?, timeout)));
        let (runs, deadline) = {
            let mut state = self.state.lock();
            state.closed = true;
            let sooner = match (wanted, state.deadline) {
                (Some(wanted), Some(set)) if set.0 <= wanted.0 => None,
                (wanted, _) => wanted,
            };
            state.deadline = sooner.or(state.deadline);
            let runs: Vec<_> =
                state.live.iter().map(|live| (live.number, live.source.clone(), live.run.clone())).collect();
            (runs, sooner)
        };
        for (number, source, run) in runs {
            source.cancel();
            if let Some(deadline) = deadline {
                self.set_timer(number, run, deadline);
            }
        }
    }

    /// Has the run cancelled when the time is over.
    fn set_timer(&self, number: u64, run: CancellationToken, (at, timeout): (Instant, Duration)) {
        let cancel = move |run: &CancellationToken| run.cancel_with(DrainTimedOut(timeout));
        if at <= time::now() {
            cancel(&run);
            return;
        }
        // Told by the helper thread of the tokens' deadlines: the run needs none of its own.
        let timer = CancellationToken::with_deadline(at);
        let told = timer.on_cancel(move |_| {
            cancel(&run);
        });
        let timer = (timer, told);
        let mut state = self.state.lock();
        // Somebody may have set a sooner one meanwhile.
        let is_late = state.deadline.is_some_and(|set| set.0 < at);
        let live = state.live.iter_mut().filter(|_| !is_late).find(|live| live.number == number);
        let old = match live {
            Some(live) => live.timer.replace(timer),
            None => Some(timer), // or the run has ended
        };
        drop(state);
        drop(old);
    }

    /// A run begins, which ends its reading with `source` and itself with `run`.
    pub(super) fn enter(&self, source: &CancellationToken, run: &CancellationToken) -> Controlled {
        let (number, closed, deadline) = {
            let mut state = self.state.lock();
            state.runs += 1;
            let number = state.runs;
            state.live.push(Live { number, source: source.clone(), run: run.clone(), timer: None });
            (number, state.closed, state.deadline)
        };
        if closed {
            source.cancel();
            if let Some(deadline) = deadline {
                self.set_timer(number, run.clone(), deadline);
            }
        }
        Controlled { control: self.clone(), number }
    }
}

/// A run that a control knows of, until this is dropped.
#[derive(Debug)]
pub(super) struct Controlled {
    control: PipelineControl,
    number: u64,
}

impl Drop for Controlled {
    fn drop(&mut self) {
        let live = {
            let mut state = self.control.state.lock();
            let place = state.live.iter().position(|live| live.number == self.number);
            place.map(|place| state.live.swap_remove(place))
        };
        drop(live); // its timer is taken back outside of the lock
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    /// What a run is given up for that begins once the control has been closed with one time-out after the other.
    fn given_up_for(timeouts: [Duration; 2]) -> Option<DrainTimedOut> {
        let control = PipelineControl::new();
        for timeout in timeouts {
            control.close_within(timeout);
        }
        let (source, run) = (CancellationToken::new(), CancellationToken::new());
        let _controlled = control.enter(&source, &run);
        assert!(source.is_cancelled());
        let cancelled = run.cause()?;
        cancelled.cause().and_then(|cause| cause.downcast_ref::<DrainTimedOut>().copied())
    }

    #[test]
    fn of_two_times_for_a_drain_the_one_that_ends_first_holds_whichever_was_set_first() {
        let (now, late) = (Duration::ZERO, Duration::from_secs(3600));
        for timeouts in [[now, late], [late, now]] {
            assert_eq!(given_up_for(timeouts), Some(DrainTimedOut(now)), "{timeouts:?}");
        }
    }
}
