//! What a task was given besides its closure: name, token, priority, key, rate; and the token that it polls itself.
//!
//! Lock order: `line` is a leaf; `own` before the locks of tokens; no callback of the user can run under it, because nobody has the new
//! token yet.

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
        let mut own = self.own.lock();
        if let Some(own) = &*own {
            return own.token.clone();
        }
        let (token, stop) = match &self.given {
            None => (gate.stop.child(), None),
            Some(given) => {
                let token = given.child();
                let stop = gate.stop.cancel_too(&token);
                (token, Some(stop))
            }
        };
        *own = Some(Own { token: token.clone(), _stop: stop });
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
