//! A second attempt: when the first has failed, or when it takes too long.

#![allow(clippy::type_complexity)] // a decided answer and a wait that ended early are two different things

use super::either::{Either, Ended};
use super::kept::Kept;
use super::limit::{Early, Limit, always, in_time, unless_cancelled};
use super::outcome::{AllFailed, Unsettled};
use super::set::Set;
use super::success::FirstOk;
use super::timer::Timer;
use crate::cancel::CancellationToken;
use crate::policy::AttemptBudget;
use crate::pool::WaitCancelled;
use crate::sync::time::Duration;
use crate::waitable::Waitable;

type Answer<W, T, E> = Result<FirstOk<W, T, E>, AllFailed<E>>;

/// Waits for `first`; only if it fails, starts the second attempt and waits for that.
///
/// `second` runs on the calling thread, without any lock. Where starting it can fail, box both attempts, and let
/// [`ready`](crate::waitable::ready) stand for one that could not be started; see the second example.
///
/// ```
/// use gristmill::{ThreadPool, combine};
///
/// let pool = ThreadPool::new()?;
/// let cached = pool.submit(|| "12;".parse::<u32>()).map(combine::attempt)?;
/// let answer = combine::fallback(cached, || combine::attempt(pool.submit(|| Ok(12)).expect("the pool is open")))?;
/// assert_eq!((answer.index, answer.value), (1, 12));
/// assert_eq!(answer.failed[0].1.to_string(), "invalid digit found in string");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A start that is refused is a failure like any other:
///
/// ```
/// use gristmill::waitable::ready;
/// use gristmill::{ThreadPool, Waitable, combine};
///
/// type Attempt = Box<dyn Waitable<Output = Result<u32, String>>>;
///
/// fn start(pool: &ThreadPool, text: &'static str) -> Attempt {
///     match pool.submit(move || text.parse::<u32>()) {
///         Ok(handle) => Box::new(combine::attempt(handle).map(|end| end.map_err(|error| error.to_string()))),
///         Err(refused) => Box::new(ready(Err(refused.to_string()))),
///     }
/// }
///
/// let (pool, closed) = (ThreadPool::new()?, ThreadPool::new()?);
/// closed.close();
/// assert_eq!(combine::fallback(start(&pool, "12;"), || start(&pool, "12"))?.value, 12);
/// let error = combine::fallback(start(&pool, "12;"), || start(&closed, "12")).unwrap_err();
/// assert_eq!(error.errors()[1], "the task was not accepted: the pool is closed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Both have failed: the errors of the first and of the second.
///
/// # Panics
/// As [`wait_first`](super::wait_first); and if `second` does. After a panic of a function that `first` was mapped by, `second` is not called.
pub fn fallback<W, T, E>(first: W, second: impl FnOnce() -> W) -> Answer<W, T, E>
where
    W: Waitable<Output = Result<T, E>>,
{
    always(fall_back(first, second, Limit::NONE))
}

/// As [`fallback`], for at most `timeout`. `Duration::MAX` waits without limit.
///
/// # Errors
/// The time was over first: everything is given back, `second` too if it was not called; nothing is cancelled.
///
/// # Panics
/// As [`fallback`].
pub fn fallback_timeout<W, T, E, S>(
    first: W,
    second: S,
    timeout: Duration,
) -> Result<Answer<W, T, E>, Unsettled<W, E, S>>
where
    W: Waitable<Output = Result<T, E>>,
    S: FnOnce() -> W,
{
    in_time(fall_back(first, second, Limit::time(timeout)))
}

/// As [`fallback`], until `token` is cancelled.
///
/// # Errors
/// The token was cancelled first: everything is given back, `second` too if it was not called; nothing is cancelled.
///
/// # Panics
/// As [`fallback`].
///
/// # Cancellation
/// Only the wait ends. A first attempt that fails because it was cancelled with the same token does not start the second one.
pub fn fallback_with<W, T, E, S>(
    first: W,
    second: S,
    token: &CancellationToken,
) -> Result<Answer<W, T, E>, WaitCancelled<Unsettled<W, E, S>>>
where
    W: Waitable<Output = Result<T, E>>,
    S: FnOnce() -> W,
{
    unless_cancelled(fall_back(first, second, Limit::token(token)))
}

fn fall_back<W, T, E, S>(
    first: W,
    second: S,
    limit: Limit<'_>,
) -> Result<Answer<W, T, E>, Early<Unsettled<W, E, S>>>
where
    W: Waitable<Output = Result<T, E>>,
    S: FnOnce() -> W,
{
    let mut set = Set::new([first]);
    let (mut failed, mut second) = (Kept::new(Vec::new()), Kept::new(Some(second)));
    loop {
        let interrupt = match set.next(limit) {
            Ok(Some(index)) => {
                match set.output_or_resume(index) {
                    Ok(value) => {
                        let failed = failed.into_inner();
                        return Ok(Ok(FirstOk { index, value, failed, others: Vec::new() }));
                    }
                    Err(error) => failed.push((index, error)),
                }
                // Nothing more is started when the wait is over.
                if let (Some(interrupt), true) = (limit.interrupt(), second.is_some()) {
                    interrupt
                } else {
                    if let Some(start) = second.take() {
                        set.push(start());
                    }
                    continue;
                }
            }
            Ok(None) => return Ok(Err(AllFailed::in_order(failed.into_inner()))),
            Err(interrupt) => interrupt,
        };
        return Err((unsettled(failed, set.into_rest(), second), interrupt));
    }
}

fn unsettled<W, E, S>(
    failed: Kept<Vec<(usize, E)>>,
    pending: Vec<(usize, W)>,
    second: Kept<Option<S>>,
) -> Unsettled<W, E, S> {
    Unsettled { failed: failed.into_inner(), pending, second: second.into_inner() }
}

/// Waits for `first`; if it has not ended after `delay`, starts a second attempt beside it, takes the first success, and cancels the other.
///
/// Against the slow few among many calls that are mostly quick: with `delay` at the 95th percentile, one call in twenty does the work
/// twice, and the slowest waits are cut (Dean and Barroso, "The Tail at Scale", CACM 2013). It helps where slowness is bad luck; where everything
/// is slow it makes it worse, and so `budget` bounds the extra attempts of all calls that share it. Both attempts may take effect: they
/// have to be such that this does no harm. The budget counts the call when it is answered or makes its second attempt; one that is cut off
/// before that costs and earns nothing, and can be made again with what was given back.
///
/// A first attempt that has failed by the time at which the delay is seen to be over is not repeated: that would be [`fallback`]. If it fails later,
/// the second is waited for. What cancelling means for one that is running, [`race`](super::race) says. A `delay` that is cancelled starts nothing.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{AttemptBudget, ThreadPool, combine};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let budget = AttemptBudget::new(5, 10); // 5 % of the calls, and 10 from the start
/// let slow = pool.task().submit(|context| context.token().sleep(Duration::MAX).is_ok())?;
/// let delay = Duration::from_millis(1);
/// let answer = combine::hedge(slow, delay, &budget, || pool.submit(|| true).expect("the pool is open"))?;
/// assert_eq!((answer.index, answer.value), (1, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// All that were started have failed: the errors of the first and, if it was started, of the second.
///
/// # Panics
/// As [`race`](super::race), whose cancelling after a panic of a mapped function is done here too; and if `second` does, which leaves the
/// first attempt running, detached, and its share in the budget.
#[track_caller]
pub fn hedge<W, T, E>(
    first: W,
    delay: impl Into<Timer>,
    budget: &AttemptBudget,
    second: impl FnOnce() -> W,
) -> Answer<W, T, E>
where
    W: Waitable<Output = Result<T, E>>,
{
    always(hedged(first, delay.into(), budget, second, Limit::NONE))
}

/// As [`hedge`], for at most `timeout`. `Duration::MAX` waits without limit.
///
/// # Errors
/// The time was over first: everything is given back, `second` too if it was not called; nothing is cancelled.
///
/// # Panics
/// As [`hedge`].
#[track_caller]
pub fn hedge_timeout<W, T, E, S>(
    first: W,
    delay: impl Into<Timer>,
    budget: &AttemptBudget,
    second: S,
    timeout: Duration,
) -> Result<Answer<W, T, E>, Unsettled<W, E, S>>
where
    W: Waitable<Output = Result<T, E>>,
    S: FnOnce() -> W,
{
    in_time(hedged(first, delay.into(), budget, second, Limit::time(timeout)))
}

/// As [`hedge`], until `token` is cancelled.
///
/// # Errors
/// The token was cancelled first: everything is given back, `second` too if it was not called; nothing is cancelled.
///
/// # Panics
/// As [`hedge`].
///
/// # Cancellation
/// Only the wait ends; what was started goes on.
#[track_caller]
pub fn hedge_with<W, T, E, S>(
    first: W,
    delay: impl Into<Timer>,
    budget: &AttemptBudget,
    second: S,
    token: &CancellationToken,
) -> Result<Answer<W, T, E>, WaitCancelled<Unsettled<W, E, S>>>
where
    W: Waitable<Output = Result<T, E>>,
    S: FnOnce() -> W,
{
    unless_cancelled(hedged(first, delay.into(), budget, second, Limit::token(token)))
}

/// The places of the attempts in the set; the delay stands between them.
const FIRST: usize = 0;
const SECOND: usize = 2;

/// An attempt's index, of its place in the set.
fn attempt_at(place: usize) -> usize {
    place / SECOND
}

#[track_caller]
fn hedged<W, T, E, S>(
    first: W,
    delay: Timer,
    budget: &AttemptBudget,
    second: S,
    limit: Limit<'_>,
) -> Result<Answer<W, T, E>, Early<Unsettled<W, E, S>>>
where
    W: Waitable<Output = Result<T, E>>,
    S: FnOnce() -> W,
{
    let mut set = Set::new([Either::Handle(first), Either::Timer(delay)]);
    let (mut failed, mut second) = (Kept::new(Vec::new()), Kept::new(Some(second)));
    let mut call = Call { budget, is_counted: false };
    loop {
        let place = match set.next(limit) {
            Ok(Some(place)) => place,
            Ok(None) => unreachable!("the end of the last attempt ends the wait"),
            Err(interrupt) => return Err((unsettled(failed, handles(set), second), interrupt)),
        };
        match set.output_or_cancel(place) {
            Ended::Handle(Ok(value)) => {
                call.count();
                set.cancel_open();
                let (index, failed, others) = (attempt_at(place), failed.into_inner(), handles(set));
                return Ok(Ok(FirstOk { index, value, failed, others }));
            }
            Ended::Handle(Err(error)) => {
                failed.push((attempt_at(place), error));
                let other_runs = set.len() > SECOND && failed.len() < 2;
                if !other_runs {
                    call.count();
                    return Ok(Err(AllFailed::in_order(failed.into_inner())));
                }
            }
            Ended::Timer(has_fired) => {
                // A first attempt that this thread ran itself may have ended before it could look at the delay.
                if !has_fired || set.has_ended(FIRST) {
                    continue;
                }
                // Nothing more is started when the wait is over.
                if let Some(interrupt) = limit.interrupt() {
                    return Err((unsettled(failed, handles(set), second), interrupt));
                }
                if let Some(spent) = call.count_and_spend() {
                    if let Some(start) = second.take() {
                        set.push(Either::Handle(start()));
                        spent.keep();
                    }
                }
            }
        }
    }
}

/// One call that a budget counts: once, when it is answered or makes a second attempt, and not if it is cut off before. Who goes on with what
/// was given back then makes the same call.
struct Call<'a> {
    budget: &'a AttemptBudget,
    is_counted: bool,
}

impl<'a> Call<'a> {
    fn count(&self) {
        if !self.is_counted {
            self.budget.count_call();
        }
    }

    fn count_and_spend(&mut self) -> Option<Spent<'a>> {
        self.is_counted = self.budget.try_spend_with_call();
        self.is_counted.then(|| Spent(Some(self.budget)))
    }
}

/// An attempt out of a budget, which goes back if it is not made.
struct Spent<'a>(Option<&'a AttemptBudget>);

impl Spent<'_> {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.0 {
            budget.give_back();
        }
    }
}

/// The attempts that have not ended, with their indices.
fn handles<W: Waitable>(set: Set<Either<W>>) -> Vec<(usize, W)> {
    let rest = set.into_rest().into_iter();
    rest.filter_map(|(place, entry)| Some((attempt_at(place), entry.into_handle()?))).collect()
}
