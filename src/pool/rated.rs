//! Tasks that may not start yet, because of a rate.
//!
//! Limiters are asked outside of the queue's lock: their clock, and whoever waits for them, is none of the queue's business. A worker
//! that is refused puts the task back, and the queue keeps the class (or, for the rate of the pool, everything) closed
//! until the instant that the limiter named.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::control::Control;
use super::core::Core;
use super::error::Refusal;
use super::gate::Phase;
use super::queue::Taken;
use super::task::{Entry, Queued, Run, cancel_cause};
use crate::cancel::CancellationToken;
use crate::policy::{RateLimited, RateLimiter, Reservation};
use crate::sync::thread;
use crate::sync::time::{self, Instant};

/// A limiter whose turn somebody else has names the present; looking again at once would be a busy wait.
const PAUSE: Duration = Duration::from_micros(100);

/// How long nobody asks a limiter again: its rate may have been raised meanwhile.
const LONGEST: Duration = Duration::from_millis(50);

/// How long a class is closed whose limiter's clock is moved by hand: until that happens.
const UNTIL_MOVED: Duration = Duration::from_secs(3600);

/// How long a waiting worker does not look whether there is a permit now: nobody says so.
const PERMIT_PAUSE: Duration = Duration::from_millis(1);

/// The same where it may wait for thousands, all of which it asks.
const PERMITS_PAUSE: Duration = Duration::from_millis(16);

/// Why a waiting worker does not start a task itself now.
pub(super) enum NotYet {
    Rate(Refused),
    /// It would wait for a permit, and this thread holds some of the same itself.
    Permit,
}

impl NotYet {
    /// When to ask again, for a thread that sleeps by the system's clock and waits for several.
    pub(super) fn ask_again(&self) -> Instant {
        match self {
            Self::Rate(refused) => refused.ask_again(),
            Self::Permit => time::now() + PERMITS_PAUSE,
        }
    }

    /// Parks a thread that waits for it, at most until `deadline`, which is on the system's clock. It may wake before, as from any park.
    pub(super) fn park(&self, deadline: Option<Instant>) {
        match self {
            Self::Rate(refused) => refused.park(deadline),
            Self::Permit => {
                thread::park_timeout(deadline.map_or(PERMIT_PAUSE, |at| left(at).min(PERMIT_PAUSE)));
            }
        }
    }
}

impl From<Refused> for NotYet {
    fn from(refused: Refused) -> Self {
        Self::Rate(refused)
    }
}

fn left(at: Instant) -> Duration {
    at.saturating_duration_since(time::now())
}

/// The limiter that does not let a task start, and what it said.
pub(super) struct Refused {
    limiter: RateLimiter,
    not_before: Instant,
    /// Whether it is the rate of the pool.
    all: bool,
}

impl Refused {
    fn ask_again(&self) -> Instant {
        let wait = self.limiter.clock().timeout_until(self.not_before).unwrap_or(LONGEST);
        time::now() + wait.clamp(PAUSE, LONGEST)
    }

    fn park(&self, deadline: Option<Instant>) {
        let clock = self.limiter.clock();
        match (clock.timeout_until(self.not_before), deadline) {
            (Some(wait), _) => {
                let wait = wait.clamp(PAUSE, LONGEST);
                thread::park_timeout(deadline.map_or(wait, |deadline| wait.min(left(deadline))));
            }
            (None, None) => clock.park(Some(self.not_before)),
            (None, Some(deadline)) => {
                // Two clocks: sleep by the system's, and hear of the other one's moves. One before the hearing is seen below.
                let me = thread::current();
                let moved: Arc<dyn Fn() + Send + Sync> = Arc::new(move || me.unpark());
                clock.on_advance(Some(self.not_before), Arc::downgrade(&moved));
                if clock.timeout_until(self.not_before).is_none() {
                    thread::park_timeout(left(deadline));
                }
            }
        }
    }
}

impl<'env> Core<'env> {
    /// Permits for the start of a task, from its limiter and the pool's; dropping them gives them back.
    pub(super) fn reserve<'a>(
        &'a self,
        task: &'a (impl Run + ?Sized),
    ) -> Result<[Option<Reservation>; 2], Refused> {
        let own = task.control().and_then(Control::rate);
        let own = own.map(|limiter| reserve(limiter, false)).transpose()?;
        let all = self.rate.as_ref().map(|limiter| reserve(limiter, true)).transpose()?;
        Ok([own, all])
    }

    /// Whether some rate applies to the task.
    #[inline]
    pub(super) fn is_rated(&self, control: Option<&Control>) -> bool {
        self.rate.is_some() || control.is_some_and(|control| control.rate().is_some())
    }

    /// Lets a worker start a task that it took from the queue, in its turn, or puts it back.
    #[cold]
    pub(super) fn clear(&self, taken: Taken<Entry<'env>>, worker: usize) -> Option<Taken<Entry<'env>>> {
        if self.gate.phase() == Phase::Stopping
            || taken.task.task.is_over()
            || cancel_cause(taken.task.task.control(), &self.gate).is_some()
        {
            return Some(taken); // nothing starts: no permit is needed
        }
        let version = self.gate.rates_version();
        let refused = match self.reserve(&*taken.task.task) {
            Ok(permits) => {
                keep(permits);
                None
            }
            Err(refused) => Some((self.until(&refused), refused.all)),
        };
        let Some((until, all)) = refused else { return Some(taken) };
        let mut store = self.queue.lock();
        if self.gate.phase() == Phase::Stopping {
            return Some(taken); // the queue may have been handed back already, and nobody would come for this one
        }
        // The limiter's answer is void if the version has changed since, and then nobody will change it again for this task.
        let current = self.gate.rates_version();
        store.reopen(current);
        let until = if current == version { until } else { time::now() };
        self.queue.put_back(&mut store, worker, taken, until, all);
        drop(store);
        self.gate.bells.ring(None);
        None
    }

    /// Admits a task that runs inline once its rate lets it start. Apart, because most tasks have no rate, and permits take room.
    #[cold]
    pub(super) fn admit_in_time(
        &self,
        task: &Queued<'env>,
        deadline: Option<Instant>,
        given: Option<&CancellationToken>,
    ) -> Result<(), Refusal> {
        let permits = self.wait_to_start(&**task, deadline, given)?;
        self.admit_inline(task)?;
        keep(permits); // it starts
        Ok(())
    }

    /// Waits, at most until `deadline` or until `ended_by` is cancelled, until a task may start that does not go through the queue. Dropping the permits gives them back: it
    /// may be refused yet, also by the second limiter when the first has let it pass.
    #[cold]
    fn wait_to_start(
        &self,
        task: &(impl Run + ?Sized),
        deadline: Option<Instant>,
        ended_by: Option<&CancellationToken>,
    ) -> Result<[Option<Reservation>; 2], Refusal> {
        let control = task.control();
        let own = control.and_then(Control::rate);
        // Its own token, which the pool's stop cancels too, only if somebody can cancel it besides.
        let given = control.filter(|control| control.given().is_some());
        let own_token = || given.map_or_else(|| self.gate.stop.clone(), |control| control.token(&self.gate));
        // Who gives a token beside the task's own: a chunk's tasks have none.
        let both = ended_by.map(|token| token.child_of_both(&own_token()));
        let token = both.as_ref().map_or_else(own_token, |(token, _)| token.clone());
        let cause =
            || cancel_cause(control, &self.gate).or_else(|| ended_by.and_then(CancellationToken::cause));
        let wait = |limiter: &RateLimiter| {
            let left = deadline.map_or(Duration::MAX, left);
            limiter.reserve_within(left, &token).map_err(|limited| match limited {
                RateLimited::TimedOut { .. } => Refusal::TimedOut,
                _ => cause().map_or(Refusal::Closed, Refusal::Cancelled),
            })
        };
        let own = own.map(wait).transpose()?;
        Ok([own, self.rate.as_ref().map(wait).transpose()?])
    }

    /// When to ask again, on the clock that workers sleep by.
    fn until(&self, refused: &Refused) -> Instant {
        let now = time::now();
        match refused.limiter.clock().timeout_until(refused.not_before) {
            Some(wait) => now + wait.clamp(PAUSE, LONGEST),
            // A move before the first hearing went unheard: ask once more.
            None if self.hear_of_moves(&refused.limiter) => now,
            None => now + UNTIL_MOVED,
        }
    }

    /// Has the workers look again whenever the limiter's clock is moved by hand; false if they do so already.
    fn hear_of_moves(&self, limiter: &RateLimiter) -> bool {
        let gate = Arc::downgrade(&self.gate);
        let moved = move || {
            if let Some(gate) = gate.upgrade() {
                gate.reopen();
            }
        };
        let mut listeners = self.listeners.lock();
        if listeners.contains_key(&limiter.id()) {
            return false;
        }
        let listener: Arc<dyn Fn() + Send + Sync> = Arc::new(moved);
        limiter.clock().on_advance(None, Arc::downgrade(&listener) as Weak<dyn Fn() + Send + Sync>);
        listeners.insert(limiter.id(), listener);
        true
    }
}

fn reserve(limiter: &RateLimiter, all: bool) -> Result<Reservation, Refused> {
    limiter.try_reserve(1).map_err(|refused| {
        let not_before = refused.not_before().unwrap_or_else(|| limiter.now());
        Refused { limiter: limiter.clone(), not_before, all }
    })
}

/// The task has started: the permits are used.
pub(super) fn keep(permits: [Option<Reservation>; 2]) {
    permits.into_iter().flatten().for_each(Reservation::commit);
}
