//! The handle of a task as one of several that are waited for together.

use std::sync::Arc;

use super::control::Control;
use super::error::TaskError;
use super::handle::ScopedTaskHandle;
use super::seat::Seat;
use super::waiter::Waiter;
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
        // A task that waits in the queue is ended by whoever sees its token cancelled, and that may have to be the one who waits.
        let given = self.task.control().and_then(Control::given);
        let tokens = [self.core.gate.token.as_ref(), given].into_iter().flatten();
        let looks = tokens.map(|token| {
            let nudge = signal.nudge();
            token.on_cancel(move |_| nudge.send())
        });
        let waiter = Waiter::Signal { _looks: looks.collect(), signal };
        if let Err(Some(mut waiter)) = self.task.watch(Some(Box::new(waiter))) {
            if let Some(thread) = waiter.tell() {
                thread.unpark();
            }
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
        if self.task.is_over() {
            return Help::Nothing;
        }
        let Some(seat) = Seat::current_of(&self.core.gate) else { return Help::Nothing };
        match self.try_help(&seat) {
            Ok(true) => return Help::Helped,
            Err(not_yet) => return Help::Later(Some(not_yet.ask_again())),
            Ok(false) => {}
        }
        self.assert_not_below(&seat);
        if self.task.is_queued() { Help::Later(None) } else { Help::Nothing }
    }
}
