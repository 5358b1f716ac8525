//! Deadlines of the whole process, of tokens and of timers: an ordered map and one helper thread, there only while there are deadlines.
//!
//! Invariants, all under the one lock:
//! 1. While `helper` is true a helper thread runs; it ends only with the map empty.
//! 2. `sleeps_until` is set exactly while the helper sleeps and nobody has woken it. A new deadline before it wakes
//!    the helper; so does the removal of the last deadline, unless it lingers: it must not sleep towards one that is gone.
//! 3. If the helper cannot be started, the deadline stays in the map all the same, and its owner polls the clock. The
//!    next deadline, or `retry`, tries again, and the helper then serves all of them.
//!
//! No other lock is held while this one is taken, and none is taken under it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crate::panics;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread;
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// How long the helper stays when there are no deadlines left: a program that makes and drops them in a row should
/// not start a thread for each.
const LINGER: Duration = Duration::from_millis(50);

/// The helper never sleeps longer than this at a time, so that no platform's limit on timeouts matters.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// What can come due.
pub(crate) trait Due: Send + Sync {
    /// Called once by the helper thread, with no lock held; does not wait for others.
    fn due(self: Arc<Self>);
}

/// The place of one deadline: the time, and a number that tells equal times apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    at: Instant,
    number: u64,
}

impl Key {
    pub(crate) fn new(at: Instant) -> Self {
        // Relaxed: only uniqueness is asked for.
        Self { at, number: TIMER.numbers.fetch_add(1, Ordering::Relaxed) }
    }

    pub(super) fn at(&self) -> Instant {
        self.at
    }
}

crate::sync::process_static! {
    static TIMER: Timer = Timer::default();
}

#[derive(Default)]
struct Timer {
    state: Mutex<State>,
    changed: Condvar,
    numbers: AtomicU64,
}

#[derive(Default)]
struct State {
    deadlines: BTreeMap<Key, Weak<dyn Due>>,
    helper: bool,
    sleeps_until: Option<Instant>,
    lingers: bool,
}

/// Adds a deadline; `false` if no thread watches it because none could be created.
pub(crate) fn insert(key: Key, node: Weak<dyn Due>) -> bool {
    let mut state = TIMER.state.lock();
    state.deadlines.insert(key, node);
    let started = state.ensure_helper();
    if state.sleeps_until.is_some_and(|until| key.at < until) {
        state.sleeps_until = None;
        drop(state);
        TIMER.changed.notify_one();
    }
    started
}

/// Removes deadlines, those excepted that are gone already.
pub(crate) fn remove(keys: impl IntoIterator<Item = Key>) {
    let mut keys = keys.into_iter().peekable();
    if keys.peek().is_none() {
        return;
    }
    let mut state = TIMER.state.lock();
    for key in keys {
        state.deadlines.remove(&key);
    }
    if state.deadlines.is_empty() && state.sleeps_until.is_some() && !state.lingers {
        state.sleeps_until = None;
        drop(state);
        TIMER.changed.notify_one();
    }
}

/// Tries once more to start the helper, if deadlines are waiting for one.
pub(super) fn retry() {
    let mut state = TIMER.state.lock();
    if !state.deadlines.is_empty() {
        state.ensure_helper();
    }
}

impl State {
    // Starting the thread under the lock costs the others some microseconds, once; outside it, a deadline that came
    // between the start and its failure would count on a helper that does not exist.
    fn ensure_helper(&mut self) -> bool {
        if !self.helper {
            let builder = thread::Builder::new().name("gristmill-timer".to_owned());
            self.helper = builder.spawn(help).is_ok();
        }
        self.helper
    }

    fn take_due(&mut self, now: Instant) -> Vec<Weak<dyn Due>> {
        let mut due = Vec::new();
        while let Some(first) = self.deadlines.first_entry().filter(|first| first.key().at <= now) {
            due.push(first.remove());
        }
        due
    }
}

/// The helper thread.
fn help() {
    let mut state = TIMER.state.lock();
    loop {
        let now = time::now();
        let due = state.take_due(now);
        if !due.is_empty() {
            drop(state);
            due.iter().filter_map(Weak::upgrade).for_each(fire);
            state = TIMER.state.lock();
        } else if let Some((first, _)) = state.deadlines.first_key_value() {
            let until = first.at.min(now + LONGEST_SLEEP);
            sleep(&mut state, now, until);
        } else {
            state.lingers = true;
            let woken = sleep(&mut state, now, now + LINGER);
            state.lingers = false;
            if !woken && state.deadlines.is_empty() {
                state.helper = false;
                return;
            }
        }
    }
}

/// Sleeps until then or until woken, and says whether it was woken.
fn sleep(state: &mut MutexGuard<'_, State>, now: Instant, until: Instant) -> bool {
    state.sleeps_until = Some(until);
    let timed_out = TIMER.changed.wait_for(state, until.saturating_duration_since(now)).timed_out();
    state.sleeps_until = None;
    !timed_out
}

/// What comes due may die here, and with it values of the user's, whose destructors may panic.
fn fire(due: Arc<dyn Due>) {
    let _ = panics::catch(|| "deadline", move || due.due());
}
