//! Tasks that come back without having started.

use std::mem;
use std::sync::Arc;

use super::core::Core;
use super::report::ReturnedTask;
use super::task::{Queued, drop_quietly};
use crate::trace::TaskEnd;

impl<'env> Core<'env> {
    pub(super) fn hand_back(&self, task: Queued<'env>, worker: Option<usize>) {
        // Under this lock from before the task counts as ended: who has seen the counts close finds all of them.
        let mut returned = self.returned.lock();
        let mut unwanted = Vec::new();
        let span = task.hand_back(&self.gate, worker);
        if span.is_some() {
            match &mut *returned {
                Some(returned) => returned.push(Arc::clone(&task)),
                None => unwanted.extend(ReturnedTask::each(Arc::clone(&task))),
            }
        }
        drop(returned);
        if let Some(span) = span {
            span.end(TaskEnd::Returned);
        }
        drop(unwanted);
        self.leave_key(&*task);
        drop_quietly(task);
    }

    /// Hands back everything that is queued; the pool is stopping.
    pub(super) fn hand_back_queue(&self) {
        for task in self.take_queue() {
            self.hand_back(task, None);
        }
        self.gate.space.offer_all();
        self.gate.settle();
    }

    /// Takes what is queued out, to give it to the caller.
    pub(super) fn purge(&self) -> Vec<Queued<'env>> {
        let mut returned = Vec::new();
        for task in self.take_queue() {
            if let Some(span) = task.hand_back(&self.gate, None) {
                span.end(TaskEnd::Returned);
                returned.push(Arc::clone(&task));
            }
            self.leave_key(&*task);
            drop_quietly(task);
        }
        self.gate.space.offer_all();
        self.gate.settle();
        returned
    }

    /// Everything that has not started, oldest first. What waits for its key is taken first: nothing takes its place then.
    fn take_queue(&self) -> Vec<Queued<'env>> {
        let parked = self.take_parked();
        let queued = self.queue.drain(&mut self.queue.lock());
        let mut all: Vec<_> = queued.into_iter().map(|(number, entry)| (number, entry.task)).collect();
        all.extend(parked);
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, task)| task).collect()
    }

    /// Drops the tasks handed back, from now on at once, since nobody can ask for them any more: they may hold a submitter of this
    /// very pool.
    pub(super) fn forget_returned(&self) {
        let returned = self.returned.lock().take();
        returned.into_iter().flatten().flat_map(ReturnedTask::each).for_each(drop);
    }

    /// The tasks handed back so far; each is given out once.
    pub(super) fn take_returned(&self) -> Vec<Queued<'env>> {
        self.returned.lock().as_mut().map(mem::take).unwrap_or_default()
    }
}
