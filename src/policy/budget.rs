//! How much extra work attempts beyond the first may make.

use std::fmt;
use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering};

/// What an extra attempt costs, and a call pays as many of as it has percents.
const ATTEMPT: u64 = 100;

/// A bound on second attempts: at most so many percent of all calls, and a few from the start.
///
/// Hedging and retrying multiply the load exactly when there is too much of it. With a budget that all calls share, extra attempts stop
/// when too many calls want one: each call pays in `percent` hundredths of an attempt, each extra attempt takes a whole one
/// out, and nothing is lent. More than `reserve` attempts are not saved up (but at least one), so a quiet day does not pay for a storm.
/// So of `n` calls at most `reserve + n * percent / 100` make an extra attempt. The rule is that of gRPC's retry throttling (its proposal A6) and of Finagle's
/// retry budgets.
///
/// A clone is the same budget. Not a limit on calls: those are never refused; for that, see [`RateLimiter`](super::RateLimiter).
///
/// ```
/// use gristmill::AttemptBudget;
///
/// let budget = AttemptBudget::new(50, 1);
/// assert!(budget.try_spend(), "the reserve");
/// budget.count_call();
/// assert!(!budget.try_spend(), "half an attempt is there");
/// budget.count_call();
/// assert!(budget.try_spend());
/// ```
#[derive(Clone)]
pub struct AttemptBudget {
    shared: Arc<Shared>,
}

struct Shared {
    percent: u64,
    most: u64,
    /// In hundredths of an attempt.
    balance: AtomicU64,
}

impl AttemptBudget {
    /// A budget of `percent` (above 100 counts as 100) of the calls, and `reserve` attempts from the start.
    ///
    /// With both zero there are no extra attempts at all.
    pub fn new(percent: u32, reserve: u32) -> Self {
        let reserve = u64::from(reserve) * ATTEMPT;
        Self {
            shared: Arc::new(Shared {
                percent: u64::from(percent).min(100),
                most: reserve.max(ATTEMPT),
                balance: AtomicU64::new(reserve),
            }),
        }
    }

    /// A call is made: pays in for it. [`hedge`](crate::combine::hedge) and [`Retry`](super::Retry) do it by themselves.
    pub fn count_call(&self) {
        let Shared { percent, most, balance } = &*self.shared;
        // Relaxed, here and below: the number is all there is to it.
        let _ = balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            let then = (now + percent).min(*most);
            (then != now).then_some(then)
        });
    }

    /// Takes an extra attempt out; false, and nothing is taken, if there is none.
    pub fn try_spend(&self) -> bool {
        let balance = &self.shared.balance;
        balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| now.checked_sub(ATTEMPT)).is_ok()
    }

    /// Counts a call and takes its extra attempt out; false, and neither is done, if there is none even so.
    pub(crate) fn try_spend_with_call(&self) -> bool {
        let Shared { percent, most, balance } = &*self.shared;
        let spend = |now: u64| (now + percent).min(*most).checked_sub(ATTEMPT);
        balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }

    /// Puts an attempt back that was [taken out](Self::try_spend) and not made.
    pub fn give_back(&self) {
        let Shared { most, balance, .. } = &*self.shared;
        let put = |now: u64| Some((now + ATTEMPT).min(*most));
        let _ = balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, put);
    }

    /// How many whole attempts there are now.
    pub fn available(&self) -> u64 {
        self.shared.balance.load(Ordering::Relaxed) / ATTEMPT
    }
}

impl fmt::Debug for AttemptBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AttemptBudget")
            .field("percent", &self.shared.percent)
            .field("available", &self.available())
            .finish()
    }
}
