//! One wait of one task, ended by one notification.
//!
//! It stands on shuttle's wakers, and not on its `park`: the park token belongs to the code under test, and shuttle
//! wakes parked tasks at every turn, which would make spurious wake-ups the rule.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

#[derive(Debug, Default)]
struct State {
    notified: bool,
    // Present while the task is blocked.
    waker: Option<Waker>,
}

/// Blocks a task until it is notified; the notification is kept if it comes first.
#[derive(Debug, Default)]
pub(super) struct Waiter {
    // The standard library's lock: never held across a switch of tasks.
    state: Mutex<State>,
}

impl Waiter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notify(&self) {
        let waker = {
            let mut state = self.state();
            state.notified = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn is_notified(&self) -> bool {
        self.state().notified
    }

    /// Takes the notification back, if there is one.
    pub(super) fn take_notification(&self) -> bool {
        std::mem::take(&mut self.state().notified)
    }

    /// Waits for the notification, however long.
    pub(super) fn block(&self) {
        shuttle::future::block_on(std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.notified {
                return Poll::Ready(());
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        }));
    }
}
