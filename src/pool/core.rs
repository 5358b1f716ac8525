//! The queue of a pool, and the moves of a task into it and out of it.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::error::Refusal;
use super::gate::{Gate, Phase};
use super::seat::Seat;
use super::task::{Run, cancel_cause, drop_quietly, take_up};
use crate::sync::Mutex;
use crate::sync::channel::{Receiver, Sender, TrySendError, bounded};
use crate::sync::time::Instant;

/// A task in the queue.
pub(super) type Queued<'env> = Arc<dyn Run + 'env>;

/// A crossbeam queue, used only through calls that do not block: parking and waking are the pool's own, because a channel
/// wakes one sleeper per message, and that costs more than an empty task.
pub(super) struct Core<'env> {
    pub(super) gate: Arc<Gate>,
    sender: Sender<Queued<'env>>,
    receiver: Receiver<Queued<'env>>,
    returned: Mutex<Vec<Queued<'env>>>,
}

impl<'env> Core<'env> {
    pub(super) fn new(gate: Gate) -> Self {
        let (sender, receiver) = bounded(gate.bound);
        Self { gate: Arc::new(gate), sender, receiver, returned: Mutex::new(Vec::new()) }
    }

    /// Offers a task to the queue: in, refused, or (`Continue`) full.
    #[inline]
    pub(super) fn offer(&self, task: Queued<'env>) -> ControlFlow<Result<(), Refusal>, Queued<'env>> {
        let lane = match self.admit() {
            Ok(lane) => lane,
            Err(refusal) => return ControlFlow::Break(Err(refusal)),
        };
        match self.sender.try_send(task) {
            Ok(()) => {
                self.gate.wakeup.wake_one();
                ControlFlow::Break(Ok(()))
            }
            Err(TrySendError::Full(task) | TrySendError::Disconnected(task)) => {
                self.take_back(lane);
                ControlFlow::Continue(task)
            }
        }
    }

    /// Counts a submission, unless the pool takes none.
    #[inline]
    fn admit(&self) -> Result<usize, Refusal> {
        let lane = self.gate.counters.submit();
        if self.gate.phase() == Phase::Open {
            return Ok(lane);
        }
        self.take_back(lane);
        Err(Refusal::Closed)
    }

    #[cold]
    fn take_back(&self, lane: usize) {
        self.gate.counters.refuse(lane);
        self.gate.settle();
    }

    /// Waits for space in the queue.
    #[cold]
    pub(super) fn wait_for_space(
        &self,
        task: Queued<'env>,
        deadline: Option<Instant>,
    ) -> Result<(), Refusal> {
        let given = task.control().and_then(|control| control.given().cloned());
        let _registration = given.map(|token| {
            let gate = Arc::clone(&self.gate);
            token.on_cancel(move |_| gate.space.offer_all())
        });
        let mut held = Some(task);
        let answer = self.gate.space.wait(deadline, || {
            let task = held.take()?;
            if let Some(cause) = cancel_cause(&*task, &self.gate) {
                return Some(Err(Refusal::Cancelled(cause)));
            }
            match self.offer(task) {
                ControlFlow::Break(result) => Some(result),
                ControlFlow::Continue(task) => {
                    held = Some(task);
                    None
                }
            }
        });
        answer.unwrap_or(Err(Refusal::TimedOut))
    }

    /// Runs a task on the worker that submits it, instead of letting it wait for its own queue.
    #[cold]
    pub(super) fn run_inline(&self, task: &Queued<'env>, seat: &Seat) -> Result<(), Refusal> {
        self.admit()?;
        take_up(&**task, seat);
        Ok(())
    }

    /// The next queued task; makes room known to blocked submitters.
    #[inline]
    pub(super) fn next(&self) -> Option<Queued<'env>> {
        let task = self.receiver.try_recv().ok()?;
        self.gate.space.offer(|| self.receiver.len() <= self.gate.bound / 2);
        Some(task)
    }

    /// Ends a task that a worker took from the queue: runs it, or what the pool's phase and the tokens say instead.
    #[inline]
    pub(super) fn execute(&self, task: Queued<'env>, seat: &Seat) {
        let phase = self.gate.phase();
        if phase == Phase::Stopping {
            self.hand_back(task, Some(seat.worker()));
            return;
        }
        let control = task.control();
        let name = control.and_then(|control| control.name());
        self.gate.running.begin(seat.worker(), control.is_some() || phase != Phase::Open, name);
        take_up(&*task, seat);
        self.gate.running.end(seat.worker(), name.is_some());
        // A detached task's result goes with it.
        drop_quietly(task);
    }

    fn hand_back(&self, task: Queued<'env>, worker: Option<usize>) {
        // Under this lock from before the task counts as ended: who has seen the counts close finds all of them.
        let mut returned = self.returned.lock();
        if task.hand_back(&self.gate, worker) {
            returned.push(task);
        } else {
            drop(returned);
            drop_quietly(task);
        }
    }

    /// Hands back everything that is queued; the pool is stopping.
    pub(super) fn hand_back_queue(&self) {
        while let Some(task) = self.next() {
            self.hand_back(task, None);
        }
        self.gate.settle();
    }

    /// The tasks handed back so far; each is given out once.
    pub(super) fn take_returned(&self) -> Vec<Queued<'env>> {
        std::mem::take(&mut *self.returned.lock())
    }

    pub(super) fn queued(&self) -> usize {
        self.receiver.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}

impl fmt::Debug for Core<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Core").field("gate", &self.gate).finish_non_exhaustive()
    }
}
