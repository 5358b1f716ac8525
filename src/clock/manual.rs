//! A clock that stands still until it is moved by hand.
//!
//! # Invariants
//! 1. `now` never goes back.
//! 2. A thread that parks until an instant is listed in `parked` before it parks, under the same lock under which it
//!    compared that instant with `now`. So a move of the clock either comes first and is seen in the comparison, or
//!    finds the thread listed; the unpark it then sends is kept if the thread has not parked yet.
//! 3. Whoever is due is taken off the list by the move that made it due, before that move returns. Every other entry is
//!    removed by its own thread.
//!
//! Lock order: `state` is a leaf. Threads are unparked and subscribers called with it released.

use std::collections::BTreeMap;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};

use super::Clock;
use super::timing::Timing;
use crate::sync::Mutex;
use crate::sync::thread::{self, Thread};
use crate::sync::time::{self, Duration, Instant};

/// A clock for tests: it moves only when it is told to, and wakes those who wait as it passes their instants.
///
/// Clones are the same clock. Not for programs in operation: whoever waits on it waits for a call of
/// [`advance`](Self::advance).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use gristmill::{Clock, ManualClock, RateLimiter};
///
/// let clock = ManualClock::new();
/// let limiter = RateLimiter::builder(1, Duration::from_secs(60)).clock(clock.clone()).build()?;
/// assert!(limiter.try_acquire().is_ok());
/// assert!(limiter.try_acquire().is_err());
/// clock.advance(Duration::from_secs(60)); // takes no time
/// assert!(limiter.try_acquire().is_ok());
/// # Ok::<(), gristmill::RateError>(())
/// ```
#[derive(Clone)]
pub struct ManualClock {
    state: Arc<Mutex<State>>,
}

struct State {
    now: Instant,
    // By order of parking.
    parked: BTreeMap<u64, Parked>,
    next_ticket: u64,
    // By order of subscription.
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    /// What it waits for.
    at: Option<Instant>,
    moved: Weak<dyn Fn() + Send + Sync>,
}

impl Subscriber {
    fn is_live(&self) -> bool {
        self.moved.strong_count() > 0
    }
}

#[derive(Clone, Debug)]
struct Parked {
    until: Option<Instant>,
    thread: Thread,
}

impl ManualClock {
    /// A clock that reads the present instant, and goes on doing so.
    pub fn new() -> Self {
        let state =
            State { now: time::now(), parked: BTreeMap::new(), next_ticket: 0, subscribers: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Moves the clock forward by `by`, in one step, and wakes whoever waits for an instant up to the new one.
    ///
    /// They are woken in the order of their instants; equal ones in the order in which they began to wait; threads before timers. All
    /// of them read the new time. When this returns they have been told, but need not have run.
    ///
    /// # Panics
    /// If the platform's [`Instant`] cannot reach that far; the clock has then not moved.
    pub fn advance(&self, by: Duration) {
        // Not under the lock: a panic hook may look at the clock.
        self.shift(|now| now.checked_add(by))
            .expect("the clock cannot be moved beyond the range of `Instant`");
    }

    /// Moves the clock to `at` as [`advance`](Self::advance) does; without effect if it reads a later instant already.
    pub fn advance_to(&self, at: Instant) {
        let _ = self.shift(|now| Some(now.max(at)));
    }

    /// How many threads wait on this clock now.
    ///
    /// A thread counts from just before it parks until the clock passes its instant or it has woken for another
    /// reason, so a test can wait (yielding) until a thread under test has got that far.
    pub fn waiting(&self) -> usize {
        self.state.lock().parked.len()
    }

    /// The earliest instant that a thread waits for; `None` if none waits for an instant.
    pub fn next_instant(&self) -> Option<Instant> {
        self.state.lock().parked.values().filter_map(|parked| parked.until).min()
    }

    /// `None`, and nothing has changed, if `to` has no answer.
    fn shift(&self, to: impl FnOnce(Instant) -> Option<Instant>) -> Option<()> {
        let (due, subscribers) = {
            let mut state = self.state.lock();
            state.now = to(state.now)?;
            (state.take_due(), state.subscribers())
        };
        for (_, thread) in due {
            thread.unpark();
        }
        for moved in subscribers {
            moved();
        }
        Some(())
    }
}

impl State {
    fn take_due(&mut self) -> Vec<(Instant, Thread)> {
        let mut due = Vec::new();
        self.parked.retain(|_, parked| match parked.until.filter(|until| *until <= self.now) {
            Some(until) => {
                due.push((until, parked.thread.clone()));
                false
            }
            None => true,
        });
        due.sort_by_key(|(until, _)| *until); // stable: equal ones stay in the order of parking
        due
    }

    fn subscribers(&mut self) -> Vec<Arc<dyn Fn() + Send + Sync>> {
        self.subscribers.retain(Subscriber::is_live);
        let live =
            self.subscribers.iter().filter_map(|Subscriber { at, moved }| Some((*at, moved.upgrade()?)));
        let mut live: Vec<_> = live.collect();
        live.sort_by_key(|(at, _)| *at); // stable, as above
        live.into_iter().map(|(_, moved)| moved).collect()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.state.lock().now
    }
}

impl Timing for ManualClock {
    fn park(&self, until: Option<Instant>) {
        let ticket = {
            let mut state = self.state.lock();
            if until.is_some_and(|until| until <= state.now) {
                return;
            }
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            state.parked.insert(ticket, Parked { until, thread: thread::current() });
            ticket
        };
        thread::park();
        self.state.lock().parked.remove(&ticket);
    }

    fn timeout_until(&self, until: Instant) -> Option<Duration> {
        (until <= self.state.lock().now).then_some(Duration::ZERO)
    }

    fn on_advance(&self, at: Option<Instant>, moved: Weak<dyn Fn() + Send + Sync>) {
        let mut state = self.state.lock();
        state.subscribers.retain(Subscriber::is_live);
        state.subscribers.push(Subscriber { at, moved });
    }
}

// Nobody else's code runs under its lock.
impl UnwindSafe for ManualClock {}
impl RefUnwindSafe for ManualClock {}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

// The figures are copied out: it is written by code of the user's, which may look at the clock.
impl std::fmt::Debug for ManualClock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (now, parked, subscribers) = {
            let state = self.state.lock();
            (state.now, state.parked.clone(), state.subscribers.len())
        };
        formatter
            .debug_struct("ManualClock")
            .field("now", &now)
            .field("parked", &parked)
            .field("subscribers", &subscribers)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use crate::sync::thread::Builder;

    const SECOND: Duration = Duration::from_secs(1);

    fn until_waiting(clock: &ManualClock, threads: usize) {
        while clock.waiting() < threads {
            thread::yield_now();
        }
    }

    #[test]
    fn parked_thread_wakes_when_its_instant_is_passed_and_not_before() {
        let clock = ManualClock::new();
        let due = clock.now() + SECOND;
        let sleeper = {
            let clock = clock.clone();
            Builder::new().spawn(move || {
                while clock.now() < due {
                    clock.park(Some(due));
                }
            })
        };
        until_waiting(&clock, 1);
        assert_eq!(clock.next_instant(), Some(due));
        clock.advance(SECOND.saturating_sub(Duration::from_nanos(1)));
        until_waiting(&clock, 1);
        clock.advance_to(due);
        sleeper.expect("no fault is asked for").join().unwrap();
        assert_eq!((clock.waiting(), clock.next_instant()), (0, None));
    }

    #[test]
    fn who_prints_the_clock_may_look_at_it() {
        struct Nosy(ManualClock);
        impl std::fmt::Write for Nosy {
            fn write_str(&mut self, _: &str) -> std::fmt::Result {
                let _ = self.0.now();
                Ok(())
            }
        }
        let clock = ManualClock::new();
        std::fmt::write(&mut Nosy(clock.clone()), format_args!("{clock:?}")).expect("it takes all");
    }

    #[test]
    fn parked_thread_wakes_early_when_it_is_unparked() {
        let clock = ManualClock::new();
        let sleeper = {
            let clock = clock.clone();
            Builder::new().spawn(move || clock.park(None)).expect("no fault is asked for")
        };
        until_waiting(&clock, 1);
        sleeper.thread().unpark();
        sleeper.join().unwrap();
        assert_eq!(clock.waiting(), 0);
    }

    #[test]
    fn instant_that_has_passed_is_not_waited_for() {
        let clock = ManualClock::new();
        clock.park(Some(clock.now()));
        clock.advance(SECOND);
        clock.advance_to(clock.now().checked_sub(SECOND).expect("it was moved by a second"));
        clock.park(Some(clock.now()));
        assert_eq!(clock.timeout_until(clock.now()), Some(Duration::ZERO));
        assert_eq!(clock.timeout_until(clock.now() + SECOND), None, "no time-out of the caller's will do");
    }

    #[test]
    fn subscribers_are_called_in_the_order_of_their_instants() {
        let clock = ManualClock::new();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let start = clock.now();
        let subscribers: Vec<Arc<dyn Fn() + Send + Sync>> = (0..5)
            .map(|number| {
                let calls = calls.clone();
                Arc::new(move || calls.lock().push(number)) as Arc<dyn Fn() + Send + Sync>
            })
            .collect();
        for (subscriber, at) in subscribers.iter().zip([Some(3), Some(1), None, Some(2), Some(1)]) {
            clock.on_advance(at.map(|at| start + SECOND * at), Arc::downgrade(subscriber));
        }
        clock.advance(SECOND * 10);
        assert_eq!(*calls.lock(), [2, 1, 4, 3, 0]);
    }

    #[test]
    fn subscriber_is_called_after_each_move_until_it_is_dropped() {
        let clock = ManualClock::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let subscriber: Arc<dyn Fn() + Send + Sync> = {
            let (calls, clock, start) = (calls.clone(), clock.clone(), clock.now());
            Arc::new(move || {
                assert_eq!(clock.now(), start + SECOND, "it may look at the clock, which has moved");
                calls.fetch_add(1, SeqCst);
            })
        };
        clock.on_advance(None, Arc::downgrade(&subscriber));
        clock.advance(SECOND);
        assert_eq!(calls.load(SeqCst), 1);
        drop(subscriber);
        clock.advance(SECOND);
        assert_eq!(calls.load(SeqCst), 1);
        assert!(clock.state.lock().subscribers.is_empty());
    }
}
