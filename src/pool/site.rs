//! Where a task runs: in which pool, and on which of its workers, if on one.

use super::counters::Line;
use super::gate::Gate;
use super::running;
use super::seat::Seat;
use crate::panics::{self, Panic};

/// A hook that is told of a task's panic.
pub(super) type PanicHook<'a> = dyn Fn(&Panic) + Send + Sync + 'a;

#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) gate: &'a Gate,
    /// `None` on a thread that is no worker of the pool.
    pub(super) seat: Option<&'a Seat>,
    /// Where that worker counts.
    pub(super) line: Option<&'a Line>,
    /// Where that worker says what it runs; `None` also if the task is a part of another one, which stands there.
    pub(super) running: Option<&'a running::Line>,
    pub(super) on_panic: Option<&'a PanicHook<'a>>,
}

impl Site<'_> {
    pub(super) fn worker(&self) -> Option<usize> {
        self.seat.map(Seat::worker)
    }

    /// Tells the pool's hook of a panic, at the time it happens.
    pub(super) fn panicked(&self, panic: &Panic) {
        let Some(hook) = self.on_panic else { return };
        if let Err(again) = panics::catch(|| format!("panic hook of pool {}", self.gate.name), || hook(panic))
        {
            self.gate.note_panic(again);
        }
    }
}
