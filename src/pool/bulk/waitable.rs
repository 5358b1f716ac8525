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
        if ManyHandle::is_finished(self) {
            return Help::Nothing;
        }
        // If no thread could be had to tell of a deadline, whoever waits for the tasks ends them.
        let deadline = self.core.gate.token.as_ref().and_then(CancellationToken::unwatched_wake_at);
        let otherwise = if deadline.is_some() { Help::Later(deadline) } else { Help::Nothing };
        let Some(seat) = Seat::current_of(&self.core.gate) else { return otherwise };
        if let Err(not_yet) = self.work_off(&seat) {
            return Help::Later(deadline.into_iter().chain([not_yet.ask_again()]).min());
        }
        self.assert_not_below(&seat);
        if ManyHandle::is_finished(self) { Help::Helped } else { otherwise }
    }
}
