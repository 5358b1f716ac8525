//! What a task was given besides its closure: name, token, priority, key, rate; and the token that it polls itself.
//!
//! Lock order: `line` and `own` are leaves. Tokens are made and linked with neither held, since that may cancel the pool's, by a deadline that nobody
//! watches, and run its callbacks.

use std::sync::Arc;

use super::gate::Gate;
use super::keys::{Key, LineId};
use super::lanes::Place;
use crate::cancel::{CancellationToken, Registration};
use crate::policy::RateLimiter;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::trace::TaskSpan;

/// Cancelled with the token given to the task, with the pool, and by [`TaskHandle::cancel`](super::TaskHandle::cancel).
struct Own {
    token: CancellationToken,
    /// Hands the pool's stop on to the token, where the token's parent is the one given to the task.
    _stop: Option<Registration>,
}

/// What a task has to do with its key.
pub(super) struct KeySlot {
    pub(super) key: Key,
    /// Its key's line, once it has entered.
    pub(super) line: Mutex<Option<LineId>>,
    pub(super) number: AtomicU64,
    /// When it was submitted, as in [`Entry`](super::task::Entry).
    pub(super) queued_at: AtomicU64,
    /// Whether it is its turn.
    pub(super) granted: AtomicBool,
    /// Whether it failed; set before its end can be seen.
    pub(super) failed: AtomicBool,
    /// Whether it has left its line; whoever sets it lets the next one go on.
    pub(super) left: AtomicBool,
}

impl KeySlot {
    pub(super) fn is_granted(&self) -> bool {
        // Acquire pairs with the Release in `grant`: the line is known.
        self.granted.load(Ordering::Acquire)
    }

    pub(super) fn grant(&self) {
        self.granted.store(true, Ordering::Release);
    }
}

#[derive(Default)]
pub(super) struct Control {
    name: Option<Arc<str>>,
    given: Option<CancellationToken>,
    priority: i8,
    key: Option<KeySlot>,
    rate: Option<RateLimiter>,
    // Made when somebody asks for it: most tasks never do, and a token costs as much as the rest of a task.
    own: Mutex<Option<Own>>,
}

impl Control {
    pub(super) fn set_name(&mut self, name: Arc<str>) {
        self.name = Some(name);
    }

    pub(super) fn set_token(&mut self, token: CancellationToken) {
        self.given = Some(token);
    }

    pub(super) fn set_priority(&mut self, priority: i8) {
        self.priority = priority;
    }

    pub(super) fn set_key(&mut self, key: Key) {
        self.key = Some(KeySlot {
            key,
            line: Mutex::new(None),
            number: AtomicU64::new(0),
            queued_at: AtomicU64::new(0),
            granted: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            left: AtomicBool::new(false),
        });
    }

    /// Where the task is queued.
    pub(super) fn place(&self) -> Place {
        Place { level: self.priority, class: self.rate.as_ref().map(RateLimiter::id) }
    }

    pub(super) fn set_rate(&mut self, limiter: RateLimiter) {
        self.rate = Some(limiter);
    }

    pub(super) fn rate(&self) -> Option<&RateLimiter> {
        self.rate.as_ref()
    }

    pub(super) fn key(&self) -> Option<&KeySlot> {
        self.key.as_ref()
    }

    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    pub(super) fn given(&self) -> Option<&CancellationToken> {
        self.given.as_ref()
    }

    /// The task's own token.
    pub(super) fn token(&self, gate: &Gate) -> CancellationToken {
        let known = self.own.lock().as_ref().map(|own| own.token.clone());
        if let Some(token) = known {
            return token;
        }
        let (token, stop) = match &self.given {
            None => (gate.stop.child(), None),
            Some(given) => {
                let (token, stop) = given.child_of_both(&gate.stop);
                (token, Some(stop))
            }
        };
        let made = Own { token: token.clone(), _stop: stop };
        let mut own = self.own.lock();
        // Of two who ask first, the second takes what the first has stored.
        let (token, spare) = if let Some(first) = &*own {
            (first.token.clone(), Some(made))
        } else {
            *own = Some(made);
            (token, None)
        };
        drop(own);
        drop(spare); // with the lock free
        token
    }
}

/// Opens the span of a task that was given this.
#[inline]
pub(super) fn span(control: Option<&Control>, gate: &Gate) -> TaskSpan {
    let name = control.and_then(|control| control.name.as_deref());
    let key = control.and_then(|control| control.key.as_ref()).map(|slot| slot.key.shown());
    TaskSpan::new(&gate.name, name, key.as_ref(), control.map_or(0, |control| control.priority))
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::sync::fault;
    use crate::sync::time::{self, Duration};

    /// What belongs to a task that was given a token, in a pool with the token `pools`.
    fn given(pools: &CancellationToken) -> Arc<(Control, Gate)> {
        let mut control = Control::default();
        control.set_token(CancellationToken::new());
        let gate = Gate::new(Arc::from("unmanned"), 1, Duration::ZERO, Some(pools.clone()), false);
        Arc::new((control, gate))
    }

    #[test]
    fn callback_that_runs_where_the_token_is_first_asked_for_may_ask_for_it_too() {
        let _fault = fault::fail_every_spawn(); // so callbacks run in the thread that sees the deadline
        let pools = CancellationToken::unwatched(Duration::from_millis(1));
        let task = given(&pools);
        let same = Arc::clone(&task);
        pools.on_cancel(move |_| drop(same.0.token(&same.1))).detach();
        while pools.deadline().is_some_and(|at| at > time::now()) {
            crate::sync::thread::yield_now();
        }
        assert!(task.0.token(&task.1).is_cancelled());
        assert_eq!(Arc::strong_count(&task), 1, "it was called");
    }

    #[test]
    fn deadline_of_the_pool_that_nobody_watches_ends_the_token_of_a_task_that_was_given_one() {
        let pools = CancellationToken::unwatched(Duration::from_millis(1));
        let task = given(&pools);
        let token = task.0.token(&task.1);
        assert_eq!(token.wait().location(), pools.wait().location());
    }
}
