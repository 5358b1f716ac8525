//! What a running task can ask for: its worker's state, its token, its name.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::control::Control;
use super::gate::Gate;
use super::judgement::Judgement;
use super::seat::Seat;
use super::task::{Work, name_of};
use crate::cancel::CancellationToken;

/// The context of a running task; closures given to [`TaskOptions::submit`](super::TaskOptions::submit) take it.
///
/// ```
/// use gristmill::ThreadPool;
///
/// let pool = ThreadPool::builder().workers(2).worker_state(|_| Vec::new(), |_, words: Vec<&str>| drop(words)).build()?;
/// let length = pool.task().name("remember").submit(|context| {
///     let mut words = context.state();
///     words.push("grist");
///     words.len()
/// })?;
/// assert_eq!(length.wait()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TaskContext<'task, S> {
    /// Of the pool in which it runs; `None` if it was handed back and runs elsewhere.
    gate: Option<&'task Gate>,
    seat: Option<&'task Seat>,
    control: &'task Control,
    state: PhantomData<&'task RefCell<S>>,
}

impl<S: 'static> TaskContext<'_, S> {
    /// The state of the worker that runs this task, for as long as the guard lives.
    ///
    /// A task that waits for another task of its pool may run it (that is why nesting cannot deadlock). Drop the guard
    /// before you wait, or the other task cannot have the state.
    ///
    /// # Panics
    /// If a guard of this state is alive on this worker: two in one task, or one in a task that waits for this one. The
    /// panic ends the task, as any other does. Also in a task that was handed back and runs outside a pool of this state.
    pub fn state(&self) -> RefMut<'_, S> {
        let cell = self.seat.and_then(Seat::state::<S>);
        let cell = cell.expect("the task was handed back and runs on a thread without this worker state");
        cell.try_borrow_mut()
            .expect("the worker's state is in use: drop its guard before you wait for another task or borrow it again")
    }

    /// The token of this task. It is cancelled with the token given to the task, with the pool's, when the pool stops, and
    /// by [`TaskHandle::cancel`](super::TaskHandle::cancel). Ask for it once and poll it.
    ///
    /// # Cost
    /// The first call makes the token; keep it outside of loops.
    pub fn token(&self) -> CancellationToken {
        match self.gate {
            Some(gate) => self.control.token(gate),
            None => self.control.given().map_or_else(CancellationToken::new, CancellationToken::child),
        }
    }

    /// The task's name; `task` if it was given none.
    pub fn name(&self) -> Arc<str> {
        name_of(Some(self.control))
    }

    /// The index of the worker that runs this task, from 0; `None` if its submitter runs it
    /// ([`Saturation::CallerRuns`](super::Saturation::CallerRuns)), or if it was handed back and runs elsewhere.
    pub fn worker(&self) -> Option<usize> {
        self.seat.map(Seat::worker)
    }
}

impl<S> fmt::Debug for TaskContext<'_, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TaskContext")
            .field("name", &self.control.name())
            .field("worker", &self.seat.map(Seat::worker))
            .finish_non_exhaustive()
    }
}

/// A closure that takes nothing.
pub(super) struct Plain<F>(pub(super) F);

impl<T: Send, F: FnOnce() -> T + Send> Work for Plain<F> {
    type Output = T;

    #[inline]
    fn work(self, _gate: Option<&Gate>, _seat: Option<&Seat>, _control: Option<&Control>) -> T {
        (self.0)()
    }
}

/// A closure that takes its context. `S` is named, not held: the closure may be sent even where `S` may not.
pub(super) struct Contextual<F, S, J> {
    pub(super) run: F,
    pub(super) named: PhantomData<fn(S, J)>,
}

impl<T: Send, S: 'static, J: Judgement<T>, F: FnOnce(&TaskContext<'_, S>) -> T + Send> Work
    for Contextual<F, S, J>
{
    type Output = T;

    fn is_failure(result: &T) -> bool {
        J::is_failure(result)
    }

    fn work(self, gate: Option<&Gate>, seat: Option<&Seat>, control: Option<&Control>) -> T {
        let without = Control::default();
        let context = TaskContext { gate, seat, control: control.unwrap_or(&without), state: PhantomData };
        (self.run)(&context)
    }
}
