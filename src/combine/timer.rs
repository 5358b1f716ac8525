//! Timers as handles.
//!
//! # Invariants
//! 1. `end` is set once. Whoever sets it takes the signal and the place in the list of deadlines out under the same lock, and sends and removes
//!    them outside.
//! 2. A timer that is watched and has not ended is armed: the helper thread of the deadlines has it, or the clock that is moved by hand tells
//!    it of each move, or, where no helper thread could be started, whoever waits looks at the clock (`polls`).
//!
//! Lock order: `state` is a leaf; the list of deadlines has a lock of its own, which is not taken under it.

use std::fmt;
use std::sync::{Arc, Weak};

use super::limit::{Early, Limit, always, in_time, unless_cancelled};
use super::set::Set;
use crate::cancel::timer::{self, Due, Key};
use crate::cancel::{CancellationToken, Cancelled};
use crate::clock::Clock;
use crate::pool::WaitCancelled;
use crate::sync::Mutex;
use crate::sync::time::{self, Duration, Instant};
use crate::waitable::{Help, Signal, Waitable};

/// A timer that fires once, `duration` from now.
///
/// Zero has fired already. A duration too long for the clock, such as [`Duration::MAX`], never fires; it can only be cancelled.
///
/// ```
/// use std::time::Duration;
/// use gristmill::combine::after;
///
/// assert!(after(Duration::from_millis(1)).wait().is_ok());
/// ```
pub fn after(duration: Duration) -> Timer {
    Timer::new(time::now().checked_add(duration), None)
}

/// A timer that fires once, at that instant; one that has passed has fired already.
pub fn at(instant: Instant) -> Timer {
    Timer::new(Some(instant), None)
}

/// A timer: the handle of an instant, to be waited for alone or together with tasks.
///
/// Not for doing something at an instant: nothing runs when it fires; whoever waits for it goes on. To bound a wait there are the `_timeout` forms
/// of all waits, and to stop a computation, a [token with a deadline](CancellationToken::with_deadline).
///
/// Dropping it cancels it. Its output is `Ok` if it has fired, and who cancelled it otherwise.
///
/// # Cost
/// None but memory until somebody waits. Then it takes no thread of its own: the helper thread that watches the deadlines of tokens
/// watches it too (see [`CancellationToken`]). If that thread cannot be created, the waiting thread watches the clock itself.
#[must_use = "a timer that is dropped is cancelled"]
pub struct Timer(Arc<Shared>);

struct Shared {
    /// `None`: never.
    at: Option<Instant>,
    /// `None`: the system's.
    clock: Option<Arc<dyn Clock>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    end: Option<Result<(), Cancelled>>,
    is_taken: bool,
    signal: Option<Signal>,
    key: Option<Key>,
    polls: bool,
    /// What a clock calls that is moved by hand.
    moved: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Timer {
    fn new(at: Option<Instant>, clock: Option<Arc<dyn Clock>>) -> Self {
        Self(Arc::new(Shared { at, clock, state: Mutex::default() }))
    }

    /// As [`after`], on another clock; for tests that move time by hand.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{ManualClock, Timer};
    ///
    /// let clock = ManualClock::new();
    /// let timer = Timer::after_on(Duration::from_secs(60), clock.clone());
    /// assert!(!timer.is_finished());
    /// clock.advance(Duration::from_secs(60));
    /// assert!(timer.wait().is_ok());
    /// ```
    pub fn after_on(duration: Duration, clock: impl Clock + 'static) -> Self {
        Self::new(clock.now().checked_add(duration), Some(Arc::new(clock)))
    }

    /// As [`at`], on another clock.
    pub fn at_on(instant: Instant, clock: impl Clock + 'static) -> Self {
        Self::new(Some(instant), Some(Arc::new(clock)))
    }

    /// When it fires; `None` if never.
    pub fn instant(&self) -> Option<Instant> {
        self.0.at
    }

    /// Whether it has fired or is cancelled.
    pub fn is_finished(&self) -> bool {
        self.0.look()
    }

    /// Cancels it; true if that kept it from firing.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        if self.0.look() {
            return false;
        }
        // A token of its own is what gives the cause its kind and the caller's location.
        let token = CancellationToken::new();
        token.cancel();
        let Some(cause) = token.cause() else { unreachable!("the token was cancelled just now") };
        self.0.end(Err(cause))
    }

    /// Waits until it fires.
    ///
    /// # Errors
    /// It was cancelled: who did it.
    pub fn wait(self) -> Result<(), Cancelled> {
        always(self.block(Limit::NONE))
    }

    /// How it ended, if it has; the timer, if not.
    ///
    /// # Errors
    /// It has not ended.
    pub fn try_wait(self) -> Result<Result<(), Cancelled>, Self> {
        in_time(self.block(Limit::now()))
    }

    /// Waits until it fires, for at most `timeout`. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// The time was over first; the timer is given back.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<(), Cancelled>, Self> {
        in_time(self.block(Limit::time(timeout)))
    }

    /// Waits until it fires or `token` is cancelled.
    ///
    /// # Errors
    /// The token was cancelled first; the timer is given back and goes on.
    pub fn wait_with(self, token: &CancellationToken) -> Result<Result<(), Cancelled>, WaitCancelled<Self>> {
        unless_cancelled(self.block(Limit::token(token)))
    }

    fn block(self, limit: Limit<'_>) -> Result<Result<(), Cancelled>, Early<Self>> {
        let mut set = Set::new([self]);
        match set.next(limit) {
            Ok(_) => Ok(set.output_or_resume(0)),
            Err(interrupt) => match set.into_handles().pop() {
                Some(timer) => Err((timer, interrupt)),
                None => unreachable!("it was not taken out"),
            },
        }
    }
}

impl Waitable for Timer {
    type Output = Result<(), Cancelled>;

    fn is_finished(&self) -> bool {
        self.0.look()
    }

    fn watch(&self, signal: Signal) {
        let mut state = self.0.state.lock();
        if state.end.is_some() {
            drop(state);
            signal.send();
            return;
        }
        let old = state.signal.replace(signal);
        drop(state);
        drop(old);
        // May have fired meanwhile, or ages ago: then this sends the signal.
        if !self.0.look() {
            self.0.arm();
        }
    }

    fn unwatch(&self) {
        let mut state = self.0.state.lock();
        let signal = state.signal.take();
        let key = state.key.take();
        drop(state);
        drop(signal);
        timer::remove(key);
    }

    fn take(&mut self) -> Option<Self::Output> {
        self.0.look();
        let mut state = self.0.state.lock();
        if state.is_taken {
            return None;
        }
        state.is_taken = state.end.is_some();
        state.end.clone()
    }

    #[track_caller]
    fn cancel(&self) {
        Timer::cancel(self);
    }

    fn help(&self) -> Help {
        if self.0.look() {
            return Help::Nothing;
        }
        // Alone where no helper thread could be started.
        if self.0.state.lock().polls { Help::Later(self.0.at) } else { Help::Nothing }
    }
}

impl Shared {
    fn is_due(&self) -> bool {
        let now = || self.clock.as_ref().map_or_else(time::now, |clock| clock.now());
        self.at.is_some_and(|at| at <= now())
    }

    /// Whether it has ended; fires it if it is due.
    fn look(&self) -> bool {
        if self.state.lock().end.is_some() {
            return true;
        }
        let is_due = self.is_due();
        if is_due {
            self.end(Ok(()));
        }
        is_due
    }

    /// Ends it; false if it has ended.
    fn end(&self, end: Result<(), Cancelled>) -> bool {
        let mut state = self.state.lock();
        if state.end.is_some() {
            drop(state);
            drop(end);
            return false;
        }
        state.end = Some(end);
        let (signal, key, moved) = (state.signal.take(), state.key.take(), state.moved.take());
        drop(state);
        drop(moved);
        timer::remove(key);
        if let Some(signal) = signal {
            signal.send();
        }
        true
    }

    /// Has somebody see when it is due.
    fn arm(self: &Arc<Self>) {
        let Some(at) = self.at else { return };
        let Some(clock) = &self.clock else { return self.give_to_helper(at) };
        match clock.timeout_until(at) {
            None => self.hear_of_moves(&**clock),
            Some(Duration::ZERO) => _ = self.end(Ok(())),
            Some(_) => self.give_to_helper(at),
        }
    }

    fn give_to_helper(self: &Arc<Self>, at: Instant) {
        let key = Key::new(at);
        let mut state = self.state.lock();
        if state.end.is_some() || state.key.is_some() {
            return;
        }
        state.key = Some(key);
        drop(state);
        let weak: Weak<Self> = Arc::downgrade(self);
        let is_watched = timer::insert(key, weak);
        let mut state = self.state.lock();
        // Whoever ended it, or took it back, before the insertion found nothing to remove.
        let is_wanted = state.key == Some(key);
        state.polls = !is_watched;
        drop(state);
        if !is_wanted {
            timer::remove([key]);
        }
    }

    fn hear_of_moves(self: &Arc<Self>, clock: &dyn Clock) {
        let me = Arc::downgrade(self);
        let moved: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            if let Some(me) = me.upgrade() {
                me.look();
            }
        });
        clock.on_advance(self.at, Arc::downgrade(&moved));
        let old = self.state.lock().moved.replace(moved);
        drop(old);
        // A move before the first hearing went unheard.
        self.look();
    }
}

impl Due for Shared {
    fn due(self: Arc<Self>) {
        self.end(Ok(()));
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let key = self.0.state.lock().key.take();
        timer::remove(key);
    }
}

impl From<Duration> for Timer {
    /// As [`after`].
    fn from(duration: Duration) -> Self {
        after(duration)
    }
}

impl From<Instant> for Timer {
    /// As [`at`].
    fn from(instant: Instant) -> Self {
        at(instant)
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_finished = self.0.state.lock().end.is_some();
        formatter
            .debug_struct("Timer")
            .field("instant", &self.0.at)
            .field("finished", &is_finished)
            .finish_non_exhaustive()
    }
}
