//! What was over from the start.

use super::contract::Waitable;
use super::inbox::Signal;

/// A waitable that has ended already: what [`ready`] gives.
#[derive(Clone, Debug)]
pub struct Ready<T>(Option<T>);

/// A waitable that has ended already, with that output.
///
/// It stands in sets of boxed waitables for what needed no task, or for a task that could not be submitted.
pub fn ready<T>(output: T) -> Ready<T> {
    Ready(Some(output))
}

impl<T> Waitable for Ready<T> {
    type Output = T;

    fn is_finished(&self) -> bool {
        true
    }

    fn watch(&self, signal: Signal) {
        signal.send();
    }

    fn unwatch(&self) {}

    fn take(&mut self) -> Option<T> {
        self.0.take()
    }
}
