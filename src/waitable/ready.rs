//! What was over from the start.

use super::contract::Waitable;
use super::inbox::Signal;

/// A waitable that has ended already: what [`ready`] gives.
///
/// ```
/// use gristmill::combine::wait_all;
/// use gristmill::waitable::ready;
/// use gristmill::{TaskError, ThreadPool, Waitable};
///
/// type Sum = Box<dyn Waitable<Output = Result<u32, TaskError>>>;
///
/// let pool = ThreadPool::new()?;
/// let known: Sum = Box::new(ready(Ok(1)));
/// let computed: Sum = Box::new(pool.submit(|| 41)?);
/// let sum: u32 = wait_all([known, computed]).into_iter().sum::<Result<_, _>>()?;
/// assert_eq!(sum, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
