//! The handle of many tasks as one of several that are waited for together.

use super::super::error::TaskError;
use super::super::seat::Seat;
use super::super::waiter::Waiter;
use super::many::ManyHandle;
use crate::cancel::CancellationToken;
use crate::waitable::{Help, Signal, Waitable};

/// It ends with the last of its tasks. As with [`wait`](ManyHandle::wait), a worker of the pool that waits runs those that have not started.
///
/// Once the output has been taken by [`take`](Waitable::take), the waits of the handle itself panic.
impl<T> Waitable for ManyHandle<'_, T> {
    type Output = Vec<Result<T, TaskError>>;

    fn is_finished(&self) -> bool {
        ManyHandle::is_finished(self)
    }

    fn watch(&self, signal: Signal) {
        let waiter = Waiter::signal(signal, self.core.gate.token.iter());
        if let Err(Some(waiter)) = self.batch().watch(Some(waiter)) {
            waiter.tell_at_once();
        }
    }

    fn unwatch(&self) {
        // If they have ended there is nobody to take back.
        let _ = self.batch().watch(None);
    }

    fn take(&mut self) -> Option<Self::Output> {
        if ManyHandle::is_finished(self) { self.take_results() } else { None }
    }

    #[track_caller]
    fn cancel(&self) {
        ManyHandle::cancel(self);
    }

    fn help(&self) -> Help {
        // As for a single task.
        let deadline = self.core.gate.token.as_ref().and_then(CancellationToken::unwatched_deadline);
        let seat = Seat::current_of(&self.core.gate);
        if (seat.is_none() && deadline.is_none()) || ManyHandle::is_finished(self) {
            return Help::Nothing;
        }
        // Once that has passed, `is_finished` has ended what had not started.
        let ahead = self.core.gate.token.as_ref().and_then(CancellationToken::wake_at);
        let otherwise = match deadline.and(ahead) {
            None => Help::Nothing,
            later => Help::Later(later),
        };
        let Some(seat) = seat else { return otherwise };
        match self.work_off(&seat) {
            Err(not_yet) => return Help::Later(deadline.into_iter().chain([not_yet.ask_again()]).min()),
            // What it ran may have waited too, and taken an unpark: it is asked again.
            Ok(true) => return Help::Helped,
            Ok(false) => self.assert_not_below(&seat),
        }
        if ManyHandle::is_finished(self) { Help::Helped } else { otherwise }
    }
}
