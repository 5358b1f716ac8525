//! Timers whose instant and whose firing are recorded.
//!
//! Two records: the deadline, written before the timer is handed out, and the firing, written when somebody sees that the instant has come. The number
//! of the second is its place in the order of completion.
//!
//! # Invariants
//! 1. `pending` holds the clock's timer and the claim of the firing until one caller takes both out: whoever sees that it has fired, or cancels it.
//!    That one ends the cell, by the committer or at once.
//!
//! Lock order: `pending` before those of the cell and of the clock's timer, which are leaves.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::block::block;
use super::cell::{Cell, Ended, Outcome};
use super::claimed::ClaimOfRecorded;
use super::error::{DurableError, DurableErrorKind};
use super::refusal::{CallRefusal, RefusedCall};
use super::submit::refusal;
use crate::cancel::CancellationToken;
use crate::combine::{self, Timer};
use crate::journal::core::{Claim, Core, Order};
use crate::journal::error::{JournalError, JournalErrorKind};
use crate::journal::record::{Entry, InputHash, Kind, Row};
use crate::journal::scope_run::ScopeRun;
use crate::pool::WaitCancelled;
use crate::sync::{Mutex, time};
use crate::waitable::{Help, Signal, Waitable};

/// The handlers under which the two records stand.
const SET: &str = "(timer set)";
const FIRED: &str = "(timer fired)";

/// Timers have no input: one that is asked for with another duration keeps its instant.
const INPUT: InputHash = [0; 16];

/// A timer that goes on after a restart: made by [`Scope::after`](crate::journal::Scope::after).
///
/// It fires when somebody waits for it or looks at it and the instant has come; the firing is recorded first. Dropping it forgets nothing: the next run
/// of the program waits for what remains.
///
/// ```
/// use std::time::Duration;
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("reminders.journal");
/// let journal = Journal::open(path)?;
/// for is_first in [true, false] {
///     let scope = journal.scope("reminders"); // another run, as after a restart
///     let timer = scope.after("first", Duration::ZERO)?;
///     assert_eq!(timer.is_replayed(), !is_first); // it does not wait again
///     timer.wait()?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a timer does nothing unless it is waited for"]
pub struct DurableTimer {
    core: Arc<Core>,
    cell: Arc<Cell<()>>,
    name: Arc<str>,
    is_replayed: bool,
    pending: Mutex<Option<Box<Pending>>>,
}

struct Pending {
    timer: Timer,
    order: Order,
}

impl DurableTimer {
    pub(in crate::journal) fn new(
        scope: &Arc<ScopeRun>,
        name: &str,
        duration: Duration,
    ) -> Result<Self, RefusedCall<Duration>> {
        let name = Arc::from(name);
        Self::start(scope, &name, duration)
            .map_err(|refusal| RefusedCall::new(&Arc::from("timer"), name, duration, refusal))
    }

    fn start(scope: &Arc<ScopeRun>, name: &Arc<str>, duration: Duration) -> Result<Self, CallRefusal> {
        let core = &scope.core;
        let (due, set) = due(scope, name, duration)?;
        let is_replayed = set.is_some();
        let fired = core.job(&scope.name, FIRED, 0).map_err(CallRefusal::Journal)?;
        let timer = |cell, pending| Self {
            core: Arc::clone(core),
            cell,
            name: Arc::clone(name),
            is_replayed,
            pending: Mutex::new(pending),
        };
        let claim = core.claim(scope.run, &fired, name, INPUT).map_err(refusal)?;
        if let Some(set) = set {
            set.keep();
        }
        match claim {
            Claim::Recorded(recorded) => Ok(timer(Cell::ended(Ok(()), recorded.seq()), None)),
            Claim::Fresh(order) | Claim::Changed(order, _) => {
                let timer_of_the_clock = combine::after(due.remains(time::since_unix_epoch()));
                Ok(timer(Cell::new(None), Some(Box::new(Pending { timer: timer_of_the_clock, order }))))
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it was set in an earlier run.
    pub fn is_replayed(&self) -> bool {
        self.is_replayed
    }

    /// Whether it has fired, and that is recorded, or it was cancelled.
    pub fn is_finished(&self) -> bool {
        self.look();
        self.cell.is_over()
    }

    /// Cancels it for this run; true if that kept it from firing. The next run of the program waits for what remains.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        // Not in a closure: the record would name that.
        let is_prevented = match self.pending.lock().as_ref() {
            Some(pending) => pending.timer.cancel(),
            None => false,
        };
        self.look();
        is_prevented
    }

    /// Waits until it has fired and that is recorded.
    ///
    /// # Errors
    /// It was cancelled; or the journal has failed or been closed, which it hears of at its instant and not before.
    pub fn wait(self) -> Result<(), DurableError> {
        combine::wait_all([self]).pop().unwrap_or_else(|| unreachable!("one was waited for"))
    }

    /// How it ended, if it has; the timer, if not.
    ///
    /// # Errors
    /// It has not ended.
    pub fn try_wait(self) -> Result<Result<(), DurableError>, Self> {
        self.wait_timeout(Duration::ZERO)
    }

    /// Waits until it has fired, for at most `timeout`. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// The time was over first; the timer is given back.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<(), DurableError>, Self> {
        match combine::wait_all_timeout([self], timeout) {
            Ok(mut outputs) => Ok(outputs.pop().unwrap_or_else(|| unreachable!("one was waited for"))),
            Err(mut timers) => Err(timers.pop().unwrap_or_else(|| unreachable!("one was handed in"))),
        }
    }

    /// Waits until it has fired or `token` is cancelled.
    ///
    /// # Errors
    /// The token was cancelled first; the timer is given back and goes on.
    pub fn wait_with(
        self,
        token: &CancellationToken,
    ) -> Result<Result<(), DurableError>, WaitCancelled<Self>> {
        match combine::wait_all_with([self], token) {
            Ok(mut outputs) => Ok(outputs.pop().unwrap_or_else(|| unreachable!("one was waited for"))),
            Err(cancelled) => {
                let cause = cancelled.cause().clone();
                let timer =
                    cancelled.into_handle().pop().unwrap_or_else(|| unreachable!("one was handed in"));
                Err(WaitCancelled::new(timer, cause))
            }
        }
    }

    /// If the instant has come, has the firing recorded, once.
    fn look(&self) {
        let mut pending = self.pending.lock();
        if !pending.as_ref().is_some_and(|pending| pending.timer.is_finished()) {
            return;
        }
        let taken = pending.take();
        drop(pending);
        let Some(pending) = taken else { return };
        let Pending { timer, order } = *pending;
        match timer.wait() {
            Ok(()) => {
                self.cell.ran(Ok(()));
                let entry = Entry { kind: Kind::TimerFired, attempts: 1, took: 0, payload: Vec::new() };
                self.core.record(order, entry, true, self.cell.clone());
            }
            Err(cause) => {
                drop(order); // before anybody hears of the end
                self.cell.end(Ended::Here(Err(DurableErrorKind::Cancelled(cause))));
            }
        }
    }
}

/// When a timer fires, as it is recorded, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    /// Since the Unix epoch; `u64::MAX`, some 500 million years away, stands for never.
    at: u64,
    /// What was asked for: a clock that was set back makes no timer longer than that.
    most: u64,
}

impl Due {
    fn new(now: Duration, duration: Duration) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { at: now.checked_add(duration).map_or(u64::MAX, millis), most: millis(duration) }
    }

    fn remains(self, now: Duration) -> Duration {
        match self.at {
            u64::MAX => Duration::MAX,
            at => Duration::from_millis(at).saturating_sub(now).min(Duration::from_millis(self.most)),
        }
    }

    fn payload(self) -> Vec<u8> {
        [self.at.to_le_bytes(), self.most.to_le_bytes()].concat()
    }

    fn from_payload(payload: &[u8]) -> Option<Self> {
        let (at, most) = payload.split_at_checked(8)?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
        Some(Self { at: number(at)?, most: number(most)? })
    }
}

/// When it fires, and the claim of that record if it stood in the journal.
fn due(
    scope: &Arc<ScopeRun>,
    name: &Arc<str>,
    duration: Duration,
) -> Result<(Due, Option<ClaimOfRecorded>), CallRefusal> {
    let core = &scope.core;
    let job = core.job(&scope.name, SET, 0).map_err(CallRefusal::Journal)?;
    let cell = Cell::<Due>::new(None);
    let (due, set) = match core.claim(scope.run, &job, name, INPUT).map_err(refusal)? {
        Claim::Recorded(recorded) => {
            let set = ClaimOfRecorded::new(scope, recorded.clone());
            core.read(&recorded, cell.clone());
            (block(core, &cell, |row| decode(core, &row)), Some(set))
        }
        Claim::Fresh(order) | Claim::Changed(order, _) => {
            let due = Due::new(time::since_unix_epoch(), duration);
            cell.ran(Ok(due));
            let entry = Entry { kind: Kind::TimerSet, attempts: 1, took: 0, payload: due.payload() };
            core.record(order, entry, true, cell.clone());
            (block(core, &cell, |row| decode(core, &row)), None)
        }
    };
    match due {
        Ok(due) => Ok((due, set)),
        Err(DurableErrorKind::Journal(error)) => Err(CallRefusal::Journal(error)),
        Err(_) => unreachable!("a timer's deadline fails by its journal only"),
    }
}

fn decode(core: &Core, row: &Row) -> Outcome<Due> {
    if let (Kind::TimerSet, Some(due)) = (row.head.kind, Due::from_payload(&row.payload)) {
        return Ok(due);
    }
    let (what, remedy) = ("the record of a timer is something else", "forget the key, to set the timer anew");
    let error = JournalError::new(JournalErrorKind::Undecodable, core.path(), what, remedy);
    Err(DurableErrorKind::Journal(error.about(row.head.seq, Some(&row.head.key))))
}

impl Waitable for DurableTimer {
    type Output = Result<(), DurableError>;

    fn is_finished(&self) -> bool {
        DurableTimer::is_finished(self)
    }

    fn watch(&self, signal: Signal) {
        // The instant has whoever waits look, which records the firing; the record ends it.
        let pending = self.pending.lock();
        let at_the_instant = pending.as_ref().map(|pending| (signal.twin(), pending));
        self.cell.watch(signal);
        if let Some((signal, pending)) = at_the_instant {
            pending.timer.watch(signal);
        }
    }

    fn unwatch(&self) {
        self.cell.unwatch();
        if let Some(pending) = &*self.pending.lock() {
            pending.timer.unwatch();
        }
    }

    fn take(&mut self) -> Option<Self::Output> {
        let ended = self.cell.take()?;
        let outcome = match ended {
            Ended::Here(outcome) => outcome,
            Ended::Before(_) | Ended::NotRun => unreachable!("a timer's firing is not read"),
        };
        Some(outcome.map_err(|kind| DurableError::new(&Arc::from("timer"), &self.name, kind)))
    }

    #[track_caller]
    fn cancel(&self) {
        DurableTimer::cancel(self);
    }

    fn stamp(&self) -> Option<u64> {
        self.cell.stamp()
    }

    fn help(&self) -> Help {
        self.pending.lock().as_ref().map_or(Help::Nothing, |pending| Waitable::help(&pending.timer))
    }
}

impl fmt::Debug for DurableTimer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DurableTimer")
            .field("name", &self.name)
            .field("is_replayed", &self.is_replayed)
            .field("is_finished", &self.cell.is_over())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_never_more_than_what_was_asked_for() {
        let (now, hour) = (Duration::from_secs(1_000_000), Duration::from_secs(3600));
        let due = Due::new(now, hour);
        assert_eq!(due.remains(now + hour / 4), hour * 3 / 4);
        assert_eq!(due.remains(now + hour * 2), Duration::ZERO);
        assert_eq!(due.remains(Duration::from_secs(5)), hour, "the clock was set back");
        for never in [Duration::MAX, Duration::MAX.saturating_sub(now), Duration::from_millis(u64::MAX)] {
            assert_eq!(Due::new(now, never).remains(now), Duration::MAX);
        }
    }

    #[test]
    fn record_of_a_timer_is_read_as_it_was_written_or_not_at_all() {
        let due = Due::new(Duration::from_secs(5), Duration::from_secs(7));
        let payload = due.payload();
        assert_eq!(Due::from_payload(&payload), Some(due));
        assert!((0..payload.len()).all(|length| Due::from_payload(&payload[..length]).is_none()));
    }
}
