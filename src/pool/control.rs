//! What a task was given besides its closure: a name and a token; and the token that it polls itself.
//!
//! Lock order: `own` before the locks of tokens; no callback of the user can run under it, because nobody has the new
//! token yet.

use std::sync::Arc;

use super::gate::Gate;
use crate::cancel::{CancellationToken, Registration};
use crate::sync::Mutex;

/// Cancelled with the token given to the task, with the pool, and by [`TaskHandle::cancel`](super::TaskHandle::cancel).
struct Own {
    token: CancellationToken,
    /// Hands the pool's stop on to the token, where the token's parent is the one given to the task.
    _stop: Option<Registration>,
}

#[derive(Default)]
pub(super) struct Control {
    name: Option<Arc<str>>,
    given: Option<CancellationToken>,
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
                let child = token.clone();
                let stop = gate.stop.on_cancel(move |cause| {
                    child.cancel_with(cause.clone());
                });
                (token, Some(stop))
            }
        };
        *own = Some(Own { token: token.clone(), _stop: stop });
        token
    }
}
