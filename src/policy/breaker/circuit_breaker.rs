//! The breaker: what users hold.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::call;
use super::core::Core;
use super::error::BreakerOpen;
use super::permit::BreakerPermit;
use super::report::BreakerReport;
use super::settings::Asked;
use super::state::BreakerState;
use crate::clock::SystemClock;
use crate::policy::attempt::Attempt;
use crate::policy::contract::Policy;
use crate::policy::error::PolicyError;

/// Refuses calls for a while when too many of them fail or are slow, then tries a few; clones are the same breaker.
///
/// For calls to what may be down or overloaded and is not helped by more of them: a server, a disk, a licence. Not for errors that depend on the item
/// and not on what is called: they would stop the good items with the bad. It does not run a call again, and does not end one that
/// hangs.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use gristmill::{BreakerState, CircuitBreaker, ManualClock, Policy, PolicyError};
///
/// let clock = ManualClock::new(); // leave it out for the system's
/// let breaker = CircuitBreaker::builder().count_window(4).probes(1).clock(clock.clone()).build()?;
/// for _ in 0..4 {
///     let _ = breaker.call(|_| Err::<(), _>("connection refused"));
/// }
/// let refused = breaker.call(|_| Ok::<_, &str>("not run")).unwrap_err();
/// assert_eq!(refused.to_string(), "the circuit breaker is open for another 60s");
///
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(breaker.call(|_| Ok::<_, &str>("the probe")).unwrap(), "the probe");
/// assert_eq!(breaker.state(), BreakerState::Closed);
/// # Ok::<(), gristmill::BreakerError>(())
/// ```
///
/// # When it opens
/// After each call that ends while it is closed, it looks at its window: the last so many calls, or those of the last while. With at least the minimum of
/// calls in there, it opens if the share of failures, or that of slow calls, has reached its limit.
///
/// # When it closes
/// When the open time is over, the next call makes it half-open: a fixed number of calls, the probes, are let through, and the others
/// refused. The same limits are then applied to the probes, all of them taken together, as soon as those that have not ended cannot change the answer: it
/// opens again, for longer if there is a backoff, or closes with an empty window. At no time are more probes under way than the number, and no more of them are counted; one that
/// counts as nothing is replaced by another. A probe that hangs can hold up the answer, so work that may hang needs a limit of its own, or the breaker a
/// [longest half-open time](super::CircuitBreakerBuilder::longest_half_open).
///
/// # What counts
/// Under [`Policy::call`] an error of the work is a failure ([`counting`](Self::counting) says otherwise), and so is a panic, which goes on.
/// Nothing is what was refused further in, by another policy, or cancelled by hand: neither says anything about what is called. If a deadline of the token passed, an error of the work
/// is a failure as ever. Where it is said what is [slow](super::CircuitBreakerBuilder::slow_calls), work that was cancelled by hand after that time is a slow call that did not
/// fail. With [`try_acquire`](Self::try_acquire) the caller decides.
///
/// # Where it goes
/// Next to the work: `retry.around(limiter).around(breaker)`. Around a limiter or a semaphore it would take the time in our own queue for slowness of what is called; around a retry it would hear
/// of the last attempt only, and be passed by the others.
///
/// A result that comes after the state in which its call began counts as nothing, too: a call from before the opening that ends among the probes does not decide with them.
///
/// # Cost
/// A closed breaker with a count window takes one lock, at the end of the call, and reads no clock. An open one reads the clock once
/// and takes none. Measured by `cargo bench --bench versus -- breaker`.
///
/// The windows and limits are those of resilience4j, the generations those of sony/gobreaker.
#[derive(Clone)]
pub struct CircuitBreaker {
    core: Arc<Core>,
}

impl CircuitBreaker {
    /// A closed breaker with the usual settings, by the system's clock: it opens for a minute when of the last 100 calls, and at least 20, half have failed, and
    /// closes when of 10 probes more than half succeed.
    pub fn new() -> Self {
        match Asked::default().check() {
            Ok(settings) => Self::with_core(Core::new(settings, Arc::new(SystemClock), None)),
            Err(error) => unreachable!("the usual settings are in range: {error}"),
        }
    }

    pub(super) fn with_core(core: Core) -> Self {
        Self { core: Arc::new(core) }
    }

    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    /// The right to make one call, if the breaker lets it through.
    ///
    /// For calls that begin and end in different places, or whose outcome is no `Result`; otherwise see [`Policy::call`].
    ///
    /// ```
    /// use gristmill::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::new();
    /// let permit = breaker.try_acquire()?;
    /// let status = 503;
    /// if status < 500 { permit.success() } else { permit.failure() }
    /// assert_eq!(breaker.report().failures, 1);
    /// # Ok::<(), gristmill::BreakerOpen>(())
    /// ```
    ///
    /// # Errors
    /// It is open, forced open, or half-open with all its probes taken. The error says from when on it may be tried again.
    pub fn try_acquire(&self) -> Result<BreakerPermit, BreakerOpen> {
        let ticket = self.core.enter()?;
        Ok(BreakerPermit::new(Arc::clone(&self.core), ticket))
    }

    /// What it does with calls now. It is still open when its time is over and no call has come since.
    pub fn state(&self) -> BreakerState {
        self.core.state()
    }

    /// What it did so far.
    pub fn report(&self) -> BreakerReport {
        self.core.report()
    }

    /// Closes it with an empty window, whatever it was; what is under way then is late.
    ///
    /// It is the way back from the three that follow. A closed breaker forgets its window by it, and that is no change to be told.
    pub fn reset(&self) {
        self.core.reset();
    }

    /// Refuses all calls until it is told otherwise; for maintenance, say.
    pub fn force_open(&self) {
        self.core.set(BreakerState::ForcedOpen);
    }

    /// Lets all calls through and counts nothing, until it is told otherwise.
    pub fn disable(&self) {
        self.core.set(BreakerState::Disabled);
    }

    /// Lets all calls through, counts them from now on, and never opens, until it is told otherwise; for finding the right limits.
    pub fn observe_only(&self) {
        self.core.set(BreakerState::ObserveOnly);
    }
}

/// See [What counts](CircuitBreaker#what-counts). Under a token that is cancelled already, the work is not run and nothing is counted.
impl<E> Policy<E> for CircuitBreaker {
    #[inline]
    fn apply<T, F>(&self, attempt: Attempt<'_>, work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        call::run(&self.core, attempt, work, |_| true)
    }
}

// User code never runs under its locks, so a panic cannot leave it half-changed.
impl UnwindSafe for CircuitBreaker {}
impl RefUnwindSafe for CircuitBreaker {}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CircuitBreaker")
            .field("state", &self.state())
            .field("settings", self.core.settings())
            .finish_non_exhaustive()
    }
}
