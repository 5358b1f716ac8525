//! One task without a pool around it, so that its state machine can be checked exhaustively. Not part of what ships.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::context::Plain;
use super::core::Core;
use super::gate::Gate;
use super::handle::TaskHandle;
use super::rules::Rules;
use super::seat::Seat;
use super::task::{Join, Task, take_up};
use crate::trace::TaskSpan;

/// A task that was submitted to a pool of one worker; whoever calls [`run`](Self::run) is that worker.
pub struct Solo<T> {
    task: Arc<dyn Join<T>>,
    core: Arc<Core<'static>>,
}

impl<T: Send + 'static> Solo<T> {
    /// Submits `task`.
    pub fn new(task: impl FnOnce() -> T + Send + 'static) -> Self {
        let gate = Gate::new(Arc::from("solo"), 1, Duration::ZERO, None, false);
        gate.counters.grow(1);
        gate.counters.submit(1);
        let core = Arc::new(Core::new(gate, Rules::default()));
        Self { task: Arc::new(Task::new(Plain(task), None, TaskSpan::NONE)), core }
    }

    /// A handle. A pool gives out one; here a canceller and a waiter have one each.
    pub fn handle(&self) -> TaskHandle<T> {
        TaskHandle::new(Arc::clone(&self.task), Arc::clone(&self.core))
    }

    /// Runs the task as the worker, at most on one thread; false if it had ended.
    pub fn run(&self) -> bool {
        let seat = Seat::new(Arc::clone(&self.core.gate), 0, Rc::new(()));
        let ran = take_up(&*self.task, self.task.control(), self.core.site(Some(&seat)));
        self.core.gate.settle();
        ran
    }

    /// Hands the task back as a stopping pool does; false if it was not queued any more.
    pub fn hand_back(&self) -> bool {
        let returned = self.task.hand_back(&self.core.gate, None).is_some();
        self.core.gate.settle();
        returned
    }

    /// Waits until the task has ended, as [`Submitter::wait`](super::Submitter::wait) does.
    pub fn wait_quiet(&self) {
        let ended: Option<Result<(), ()>> = self.core.gate.wait_quiet(None, || None);
        assert_eq!(ended, Some(Ok(())));
    }

    /// How often the task ended as succeeded, cancelled and returned.
    pub fn ends(&self) -> [u64; 3] {
        let totals = self.core.gate.counters.totals();
        [totals.succeeded, totals.cancelled, totals.returned]
    }
}

impl<T> Clone for Solo<T> {
    fn clone(&self) -> Self {
        Self { task: Arc::clone(&self.task), core: Arc::clone(&self.core) }
    }
}

impl<T> fmt::Debug for Solo<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Solo").finish_non_exhaustive()
    }
}
