//! The policy: what users hold.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::call::{Call, Core};
use super::gave_up::{Failures, GaveUp, GaveUpReason};
use super::report::RetryReport;
use crate::policy::attempt::Attempt;
use crate::policy::breaker::BreakerState;
use crate::policy::contract::Policy;
use crate::policy::error::PolicyError;
use crate::policy::rate::RateLimited;
use crate::semaphore::AcquireError;
use crate::sync::time::Duration;

/// Runs work again when it fails: so often, after growing pauses, within a time and a budget. Clones are the same policy.
///
/// Not for errors that stay as they are (name them with [`terminal_if`](crate::policy::Nest::terminal_if)), and not for work that must not take
/// effect twice. Where many callers retry at once, give them one [budget](super::RetryBuilder::budget): it is
/// what keeps retries from making an outage worse.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, Policy, Retry};
///
/// let retry = Retry::builder()
///     .attempts(4)
///     .backoff(Backoff::Exponential { first: Duration::from_millis(1), factor: 2.0 })
///     .longest_delay(Duration::from_secs(1))
///     .total_timeout(Duration::from_secs(60))
///     .build()?;
/// let value = retry.call(|attempt| if attempt.number() < 3 { Err("busy") } else { Ok(42) });
/// assert_eq!(value.unwrap(), 42);
///
/// let error = retry.call(|attempt| Err::<(), _>(format!("no. {}", attempt.number()))).unwrap_err();
/// assert_eq!(error.to_string(), "gave up after 4 attempts: no. 4");
/// assert_eq!(error.gave_up().unwrap().errors().count(), 4);
/// assert_eq!((retry.report().calls, retry.report().attempts), (2, 7));
/// # Ok::<(), gristmill::RetryBuildError>(())
/// ```
///
/// # What is retried
/// Errors of the work, unless they are [terminal](PolicyError::Terminal); calls that took [too long](PolicyError::TimedOut), unless what they held is
/// not retried; of a policy within, refusals that pass: permits that were not
/// there in time, from a [`RateLimiter`](crate::RateLimiter) or a [`Semaphore`](crate::Semaphore), and a [breaker](crate::CircuitBreaker) that is open for a time or half-open; and the
/// giving up of a retry within that had made its attempts or had no more
/// time. Not retried are refusals that stay (a closed semaphore, more than it ever has, a breaker that was forced open or is open without end), the giving up of a retry
/// within for any other reason, and never a cancelled token or a panic.
///
/// # Pauses after a refusal
/// Who is refused with a time (by an open breaker, by a rate) pauses at least for that, whatever the longest delay: an attempt before would be refused in
/// any case. So an outage costs one attempt each time that the breaker opens, and not all of them while it is open. A breaker that is half-open names no
/// time, since its probes decide; the pause is the usual one then, and the refusal costs an attempt.
///
/// No pause is begun that would last until the total time is over, or until the token's own deadline if the retry goes by the system's clock: the call gives up at once, with
/// [`GaveUpReason::TimedOut`].
///
/// # The end
/// An attempt that succeeds ends the call with its value. Otherwise the answer is [`PolicyError::GaveUp`], with the reason and the
/// errors of the attempts in order; it has at least one, which makes [`PolicyError::Cancelled`] the answer where a token is cancelled before any attempt has failed.
///
/// # Attempts and nests
/// The work sees in [`Attempt::number`] which attempt it is, from 1 on; of several retries in one nest, it is told the number of the innermost.
/// What is around a retry is asked once, and what is within it once for each attempt: see [`Policy`]. The pause is in the thread that
/// calls, on the policy's clock; nothing within the retry is held meanwhile, and what is around it is: a permit of a semaphore, a worker of a pool.
///
/// # Panics
/// A panic of the work goes through, and the report counts it. It is not retried: it says that something is wrong in the
/// program, and not that it is late.
///
/// # Cancellation
/// A token that is cancelled before the first attempt ends the call without one, and one that is cancelled during a pause ends that at once. The work
/// finds the token in its attempt. Whoever fails once it is cancelled is not run again.
///
/// # Cost
/// A call whose first attempt succeeds takes one lock, for the report; it reads the clock only if there is a total time, and allocates nothing.
#[derive(Clone)]
pub struct Retry {
    core: Arc<Core>,
}

impl Retry {
    pub(super) fn with_core(core: Core) -> Self {
        Self { core: Arc::new(core) }
    }

    /// What the policy did so far, its clones included.
    pub fn report(&self) -> RetryReport {
        self.core.report()
    }
}

/// See [`Retry`] for what is retried, and what the error says.
impl<E> Policy<E> for Retry {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        let mut call = Call::begin(&self.core, attempt.token()).map_err(PolicyError::Cancelled)?;
        let mut failures = Failures::new();
        loop {
            let number = call.start_attempt();
            let (reason, last) = match work(attempt.with_number(number)) {
                Ok(value) => {
                    call.end(None);
                    return Ok(value);
                }
                // The error of such an attempt is the token's; the last one of the work, if there is one, says more.
                Err(PolicyError::Cancelled(cause)) => (GaveUpReason::Cancelled(cause), failures.pop()),
                Err(error) => match call.next(ending(&error), wait(&error)) {
                    Ok(()) => {
                        failures.push(number, error);
                        continue;
                    }
                    Err(reason) => (reason, Some((number, error))),
                },
            };
            call.end(Some(&reason));
            return Err(match (last, reason) {
                (None, GaveUpReason::Cancelled(cause)) => PolicyError::Cancelled(cause),
                (None, reason) => unreachable!("there is an error to give up with: {reason:?}"),
                (Some(last), reason) => PolicyError::GaveUp(Box::new(GaveUp::new(reason, failures, last))),
            });
        }
    }
}

/// Why an error is the last one whatever is left of attempts, time and budget, if it is.
///
/// Every variant is named, so that whoever adds a policy decides here as well.
fn ending<E>(error: &PolicyError<E>) -> Option<GaveUpReason> {
    use GaveUpReason::{AttemptsUsedUp, BudgetEmpty, Cancelled, Terminal, TimedOut};
    match error {
        // No time will close it, and no probes that are under way.
        PolicyError::Open(open) if open.not_before().is_none() && open.state() != BreakerState::HalfOpen => {
            Some(Terminal)
        }
        // What ended it, its time included, may be another the next time; what stays stays, in time or late.
        PolicyError::TimedOut { error, .. } => ending(error).filter(|ending| matches!(ending, Terminal)),
        PolicyError::Work(_)
        | PolicyError::Open(_)
        | PolicyError::Rate(
            RateLimited::NotYet { .. } | RateLimited::TooManyKeys { .. } | RateLimited::TimedOut { .. },
        )
        | PolicyError::Permits(AcquireError::NotNow | AcquireError::TimedOut) => None,
        PolicyError::Terminal(_)
        | PolicyError::Rate(RateLimited::ExceedsBurst { .. })
        | PolicyError::Permits(AcquireError::ExceedsCapacity { .. } | AcquireError::Closed) => Some(Terminal),
        PolicyError::Cancelled(cause)
        | PolicyError::Rate(RateLimited::Cancelled(cause))
        | PolicyError::Permits(AcquireError::Cancelled(cause)) => Some(Cancelled(cause.clone())),
        PolicyError::GaveUp(inner) => match inner.reason() {
            // Its last error may have been marked since it gave up.
            AttemptsUsedUp | TimedOut => ending(inner.last()).filter(|ending| matches!(ending, Terminal)),
            BudgetEmpty | Terminal => Some(Terminal),
            Cancelled(cause) => Some(Cancelled(cause.clone())),
        },
    }
}

/// How long the next attempt is refused in any case, from now on.
///
/// As a time, and not as the instant of the refusal, since that may be on another clock. What passed since the refusal is waited for once more: next to
/// nothing, since whoever is refused comes here at once.
fn wait<E>(error: &PolicyError<E>) -> Duration {
    match error {
        PolicyError::Open(open) => open.wait().unwrap_or_default(),
        PolicyError::Rate(
            RateLimited::NotYet { wait, .. }
            | RateLimited::TooManyKeys { wait, .. }
            | RateLimited::TimedOut { wait, .. },
        ) => *wait,
        PolicyError::TimedOut { error, .. } => wait(error),
        PolicyError::GaveUp(inner) => wait(inner.last()),
        _ => Duration::ZERO,
    }
}

// User code never runs under its lock, so a panic cannot leave it half-changed.
impl UnwindSafe for Retry {}
impl RefUnwindSafe for Retry {}

impl fmt::Debug for Retry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.core.settings();
        formatter
            .debug_struct("Retry")
            .field("attempts", &settings.attempts)
            .field("backoff", &settings.backoff)
            .field("longest_delay", &settings.longest_delay)
            .field("jitter", &settings.jitter)
            .field("total_timeout", &settings.total_timeout)
            .finish_non_exhaustive()
    }
}
