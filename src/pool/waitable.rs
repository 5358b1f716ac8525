//! The handle of a task as one of several that are waited for together.

use std::sync::Arc;

use super::error::TaskError;
use super::handle::ScopedTaskHandle;
use super::seat::Seat;
use super::waiter::Waiter;
use crate::cancel::CancellationToken;
use crate::waitable::{Help, Signal, Waitable};

/// As with [`wait`](ScopedTaskHandle::wait), a worker of the pool that waits runs tasks that have not started, and those ahead of them in the lines of
/// their keys, but no others; and a task that waits for itself panics.
///
/// Once the output has been taken by [`take`](Waitable::take), the waits of the handle itself panic.
impl<T> Waitable for ScopedTaskHandle<'_, T> {
    type Output = Result<T, TaskError>;

    fn is_finished(&self) -> bool {
        ScopedTaskHandle::is_finished(self)
    }

    fn watch(&self, signal: Signal) {
        let waiter = Waiter::signal(signal, self.own_tokens());
        if let Err(Some(waiter)) = self.task.watch(Some(Box::new(waiter))) {
            waiter.tell_at_once();
        }
    }

    fn unwatch(&self) {
        // If it has ended there is nobody to take back.
        let _ = self.task.watch(None);
    }

    fn take(&mut self) -> Option<Self::Output> {
        Arc::clone(&self.task).take()
    }

    #[track_caller]
    fn cancel(&self) {
        ScopedTaskHandle::cancel(self);
    }

    fn help(&self) -> Help {
        // If no thread could be had to tell of a deadline, whoever waits for the task ends it.
        let deadline = self.own_tokens().filter_map(CancellationToken::unwatched_deadline).min();
        let seat = Seat::current_of(&self.core.gate);
        // Most who wait are no workers, and have nothing to look at.
        if (seat.is_none() && deadline.is_none()) || ScopedTaskHandle::is_finished(self) {
            return Help::Nothing;
        }
        let later = || if self.task.is_queued() { Help::Later(deadline) } else { Help::Nothing };
        let Some(seat) = seat else { return later() };
        match self.try_help(&seat) {
            Ok(true) => return Help::Helped,
            Err(not_yet) => return Help::Later(deadline.into_iter().chain([not_yet.ask_again()]).min()),
            Ok(false) => {}
        }
        self.assert_not_below(&seat);
        later()
    }
}
